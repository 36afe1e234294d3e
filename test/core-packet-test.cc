/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What the core reads in a frame, what it must not read, and what it writes.
#define BOOST_TEST_MODULE core_packet
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

const Numbering GUESTS{1000, 2000, false, 4, 40000};
const Numbering CLIENTS{2000, 1000, true, 4, 40000};
const Numbering GUESTS_IPV6{1000, 2000, false, 6, 40000};

const size_t IP = 14;
const size_t TCP = 34;
const size_t TCP_IPV6 = 54;

Packet
Parse(const Bytes& frame, colo_side side = COLO_PRIMARY, size_t headLength = SIZE_MAX)
{
    Packet packet(frame, headLength);
    colo_packet_parse(&packet.core, side, &packet.key);
    return packet;
}

colo_kind
KindOf(const Bytes& frame)
{
    return colo_kind(Parse(frame).core.kind);
}

// A frame with other bytes from an offset on.
Bytes
Patched(Bytes frame, size_t offset, const Bytes& bytes)
{
    std::copy(bytes.begin(), bytes.end(), frame.begin() + long(offset));
    return frame;
}

Bytes
Truncated(Bytes frame, size_t length)
{
    frame.resize(length);
    return frame;
}

// What became of a frame that belongs to no flow.
std::string
Judge(colo_node& node, const Bytes& frame, colo_side side, uint64_t now)
{
    Packet packet = Parse(frame, side);
    BOOST_REQUIRE(packet.core.kind != COLO_KIND_TCP);
    colo_out out;
    colo_out_init(&out);
    colo_node_uncompared(&node, &packet.core, now, &out);
    std::string reason = colo_reason_name(colo_reason(packet.core.reason));
    BOOST_TEST(!out.mismatch.reason);
    if (colo_queue_pop(&out.release))
    {
        BOOST_TEST(!out.release.tail);
        BOOST_TEST(!out.drop.tail);
        return "release " + reason;
    }
    BOOST_TEST(colo_queue_pop(&out.drop) == &packet.core);
    return "drop " + reason;
}

struct Node
{
    Node()
    {
        colo_config config;
        colo_config_default(&config);
        colo_node_init(&node, 1, COLO_ROLE_PRIMARY, &config, 0);
    }

    colo_node node;
};

Bytes
ArpFrame(uint8_t operation)
{
    Bytes frame{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0};
    frame.push_back(operation);
    frame.resize(60);
    return frame;
}

Bytes
Icmpv6Frame(uint8_t type)
{
    Bytes frame = BuildFrame(". 0:4(4)", GUESTS_IPV6);
    frame[IP + 6] = 58;
    frame[TCP_IPV6] = type;
    return frame;
}

} // namespace

BOOST_AUTO_TEST_CASE(parses_ipv4_tcp)
{
    Packet packet = Parse(BuildFrame("S. 7:11(4) ack 9 win 300", GUESTS));
    BOOST_TEST(packet.core.kind == COLO_KIND_TCP);
    BOOST_TEST(packet.core.seq == 1007U);
    BOOST_TEST(packet.core.ack == 2009U);
    BOOST_TEST(packet.core.window == 300);
    BOOST_TEST(packet.core.tcp_flags == (COLO_TCP_SYN | COLO_TCP_ACK));
    BOOST_TEST(packet.core.payload_len == 4U);
    BOOST_TEST(packet.core.l4_offset == TCP);
    BOOST_TEST(packet.core.payload_offset == TCP + 20);
    BOOST_TEST(colo_packet_end(&packet.core) == 1012U);
}

BOOST_AUTO_TEST_CASE(parses_ipv6_tcp)
{
    Packet packet = Parse(BuildFrame("F. 7:11(4) ack 9 win 300", GUESTS_IPV6));
    BOOST_TEST(packet.core.kind == COLO_KIND_TCP);
    BOOST_TEST(packet.core.seq == 1007U);
    BOOST_TEST(packet.core.payload_len == 4U);
    BOOST_TEST(packet.core.l4_offset == TCP_IPV6);
    BOOST_TEST(packet.key.family == 6);
    BOOST_TEST(packet.key.guest[15] == 2);
    BOOST_TEST(packet.key.peer[15] == 9);
}

