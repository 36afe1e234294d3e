/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// When checkpoints happen, how long they take, and what happens to frames meanwhile.
#define BOOST_TEST_MODULE model_checkpoint
#include "model-proxy-world.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace bdata = boost::unit_test::data;

namespace
{

/** From the end of delivery until a guest stands still, and until its last frames have arrived. */
const Time DRAIN = TAP_DELAY + NanoSeconds(1);

void
OnPaused(const ColoGuestPlace& place, std::function<void()> listener)
{
    place.guest->TraceConnectWithoutContext("Paused", Callback<void>(std::move(listener)));
}

/** \return when a guest went on, which it does once. */
std::shared_ptr<Time>
WatchResumed(const ColoGuestPlace& place)
{
    auto at = std::make_shared<Time>();
    place.guest->TraceConnectWithoutContext("Resumed", Callback<void, Time>([at](Time) {
                                                *at = Simulator::Now();
                                            }));
    return at;
}

} // namespace

BOOST_AUTO_TEST_CASE(client_frames_of_the_pause_reach_both_guests_afterwards)
{
    PairOptions options;
    options.dialogue = LongTalk(3, 3, 500000, 1000);
    // Longer than the client's retransmission timeout.
    options.lag = Time();
    options.isSecDevInstant = true;
    options.configure = [](ColoHelper& helper) {
        helper.SetCheckpointerAttribute("Overhead", TimeValue(Seconds(1.5)));
    };
    PairWorld world(options);
    std::optional<ColoCheckpoint> over;
    Time asked;
    std::map<Tap, std::vector<std::pair<Time, Bytes>>> seen;
    world.OnFrame([&](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
        auto tcp = Tcp::Parse(bytes);
        if (tcp && tcp->destination == 80)
        {
            Bytes said{uint8_t(tcp->source), tcp->flags};
            for (int shift : {24, 16, 8, 0})
            {
                said.push_back(tcp->seq >> shift);
            }
            said.insert(said.end(), tcp->payload.begin(), tcp->payload.end());
            seen[tap].emplace_back(Simulator::Now(), said);
        }
    });
    world.OnCheckpoint([&](const ColoCheckpoint& checkpoint) { over = checkpoint; });
    std::map<Tap, Time> paused;
    OnPaused(world.pair.primary, [&] { paused[Tap::TO_PRIMARY] = Simulator::Now(); });
    OnPaused(world.pair.secondary, [&] { paused[Tap::TO_SECONDARY] = Simulator::Now(); });
    world.RequestCheckpointAt(MilliSeconds(15));
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_REQUIRE(over.has_value());

    const Time linkDelay = MicroSeconds(50); // the client's
    std::vector<Bytes> sentInPause;
    std::map<Tap, std::vector<Bytes>> reached;
    for (const auto& [time, said] : seen[Tap::FROM_CLIENT])
    {
        // What arrives at the primary host; a frame of 1514 bytes takes 12 us.
        if (time + linkDelay >= over->requested && time + MicroSeconds(70) < over->resumed)
        {
            sentInPause.push_back(said);
        }
    }
    for (Tap tap : {Tap::TO_PRIMARY, Tap::TO_SECONDARY})
    {
        for (const auto& [time, said] : seen[tap])
        {
            const Time from = paused[tap] - DRAIN;
            BOOST_TEST((time < from || time >= over->resumed), "a frame reached a paused guest");
            if (time == over->resumed)
            {
                reached[tap].push_back(said);
            }
        }
    }
    BOOST_TEST(sentInPause.size() > 3);
    BOOST_TEST((reached[Tap::TO_PRIMARY] == reached[Tap::TO_SECONDARY]));
    // Among them, in their order, are all that were sent in the pause; the others were on their way
    // when it began.
    std::size_t found = 0;
    for (const Bytes& said : reached[Tap::TO_PRIMARY])
    {
        found += found < sentInPause.size() && said == sentInPause[found];
    }
    BOOST_TEST(found == sentInPause.size());
}

