/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What becomes of the sequence fix at a checkpoint, a failover, and the connection's end.
#define BOOST_TEST_MODULE core_seqfix_life
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

// At commit S's state becomes P's: no offset any more (fix-checkpoint).
BOOST_FIXTURE_TEST_CASE(fix_checkpoint_ends_every_offset, EstablishedFix)
{
    Checkpoint();
    uint32_t isn = m_secondaryIsn;
    m_secondaryIsn = m_primaryIsn;
    Secondary(". 1:11(10) ack 1 <ts 50 8>");
    BOOST_TEST(Released() == "out 1:11 ack 1 ts 50 8");
    Client(". 1:1(0) ack 11 <nop,nop,ts 12 50,sack 21:31>");
    BOOST_TEST(Released() == "in 1:1 ack 11 ts 12 50");
    m_secondaryIsn = isn;
}

// What waited was of the old epoch.
BOOST_FIXTURE_TEST_CASE(fix_checkpoint_drops_what_waits, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Released();
    Checkpoint();
    BOOST_TEST(Dropped() == "out S 1000000:1000000 ack 1, in 1:1 ack -999999");
    BOOST_TEST(Reason() == "rebased");
    m_secondaryIsn = m_primaryIsn;
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "out 1:11 ack 1");
}

// A hint of before the commit must not teach what begins after it.
BOOST_FIXTURE_TEST_CASE(fix_checkpoint_forgets_the_hint, FixCore)
{
    Hint("S 0:0(0)");
    Checkpoint();
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "");
}

// A SYN-ACK that S sends afterwards is a new entry, also of a handshake that had begun before.
BOOST_FIXTURE_TEST_CASE(fix_checkpoint_syn_ack_afterwards_is_new, FixCore)
{
    Client("S 0:0(0)");
    Released();
    Checkpoint();
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    Hint("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "out 1:11 ack 1");
}

// The clone has sent the primary's own SYN, and will not say it again.
BOOST_FIXTURE_TEST_CASE(fix_checkpoint_answer_to_a_syn_of_before_passes, FixCore)
{
    Hint("S 0:0(0)");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "out S 0:0");
    Checkpoint();
    m_secondaryIsn = m_primaryIsn;
    Client("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "in S 0:0 ack 1");
    Secondary("S 0:0(0)"); // its timer was quicker
    Secondary(". 1:1(0) ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "out S 0:0, out 1:1 ack 1, out 1:11 ack 1");
}

// Known flows go on being fixed (fix-failover).
BOOST_FIXTURE_TEST_CASE(fix_failover_known_flows_go_on, EstablishedFix)
{
    FailOver();
    Secondary(". 1:11(10) ack 1");
    Client(". 1:1(0) ack 11");
    BOOST_TEST(Released() == "out 1:11 ack 1, in 1:1 ack 11");
}

// Half-known ones go on learning, from the client as there is nobody else.
BOOST_FIXTURE_TEST_CASE(fix_failover_half_known_flows_learn, FixCore)
{
    Client("S 0:0(0)");
    Released();
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    FailOver();
    BOOST_TEST(Released() == "out S 1000000:1000000 ack 1");
    m_primaryIsn = m_secondaryIsn; // the client has never heard of the primary's
    Client(". 1:1(0) ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "in 1:1 ack 1, out 1:11 ack 1");
}

// New flows are left alone: there is nobody to differ from.
BOOST_FIXTURE_TEST_CASE(fix_failover_new_flows_are_left_alone, FixCore)
{
    FailOver();
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(!HasFix());
    BOOST_TEST(Released() == "in S 0:0, out S 1000000:1000000 ack 1");
}

// What cannot learn yet goes on waiting, and ends when its own time is over.
BOOST_FIXTURE_TEST_CASE(fix_failover_keeps_the_order_of_what_waits, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    m_port++;
    Client("S 0:0(0)");
    Client(". 1:2(1) ack 1");
    Wait(1000);
    Client(". 2:3(1) ack 1");
    FailOver();
    Released();
    Wait(2000);
    BOOST_TEST(Dropped() == "in 1:2 ack -999999");
    Wait(1000);
    BOOST_TEST(Dropped() == "in 2:3 ack -999999");
}

// A full house of waiting packets is looked at again without losing one.
BOOST_FIXTURE_TEST_CASE(fix_failover_of_as_many_as_may_wait, PlainFix)
{
    Client("S 0:0(0)");
    for (int i = 0; i < 64; i++)
    {
        Client(". 1:2(1) ack 1");
    }
    FailOver();
    BOOST_TEST(Dropped() == "");
}

// Passive close (fix-close).
BOOST_FIXTURE_TEST_CASE(case_passive_close, EstablishedFix)
{
    Client("F. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 2");
    Client(". 2:2(0) ack 2");
    Released();
    Wait(59999);
    BOOST_TEST(Collect() == 0);
    Secondary("F. 1:1(0) ack 2"); // until then its last packets are fixed
    BOOST_TEST(Released() == "out F 1:1 ack 2");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}

BOOST_FIXTURE_TEST_CASE(case_active_close, EstablishedFix)
{
    Secondary("F. 1:1(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 0); // half closed is not closed
    Client("F. 1:1(0) ack 2");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}

BOOST_DATA_TEST_CASE_F(EstablishedFix,
                       fix_close_by_rst,
                       boost::unit_test::data::make({true, false}),
                       byClient)
{
    byClient ? Client("R 1:1(0)") : Secondary("R 1:1(0)");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}

// An open one whose ends have died silently goes in the end.
BOOST_FIXTURE_TEST_CASE(fix_close_by_timeout, EstablishedFix)
{
    m_node.config.idle_timeout_ns = 1000000000;
    Wait(999);
    BOOST_TEST(Collect() == 0);
    Wait(1);
    BOOST_TEST(Collect() == 1);
    BOOST_TEST(list_empty(&m_node.open));
    BOOST_TEST(list_empty(&m_node.closed));
}

// A port used again keeps its entry.
BOOST_FIXTURE_TEST_CASE(fix_close_reopened, EstablishedFix)
{
    Client("R 1:1(0)");
    m_clientIsn += 7000;
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 0);
}

// Nobody on the way can end the fixing of a live connection by a forged reset.
BOOST_FIXTURE_TEST_CASE(fix_close_not_by_a_stray_rst, EstablishedFix)
{
    Client("R 1:1(0)");
    Client(". 1:1(0) ack 1");
    Wait(60000);
    BOOST_TEST(Collect() == 0);
}

// A flood of SYNs leaves nothing behind.
BOOST_FIXTURE_TEST_CASE(fix_close_half_open, FixCore)
{
    Client("S 0:0(0)");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}
