/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The secondary behind and ahead: what it missed of the client, and what only it sent.
#define BOOST_TEST_MODULE core_remirror
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

// What is said again, as the client would have said it.
struct RemirroredFlow : EstablishedFlow
{
    // The last frame that was built, as text; its place is checked besides.
    std::string Remirrored()
    {
        if (m_remirrored.empty())
        {
            return "";
        }
        Bytes frame = m_remirrored.back();
        m_remirrored.pop_back();
        BOOST_TEST(m_remirrored.empty());
        BOOST_TEST(IsChecksumRight(frame));
        Packet packet(frame, SIZE_MAX);
        const colo_packet& core = packet.core;
        BOOST_TEST(colo_packet_parse(&packet.core, COLO_INBOUND, &packet.key) == COLO_KIND_TCP);
        BOOST_TEST(!memcmp(&packet.key, &m_key, sizeof(m_key)));
        BOOST_TEST(Bytes(frame.begin(), frame.begin() + 6) == Bytes({2, 0, 0, 0, 0, 2}));
        BOOST_TEST(Bytes(frame.begin() + 6, frame.begin() + 12) == Bytes({2, 0, 0, 0, 0, 1}));
        BOOST_TEST(core.tcp_flags == COLO_TCP_ACK);
        BOOST_TEST(core.payload_len == 0U);
        BOOST_TEST(core.payload_offset == frame.size());
        std::string text = std::to_string(core.seq - m_clientIsn) + " ack " +
                           std::to_string(core.ack - m_primaryIsn) + " win " +
                           std::to_string(core.window);
        if (core.options & COLO_OPT_TIMESTAMPS)
        {
            text += " ts " + std::to_string(core.tsval) + " " +
                    std::to_string(colo_packet_tsecr(&core));
        }
        return text;
    }

    // A frame of the secondary, in the primary's numbering, whose connection is the expected one.
    void Repeat(const Bytes& frame)
    {
        Packet packet(frame, SIZE_MAX);
        colo_packet_parse(&packet.core, COLO_SECONDARY, &packet.key);
        m_key = packet.key;
        Input(COLO_SECONDARY, frame);
    }

    void Repeat(const std::string& line)
    {
        Repeat(AsGuest(line));
    }

    Bytes AsGuest(const std::string& line) const
    {
        return BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port});
    }

    Bytes AsClient(const std::string& line) const
    {
        return BuildFrame(line, {m_clientIsn, m_primaryIsn, true, m_family, m_port});
    }

    colo_key m_key{};
};

// All of a connection in frames that were changed on the way.
struct ChangedFlow : RemirroredFlow
{
    void Live(Bytes (*change)(Bytes))
    {
        Input(COLO_INBOUND, change(AsClient("S 0:0(0)")));
        Input(COLO_PRIMARY, change(AsGuest("S. 0:0(0) ack 1")));
        Input(COLO_SECONDARY, change(AsGuest("S. 0:0(0) ack 1")));
        Input(COLO_INBOUND, change(AsClient(". 1:1(0) ack 1")));
        BOOST_TEST(Released() == "S 0:0");
        Repeat(change(AsGuest("S. 0:0(0) ack 1")));
    }
};

uint16_t
IpSum(const Bytes& frame)
{
    uint32_t sum = 0;
    for (size_t at = 14; at < 34; at += 2)
    {
        sum += colo_get16(&frame[at]);
    }
    return uint16_t((sum & 0xffff) + (sum >> 16));
}

} // namespace

