/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The checkpoint protocol, its deadlines and limits, and what a commit does to the flows.
#define BOOST_TEST_MODULE core_node
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

// What only makes sense in the midst of a checkpoint.
const auto ANSWERS = {COLO_EVENT_PAUSED,
                      COLO_EVENT_REPLY,
                      COLO_EVENT_RECEIVED,
                      COLO_EVENT_LOADED,
                      COLO_EVENT_STATE,
                      COLO_EVENT_ABORT};

// The primary host's side; a checkpoint may be driven step by step.
struct PrimaryNode : EstablishedFlow
{
    void Diverge()
    {
        Primary(". 1:2(1) ack 1 data \"a\"");
        Secondary(". 1:2(1) ack 1 data \"b\"");
    }

    void ToTransfer()
    {
        BOOST_REQUIRE(Event(COLO_EVENT_PAUSED));
        BOOST_REQUIRE(Event(COLO_EVENT_REPLY, 1));
        BOOST_REQUIRE(m_node.state == COLO_NODE_TRANSFER);
    }
};

struct SmallLimits : EstablishedFlow
{
    SmallLimits()
    {
        m_node.config.flow_held_max = 4;
        m_node.config.node_held_max = 100;
    }
};

const uint64_t SECOND_NS = 1000000000;

} // namespace

// RUNNING → REQUESTED → PAUSED → TRANSFER → COMMITTED → RUNNING (ckpt-states).
BOOST_FIXTURE_TEST_CASE(ckpt_states_of_the_primary, PrimaryNode)
{
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    Diverge();
    BOOST_TEST(m_node.state == COLO_NODE_REQUESTED);
    BOOST_TEST(Actions() == "pause request");
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(m_node.state == COLO_NODE_PAUSED);
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Event(COLO_EVENT_REPLY, 1));
    BOOST_TEST(m_node.state == COLO_NODE_TRANSFER);
    BOOST_TEST(Actions() == "state");
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(m_node.state == COLO_NODE_COMMITTED);
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Event(COLO_EVENT_LOADED, 1));
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    BOOST_TEST(Actions() == "resume");
    BOOST_TEST(m_node.epoch == 1U);
}

// The other host may be the first to stand still.
BOOST_FIXTURE_TEST_CASE(ckpt_states_secondary_paused_first, PrimaryNode)
{
    Diverge();
    Actions();
    BOOST_TEST(Event(COLO_EVENT_REPLY, 1));
    BOOST_TEST(m_node.state == COLO_NODE_REQUESTED);
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(m_node.state == COLO_NODE_TRANSFER);
    BOOST_TEST(Actions() == "state");
}

BOOST_FIXTURE_TEST_CASE(ckpt_states_of_the_secondary, FixCore)
{
    BOOST_TEST(Event(COLO_EVENT_REQUEST, 1));
    BOOST_TEST(m_node.state == COLO_NODE_REQUESTED);
    BOOST_TEST(Actions() == "pause");
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(m_node.state == COLO_NODE_PAUSED);
    BOOST_TEST(Actions() == "reply");
    BOOST_TEST(Event(COLO_EVENT_STATE, 1));
    BOOST_TEST(m_node.state == COLO_NODE_COMMITTED);
    BOOST_TEST(Actions() == "received load");
    BOOST_TEST(m_node.epoch == 1U);
    BOOST_TEST(Event(COLO_EVENT_LOADED));
    BOOST_TEST(m_node.state == COLO_NODE_RUNNING);
    BOOST_TEST(Actions() == "loaded resume");
}

// Messages of another epoch, or that fit no state, change nothing.
BOOST_FIXTURE_TEST_CASE(ckpt_states_strangers_to_the_primary, PrimaryNode)
{
    for (auto event : ANSWERS)
    {
        BOOST_TEST(!Event(event, 1));
    }
    Diverge();
    Actions();
    BOOST_TEST(!Event(COLO_EVENT_REPLY, 0));
    BOOST_TEST(!Event(COLO_EVENT_REPLY, 2));
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(!Event(COLO_EVENT_LOADED, 1));
    BOOST_TEST(m_node.state == COLO_NODE_REQUESTED);
    ToTransfer();
    Actions();
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 2));
    BOOST_TEST(!Event(COLO_EVENT_PAUSED));
    BOOST_TEST(!Event(COLO_EVENT_LOADED, 1));
    BOOST_TEST(m_node.state == COLO_NODE_TRANSFER);
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(!Event(COLO_EVENT_LOADED, 0));
    BOOST_TEST(m_node.state == COLO_NODE_COMMITTED);
    BOOST_TEST(Actions() == "");
}

