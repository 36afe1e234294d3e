/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The core's user-space host alone, with a room that notes what it is told.
#define BOOST_TEST_MODULE model_engine
#include "model-engine-world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

namespace
{

uint32_t
SeqOf(const Bytes& frame)
{
    return colo_get32(frame.data() + 14 + 20 + 4);
}

uint32_t
AckOf(const Bytes& frame)
{
    return colo_get32(frame.data() + 14 + 20 + 8);
}

uint16_t
WindowOf(const Bytes& frame)
{
    return colo_get16(frame.data() + 14 + 20 + 14);
}

const std::string PAUSE_AND_REQUEST =
    "act " + std::to_string(COLO_ACTION_PAUSE | COLO_ACTION_SEND_REQUEST) + " epoch ";

} // namespace

BOOST_FIXTURE_TEST_CASE(holds_until_the_secondary_has_sent_the_same, PrimaryHost)
{
    Open();
    Primary("P. 1:101(100) ack 1");
    Primary("P. 101:201(100) ack 1");
    BOOST_TEST(room.Take().empty());
    BOOST_TEST(CountedFrame::alive == 2);
    const Bytes first = Build(COLO_PRIMARY, "P. 1:101(100) ack 1");
    Secondary("P. 1:201(200) ack 1");
    const Lines told{"release P matched 1", "release P matched 101", "drop S compared 1"};
    BOOST_TEST((room.Take() == told));
    BOOST_TEST((room.left[0] == first));
    BOOST_TEST(CountedFrame::alive == 0);
}

// A room that hears of the mismatch first can still tell which packets came after it.
BOOST_FIXTURE_TEST_CASE(tells_the_mismatch_then_packets_then_actions, PrimaryHost)
{
    Open();
    Primary("P. 1:101(100) ack 1");
    Primary("P. 101:201(100) ack 1 fill 'x'");
    Secondary("P. 1:151(150) ack 1");
    const Lines heard = room.Take();
    BOOST_REQUIRE(heard.size() == 3);
    BOOST_TEST(heard[0].substr(0, 14) == "mismatch bytes");
    BOOST_TEST(heard[0].substr(heard[0].size() - 6) == "at 101");
    BOOST_TEST(heard[1] == "release P matched 1");
    BOOST_TEST(heard[2] == PAUSE_AND_REQUEST + "1");
}

BOOST_FIXTURE_TEST_CASE(commit_releases_what_is_held_in_order_and_nothing_before, PrimaryHost)
{
    Open();
    Primary("P. 1:101(100) ack 1 fill 'x'");
    Secondary("P. 1:101(100) ack 1");
    Primary("P. 101:201(100) ack 1");
    Secondary("P. 101:201(100) ack 1");
    port = 40001;
    Primary("P. 9001:9101(100) ack 1");
    port = 40000;
    Primary("P. 201:301(100) ack 1");
    room.Take();

    BOOST_TEST(engine->Event(COLO_EVENT_PAUSED, 0, now));
    BOOST_TEST(engine->Event(COLO_EVENT_REPLY, 1, now));
    BOOST_TEST((room.Take() == Lines{"act 8 epoch 1"}));
    BOOST_TEST(engine->Event(COLO_EVENT_RECEIVED, 1, now));
    Lines told = room.Take();
    const Lines released{"release P commit 1",
                         "release P commit 101",
                         "release P commit 9001",
                         "release P commit 201"};
    BOOST_REQUIRE(told.size() >= released.size());
    BOOST_TEST((Lines(told.begin(), told.begin() + 4) == released));
    for (std::size_t i = released.size(); i < told.size(); i++)
    {
        BOOST_TEST(told[i].substr(0, 6) == "drop S");
    }
    BOOST_TEST(CountedFrame::alive == 0);
    BOOST_TEST(engine->GetNode().epoch == 1);
}

BOOST_FIXTURE_TEST_CASE(refuses_events_that_do_not_fit, PrimaryHost)
{
    BOOST_TEST(!engine->Event(COLO_EVENT_RECEIVED, 1, now));
    BOOST_TEST(!engine->Event(COLO_EVENT_PAUSED, 0, now));
    BOOST_TEST(engine->Event(COLO_EVENT_REQUEST, 0, now));
    BOOST_TEST(engine->Event(COLO_EVENT_PAUSED, 0, now));
    BOOST_TEST(!engine->Event(COLO_EVENT_REPLY, 2, now));
    BOOST_TEST(engine->GetNode().epoch == 0);
}

