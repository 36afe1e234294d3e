/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Which flow a packet is of: VLAN tags, IPv6's extension headers, fragments, ports.
#define BOOST_TEST_MODULE core_key
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

const uint8_t HOP_BY_HOP = 0;
const uint8_t ROUTING = 43;
const uint8_t FRAGMENT = 44;
const uint8_t AUTHENTICATION = 51;
const uint8_t DESTINATION = 60;
const uint8_t MOBILITY = 135;

const uint16_t SERVICE = 0x88a8;

Packet
Parse(const Bytes& frame, colo_side side = COLO_PRIMARY, size_t headLength = SIZE_MAX)
{
    Packet packet(frame, headLength);
    colo_packet_parse(&packet.core, side, &packet.key);
    return packet;
}

bool
IsSameKey(const Bytes& a, const Bytes& b)
{
    Packet first = Parse(a);
    Packet second = Parse(b);
    return !memcmp(&first.key, &second.key, sizeof(first.key));
}

Bytes
Frame(int family = 4, bool inbound = false)
{
    return BuildFrame(". 1:5(4) ack 1", {1000, 2000, inbound, family, 40000});
}

// An extension of one kind, in bytes that are right for it.
Bytes
Extension(uint8_t kind, size_t units = 1)
{
    Bytes extension(kind == AUTHENTICATION ? 8 + 4 * units : 8 * units);
    extension[1] = kind == AUTHENTICATION ? uint8_t(units) : uint8_t(units - 1);
    return extension;
}

Bytes
Fragment(uint16_t offset, bool more, uint32_t id)
{
    Bytes extension(8);
    colo_put16(&extension[2], uint16_t(offset | (more ? 1 : 0)));
    colo_put32(&extension[4], id);
    return extension;
}

Bytes
FragmentOfIpv4(uint16_t field, uint16_t id)
{
    Bytes frame = Frame();
    colo_put16(&frame[18], id);
    colo_put16(&frame[20], field);
    return frame;
}

const auto EXTENSIONS =
    data::make({HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY});

// Both guests' frames are changed alike on the way.
struct ChangedFlow : FlowCore
{
    void Both(const std::string& line, const std::string& secondary = "")
    {
        Numbering guests{m_primaryIsn, m_clientIsn, false, m_family, m_port};
        Input(COLO_PRIMARY, change(BuildFrame(line, guests)));
        Input(COLO_SECONDARY, change(BuildFrame(secondary.empty() ? line : secondary, guests)));
    }

    void FromClient(const std::string& line)
    {
        Numbering client{m_clientIsn, m_primaryIsn, true, m_family, m_port};
        Input(COLO_INBOUND, change(BuildFrame(line, client)));
    }

    void LiveAndDiverge()
    {
        FromClient("S 0:0(0) <mss 1460>");
        Both("S. 0:0(0) ack 1 <mss 1460>");
        BOOST_TEST(Released() == "S 0:0");
        FromClient(". 1:501(500) ack 1");
        Both(". 1:101(100) ack 501");
        BOOST_TEST(Released() == "1:101");
        Both(". 101:104(3) ack 501 data \"abc\"", ". 101:104(3) ack 501 data \"abx\"");
        BOOST_TEST(Released() == "");
        BOOST_TEST(Mismatch() == "bytes at 103: 'c' not 'x'");
    }

    std::function<Bytes(Bytes)> change = [](Bytes frame) { return frame; };
};

} // namespace

// Compared as IPv4 is, not let go uncompared.
BOOST_FIXTURE_TEST_CASE(case_ipv6, ChangedFlow)
{
    m_family = 6;
    LiveAndDiverge();
}

BOOST_DATA_TEST_CASE_F(ChangedFlow, case_vlan, data::make({4, 6}), family)
{
    m_family = family;
    change = [](Bytes frame) { return Tagged(frame, 5); };
    LiveAndDiverge();
}

BOOST_DATA_TEST_CASE_F(ChangedFlow, flow_key_two_tags, data::make({4, 6}), family)
{
    m_family = family;
    change = [](Bytes frame) { return Tagged(Tagged(frame, 5), 100, SERVICE); };
    LiveAndDiverge();
}

BOOST_DATA_TEST_CASE_F(ChangedFlow, flow_key_behind_an_extension, EXTENSIONS, kind)
{
    m_family = 6;
    change = [kind](Bytes frame) { return Extended(frame, kind, Extension(kind)); };
    LiveAndDiverge();
}

// The same addresses in two VLANs are two connections.
BOOST_FIXTURE_TEST_CASE(flow_key_same_addresses_in_two_vlans, ChangedFlow)
{
    Bytes first = BuildFrame("udp data \"first\"", {});
    Bytes second = BuildFrame("udp data \"second\"", {});
    Input(COLO_PRIMARY, Tagged(first, 1));
    Input(COLO_PRIMARY, Tagged(second, 2));
    Input(COLO_SECONDARY, Tagged(first, 2));
    BOOST_TEST(Released() == "");
    Input(COLO_SECONDARY, Tagged(second, 2));
    BOOST_TEST(Released() == "'second'");
}

