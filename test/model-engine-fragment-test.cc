/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Fragments on their way through the engine: put together, judged, and away as they came.
#define BOOST_TEST_MODULE model_engine_fragment
#include "model-engine-world.h"
#include "model-fragments.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

using colo_test::BuildFragment;
using colo_test::BuildWhole;
using colo_test::Cut;
using colo_test::CutOut;
using colo_test::Datagram;
using colo_test::DatagramOf;
using colo_test::UdpOf;

namespace
{

/** Where TCP begins in a frame without IP options, tags or extension headers. */
constexpr std::size_t TCP_AT = 14 + 20;

struct FragmentWorld : World
{
    using World::World;

    void InputAll(colo_side side, const std::vector<Bytes>& frames)
    {
        for (const Bytes& frame : frames)
        {
            Input(side, frame);
        }
    }

    Datagram BuildTcp(colo_side side, const std::string& line, int family = 4) const
    {
        Numbering numbering;
        numbering.family = family;
        numbering.port = port;
        numbering.inbound = side == COLO_INBOUND;
        numbering.seq = side == COLO_PRIMARY ? PRIMARY_ISN : secondaryIsn;
        numbering.ack = CLIENT_ISN;
        if (numbering.inbound)
        {
            numbering.seq = CLIENT_ISN;
            numbering.ack = PRIMARY_ISN;
        }
        return DatagramOf(BuildFrame(line, numbering));
    }
};

struct PrimaryFragments : FragmentWorld
{
    PrimaryFragments()
        : FragmentWorld(COLO_ROLE_PRIMARY)
    {
    }
};

struct SecondaryFragments : FragmentWorld
{
    SecondaryFragments()
        : FragmentWorld(COLO_ROLE_SECONDARY)
    {
        secondaryIsn = SECONDARY_ISN;
    }
};

/** Every eight bytes. */
std::vector<uint32_t>
Tiny(const Datagram& datagram)
{
    std::vector<uint32_t> cuts;
    for (uint32_t at = 8; at < datagram.data.size(); at += 8)
    {
        cuts.push_back(at);
    }
    return cuts;
}

Datagram
UdpDatagram(std::size_t length, int family = 4)
{
    Datagram datagram;
    datagram.family = family;
    datagram.data = UdpOf(length);
    return datagram;
}

/** The datagram that these fragments carry, as a frame; they have to be in order. */
Bytes
Join(const std::vector<Bytes>& fragments)
{
    const std::size_t headers = TCP_AT;
    Bytes whole(fragments[0].begin(), fragments[0].begin() + headers);
    for (const Bytes& fragment : fragments)
    {
        const uint16_t offset = colo_get16(&fragment[14 + 6]) % 0x2000;
        BOOST_TEST(offset * 8 == whole.size() - headers);
        whole.insert(whole.end(), fragment.begin() + headers, fragment.end());
    }
    colo_put16(&whole[14 + 2], whole.size() - 14);
    return whole;
}

} // namespace

// Rule flow key.
BOOST_AUTO_TEST_CASE(case_fragments_cut_differently)
{
    for (int family : {4, 6})
    {
        for (bool isTcp : {false, true})
        {
            for (bool differs : {false, true})
            {
                BOOST_TEST_CONTEXT("IPv" << family << (isTcp ? " TCP" : " UDP") << " " << differs)
                {
                    FragmentWorld world(COLO_ROLE_PRIMARY);
                    Datagram datagram = UdpDatagram(1044, family);
                    if (isTcp)
                    {
                        datagram = world.BuildTcp(COLO_PRIMARY, "P. 1:1045(1044) ack 1", family);
                    }
                    const auto sent = Cut(datagram, {504, 1008});
                    world.InputAll(COLO_PRIMARY, {sent[2], sent[0], sent[1]});
                    BOOST_TEST(world.room.Take().empty());

                    Datagram other = datagram;
                    other.id = 4711;
                    for (std::size_t i = 1; differs && i <= 44; i++)
                    {
                        other.data[other.data.size() - i] ^= 0x55;
                    }
                    world.InputAll(COLO_SECONDARY, Cut(other, {8, 24, 800}));
                    if (!differs)
                    {
                        BOOST_TEST((world.room.left == sent));
                        const Lines lines = world.room.Take();
                        const Lines released(3, "release P matched");
                        BOOST_REQUIRE(lines.size() >= 3);
                        BOOST_TEST((Lines(lines.begin(), lines.begin() + 3) == released));
                        continue;
                    }
                    BOOST_TEST(world.room.left.empty());
                    if (!isTcp)
                    {
                        world.now = world.engine->GetDeadline();
                        world.engine->Poll(world.now);
                    }
                    const Lines lines = world.room.Take();
                    BOOST_TEST(std::any_of(lines.begin(), lines.end(), [](auto& line) {
                        return line.substr(0, 8) == "mismatch";
                    }));
                    BOOST_TEST(world.room.left.empty());
                    world.Commit(1);
                    BOOST_TEST((world.room.left == sent));
                }
            }
        }
    }
}