// Both directions of a connection have one key: the guest's own direction (flow key).
BOOST_DATA_TEST_CASE(key_is_in_the_guests_direction, data::make({4, 6}), family)
{
    Packet sent = Parse(BuildFrame(". 1:1(0)", {0, 0, false, family, 40000}));
    Packet received = Parse(BuildFrame(". 1:1(0)", {0, 0, true, family, 40000}), COLO_INBOUND);
    Packet other = Parse(BuildFrame(". 1:1(0)", {0, 0, false, family, 40001}));
    BOOST_TEST(!memcmp(&sent.key, &received.key, sizeof(sent.key)));
    BOOST_TEST(memcmp(&sent.key, &other.key, sizeof(sent.key)));
    BOOST_TEST(sent.key.guest_port == 80);
    BOOST_TEST(sent.key.peer_port == 40000);
}

BOOST_AUTO_TEST_CASE(parses_options)
{
    Packet packet = Parse(BuildFrame("S 0:0(0) <mss 1460,sackOK,ts 70000 5,nop,wscale 7>", GUESTS));
    BOOST_TEST(packet.core.options == COLO_OPT_NEGOTIATED);
    BOOST_TEST(packet.core.mss == 1460);
    BOOST_TEST(packet.core.wscale == 7);
    BOOST_TEST(packet.core.tsval == 70000U);
    BOOST_TEST(colo_packet_tsecr(&packet.core) == 5U);
}

BOOST_AUTO_TEST_CASE(parses_sack_blocks)
{
    Packet packet = Parse(BuildFrame(". 0:0(0) <nop,sack 1:2 3:4 5:6>", GUESTS));
    BOOST_TEST(packet.core.sack_count == 3);
    BOOST_TEST(packet.core.sack_offset == 23);
}

// RFC 7323, 2.3: a larger shift counts as 14.
BOOST_AUTO_TEST_CASE(parses_a_scale_too_large)
{
    BOOST_TEST(Parse(BuildFrame("S 0:0(0) <wscale 200>", GUESTS)).core.wscale == 14);
}

// Nothing of an earlier parse may stay, as rooms use a packet again.
BOOST_AUTO_TEST_CASE(parses_anew)
{
    Packet packet = Parse(BuildFrame("S 0:0(0) <mss 1,sackOK,ts 7 5,nop,wscale 7>", GUESTS));
    Packet plain(BuildFrame(". 0:0(0)", GUESTS), SIZE_MAX);
    packet.core.head = plain.core.head;
    packet.core.head_len = plain.core.head_len;
    packet.core.frame_len = plain.core.frame_len;
    packet.core.edit.mask = COLO_EDIT_SEQ;
    colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key);
    BOOST_TEST(packet.core.options == 0);
    BOOST_TEST(packet.core.ts_offset == 0);
    BOOST_TEST(packet.core.edit.mask == 0);
}

namespace
{

const std::vector<Bytes> BROKEN_OPTIONS = {{2, 0, 0, 0},    // length of zero would never end
                                           {2, 1, 0, 0},    // shorter than its own header
                                           {1, 1, 1, 2},    // a kind without a length
                                           {2, 5, 0, 0},    // beyond the header
                                           {1, 8, 10, 0},   // stamps beyond the header
                                           {0, 2, 4, 9},    // behind the end of the list
                                           {2, 3, 9, 1},    // MSS of another length
                                           {3, 4, 9, 9},    // scale of another length
                                           {4, 3, 9, 1},    // SACK-permitted of another length
                                           {8, 4, 9, 9},    // stamps of another length
                                           {5, 4, 9, 9},    // SACK without a block
                                           {253, 4, 9, 9}}; // unknown

} // namespace

