/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Which pages a running guest writes, and what they cost a checkpoint.
#define BOOST_TEST_MODULE model_memory
#include "colo-memory.h"
#include "model-abort.h"
#include "model-proxy-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

namespace bdata = boost::unit_test::data;

namespace
{

constexpr uint64_t PAGE_BYTES = 4096 + 8;

Ptr<ColoMemory>
GetMemory(const PairWorld& world)
{
    return world.pair.primary.node->GetObject<ColoMemory>();
}

/** A pair whose guests write so many pages at random of so many, and nothing else. */
std::function<void(ColoHelper&)>
WithWrites(uint64_t workingSet, double rate, const std::function<void(ColoHelper&)>& more = {})
{
    return [=](ColoHelper& helper) {
        helper.SetMemoryAttribute("WorkingSet", UintegerValue(workingSet));
        helper.SetMemoryAttribute("WriteRate", DoubleValue(rate));
        helper.SetMemoryAttribute("OtherRate", DoubleValue(0));
        helper.SetMemoryAttribute("PagesPerKib", DoubleValue(0));
        if (more)
        {
            more(helper);
        }
    };
}

Time
GetPause(const ColoCheckpoint& checkpoint)
{
    return checkpoint.resumed - checkpoint.paused;
}

/** Bytes that the primary host puts on the checkpoint link. */
std::shared_ptr<uint64_t>
CountOnLink(const PairWorld& world)
{
    auto bytes = std::make_shared<uint64_t>(0);
    world.pair.checkpointLink->GetDevices().first->TraceConnectWithoutContext(
        "Sniffer",
        Callback<void, Ptr<const Packet>>(
            [bytes](Ptr<const Packet> frame) { *bytes += frame->GetSize(); }));
    return bytes;
}

} // namespace

BOOST_DATA_TEST_CASE(distinct_pages_follow_the_formula, bdata::make({20, 1000, 100000}), size)
{
    for (double writesPerPage : {0.001, 0.1, 0.5, 1.0, 3.0})
    {
        Puppets world(WithWrites(size, writesPerPage * size));
        uint64_t dirty = 0;
        Simulator::Schedule(Seconds(0.3), [&] { GetMemory(world)->CountDirtyPages(); });
        Simulator::Schedule(Seconds(1), [&] { dirty = GetMemory(world)->CountDirtyPages(); });
        world.Run(Seconds(2));
        const double share = 1 - std::exp(-writesPerPage);
        const double expected = size * share;
        const double deviation = std::sqrt(expected * (1 - share));
        BOOST_TEST(std::abs(dirty - expected) <= 4 * deviation + 1,
                   "seed 1: " << dirty << " of " << size << ", expected " << expected);
    }
}

BOOST_AUTO_TEST_CASE(only_running_time_counts)
{
    Puppets world(WithWrites(1000000, 10000, [](ColoHelper& helper) {
        helper.SetMemoryAttribute("Size", UintegerValue(1ULL << 33));
        helper.SetCheckpointerAttribute("Overhead", TimeValue(Seconds(1)));
    }));
    uint64_t before = 0;
    uint64_t inPause = 0;
    world.RequestCheckpointAt(MilliSeconds(100));
    Simulator::Schedule(MilliSeconds(101), [&] { before = GetMemory(world)->CountDirtyPages(); });
    Simulator::Schedule(Seconds(1), [&] { inPause = GetMemory(world)->CountDirtyPages(); });
    world.Run(Seconds(1.5));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_TEST(before > 850);
    BOOST_TEST(inPause == before);
    BOOST_TEST(world.checkpoints[0].pages == before);
    const double ran = (Seconds(1.5) - world.checkpoints[0].resumed).GetSeconds();
    BOOST_TEST(std::abs(GetMemory(world)->CountDirtyPages() - ran * 10000) < 300);
}

BOOST_AUTO_TEST_CASE(payload_makes_pages_dirty)
{
    std::vector<uint64_t> dirty;
    for (double pagesPerKib : {0.0, 0.25})
    {
        PairOptions options;
        options.dialogue = LongTalk(1, 4, 1000, 500000);
        options.configure = WithWrites(0, 0, [=](ColoHelper& helper) {
            helper.SetMemoryAttribute("PagesPerKib", DoubleValue(pagesPerKib));
        });
        PairWorld world(options);
        world.Run();
        BOOST_TEST(world.IsRight());
        dirty.push_back(GetMemory(world)->CountDirtyPages());
    }
    BOOST_TEST(dirty[0] == 0);
    const double payloadKib = 4 * 501000 / 1024.0;
    BOOST_TEST(dirty[1] > 0.25 * payloadKib * 0.9);
    BOOST_TEST(dirty[1] < 0.25 * payloadKib * 1.25); // headers and acks count too
}

