/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A call of the core does a bounded part of a large piece of work, and the room goes on with it.
#define BOOST_TEST_MODULE core_call
#include "core-failover.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>

using namespace colo_test;

namespace
{

const int COUNT = 200; // more than three calls do

std::string
Range(int number)
{
    return std::to_string(1 + 10 * number) + ":" + std::to_string(11 + 10 * number);
}

std::string
Data(int number, uint32_t ack = 1)
{
    return ". " + Range(number) + "(10) ack " + std::to_string(ack);
}

std::string
Joined(const std::string& list, const std::string& more)
{
    return list.empty() || more.empty() ? list + more : list + ", " + more;
}

std::string
Ranges(int from, int to)
{
    std::string text;
    for (int i = from; i < to; i++)
    {
        text = Joined(text, Range(i));
    }
    return text;
}

int
CountOf(const std::string& list)
{
    return list.empty() ? 0 : int(std::count(list.begin(), list.end(), ',')) + 1;
}

// The last packet of the secondary's closes a gap before all the others. Nobody goes on.
template <typename Base>
struct ClosedGap : Base
{
    explicit ClosedGap(int count = COUNT)
    {
        this->m_goesOn = false;
        CloseGap(count);
    }

    void CloseGap(int count)
    {
        for (int i = 0; i < count; i++)
        {
            this->Primary(Data(i));
        }
        for (int i = count - 1; i >= 0; i--)
        {
            this->Secondary(Data(i));
        }
    }

    // What leaves by going on to the end.
    std::string Rest()
    {
        std::string all;
        for (int calls = 0; colo_node_is_unfinished(&this->m_node); calls++)
        {
            BOOST_REQUIRE(calls < COUNT);
            this->GoOn();
            all = Joined(all, this->Released());
        }
        return all;
    }
};

struct GapFlow : ClosedGap<EstablishedFlow>
{
};

struct GapOfLeased : ClosedGap<LeasedPrimary>
{
};

struct CalledFlow : ClosedGap<EstablishedFlow>
{
    CalledFlow()
        : ClosedGap(0)
    {
    }
};

} // namespace

// Each call compares and lets go so many, and all leaves in order.
BOOST_FIXTURE_TEST_CASE(bounded_call_that_closes_a_gap, GapFlow)
{
    const int max = int(m_node.config.call_max);
    std::string all;
    for (int done = 0; done < COUNT; done += max)
    {
        BOOST_TEST(colo_node_is_unfinished(&m_node) == (done + max < COUNT));
        const std::string released = Released();
        BOOST_TEST(CountOf(released) == std::min(max, COUNT - done));
        BOOST_TEST(CountOf(Dropped()) == std::min(max, COUNT - done));
        all = Joined(all, released);
        GoOn();
    }
    BOOST_TEST(all == Ranges(0, COUNT));
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(m_node.extra_count == 0U);
}

// Also what matched long ago and waited for an ack, with data or without.
BOOST_FIXTURE_TEST_CASE(bounded_call_that_lets_acks_go, CalledFlow)
{
    for (int i = 0; i < COUNT; i++)
    {
        Primary(Data(i, 501));
        Secondary(Data(i));
        Primary(". 1:1(0) ack 501");
    }
    BOOST_TEST(Released() == "");
    Secondary(". 2001:2001(0) ack 501");
    std::string all;
    for (bool more = true; more; GoOn())
    {
        more = colo_node_is_unfinished(&m_node);
        const std::string released = Released();
        BOOST_TEST(CountOf(released) <= 2 * int(m_node.config.call_max));
        all = Joined(all, released);
    }
    BOOST_TEST(CountOf(all) == 2 * COUNT);
    BOOST_TEST(all.substr(0, Ranges(0, COUNT).size()) == Ranges(0, COUNT));
}

BOOST_FIXTURE_TEST_CASE(bounded_call_of_datagrams, CalledFlow)
{
    Primary("udp data \"first\"");
    for (int i = 0; i < COUNT; i++)
    {
        Primary("udp data \"" + std::to_string(i) + "\"");
        Secondary("udp data \"" + std::to_string(i) + "\"");
    }
    BOOST_TEST(Released() == "");
    Secondary("udp data \"first\"");
    BOOST_TEST(CountOf(Released()) == int(m_node.config.call_max));
    BOOST_TEST(CountOf(Rest()) == COUNT + 1 - int(m_node.config.call_max));
    BOOST_TEST(m_node.held_count == 0U);
}

// A room may want all at once.
BOOST_FIXTURE_TEST_CASE(bounded_call_or_not, CalledFlow)
{
    m_node.config.call_max = 0;
    CloseGap(COUNT);
    BOOST_TEST(!colo_node_is_unfinished(&m_node));
    BOOST_TEST(Released() == Ranges(0, COUNT));
}

// Acks and copies leave when they would have left had the call not been bounded.
BOOST_FIXTURE_TEST_CASE(order_of_a_bounded_call, CalledFlow)
{
    Primary(". 1:1(0) ack 501");
    for (int i = 0; i < COUNT; i++)
    {
        Primary(Data(i));
    }
    for (int i = COUNT - 1; i > 0; i--)
    {
        Secondary(Data(i));
    }
    Secondary(Data(0, 501));
    BOOST_TEST(Joined(Released(), Rest()) == Ranges(0, COUNT) + ", ack 501 win 1000");
}