// As in the guests' stacks such an option is not there, and the rest of the segment counts.
BOOST_DATA_TEST_CASE(malformed_options_are_none, data::xrange(BROKEN_OPTIONS.size()), i)
{
    Bytes frame = BuildFrame("S 0:4(4) <nop,nop,nop,nop>", GUESTS);
    Packet packet = Parse(Patched(frame, TCP + 20, BROKEN_OPTIONS[i]));
    BOOST_TEST(packet.core.kind == COLO_KIND_TCP);
    BOOST_TEST(packet.core.options == 0);
    BOOST_TEST(packet.core.payload_len == 4U);
}

// An option that fits exactly is one.
BOOST_AUTO_TEST_CASE(option_at_the_headers_end)
{
    Bytes frame = BuildFrame("S 0:0(0) <nop,nop,nop,nop>", GUESTS);
    Packet packet = Parse(Patched(frame, TCP + 20, {2, 4, 5, 0xb4}));
    BOOST_TEST(packet.core.mss == 1460);
}

namespace
{

struct Malformed
{
    const char* what;
    Bytes frame;
};

std::vector<Malformed>
MalformedFrames()
{
    Bytes ipv4 = BuildFrame(". 1:11(10) ack 1", GUESTS);
    Bytes ipv6 = BuildFrame(". 1:11(10) ack 1", GUESTS_IPV6);
    return {{"shorter than Ethernet", Truncated(ipv4, 13)},
            {"shorter than IPv4", Truncated(ipv4, 33)},
            {"shorter than IPv6", Truncated(ipv6, 53)},
            {"cut behind IPv4", Patched(Truncated(ipv4, TCP + 10), IP + 2, {0, 30})},
            {"cut behind IPv6", Patched(Truncated(ipv6, TCP_IPV6 + 10), IP + 4, {0, 10})},
            {"IPv4 version", Patched(ipv4, IP, {0x65})},
            {"IPv6 version", Patched(ipv6, IP, {0x40})},
            {"IPv4 header length too small", Patched(ipv4, IP, {0x44})},
            {"IPv4 header length beyond the total", Patched(ipv4, IP + 2, {0, 19})},
            {"IPv4 total length beyond the frame", Patched(ipv4, IP + 2, {0, 51})},
            {"IPv6 length beyond the frame", Patched(ipv6, IP + 4, {0, 31})},
            {"no room for TCP in IPv4", Patched(ipv4, IP + 2, {0, 39})},
            {"no room for TCP in IPv6", Patched(ipv6, IP + 4, {0, 19})},
            {"TCP offset too small", Patched(ipv4, TCP + 12, {0x40})},
            {"TCP offset beyond the segment", Patched(ipv4, TCP + 12, {0x80})}};
}

} // namespace

// No length field is trusted; ASan watches the exact size of every frame (malformed).
BOOST_AUTO_TEST_CASE(malformed_frames_are_told)
{
    BOOST_TEST(KindOf(BuildFrame(". 1:11(10) ack 1", GUESTS)) == COLO_KIND_TCP);
    for (const auto& malformed : MalformedFrames())
    {
        BOOST_TEST_CONTEXT(malformed.what)
        {
            BOOST_TEST(KindOf(malformed.frame) == COLO_KIND_MALFORMED);
        }
    }
}

// It passes on one side and ends on the other: never an uncompared copy of each.
BOOST_FIXTURE_TEST_CASE(malformed_passes_for_the_primary_only, Node)
{
    for (const auto& malformed : MalformedFrames())
    {
        BOOST_TEST(Judge(node, malformed.frame, COLO_PRIMARY, 0) == "release malformed");
        BOOST_TEST(Judge(node, malformed.frame, COLO_SECONDARY, 0) == "drop malformed-secondary");
    }
}

// A frame cut at every length is read no further than it goes (bounded).
BOOST_DATA_TEST_CASE(bounded_truncated_frames, data::make({4, 6}), family)
{
    Bytes frame = BuildFrame("S. 0:8(8) ack 1 <mss 1,sackOK,ts 1 2,nop,sack 1:2>",
                             {0, 0, false, family, 40000});
    for (size_t length = 0; length < frame.size(); length++)
    {
        BOOST_TEST(KindOf(Truncated(frame, length)) == COLO_KIND_MALFORMED);
    }
}