// Rule ckpt-commit.
BOOST_DATA_TEST_CASE(held_packets_leave_at_the_commit_and_not_before, bdata::xrange(1, 6), seed)
{
    PairOptions options;
    options.seed = seed;
    options.divergence = 1;
    options.dialogue = LongTalk(1, 6, 500, 60000);
    options.configure = [](ColoHelper& helper) {
        helper.SetSecondaryProxyAttribute("Lag", TimeValue(MilliSeconds(1)));
    };
    PairWorld world(options);
    std::vector<Bytes> held;     // the primary's payloads that did not leave, in its order
    std::vector<Bytes> expected; // to leave at the commit
    std::vector<std::pair<Time, Bytes>> left;
    bool isPending = false;
    int commits = 0;
    OnPaused(world.pair.primary, [&] { expected = held; });
    world.OnVerdict([&](const ColoVerdict& verdict) {
        if (verdict.event == ColoVerdict::MISMATCH && !isPending)
        {
            isPending = true;
            left.clear();
        }
        if (verdict.event == ColoVerdict::COMMIT)
        {
            BOOST_TEST(isPending);
            isPending = false;
            commits++;
            std::vector<Bytes> payloads;
            for (const auto& [time, payload] : left)
            {
                BOOST_TEST((time == Simulator::Now()), "seed " << seed << ": left early");
                payloads.push_back(payload);
            }
            BOOST_TEST(!expected.empty());
            BOOST_TEST((payloads == expected), "seed " << seed);
        }
    });
    world.OnFrame([&](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
        auto tcp = Tcp::Parse(bytes);
        if (!tcp || tcp->payload.empty())
        {
            return;
        }
        if (tap == Tap::FROM_PRIMARY)
        {
            held.push_back(tcp->payload);
        }
        if (tap == Tap::TO_CLIENT)
        {
            left.emplace_back(Simulator::Now(), tcp->payload);
            auto place = std::find(held.begin(), held.end(), tcp->payload);
            BOOST_REQUIRE((place != held.end()));
            held.erase(place);
        }
    });
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(commits >= 3);
    BOOST_TEST(held.empty());
}

// A slow kcolo still has frames of the old epoch in its queue at the commit.
BOOST_AUTO_TEST_CASE(commit_covers_what_kcolo_has_not_judged_yet)
{
    Puppets world(WithPrimary("KcoloWakeup", TimeValue(MilliSeconds(100))));
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Secondary(T, "P. 1:101(100) ack 1 fill 'x'");
    world.RequestCheckpointAt(T + MilliSeconds(1));
    world.Run(Seconds(10));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_REQUIRE(world.seen[Tap::TO_CLIENT].size() == 1);
    BOOST_TEST((world.seen[Tap::TO_CLIENT][0].time == world.checkpoints[0].committed));
    const auto releases = world.Find(ColoVerdict::RELEASE);
    BOOST_REQUIRE(releases.size() == 1);
    BOOST_TEST(releases[0].reason == COLO_RELEASE_COMMIT);
    BOOST_TEST(world.pair.primaryProxy->GetNode().stats.coalesced == 1);
}

BOOST_AUTO_TEST_CASE(compare_timeout_asks_for_a_checkpoint)
{
    Puppets world(WithPrimary("CompareTimeout", TimeValue(MilliSeconds(70))));
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Run(Seconds(1));
    const auto mismatches = world.Find(ColoVerdict::MISMATCH);
    BOOST_REQUIRE(mismatches.size() == 1);
    BOOST_TEST(mismatches[0].reason == COLO_MISMATCH_TIMEOUT_DATA);
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    const Time judged = world.verdicts[0].first - MilliSeconds(70);
    BOOST_TEST((judged > T + TAP_DELAY && judged < T + MicroSeconds(30)));
    BOOST_TEST(world.seen[Tap::TO_CLIENT].size() == 1);
}

BOOST_AUTO_TEST_CASE(checkpoint_interval_min_delays)
{
    Puppets world(WithPrimary("CheckpointIntervalMin", TimeValue(MilliSeconds(300))));
    world.RequestCheckpointAt(MilliSeconds(100));
    world.RequestCheckpointAt(MilliSeconds(400));
    world.Run(Seconds(2));
    const auto& checkpoints = world.checkpoints;
    BOOST_REQUIRE(checkpoints.size() == 2);
    BOOST_TEST((checkpoints[0].requested == MilliSeconds(300)));
    BOOST_TEST((checkpoints[1].requested == checkpoints[0].committed + MilliSeconds(300)));
    BOOST_TEST(checkpoints[1].reason == COLO_REQUEST_OPERATOR);
}

