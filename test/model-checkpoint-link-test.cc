/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What two hosts tell each other over the checkpoint link, and how long it takes.
#define BOOST_TEST_MODULE model_checkpoint_link
#include "colo-checkpoint-link.h"
#include "model-abort.h"
#include "model-pair-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>

namespace bdata = boost::unit_test::data;

namespace
{

struct LinkOptions
{
    uint32_t seed{1};
    std::string rate{"10Gbps"};
    Time delay{MicroSeconds(50)};
    double loss{0};
    Time jitterMax; //!< segments overtake each other
    uint16_t pairs{1};
    std::function<void(ColoCheckpointLink&)> configure;
};

/** A message, and when the end it was for had it. */
struct Arrival
{
    Time time;
    uint8_t type;
    uint32_t epoch;
    uint64_t bytes;
};

std::ostream&
operator<<(std::ostream& os, const Arrival& arrival)
{
    return os << arrival.time.As(Time::US) << " type " << +arrival.type << " epoch "
              << arrival.epoch << " bytes " << arrival.bytes;
}

/** Two hosts and a link between them. */
class LinkWorld
{
  public:
    explicit LinkWorld(const LinkOptions& options = {})
    {
        Config::Reset();
        RngSeedManager::SetSeed(options.seed);
        RngSeedManager::SetRun(1);
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(false));
        a = CreateObject<Node>();
        b = CreateObject<Node>();
        devices = ColoLinkDevice::Connect(a, b, DataRate(options.rate), options.delay);
        int64_t stream = 0;
        if (options.jitterMax.IsStrictlyPositive())
        {
            auto channel = CreateObject<JitterChannel>();
            channel->SetAttribute("Delay", TimeValue(options.delay));
            channel->jitterMax = options.jitterMax;
            channel->random->SetStream(stream++);
            devices.first->SetChannel(channel);
            devices.second->SetChannel(channel);
        }
        for (const auto& device : {devices.first, devices.second})
        {
            auto model = CreateObject<RateErrorModel>();
            model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
            model->SetRate(options.loss);
            stream += model->AssignStreams(stream);
            device->SetAttribute("ReceiveErrorModel", PointerValue(model));
            losses.push_back(model);
        }
        link = CreateObject<ColoCheckpointLink>();
        if (options.configure)
        {
            options.configure(*link);
        }
        link->Install(devices);
        link->AssignStreams(stream);
        for (uint16_t pair = 0; pair < options.pairs; pair++)
        {
            pairs.push_back(link->Open(pair));
            Listen(pairs.back().first, toPrimary[pair]);
            Listen(pairs.back().second, toSecondary[pair]);
        }
    }

    ~LinkWorld()
    {
        pairs.clear();
        Simulator::Destroy();
    }

    static void Listen(Ptr<ColoCheckpointEnd> end, std::vector<Arrival>& arrivals)
    {
        end->SetReceiver([&arrivals](const ColoCheckpointMessage& message) {
            arrivals.push_back({Simulator::Now(), message.type, message.epoch, message.bytes});
        });
    }

    static void SendAt(Time time, Ptr<ColoCheckpointEnd> end, ColoCheckpointMessage message)
    {
        Simulator::Schedule(time - Simulator::Now(), [=] { end->Send(message); });
    }

    /** From the primary's end of a pair. */
    void SendStateAt(Time time, uint64_t bytes, uint16_t pair = 0)
    {
        SendAt(time, pairs[pair].first, {1, 1, bytes});
    }

    static void Run(Time time)
    {
        Simulator::Stop(time);
        Simulator::Run();
    }

    Ptr<Node> a;
    Ptr<Node> b;
    ColoLinkDevice::Ends devices;
    Ptr<ColoCheckpointLink> link;
    std::vector<ColoCheckpointLink::Ends> pairs;
    std::vector<Ptr<RateErrorModel>> losses;
    std::map<uint16_t, std::vector<Arrival>> toPrimary; //!< by pair
    std::map<uint16_t, std::vector<Arrival>> toSecondary;
};

/** Once the connections stand. */
const Time START = MilliSeconds(10);

/** How long a message with so much state takes at least. */
Time
OnLink(uint64_t bytes, const std::string& rate, Time delay)
{
    return DataRate(rate).CalculateBytesTxTime(bytes + 16) + delay;
}

} // namespace