// Headers must lie within the head; those that do not are not read elsewhere.
BOOST_AUTO_TEST_CASE(bounded_head_shorter_than_the_headers)
{
    Bytes frame = BuildFrame(". 1:11(10) ack 1 <mss 1460>", GUESTS);
    for (size_t length = 0; length < TCP + 24; length++)
    {
        BOOST_TEST(Parse(frame, COLO_PRIMARY, length).core.kind == COLO_KIND_MALFORMED);
    }
    BOOST_TEST(Parse(frame, COLO_PRIMARY, TCP + 24).core.kind == COLO_KIND_TCP);
}

// Random damage: no read outside, and payload never outside the frame (bounded).
BOOST_AUTO_TEST_CASE(bounded_damaged_frames)
{
    std::mt19937 random(1);
    const Bytes frames[] = {
        BuildFrame("S. 0:8(8) ack 1 <mss 1,sackOK,ts 1 2,nop,sack 1:2>", GUESTS),
        BuildFrame("S. 0:8(8) ack 1 <mss 1,ts 1 2,nop,nop>", GUESTS_IPV6)};
    for (int i = 0; i < 100000; i++)
    {
        Bytes frame = frames[i % 2];
        for (int damage = 0; damage < 3; damage++)
        {
            frame[12 + random() % (frame.size() - 12)] = uint8_t(random());
        }
        Packet packet = Parse(Truncated(frame, 12 + random() % (frame.size() - 11)));
        if (packet.core.kind == COLO_KIND_TCP)
        {
            BOOST_REQUIRE(packet.core.payload_offset + packet.core.payload_len <=
                          packet.core.frame_len);
            packet.core.edit.mask = COLO_EDIT_SEQ | COLO_EDIT_ACK | COLO_EDIT_SACK;
            colo_edit_apply(&packet.core, packet.head.get(), COLO_CHECKSUM_FULL);
        }
    }
}

// Bytes behind the IP length are no payload (tcp-ignore).
BOOST_DATA_TEST_CASE(padding_is_no_payload, data::make({4, 6}), family)
{
    Packet packet = Parse(BuildFrame(". 1:3(2) ack 1 pad 30", {0, 0, false, family, 40000}));
    BOOST_TEST(packet.core.payload_len == 2U);
}

BOOST_AUTO_TEST_CASE(fragments_and_other_protocols_are_no_tcp)
{
    Bytes frame = BuildFrame(". 1:11(10) ack 1", GUESTS);
    BOOST_TEST(KindOf(Patched(frame, IP + 6, {0x20, 0})) == COLO_KIND_FRAGMENT);
    BOOST_TEST(KindOf(Patched(frame, IP + 6, {0, 5})) == COLO_KIND_FRAGMENT);
    BOOST_TEST(KindOf(Patched(frame, IP + 9, {47})) == COLO_KIND_DATAGRAM);
    BOOST_TEST(KindOf(Patched(frame, 12, {0x88, 0xcc})) == COLO_KIND_L2);
    BOOST_TEST(KindOf(Icmpv6Frame(128)) == COLO_KIND_DATAGRAM);
}

// IPv4 options move the TCP header.
BOOST_AUTO_TEST_CASE(ipv4_options_are_skipped)
{
    Bytes frame = BuildFrame(". 1:11(10) ack 1", GUESTS);
    frame.insert(frame.begin() + TCP, {1, 1, 1, 1});
    frame = Patched(Patched(frame, IP, {0x46}), IP + 2, {0, 54});
    Packet packet = Parse(frame);
    BOOST_TEST(packet.core.kind == COLO_KIND_TCP);
    BOOST_TEST(packet.core.seq == 1001U);
    BOOST_TEST(packet.core.payload_len == 10U);
}