BOOST_AUTO_TEST_CASE(checkpoint_interval_max_demands)
{
    Puppets world(WithPrimary("CheckpointIntervalMax", TimeValue(MilliSeconds(300))));
    world.Run(Seconds(1));
    const auto& checkpoints = world.checkpoints;
    BOOST_REQUIRE(checkpoints.size() == 3);
    BOOST_TEST((checkpoints[0].requested == MilliSeconds(300)));
    BOOST_TEST((checkpoints[2].requested == checkpoints[1].committed + MilliSeconds(300)));
    BOOST_TEST(checkpoints[2].reason == COLO_REQUEST_PERIODIC);
    BOOST_TEST(checkpoints[2].epoch == 3);
}

BOOST_DATA_TEST_CASE(held_limits_ask_for_a_checkpoint_and_drop_at_twice_as_many,
                     bdata::make({"FlowHeldMax", "NodeHeldMax"}),
                     name)
{
    Puppets world([&](ColoHelper& helper) {
        helper.SetPrimaryProxyAttribute(name, UintegerValue(4));
        helper.SetCheckpointerAttribute("Overhead", TimeValue(MilliSeconds(500)));
    });
    const bool isNode = name == std::string("NodeHeldMax");
    for (int i = 0; i < 10; i++)
    {
        world.port = 40000 + (isNode ? i % 2 : 0);
        const int at = 1 + 100 * (isNode ? i / 2 : i);
        world.Primary(Time(),
                      "P. " + std::to_string(at) + ":" + std::to_string(at + 100) + "(100) ack 1");
        world.Run(MicroSeconds(100));
        const std::size_t mismatches = i >= 4;
        const std::size_t drops = std::max(0, i - 7);
        BOOST_TEST(world.Find(ColoVerdict::MISMATCH).size() == mismatches);
        BOOST_TEST(world.Find(ColoVerdict::DROP).size() == drops);
    }
    BOOST_REQUIRE(world.Find(ColoVerdict::DROP).size() == 2);
    BOOST_TEST(world.Find(ColoVerdict::MISMATCH)[0].reason == COLO_MISMATCH_LIMIT);
    BOOST_TEST(world.Find(ColoVerdict::DROP)[0].reason == COLO_DROP_LIMIT);
    BOOST_TEST(world.pair.primaryProxy->GetNode().stats.dropped_at_limit == 2);
    world.Run(Seconds(2));
    BOOST_TEST(world.Find(ColoVerdict::RELEASE).size() == 8);
}

BOOST_AUTO_TEST_CASE(checkpoint_takes_what_its_parts_take)
{
    const Time overhead = MilliSeconds(3);
    const Time linkDelay = MicroSeconds(400);
    const Time load = MilliSeconds(9);
    Puppets world([&](ColoHelper& helper) {
        helper.SetCheckpointerAttribute("Overhead", TimeValue(overhead));
        helper.SetMemoryAttribute("WriteRate", DoubleValue(0));
        helper.SetMemoryAttribute("OtherRate", DoubleValue(0));
        helper.SetCheckpointerAttribute("DeviceState", UintegerValue(1000000));
        helper.SetCheckpointerAttribute("LoadTime", TimeValue(load));
        helper.SetCheckpointLink(DataRate("1Gbps"), linkDelay);
    });
    const auto primaryResumed = WatchResumed(world.pair.primary);
    const auto secondaryResumed = WatchResumed(world.pair.secondary);
    world.RequestCheckpointAt(T);
    world.Run(Seconds(1));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    const ColoCheckpoint& checkpoint = world.checkpoints[0];
    // At 8 ns a byte: a message has 16, and with the state it is 17 segments of at most 60 KiB;
    // each has 52 bytes of headers.
    const Time message = linkDelay + NanoSeconds(8 * (16 + 52));
    const Time transfer = linkDelay + NanoSeconds(8 * (16 + 1000000 + 17 * 52));
    const Time arrived = T + message + DRAIN + DRAIN + message + overhead + transfer;
    // The last acknowledgement may be on the link before RECEIVED, and ns-3's sockets send a
    // message a nanosecond after they were told.
    const Time ack = NanoSeconds(8 * 52 + 5);
    BOOST_TEST((checkpoint.requested == T));
    BOOST_TEST((checkpoint.paused == T + DRAIN));
    BOOST_TEST((checkpoint.committed >= arrived + message));
    BOOST_TEST((checkpoint.committed <= arrived + ack + message));
    BOOST_TEST((checkpoint.resumed >= arrived + load + message));
    BOOST_TEST((checkpoint.resumed <= arrived + load + ack + message));
    BOOST_TEST((*primaryResumed == checkpoint.resumed));
    BOOST_TEST((*secondaryResumed == checkpoint.resumed));
    BOOST_TEST(checkpoint.epoch == 1);
    BOOST_TEST(checkpoint.reason == COLO_REQUEST_OPERATOR);
    const auto commits = world.Find(ColoVerdict::COMMIT);
    BOOST_REQUIRE(commits.size() == 1);
    BOOST_TEST(commits[0].seq == 1);
    BOOST_TEST(commits[0].reason == COLO_REQUEST_OPERATOR);
}