// Of either tag the number counts, priority and drop eligibility do not, nor which of both kinds.
BOOST_AUTO_TEST_CASE(flow_key_vlan_numbers)
{
    Bytes tagged = Tagged(Frame(), 5);
    BOOST_TEST(Parse(tagged).key.vlan == 5);
    BOOST_TEST(Parse(tagged).key.inner_vlan == 0);
    BOOST_TEST(!IsSameKey(tagged, Frame()));
    BOOST_TEST(!IsSameKey(tagged, Tagged(Frame(), 6)));
    BOOST_TEST(!IsSameKey(tagged, Tagged(Frame(), 0x0105)));
    BOOST_TEST(IsSameKey(tagged, Tagged(Frame(), 0xf005)));
    BOOST_TEST(IsSameKey(tagged, Tagged(Frame(), 5, SERVICE)));

    Packet both = Parse(Tagged(Tagged(Frame(), 5), 7, SERVICE));
    BOOST_TEST(both.core.kind == COLO_KIND_TCP);
    BOOST_TEST(both.key.vlan == 7);
    BOOST_TEST(both.key.inner_vlan == 5);
    BOOST_TEST(!IsSameKey(Tagged(Tagged(Frame(), 5), 7), Tagged(Tagged(Frame(), 7), 5)));
}

// A tag of number 0 tells a priority and no VLAN.
BOOST_AUTO_TEST_CASE(flow_key_priority_tag_is_none)
{
    BOOST_TEST(IsSameKey(Frame(), Tagged(Frame(), 0xe000)));
    BOOST_TEST(IsSameKey(Frame(6), Tagged(Frame(6), 0)));
}

// Nobody nests three, and what is not read is not compared as something else.
BOOST_AUTO_TEST_CASE(flow_key_three_tags_are_of_the_link)
{
    Bytes frame = Tagged(Tagged(Tagged(Frame(), 1), 2), 3);
    BOOST_TEST(Parse(frame).core.kind == COLO_KIND_L2);
}

// An address request is one in a VLAN, too.
BOOST_AUTO_TEST_CASE(flow_key_arp_in_a_vlan)
{
    Bytes request(42);
    const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    std::copy(std::begin(arp), std::end(arp), request.begin() + 12);
    BOOST_TEST(Parse(Tagged(request, 5)).core.kind == COLO_KIND_NEIGHBOUR);
}

// A tag that the frame ends in is none (malformed).
BOOST_AUTO_TEST_CASE(malformed_tags)
{
    Bytes frame = Tagged(Tagged(Frame(), 1), 2);
    for (size_t length = 12; length < 22; length++)
    {
        Bytes cut(frame.begin(), frame.begin() + long(length));
        BOOST_TEST(Parse(cut).core.kind == COLO_KIND_MALFORMED);
    }
}

// How an IPv6 packet travels does not make it another flow, and what is behind is read.
BOOST_DATA_TEST_CASE(flow_key_ignores_extensions, EXTENSIONS* data::make({1, 2, 5}), kind, units)
{
    size_t count = kind == FRAGMENT ? 1 : size_t(units);
    Bytes extension = Extension(kind, count);
    Packet packet = Parse(Extended(Frame(6), kind, extension));
    BOOST_TEST(packet.core.kind == COLO_KIND_TCP);
    BOOST_TEST(packet.core.l4_offset == 54 + extension.size());
    BOOST_TEST(packet.core.payload_len == 4U);
    BOOST_TEST(packet.core.seq == 1001U);
    BOOST_TEST(IsSameKey(Frame(6), Extended(Frame(6), kind, extension)));
}

BOOST_AUTO_TEST_CASE(flow_key_chain_of_extensions)
{
    Bytes frame = Frame(6);
    for (uint8_t kind : {DESTINATION, AUTHENTICATION, FRAGMENT, ROUTING, DESTINATION, HOP_BY_HOP})
    {
        frame = Extended(frame, kind, Extension(kind));
    }
    BOOST_TEST(Parse(frame).core.kind == COLO_KIND_TCP);
    BOOST_TEST(IsSameKey(Frame(6), frame));
}

// A fragment that is the whole packet (RFC 6946), whatever its identification.
BOOST_AUTO_TEST_CASE(flow_key_atomic_fragment)
{
    Bytes atomic = Extended(Frame(6), FRAGMENT, Fragment(0, false, 0xabcdef));
    BOOST_TEST(Parse(atomic).core.kind == COLO_KIND_TCP);
    BOOST_TEST(IsSameKey(Frame(6), atomic));
}