// Also when a segment has several messages and parts of them, and over a link that disturbs them.
BOOST_DATA_TEST_CASE(messages_arrive_in_order_and_each_whole,
                     bdata::xrange(1, 5) * bdata::make({0.0, 0.03}) * bdata::make({0, 300}) *
                         bdata::make({536, 61440}),
                     seed,
                     loss,
                     jitterUs,
                     segmentSize)
{
    LinkOptions options;
    options.seed = seed;
    options.loss = loss;
    options.jitterMax = MicroSeconds(jitterUs);
    options.pairs = 2;
    options.configure = [&](ColoCheckpointLink& link) {
        link.SetAttribute("SegmentSize", UintegerValue(segmentSize));
        link.SetAttribute("BufferSize", UintegerValue(8 * segmentSize));
    };
    LinkWorld world(options);
    auto random = CreateObject<UniformRandomVariable>();
    random->SetStream(9999);
    std::map<ColoCheckpointEnd*, std::vector<ColoCheckpointMessage>> sent;
    for (uint32_t i = 0; i < 100; i++)
    {
        const auto& ends = world.pairs[random->GetInteger(0, 1)];
        Ptr<ColoCheckpointEnd> end = random->GetInteger(0, 1) ? ends.first : ends.second;
        const bool hasState = random->GetInteger(0, 3) == 0;
        const ColoCheckpointMessage message{static_cast<uint8_t>(random->GetInteger(0, 255)),
                                            0xfffffff0 + i,
                                            hasState ? random->GetInteger(1, 20000) : 0};
        // Mostly many at a time; some before there is a connection.
        LinkWorld::SendAt(MilliSeconds(i / 20), end, message);
        sent[PeekPointer(end)].push_back(message);
    }
    world.Run(Seconds(3000));
    for (uint16_t pair = 0; pair < 2; pair++)
    {
        const auto& ends = world.pairs[pair];
        for (const auto& [end, arrived] : {std::make_pair(ends.first, world.toSecondary[pair]),
                                           std::make_pair(ends.second, world.toPrimary[pair])})
        {
            const auto& expected = sent[PeekPointer(end)];
            BOOST_REQUIRE(expected.size() > 10);
            BOOST_TEST(arrived.size() == expected.size(), "seed " << seed);
            for (std::size_t i = 0; i < std::min(arrived.size(), expected.size()); i++)
            {
                const bool isSame = arrived[i].type == expected[i].type &&
                                    arrived[i].epoch == expected[i].epoch &&
                                    arrived[i].bytes == expected[i].bytes;
                BOOST_TEST(isSame, "seed " << seed << ", message " << i << ": " << arrived[i]);
            }
        }
    }
}

// The last byte decides; headers of TCP and IP are all that comes on top.
BOOST_DATA_TEST_CASE(state_takes_its_size_by_the_rate_and_the_delay,
                     bdata::make({0, 1, 61440, 4 << 20, 32 << 20}) *
                         bdata::make<std::string>({"100Mbps", "1Gbps", "10Gbps"}) *
                         bdata::make({5, 50, 5000}),
                     bytes,
                     rate,
                     delayUs)
{
    LinkOptions options;
    options.rate = rate;
    options.delay = MicroSeconds(delayUs);
    LinkWorld world(options);
    const Time start = MilliSeconds(50);
    world.SendStateAt(start, bytes);
    // A connection that was idle is no slower.
    const Time again = Seconds(200);
    world.SendStateAt(again, bytes);
    world.Run(Seconds(300));
    const auto& arrived = world.toSecondary[0];
    BOOST_REQUIRE(arrived.size() == 2);
    const Time least = OnLink(bytes, rate, options.delay);
    const Time most = OnLink(bytes + bytes / 1000 + 200, rate, options.delay);
    for (const Time& took : {arrived[0].time - start, arrived[1].time - again})
    {
        BOOST_TEST((took >= least), took.As(Time::US) << " of at least " << least.As(Time::US));
        BOOST_TEST((took <= most), took.As(Time::US) << " of at most " << most.As(Time::US));
    }
}