// The secondary's requests go out, rate-limited, so that its cache heals (neighbour).
BOOST_FIXTURE_TEST_CASE(neighbour_requests_of_the_secondary_go_out, Node)
{
    const uint64_t millisecond = 1000000;
    for (const Bytes& request : {ArpFrame(1), Icmpv6Frame(135)})
    {
        BOOST_TEST(KindOf(request) == COLO_KIND_NEIGHBOUR);
        node.neighbour_next_ns = 0;
        BOOST_TEST(Judge(node, request, COLO_SECONDARY, 0) == "release neighbour");
        BOOST_TEST(Judge(node, request, COLO_SECONDARY, 10 * millisecond - 1) == "drop swallowed");
        BOOST_TEST(Judge(node, request, COLO_SECONDARY, 10 * millisecond) == "release neighbour");
        BOOST_TEST(Judge(node, request, COLO_PRIMARY, 0) == "release uncompared");
    }
}

// Its answers do not: the primary gives them.
BOOST_FIXTURE_TEST_CASE(neighbour_answers_of_the_secondary_are_swallowed, Node)
{
    for (const Bytes& answer : {ArpFrame(2), Icmpv6Frame(136)})
    {
        BOOST_TEST(Judge(node, answer, COLO_SECONDARY, 0) == "drop swallowed");
        BOOST_TEST(Judge(node, answer, COLO_PRIMARY, 0) == "release uncompared");
    }
}

BOOST_AUTO_TEST_CASE(neighbour_request_cut_short_is_none)
{
    BOOST_TEST(KindOf(Truncated(ArpFrame(1), 22)) == COLO_KIND_NEIGHBOUR);
    BOOST_TEST(KindOf(Truncated(ArpFrame(1), 21)) == COLO_KIND_L2);
    BOOST_TEST(KindOf(Truncated(Icmpv6Frame(135), 54)) == COLO_KIND_MALFORMED);
}

namespace
{

Bytes
Edited(const std::string& line, const Numbering& numbering, const colo_edit& edit)
{
    Packet packet =
        Parse(BuildFrame(line, numbering), numbering.inbound ? COLO_INBOUND : COLO_PRIMARY);
    packet.core.edit = edit;
    Bytes frame = packet.Frame();
    colo_edit_apply(&packet.core, frame.data(), COLO_CHECKSUM_FULL);
    BOOST_TEST(IsChecksumRight(frame));
    return frame;
}

} // namespace

// Each field alone, and what is beside it untouched.
BOOST_AUTO_TEST_CASE(edits_one_field)
{
    const std::string line = ". 1:4(3) ack 1 win 7 <nop,nop,ts 5 6>";
    const Numbering other{3000, 4000, false, 4, 40000};
    BOOST_TEST(Edited(line, GUESTS, {3001, 0, 0, 0, COLO_EDIT_SEQ}) ==
               BuildFrame(line, {3000, 2000, false, 4, 40000}));
    BOOST_TEST(Edited(line, GUESTS, {0, 4001, 0, 0, COLO_EDIT_ACK}) ==
               BuildFrame(line, {1000, 4000, false, 4, 40000}));
    BOOST_TEST(Edited(line, GUESTS, {3001, 4001, 0, 0, COLO_EDIT_SEQ | COLO_EDIT_ACK}) ==
               BuildFrame(line, other));
    BOOST_TEST(Edited(line, GUESTS, {0, 0, 0, 0xfffe, COLO_EDIT_WINDOW}) ==
               BuildFrame(". 1:4(3) ack 1 win 65534 <nop,nop,ts 5 6>", GUESTS));
    BOOST_TEST(Edited(line, GUESTS, {0, 0, 0xfedcba98, 0, COLO_EDIT_TSVAL}) ==
               BuildFrame(". 1:4(3) ack 1 win 7 <nop,nop,ts 4275878552 6>", GUESTS));
    BOOST_TEST(Edited(line, GUESTS, {0, 0, 0xfedcba98, 0, COLO_EDIT_TSECR}) ==
               BuildFrame(". 1:4(3) ack 1 win 7 <nop,nop,ts 5 4275878552>", GUESTS));
    BOOST_TEST(Edited(line, GUESTS, {1, 1, 1, 1, 0}) == BuildFrame(line, GUESTS));
}

