/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// How a connection begins, ends, and begins again: SYN, FIN, RST, generations.
#define BOOST_TEST_MODULE core_stream_life
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

const char* const OPTIONS = "<mss 1460,sackOK,ts 100 50,nop,wscale 7>";

struct TwoIsns : FlowCore
{
    TwoIsns()
    {
        m_secondaryIsn = 3000000;
    }

    // As a client that uses the port again.
    void NewNumbers(uint32_t primary, uint32_t secondary, uint32_t client)
    {
        m_primaryIsn = primary;
        m_secondaryIsn = secondary;
        m_clientIsn = client;
    }
};

} // namespace

// Held for the secondary's; the guests' ISNs may differ (tcp-syn).
BOOST_FIXTURE_TEST_CASE(tcp_syn_waits_for_the_secondarys, TwoIsns)
{
    Primary(std::string("S 0:0(0) ") + OPTIONS);
    BOOST_TEST(Released() == "");
    Secondary(std::string("S 0:0(0) ") + OPTIONS);
    BOOST_TEST(Released() == "S 0:0");
    BOOST_TEST(Mismatch() == "");
}

// The answer to the client's SYN likewise, also when the secondary is first.
BOOST_FIXTURE_TEST_CASE(tcp_syn_ack_secondary_first, TwoIsns)
{
    Client(std::string("S 0:0(0) ") + OPTIONS);
    Secondary(std::string("S. 0:0(0) ack 1 ") + OPTIONS);
    BOOST_TEST(Released() == "");
    Primary(std::string("S. 0:0(0) ack 1 ") + OPTIONS);
    BOOST_TEST(Released() == "S 0:0");
}

// A SYN is a unit of the stream: data behind it is at its place on both sides.
BOOST_FIXTURE_TEST_CASE(tcp_syn_takes_one_position, TwoIsns)
{
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
}

// A SYN on one side only waits, and asks for a checkpoint in the end.
BOOST_FIXTURE_TEST_CASE(tcp_syn_on_one_side_only, TwoIsns)
{
    Primary("S 0:0(0)");
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
    BOOST_TEST(Released() == "");
}

// Repeated SYNs, of one guest or of both, are repetitions like any.
BOOST_FIXTURE_TEST_CASE(tcp_syn_repeated, TwoIsns)
{
    Primary("S 0:0(0)");
    Primary("S 0:0(0)");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "S 0:0, S 0:0");
    Secondary("S 0:0(0)");
    Primary("S 0:0(0)");
    BOOST_TEST(Released() == "S 0:0");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// The secondary's embryonic socket was renewed with another ISN: the same client's SYN is
// answered, so it is the same connection.
BOOST_FIXTURE_TEST_CASE(tcp_syn_secondary_answers_again_with_another_isn, TwoIsns)
{
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    m_secondaryIsn += 5000;
    Secondary("S. 0:0(0) ack 1");
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "S 0:0, 1:101");
}

// Data in a SYN is compared like any.
BOOST_FIXTURE_TEST_CASE(tcp_syn_with_data, TwoIsns)
{
    Primary("S 0:4(4) data \"abcd\"");
    Secondary("S 0:4(4) data \"abce\"");
    BOOST_TEST(Mismatch() == "bytes at 4: 'd' not 'e'");
}

namespace
{

const std::vector<std::string> OTHER_OPTIONS = {"<mss 1400,sackOK,ts 100 50,nop,wscale 7>",
                                                "<sackOK,ts 100 50,nop,wscale 7>",
                                                "<mss 1460,ts 100 50,nop,wscale 7>",
                                                "<mss 1460,sackOK,nop,wscale 7>",
                                                "<mss 1460,sackOK,ts 100 50,nop,wscale 6>",
                                                "<mss 1460,sackOK,ts 100 50>",
                                                "<mss 1460,sackOK,ts 100 50,nop,wscale 0>"};

} // namespace

// The client will live by what the primary negotiated, so each option counts.
BOOST_DATA_TEST_CASE_F(TwoIsns, case_syn_acks_with_other_options, OTHER_OPTIONS, other)
{
    Client(std::string("S 0:0(0) ") + OPTIONS);
    Primary(std::string("S. 0:0(0) ack 1 ") + OPTIONS);
    Secondary("S. 0:0(0) ack 1 " + other);
    BOOST_TEST(Mismatch() == "syn-options at 0");
    BOOST_TEST(Released() == "");
}

BOOST_DATA_TEST_CASE_F(TwoIsns, tcp_syn_options_differ, OTHER_OPTIONS, other)
{
    Secondary("S 0:0(0) " + other);
    Primary(std::string("S 0:0(0) ") + OPTIONS);
    BOOST_TEST(Mismatch() == "syn-options at 0");
}