BOOST_AUTO_TEST_CASE(message_does_not_wait_for_the_one_before)
{
    LinkOptions options;
    options.delay = MilliSeconds(5);
    options.configure = [](ColoCheckpointLink&) {
        // Whatever the sockets of guests do.
        Config::SetDefault("ns3::TcpSocket::TcpNoDelay", BooleanValue(false));
    };
    LinkWorld world(options);
    for (int i = 0; i < 4; i++)
    {
        LinkWorld::SendAt(Seconds(1) + MilliSeconds(i), world.pairs[0].first, {1, 0, 0});
    }
    world.Run(Seconds(2));
    const auto& arrived = world.toSecondary[0];
    BOOST_REQUIRE(arrived.size() == 4);
    for (int i = 0; i < 4; i++)
    {
        const Time took = arrived[i].time - Seconds(1) - MilliSeconds(i);
        BOOST_TEST((took < options.delay + MicroSeconds(1)), took.As(Time::US));
    }
}

// It is a counter of 32 bits, and a pair moves many states.
BOOST_AUTO_TEST_CASE(window_that_is_never_full_does_not_grow_with_each_state)
{
    LinkWorld world;
    uint32_t windowMax = 0;
    Simulator::Schedule(MilliSeconds(1), [&] {
        Config::ConnectWithoutContext(
            "/NodeList/0/$ns3::TcpL4Protocol/SocketList/*/CongestionWindow",
            Callback<void, uint32_t, uint32_t>(
                [&](uint32_t, uint32_t window) { windowMax = std::max(windowMax, window); }));
    });
    const uint32_t bytes = 64 << 20;
    world.SendStateAt(START, bytes);
    world.Run(Seconds(1));
    BOOST_TEST(world.toSecondary[0].size() == 1);
    BOOST_TEST(windowMax > 0);
    BOOST_TEST(windowMax < bytes / 8);
}

BOOST_AUTO_TEST_CASE(small_first_window_costs_round_trips_once)
{
    LinkOptions options;
    options.delay = MilliSeconds(5);
    options.configure = [](ColoCheckpointLink& link) {
        link.SetAttribute("InitialCwnd", UintegerValue(1));
    };
    LinkWorld world(options);
    const Time start = MilliSeconds(50);
    world.SendStateAt(start, 4 << 20);
    world.SendStateAt(Seconds(1), 4 << 20);
    world.Run(Seconds(2));
    const auto& arrived = world.toSecondary[0];
    BOOST_REQUIRE(arrived.size() == 2);
    // 1, 2, 4, ... 64 segments of 60 KiB.
    BOOST_TEST((arrived[0].time - start > MilliSeconds(6 * 10)));
    BOOST_TEST((arrived[0].time - start < MilliSeconds(8 * 10)));
    BOOST_TEST((arrived[1].time - Seconds(1) < MilliSeconds(25)));
}

BOOST_AUTO_TEST_CASE(pairs_share_the_rate_and_a_message_does_not_wait_for_another_pairs_state)
{
    const std::string rate = "1Gbps";
    const uint64_t bytes = 20000000;
    LinkOptions options;
    options.rate = rate;
    options.pairs = 3;
    LinkWorld world(options);
    world.SendStateAt(START, bytes, 0);
    world.SendStateAt(START, bytes, 1);
    LinkWorld::SendAt(START + MilliSeconds(100), world.pairs[2].first, {7, 0, 0});
    LinkWorld::SendAt(START + MilliSeconds(100), world.pairs[2].second, {8, 0, 0});
    // Later the same by itself.
    world.SendStateAt(Seconds(1), bytes, 0);
    world.Run(Seconds(2));
    BOOST_REQUIRE(world.toSecondary[0].size() == 2);
    BOOST_REQUIRE(world.toSecondary[1].size() == 1);
    BOOST_REQUIRE(world.toSecondary[2].size() == 1);
    BOOST_REQUIRE(world.toPrimary[2].size() == 1);
    const double alone = (world.toSecondary[0][1].time - Seconds(1)).GetSeconds();
    const double first = (world.toSecondary[0][0].time - START).GetSeconds() / alone;
    const double second = (world.toSecondary[1][0].time - START).GetSeconds() / alone;
    BOOST_TEST(std::max(first, second) > 1.99);
    BOOST_TEST(std::max(first, second) < 2.01);
    BOOST_TEST(std::min(first, second) > 1.9);
    // It waits for what both others may have under way, 1 MiB each, and not on the way back.
    const Time message = world.toSecondary[2][0].time - START - MilliSeconds(100);
    BOOST_TEST((message < OnLink(2 * ((1 << 20) + (64 << 10)), rate, options.delay)));
    const Time back = world.toPrimary[2][0].time - START - MilliSeconds(100);
    BOOST_TEST((back < options.delay + MicroSeconds(10)));
}