// Options at odd offsets straddle checksum words.
BOOST_DATA_TEST_CASE(edits_options_at_any_offset, data::make({"", "nop,", "nop,nop,"}), nops)
{
    const std::string options = std::string("<") + nops + "sack 5:6 7:8,ts ";
    Bytes frame = BuildFrame(". 1:4(3) ack 1 " + options + "1 2>", GUESTS);
    const uint8_t mask = COLO_EDIT_ACK | COLO_EDIT_SACK | COLO_EDIT_TSECR;
    BOOST_TEST(Edited(". 1:4(3) ack 1 " + options + "1 2>",
                      GUESTS,
                      {0, 0x89abcdef + 1, 0x7654321, 0, mask}) ==
               BuildFrame(". 1:4(3) ack 1 " + options + "1 124076833>",
                          {1000, 0x89abcdef, false, 4, 40000}));
}

// SACK blocks move by as much as the ack, across 2^32 too.
BOOST_AUTO_TEST_CASE(edits_sack_blocks_with_the_ack)
{
    const std::string line = ". 1:1(0) ack 1 <sack 101:201 301:401 501:601>";
    BOOST_TEST(Edited(line, CLIENTS, {0, 0xffffff01, 0, 0, COLO_EDIT_ACK | COLO_EDIT_SACK}) ==
               BuildFrame(line, {2000, 0xffffff00, true, 4, 40000}));
}

BOOST_AUTO_TEST_CASE(edits_ipv6)
{
    const std::string line = ". 1:4(3) ack 1 win 7";
    BOOST_TEST(Edited(line, GUESTS_IPV6, {77, 0, 0, 0, COLO_EDIT_SEQ}) ==
               BuildFrame(line, {76, 2000, false, 6, 40000}));
}

// Sums that end in 0 or in carries: the incremental one is the computed one, always.
BOOST_AUTO_TEST_CASE(edits_random_values)
{
    std::mt19937 random(2);
    for (uint32_t i = 0; i < 20000; i++)
    {
        uint32_t seq = i % 3 ? random() : 0xffffffffU * (random() % 2);
        uint32_t to = i % 2 ? random() : 0xffffffffU * (random() % 2);
        Bytes frame = Edited(". 0:2(2) ack 0",
                             {seq, seq, false, 4, 40000},
                             {to, to, 0, 0, COLO_EDIT_SEQ | COLO_EDIT_ACK});
        BOOST_REQUIRE(IsChecksumRight(frame));
    }
}

// A partial checksum covers the pseudo header only, and an absent one nothing: both stay.
BOOST_DATA_TEST_CASE(edits_leave_a_checksum_that_is_not_full,
                     data::make({COLO_CHECKSUM_PARTIAL, COLO_CHECKSUM_NONE}),
                     how)
{
    Packet packet = Parse(BuildFrame(". 1:4(3) ack 1", GUESTS));
    Bytes frame = packet.Frame();
    packet.core.edit = {77, 0, 0, 0, COLO_EDIT_SEQ};
    Bytes edited = frame;
    colo_edit_apply(&packet.core, edited.data(), how);
    BOOST_TEST(colo_get32(&edited[TCP + 4]) == 77U);
    BOOST_TEST(colo_get16(&edited[TCP + 16]) == colo_get16(&frame[TCP + 16]));
}

// Every reason has a name and a text of its own: they are keys in logs.
BOOST_AUTO_TEST_CASE(reasons_have_names)
{
    std::map<std::string, int> names;
    for (int reason = 0; reason < COLO_REASON_COUNT; reason++)
    {
        BOOST_TEST_CONTEXT(reason)
        {
            BOOST_REQUIRE(colo_reason_name(colo_reason(reason)));
            BOOST_REQUIRE(colo_reason_text(colo_reason(reason)));
            BOOST_TEST(++names[colo_reason_name(colo_reason(reason))] == 1);
        }
    }
    BOOST_TEST(colo_reason_name(COLO_REASON_COUNT) == std::string("none"));
}