// Order of options, stamps and padding do not count.
BOOST_FIXTURE_TEST_CASE(tcp_syn_same_options_arranged_differently, TwoIsns)
{
    Primary("S 0:0(0) <mss 1460,sackOK,ts 100 50,nop,wscale 7>");
    Secondary("S 0:0(0) <ts 900 51,sackOK,nop,nop,mss 1460,wscale 7>");
    BOOST_TEST(Released() == "S 0:0");
}

// Both close at the same position (tcp-fin).
BOOST_FIXTURE_TEST_CASE(tcp_fin_matches_at_the_same_position, EstablishedFlow)
{
    Primary("F. 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("F. 101:101(0) ack 1");
    BOOST_TEST(Released() == "F 1:101");
    Primary(". 102:102(0) ack 1");
    BOOST_TEST(Released() == "ack 1 win 1000");
}

// The client would take the stream for complete where the secondary still has more.
BOOST_FIXTURE_TEST_CASE(tcp_fin_against_a_byte_of_the_secondary, EstablishedFlow)
{
    Primary("F. 1:101(100) ack 1");
    Secondary(". 1:102(101) ack 1 ");
    BOOST_TEST(Mismatch() == "fin at 101: '' not 'e'");
    BOOST_TEST(Released() == "");
}

BOOST_FIXTURE_TEST_CASE(tcp_fin_of_the_secondary_against_a_byte, EstablishedFlow)
{
    Secondary("F. 1:101(100) ack 1");
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
    Primary(". 101:102(1) ack 1 ");
    BOOST_TEST(Mismatch() == "fin at 101: 'e' not ''");
    BOOST_TEST(Released() == "");
}

// One side's FIN alone may just be early.
BOOST_FIXTURE_TEST_CASE(case_fin_on_one_side_only, EstablishedFlow)
{
    Primary("F. 1:1(0) ack 1");
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 1");
}

// A repeated FIN is a repetition.
BOOST_FIXTURE_TEST_CASE(tcp_fin_repeated, EstablishedFlow)
{
    Primary("F. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 1");
    Released();
    Primary("F. 1:1(0) ack 1");
    BOOST_TEST(Released() == "F 1:1");
    Secondary("F. 1:1(0) ack 1");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// When both directions have closed, the flow is a closed one and soon forgotten.
BOOST_FIXTURE_TEST_CASE(tcp_fin_of_both_directions_closes, EstablishedFlow)
{
    Primary("F. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 1");
    Client("F. 1:1(0) ack 2");
    Primary(". 2:2(0) ack 2");
    Secondary(". 2:2(0) ack 2");
    Wait(59999);
    BOOST_TEST(Collect() == 0);
    Wait(1);
    BOOST_TEST(Collect() == 1);
}

// RST matches RST at the same position, whatever its ack and window (tcp-rst).
BOOST_FIXTURE_TEST_CASE(tcp_rst_matches_at_the_same_position, EstablishedFlow)
{
    Primary("R 1:1(0) win 0");
    BOOST_TEST(Released() == "");
    Secondary("R. 1:1(0) ack 77 win 9");
    BOOST_TEST(Released() == "R 1:1");
    BOOST_TEST(Reason() == "compared");
}

BOOST_FIXTURE_TEST_CASE(tcp_rst_behind_data, EstablishedFlow)
{
    Secondary("R. 101:101(0) ack 1");
    Primary(". 1:101(100) ack 1");
    Primary("R. 101:101(0) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101, R 101:101");
    BOOST_TEST(Mismatch() == "");
}

// Nothing of the other side there yet: it may come.
BOOST_FIXTURE_TEST_CASE(case_rst_on_one_side_only, EstablishedFlow)
{
    Primary("R. 1:1(0) ack 1");
    Wait(2999);
    BOOST_TEST(Mismatch() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 1");
    BOOST_TEST(Released() == "");
}

// The secondary went on at that position.
BOOST_FIXTURE_TEST_CASE(tcp_rst_against_a_byte_of_the_secondary, EstablishedFlow)
{
    Primary("R. 1:1(0) ack 1");
    Secondary(". 1:2(1) ack 1");
    BOOST_TEST(Mismatch() == "rst-position at 1: '' not '\x1'");
    BOOST_TEST(Released() == "");
}

BOOST_FIXTURE_TEST_CASE(tcp_rst_of_the_secondary_against_a_byte, EstablishedFlow)
{
    Secondary("R. 1:1(0) ack 1");
    BOOST_TEST(Mismatch() == "");
    Primary(". 1:2(1) ack 1");
    BOOST_TEST(Mismatch() == "rst-position at 1: '\x1' not ''");
}

BOOST_FIXTURE_TEST_CASE(tcp_rst_against_a_fin, EstablishedFlow)
{
    Primary("R. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 1");
    BOOST_TEST(Mismatch() == "rst-position at 1");
}

// What the secondary has below the position says nothing.
BOOST_FIXTURE_TEST_CASE(tcp_rst_waits_while_the_secondary_is_below, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary("R. 101:101(0) ack 1");
    Secondary(". 1:51(50) ack 1");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "");
    Secondary(". 51:101(50) ack 1");
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(Mismatch() == "");
}

// A closed guest answers each late segment with a RST: twice on both sides, in any order.
BOOST_FIXTURE_TEST_CASE(tcp_rst_repeated, EstablishedFlow)
{
    Primary("R 1:1(0)");
    Primary("R 1:1(0)");
    Secondary("R 1:1(0)");
    Secondary("R 1:1(0)");
    BOOST_TEST(Released() == "R 1:1, R 1:1");
    Primary("R 1:1(0)");
    BOOST_TEST(Released() == "R 1:1");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(m_node.extra_count == 0U);
}

// Two of the secondary before the primary's first: the second must not be kept.
BOOST_FIXTURE_TEST_CASE(tcp_rst_repeated_by_the_secondary, EstablishedFlow)
{
    Secondary("R 1:1(0)");
    Secondary("R 1:1(0)");
    Primary("R 1:1(0)");
    BOOST_TEST(Released() == "R 1:1");
    BOOST_TEST(m_node.extra_count == 0U);
}

// Text behind a RST says why (RFC 9293, 3.5.3), and is not of the stream: what follows must
// not be compared from beyond its start.
BOOST_FIXTURE_TEST_CASE(tcp_rst_with_data_takes_no_position, EstablishedFlow)
{
    Primary("R. 1:11(10) ack 1");
    Primary(". 6:26(20) ack 1");
    Secondary("R. 1:11(10) ack 1");
    Secondary(". 6:26(20) ack 1");
    BOOST_TEST(Released() == "R 1:11");
    BOOST_TEST(Flow().stream.p_end == m_primaryIsn + 1);
    BOOST_TEST(Flow().stream.s_end == m_primaryIsn + 1);
}

// A closed port answers with number 0, on a tuple never seen before.
BOOST_FIXTURE_TEST_CASE(tcp_rst_refuses_a_connection, FlowCore)
{
    m_primaryIsn = 0;
    Client("S 0:0(0)");
    Primary("R. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("R. 0:0(0) ack 1");
    BOOST_TEST(Released() == "R 0:0");
}

// And on one that an earlier connection used, wherever its numbers were.
BOOST_DATA_TEST_CASE(tcp_rst_refuses_a_connection_on_a_used_tuple,
                     boost::unit_test::data::make({1000U, 0x70000000U, 0x90000000U, 0xf0000000U}) *
                         boost::unit_test::data::make({true, false}),
                     isn,
                     secondaryFirst)
{
    EstablishedFlow flow(isn, 500000);
    flow.m_primaryIsn = 0;
    flow.m_clientIsn = 900000;
    flow.Client("S 0:0(0)");
    for (bool secondary : {secondaryFirst, !secondaryFirst})
    {
        secondary ? flow.Secondary("R. 0:0(0) ack 1") : flow.Primary("R. 0:0(0) ack 1");
    }
    BOOST_TEST(flow.Released() == "R 0:0");
    flow.Wait(10000);
    BOOST_TEST(flow.Mismatch() == "");
    BOOST_TEST(flow.m_node.extra_count == 0U);
}

// A RST that matched ends the flow.
BOOST_FIXTURE_TEST_CASE(tcp_rst_closes, EstablishedFlow)
{
    Primary("R. 1:1(0) ack 1");
    Secondary("R. 1:1(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}

// Port used again, numbers below the old ones: compared from the start (tcp-reopen).
BOOST_FIXTURE_TEST_CASE(case_port_reuse_with_an_isn_below_the_old_stream, EstablishedFlow)
{
    Primary("F. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 1");
    Released();
    m_primaryIsn -= 5000;
    m_secondaryIsn -= 9000;
    m_clientIsn += 1000;
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "S 0:0");
    Primary(". 1:9(8) ack 1 fill 'x'");
    BOOST_TEST(Released() == "");
    Secondary(". 1:9(8) ack 1 fill 'y'");
    BOOST_TEST(Mismatch() == "bytes at 1: 'xxxxxxxx' not 'yyyyyyyy'");
}

// The secondary may enter first; what it sends then is of the new generation.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_secondary_first, TwoIsns)
{
    Primary("S 0:0(0)");
    Secondary("S 0:0(0)");
    Released();
    Dropped();
    NewNumbers(90, 70, 5000);
    Secondary("S 0:0(0)");
    Secondary(". 1:5(4) ack 1 data \"abcd\"");
    BOOST_TEST(Dropped() == "");
    Primary("S 0:0(0)");
    Primary(". 1:5(4) ack 1 data \"abcd\"");
    BOOST_TEST(Released() == "S 0:0, 1:5");
    BOOST_TEST(m_node.extra_count == 0U);
}

// Each side enters by its own SYN: what the secondary sends before is the old one's.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_old_secondary_data_is_dropped, TwoIsns)
{
    Primary("S 0:0(0)");
    Secondary("S 0:0(0)");
    Released();
    NewNumbers(900, 700, 5000);
    Primary("S 0:0(0)");
    Dropped();
    Secondary(". 1:5(4) ack 1 fill 'o'");
    BOOST_TEST(Dropped() == "1:5");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "S 0:0");
    Primary(". 1:5(4) ack 1 fill 'n'");
    Secondary(". 1:5(4) ack 1 fill 'n'");
    BOOST_TEST(Released() == "1:5");
}

// While the old one still holds something, the new SYN waits its turn.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_waits_for_what_the_old_one_holds, TwoIsns)
{
    Primary("S 0:0(0)");
    Secondary("S 0:0(0)");
    Primary("F. 1:5(4) ack 1");
    Released();
    uint32_t old = m_primaryIsn;
    NewNumbers(900, 700, 5000);
    Primary("S 0:0(0)");
    Primary(". 1:5(4) ack 1");
    std::swap(m_primaryIsn, old);
    m_clientIsn = 500000;
    Secondary("F. 1:5(4) ack 1");
    BOOST_TEST(Released() == "F 1:5");
    NewNumbers(900, 700, 5000);
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "S 0:0");
    Secondary(". 1:5(4) ack 1");
    BOOST_TEST(Released() == "1:5");
}

// A valid RST of the client ends it; what is held is of no use to the client any more.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_client_rst_discards_what_is_held, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary(". 201:301(100) ack 1");
    Primary(". 101:101(0) ack 900");
    Secondary(". 301:401(100) ack 1");
    Client("R 1:1(0)");
    BOOST_TEST(Dropped() == "1:101, 201:301, ack 900 win 1000, 301:401");
    BOOST_TEST(Reason() == "client-ended");
    Wait(60000);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Collect() == 1);
}

