/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// GSO frames cut into segments (rule tcp-gso), judged by an own reading of the frames.
#define BOOST_TEST_MODULE model_segment
#include "colo-segment.h"
#include "core-frame.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace ns3;
using colo_test::BuildFrame;
using colo_test::Bytes;
using colo_test::IsChecksumRight;
using colo_test::Numbering;

namespace
{

constexpr uint32_t SEQ = 0xfffffe00; // a segment crosses 2^32
constexpr uint16_t GSO_SIZE = 100;
constexpr uint8_t PSH = 0x08;
constexpr uint8_t CWR = 0x80;

/** A packet over bytes of its own. */
struct Parsed
{
    explicit Parsed(Bytes frame)
        : bytes(std::move(frame))
    {
        packet.head = bytes.data();
        packet.head_len = bytes.size();
        packet.frame_len = bytes.size();
        packet.gso_size = GSO_SIZE;
        colo_packet_parse(&packet, COLO_PRIMARY, &key);
        BOOST_TEST_REQUIRE(packet.kind == COLO_KIND_TCP);
    }

    Bytes Payload() const
    {
        auto begin = bytes.begin() + packet.payload_offset;
        return Bytes(begin, begin + packet.payload_len);
    }

    uint16_t Id() const
    {
        return colo_get16(bytes.data() + packet.l3_offset + 4);
    }

    bool IsIpv4ChecksumRight() const
    {
        uint32_t sum = 0;
        for (uint32_t at = packet.l3_offset; at < packet.l4_offset; at += 2)
        {
            sum += colo_get16(bytes.data() + at);
        }
        return (sum & 0xffff) + (sum >> 16) == 0xffff;
    }

    Bytes bytes;
    colo_packet packet{};
    colo_key key;
};

Parsed
Gso(int family, const std::string& line = "FPC. 0:450(450) ack 1 id 65534 <nop,nop,ts 5 6>")
{
    Numbering numbering;
    numbering.seq = SEQ;
    numbering.family = family;
    Parsed gso(BuildFrame(line, numbering));
    gso.bytes[gso.packet.l4_offset + 16] ^= 0x55; // hardware was to compute it
    return gso;
}

void
CheckCommon(const Parsed& gso, const Parsed& segment, int family)
{
    BOOST_TEST(IsChecksumRight(segment.bytes));
    BOOST_TEST((family == 6 || segment.IsIpv4ChecksumRight()));
    BOOST_TEST(segment.packet.frame_len ==
               segment.packet.payload_offset + segment.packet.payload_len);
    BOOST_TEST(segment.packet.payload_offset == gso.packet.payload_offset);
    BOOST_TEST(segment.packet.ack == gso.packet.ack);
    BOOST_TEST(segment.packet.tsval == gso.packet.tsval);
}

const auto families = boost::unit_test::data::make({4, 6});

} // namespace

BOOST_DATA_TEST_CASE(tcp_gso_segments_are_as_a_stack_would_cut_them, families, family)
{
    const Parsed gso = Gso(family);
    const auto segments = ColoSegments(gso.packet, 0, 450);
    BOOST_TEST_REQUIRE(segments.size() == 5);
    Bytes stream;
    for (std::size_t i = 0; i < segments.size(); i++)
    {
        const Parsed segment(segments[i]);
        CheckCommon(gso, segment, family);
        const bool isLast = i == 4;
        const uint8_t flags = segment.packet.tcp_flags;
        BOOST_TEST(segment.packet.seq == uint32_t(SEQ + 100 * i));
        BOOST_TEST(segment.packet.payload_len == (isLast ? 50 : 100));
        BOOST_TEST(bool(flags & COLO_TCP_FIN) == isLast);
        BOOST_TEST(bool(flags & PSH) == isLast);
        BOOST_TEST(bool(flags & CWR) == (i == 0));
        BOOST_TEST(bool(flags & COLO_TCP_ACK));
        BOOST_TEST((family == 6 || segment.Id() == uint16_t(65534 + i)));
        const Bytes payload = segment.Payload();
        stream.insert(stream.end(), payload.begin(), payload.end());
    }
    BOOST_TEST(stream == gso.Payload());
}

BOOST_DATA_TEST_CASE(tcp_gso_parts_make_the_whole, families, family)
{
    const Parsed gso = Gso(family);
    const auto whole = ColoSegments(gso.packet, 0, 450);
    auto parts = ColoSegments(gso.packet, 0, 100);
    for (auto [from, to] : {std::pair{100, 400}, std::pair{400, 450}})
    {
        for (auto& segment : ColoSegments(gso.packet, from, to))
        {
            parts.push_back(segment);
        }
    }
    BOOST_TEST((parts == whole));
    BOOST_TEST(ColoSegments(gso.packet, 100, 100).empty());
}

BOOST_DATA_TEST_CASE(tcp_gso_segments_carry_the_edits, families, family)
{
    Parsed gso = Gso(family);
    gso.packet.edit.ack = 4711;
    gso.packet.edit.window = 17;
    gso.packet.edit.timestamp = 99;
    gso.packet.edit.mask = COLO_EDIT_ACK | COLO_EDIT_WINDOW | COLO_EDIT_TSVAL;
    for (const auto& bytes : ColoSegments(gso.packet, 100, 300))
    {
        const Parsed segment(bytes);
        BOOST_TEST(IsChecksumRight(bytes));
        BOOST_TEST(segment.packet.ack == 4711U);
        BOOST_TEST(segment.packet.window == 17);
        BOOST_TEST(segment.packet.tsval == 99U);
    }
}

BOOST_DATA_TEST_CASE(tcp_gso_rest_is_what_has_not_left, families, family)
{
    Parsed gso = Gso(family);
    const Bytes payload = gso.Payload();
    gso.packet.left = 200;
    ColoCutToRest(gso.packet, gso.bytes.data());
    BOOST_TEST(gso.packet.left == 0U);
    const Parsed rest(Bytes(gso.bytes.begin(), gso.bytes.begin() + gso.packet.frame_len));
    CheckCommon(gso, rest, family);
    BOOST_TEST(rest.packet.seq == uint32_t(SEQ + 200));
    BOOST_TEST(rest.packet.seq == gso.packet.seq);
    BOOST_TEST((rest.Payload() == Bytes(payload.begin() + 200, payload.end())));
    BOOST_TEST((rest.packet.tcp_flags & (COLO_TCP_FIN | PSH)) == (COLO_TCP_FIN | PSH));
    BOOST_TEST(!(rest.packet.tcp_flags & CWR));
    BOOST_TEST((family == 6 || rest.Id() == 0));
}

// Bytes behind the IP length are no payload, and nobody's rest.
BOOST_AUTO_TEST_CASE(tcp_gso_padding_does_not_leave)
{
    Parsed gso = Gso(4, "P. 0:450(450) ack 1 pad 9");
    gso.packet.left = 400;
    ColoCutToRest(gso.packet, gso.bytes.data());
    BOOST_TEST(gso.packet.frame_len == 14U + 20 + 20 + 50);
}

BOOST_AUTO_TEST_CASE(tcp_gso_without_rest_only_completes_the_checksum)
{
    Parsed gso = Gso(4);
    const std::size_t size = gso.bytes.size();
    ColoCutToRest(gso.packet, gso.bytes.data());
    BOOST_TEST(gso.packet.frame_len == size);
    BOOST_TEST(IsChecksumRight(gso.bytes));
    BOOST_TEST(bool(gso.bytes[gso.packet.l4_offset + 13] & CWR));
}