// Fragmented here, whole there.
BOOST_FIXTURE_TEST_CASE(only_one_guest_fragments, PrimaryFragments)
{
    const Datagram datagram = UdpDatagram(500);
    InputAll(COLO_PRIMARY, Cut(datagram, {256}));
    Input(COLO_SECONDARY, BuildWhole(datagram));
    BOOST_TEST((room.left == Cut(datagram, {256})));
    room.left.clear();
    room.Take();
    InputAll(COLO_SECONDARY, Cut(datagram, {256}));
    Input(COLO_PRIMARY, BuildWhole(datagram));
    BOOST_TEST((room.left == std::vector<Bytes>{BuildWhole(datagram)}));
    const Lines told{"release P matched", "drop S compared", "drop S compared"};
    BOOST_TEST((room.Take() == told));
    BOOST_TEST(CountedFrame::alive == 0);
}

BOOST_FIXTURE_TEST_CASE(edits_reach_headers_that_are_spread_over_fragments, PrimaryFragments)
{
    Open();
    Secondary("P. 1:9(8) ack 1001 win 300");
    const Datagram datagram = BuildTcp(COLO_PRIMARY, "P. 1:9(8) ack 1001 win 2000");
    const std::vector<Bytes> sent = Cut(datagram, Tiny(datagram));
    BOOST_REQUIRE(sent.size() == 4);
    InputAll(COLO_PRIMARY, sent);
    BOOST_REQUIRE(room.left.size() == 4);
    const Bytes whole = Join(room.left);
    BOOST_TEST(colo_get16(&whole[TCP_AT + 14]) == 300, "the secondary's window");
    BOOST_TEST(IsChecksumRight(whole));
    for (std::size_t i = 0; i < 4; i++)
    {
        const bool isEdited = i == 1 || i == 2; // window, checksum
        BOOST_TEST((room.left[i] != sent[i]) == isEdited);
        BOOST_TEST(std::equal(sent[i].begin(), sent[i].begin() + TCP_AT, room.left[i].begin()));
    }
}

// The room gets one frame, as the fragments stay with the engine.
BOOST_FIXTURE_TEST_CASE(kept_ack_of_fragments_leaves_and_is_sent_again_as_a_whole, PrimaryFragments)
{
    Open();
    Secondary(". 1:1(0) ack 1001 win 300");
    const Datagram datagram = BuildTcp(COLO_PRIMARY, ". 1:1(0) ack 1001 win 2000");
    InputAll(COLO_PRIMARY, Cut(datagram, Tiny(datagram)));
    Secondary(". 1:1(0) ack 1001 win 1500");
    const Lines emitted = room.Take();
    BOOST_TEST(std::count(emitted.begin(), emitted.end(), "emit P ack") == 1);
    BOOST_TEST(std::count(emitted.begin(), emitted.end(), "emit P window") == 1);
    BOOST_REQUIRE(room.left.size() == 2);
    for (const Bytes& frame : room.left)
    {
        const bool isFirst = &frame == &room.left[0];
        BOOST_TEST(colo_get16(&frame[TCP_AT + 14]) == (isFirst ? 300 : 1500));
        BOOST_TEST(IsChecksumRight(frame));
    }
    BOOST_TEST(CountedFrame::alive == 3);
    room.left.clear();
    Secondary(". 1:1(0) ack 1001 win 2000"); // no reason left to keep it
    const Lines lines = room.Take();
    BOOST_TEST(std::count(lines.begin(), lines.end(), "release P window") == 3);
    BOOST_TEST(colo_get16(&Join(room.left)[TCP_AT + 14]) == 2000);
    BOOST_TEST(CountedFrame::alive == 0);
}