// The window of the secondary is the smaller: what leaves promises no more, and promises the rest
// once the secondary has room again.
BOOST_FIXTURE_TEST_CASE(edited_frames_leave_with_right_checksums_and_are_sent_again, PrimaryHost)
{
    Open();
    Secondary(". 1:1(0) ack 1001 win 300");
    Primary(". 1:1(0) ack 1001 win 2000");

    BOOST_REQUIRE(room.left.size() == 1);
    BOOST_TEST(WindowOf(room.left[0]) == 300);
    BOOST_TEST(IsChecksumRight(room.left[0]));

    Secondary(". 1:1(0) ack 1001 win 1500");
    BOOST_REQUIRE(room.left.size() == 2);
    BOOST_TEST(WindowOf(room.left[1]) == 1500);
    BOOST_TEST(IsChecksumRight(room.left[1]));
    BOOST_TEST(CountedFrame::alive >= 1, "the original stays in the engine");
}

BOOST_AUTO_TEST_CASE(clamped_acks_leave_with_right_checksums)
{
    colo_config config = DefaultConfig();
    config.ack_policy = COLO_ACK_CLAMP;
    World world(COLO_ROLE_PRIMARY, config);
    world.Open();
    world.Secondary(". 1:1(0) ack 501");
    world.Primary(". 1:1(0) ack 1001");
    BOOST_REQUIRE(world.room.left.size() == 1);
    BOOST_TEST(AckOf(world.room.left[0]) == CLIENT_ISN + 501);
    BOOST_TEST(IsChecksumRight(world.room.left[0]));
}

BOOST_AUTO_TEST_CASE(deadline_is_when_the_oldest_held_packet_times_out)
{
    colo_config config = DefaultConfig();
    config.compare_timeout_ns = 100 * MILLISECOND;
    World world(COLO_ROLE_PRIMARY, config);
    world.Open();
    BOOST_TEST(world.engine->GetDeadline() == COLO_NEVER_NS);
    world.Primary("P. 1:101(100) ack 1");
    const uint64_t due = world.now + 100 * MILLISECOND;
    BOOST_TEST(world.engine->GetDeadline() == due);
    world.now += 40 * MILLISECOND;
    world.Primary("P. 101:201(100) ack 1");
    BOOST_TEST(world.engine->GetDeadline() == due);

    world.engine->Poll(due - 1);
    BOOST_TEST(world.room.Take().empty());
    world.engine->Poll(due);
    const Lines told = world.room.Take();
    BOOST_REQUIRE(told.size() == 2);
    BOOST_TEST(told[0].substr(0, 21) == "mismatch timeout-data");
    BOOST_TEST(told[1] == PAUSE_AND_REQUEST + "1");
    BOOST_TEST(world.engine->GetDeadline() == COLO_NEVER_NS, "the checkpoint will release it");
}

BOOST_AUTO_TEST_CASE(poll_makes_periodic_checkpoints)
{
    colo_config config = DefaultConfig();
    config.checkpoint_interval_max_ns = SECOND;
    World world(COLO_ROLE_PRIMARY, config);
    BOOST_TEST(world.engine->GetDeadline() == world.now + SECOND);
    world.now += SECOND;
    world.engine->Poll(world.now);
    BOOST_TEST((world.room.Take() == Lines{PAUSE_AND_REQUEST + "1"}));
    world.Commit(1);
    BOOST_TEST(world.engine->Event(COLO_EVENT_LOADED, 1, world.now));
    BOOST_TEST(world.engine->GetDeadline() == world.now + SECOND);
}