// Segments that were sent later do not pass what is still to leave.
BOOST_FIXTURE_TEST_CASE(order_of_segments_behind_a_bounded_call, CalledFlow)
{
    for (int i = 0; i < COUNT; i++)
    {
        Primary(Data(i, 501));
        Secondary(Data(i));
    }
    Secondary(". 2001:4001(2000) ack 501");
    std::string all = Released();
    BOOST_TEST(colo_node_is_unfinished(&m_node));
    m_gsoSize = 1000;
    Primary(". 2001:5001(3000) ack 501");
    BOOST_TEST(colo_node_is_unfinished(&m_node));
    all = Joined(all, Released());
    BOOST_TEST(Joined(all, Rest()) == Ranges(0, COUNT) + ", part 0:2000");
}

// What comes in between is compared as ever, and leaves behind what was before it.
BOOST_FIXTURE_TEST_CASE(order_of_what_comes_before_the_room_goes_on, GapFlow)
{
    std::string all = Released();
    Primary(Data(COUNT));
    all = Joined(all, Released());
    Secondary(Data(COUNT));
    all = Joined(all, Released());
    BOOST_TEST(colo_node_is_unfinished(&m_node));
    BOOST_TEST(Joined(all, Rest()) == Ranges(0, COUNT + 1));
}

// There is one place for what is unfinished: another connection's call does all at once.
BOOST_FIXTURE_TEST_CASE(no_loss_by_calls_of_two_connections, GapFlow)
{
    const std::string begun = Released();
    m_port++;
    CloseGap(COUNT);
    BOOST_TEST(Released() == Ranges(0, COUNT));
    BOOST_TEST(Joined(begun, Rest()) == Ranges(0, COUNT));
    BOOST_TEST(m_node.held_count == 0U);
}

// A commit lets go all that the call had left, and nothing of it twice.
BOOST_FIXTURE_TEST_CASE(no_loss_by_a_commit_before_the_room_goes_on, GapFlow)
{
    std::string all = Released();
    Checkpoint();
    all = Joined(all, Released());
    BOOST_TEST(all == Ranges(0, COUNT));
    BOOST_TEST(Rest() == "");
    Primary(Data(COUNT));
    BOOST_TEST(m_node.held_count == 1U);
    Secondary(Data(COUNT));
    BOOST_TEST(Released() == Range(COUNT));
}

// So does a primary that is alone, and what follows is released unprotected.
BOOST_FIXTURE_TEST_CASE(no_loss_by_a_failover_before_the_room_goes_on, GapOfLeased)
{
    std::string all = Released();
    Hang(51);
    Event(COLO_EVENT_ABORT);
    BOOST_REQUIRE(m_node.mode == COLO_MODE_ISOLATED);
    BOOST_REQUIRE(Event(COLO_EVENT_GRANTED, m_node.term));
    all = Joined(all, Released());
    BOOST_TEST(all == Ranges(0, COUNT));
    BOOST_TEST(Rest() == "");
    Primary(Data(COUNT));
    BOOST_TEST(Released() == Range(COUNT));
}

// Going on is speaking: not under a lease that is over, but once it is renewed.
BOOST_FIXTURE_TEST_CASE(fail_fence_before_the_room_goes_on, GapOfLeased)
{
    const std::string begun = Released();
    Hang(50);
    BOOST_TEST(Rest() == "");
    BOOST_TEST(Answer(10));
    BOOST_TEST(Joined(begun, Joined(Released(), Rest())) == Ranges(0, COUNT));
}

// Then each connection lets go all that it may, as in a walk over what is held.
BOOST_FIXTURE_TEST_CASE(fail_fence_renewed_is_one_call, LeasedPrimary)
{
    m_node.config.call_max = 1;
    Hang(50);
    Primary(". 1:1(0) ack 1");
    for (int i = 0; i < 3; i++)
    {
        Primary(Data(i));
        Secondary(Data(i));
    }
    BOOST_TEST(Released() == "");
    m_goesOn = false;
    BOOST_TEST(Answer(10));
    BOOST_TEST(Released() == Ranges(0, 3) + ", ack 1 win 1000");
    BOOST_TEST(!colo_node_is_unfinished(&m_node));
}

// One that is fenced has dropped it all, and the room has freed it.
BOOST_FIXTURE_TEST_CASE(fail_fence_denied_before_the_room_goes_on, GapOfLeased)
{
    Released();
    Hang(51);
    Event(COLO_EVENT_ABORT);
    BOOST_REQUIRE(Event(COLO_EVENT_DENIED, m_node.term));
    for (auto& packet : m_done)
    {
        memset(&packet->core, 0xa5, sizeof(packet->core));
    }
    BOOST_TEST(Rest() == "");
    BOOST_TEST(m_held.empty());
}

// The client resets the connection, which then holds nothing and may be given up.
BOOST_FIXTURE_TEST_CASE(bounded_call_of_a_connection_given_up, GapFlow)
{
    Client("R 1:1(0)");
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(colo_node_evict(&m_node) == &Flow().conn);
    BOOST_TEST(!colo_node_is_unfinished(&m_node));
}

// A connection that ends while a call goes on is soon forgotten.
BOOST_FIXTURE_TEST_CASE(bounded_call_of_a_connection_that_ends, CalledFlow)
{
    m_node.config.call_max = 1;
    Primary(Data(0));
    Primary("R 11:11(0)");
    Secondary("R 11:11(0)");
    Secondary(Data(0));
    BOOST_TEST(Joined(Released(), Rest()) == "1:11, R 11:11");
    BOOST_TEST(Flow().conn.closed);
}

// A room that only polls when it is time goes on as well.
BOOST_FIXTURE_TEST_CASE(liveness_of_a_bounded_call, GapFlow)
{
    Wait(0);
    BOOST_TEST(!colo_node_is_unfinished(&m_node));
    BOOST_TEST(Released() == Ranges(0, COUNT));
}