BOOST_FIXTURE_TEST_CASE(incomplete_datagrams_are_dropped_and_told, PrimaryFragments)
{
    const Datagram datagram = UdpDatagram(100);
    Input(COLO_PRIMARY, CutOut(datagram, 0, 8));
    Input(COLO_PRIMARY, CutOut(datagram, 16, 24));
    Input(COLO_SECONDARY, CutOut(datagram, 16, 24));
    BOOST_TEST(room.Take().empty());
    const uint64_t due = now + 30 * SECOND;
    BOOST_TEST(engine->GetDeadline() == due);
    engine->Poll(due - 1);
    BOOST_TEST(room.Take().empty());
    engine->Poll(due);
    const Lines told{"drop P fragment", "drop P fragment", "drop S fragment"};
    BOOST_TEST((room.Take() == told));
    BOOST_TEST(engine->GetDeadline() == COLO_NEVER_NS);

    now = due;
    Input(COLO_PRIMARY, CutOut(datagram, 0, 16));
    Input(COLO_PRIMARY, CutOut(datagram, 0, 16));
    BOOST_TEST((room.Take() == Lines{"drop P fragment"}));
    Input(COLO_PRIMARY, CutOut(datagram, 8, 24));
    BOOST_TEST((room.Take() == Lines(2, "drop P fragment")));
    BOOST_TEST(CountedFrame::alive == 0);
    BOOST_TEST(engine->GetConnections() == 0);
}

// Observed ones stay with the room, so the engine puts copies together.
BOOST_FIXTURE_TEST_CASE(fragments_of_the_client_drive_the_state, PrimaryFragments)
{
    Open();
    Primary("P. 1:101(100) ack 1");
    const Datagram reset = BuildTcp(COLO_INBOUND, "R 1:1(0)");
    for (const Bytes& fragment : Cut(reset, Tiny(reset)))
    {
        BOOST_TEST(room.Take().empty());
        CountedFrame frame(COLO_INBOUND, fragment);
        engine->Observe(frame, now);
    }
    BOOST_TEST((room.Take() == Lines{"drop P client-ended 1"}));
    CountedFrame frame(COLO_INBOUND, CutOut(reset, 8, 16));
    engine->Observe(frame, now);
    BOOST_TEST(engine->GetDeadline() == now + 30 * SECOND);
    engine->Poll(engine->GetDeadline());
    BOOST_TEST(engine->GetReassembly().GetStats().expired == 1);
    BOOST_TEST(room.Take().empty(), "the room has never given it away");
}

BOOST_FIXTURE_TEST_CASE(commit_forgets_the_secondarys_fragments_only, PrimaryFragments)
{
    const Datagram datagram = UdpDatagram(100);
    const std::vector<Bytes> fragments = Cut(datagram, {48});
    Input(COLO_PRIMARY, fragments[0]);
    Input(COLO_SECONDARY, fragments[0]);
    BOOST_TEST(engine->Event(COLO_EVENT_REQUEST, 0, now));
    room.Take();
    Commit(1);
    Lines lines = room.Take();
    BOOST_TEST(std::count(lines.begin(), lines.end(), "drop S rebased") == 1);
    BOOST_TEST(CountedFrame::alive == 1);
    BOOST_TEST(engine->Event(COLO_EVENT_LOADED, 1, now));
    room.Take();
    Input(COLO_SECONDARY, fragments[1]);
    Input(COLO_PRIMARY, fragments[1]);
    BOOST_TEST(room.Take().empty());
    Input(COLO_SECONDARY, fragments[0]);
    BOOST_TEST((room.left == fragments));
}

BOOST_FIXTURE_TEST_CASE(flood_of_one_side_leaves_the_other_alone, PrimaryFragments)
{
    const Datagram datagram = UdpDatagram(100);
    const std::vector<Bytes> fragments = Cut(datagram, {48});
    Input(COLO_PRIMARY, fragments[0]);
    Datagram flood = datagram;
    for (uint32_t i = 2; i < 3000; i++)
    {
        flood.id = i;
        Input(COLO_SECONDARY, CutOut(flood, 0, 48));
    }
    BOOST_TEST(CountedFrame::alive < 1100);
    Input(COLO_PRIMARY, fragments[1]);
    Input(COLO_SECONDARY, BuildWhole(datagram));
    BOOST_TEST((room.left == fragments));
}

