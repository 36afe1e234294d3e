/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What COLO is measured against: which packets leave, when, and what asks for a checkpoint.
#define BOOST_TEST_MODULE model_baseline
#include "model-proxy-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace bdata = boost::unit_test::data;

namespace
{

using Lines = std::vector<std::string>;

const bool IS_LOCKSTEP[] = {false, true};

std::function<void(ColoHelper&)>
Under(ColoProtection protection)
{
    return [protection](ColoHelper& helper) { helper.SetProtection(protection); };
}

std::function<void(ColoHelper&)>
Under(bool isLockstep)
{
    return Under(isLockstep ? ColoProtection::LOCKSTEP : ColoProtection::BY_SEGMENT);
}

/** What both guests say at T; \return why a checkpoint was asked for within 10 ms, if it was. */
colo_reason
Judge(ColoProtection protection, const Lines& primary, const Lines& secondary)
{
    Puppets world(Under(protection));
    for (const std::string& line : primary)
    {
        world.Primary(T, line);
    }
    for (const std::string& line : secondary)
    {
        world.Secondary(T, line);
    }
    world.Run(T + T);
    const auto mismatches = world.Find(ColoVerdict::MISMATCH);
    const std::size_t left = world.seen[Tap::TO_CLIENT].size();
    if (mismatches.empty())
    {
        BOOST_TEST(left == primary.size());
        return COLO_REASON_NONE;
    }
    BOOST_TEST(mismatches.size() == 1);
    BOOST_TEST(world.checkpoints.size() == 1);
    BOOST_TEST(left == primary.size(), "with the commit");
    return mismatches.front().reason;
}

/** Who minds what both guests say. */
struct Difference
{
    std::string name;
    Lines primary;
    Lines secondary;
    colo_reason bySegment;
    colo_reason lockstep;
};

std::ostream&
operator<<(std::ostream& os, const Difference& difference)
{
    return os << difference.name;
}

const std::vector<Difference> DIFFERENCES{
    {"none", {"P. 1:101(100) ack 1"}, {"P. 1:101(100) ack 1"}, COLO_REASON_NONE, COLO_REASON_NONE},
    {"cut",
     {"P. 1:101(100) ack 1", "P. 101:201(100) ack 1"},
     {"P. 1:151(150) ack 1", "P. 151:201(50) ack 1"},
     COLO_MISMATCH_BYTES,
     COLO_MISMATCH_BYTES},
    {"bytes",
     {"P. 1:101(100) ack 1"},
     {"P. 1:101(100) ack 1 fill 'x'"},
     COLO_MISMATCH_BYTES,
     COLO_MISMATCH_BYTES},
    {"window",
     {"P. 1:101(100) ack 1 win 1000"},
     {"P. 1:101(100) ack 1 win 900"},
     COLO_REASON_NONE,
     COLO_MISMATCH_BYTES},
    {"ack",
     {"P. 1:101(100) ack 501"},
     {"P. 1:101(100) ack 401"},
     COLO_REASON_NONE,
     COLO_MISMATCH_BYTES},
    {"push",
     {"P. 1:101(100) ack 1"},
     {". 1:101(100) ack 1"},
     COLO_REASON_NONE,
     COLO_MISMATCH_BYTES},
    {"an ack more",
     {". 1:1(0) ack 501", "P. 1:101(100) ack 501"},
     {"P. 1:101(100) ack 501"},
     COLO_REASON_NONE,
     COLO_MISMATCH_BYTES},
    {"FIN", {"F. 1:1(0) ack 1"}, {"P. 1:2(1) ack 1"}, COLO_MISMATCH_FIN, COLO_MISMATCH_FIN},
    {"RST", {"R. 1:1(0) ack 1"}, {"P. 1:2(1) ack 1"}, COLO_MISMATCH_RST, COLO_MISMATCH_RST},
    {"clock",
     {"P. 1:101(100) ack 1 <ts 100 7>"},
     {"P. 1:101(100) ack 1 <ts 101 6>"},
     COLO_REASON_NONE,
     COLO_REASON_NONE},
    {"IP id",
     {"P. 1:2(1) ack 1 id 5"},
     {"P. 1:2(1) ack 1 id 6"},
     COLO_REASON_NONE,
     COLO_REASON_NONE},
    {"datagrams", {"udp len 50"}, {"udp len 50"}, COLO_REASON_NONE, COLO_REASON_NONE},
    {"datagrams' length", {"udp len 50"}, {"udp len 51"}, COLO_MISMATCH_BYTES, COLO_MISMATCH_BYTES},
    {"order of datagrams",
     {"udp len 50", "udp len 60"},
     {"udp len 60", "udp len 50"},
     COLO_MISMATCH_BYTES,
     COLO_MISMATCH_BYTES}};

} // namespace

