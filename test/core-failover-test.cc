/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Who may speak: leases, the arbiter's grant, and what is held when a host is lost.
#define BOOST_TEST_MODULE core_failover
#include "colo_arbiter.h"
#include "colo_shim.h"
#include "core-failover.h"

using namespace colo_test;

// Nobody knows since when the secondary has been waiting, until it answers (fail-fence).
BOOST_FIXTURE_TEST_CASE(fail_fence_speaks_once_it_was_answered, FreshPrimary)
{
    Both(". 1:11(10) ack 1");
    Input(COLO_PRIMARY, ArpFrame());
    BOOST_TEST(Released() == "");
    BOOST_TEST(Reason() == "lease");
    Wait(0);
    BOOST_TEST(Actions() == "heartbeat");
    BOOST_TEST(Answer());
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(Reason() == "matched");
}

// However long the answer took.
BOOST_FIXTURE_TEST_CASE(fail_fence_lease_counts_from_the_sending, FreshPrimary)
{
    Hang(30);
    BOOST_TEST(Answer(30));
    Hang(19);
    Both(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "1:11");
    Hang(1);
    Both(". 11:21(10) ack 1");
    BOOST_TEST(Released() == "");
}

// A primary that hung sees that its lease is over before anything leaves, polled or not.
BOOST_FIXTURE_TEST_CASE(fail_fence_primary_that_wakes_up_is_silent, LeasedPrimary)
{
    Primary(". 1:11(10) ack 1");
    Hang(50);
    Secondary(". 1:11(10) ack 1");
    Primary(". 1:1(0) ack 1");
    Input(COLO_PRIMARY, ArpFrame());
    BOOST_TEST(Released() == "");
    BOOST_TEST(Reason() == "lease");
    BOOST_TEST(!Answer(50));
    BOOST_TEST(Released() == "");
    Wait(0);
    BOOST_TEST(Actions() == "heartbeat ask");
}

// As soon as it is renewed, what matched leaves, of each connection.
BOOST_FIXTURE_TEST_CASE(fail_fence_renewed_lets_go_what_matched, LeasedPrimary)
{
    Hang(50);
    for (uint16_t port = 40000; port < 40003; port++)
    {
        m_port = port;
        Primary(". 1:11(10) ack 1");
        Primary(". 21:31(10) ack 1");
        Secondary(". 1:11(10) ack 1");
    }
    m_port = 40000;
    Primary(". 11:21(10) ack 1");
    Secondary(". 11:31(20) ack 1");
    BOOST_TEST(Released() == "");
    BOOST_TEST(Answer(10));
    BOOST_TEST(Released() == "1:11, 11:21, 21:31, 1:11, 1:11");
    BOOST_TEST(m_node.held_count == 2U);
}

// One call's decision has room for one copy, so the rest takes more of them.
BOOST_FIXTURE_TEST_CASE(fail_fence_renewed_lets_go_copies, LeasedPrimary)
{
    m_node.config.ack_policy = COLO_ACK_CLAMP;
    for (uint16_t port = 40000; port < 40003; port++)
    {
        m_port = port;
        Both(". 1:11(10) ack 1");
    }
    Released();
    Hang(50);
    for (uint16_t port = 40000; port < 40003; port++)
    {
        m_port = port;
        Primary(". 11:11(0) ack 101");
        Secondary(". 11:11(0) ack 51");
    }
    BOOST_TEST(Resent() == "");
    BOOST_TEST(Answer(10));
    BOOST_TEST(Resent() == "ack 51 win 1000");
    Wait(0);
    BOOST_TEST(Resent() == "ack 51 win 1000, ack 51 win 1000");
    BOOST_TEST(colo_node_deadline(&m_node) > m_now);
}

// What leaves by a commit leaves under the lease as well.
BOOST_FIXTURE_TEST_CASE(fail_fence_no_commit_once_it_is_over, LeasedPrimary)
{
    Primary(". 1:11(10) ack 1");
    To(COLO_NODE_TRANSFER);
    Hang(50);
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 1));
    BOOST_TEST(Released() == "");
    BOOST_TEST(m_node.epoch == 0U);
    BOOST_TEST(Actions() == "resume heartbeat ask");
}

// A checkpoint waits until the secondary was heard from.
BOOST_FIXTURE_TEST_CASE(fail_fence_no_checkpoint_before_a_lease, FreshPrimary)
{
    BOOST_TEST(Event(COLO_EVENT_REQUEST));
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Answer());
    Wait(0);
    BOOST_TEST(Actions() == "pause request heartbeat");
}

