/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_link

#include "colo-link-device.h"
#include "colo-pause.h"

#include "ns3/core-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

using namespace ns3;

namespace
{

const int FRAMES = 20000;

/** Numbered frames of one direction, ten microseconds apart, and what came of them. */
struct Link
{
    explicit Link(const ColoLinkOptions& options, uint32_t seed = 1)
    {
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(1);
        a = CreateObject<Node>();
        b = CreateObject<Node>();
        ends = ColoLinkDevice::Connect(a, b, options);
        channel = ColoLinkDevice::GetCable(ends);
        BOOST_TEST(channel->AssignStreams(7) == 3);
        for (auto [trace, counter] : {std::make_pair("Lost", &lost),
                                      std::make_pair("Duplicated", &duplicated),
                                      std::make_pair("Reordered", &reordered)})
        {
            channel->TraceConnectWithoutContext(
                trace,
                Callback<void, Ptr<const Packet>>([counter](Ptr<const Packet>) { ++*counter; }));
        }
        ends.second->SetReceiveCallback(NetDevice::ReceiveCallback(
            [this](Ptr<NetDevice>, Ptr<const Packet> packet, uint16_t, const Address&) {
                uint8_t bytes[2];
                packet->CopyData(bytes, 2);
                arrived.emplace_back(Simulator::Now(), bytes[0] << 8 | bytes[1]);
                return true;
            }));
    }

    ~Link()
    {
        Simulator::Destroy();
    }

