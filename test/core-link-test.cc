/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What belongs to no flow: the link's own protocols, and frames that cannot be parsed.
#define BOOST_TEST_MODULE core_link
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

const Numbering IPV4{};
const Numbering IPV6{0, 0, false, 6, 40000};

struct Named
{
    const char* name;
    Bytes frame;
};

std::ostream&
operator<<(std::ostream& stream, const Named& named)
{
    return stream << named.name;
}

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

Bytes
Link(uint16_t ethertype, const Bytes& bytes)
{
    Bytes frame(60);
    colo_put16(&frame[12], ethertype);
    return Patched(frame, 14, bytes);
}

Bytes
Icmpv6(int type)
{
    return BuildFrame("icmp type " + std::to_string(type) + " len 16", IPV6);
}

// What the primary answers for both, and a copy of the secondary's would only confuse.
const std::vector<Named> OF_THE_LINK = {
    {"ARP reply", Link(0x0806, {0, 1, 8, 0, 6, 4, 0, 2})},
    {"RARP", Link(0x8035, {0, 1, 8, 0, 6, 4, 0, 1})},
    {"LLDP", Link(0x88cc, {2, 7, 4})},
    {"802.3 length", Link(46, {0x42, 0x42, 3})},
    {"IGMP", BuildFrame("igmp len 8", IPV4)},
    {"MLD query", Icmpv6(130)},
    {"MLD report", Icmpv6(131)},
    {"MLD done", Icmpv6(132)},
    {"MLDv2 report", Icmpv6(143)},
    {"MLDv2 report behind a router alert", Extended(Icmpv6(143), 0, Bytes(8))},
    {"router solicitation", Icmpv6(133)},
    {"router advertisement", Icmpv6(134)},
    {"neighbour advertisement", Icmpv6(136)},
    {"redirect", Icmpv6(137)}};

std::vector<Named>
CannotBeParsed()
{
    Bytes tcp = BuildFrame(". 1:11(10) ack 1", IPV4);
    Bytes tcp6 = BuildFrame(". 1:11(10) ack 1", IPV6);
    Bytes udp = BuildFrame("udp data \"abcdef\"", IPV4);
    Bytes extended = Extended(tcp6, 60, Bytes(8));
    return {{"no ethertype", Truncated(tcp, 13)},
            {"tag cut", Truncated(Tagged(tcp, 5), 16)},
            {"IPv4 header cut", Truncated(tcp, 33)},
            {"IPv6 header cut", Truncated(tcp6, 53)},
            {"IPv4 length beyond the frame", Patched(tcp, 16, {1, 0})},
            {"IPv6 length beyond the frame", Patched(tcp6, 18, {1, 0})},
            {"IPv4 header length of 16", Patched(tcp, 14, {0x44})},
            {"IPv4 header length beyond the length", Patched(tcp, 16, {0, 19})},
            {"TCP header cut", Patched(tcp, 16, {0, 39})},
            {"TCP offset of 16", Patched(tcp, 46, {0x40})},
            {"TCP offset beyond the segment", Patched(tcp, 46, {0x80})},
            {"UDP header cut", Patched(udp, 16, {0, 27})},
            {"UDP length of 7", Patched(udp, 38, {0, 7})},
            {"UDP length beyond IP's", Patched(udp, 38, {0, 15})},
            {"ICMP header cut", Patched(BuildFrame("icmp type 8 len 4", IPV4), 16, {0, 27})},
            {"ICMPv6 header cut", Patched(Icmpv6(128), 18, {0, 7})},
            {"extension cut", Patched(extended, 18, {0, 7})},
            {"extension beyond the packet", Patched(extended, 55, {4})}};
}

struct HoldingCore : FlowCore
{
    HoldingCore()
    {
        m_node.config.malformed_hold = true;
    }
};

} // namespace