BOOST_DATA_TEST_CASE(pause_grows_with_the_dirty_pages_as_the_link_is_fast,
                     bdata::make({1000, 10000}),
                     rateMbps)
{
    // Least squares of the pause over the pages.
    double n = 0;
    double x = 0;
    double y = 0;
    double xx = 0;
    double xy = 0;
    for (uint64_t workingSet : {0, 500, 1000, 2000, 4000, 8000})
    {
        Puppets world(WithWrites(workingSet, 200000, [=](ColoHelper& helper) {
            helper.SetCheckpointerAttribute("LoadTimePerPage", TimeValue(Time()));
            helper.SetCheckpointLink(DataRate(rateMbps * 1000000ull), MicroSeconds(50));
        }));
        world.RequestCheckpointAt(MilliSeconds(100));
        world.Run(Seconds(2));
        BOOST_REQUIRE(world.checkpoints.size() == 1);
        const auto pages = static_cast<double>(world.checkpoints[0].pages);
        BOOST_TEST(pages >= 0.9 * workingSet);
        const double pauseUs = GetPause(world.checkpoints[0]).GetNanoSeconds() / 1e3;
        n++;
        x += pages;
        y += pauseUs;
        xx += pages * pages;
        xy += pages * pauseUs;
    }
    const double slope = (n * xy - x * y) / (n * xx - x * x);
    const double onLinkUs = PAGE_BYTES * 8.0 / rateMbps;
    BOOST_TEST(slope > onLinkUs * 0.98);
    BOOST_TEST(slope < onLinkUs * 1.02);
}

BOOST_AUTO_TEST_CASE(loading_takes_time_for_each_page)
{
    std::vector<ColoCheckpoint> seen;
    for (int perPageUs : {0, 10})
    {
        Puppets world(WithWrites(1000, 100000, [=](ColoHelper& helper) {
            helper.SetCheckpointerAttribute("LoadTimePerPage", TimeValue(MicroSeconds(perPageUs)));
        }));
        world.RequestCheckpointAt(MilliSeconds(100));
        world.Run(Seconds(1));
        BOOST_REQUIRE(world.checkpoints.size() == 1);
        seen.push_back(world.checkpoints[0]);
    }
    BOOST_TEST(seen[0].pages == seen[1].pages);
    const Time longer = GetPause(seen[1]) - GetPause(seen[0]);
    BOOST_TEST((longer == MicroSeconds(10) * static_cast<int64_t>(seen[1].pages)));
}

BOOST_AUTO_TEST_CASE(defaults_come_near_what_qemu_published_of_an_idle_guest)
{
    Puppets world(WithPrimary("CheckpointIntervalMax", TimeValue(MilliSeconds(600))));
    world.Run(Seconds(8));
    BOOST_REQUIRE(world.checkpoints.size() > 10);
    double ms = 0;
    for (const auto& checkpoint : world.checkpoints)
    {
        ms += checkpoint.bytes * 8 / 1e10 * 1e3 / world.checkpoints.size();
    }
    BOOST_TEST(ms > 4.5 * 0.95);
    BOOST_TEST(ms < 4.5 * 1.05);
}

BOOST_AUTO_TEST_CASE(what_broke_off_is_dirty_for_the_next_checkpoint)
{
    Puppets world(WithWrites(3000, 100000, [](ColoHelper& helper) {
        helper.SetCheckpointLink(DataRate("100Mbps"), MicroSeconds(50)); // for a second
    }));
    world.RequestCheckpointAt(MilliSeconds(200));
    uint64_t sent = 0;
    uint64_t again = 0;
    // No more is written from the pause on, so that nothing but the lost pages is dirty.
    Simulator::Schedule(MilliSeconds(210), [&] {
        sent = GetMemory(world)->CountSentPages();
        GetMemory(world)->SetAttribute("WriteRate", DoubleValue(0));
        BOOST_TEST(GetMemory(world)->CountDirtyPages() == 0);
        world.pair.primaryProxy->CheckpointEvent(COLO_EVENT_ABORT, 0);
        again = GetMemory(world)->CountDirtyPages();
    });
    world.RequestCheckpointAt(Seconds(3));
    world.Run(Seconds(6));
    BOOST_TEST(sent > 2900);
    BOOST_TEST(again == sent);
    BOOST_REQUIRE(!world.checkpoints.empty()); // the core tries again by itself
    BOOST_TEST(world.checkpoints[0].pages == sent);
    BOOST_TEST(GetMemory(world)->CountDirtyPages() == 0);
    BOOST_TEST(GetMemory(world)->CountSentPages() == 0);
}