BOOST_DATA_TEST_CASE(what_counts_as_different, bdata::make(DIFFERENCES), difference)
{
    const auto judge = [&](ColoProtection protection) {
        return Judge(protection, difference.primary, difference.secondary);
    };
    BOOST_TEST(judge(ColoProtection::BY_SEGMENT) == difference.bySegment);
    BOOST_TEST(judge(ColoProtection::LOCKSTEP) == difference.lockstep);
}

BOOST_DATA_TEST_CASE(packet_waits_for_the_other_guests, bdata::make(IS_LOCKSTEP), isLockstep)
{
    Puppets world(Under(isLockstep));
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Secondary(T * 3, "P. 1:101(100) ack 1");
    world.Secondary(T * 4, "P. 101:201(100) ack 1");
    world.Primary(T * 5, "P. 101:201(100) ack 1"); // the secondary was first
    world.Run(T * 6);
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 2);
    BOOST_TEST(left[0].time >= T * 3);
    BOOST_TEST(left[0].time < T * 3 + MilliSeconds(1));
    BOOST_TEST(left[1].time < T * 5 + MilliSeconds(1));
    BOOST_TEST(world.pair.primaryProxy->GetStatistics().held_packets == 1u);
    BOOST_TEST(world.pair.primaryProxy->GetStatistics().released_packets == 2u);
    BOOST_TEST(world.pair.primaryProxy->GetStatistics().released_bytes == 200u);
    for (const auto& verdict : world.Find(ColoVerdict::RELEASE))
    {
        BOOST_TEST(verdict.reason == COLO_RELEASE_MATCHED);
    }
}

BOOST_AUTO_TEST_CASE(ack_leaves_when_what_was_before_it_has)
{
    Puppets world(Under(ColoProtection::BY_SEGMENT));
    world.Primary(T, ". 1:1(0) ack 101");
    world.Primary(T * 2, "P. 1:101(100) ack 101");
    world.Primary(T * 3, ". 101:101(0) ack 201");
    world.Secondary(T * 4, "P. 1:101(100) ack 101");
    world.Run(T * 5);
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 3);
    BOOST_TEST(left[0].time < T * 2);
    BOOST_TEST(left[1].time >= T * 4);
    BOOST_TEST(Tcp::Parse(left[1].bytes)->seq == 1u);
    BOOST_TEST(Tcp::Parse(left[2].bytes)->seq == 101u);
    BOOST_TEST(world.checkpoints.empty());
}

BOOST_DATA_TEST_CASE(mismatch_lets_all_go_in_order, bdata::make(IS_LOCKSTEP), isLockstep)
{
    Puppets world(Under(isLockstep));
    world.port = 40001;
    world.Primary(T, "P. 1:11(10) ack 1"); // of another connection, which nobody answers
    world.port = 40000;
    world.Primary(T + NanoSeconds(1), "P. 1:101(100) ack 1");
    world.Primary(T + NanoSeconds(2), "P. 101:201(100) ack 1");
    world.Secondary(T * 2, "P. 1:51(50) ack 1");
    world.Secondary(T * 2, "P. 101:201(100) ack 1");
    world.Primary(T * 4, "P. 201:301(100) ack 1");
    world.Secondary(T * 4, "P. 201:301(100) ack 1");
    world.Run(T * 5);
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    const ColoCheckpoint& checkpoint = world.checkpoints.front();
    BOOST_TEST(checkpoint.reason == COLO_MISMATCH_BYTES);
    BOOST_TEST(checkpoint.requested < T * 2 + MilliSeconds(1), "at once");
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 4);
    const uint32_t seqs[] = {1, 1, 101, 201};
    for (std::size_t i = 0; i < left.size(); i++)
    {
        BOOST_TEST(Tcp::Parse(left[i].bytes)->seq == seqs[i]);
        BOOST_TEST((left[i].time == checkpoint.committed) == (i < 3));
    }
    BOOST_TEST(Tcp::Parse(left[0].bytes)->destination == 40001);
    const colo_node_stats& statistics = world.pair.primaryProxy->GetStatistics();
    BOOST_TEST(statistics.mismatches[COLO_MISMATCH_BYTES] == 1u);
    BOOST_TEST(statistics.checkpoints == 1u);
    BOOST_TEST(statistics.released_packets == 4u);
}