BOOST_FIXTURE_TEST_CASE(ckpt_states_strangers_to_the_secondary, FixCore)
{
    for (auto event : ANSWERS)
    {
        BOOST_TEST(!Event(event, 1));
    }
    BOOST_TEST(!Event(COLO_EVENT_REQUEST, 0));
    BOOST_TEST(Event(COLO_EVENT_REQUEST, 1));
    BOOST_TEST(!Event(COLO_EVENT_REQUEST, 1));
    BOOST_TEST(!Event(COLO_EVENT_STATE, 1));
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(!Event(COLO_EVENT_STATE, 2));
    BOOST_TEST(m_node.state == COLO_NODE_PAUSED);
    BOOST_TEST(m_node.epoch == 0U);
    Actions();
    BOOST_TEST(Event(COLO_EVENT_ABORT));
    BOOST_TEST(Actions() == "resume discard");
}

// A transfer that breaks off is discarded whole: the epoch stays, nothing is released. Its
// cause remains, so another follows.
BOOST_FIXTURE_TEST_CASE(ckpt_states_aborted, PrimaryNode)
{
    Diverge();
    ToTransfer();
    Actions();
    BOOST_TEST(Event(COLO_EVENT_ABORT));
    BOOST_TEST(Actions() == "resume");
    BOOST_TEST(m_node.epoch == 0U);
    BOOST_TEST(Released() == "");
    Mismatch();
    Wait(99);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
    BOOST_TEST(Mismatch() == "");
}

// One checkpoint heals all; each further cause is only counted (ckpt-coalesce).
BOOST_FIXTURE_TEST_CASE(case_after_one_mismatch_the_following_packets, PrimaryNode)
{
    Diverge();
    BOOST_TEST(Actions() == "pause request");
    for (int port = 40001; port < 40005; port++)
    {
        m_port = uint16_t(port);
        Primary(". 1:2(1) ack 1 data \"a\"");
        Secondary(". 1:2(1) ack 1 data \"b\"");
    }
    BOOST_TEST(Actions() == "");
    BOOST_TEST(m_node.cause == COLO_MISMATCH_BYTES);
    BOOST_TEST(m_node.stats.coalesced == 4U);
    BOOST_TEST(m_node.stats.mismatches[COLO_MISMATCH_BYTES] == 5U);
    Checkpoint();
    BOOST_TEST(m_node.stats.checkpoints == 1U);
}

BOOST_FIXTURE_TEST_CASE(ckpt_coalesce_first_cause_stays, PrimaryNode)
{
    Primary("F. 1:1(0) ack 1");
    Wait(3000);
    BOOST_TEST(m_node.cause == COLO_MISMATCH_TIMEOUT_DATA);
    Event(COLO_EVENT_REQUEST);
    BOOST_TEST(m_node.cause == COLO_MISMATCH_TIMEOUT_DATA);
    BOOST_TEST(Actions() == "pause request");
    Wait(100000);
    BOOST_TEST(Actions() == "");
}

// Released when the secondary holds the whole state, not a step before (ckpt-commit).
BOOST_FIXTURE_TEST_CASE(case_held_packets_flushed_before_the_secondary_holds_the_state, PrimaryNode)
{
    Diverge();
    Primary(". 2:2(0) ack 501");
    ToTransfer();
    Wait(100000);
    BOOST_TEST(Released() == "");
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(Released() == "1:2, ack 501 win 1000");
    BOOST_TEST(m_node.held_count == 0U);
}

// A timeout's packets no sooner than others.
BOOST_FIXTURE_TEST_CASE(ckpt_commit_is_what_releases, PrimaryNode)
{
    Primary("F. 1:1(0) ack 1");
    Wait(3000);
    ToTransfer();
    BOOST_TEST(Released() == "");
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 0));
    BOOST_TEST(Released() == "");
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(Released() == "F 1:1");
}