BOOST_AUTO_TEST_CASE(connections_go_after_their_timeouts)
{
    colo_config config = DefaultConfig();
    config.idle_timeout_ns = 100 * SECOND;
    config.closed_timeout_ns = 10 * SECOND;
    World world(COLO_ROLE_PRIMARY, config);
    world.Open();
    world.port = 40001;
    world.Open();
    world.Primary("F. 1:1(0) ack 1");
    world.Secondary("F. 1:1(0) ack 1");
    world.Observe(COLO_INBOUND, "F. 1:1(0) ack 2");
    world.Primary(". 2:2(0) ack 2");
    world.Secondary(". 2:2(0) ack 2");
    BOOST_TEST(world.engine->GetConnections() == 2);

    world.port = 40002;
    world.now += 10 * SECOND;
    world.Open();
    BOOST_TEST(world.engine->GetConnections() == 2, "the closed one went");
    world.now += 90 * SECOND;
    world.Primary(". 1:1(0) ack 1");
    BOOST_TEST(world.engine->GetConnections() == 1, "the idle one went");
}

BOOST_AUTO_TEST_CASE(table_does_not_grow_with_the_number_of_connections_that_were)
{
    for (colo_role role : {COLO_ROLE_PRIMARY, COLO_ROLE_SECONDARY})
    {
        World world(role);
        if (role == COLO_ROLE_SECONDARY)
        {
            world.secondaryIsn = SECONDARY_ISN;
        }
        for (int i = 0; i < 500; i++)
        {
            world.port = 10000 + i;
            if (role == COLO_ROLE_PRIMARY)
            {
                world.Open();
                world.Primary("R. 1:1(0) ack 1");
                world.Secondary("R. 1:1(0) ack 1");
            }
            else
            {
                world.Input(COLO_INBOUND, world.Build(COLO_INBOUND, "S 0:0(0)"));
                world.Observe(COLO_PRIMARY, "S. 0:0(0) ack 1");
                world.Secondary("S. 0:0(0) ack 1");
                world.Input(COLO_INBOUND, world.Build(COLO_INBOUND, "R 1:1(0)"));
            }
            world.now += SECOND;
        }
        BOOST_TEST(world.engine->GetConnections() <= 62, "role " << role);
    }
}

BOOST_AUTO_TEST_CASE(full_table_forgets_the_longest_idle_connection)
{
    World world(COLO_ROLE_PRIMARY, DefaultConfig(), 3);
    for (uint16_t port : {40000, 40001, 40002})
    {
        world.port = port;
        world.Open();
        world.now += SECOND;
    }
    world.port = 40000;
    world.Primary("P. 1:101(100) ack 1"); // held, so 40001 is the oldest that may go
    world.port = 40003;
    world.Open();
    BOOST_TEST(world.engine->GetConnections() == 3);
    world.port = 40000;
    world.Secondary("P. 1:101(100) ack 1");
    BOOST_TEST(world.room.left.size() == 1, "nothing that was held is lost");
    world.port = 40002;
    world.Primary("P. 1:101(100) ack 1");
    world.Secondary("P. 1:101(100) ack 1");
    BOOST_TEST(world.room.left.size() == 2, "40002 is still known");
}

// Rule no-loss: a P is dropped only when every connection of a full table holds something.
BOOST_AUTO_TEST_CASE(full_table_of_busy_connections_drops_the_newcomer)
{
    World world(COLO_ROLE_PRIMARY, DefaultConfig(), 2);
    for (uint16_t port : {40000, 40001})
    {
        world.port = port;
        world.Open();
        world.Primary("P. 1:101(100) ack 1");
    }
    world.port = 40002;
    world.Observe(COLO_INBOUND, "S 0:0(0)");
    world.Primary("S. 0:0(0) ack 1");
    BOOST_TEST((world.room.Take() == Lines{"drop P limit"}));
    BOOST_TEST(world.engine->GetConnections() == 2);
    world.port = 40001;
    world.Secondary("P. 1:101(100) ack 1");
    BOOST_TEST(world.room.left.size() == 1);
}

BOOST_AUTO_TEST_CASE(full_table_of_the_secondary_lets_unknown_connections_pass_unfixed)
{
    World world(COLO_ROLE_SECONDARY, DefaultConfig(), 1);
    world.secondaryIsn = SECONDARY_ISN;
    world.Input(COLO_INBOUND, world.Build(COLO_INBOUND, "S 0:0(0)"));
    world.Secondary("S. 0:0(0) ack 1"); // waits for its hint, so it cannot be evicted
    world.room.Take();
    world.port = 40001;
    world.Input(COLO_INBOUND, world.Build(COLO_INBOUND, "S 0:0(0)"));
    BOOST_TEST((world.room.Take() == Lines{"release C unfixed"}));
    BOOST_TEST(world.engine->GetConnections() == 1);
}

