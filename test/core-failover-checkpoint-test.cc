/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What becomes of a checkpoint when a host is lost in its midst, and how a survivor goes on.
#define BOOST_TEST_MODULE core_failover_checkpoint
#include "core-failover.h"

#include <boost/test/data/test_case.hpp>

using namespace colo_test;
namespace data = boost::unit_test::data;

// The primary dies before the commit: the secondary goes on from its own state (ckpt-failure).
BOOST_DATA_TEST_CASE_F(LeasedSecondary,
                       ckpt_failure_primary_lost_before_the_commit,
                       data::make({COLO_NODE_REQUESTED, COLO_NODE_PAUSED}),
                       state)
{
    To(state);
    Isolate();
    BOOST_TEST(Actions() == "resume discard ask");
    BOOST_TEST(!Event(COLO_EVENT_PAUSED));
    BOOST_TEST(!Event(COLO_EVENT_STATE, 1));
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Actions() == "take-over");
    BOOST_TEST(m_node.epoch == 0U);
    BOOST_TEST(!Event(COLO_EVENT_STATE, 1));
}

// After the commit: from the new one, whichever comes first, the grant or the end of loading.
BOOST_DATA_TEST_CASE_F(LeasedSecondary,
                       ckpt_failure_primary_lost_after_the_commit,
                       data::make({false, true}),
                       loadedFirst)
{
    To(COLO_NODE_COMMITTED);
    Isolate();
    BOOST_TEST(Actions() == "ask");
    BOOST_TEST(Event(loadedFirst ? COLO_EVENT_LOADED : COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Actions() == (loadedFirst ? "loaded resume" : ""));
    BOOST_TEST(!colo_node_may_speak(&m_node, m_now));
    BOOST_TEST(Event(loadedFirst ? COLO_EVENT_GRANTED : COLO_EVENT_LOADED, 0));
    BOOST_TEST(Actions() == (loadedFirst ? "take-over" : "loaded resume take-over"));
    BOOST_TEST(m_node.epoch == 1U);
}

// The secondary dies: the primary's guest goes on, and what is held leaves when granted.
BOOST_DATA_TEST_CASE_F(LeasedPrimary,
                       ckpt_failure_secondary_lost,
                       data::make({COLO_NODE_REQUESTED, COLO_NODE_PAUSED, COLO_NODE_TRANSFER}),
                       state)
{
    Primary(". 1:11(10) ack 1");
    To(state);
    Wait(50);
    BOOST_TEST(Actions() == "resume heartbeat ask");
    BOOST_TEST(!Event(COLO_EVENT_PAUSED));
    BOOST_TEST(!Event(COLO_EVENT_REPLY, 1));
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(Released() == "");
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(Actions() == "");
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    // Not the number of the attempt, to which the secondary may have gone on.
    BOOST_TEST(m_node.epoch == 2U);
}

BOOST_FIXTURE_TEST_CASE(ckpt_failure_secondary_lost_after_the_commit, LeasedPrimary)
{
    To(COLO_NODE_COMMITTED);
    Wait(50);
    BOOST_TEST(Actions() == "resume heartbeat ask");
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    BOOST_TEST(!Event(COLO_EVENT_LOADED, 1));
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Actions() == "");
}

// A grant may come when the secondary was heard again and a checkpoint is under way.
BOOST_FIXTURE_TEST_CASE(ckpt_failure_granted_in_the_midst, LeasedPrimary)
{
    Isolate();
    Answer();
    Primary(". 1:11(10) ack 1");
    To(COLO_NODE_TRANSFER);
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Actions() == "resume");
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 1));
}

// Messages of an attempt that broke off fit no later one.
BOOST_FIXTURE_TEST_CASE(ckpt_failure_late_messages_of_the_attempt_before, LeasedPrimary)
{
    To(COLO_NODE_TRANSFER);
    BOOST_TEST(Event(COLO_EVENT_ABORT));
    BOOST_TEST(!Event(COLO_EVENT_ABORT));
    for (int i = 0; i < 10; i++)
    {
        Wait(10);
        Answer();
    }
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(!Event(COLO_EVENT_REPLY, 1));
    BOOST_TEST(Event(COLO_EVENT_REPLY, 2));
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 2));
    BOOST_TEST(m_node.epoch == 2U);
}