BOOST_DATA_TEST_CASE(pause_grows_with_the_state_and_with_a_slower_link,
                     bdata::make({100, 1000, 10000}),
                     rateMbps)
{
    const uint64_t step = 3000000;
    std::vector<Time> pauses;
    for (uint64_t states = 0; states < 4; states++)
    {
        Puppets world([&](ColoHelper& helper) {
            helper.SetMemoryAttribute("WriteRate", DoubleValue(0));
            helper.SetMemoryAttribute("OtherRate", DoubleValue(0));
            helper.SetCheckpointerAttribute("DeviceState", UintegerValue(states * step));
            helper.SetCheckpointLink(DataRate(rateMbps * 1000000ull), MicroSeconds(50));
        });
        world.RequestCheckpointAt(T);
        world.Run(Seconds(2));
        BOOST_REQUIRE(world.checkpoints.size() == 1);
        pauses.push_back(world.checkpoints[0].resumed - world.checkpoints[0].paused);
    }
    const double onLinkMs = step * 8 / (rateMbps * 1e3);
    for (std::size_t i = 1; i < pauses.size(); i++)
    {
        const double grownMs = (pauses[i] - pauses[i - 1]).GetNanoSeconds() / 1e6;
        BOOST_TEST(grownMs >= onLinkMs);
        BOOST_TEST(grownMs <= onLinkMs * 1.002);
    }
}

BOOST_DATA_TEST_CASE(guests_go_on_at_the_same_instant_over_a_lossy_link, bdata::xrange(1, 6), seed)
{
    Puppets world(WithPrimary("CheckpointIntervalMax", TimeValue(MilliSeconds(50))));
    int64_t stream = 5000 + 10 * seed;
    const auto& eth2 = world.pair.checkpointLink->GetDevices();
    for (const auto& device : {eth2.first, eth2.second})
    {
        auto model = CreateObject<RateErrorModel>();
        model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        model->SetRate(0.03);
        stream += model->AssignStreams(stream);
        device->SetAttribute("ReceiveErrorModel", PointerValue(model));
    }
    const auto primaryResumed = WatchResumed(world.pair.primary);
    const auto secondaryResumed = WatchResumed(world.pair.secondary);
    int different = 0;
    Time pauseMin = Time::Max();
    Time pauseMax;
    world.OnCheckpoint([&](const ColoCheckpoint& checkpoint) {
        different += *primaryResumed != checkpoint.resumed;
        different += *secondaryResumed != checkpoint.resumed;
        pauseMin = std::min(pauseMin, checkpoint.resumed - checkpoint.paused);
        pauseMax = std::max(pauseMax, checkpoint.resumed - checkpoint.paused);
    });
    world.Run(Seconds(5));
    BOOST_TEST(world.checkpoints.size() > 20, "seed " << seed);
    BOOST_TEST(different == 0, "seed " << seed);
    BOOST_TEST((pauseMax > pauseMin + MilliSeconds(1)), "seed " << seed << ": nothing was lost");
}

BOOST_AUTO_TEST_CASE(checkpoint_waits_for_a_dead_link)
{
    Puppets world;
    auto model = CreateObject<RateErrorModel>();
    model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
    model->SetRate(1);
    const auto& eth2 = world.pair.checkpointLink->GetDevices();
    Simulator::Schedule(T + MicroSeconds(200), [&] {
        eth2.second->SetAttribute("ReceiveErrorModel", PointerValue(model));
    });
    world.RequestCheckpointAt(T);
    world.Run(Seconds(20));
    BOOST_TEST(world.checkpoints.empty());
    BOOST_TEST(world.pair.primaryProxy->GetNode().state == COLO_NODE_TRANSFER);
    BOOST_TEST(Simulator::GetEventCount() < 1000);
    model->Disable();
    world.Run(Seconds(20));
    BOOST_TEST(world.checkpoints.size() == 1);
}