BOOST_DATA_TEST_CASE(nothing_waits_for_ever, bdata::make({true, false}), isOfPrimary)
{
    Puppets world([](ColoHelper& helper) {
        helper.SetProtection(ColoProtection::BY_SEGMENT);
        helper.SetPrimaryProxyAttribute("CompareTimeout", TimeValue(T * 3));
    });
    isOfPrimary ? world.Primary(T, "P. 1:101(100) ack 1")
                : world.Secondary(T, "P. 1:101(100) ack 1");
    world.Run(T * 6);
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_TEST(world.checkpoints.front().reason ==
               (isOfPrimary ? COLO_MISMATCH_TIMEOUT_DATA : COLO_MISMATCH_EXTRA));
    BOOST_TEST(world.checkpoints.front().requested >= T * 4);
    BOOST_TEST(world.checkpoints.front().requested < T * 4 + MilliSeconds(1));
    BOOST_TEST(world.seen[Tap::TO_CLIENT].size() == (isOfPrimary ? 1u : 0u));
}

BOOST_DATA_TEST_CASE(periodic_checkpoints_let_all_go, bdata::make(IS_LOCKSTEP), isLockstep)
{
    Puppets world([&](ColoHelper& helper) {
        Under(isLockstep)(helper);
        helper.SetPrimaryProxyAttribute("CheckpointIntervalMax", TimeValue(T * 2));
    });
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Run(T * 3);
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_TEST(world.checkpoints.front().reason == COLO_REQUEST_PERIODIC);
    BOOST_TEST(world.seen[Tap::TO_CLIENT].size() == 1u);
    BOOST_TEST(world.Find(ColoVerdict::MISMATCH).empty());
}

BOOST_DATA_TEST_CASE(lost_secondary_host_holds_nothing_up, bdata::make(IS_LOCKSTEP), isLockstep)
{
    Puppets world(Under(isLockstep));
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Primary(T * 3, "P. 101:201(100) ack 1");
    Simulator::Schedule(T * 2, [&] {
        world.pair.primaryProxy->LosePeer();
        BOOST_TEST(world.seen[Tap::TO_CLIENT].empty(), "the arbiter was not asked yet");
        const uint32_t term = world.pair.primaryProxy->GetNode().term;
        BOOST_TEST(world.pair.primaryProxy->CheckpointEvent(COLO_EVENT_GRANTED, term));
    });
    world.Run(T * 4);
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 2);
    BOOST_TEST(left[0].time == T * 2);
    BOOST_TEST(left[1].time < T * 3 + MilliSeconds(1));
}

namespace
{

/** One guest that says what the test wants, under Remus. */
struct RemusPuppet : PairWorld
{
    explicit RemusPuppet(const std::function<void(ColoHelper&)>& configure = {})
        : PairWorld(MakeOptions(configure))
    {
        OnFrame([this](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
            seen[tap].emplace_back(Simulator::Now(), bytes);
        });
        pair.remus->TraceConnectWithoutContext(
            "Checkpoint",
            Callback<void, const ColoCheckpoint&>(
                [this](const ColoCheckpoint& checkpoint) { checkpoints.push_back(checkpoint); }));
    }

    static PairOptions MakeOptions(const std::function<void(ColoHelper&)>& configure)
    {
        PairOptions options;
        options.configure = [configure](ColoHelper& helper) {
            helper.SetProtection(ColoProtection::REMUS);
            if (configure)
            {
                configure(helper);
            }
        };
        return options;
    }

    void Say(Time time, const std::string& line, bool isInbound = false)
    {
        colo_test::Numbering numbering;
        numbering.inbound = isInbound;
        Bytes frame = colo_test::BuildFrame(line, numbering);
        Mac48Address client = Mac48Address::ConvertFrom(link.first->GetAddress());
        Mac48Address guest = Mac48Address::ConvertFrom(pair.primary.tap.second->GetAddress());
        (isInbound ? guest : client).CopyTo(frame.data());
        (isInbound ? client : guest).CopyTo(frame.data() + 6);
        Puppets::At(time, isInbound ? link.first : pair.primary.tap.second, frame, 0);
    }

