/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What ends a run that does not get on, and its words.
 */
#define BOOST_TEST_MODULE scenario - stuck
#include "colo-stuck.h"

#include "ns3/simulator.h"

#include <boost/test/unit_test.hpp>

using namespace ns3;

namespace
{

constexpr uint64_t SECOND_NS = 1000000000;

/** A primary's node that holds packets of one flow, and the secondary's. */
struct Nodes
{
    Nodes()
    {
        colo_config config;
        colo_config_default(&config);
        colo_node_init(&primary, 0, COLO_ROLE_PRIMARY, &config, 0);
        colo_node_init(&secondary, 0, COLO_ROLE_SECONDARY, &config, 0);
        colo_key key{};
        key.family = 4;
        key.protocol = COLO_PROTOCOL_TCP;
        key.guest_port = 80;
        key.peer_port = 20000;
        colo_flow_init(&flow, &primary, &key, 0);
    }

    void Hold(colo_packet& packet, uint64_t arrivedNs)
    {
        packet.conn = &flow.conn;
        packet.arrived_ns = arrivedNs;
        list_add_tail(&packet.held, &primary.held);
    }

    std::string Describe() const
    {
        return ColoDescribeWaiting(3, primary, secondary);
    }

    colo_node primary;
    colo_node secondary;
    colo_flow flow;
    colo_packet packets[2]{};
};

struct Watched
{
    ~Watched()
    {
        Simulator::Destroy();
    }

    std::string Run(Time limit, Time quiet)
    {
        ColoStuckWatch watch(limit,
                             quiet,
                             {[this]() { return progress; },
                              []() {
                                  ColoOpenConversation open;
                                  open.client = 2;
                                  open.port = 20001;
                                  open.isConnected = false;
                                  return std::vector<ColoOpenConversation>{open};
                              }});
        watch.Start();
        Simulator::Schedule(finished, &ColoStuckWatch::Stop, &watch);
        Simulator::Run();
        isStuck = watch.IsStuck();
        return watch.GetWords();
    }

    uint64_t progress{0};
    Time finished{Seconds(3000)};
    bool isStuck{false};
};

/** Something that happens over and over. */
void
Tick(Time interval, uint64_t* progress)
{
    *progress += 1;
    Simulator::Schedule(interval, &Tick, interval, progress);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(words, Nodes)

BOOST_AUTO_TEST_CASE(nothing_waits)
{
    BOOST_TEST(Describe() == "");
    BOOST_TEST(!ColoIsOverdue(primary, Seconds(1000)));
}

BOOST_AUTO_TEST_CASE(held_packets_are_told_by_flow)
{
    Hold(packets[0], 2 * SECOND_NS);
    Hold(packets[1], 3 * SECOND_NS);
    BOOST_TEST(Describe() == "pair 3 holds packets: 2 of 0.0.0.0:80 > 0.0.0.0:20000 since 2.000 s");
}

BOOST_AUTO_TEST_CASE(checkpoint_is_told_with_its_phase)
{
    primary.cause = COLO_MISMATCH_FIN;
    primary.attempt = 4;
    primary.state = COLO_NODE_COMMITTED;
    BOOST_TEST(Describe() == "pair 3 is in a checkpoint (fin) to epoch 4: "
                             "primary committed, secondary running");
    primary.deferred = true;
    BOOST_TEST(Describe() == "pair 3 puts off a checkpoint (fin)");
}

BOOST_AUTO_TEST_CASE(overdue_is_what_should_have_asked_for_a_checkpoint)
{
    Hold(packets[0], 2 * SECOND_NS);
    BOOST_TEST(!ColoIsOverdue(primary, Seconds(5.5)));
    BOOST_TEST(ColoIsOverdue(primary, Seconds(6.5)));
    primary.state = COLO_NODE_TRANSFER;
    BOOST_TEST(!ColoIsOverdue(primary, Seconds(6.5)));
    primary.state = COLO_NODE_RUNNING;
    primary.mode = COLO_MODE_ALONE;
    BOOST_TEST(!ColoIsOverdue(primary, Seconds(6.5)));
}

BOOST_AUTO_TEST_CASE(conversations_are_told_by_turn)
{
    std::vector<ColoOpenConversation> open(6);
    open[0] = {1, 20007, true, 1, 4, true, 10, 500};
    open[1] = {1, 20008, true, 2, 4, false, 0, 7};
    open[2] = {0, 20009, true, 4, 4, false, 0, 0};
    open[3] = {0, 20010, false, 0, 4, false, 0, 0};
    BOOST_TEST(ColoDescribeOpen(open) ==
               "client 1 port 20007 is in turn 2 of 4, which brought 10 of 500 bytes, "
               "client 1 port 20008 is in turn 3 of 4, of which it sent 0 of 7 bytes, "
               "client 0 port 20009 has said and heard all 4 turns but is not closed, "
               "client 0 port 20010 is not connected, and 2 more");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(watch, Watched)

BOOST_AUTO_TEST_CASE(no_event_left_ends_it_at_once)
{
    ColoStuckWatch watch(
        Seconds(600),
        Seconds(300),
        {[]() { return 0; }, []() { return std::vector<ColoOpenConversation>{}; }});
    Simulator::Schedule(Seconds(4.5), [] {});
    watch.Start();
    Simulator::Run();
    BOOST_TEST(watch.GetWords() == "stuck at 5.000 s: nothing is left to happen");
}

BOOST_AUTO_TEST_CASE(no_progress_ends_it_in_time)
{
    uint64_t ignored = 0;
    Tick(MilliSeconds(100), &ignored);
    Simulator::Schedule(Seconds(7.5), [this] { progress = 1; });
    BOOST_TEST(Run(Seconds(600), Seconds(20)) ==
               "stuck at 29.000 s: no byte came or went for 20 s; client 2 port 20001 is not "
               "connected");
    BOOST_TEST(isStuck);
}

BOOST_AUTO_TEST_CASE(limit_ends_what_gets_on)
{
    Tick(Seconds(15), &progress);
    BOOST_TEST(Run(Seconds(60.5), Seconds(20)) ==
               "not over at 60.500 s: the time is over (--time); client 2 port 20001 is not "
               "connected");
    BOOST_TEST(!isStuck);
}

BOOST_AUTO_TEST_CASE(nothing_ends_what_is_over)
{
    finished = Seconds(2);
    Simulator::Schedule(Seconds(100), [] {});
    BOOST_TEST(Run(Seconds(60), Seconds(20)) == "");
    BOOST_TEST(Simulator::Now() == Seconds(100));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(longest_silence_counts_turns_and_starts)
{
    ColoDialogue dialogue;
    dialogue.conversations.resize(2);
    dialogue.conversations[1].start = Seconds(9);
    BOOST_TEST(ColoLongestSilence(dialogue) == Seconds(9));
    dialogue.conversations[0].turns = {{true, 1, Seconds(4)}, {false, 1, Seconds(11)}};
    BOOST_TEST(ColoLongestSilence(dialogue) == Seconds(11));
}