BOOST_AUTO_TEST_CASE(dead_link_costs_few_events_and_recovers)
{
    LinkWorld world;
    world.SendStateAt(START, 64 << 20);
    LinkWorld::SendAt(START, world.pairs[0].second, {2, 0, 0});
    Simulator::Schedule(START, [&] {
        for (const auto& model : world.losses)
        {
            model->SetRate(1);
        }
    });
    world.Run(Seconds(100));
    BOOST_TEST(world.toSecondary[0].empty());
    BOOST_TEST(world.toPrimary[0].empty());
    BOOST_TEST(Simulator::GetEventCount() < 500);
    for (const auto& model : world.losses)
    {
        model->SetRate(0);
    }
    world.Run(Seconds(120));
    BOOST_TEST(world.toSecondary[0].size() == 1);
    BOOST_TEST(world.toPrimary[0].size() == 1);
}

BOOST_AUTO_TEST_CASE(host_that_never_answers_costs_few_events)
{
    LinkOptions options;
    options.loss = 1;
    LinkWorld world(options);
    world.SendStateAt(START, 64 << 20);
    world.Run(Seconds(100000));
    BOOST_TEST(world.toSecondary[0].empty());
    BOOST_TEST(Simulator::GetEventCount() < 100);
}

BOOST_AUTO_TEST_CASE(lost_first_segment_is_repeated_after_a_second)
{
    LinkOptions options;
    options.loss = 1;
    LinkWorld world(options);
    world.SendStateAt(START, 0);
    Simulator::Schedule(START, [&] { world.losses[1]->SetRate(0); });
    Simulator::Schedule(START, [&] { world.losses[0]->SetRate(0); });
    world.Run(Seconds(5));
    BOOST_REQUIRE(world.toSecondary[0].size() == 1);
    BOOST_TEST((world.toSecondary[0][0].time > Seconds(1)));
    BOOST_TEST((world.toSecondary[0][0].time < Seconds(1) + MilliSeconds(1)));
}

BOOST_AUTO_TEST_CASE(same_seed_same_times)
{
    auto run = [](uint32_t seed) {
        LinkOptions options;
        options.seed = seed;
        options.loss = 0.02;
        options.jitterMax = MicroSeconds(100);
        LinkWorld world(options);
        for (int i = 0; i < 10; i++)
        {
            world.SendStateAt(START + MilliSeconds(i), 1 << 20);
        }
        world.Run(Seconds(1000));
        BOOST_TEST(world.toSecondary[0].size() == 10);
        std::vector<int64_t> times;
        for (const Arrival& arrival : world.toSecondary[0])
        {
            times.push_back(arrival.time.GetNanoSeconds());
        }
        return times;
    };
    const auto first = run(1);
    const auto other = run(2);
    BOOST_TEST((run(1) == first));
    BOOST_TEST((other != first));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_is_named)
{
    LinkOptions options;
    options.configure = [](ColoCheckpointLink& link) {
        link.SetAttribute("Port", UintegerValue(65000));
    };
    LinkWorld world(options);
    const std::string port = AbortMessage([&] { world.link->Open(536); });
    BOOST_TEST(port.find("no port 65536 for pair 536") != std::string::npos, port);
    const std::string twice = AbortMessage([&] { world.link->Open(0); });
    BOOST_TEST(twice.find("pair 0 has a connection already") != std::string::npos, twice);
    world.link->SetAttribute("BufferSize", UintegerValue(100000));
    const std::string small = AbortMessage([&] { world.link->Open(1); });
    BOOST_TEST(small.find("BufferSize of 100000 does not hold two") != std::string::npos, small);
    const std::string early = AbortMessage([] { CreateObject<ColoCheckpointLink>()->Open(0); });
    BOOST_TEST(early.find("Open() before Install()") != std::string::npos, early);
}