// The primary's passes unheld, the secondary's ends here, and nobody waits for either.
BOOST_DATA_TEST_CASE_F(FlowCore, l2_other_only_the_primarys_goes_out, OF_THE_LINK, sample)
{
    Input(COLO_SECONDARY, sample.frame);
    BOOST_TEST(Released() == "");
    BOOST_TEST(Dropped() != "");
    BOOST_TEST(Reason() == "swallowed");
    Input(COLO_PRIMARY, sample.frame);
    BOOST_TEST(Released() != "");
    BOOST_TEST(Reason() == "uncompared");
    BOOST_TEST(m_sent.back().frame == sample.frame);
    BOOST_TEST(m_node.held_count + m_node.extra_count == 0U);
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// In a VLAN, too.
BOOST_DATA_TEST_CASE_F(FlowCore, l2_other_in_a_vlan, OF_THE_LINK, sample)
{
    Input(COLO_SECONDARY, Tagged(sample.frame, 5));
    BOOST_TEST(Reason() == "swallowed");
    Input(COLO_PRIMARY, Tagged(sample.frame, 5));
    BOOST_TEST(Reason() == "uncompared");
}

// Not a flood of requests, but some heal a cache; each node has its own share.
BOOST_FIXTURE_TEST_CASE(l2_other_requests_of_the_secondary, FlowCore)
{
    Bytes arp = Link(0x0806, {0, 1, 8, 0, 6, 4, 0, 1});
    int out = 0;
    for (int i = 0; i < 100; i++)
    {
        Input(COLO_SECONDARY, i % 2 ? arp : Icmpv6(135));
        out += Released() != "";
        Wait(1);
    }
    BOOST_TEST(out == 10);
}

// An echo beside them is compared like any.
BOOST_DATA_TEST_CASE_F(FlowCore, l2_other_not_an_echo, data::make({128, 129, 1, 4, 127, 200}), type)
{
    Input(COLO_PRIMARY, Icmpv6(type));
    BOOST_TEST(Released() == "");
    BOOST_TEST(m_node.held_count == 1U);
}

// Uncompared, but counted on either side.
BOOST_DATA_TEST_CASE_F(FlowCore, malformed_passes_and_is_counted, CannotBeParsed(), sample)
{
    Input(COLO_PRIMARY, sample.frame);
    BOOST_TEST(Reason() == "malformed");
    BOOST_TEST(m_sent.back().frame == sample.frame);
    BOOST_TEST(m_node.stats.malformed_primary == 1U);
    BOOST_TEST(m_node.stats.malformed_secondary == 0U);
    Released();
    Input(COLO_SECONDARY, sample.frame);
    BOOST_TEST(Released() == "");
    BOOST_TEST(Reason() == "malformed-secondary");
    BOOST_TEST(m_node.stats.malformed_primary == 1U);
    BOOST_TEST(m_node.stats.malformed_secondary == 1U);
    BOOST_TEST(m_node.held_count + m_node.extra_count == 0U);
}

// Or compared as one lump of bytes, whatever they mean.
BOOST_DATA_TEST_CASE_F(HoldingCore, malformed_held_is_compared, CannotBeParsed(), sample)
{
    Bytes other = sample.frame;
    other[7] ^= 1;
    Input(COLO_PRIMARY, sample.frame);
    BOOST_TEST(m_node.held_count == 1U);
    Input(COLO_SECONDARY, other);
    BOOST_TEST(m_node.held_count == 1U);
    Input(COLO_SECONDARY, sample.frame);
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(Reason() == "compared");
    BOOST_TEST(m_sent.back().frame == sample.frame);
}

// Held, it is subject to the timeout and leaves with a checkpoint.
BOOST_FIXTURE_TEST_CASE(malformed_held_times_out, HoldingCore)
{
    for (const Named& sample : CannotBeParsed())
    {
        Input(COLO_PRIMARY, sample.frame);
    }
    size_t held = m_node.held_count;
    BOOST_TEST(held == CannotBeParsed().size());
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
    Checkpoint();
    BOOST_TEST(m_sent.size() == held);
}

// And counted all the same.
BOOST_FIXTURE_TEST_CASE(malformed_held_is_counted, HoldingCore)
{
    Bytes frame = CannotBeParsed().front().frame;
    Input(COLO_PRIMARY, frame);
    Input(COLO_SECONDARY, frame);
    Input(COLO_SECONDARY, frame);
    BOOST_TEST(m_node.stats.malformed_primary == 1U);
    BOOST_TEST(m_node.stats.malformed_secondary == 2U);
}

// What belongs to the link is not held by that policy.
BOOST_FIXTURE_TEST_CASE(malformed_held_is_not_the_links, HoldingCore)
{
    for (const Named& sample : OF_THE_LINK)
    {
        Input(COLO_PRIMARY, sample.frame);
    }
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(m_node.stats.malformed_primary == 0U);
}