BOOST_FIXTURE_TEST_CASE(all_fragments_die_with_the_engine, PrimaryFragments)
{
    Open();
    const Datagram held = BuildTcp(COLO_PRIMARY, "P. 1:101(100) ack 1");
    InputAll(COLO_PRIMARY, Cut(held, Tiny(held)));
    InputAll(COLO_PRIMARY, Cut(UdpDatagram(100), {48}));
    Input(COLO_SECONDARY, CutOut(UdpDatagram(300), 0, 8));
    CountedFrame inbound(COLO_INBOUND, CutOut(held, 0, 8));
    engine->Observe(inbound, now);
    BOOST_TEST(CountedFrame::alive == 1 + 15 + 2 + 1);
    engine.reset();
    BOOST_TEST(CountedFrame::alive == 1);
}

BOOST_FIXTURE_TEST_CASE(fix_reaches_fragmented_segments_both_ways, SecondaryFragments)
{
    Input(COLO_INBOUND, Build(COLO_INBOUND, "S 0:0(0)"));
    Secondary("S. 0:0(0) ack 1");
    Observe(COLO_PRIMARY, "S. 0:0(0) ack 1");
    room.left.clear();

    const Datagram out = BuildTcp(COLO_SECONDARY, "P. 1:101(100) ack 1");
    InputAll(COLO_SECONDARY, Cut(out, Tiny(out)));
    BOOST_REQUIRE(room.left.size() == 15);
    const Bytes sent = Join(room.left);
    BOOST_TEST(colo_get32(&sent[TCP_AT + 4]) == PRIMARY_ISN + 1);
    BOOST_TEST(IsChecksumRight(sent));
    room.left.clear();

    const Datagram in = BuildTcp(COLO_INBOUND, ". 1:1(0) ack 101");
    InputAll(COLO_INBOUND, Cut(in, {16}));
    BOOST_REQUIRE(room.left.size() == 2);
    const Bytes got = Join(room.left);
    BOOST_TEST(colo_get32(&got[TCP_AT + 8]) == SECONDARY_ISN + 101);
    BOOST_TEST(IsChecksumRight(got));
}

// Only TCP has numbers to fix. What is behind an extension header may be that.
BOOST_FIXTURE_TEST_CASE(secondary_lets_other_fragments_pass, SecondaryFragments)
{
    for (int family : {4, 6})
    {
        room.left.clear();
        const std::vector<Bytes> fragments = Cut(UdpDatagram(100, family), {48});
        Input(COLO_SECONDARY, fragments[1]);
        Input(COLO_INBOUND, fragments[0]);
        BOOST_TEST((room.left == std::vector<Bytes>{fragments[1], fragments[0]}));
    }
    Datagram extended = UdpDatagram(100, 6);
    extended.protocol = colo_test::DESTINATION_OPTIONS;
    extended.data.insert(extended.data.begin(), {17, 0, 1, 4, 0, 0, 0, 0});
    room.left.clear();
    const std::vector<Bytes> fragments = Cut(extended, {8});
    Input(COLO_SECONDARY, fragments[1]);
    BOOST_TEST(room.left.empty());
    Input(COLO_SECONDARY, fragments[0]);
    BOOST_TEST((room.left == fragments));
}

// The room may be back while a datagram's fragments leave.
BOOST_FIXTURE_TEST_CASE(room_may_come_back_between_fragments, PrimaryFragments)
{
    const std::vector<Bytes> fragments = Cut(UdpDatagram(100), {48});
    int depth = 0;
    room.onRelease = [&] {
        if (depth++ == 0)
        {
            Input(COLO_SECONDARY, fragments[0]);
            Input(COLO_SECONDARY, fragments[1]);
            InputAll(COLO_PRIMARY, fragments);
        }
    };
    InputAll(COLO_PRIMARY, fragments);
    InputAll(COLO_SECONDARY, fragments);
    BOOST_TEST(room.left.size() == 4);
    BOOST_TEST(CountedFrame::alive == 0);
}