// The secondary's packets of the old epoch go.
BOOST_FIXTURE_TEST_CASE(ckpt_commit_drops_the_secondarys, PrimaryNode)
{
    Secondary(". 1:101(100) ack 1 fill 'x'");
    Secondary(". 201:301(100) ack 1");
    Checkpoint();
    BOOST_TEST(Dropped() == "1:101, 201:301");
    BOOST_TEST(Reason() == "rebased");
    BOOST_TEST(m_node.extra_count == 0U);
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "");
}

// Everything becomes the primary's: matched, end, ack, edge (ckpt-rebase).
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_to_the_primarys_side, PrimaryNode)
{
    Primary(". 1:101(100) ack 501 win 2000");
    Secondary(". 1:51(50) ack 1 fill 'x'");
    Checkpoint();
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(Flow().stream.matched == m_primaryIsn + 101);
    BOOST_TEST(Flow().stream.s_ack == m_clientIsn + 501);
    Dropped();
    Primary(". 101:201(100) ack 501 win 2000");
    Secondary(". 51:151(100) ack 501 win 2000");
    Secondary(". 151:201(50) ack 501 win 2000");
    BOOST_TEST(Released() == "101:201");
    Primary(". 201:201(0) ack 501 win 2000");
    BOOST_TEST(Released() == "ack 501 win 2000");
}

// A flow that was not touched since several epochs is rebased just the same.
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_when_next_touched, PrimaryNode)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Secondary(". 101:151(50) ack 1 fill 'x'");
    Checkpoint();
    Checkpoint();
    Checkpoint();
    BOOST_TEST(Flow().conn.epoch == 0U);
    Released();
    Primary(". 101:151(50) ack 1");
    Secondary(". 101:151(50) ack 1");
    BOOST_TEST(Released() == "101:151");
    BOOST_TEST(Flow().conn.epoch == 3U);
}

// Both guests number alike now; a SYN that S repeats has the primary's ISN.
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_in_a_handshake, FlowCore)
{
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Checkpoint();
    BOOST_TEST(Released() == "S 0:0");
    Secondary("S. 0:0(0) ack 1");
    Primary(". 1:11(10) ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "1:11");
}

// Also behind a gap, and of a connection that waited its turn.
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_covers_gaps_and_later_generations, PrimaryNode)
{
    Primary(". 201:301(100) ack 1");
    uint32_t old = m_primaryIsn;
    m_primaryIsn += 700000;
    m_clientIsn += 700000;
    Primary("S 0:0(0)");
    Primary(". 1:11(10) ack 1");
    Checkpoint();
    BOOST_TEST(Released() == "-699799:-699699, S 0:0, 1:11");
    BOOST_TEST(Flow().stream.p_isn == m_primaryIsn);
    Primary(". 11:21(10) ack 1");
    Secondary(". 11:21(10) ack 1");
    BOOST_TEST(Released() == "11:21");
    BOOST_TEST(old != m_primaryIsn);
}

// Diverged no more.
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_compares_again, PrimaryNode)
{
    Diverge();
    Checkpoint();
    Released();
    Mismatch();
    Primary(". 2:3(1) ack 1");
    Secondary(". 2:3(1) ack 1");
    BOOST_TEST(Released() == "2:3");
    Primary(". 3:4(1) ack 1 data \"x\"");
    Secondary(". 3:4(1) ack 1 data \"y\"");
    BOOST_TEST(Mismatch() == "bytes at 3: 'x' not 'y'");
}

// Flows that only the secondary had are gone.
BOOST_FIXTURE_TEST_CASE(ckpt_rebase_forgets_flows_of_the_secondary_only, FlowCore)
{
    Secondary("S 0:0(0)");
    Secondary(". 1:2(1) ack 1");
    Checkpoint();
    BOOST_TEST(Dropped() == "S 0:0, 1:2");
    Primary("S 0:0(0)");
    BOOST_TEST(Released() == "");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "S 0:0");
}