BOOST_FIXTURE_TEST_CASE(held_packets_die_with_the_engine, PrimaryHost)
{
    Open("<mss 1460,wscale 2>");
    Primary("P. 1:101(100) ack 1");     // waits for bytes
    Primary("P. 301:401(100) ack 1");   // behind a gap
    Primary(". 1:1(0) ack 900");        // waits for an ack
    Secondary("P. 501:601(100) ack 1"); // behind a gap
    port = 40001;
    Open();
    Secondary(". 1:1(0) ack 1001 win 300");
    Primary(". 1:1(0) ack 1001 win 2000"); // kept, to be sent again
    Secondary("P. 1:101(100) ack 1001");   // extra
    port = 40002;
    Open();
    Primary("P. 1:101(100) ack 1");
    Primary("S. 5000:5000(0) ack 1"); // of the next generation
    BOOST_TEST(CountedFrame::alive >= 8);
}

BOOST_FIXTURE_TEST_CASE(waiting_packets_die_with_the_secondarys_engine, SecondaryHost)
{
    Input(COLO_INBOUND, Build(COLO_INBOUND, "S 0:0(0)"));
    Secondary("S. 0:0(0) ack 1");
    Input(COLO_INBOUND, Build(COLO_INBOUND, ". 1:1(0) ack 1"));
    BOOST_TEST(CountedFrame::alive == 2);
}

// Rules malformed and l2-other.
BOOST_FIXTURE_TEST_CASE(unparsable_frames_of_the_primary_pass_and_of_the_secondary_do_not,
                        PrimaryHost)
{
    const Bytes whole = Build(COLO_PRIMARY, "P. 1:101(100) ack 1");
    Bytes lying = whole;
    lying[14 + 20 + 12] = 0x10; // a TCP header of four bytes
    const std::vector<Bytes> frames{Bytes(),
                                    Bytes(13),
                                    Bytes(whole.begin(), whole.begin() + 14),
                                    Bytes(whole.begin(), whole.begin() + 33),
                                    Bytes(whole.begin(), whole.begin() + 50),
                                    lying};
    for (std::size_t i = 0; i < frames.size(); i++)
    {
        Input(COLO_PRIMARY, frames[i]);
        BOOST_TEST((room.Take() == Lines{"release P malformed"}), "frame " << i);
        BOOST_TEST((room.left.back() == frames[i]));
        Input(COLO_SECONDARY, frames[i]);
        BOOST_TEST((room.Take() == Lines{"drop S malformed-secondary"}), "frame " << i);
        CountedFrame inbound(COLO_INBOUND, frames[i]);
        engine->Observe(inbound, now);
        BOOST_TEST(room.Take().empty());
    }
    BOOST_TEST(engine->GetConnections() == 0);
}

BOOST_FIXTURE_TEST_CASE(secondary_lets_unknown_connections_and_other_frames_pass, SecondaryHost)
{
    const std::map<colo_side, std::string> lines{{COLO_SECONDARY, "P. 1:101(100) ack 1"},
                                                 {COLO_INBOUND, ". 1:1(0) ack 1"}};
    for (const auto& [side, line] : lines)
    {
        for (const Bytes& frame : {Build(side, line), Bytes(13), Bytes(60)})
        {
            room.Take();
            Input(side, frame);
            BOOST_REQUIRE(room.Take().size() == 1);
            BOOST_TEST((room.left.back() == frame));
        }
    }
    BOOST_TEST(engine->GetConnections() == 0, "only a SYN begins an entry");
}

