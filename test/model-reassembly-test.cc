/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Fragments put together, without an engine.
#define BOOST_TEST_MODULE model_reassembly
#include "model-fragments.h"
#include "model-reassembly-world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

using namespace ns3;
using namespace colo_test;

namespace
{

/** All kinds of headers that a fragment may have before its data. */
std::vector<Datagram>
Kinds(std::size_t length)
{
    std::vector<Datagram> kinds;
    for (int family : {4, 6})
    {
        for (std::size_t tags : {0, 1, 2})
        {
            for (std::size_t extraLen : {0, 8, 24})
            {
                Datagram datagram;
                datagram.family = family;
                datagram.id = family == 4 ? 0xfffe : 0xfffffffe;
                datagram.vlans.assign(tags, 0x2005);
                datagram.extraLen = extraLen;
                datagram.data = UdpOf(length - 8);
                kinds.push_back(datagram);
            }
        }
    }
    return kinds;
}

std::vector<Datagram>
Families(std::size_t length)
{
    Datagram four;
    four.data = UdpOf(length - 8);
    Datagram six = four;
    six.family = 6;
    return {four, six};
}

} // namespace

BOOST_FIXTURE_TEST_CASE(puts_fragments_together_in_any_order, World)
{
    for (const Datagram& datagram : Kinds(100))
    {
        const std::vector<Bytes> fragments = Cut(datagram, {8, 40, 96});
        std::vector<int> order{0, 1, 2, 3};
        do
        {
            for (int i : order)
            {
                BOOST_TEST(wholes.empty());
                BOOST_TEST(Add(fragments[i]) == 0);
            }
            BOOST_REQUIRE(wholes.size() == 1);
            BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
            BOOST_TEST(wholes[0]->GetPacket().kind == COLO_KIND_DATAGRAM);
            BOOST_TEST(wholes[0]->GetKey().guest_port == 53);
            const ColoReassembly::Fragments back = wholes[0]->Split();
            BOOST_REQUIRE(back.size() == fragments.size());
            for (std::size_t i = 0; i < back.size(); i++)
            {
                BOOST_TEST(BytesOf(*back[i]) == fragments[i]);
                BOOST_TEST(!back[i]->IsEdited());
            }
            wholes.clear();
        } while (std::next_permutation(order.begin(), order.end()));
    }
    BOOST_TEST(GetKept() == 0);
    BOOST_TEST(reassembly->GetBytes(COLO_PRIMARY) == 0);
}

BOOST_FIXTURE_TEST_CASE(leaves_padding_out_and_gives_it_back, World)
{
    for (const Datagram& datagram : Families(44))
    {
        const Bytes last = CutOut(datagram, 40, 44, 12);
        Add(CutOut(datagram, 0, 40, 1));
        Add(last);
        BOOST_REQUIRE(wholes.size() == 1);
        BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
        BOOST_TEST(BytesOf(*wholes[0]->Split()[1]) == last);
        wholes.clear();
    }
}

BOOST_FIXTURE_TEST_CASE(exact_repeats_do_no_harm, World)
{
    for (const Datagram& datagram : Families(40))
    {
        BOOST_TEST(Add(CutOut(datagram, 0, 16)) == 0);
        BOOST_TEST(Add(CutOut(datagram, 0, 16)) == 1);
        BOOST_TEST(Add(CutOut(datagram, 24, 40)) == 0);
        BOOST_TEST(Add(CutOut(datagram, 24, 40, 7)) == 1);
        BOOST_TEST(Add(CutOut(datagram, 16, 24)) == 0);
        BOOST_REQUIRE(wholes.size() == 1);
        BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
        wholes.clear();
    }
    BOOST_TEST(GetStats().repeats == 4);
    BOOST_TEST(GetStats().wholes == 2);
}

// RFC 5722: whatever was meant by it, nothing of it is used.
BOOST_FIXTURE_TEST_CASE(overlaps_discard_the_datagram, World)
{
    const std::vector<std::pair<int, int>>
        overlapping{{16, 48}, {24, 40}, {32, 40}, {8, 24}, {40, 56}, {0, 72}, {16, 40}};
    for (const Datagram& datagram : Families(80))
    {
        for (auto [from, to] : overlapping)
        {
            BOOST_TEST(Add(CutOut(datagram, 16, 48)) == 0);
            Datagram other = datagram;
            other.data[20] ^= from == 16; // else the first one is a repeat
            other.data[45] ^= 1;
            BOOST_TEST(Add(CutOut(other, from, to)) == 2, from << " to " << to);
            BOOST_TEST(GetKept() == 0);
        }
        // Same bytes, but at another place.
        BOOST_TEST(Add(BuildFragment(datagram, 16, true, Bytes(32))) == 0);
        BOOST_TEST(Add(BuildFragment(datagram, 8, true, Bytes(32))) == 2);
        // Same bytes, but one says that it is the last.
        BOOST_TEST(Add(CutOut(datagram, 16, 32)) == 0);
        BOOST_TEST(
            Add(BuildFragment(datagram, 16, false, {&datagram.data[16], &datagram.data[32]})) == 2);
    }
    BOOST_TEST(GetStats().overlapping == 18);
    BOOST_TEST(alive == 0);
}