    std::map<Tap, std::vector<std::pair<Time, Bytes>>> seen;
    std::vector<ColoCheckpoint> checkpoints;
};

const Time INTERVAL = MilliSeconds(25); // the default

} // namespace

BOOST_AUTO_TEST_CASE(remus_releases_an_epoch_when_it_is_confirmed)
{
    RemusPuppet world;
    world.Say(T, "P. 1:101(100) ack 1");
    world.Say(T * 2, "P. 101:201(100) ack 1");
    world.Say(T * 3, "P. 201:301(100) ack 1"); // after the first checkpoint
    world.Run(INTERVAL * 4 - NanoSeconds(1));
    BOOST_REQUIRE(world.checkpoints.size() == 3);
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 3);
    for (std::size_t i = 0; i < left.size(); i++)
    {
        const ColoCheckpoint& checkpoint = world.checkpoints[i / 2];
        BOOST_TEST(left[i].first == checkpoint.committed);
        BOOST_TEST(Tcp::Parse(left[i].second)->seq == 1 + 100 * i);
    }
    for (std::size_t i = 0; i < world.checkpoints.size(); i++)
    {
        const ColoCheckpoint& checkpoint = world.checkpoints[i];
        BOOST_TEST(checkpoint.epoch == i + 1);
        BOOST_TEST(checkpoint.requested == INTERVAL * (i + 1));
        const Time pause = checkpoint.resumed - checkpoint.paused;
        BOOST_TEST(checkpoint.pages > 0u);
        BOOST_TEST(checkpoint.bytes == (64 << 10) + checkpoint.pages * (4096 + 8));
        const Time copied = MilliSeconds(2) + MicroSeconds(checkpoint.pages); // and overhead
        BOOST_TEST(pause == copied + TAP_DELAY + NanoSeconds(1));
        BOOST_TEST(checkpoint.committed > checkpoint.resumed, "the state moves in the background");
    }
    BOOST_TEST(world.pair.remus->GetStatistics().released_packets == 3u);
    BOOST_TEST(world.pair.remus->GetStatistics().released_bytes == 300u);
}

BOOST_AUTO_TEST_CASE(remus_waits_for_a_state_that_takes_longer_than_the_interval)
{
    RemusPuppet world([](ColoHelper& helper) {
        helper.SetCheckpointLink(DataRate("1Gbps"), MicroSeconds(50)); // 34 ms for 4 MiB
        helper.SetCheckpointerAttribute("DeviceState", UintegerValue(4 << 20));
    });
    world.Say(T, "P. 1:101(100) ack 1");
    world.Run(INTERVAL * 8);
    BOOST_REQUIRE(world.checkpoints.size() >= 3);
    BOOST_TEST(world.seen[Tap::TO_CLIENT].at(0).first > INTERVAL + MilliSeconds(34));
    for (std::size_t i = 1; i < world.checkpoints.size(); i++)
    {
        BOOST_TEST(world.checkpoints[i].requested == world.checkpoints[i - 1].committed);
    }
}

BOOST_AUTO_TEST_CASE(remus_keeps_what_comes_for_a_guest_that_stands_still)
{
    RemusPuppet world;
    world.Say(INTERVAL + MilliSeconds(1), "P. 1:101(100) ack 1", true);
    world.Say(INTERVAL + MilliSeconds(1), "P. 101:201(100) ack 1", true);
    world.Run(INTERVAL * 2 - NanoSeconds(1));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    const auto& got = world.seen[Tap::TO_PRIMARY];
    BOOST_REQUIRE(got.size() == 2);
    for (std::size_t i = 0; i < got.size(); i++)
    {
        BOOST_TEST(got[i].first == world.checkpoints.front().resumed);
        BOOST_TEST(Tcp::Parse(got[i].second)->seq == 1 + 100 * i);
    }
}

BOOST_AUTO_TEST_CASE(remus_serves_a_client_right)
{
    PairOptions options;
    options.dialogue = LongTalk(3, 3, 5000, 20000);
    options.configure = Under(ColoProtection::REMUS);
    PairWorld world(options);
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.servers.size() == 1u);
}