BOOST_FIXTURE_TEST_CASE(fail_fence_answers_that_do_not_count, LeasedPrimary)
{
    Hang(20);
    BOOST_TEST(Answer(5));
    BOOST_TEST(!Answer(5));
    BOOST_TEST(!Answer(6));
    BOOST_TEST(!Answer(0, 1));
    BOOST_TEST(!Answer(uint64_t(-1)));
    BOOST_TEST(m_node.renewed_ns == m_now - 5 * MILLISECOND_NS);
}

// Nothing leaves any more, nothing is forgotten.
BOOST_FIXTURE_TEST_CASE(fail_fence_primary_denied, LeasedPrimary)
{
    Primary(". 1:11(10) ack 1");
    Isolate();
    Primary(". 11:21(10) ack 1");
    BOOST_TEST(Dropped() == "");
    BOOST_TEST(Event(COLO_EVENT_DENIED, 0));
    BOOST_TEST(Actions() == "fence");
    BOOST_TEST(Dropped() == "1:11, 11:21");
    BOOST_TEST(Reason() == "lease");
    Both(". 1:11(10) ack 1");
    BOOST_TEST(!Answer());
    BOOST_TEST(!Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(!Event(COLO_EVENT_REQUEST));
    Wait(10000);
    BOOST_TEST(Dropped() == "1:11, 1:11");
    BOOST_TEST(Released() == "");
    BOOST_TEST(Actions() == "");
}

// The arbiter may be out of reach for a while; what it has said must not stay unknown.
BOOST_FIXTURE_TEST_CASE(fail_fence_asks_until_answered, LeasedPrimary)
{
    Isolate();
    Wait(10);
    BOOST_TEST(Actions() == "heartbeat ask");
    // The link was cut for a short time only.
    BOOST_TEST(Answer(1));
    BOOST_TEST(m_node.mode == COLO_MODE_PROTECTED);
    Both(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "1:11");
    Wait(10);
    BOOST_TEST(Actions() == "heartbeat ask");
    BOOST_TEST(!Event(COLO_EVENT_GRANTED, 1));
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(m_node.mode == COLO_MODE_ALONE);
    BOOST_TEST(!Event(COLO_EVENT_DENIED, 0));
    BOOST_TEST(m_node.mode == COLO_MODE_ALONE);
}

// Who has asked may have been granted, so it lets the primary speak no longer.
BOOST_FIXTURE_TEST_CASE(fail_fence_secondary_that_asks_answers_no_more, LeasedSecondary)
{
    BOOST_TEST(Heartbeat(1));
    BOOST_TEST(Actions() == "answer");
    BOOST_TEST(!Heartbeat(1));
    BOOST_TEST(!Heartbeat(2, 1));
    Wait(59);
    BOOST_TEST(Heartbeat(2));
    Wait(59);
    BOOST_TEST(Actions() == "answer");
    Wait(1);
    BOOST_TEST(Actions() == "ask");
    BOOST_TEST(!Heartbeat(3));
    BOOST_TEST(!Event(COLO_EVENT_REQUEST, 1));
    Wait(10);
    BOOST_TEST(Actions() == "ask");
    BOOST_TEST(Event(COLO_EVENT_DENIED, 0));
    BOOST_TEST(Actions() == "fence");
    BOOST_TEST(!Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(colo_node_deadline(&m_node) == COLO_NEVER_NS);
}

// Frames of a host that does not know yet that it was left.
BOOST_FIXTURE_TEST_CASE(fail_fence_sec_dev_of_who_speaks_for_itself, LeasedSecondary)
{
    colo_shim shim{COLO_SHIM_FRAME, m_node.id, m_node.epoch, 0x0800};
    BOOST_TEST(colo_shim_is_current(&shim, &m_node));
    Isolate();
    BOOST_TEST(colo_shim_is_current(&shim, &m_node));
    Event(COLO_EVENT_GRANTED, 0);
    BOOST_TEST(!colo_shim_is_current(&shim, &m_node));
}

BOOST_AUTO_TEST_CASE(fail_fence_first_of_a_term_is_granted)
{
    colo_arbiter arbiter;
    for (auto [first, second] : {std::pair{COLO_ROLE_PRIMARY, COLO_ROLE_SECONDARY},
                                 std::pair{COLO_ROLE_SECONDARY, COLO_ROLE_PRIMARY}})
    {
        colo_arbiter_init(&arbiter, 4);
        BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_SECONDARY, 5));
        BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_PRIMARY, 5));
        BOOST_TEST(!colo_arbiter_protect(&arbiter, 5));
        BOOST_TEST(!colo_arbiter_ask(&arbiter, first, 3));
        BOOST_TEST(colo_arbiter_ask(&arbiter, first, 4));
        BOOST_TEST(!colo_arbiter_ask(&arbiter, second, 4));
        BOOST_TEST(colo_arbiter_ask(&arbiter, first, 4));
    }
}