BOOST_FIXTURE_TEST_CASE(discards_lengths_that_contradict_each_other, World)
{
    struct Piece
    {
        uint32_t offset;
        bool more;
        std::size_t length;
    };

    const std::vector<std::vector<Piece>> contradictions{
        {{0, true, 20}},                  // not a multiple of eight
        {{0, true, 8}, {8, true, 0}},     // nothing
        {{0, true, 8}, {8, false, 0}},    // nothing, and the last
        {{65528, false, 8}},              // more than fits
        {{16, false, 8}, {24, false, 8}}, // ends twice, later
        {{16, false, 8}, {8, false, 4}},  // ends twice, earlier
        {{16, false, 8}, {24, true, 8}},  // goes on behind its end
        {{16, true, 8}, {8, false, 8}},   // ends before what is there
    };
    for (const Datagram& datagram : Families(8))
    {
        for (const auto& pieces : contradictions)
        {
            std::size_t lost = 0;
            for (const Piece& piece : pieces)
            {
                const Bytes data = Pattern(piece.length, piece.offset);
                lost += Add(BuildFragment(datagram, piece.offset, piece.more, data));
            }
            BOOST_TEST(lost == pieces.size(), "at " << pieces.back().offset);
            BOOST_TEST(GetKept() == 0);
        }
    }
    BOOST_TEST(wholes.empty());
    BOOST_TEST(GetStats().malformed == 2 * contradictions.size());
}

BOOST_FIXTURE_TEST_CASE(puts_the_largest_datagram_together_and_no_larger, World)
{
    for (Datagram datagram : Families(8))
    {
        for (std::size_t extraLen : {0, 8})
        {
            datagram.extraLen = extraLen;
            const std::size_t most = 65535 - extraLen - (datagram.family == 4 ? 20 : 0);
            datagram.data = Pattern(most);
            Add(CutOut(datagram, 32768, most));
            BOOST_TEST(Add(CutOut(datagram, 0, 32768)) == 0);
            BOOST_REQUIRE(wholes.size() == 1);
            BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
            wholes.clear();

            // One byte more; or only as the first fragment's header is longer.
            datagram.data.push_back(0);
            BOOST_TEST(Add(CutOut(datagram, 32768, most + 1)) == 1);
            if (extraLen)
            {
                Datagram shorter = datagram;
                shorter.extraLen = 0;
                BOOST_TEST(Add(CutOut(shorter, 32768, most + 1)) == 0);
                BOOST_TEST(Add(CutOut(datagram, 0, 32768)) == 2);
            }
        }
    }
    BOOST_TEST(wholes.empty());
}

BOOST_FIXTURE_TEST_CASE(keeps_datagrams_apart, World)
{
    std::vector<Datagram> datagrams = Families(16);
    for (std::size_t i = 0; i < 2; i++)
    {
        Datagram other = datagrams[i];
        other.id += 1 << 8;
        datagrams.push_back(other);
        other = datagrams[i];
        other.source++;
        datagrams.push_back(other);
        other = datagrams[i];
        other.vlans = {7};
        datagrams.push_back(other);
        other.vlans = {7, 8};
        datagrams.push_back(other);
    }
    datagrams.push_back(datagrams[0]);
    datagrams.back().protocol = 47;
    uint32_t seed = 0;
    for (Datagram& datagram : datagrams)
    {
        datagram.data = Pattern(16, seed++);
        BOOST_TEST(Add(CutOut(datagram, 8, 16)) == 0);
    }
    BOOST_TEST(Add(CutOut(datagrams[0], 8, 16), COLO_SECONDARY) == 0);
    BOOST_TEST(Add(CutOut(datagrams[0], 8, 16), COLO_INBOUND) == 0);
    BOOST_TEST(wholes.empty());
    BOOST_TEST(GetKept() == datagrams.size());
    for (const Datagram& datagram : datagrams)
    {
        BOOST_TEST(Add(CutOut(datagram, 0, 8)) == 0);
        BOOST_REQUIRE(!wholes.empty());
        BOOST_TEST(BytesOf(*wholes.back()) == BuildWhole(datagram));
    }
    BOOST_TEST(wholes.size() == datagrams.size());
    BOOST_TEST(GetKept(COLO_SECONDARY) == 1);
    BOOST_TEST(GetKept(COLO_INBOUND) == 1);
}