// Periodic (ckpt-limits).
BOOST_FIXTURE_TEST_CASE(ckpt_limits_longest_interval, PrimaryNode)
{
    m_node.config.checkpoint_interval_max_ns = 10 * SECOND_NS;
    Wait(9999);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
    BOOST_TEST(m_node.cause == COLO_REQUEST_PERIODIC);
    Checkpoint();
    Actions();
    Wait(9999);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
}

// No storm: a cause within the shortest interval waits for its end.
BOOST_FIXTURE_TEST_CASE(ckpt_limits_shortest_interval, PrimaryNode)
{
    m_node.config.checkpoint_interval_min_ns = 2 * SECOND_NS;
    Wait(500);
    Diverge();
    BOOST_TEST(Actions() == "");
    BOOST_TEST(m_node.state == COLO_NODE_REQUESTED);
    BOOST_TEST(!Event(COLO_EVENT_PAUSED));
    Wait(1499);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
    Wait(100000);
    BOOST_TEST(Actions() == "");
}

BOOST_FIXTURE_TEST_CASE(ckpt_limits_off_by_default, PrimaryNode)
{
    Wait(uint64_t(100) * 3600 * 1000);
    BOOST_TEST(Actions() == "");
}

// At the limit a checkpoint, not a drop (no-loss).
BOOST_FIXTURE_TEST_CASE(no_loss_at_the_limit_a_checkpoint, SmallLimits)
{
    for (int i = 0; i < 4; i++)
    {
        Primary(". 1:2(1) ack 1");
    }
    BOOST_TEST(Actions() == "");
    Primary(". 2:3(1) ack 1");
    BOOST_TEST(Mismatch().substr(0, 10) == "held-limit");
    BOOST_TEST(Actions() == "pause request");
    BOOST_TEST(Dropped() == "");
    Checkpoint();
    BOOST_TEST(Released() == "1:2, 1:2, 1:2, 1:2, 2:3");
}

// Beyond the hard limit dropped and counted, as by a network; never silently.
BOOST_FIXTURE_TEST_CASE(case_queue_full, SmallLimits)
{
    for (int i = 0; i < 8; i++)
    {
        Primary(". 1:2(1) ack 1");
    }
    BOOST_TEST(Dropped() == "");
    Primary(". 2:3(1) ack 1");
    BOOST_TEST(Dropped() == "2:3");
    BOOST_TEST(Reason() == "limit");
    BOOST_TEST(m_node.stats.dropped_at_limit == 1U);
    BOOST_TEST(m_node.stats.mismatches[COLO_MISMATCH_LIMIT] == 1U);
    Checkpoint();
    Primary(". 2:3(1) ack 1"); // retransmitted, as after any loss
    Secondary(". 2:3(1) ack 1");
    BOOST_TEST(Released() == "1:2, 1:2, 1:2, 1:2, 1:2, 1:2, 1:2, 1:2, 2:3");
}

// One flow's flood does not touch another.
BOOST_FIXTURE_TEST_CASE(no_loss_by_another_flows_flood, SmallLimits)
{
    for (int i = 0; i < 20; i++)
    {
        Primary(". 1:2(1) ack 1");
    }
    Dropped();
    m_port++;
    Primary(". 1:2(1) ack 1");
    BOOST_TEST(Dropped() == "");
    Secondary(". 1:2(1) ack 1");
    BOOST_TEST(Released() == "1:2");
}

// The node's limit counts over all flows.
BOOST_FIXTURE_TEST_CASE(no_loss_limit_of_the_node, SmallLimits)
{
    m_node.config.node_held_max = 2;
    for (int port = 40001; port < 40004; port++)
    {
        m_port = uint16_t(port);
        BOOST_TEST(Actions() == "");
        Primary(". 1:2(1) ack 1");
    }
    BOOST_TEST(Actions() == "pause request");
    m_port = 40010;
    Primary(". 1:2(1) ack 1");
    BOOST_TEST(Dropped() == "");
    Primary(". 2:3(1) ack 1");
    BOOST_TEST(Dropped() == "2:3");
}