// LOADED may get lost; both hosts hold the state by then.
BOOST_FIXTURE_TEST_CASE(ckpt_failure_after_the_commit_nothing_is_tried_again, LeasedPrimary)
{
    To(COLO_NODE_COMMITTED);
    BOOST_TEST(Event(COLO_EVENT_ABORT));
    BOOST_TEST(Actions() == "resume");
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    Both(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "1:11");
}

// The secondary may have gone on to the state: what it sent before lets nothing leave.
BOOST_FIXTURE_TEST_CASE(ckpt_failure_transfer_that_may_have_arrived, LeasedPrimary)
{
    Secondary(". 1:11(10) ack 1");
    To(COLO_NODE_TRANSFER);
    Event(COLO_EVENT_ABORT);
    Primary(". 1:11(10) ack 1");
    Hang(1);
    BOOST_TEST(Answer());
    BOOST_TEST(Released() == "");
    Input(COLO_PRIMARY, ArpFrame());
    BOOST_TEST(Reason() == "uncompared");
    Released();
    for (int i = 0; i < 10; i++)
    {
        Wait(10);
        Answer();
    }
    Checkpoint();
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(Reason() == "commit");
}

// The primary may be the only one that knows that an attempt broke off.
BOOST_FIXTURE_TEST_CASE(ckpt_failure_secondary_hears_of_the_next_attempt, LeasedSecondary)
{
    To(COLO_NODE_REQUESTED);
    BOOST_TEST(Event(COLO_EVENT_REQUEST, 2));
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(Event(COLO_EVENT_REQUEST, 4));
    BOOST_TEST(Actions() == "reply discard");
    BOOST_TEST(!Event(COLO_EVENT_REQUEST, 3));
    BOOST_TEST(!Event(COLO_EVENT_STATE, 2));
    BOOST_TEST(Event(COLO_EVENT_STATE, 4));
    // It loads what it has, and stands still for the next.
    BOOST_TEST(Event(COLO_EVENT_REQUEST, 5));
    Actions();
    BOOST_TEST(Event(COLO_EVENT_LOADED));
    BOOST_TEST(Actions() == "reply");
    BOOST_TEST(Event(COLO_EVENT_STATE, 5));
    BOOST_TEST(m_node.epoch == 5U);
}

// A survivor that protects itself again fixes before it compares (fix-failover).
BOOST_FIXTURE_TEST_CASE(fix_failover_before_it_compares, EstablishedFix)
{
    // The new secondary's first stage is a copy of this one.
    UseLeases(m_node);
    Wait(60);
    BOOST_REQUIRE(Event(COLO_EVENT_GRANTED, 0));

    FlowCore front;
    colo_node_succeed(&front.m_node, &m_node, m_now);
    front.m_now = m_now;
    BOOST_TEST(front.m_node.epoch == 1U);
    auto forward = [&](colo_side side, const std::string& line) {
        Secondary(line);
        front.Input(side, m_sent.back().frame);
    };
    forward(COLO_PRIMARY, ". 1:11(10) ack 1 <ts 50 8>");
    BOOST_TEST(front.Released() == "1:11");
    BOOST_TEST(front.Event(COLO_EVENT_JOIN));
    front.Checkpoint();
    colo_out out;
    colo_out_init(&out);
    colo_node_heartbeat(&front.m_node, front.m_node.term, m_now, m_now, &out);
    forward(COLO_PRIMARY, ". 11:21(10) ack 1 <ts 51 8>");
    BOOST_TEST(front.Released() == "");
    forward(COLO_SECONDARY, ". 11:21(10) ack 1 <ts 51 8>");
    BOOST_TEST(front.Released() == "11:21");
    BOOST_TEST(front.Mismatch() == "");
}