// RFC 8200, 4.5: only the first fragment's next header counts.
BOOST_FIXTURE_TEST_CASE(ipv6_fragments_may_name_other_protocols, World)
{
    Datagram datagram = Families(24)[1];
    Datagram other = datagram;
    other.protocol = 132;
    Add(CutOut(other, 8, 24));
    Add(CutOut(datagram, 0, 8));
    BOOST_REQUIRE(wholes.size() == 1);
    BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
}

// A flow must not see a fragment, and no one fragments one.
BOOST_FIXTURE_TEST_CASE(discards_a_fragment_within_fragments, World)
{
    Datagram datagram = Families(64)[1];
    datagram.protocol = FRAGMENT_HEADER;
    datagram.data = Pattern(64);
    colo_put16(&datagram.data[2], 8 | 1);
    Add(CutOut(datagram, 0, 32));
    BOOST_TEST(Add(CutOut(datagram, 32, 64)) == 2);

    // An atomic one is whole (RFC 6946), here in the fragments' data and before their header.
    colo_put16(&datagram.data[2], 0);
    datagram.data[0] = UDP;
    colo_put16(&datagram.data[8 + 4], 56);
    Add(CutOut(datagram, 0, 32));
    BOOST_TEST(Add(CutOut(datagram, 32, 64)) == 0);
    BOOST_REQUIRE(wholes.size() == 1);
    BOOST_TEST(BytesOf(*wholes[0]) == BuildWhole(datagram));
    BOOST_TEST(wholes[0]->GetPacket().kind == COLO_KIND_DATAGRAM);
}

// Headers of other lengths than an option's, on the way to the one that goes.
BOOST_FIXTURE_TEST_CASE(finds_the_fragment_header_behind_any_other, World)
{
    const std::size_t nextAt = 14 + 6;
    const std::size_t extensionAt = 14 + 40;
    for (uint8_t header : {AUTHENTICATION_HEADER, FRAGMENT_HEADER})
    {
        const bool isAtomic = header == FRAGMENT_HEADER;
        Datagram datagram = Families(64)[1];
        datagram.extraLen = isAtomic ? 8 : 16;
        const auto changed = [&](Bytes bytes) {
            bytes[nextAt] = header;
            // Behind it a length of 16 bytes (RFC 4302, 2.2), or a reserved byte.
            const uint8_t next = bytes[extensionAt + datagram.extraLen - 8];
            Bytes extension{next, uint8_t(isAtomic ? 0xff : 2)};
            extension.resize(datagram.extraLen);
            std::copy(extension.begin(), extension.end(), bytes.begin() + extensionAt);
            return bytes;
        };
        Add(changed(CutOut(datagram, 32, 64)));
        Add(changed(CutOut(datagram, 0, 32)));
        BOOST_REQUIRE(wholes.size() == 1);
        BOOST_TEST(BytesOf(*wholes[0]) == changed(BuildWhole(datagram)));
        BOOST_TEST(wholes[0]->GetPacket().kind == COLO_KIND_DATAGRAM);
        wholes.clear();
    }
}

BOOST_FIXTURE_TEST_CASE(incomplete_datagrams_expire, World)
{
    const Datagram datagram = Families(48)[0];
    BOOST_TEST(reassembly->GetDeadline() == COLO_NEVER_NS);
    const uint64_t due = now + ColoReassembly::TIMEOUT_NS;
    Add(CutOut(datagram, 0, 8));
    now += SECOND;
    Add(CutOut(datagram, 8, 16));
    Datagram other = datagram;
    other.id++;
    Add(CutOut(other, 0, 8), COLO_SECONDARY);
    BOOST_TEST(reassembly->GetDeadline() == due, "later fragments do not prolong it");
    BOOST_TEST(reassembly->Expire(due - 1).empty());
    BOOST_TEST(reassembly->Expire(due).size() == 2);
    BOOST_TEST(reassembly->GetDeadline() == due + SECOND);
    BOOST_TEST(reassembly->Expire(due + SECOND).size() == 1);
    BOOST_TEST(reassembly->GetDeadline() == COLO_NEVER_NS);
    BOOST_TEST(GetStats().expired == 2);

    // Whoever forgets to ask does not get old fragments into a new datagram.
    Add(CutOut(datagram, 0, 8));
    now += ColoReassembly::TIMEOUT_NS;
    BOOST_TEST(Add(CutOut(datagram, 8, 48)) == 1);
    BOOST_TEST(wholes.empty());
}