// A full table gives up the flow idle for longest, never one that holds something.
BOOST_FIXTURE_TEST_CASE(case_connection_table_full, PrimaryNode)
{
    Primary(". 1:2(1) ack 1"); // the oldest, but it holds this
    for (uint16_t port : {40001, 40002, 40003})
    {
        m_port = port;
        Primary(". 1:1(0) ack 1");
        Secondary(". 1:1(0) ack 1");
    }
    Wait(1000); // ages are right to within a second
    m_port = 40001;
    Secondary(". 1:1(0) ack 1");
    for (uint16_t port : {40002, 40003, 40001})
    {
        colo_conn* evicted = colo_node_evict(&m_node);
        BOOST_REQUIRE(evicted);
        BOOST_TEST(evicted->key.peer_port == port);
    }
    BOOST_TEST(!colo_node_evict(&m_node));
    m_port = 40000;
    Released();
    Secondary(". 1:2(1) ack 1");
    BOOST_TEST(Released() == "1:2");
}

// A connection that holds something is not collected, however long it was silent.
BOOST_FIXTURE_TEST_CASE(no_loss_by_collection, PrimaryNode)
{
    m_node.config.idle_timeout_ns = SECOND_NS;
    Primary(". 1:2(1) ack 1");
    Wait(2000);
    BOOST_TEST(Collect() == 0);
    Secondary(". 1:2(1) ack 1");
    BOOST_TEST(Released() == "1:2");
    Wait(1000);
    BOOST_TEST(Collect() == 1);
}

// Least recently used first, and the closed before the open.
BOOST_FIXTURE_TEST_CASE(bounded_idle_flows_are_collected, PrimaryNode)
{
    m_node.config.idle_timeout_ns = 10 * SECOND_NS;
    m_node.config.closed_timeout_ns = SECOND_NS;
    m_port++;
    Primary("R 1:1(0)");
    Secondary("R 1:1(0)");
    m_port--;
    Wait(1000);
    BOOST_TEST(Collect() == 1);
    Primary(". 1:1(0) ack 1");
    Wait(9000);
    BOOST_TEST(Collect() == 0);
    Wait(1000);
    BOOST_TEST(Collect() == 1);
    BOOST_TEST(list_empty(&m_node.open));
}

// The secondary's flood is bounded as well (bounded).
BOOST_FIXTURE_TEST_CASE(bounded_secondarys_packets, SmallLimits)
{
    for (int i = 0; i < 8; i++)
    {
        Secondary(". 101:201(100) ack 1");
    }
    BOOST_TEST(Dropped() == "");
    BOOST_TEST(Actions() == "pause request");
    Secondary(". 201:301(100) ack 1");
    BOOST_TEST(Dropped() == "201:301");
    BOOST_TEST(m_node.extra_count == 8U);
}

// Every held packet asks for a checkpoint within the timeout (liveness).
BOOST_DATA_TEST_CASE_F(PrimaryNode,
                       liveness_every_held_packet_times_out,
                       boost::unit_test::data::make({". 1:2(1) ack 1",
                                                     ". 101:102(1) ack 1",
                                                     ". 1:1(0) ack 501",
                                                     ". 0:1(1) ack 501",
                                                     "F. 1:1(0) ack 1",
                                                     "R. 1:1(0) ack 1",
                                                     "S 5000:5000(0)"}),
                       line)
{
    Primary(line);
    BOOST_TEST(Released() == "");
    Wait(2999);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
    Checkpoint();
    BOOST_TEST(Released() != "");
}

// The timeout is the oldest packet's own.
BOOST_FIXTURE_TEST_CASE(liveness_of_the_oldest, PrimaryNode)
{
    Primary(". 1:2(1) ack 1");
    Wait(1000);
    m_port++;
    Primary(". 1:2(1) ack 1");
    m_port--;
    Secondary(". 1:2(1) ack 1");
    Wait(2999);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Actions() == "pause request");
}

// Flows that agree never ask for one, however the secondary lags within the timeout.
BOOST_FIXTURE_TEST_CASE(liveness_no_request_while_both_agree, PrimaryNode)
{
    for (uint32_t at = 1; at < 100; at++)
    {
        std::string line = ". " + std::to_string(at) + ":" + std::to_string(at + 1) + "(1) ack 1";
        Primary(line);
        Wait(2999);
        Secondary(line);
    }
    BOOST_TEST(Actions() == "");
    BOOST_TEST(m_node.held_count + m_node.extra_count == 0U);
}