// Numbers may be left out: of attempts at a pair that came to nothing.
BOOST_AUTO_TEST_CASE(fail_fence_terms_begin_once)
{
    colo_arbiter arbiter;
    colo_arbiter_init(&arbiter, 0);
    BOOST_TEST(colo_arbiter_ask(&arbiter, COLO_ROLE_PRIMARY, 0));
    BOOST_TEST(colo_arbiter_protect(&arbiter, 3));
    BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_PRIMARY, 0));
    BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_SECONDARY, 2));
    BOOST_TEST(colo_arbiter_ask(&arbiter, COLO_ROLE_SECONDARY, 3));
    // A report that comes late, or again.
    BOOST_TEST(colo_arbiter_protect(&arbiter, 3));
    BOOST_TEST(!colo_arbiter_protect(&arbiter, 2));
    BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_PRIMARY, 3));
    // A report that never came: only the primary of the new pair can know that there is one.
    BOOST_TEST(!colo_arbiter_ask(&arbiter, COLO_ROLE_SECONDARY, 7));
    BOOST_TEST(colo_arbiter_ask(&arbiter, COLO_ROLE_PRIMARY, 7));
}

BOOST_AUTO_TEST_CASE(fail_fence_lease_ends_before_the_takeover)
{
    colo_config config;
    colo_config_default(&config);
    BOOST_TEST(!colo_config_check(&config));
    config.heartbeat_interval_ns = 1;
    config.lease_ns = 2;
    config.takeover_ns = 3;
    BOOST_TEST(!colo_config_check(&config));
    config.takeover_ns = 2;
    BOOST_TEST(colo_config_check(&config));
    config.takeover_ns = 3;
    config.heartbeat_interval_ns = 2;
    BOOST_TEST(colo_config_check(&config));
    config.heartbeat_interval_ns = 0;
    BOOST_TEST(colo_config_check(&config));
}

// Everything held is released, and goes on to be (fail-secondary).
BOOST_FIXTURE_TEST_CASE(fail_secondary_releases_all, LeasedPrimary)
{
    Primary(". 11:21(10) ack 1");
    Primary(". 1:11(10) ack 1");
    Secondary(". 1:6(5) ack 1");
    Isolate();
    BOOST_TEST(Released() == "");
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Released() == "11:21, 1:11");
    BOOST_TEST(Reason() == "unprotected");
    Primary(". 21:31(10) ack 1");
    BOOST_TEST(Released() == "21:31");
    BOOST_TEST(Reason() == "unprotected");
    Input(COLO_PRIMARY, ArpFrame());
    BOOST_TEST(Reason() == "uncompared");
}

// A secondary that is cut off only: what it sends is of an epoch that is over.
BOOST_FIXTURE_TEST_CASE(fail_secondary_that_goes_on_sending, LeasedPrimary)
{
    GoAlone();
    colo_shim shim{COLO_SHIM_FRAME, m_node.id, 0, 0x0800};
    BOOST_TEST(!colo_shim_is_current(&shim, &m_node));
    BOOST_TEST(m_node.epoch == 1U);
    // In plain mode nothing says so.
    Primary(". 1:11(10) ack 1 fill 'a'");
    Dropped();
    Secondary(". 1:11(10) ack 1 fill 'b'");
    BOOST_TEST(Dropped() == "1:11");
    BOOST_TEST(Reason() == "epoch");
    Input(COLO_SECONDARY, ArpFrame());
    BOOST_TEST(Reason() == "swallowed");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(!Event(COLO_EVENT_REQUEST));
    Wait(10000);
    BOOST_TEST(Actions() == "");
}

// Unprotected until a new secondary is synchronised by a full checkpoint.
BOOST_FIXTURE_TEST_CASE(fail_secondary_joins_again, LeasedPrimary)
{
    BOOST_TEST(!Event(COLO_EVENT_JOIN));
    GoAlone();
    Primary(". 1:11(10) ack 1");
    BOOST_TEST(Event(COLO_EVENT_JOIN));
    BOOST_TEST(Actions() == "pause request full");
    BOOST_TEST(!Event(COLO_EVENT_JOIN));
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(Event(COLO_EVENT_REPLY, 2));
    BOOST_TEST(Actions() == "state full");
    Primary(". 11:21(10) ack 1");
    BOOST_TEST(Released() == "1:11, 11:21");
    BOOST_TEST(Event(COLO_EVENT_RECEIVED, 2));
    BOOST_TEST(Actions() == "heartbeat term");
    BOOST_TEST(m_node.mode == COLO_MODE_PROTECTED);
    BOOST_TEST(m_node.term == 2U);
    BOOST_TEST(Event(COLO_EVENT_LOADED, 2));
    BOOST_TEST(!Answer());
    BOOST_TEST(Answer(0, 2));
    // The stream has followed the primary, and is compared again.
    Primary(". 21:31(10) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 21:31(10) ack 1");
    BOOST_TEST(Released() == "21:31");
    // The arbiter is told until it has heard.
    Actions();
    Wait(10);
    BOOST_TEST(Actions() == "heartbeat term");
    BOOST_TEST(Event(COLO_EVENT_TERM, 2));
    Wait(10);
    BOOST_TEST(Actions() == "heartbeat");
}