// One outside the window is a stray or an attack (RFC 9293, 3.10.7.4).
BOOST_DATA_TEST_CASE_F(EstablishedFlow,
                       tcp_reopen_client_rst_outside_the_window,
                       boost::unit_test::data::make({"R 0:0(0)", "R 1002:1002(0)"}),
                       rst)
{
    Primary(". 1:101(100) ack 1");
    Client(rst);
    BOOST_TEST(Dropped() == "");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
}

// At the window's far end it still counts.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_client_rst_at_the_windows_end, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Client("R 1001:1001(0)");
    BOOST_TEST(Dropped() == "1:101");
}

// The client's new SYN ends the old one as well; its repetition ends nothing.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_client_syn_discards_what_is_held, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Client("S 0:0(0)");
    BOOST_TEST(Dropped() == "");
    m_clientIsn += 9000;
    Client("S 0:0(0)");
    BOOST_TEST(Dropped() == "1:101");
    Primary("S. 5000:5000(0) ack 1");
    Client("S 0:0(0)");
    BOOST_TEST(Dropped() == "");
}

// Should the connection go on after all, both guests retransmit what was discarded.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_goes_on_after_a_challenged_syn, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 101:201(100) ack 1");
    m_clientIsn += 9000;
    Client("S 0:0(0)");
    m_clientIsn -= 9000;
    Released();
    Primary(". 101:201(100) ack 1");
    Secondary(". 1:201(200) ack 1");
    BOOST_TEST(Released() == "");
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101, 101:201");
}

// It also ends the generation for the conn: reopening makes it an open one again.
BOOST_FIXTURE_TEST_CASE(tcp_reopen_is_open_again, EstablishedFlow)
{
    Primary("R. 1:1(0) ack 1");
    Secondary("R. 1:1(0) ack 1");
    m_primaryIsn += 7000;
    m_clientIsn += 7000;
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 0);
}

// A flood of SYNs, answered or not, leaves nothing behind.
BOOST_FIXTURE_TEST_CASE(bounded_half_open_connections, FlowCore)
{
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}