BOOST_FIXTURE_TEST_CASE(secondarys_numbers_become_the_primarys_with_right_checksums, SecondaryHost)
{
    Input(COLO_INBOUND, Build(COLO_INBOUND, "S 0:0(0)"));
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(room.left.size() == 1, "waits for the hint");
    Observe(COLO_PRIMARY, "S. 0:0(0) ack 1");
    BOOST_TEST(room.left.size() == 2);
    Secondary("P. 1:101(100) ack 1");
    Input(COLO_INBOUND, Build(COLO_INBOUND, ". 1:1(0) ack 101"));
    BOOST_REQUIRE(room.left.size() == 4);
    BOOST_TEST(SeqOf(room.left[2]) == PRIMARY_ISN + 1);
    BOOST_TEST(AckOf(room.left[3]) == SECONDARY_ISN + 101);
    for (const Bytes& frame : room.left)
    {
        BOOST_TEST(IsChecksumRight(frame));
    }
}

BOOST_FIXTURE_TEST_CASE(secondarys_waiting_packets_expire_or_go_out_at_a_failover, SecondaryHost)
{
    for (bool failsOver : {false, true})
    {
        port++;
        Input(COLO_INBOUND, Build(COLO_INBOUND, "S 0:0(0)"));
        Secondary("S. 0:0(0) ack 1");
        room.Take();
        if (failsOver)
        {
            engine->LosePeer(now);
            room.Take();
            engine->Event(COLO_EVENT_GRANTED, engine->GetNode().term, now);
            const Lines told = room.Take();
            BOOST_REQUIRE(told.size() == 2);
            BOOST_TEST(told[0].substr(0, 9) == "release S");
            BOOST_TEST(told[1].substr(0, 3) == "act");
            continue;
        }
        now = engine->GetDeadline();
        engine->Poll(now);
        BOOST_TEST((room.Take() == Lines{"drop S expired"}));
        BOOST_TEST(engine->GetDeadline() == COLO_NEVER_NS);
    }
}

// The room of the simulation sends, and so may be back before the engine has told everything.
BOOST_FIXTURE_TEST_CASE(room_may_come_back_from_within, PrimaryHost)
{
    Open();
    Primary("P. 1:101(100) ack 1");
    Primary("P. 101:201(100) ack 1");
    int depth = 0;
    room.onRelease = [&] {
        if (depth++ == 0)
        {
            Primary("P. 201:301(100) ack 1");
            Secondary("P. 201:301(100) ack 1");
        }
    };
    room.onAct = [&](uint32_t actions) {
        if (actions & COLO_ACTION_PAUSE)
        {
            engine->Event(COLO_EVENT_PAUSED, 0, now);
            engine->Event(COLO_EVENT_REPLY, 1, now);
        }
    };
    Secondary("P. 1:201(200) ack 1");
    BOOST_TEST(room.left.size() == 3);
    engine->Event(COLO_EVENT_REQUEST, 0, now);
    BOOST_TEST(engine->GetNode().state == COLO_NODE_TRANSFER);
}

// What is decided while the room is told something must not overtake it (rule order).
BOOST_FIXTURE_TEST_CASE(what_the_room_causes_leaves_after_what_it_is_told, PrimaryHost)
{
    Open();
    Primary("P. 1:101(100) ack 1");
    Primary("P. 101:201(100) ack 1");
    room.onRelease = [&] {
        room.onRelease = nullptr;
        Primary("P. 201:301(100) ack 1");
        Secondary("P. 201:301(100) ack 1");
    };
    Secondary("P. 1:201(200) ack 1");
    const Lines told{"release P matched 1",
                     "release P matched 101",
                     "drop S compared 1",
                     "release P matched 201",
                     "drop S compared 201"};
    BOOST_TEST((room.Take() == told));
}