// An extension that does not fit into the packet, or into the head (malformed).
BOOST_DATA_TEST_CASE(malformed_extensions, EXTENSIONS, kind)
{
    Bytes extension = Extension(kind, kind == FRAGMENT ? 1 : 2);
    Bytes frame = Extended(Frame(6), kind, extension);
    for (size_t length = 0; length < extension.size(); length++)
    {
        Bytes shorter = frame;
        shorter[19] = uint8_t(length);
        BOOST_TEST(Parse(shorter).core.kind == COLO_KIND_MALFORMED);
        shorter.resize(54 + length);
        BOOST_TEST(Parse(shorter).core.kind == COLO_KIND_MALFORMED);
        BOOST_TEST(Parse(frame, COLO_PRIMARY, 54 + length).core.kind == COLO_KIND_MALFORMED);
    }
    frame[55] = 255;
    BOOST_TEST((kind == FRAGMENT || Parse(frame).core.kind == COLO_KIND_MALFORMED));
}

// An endless chain ends with the packet (bounded).
BOOST_AUTO_TEST_CASE(bounded_chain_of_extensions)
{
    Bytes frame = Frame(6);
    for (int i = 0; i < 8000; i++)
    {
        frame = Extended(frame, DESTINATION, Extension(DESTINATION));
    }
    BOOST_TEST(Parse(frame).core.kind == COLO_KIND_MALFORMED);
}

// What the room needs to put them together; the ports are in the first one only, so in none.
BOOST_AUTO_TEST_CASE(flow_key_fragments_of_ipv4)
{
    Packet first = Parse(FragmentOfIpv4(0x2000, 77));
    BOOST_TEST(first.core.kind == COLO_KIND_FRAGMENT);
    BOOST_TEST(first.core.fragment_id == 77U);
    BOOST_TEST(first.core.fragment_offset == 0);
    BOOST_TEST(first.core.fragment_more);
    BOOST_TEST(first.core.payload_offset == 34);
    BOOST_TEST(first.core.payload_len == 24U);

    Packet last = Parse(FragmentOfIpv4(0x0123, 77));
    BOOST_TEST(last.core.kind == COLO_KIND_FRAGMENT);
    BOOST_TEST(last.core.fragment_offset == 0x123 * 8);
    BOOST_TEST(!last.core.fragment_more);
    BOOST_TEST(!memcmp(&first.key, &last.key, sizeof(first.key)));
    BOOST_TEST(first.key.protocol == COLO_PROTOCOL_TCP);
    BOOST_TEST(first.key.guest_port == 0);
    BOOST_TEST(first.key.peer_port == 0);
    BOOST_TEST(Parse(FragmentOfIpv4(0x4000, 77)).core.kind == COLO_KIND_TCP);
}

BOOST_AUTO_TEST_CASE(flow_key_fragments_of_ipv6)
{
    Packet first = Parse(Extended(Frame(6), FRAGMENT, Fragment(0, true, 0x12345678)));
    BOOST_TEST(first.core.kind == COLO_KIND_FRAGMENT);
    BOOST_TEST(first.core.fragment_id == 0x12345678U);
    BOOST_TEST(first.core.fragment_offset == 0);
    BOOST_TEST(first.core.fragment_more);
    BOOST_TEST(first.core.payload_offset == 62);
    BOOST_TEST(first.core.payload_len == 24U);

    Bytes behind = Extended(Frame(6), FRAGMENT, Fragment(1448, false, 0x12345678));
    Packet last = Parse(Extended(behind, HOP_BY_HOP, Extension(HOP_BY_HOP)));
    BOOST_TEST(last.core.kind == COLO_KIND_FRAGMENT);
    BOOST_TEST(last.core.fragment_offset == 1448);
    BOOST_TEST(!last.core.fragment_more);
    BOOST_TEST(!memcmp(&first.key, &last.key, sizeof(first.key)));
    BOOST_TEST(first.key.protocol == COLO_PROTOCOL_TCP);
    BOOST_TEST(first.key.guest_port == 0);
}

// Both directions are one flow, whatever is in it: the guest's ports or identifier.
BOOST_DATA_TEST_CASE(flow_key_of_both_directions,
                     data::make({4, 6}) * data::make({"udp data \"a\"", "sctp data \"a\""}),
                     family,
                     line)
{
    Packet sent = Parse(BuildFrame(line, {0, 0, false, family, 40000}));
    Packet received = Parse(BuildFrame(line, {0, 0, true, family, 40000}), COLO_INBOUND);
    BOOST_TEST(!memcmp(&sent.key, &received.key, sizeof(sent.key)));
    BOOST_TEST(sent.key.guest_port == 80);
    BOOST_TEST(sent.key.peer_port == 40000);
}

// The protocols of one pair of addresses and ports are apart.
BOOST_AUTO_TEST_CASE(flow_key_protocols_are_apart)
{
    BOOST_TEST(!IsSameKey(BuildFrame("udp data \"a\"", {}), BuildFrame("sctp data \"a\"", {})));
    BOOST_TEST(!IsSameKey(BuildFrame("udp data \"a\"", {}), BuildFrame(". 0:0(0)", {})));
    BOOST_TEST(!IsSameKey(BuildFrame("gre data \"a\"", {}),
                          BuildFrame("gre data \"a\"", {0, 0, false, 6, 40000})));
}