BOOST_AUTO_TEST_CASE(taken_pages_are_written_again_as_often_as_others)
{
    Puppets world(WithWrites(100000, 100000));
    Simulator::Schedule(Seconds(1), [&] {
        const uint64_t dirty = GetMemory(world)->CountDirtyPages();
        BOOST_TEST(GetMemory(world)->TakeDirty(30000) == 30000);
        BOOST_TEST(GetMemory(world)->CountDirtyPages() == dirty - 30000);
    });
    world.Run(Seconds(1.5));
    BOOST_TEST(GetMemory(world)->CountSentPages() > 30000 * std::exp(-0.5) * 0.97);
    BOOST_TEST(GetMemory(world)->CountSentPages() < 30000 * std::exp(-0.5) * 1.03);
    // To take and give back, however often, loses none: each page was written or not.
    GetMemory(world)->GiveBack();
    const double written = 100000 * (1 - std::exp(-1.5));
    BOOST_TEST(GetMemory(world)->CountDirtyPages() > written * 0.99);
    BOOST_TEST(GetMemory(world)->CountDirtyPages() < written * 1.01);
    BOOST_TEST(GetMemory(world)->TakeAll() == GetMemory(world)->GetAllPages());
    BOOST_TEST(GetMemory(world)->GetAllPages() == 262144);
}

BOOST_AUTO_TEST_CASE(background_sending_shortens_the_pause_and_costs_traffic)
{
    std::vector<Time> pauses;
    std::vector<uint64_t> traffic;
    for (uint64_t rateMbps : {0, 100, 400})
    {
        Puppets world(WithWrites(4000, 4000, [=](ColoHelper& helper) {
            helper.SetCheckpointLink(DataRate("1Gbps"), MicroSeconds(50));
            helper.SetCheckpointerAttribute("BackgroundRate",
                                            DataRateValue(DataRate(rateMbps * 1000000)));
        }));
        const auto bytes = CountOnLink(world);
        world.RequestCheckpointAt(Seconds(2));
        world.Run(Seconds(1.9));
        const double sentMbps = *bytes * 8 / 1.9e6;
        BOOST_TEST(sentMbps <= rateMbps * 1.03 + 0.1); // with headers, and leases besides
        world.Run(Seconds(1));
        BOOST_REQUIRE(world.checkpoints.size() == 1);
        pauses.push_back(GetPause(world.checkpoints[0]));
        traffic.push_back(*bytes);
        const uint64_t all = world.checkpoints[0].pages + world.checkpoints[0].sentPages;
        BOOST_TEST(all > 4000 * (1 - std::exp(-2)) * 0.96);
        BOOST_TEST(all < 4000 * (1 - std::exp(-2)) * 1.04);
        BOOST_TEST((world.checkpoints[0].sentPages > 0) == (rateMbps > 0));
    }
    BOOST_TEST((pauses[1] < pauses[0] * int64_t(3) / int64_t(4)));
    BOOST_TEST((pauses[2] < pauses[1]));
    BOOST_TEST(traffic[1] > traffic[0] * 1.2);
    BOOST_TEST(traffic[2] > traffic[1]);
}

BOOST_AUTO_TEST_CASE(contradictory_intervals_are_refused)
{
    const auto make = [](int64_t minMs, int64_t maxMs) {
        return AbortMessage([=] {
            CreateObjectWithAttributes<ColoPrimaryProxy>("CheckpointIntervalMin",
                                                         TimeValue(MilliSeconds(minMs)),
                                                         "CheckpointIntervalMax",
                                                         TimeValue(MilliSeconds(maxMs)));
        });
    };
    const std::string message = make(200, 100);
    BOOST_TEST(message.find("CheckpointIntervalMin") != std::string::npos, message);
    BOOST_TEST(message.find("CheckpointIntervalMax") != std::string::npos, message);
    BOOST_TEST(make(100, 100).empty());
    BOOST_TEST(make(200, 0).empty());
}

BOOST_AUTO_TEST_CASE(checkpoints_are_periodic_without_divergence_and_no_storm_with_it)
{
    for (double divergence : {0.0, 1.0})
    {
        PairOptions options;
        options.divergence = divergence;
        options.dialogue = LongTalk(1, 100, 500, 3000);
        const Time interval = MilliSeconds(60);
        options.configure = [=](ColoHelper& helper) {
            helper.SetPrimaryProxyAttribute(divergence > 0 ? "CheckpointIntervalMin"
                                                           : "CheckpointIntervalMax",
                                            TimeValue(interval));
        };
        PairWorld world(options);
        std::vector<ColoCheckpoint> seen;
        world.OnCheckpoint([&](const ColoCheckpoint& checkpoint) { seen.push_back(checkpoint); });
        world.Run(Seconds(5));
        BOOST_REQUIRE(seen.size() > 3);
        for (std::size_t i = 1; i < seen.size(); i++)
        {
            const Time gap = seen[i].requested - seen[i - 1].committed;
            BOOST_TEST((divergence > 0 ? gap >= interval : gap == interval));
            BOOST_TEST((seen[i].reason == COLO_REQUEST_PERIODIC) == (divergence == 0));
        }
    }
}