BOOST_FIXTURE_TEST_CASE(tcp_gso_segments_leave_ahead_of_the_rest, PrimaryHost)
{
    Open();
    gsoSize = 100;
    Primary("FP. 1:451(450) ack 1");
    gsoSize = 0;
    Secondary("P. 1:251(250) ack 1");
    BOOST_TEST((room.Take() == Lines{"emit P matched 1", "emit P matched 1", "drop S compared 1"}));
    Secondary("FP. 251:451(200) ack 1");
    BOOST_TEST((room.Take() == Lines{"release P matched 201", "drop S compared 251"}));

    BOOST_REQUIRE(room.left.size() == 3);
    const std::vector<std::string> lines{". 1:101(100) ack 1",
                                         ". 101:201(100) ack 1",
                                         "FP. 201:451(250) ack 1"};
    for (std::size_t i = 0; i < lines.size(); i++)
    {
        BOOST_TEST(IsChecksumRight(room.left[i]));
        Bytes expected = Build(COLO_PRIMARY, lines[i]);
        colo_put16(&expected[14 + 4], colo_get16(&expected[14 + 4]) + i); // identification
        BOOST_TEST(Bytes(room.left[i].begin() + 26, room.left[i].end()) ==
                       Bytes(expected.begin() + 26, expected.end()),
                   boost::test_tools::per_element());
        BOOST_TEST(colo_get16(&room.left[i][14 + 4]) == colo_get16(&expected[14 + 4]));
    }
}

BOOST_FIXTURE_TEST_CASE(tcp_remirror_says_the_clients_last_ack_again, PrimaryHost)
{
    Open();
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST((room.Take() == Lines{"remirror", "drop S secondary-repeat"}));
    BOOST_REQUIRE(room.remirrored.size() == 1);
    const Bytes& frame = room.remirrored[0];
    BOOST_TEST(IsChecksumRight(frame));
    BOOST_TEST(SeqOf(frame) == CLIENT_ISN + 1);
    BOOST_TEST(AckOf(frame) == PRIMARY_ISN + 1);
}

namespace
{

constexpr int MANY = 200; // more than three calls of the core let go

// The secondary's first bytes are still to come.
struct GapHost : PrimaryHost
{
    GapHost()
    {
        Open();
        for (int i = 0; i < MANY; i++)
        {
            Primary(Line(i));
        }
        for (int i = MANY - 1; i > 0; i--)
        {
            Secondary(Line(i));
        }
        BOOST_TEST(room.Take().empty());
    }

    static std::string Line(int number)
    {
        const int seq = 1 + 10 * number;
        return ". " + std::to_string(seq) + ":" + std::to_string(seq + 10) + "(10) ack 1";
    }

    bool IsInOrder(int count) const
    {
        bool isIt = room.left.size() == std::size_t(count);
        for (std::size_t i = 0; i < room.left.size(); i++)
        {
            isIt = isIt && SeqOf(room.left[i]) == PRIMARY_ISN + 1 + 10 * i;
        }
        return isIt;
    }
};

} // namespace

// The room gets, and frees, some of it before the next are let go.
BOOST_FIXTURE_TEST_CASE(goes_on_with_what_a_call_left, GapHost)
{
    Secondary(Line(0));
    BOOST_TEST(IsInOrder(MANY));
    BOOST_TEST(CountedFrame::alive == 0);
    const Lines heard = room.Take();
    const auto isDrop = [](const std::string& line) { return line.substr(0, 4) == "drop"; };
    const auto firstDrop = std::find_if(heard.begin(), heard.end(), isDrop);
    BOOST_TEST((firstDrop - heard.begin() == 64));
    BOOST_TEST(engine->GetDeadline() == COLO_NEVER_NS);
}

// A room that comes back from a release does not overtake what is still to leave.
BOOST_FIXTURE_TEST_CASE(goes_on_in_order_when_the_room_comes_back, GapHost)
{
    bool isFirst = true;
    room.onRelease = [&] {
        if (std::exchange(isFirst, false))
        {
            Primary(Line(MANY));
            Secondary(Line(MANY));
        }
    };
    Secondary(Line(0));
    BOOST_TEST(IsInOrder(MANY + 1));
    BOOST_TEST(CountedFrame::alive == 0);
}

BOOST_AUTO_TEST_CASE(keys_read_guest_first)
{
    colo_key key{};
    key.family = 4;
    key.protocol = COLO_PROTOCOL_TCP;
    key.guest[0] = 10;
    key.guest[3] = 2;
    key.peer[0] = 192;
    key.guest_port = 80;
    key.peer_port = 40000;
    BOOST_TEST(ColoKeyToString(key) == "10.0.0.2:80 > 192.0.0.0:40000");
    key.family = 6;
    BOOST_TEST(ColoKeyToString(key) == "[a00:2::]:80 > [c000::]:40000");
}