    void Send(int number)
    {
        const uint8_t bytes[2] = {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
        ends.first->Send(Create<Packet>(bytes, 2), ends.second->GetAddress(), 0x0800);
    }

    void Run(int frames = FRAMES)
    {
        for (int i = 0; i < frames; i++)
        {
            Simulator::ScheduleWithContext(a->GetId(), MicroSeconds(10) * i, [=] { Send(i); });
        }
        Simulator::Run();
    }

    /** Frames that came after one that was sent later. */
    int CountOvertaken() const
    {
        int overtaken = 0;
        int highest = -1;
        for (const auto& [time, number] : arrived)
        {
            overtaken += number < highest;
            highest = std::max(highest, number);
        }
        return overtaken;
    }

    Ptr<Node> a;
    Ptr<Node> b;
    ColoLinkDevice::Ends ends;
    Ptr<ColoLinkChannel> channel;
    std::vector<std::pair<Time, int>> arrived;
    int lost{0};
    int duplicated{0};
    int reordered{0};
};

ColoLinkOptions
Perfect()
{
    ColoLinkOptions options;
    options.delay = MicroSeconds(3);
    return options;
}

/** Six standard deviations around 1 % or 5 % of the frames. */
bool
IsAbout(int count, double probability)
{
    const double mean = FRAMES * probability;
    return std::abs(count - mean) < 6 * std::sqrt(mean);
}

} // namespace

BOOST_AUTO_TEST_CASE(link_without_impairments_delivers_all_in_order_and_on_time)
{
    Link link(Perfect());
    link.Run(1000);
    BOOST_REQUIRE(link.arrived.size() == 1000u);
    for (int i = 0; i < 1000; i++)
    {
        BOOST_REQUIRE(link.arrived[i].first == MicroSeconds(10) * i + MicroSeconds(3));
        BOOST_REQUIRE(link.arrived[i].second == i);
    }
    BOOST_TEST(link.lost + link.duplicated + link.reordered == 0);
}

BOOST_AUTO_TEST_CASE(link_loses_frames)
{
    ColoLinkOptions options = Perfect();
    options.loss = 0.05;
    Link link(options);
    link.Run();
    BOOST_TEST(IsAbout(link.lost, 0.05), link.lost);
    BOOST_TEST(static_cast<int>(link.arrived.size()) == FRAMES - link.lost);
    BOOST_TEST(link.CountOvertaken() == 0);
}

BOOST_AUTO_TEST_CASE(link_doubles_frames)
{
    ColoLinkOptions options = Perfect();
    options.duplicate = 0.01;
    Link link(options);
    link.Run();
    BOOST_TEST(IsAbout(link.duplicated, 0.01), link.duplicated);
    BOOST_TEST(static_cast<int>(link.arrived.size()) == FRAMES + link.duplicated);
    BOOST_TEST(link.CountOvertaken() == 0);
}

BOOST_AUTO_TEST_CASE(link_lets_later_frames_overtake)
{
    ColoLinkOptions options = Perfect();
    options.reorder = 0.01;
    options.reorderDelay = MicroSeconds(25);
    Link link(options);
    link.Run();
    BOOST_TEST(IsAbout(link.reordered, 0.01), link.reordered);
    BOOST_TEST(static_cast<int>(link.arrived.size()) == FRAMES);
    int late = 0;
    for (const auto& [time, number] : link.arrived)
    {
        const Time delay = time - MicroSeconds(10) * number;
        BOOST_REQUIRE((delay == MicroSeconds(3) || delay == MicroSeconds(28)));
        late += delay == MicroSeconds(28);
    }
    BOOST_TEST(late == link.reordered);
    // All but those whose two followers are late as well.
    BOOST_TEST(link.CountOvertaken() > 0.99 * late);
}

// Which frames are lost is the seed's affair, and no other impairment's.
BOOST_AUTO_TEST_CASE(link_repeats_with_its_seed_and_keeps_impairments_apart)
{
    auto run = [](double duplicate, uint32_t seed) {
        ColoLinkOptions options = Perfect();
        options.loss = 0.05;
        options.duplicate = duplicate;
        Link link(options, seed);
        std::vector<int> lost(2000, 1);
        link.Run(2000);
        for (const auto& [time, number] : link.arrived)
        {
            lost[number] = 0;
        }
        return lost;
    };
    BOOST_TEST(run(0, 1) == run(0, 1));
    BOOST_TEST(run(0, 1) == run(0.3, 1));
    BOOST_TEST((run(0, 1) != run(0, 2)));
}

// An impairment that begins later hits what it would have hit without the time before.
BOOST_AUTO_TEST_CASE(link_draws_nothing_while_it_has_no_impairment)
{
    auto run = [](int before) {
        Link link(Perfect());
        for (int i = 0; i < before; i++)
        {
            link.Send(i);
            Simulator::Run(); // else they wait in the queue
        }
        link.channel->SetAttribute("Loss", DoubleValue(0.3));
        link.channel->SetAttribute("Reorder", DoubleValue(0.3));
        link.channel->SetAttribute("Duplicate", DoubleValue(0.3));
        link.Run(500);
        return std::vector<int>{link.lost, link.duplicated, link.reordered};
    };
    BOOST_TEST(run(0) == run(1));
    BOOST_TEST(run(0) == run(777));
}

BOOST_AUTO_TEST_CASE(link_that_is_cut_delivers_nothing)
{
    Link link(Perfect());
    Simulator::Schedule(MicroSeconds(45), [&] { link.channel->Cut(); });
    link.Run(100);
    BOOST_TEST(link.arrived.size() == 5u);
    BOOST_TEST(link.lost == 95);
}

// What a host has given to its card leaves, whatever the host does then.
BOOST_AUTO_TEST_CASE(a_card_empties_its_queue_while_its_host_stands_still)
{
    ColoPause::Enable();
    ColoLinkOptions options;
    options.rate = DataRate("1Mbps"); // 16 us a frame
    Link link(options);
    Simulator::ScheduleWithContext(link.a->GetId(), Time(), [&] {
        for (int i = 0; i < 10; i++)
        {
            link.Send(i);
        }
        ColoPause::Pause(link.a->GetId());
    });
    Simulator::Run();
    BOOST_TEST(link.arrived.size() == 10);
}

// Both ends see that the cable is cut, and that it is mended.
BOOST_AUTO_TEST_CASE(a_cut_link_has_no_carrier)
{
    Link link({});
    for (bool isCut : {true, false})
    {
        isCut ? link.channel->Cut() : link.channel->Mend();
        BOOST_TEST(link.ends.first->IsLinkUp() != isCut);
        BOOST_TEST(link.ends.second->IsLinkUp() != isCut);
        link.Run(3);
        BOOST_TEST(link.arrived.size() == (isCut ? 0 : 3));
    }
}