// Lost on sec_dev: the secondary repeats its SYN-ACK and is answered by what the client said.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_third_ack_lost, RemirroredFlow)
{
    Client(". 1:1(0) ack 1 win 777");
    Repeat("S. 0:0(0) ack 1");
    BOOST_TEST(Remirrored() == "1 ack 1 win 777");
    BOOST_TEST(Dropped() == "S 0:0");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// The client has not acknowledged the SYN-ACK: there is nothing to be said again.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_not_before_the_client_answered, RemirroredFlow)
{
    m_port++;
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Repeat("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "S 0:0");
    Repeat("S. 0:0(0) ack 1");
    BOOST_TEST(Remirrored() == "");
    Client(". 1:1(0) ack 1");
    Repeat("S. 0:0(0) ack 1");
    BOOST_TEST(Remirrored() == "1 ack 1 win 1000");
}

// Behind both FINs the client says no more, and the secondary would repeat its own for minutes.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_last_ack_lost, RemirroredFlow)
{
    Client("F. 1:1(0) ack 1");
    Primary("F. 1:1(0) ack 2");
    Secondary("F. 1:1(0) ack 2");
    BOOST_TEST(Released() == "F 1:1");
    Client(". 2:2(0) ack 2 win 9");
    Repeat("F. 1:1(0) ack 2");
    BOOST_TEST(Remirrored() == "2 ack 2 win 9");
}

// The ack of data, too; of the client's acks the highest counts, with its window.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_ack_of_data_lost, RemirroredFlow)
{
    Primary(". 1:201(200) ack 501");
    Secondary(". 1:201(200) ack 501");
    Client(". 501:501(0) ack 201 win 333");
    Client(". 501:501(0) ack 101 win 444");
    Repeat(". 1:101(100) ack 501");
    BOOST_TEST(Remirrored() == "501 ack 201 win 333");
}

// Where the client's next byte belongs is for the secondary to say, which may lack some of them.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_secondary_lacks_data_of_the_client, RemirroredFlow)
{
    Primary(". 1:101(100) ack 501");
    Secondary(". 1:101(100) ack 501");
    Client(". 501:901(400) ack 101");
    Repeat(". 1:101(100) ack 501");
    BOOST_TEST(Remirrored() == "501 ack 101 win 1000");
}

// Only a repetition of what the client has: not new data, an ack, a reset, what was lost itself.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_only_what_the_client_has, RemirroredFlow)
{
    Primary(". 1:201(200) ack 1");
    Repeat(". 1:201(200) ack 1");
    BOOST_TEST(Remirrored() == "");
    Client(". 1:1(0) ack 101");
    for (const char* line : {". 201:301(100) ack 1",
                             ". 201:201(0) ack 1",
                             ". 101:201(100) ack 1",
                             ". 1:201(200) ack 1",
                             "R. 1:1(0) ack 1"})
    {
        Repeat(line);
        BOOST_TEST(Remirrored() == "", line);
    }
    Repeat(". 1:101(100) ack 1");
    BOOST_TEST(Remirrored() == "1 ack 101 win 1000");
}

// The stamp is one that the secondary has accepted before, the echo its own latest.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_stamps, RemirroredFlow)
{
    Primary(". 1:101(100) ack 1 <nop,nop,ts 40 77>");
    Secondary(". 1:101(100) ack 1 <nop,nop,ts 40 77>");
    Client(". 1:1(0) ack 101 <nop,nop,ts 78 40>");
    Repeat(". 1:101(100) ack 1 <ts 4000000000 77>");
    BOOST_TEST(Remirrored() == "1 ack 101 win 1000 ts 77 4000000000");
}

BOOST_FIXTURE_TEST_CASE(tcp_remirror_header_of_ipv4, RemirroredFlow)
{
    Repeat("S. 0:0(0) ack 1 id 7 ttl 3 tos 9 pad 6");
    BOOST_REQUIRE(m_remirrored.size() == 1U);
    Bytes frame = m_remirrored.back();
    BOOST_TEST(frame.size() == 54U);
    BOOST_TEST(frame[14] == 0x45);
    BOOST_TEST(frame[15] == 0);
    BOOST_TEST(frame[17] == 40);
    BOOST_TEST(frame[22] == 64);
    BOOST_TEST(IpSum(frame) == 0xffff);
    BOOST_TEST(Remirrored() == "1 ack 1 win 1000");
}

BOOST_FIXTURE_TEST_CASE(tcp_remirror_ipv6, ChangedFlow)
{
    m_family = 6;
    Live([](Bytes frame) { return frame; });
    BOOST_REQUIRE(m_remirrored.size() == 1U);
    BOOST_TEST(m_remirrored.back().size() == 74U);
    BOOST_TEST(m_remirrored.back()[21] == 64);
    BOOST_TEST(Remirrored() == "1 ack 1 win 1000");
}

// How the secondary's packet travels is no matter of the client's.
BOOST_FIXTURE_TEST_CASE(tcp_remirror_without_extension_headers, ChangedFlow)
{
    m_family = 6;
    Live([](Bytes frame) { return Extended(frame, 60, Bytes(8)); });
    BOOST_REQUIRE(m_remirrored.size() == 1U);
    BOOST_TEST(m_remirrored.back().size() == 74U);
    BOOST_TEST(Remirrored() == "1 ack 1 win 1000");
}

// In the VLANs in which the connection is.
BOOST_DATA_TEST_CASE_F(ChangedFlow, tcp_remirror_in_its_vlan, data::make({4, 6}), family)
{
    m_family = family;
    Live([](Bytes frame) { return Tagged(Tagged(frame, 0x2005), 7, 0x88a8); });
    BOOST_REQUIRE(m_remirrored.size() == 1U);
    Bytes tags(m_remirrored.back().begin() + 12, m_remirrored.back().begin() + 20);
    BOOST_TEST(tags == Bytes({0x88, 0xa8, 0, 7, 0x81, 0, 0x20, 5}));
    BOOST_TEST(Remirrored() == "1 ack 1 win 1000");
}

// Nothing unsafe has left, but the secondary has gone its own way (secondary-extra).
BOOST_DATA_TEST_CASE_F(EstablishedFlow,
                       secondary_extra_after_the_timeout,
                       data::make({". 1:101(100) ack 1", "F. 1:1(0) ack 1", "F. 1:2(1) ack 1"}),
                       line)
{
    Secondary(line);
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "secondary-extra at 1");
    BOOST_TEST(Actions() == "pause request");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
    Checkpoint();
    BOOST_TEST(Released() == "");
    BOOST_TEST(m_node.extra_count == 0U);
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// Only the secondary opens a connection.
BOOST_FIXTURE_TEST_CASE(secondary_extra_syn, FlowCore)
{
    Secondary("S 0:0(0)");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at 0");
}

// On a tuple that was used before its number is of no stream yet, wherever the old one was.
BOOST_DATA_TEST_CASE_F(EstablishedFlow,
                       secondary_extra_syn_on_a_known_tuple,
                       data::make({-700000, -1, 0x7fffffff, 700000}),
                       isn)
{
    m_secondaryIsn = m_primaryIsn + uint32_t(isn);
    Secondary("S 0:0(0)");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at " + std::to_string(isn));
}

// Or it closes where the primary goes on.
BOOST_FIXTURE_TEST_CASE(secondary_extra_fin_behind_equal_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary("F. 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at 101");
}

// The position is the first that only the secondary sent.
BOOST_FIXTURE_TEST_CASE(secondary_extra_behind_equal_data, EstablishedFlow)
{
    Primary(". 1:51(50) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:51");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at 51");
}

// Also behind a gap of its own.
BOOST_FIXTURE_TEST_CASE(secondary_extra_behind_a_gap, EstablishedFlow)
{
    Secondary(". 101:201(100) ack 1");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at 101");
}

// Before the connection was adopted, where the client has not acknowledged it.
BOOST_FIXTURE_TEST_CASE(secondary_extra_before_adoption, FlowCore)
{
    Client(". 1:1(0) ack 5100");
    Secondary(". 5100:5200(100) ack 1");
    Wait(3000);
    BOOST_TEST(Mismatch() == "secondary-extra at 5100");
}

// Repeated from before protection began, the client has had it from the primary.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_what_the_client_has, FlowCore)
{
    Client(". 1:1(0) ack 5100");
    Secondary(". 5000:5100(100) ack 1");
    Wait(100000);
    BOOST_TEST(Mismatch() == "");
}

// The primary sent it as well: what the secondary lacks before it is the primary's timeout.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_what_the_primary_sent, EstablishedFlow)
{
    Secondary(". 101:201(100) ack 1");
    Wait(1000);
    Primary(". 1:201(200) ack 1");
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 1");
}

// Also behind a gap of its own.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_what_the_primary_sent_behind_a_gap, EstablishedFlow)
{
    Secondary(". 101:201(100) ack 1");
    Wait(1000);
    Primary(". 101:201(100) ack 1");
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 1");
}

// What only repeats is none of it.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_a_repetition, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Secondary(". 101:101(0) ack 901");
    Wait(100000);
    BOOST_TEST(Mismatch() == "");
}

// A reset is nobody's byte: it ends its wait, and what the primary goes on to send misses it.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_a_reset, EstablishedFlow)
{
    Secondary("R 1:1(0)");
    Wait(3000);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Dropped() == "R 1:1");
    BOOST_TEST(Reason() == "expired");
    Primary(". 1:101(100) ack 1");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 1");
}

// The client has ended the connection, and the secondary's packets with it.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_after_the_clients_reset, EstablishedFlow)
{
    Secondary(". 1:101(100) ack 1");
    Client("R 1:1(0)");
    Wait(100000);
    BOOST_TEST(Mismatch() == "");
}

// While a checkpoint is pending nothing is added to it: it takes the extra along.
BOOST_FIXTURE_TEST_CASE(secondary_extra_not_while_a_checkpoint_is_pending, EstablishedFlow)
{
    Secondary(". 1:101(100) ack 1");
    Event(COLO_EVENT_REQUEST);
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(m_node.stats.coalesced == 0U);
}