BOOST_FIXTURE_TEST_CASE(forgets_one_side, World)
{
    for (const Datagram& datagram : Families(16))
    {
        for (colo_side side : {COLO_PRIMARY, COLO_SECONDARY, COLO_INBOUND})
        {
            Add(CutOut(datagram, 0, 8), side);
        }
    }
    BOOST_TEST(reassembly->Forget(COLO_SECONDARY).size() == 2);
    BOOST_TEST(GetKept(COLO_SECONDARY) == 0);
    BOOST_TEST(reassembly->GetBytes(COLO_SECONDARY) == 0);
    BOOST_TEST(GetKept(COLO_PRIMARY) == 2);
    BOOST_TEST(GetKept(COLO_INBOUND) == 2);
}

// Rule bounded. The flooding pair pushes out its own; others' and other sides' go on.
BOOST_FIXTURE_TEST_CASE(flood_between_two_addresses_pushes_out_only_its_own, World)
{
    std::vector<Datagram> others = Families(16);
    for (Datagram& other : others)
    {
        other.source = 77;
        Add(CutOut(other, 0, 8));
    }
    Datagram flood = Families(2000)[0];
    Add(CutOut(flood, 0, 8), COLO_SECONDARY);
    std::size_t lost = 0;
    for (std::size_t length : {8, 1400})
    {
        for (uint32_t i = 0; i < 3000; i++)
        {
            flood.id = i;
            flood.protocol = i % 2 ? UDP : 47;
            lost += Add(CutOut(flood, 0, length));
            BOOST_REQUIRE(GetKept() <= ColoReassembly::DATAGRAMS_MAX / 4 + others.size());
            BOOST_REQUIRE(reassembly->GetBytes(COLO_PRIMARY) < ColoReassembly::BYTES_MAX / 3);
        }
    }
    BOOST_TEST(lost > 5000);
    BOOST_TEST(lost <= GetStats().evicted + GetStats().overlapping * 2 + GetStats().repeats);
    BOOST_TEST(Add(CutOut(flood, 1400, 2000)) == 0);
    BOOST_TEST(wholes.size() == 1, "the youngest is there");
    wholes.clear();
    for (const Datagram& other : others)
    {
        Add(CutOut(other, 8, 16));
        BOOST_REQUIRE(!wholes.empty());
        BOOST_TEST(BytesOf(*wholes.back()) == BuildWhole(other));
    }
    BOOST_TEST(wholes.size() == others.size());
    BOOST_TEST(GetKept(COLO_SECONDARY) == 1);
}

BOOST_FIXTURE_TEST_CASE(flood_from_many_addresses_stays_within_the_sides_limits, World)
{
    for (std::size_t length : {8, 16384})
    {
        Datagram flood = Families(20000)[1];
        for (uint32_t i = 0; i < 6000; i++)
        {
            flood.source = i;
            flood.vlans = {uint16_t(i >> 8)};
            Add(CutOut(flood, 0, length), COLO_INBOUND);
            BOOST_REQUIRE(GetKept(COLO_INBOUND) <= ColoReassembly::DATAGRAMS_MAX);
            BOOST_REQUIRE(reassembly->GetBytes(COLO_INBOUND) <= ColoReassembly::BYTES_MAX);
        }
        BOOST_TEST(alive <= int(ColoReassembly::DATAGRAMS_MAX));
        // The youngest is there.
        const std::size_t kept = GetKept(COLO_INBOUND);
        Add(CutOut(flood, length, 20000), COLO_INBOUND);
        BOOST_TEST(wholes.size() == 1);
        BOOST_TEST(GetKept(COLO_INBOUND) == kept - 1);
        wholes.clear();
    }
}

// Each costs more than its bytes, so the count of frames is limited as well.
BOOST_FIXTURE_TEST_CASE(flood_of_tiny_fragments_of_one_datagram_is_limited, World)
{
    Datagram datagram = Families(8)[0];
    datagram.data = Pattern(65000);
    int most = 0;
    for (uint32_t at = 0; at + 8 < 65000; at += 8)
    {
        Add(CutOut(datagram, at, at + 8));
        most = std::max(most, alive);
    }
    BOOST_TEST(most > 3000);
    BOOST_TEST(most < 4500);
    BOOST_TEST(GetStats().evicted == 2);
}