BOOST_FIXTURE_TEST_CASE(fail_secondary_join_breaks_off, LeasedPrimary)
{
    GoAlone();
    Event(COLO_EVENT_JOIN);
    Event(COLO_EVENT_PAUSED);
    Event(COLO_EVENT_REPLY, 2);
    Actions();
    BOOST_TEST(Event(COLO_EVENT_ABORT));
    BOOST_TEST(Actions() == "resume");
    BOOST_TEST(!Event(COLO_EVENT_RECEIVED, 2));
    Primary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "1:11");
    Wait(10000);
    BOOST_TEST(Actions() == "");
    BOOST_TEST(Event(COLO_EVENT_JOIN));
    BOOST_TEST(m_node.attempt == 3U);
}

// A secondary that holds no state yet is no protection, and knows it.
BOOST_FIXTURE_TEST_CASE(fail_secondary_that_joins, LeasedSecondary)
{
    colo_node_join(&m_node);
    BOOST_TEST(!Heartbeat(1));
    Wait(1000);
    BOOST_TEST(Actions() == "");
    const uint32_t far = 0xf0000000;
    BOOST_TEST(Event(COLO_EVENT_REQUEST, far));
    BOOST_TEST(!Event(COLO_EVENT_REQUEST, far - 1));
    BOOST_TEST(Event(COLO_EVENT_PAUSED));
    BOOST_TEST(Event(COLO_EVENT_STATE, far));
    BOOST_TEST(m_node.term == far);
    Actions();
    BOOST_TEST(Heartbeat(1, far));
    BOOST_TEST(Actions() == "answer");
    Isolate();
}

// Heartbeat lost: the secondary takes over, once it may (fail-primary).
BOOST_FIXTURE_TEST_CASE(fail_primary_secondary_takes_over, LeasedSecondary)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Isolate();
    BOOST_TEST(Actions() == "ask");
    Released();
    BOOST_TEST(!Event(COLO_EVENT_GRANTED, 1));
    BOOST_TEST(Event(COLO_EVENT_GRANTED, 0));
    BOOST_TEST(Actions() == "take-over");
    // What waited for the primary's numbers goes out, as its own.
    BOOST_TEST(Released() == "out S 1000000:1000000 ack 1");
    BOOST_TEST(colo_node_may_speak(&m_node, m_now));
    Wait(1000);
    BOOST_TEST(Actions() == "");
}

// Whoever tells a host without leases that the other one is lost is the arbiter, too.
struct UnleasedPrimary : EstablishedFlow
{
    bool LosePeer()
    {
        colo_out out;
        colo_out_init(&out);
        bool asks = colo_node_lose_peer(&m_node, m_now, &out);
        Absorb(out);
        return asks;
    }
};

BOOST_FIXTURE_TEST_CASE(fail_secondary_told_without_leases, UnleasedPrimary)
{
    Primary(". 1:11(10) ack 1");
    BOOST_TEST(LosePeer());
    BOOST_TEST(Actions() == "ask");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "");
    BOOST_TEST(LosePeer());
    BOOST_TEST(Event(COLO_EVENT_GRANTED, m_node.term));
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(Reason() == "unprotected");
    BOOST_TEST(!LosePeer());
}

BOOST_FIXTURE_TEST_CASE(fail_primary_told_without_leases, FixCore)
{
    colo_out out;
    colo_out_init(&out);
    BOOST_TEST(colo_node_lose_peer(&m_node, m_now, &out));
    Absorb(out);
    BOOST_TEST(Actions() == "ask");
    BOOST_TEST(Event(COLO_EVENT_GRANTED, m_node.term));
    BOOST_TEST(Actions() == "take-over");
    BOOST_TEST(m_node.failed_over);
}

// It holds no state to go on from.
BOOST_FIXTURE_TEST_CASE(fail_primary_not_by_one_that_joins, FixCore)
{
    colo_node_join(&m_node);
    colo_out out;
    colo_out_init(&out);
    BOOST_TEST(!colo_node_lose_peer(&m_node, m_now, &out));
    BOOST_TEST(m_node.mode == COLO_MODE_JOINING);
}
