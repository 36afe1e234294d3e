/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A protected pair with one source of divergence: which mismatches it gives, and that the clients
// never notice.
#define BOOST_TEST_MODULE model_pair_divergence

#include "model-guest-apps.h"
#include "model-pair-world.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace data = boost::unit_test::data;

namespace
{

using Settings = std::vector<std::pair<std::string, std::string>>;
using Reasons = std::set<std::string>;

/** A source of divergence, and what the core shall say to it. */
struct Source
{
    std::string name;
    Settings ofGuest; //!< attributes of ColoGuest
    Settings ofProxy; //!< attributes of ColoSecondaryProxy
    Reasons must;     //!< mismatches that there are
    Reasons may{};    //!< those that there may be besides
};

std::ostream&
operator<<(std::ostream& os, const Source& source)
{
    return os << source.name;
}

const std::string STAMPS = "ns3::UniformRandomVariable[Min=0|Max=4294900000]";
const std::string SIZES = "ns3::UniformRandomVariable[Min=500|Max=1448]";
const std::string PORTS = "ns3::UniformRandomVariable[Min=32768|Max=60999]";

const std::vector<Source> SOURCES = {
    {"segment size", {{"SegmentSize", SIZES}}, {}, {}},
    {"announced segment size",
     {{"SegmentSize", SIZES}, {"AnnounceSegmentSize", "true"}},
     {},
     {"syn-options"}},
    {"delayed ACK count", {{"DelAckCount", "ns3::UniformRandomVariable[Min=1|Max=9]"}}, {}, {}},
    {"delayed ACK timeout",
     {{"DelAckTimeout", "ns3::UniformRandomVariable[Min=0.001|Max=0.09]"}},
     {},
     {}},
    {"Nagle", {{"Nagle", "0.5"}}, {}, {}},
    {"timestamps", {{"TimestampOffset", STAMPS}}, {}, {}},
    {"lag jitter", {}, {{"LagJitter", "ns3::ExponentialRandomVariable[Mean=0.002|Bound=0.1]"}}, {}},
    {"cold caches", {}, {{"ColdLag", "30ms"}, {"ColdDecay", "100ms"}}, {}},
};

void
Configure(ColoHelper& helper, const Source& source)
{
    for (const auto& [name, value] : source.ofGuest)
    {
        helper.SetGuestAttribute(name, StringValue(value));
    }
    for (const auto& [name, value] : source.ofProxy)
    {
        helper.SetSecondaryProxyAttribute(name, StringValue(value));
    }
}

/** What the core has found, by its own names. */
Reasons
GetReasons(const PairWorld& world)
{
    Reasons reasons;
    for (int i = 0; i < COLO_REASON_COUNT; i++)
    {
        const auto reason = static_cast<colo_reason>(i);
        if (world.pair.primaryProxy->GetNode().stats.mismatches[i] > 0)
        {
            reasons.insert(colo_reason_name(reason));
        }
    }
    return reasons;
}

/** All of must, and besides it only what may be. */
void
CheckReasons(const Reasons& found, const Reasons& must, const Reasons& may)
{
    for (const std::string& reason : must)
    {
        BOOST_TEST(found.count(reason) == 1, "no " << reason);
    }
    for (const std::string& reason : found)
    {
        BOOST_TEST(must.count(reason) + may.count(reason) == 1, "unexpected " << reason);
    }
}

const uint64_t ASKED_BYTES = 50000;

/** A guest's application connects to the client and sends, and the client answers. */
void
AskedByGuest(PairWorld& world, Peer& peer)
{
    for (const ColoGuestPlace* place : {&world.pair.primary, &world.pair.secondary})
    {
        auto app = CreateObject<EchoApp>();
        app->remote = InetSocketAddress("10.0.0.1", 1234);
        app->toSend = ASKED_BYTES;
        place->node->AddApplication(app);
        app->SetStartTime(MilliSeconds(10));
    }
    peer.toSend = ASKED_BYTES;
    Simulator::ScheduleWithContext(world.client->GetId(), MilliSeconds(1), [&world, &peer] {
        Ptr<Socket> listener = Socket::CreateSocket(world.client, TcpSocketFactory::GetTypeId());
        listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 1234));
        listener->Listen();
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                    Callback<void, Ptr<Socket>, const Address&>(
                                        [&peer](Ptr<Socket> socket, const Address&) {
                                            peer.Use(socket);
                                            peer.Write(socket, 0);
                                        }));
    });
}

/** Turns of an odd number of segments and long pauses, in which delayed ACKs run out of time. */
std::shared_ptr<const ColoDialogue>
SlowTalk()
{
    auto dialogue = std::make_shared<ColoDialogue>();
    for (uint32_t i = 0; i < 4; i++)
    {
        ColoConversation conversation;
        conversation.clientPort = ColoDialogue::FIRST_CLIENT_PORT + dialogue->conversations.size();
        conversation.serverPort = 80;
        for (int round = 0; round < 3; round++)
        {
            conversation.turns.push_back({false, 41000, MilliSeconds(3 * i)});
            conversation.turns.push_back({true, 60000, MilliSeconds(100)});
        }
        conversation.closer = ColoCloser::CLIENT;
        dialogue->conversations.push_back(conversation);
    }
    return dialogue;
}

/** When the secondary guest sent what, or when it got what. */
using Frames = std::vector<std::pair<int64_t, Bytes>>;

void
Keep(PairWorld& world, Tap tap, Frames& frames)
{
    world.OnFrame([tap, &frames](Tap where, const Bytes& frame, Ptr<const Packet>) {
        if (where == tap)
        {
            frames.emplace_back(Simulator::Now().GetTimeStep(), frame);
        }
    });
}

struct Run
{
    Reasons reasons;
    Frames ofSecondary;
    bool isRight;
};

/** With a checkpoint now and then, so that the time after one has its say. */
Run
RunDialogue(std::shared_ptr<const ColoDialogue> dialogue, const Source& source, uint32_t seed)
{
    PairOptions options;
    options.seed = seed;
    options.dialogue = std::move(dialogue);
    options.configure = [&](ColoHelper& helper) { Configure(helper, source); };
    PairWorld world(options);
    Run run;
    Keep(world, Tap::FROM_SECONDARY, run.ofSecondary);
    for (int i = 1; i < 5; i++)
    {
        world.RequestCheckpointAt(MilliSeconds(40 * i));
    }
    world.Run(Seconds(60));
    run.isRight = world.IsRight();
    run.reasons = GetReasons(world);
    return run;
}

} // namespace

BOOST_DATA_TEST_CASE(source_gives_its_mismatches_and_no_others,
                     data::make(SOURCES) * data::make({1, 2}),
                     source,
                     seed)
{
    static std::map<int, std::vector<Run>> withoutSources; // by seed
    const auto dialogues = {RequestResponse(60, 12, 3000, MilliSeconds(2)), SlowTalk()};
    std::vector<Run>& without = withoutSources[seed];
    if (without.empty())
    {
        for (const auto& dialogue : dialogues)
        {
            without.push_back(RunDialogue(dialogue, {}, seed));
            BOOST_TEST(without.back().isRight);
            CheckReasons(without.back().reasons, {}, {});
        }
    }
    bool isNoticed = false;
    std::size_t i = 0;
    for (const auto& dialogue : dialogues)
    {
        const Run with = RunDialogue(dialogue, source, seed);
        BOOST_TEST(with.isRight);
        CheckReasons(with.reasons, source.must, source.may);
        isNoticed = isNoticed || with.ofSecondary != without[i].ofSecondary;
        i++;
    }
    BOOST_TEST(isNoticed, "the source does nothing");
}

// ---- what the guests open themselves ----

// The secondary's SYN comes from a port of its own, so the primary's waits in vain. After that
// checkpoint the secondary is a copy that has sent the primary's SYN.
BOOST_DATA_TEST_CASE(ports_of_their_own_need_a_checkpoint,
                     data::make({false, true}) * data::make({1, 2, 3}),
                     isOn,
                     seed)
{
    PairOptions options;
    options.seed = seed;
    options.configure = [isOn](ColoHelper& helper) {
        if (isOn)
        {
            helper.SetGuestAttribute("EphemeralPort", StringValue(PORTS));
        }
    };
    PairWorld world(options);
    Peer peer;
    AskedByGuest(world, peer);
    world.Run(Seconds(20));
    BOOST_TEST(peer.received == ASKED_BYTES);
    BOOST_TEST(peer.sent == ASKED_BYTES);
    BOOST_TEST(peer.wrong == 0);
    BOOST_TEST(!peer.failed);
    CheckReasons(GetReasons(world), isOn ? Reasons{"timeout-data"} : Reasons{}, {});
}

// A checkpoint may fall between a SYN and its SYN-ACK: the clone says that SYN no more.
BOOST_DATA_TEST_CASE(checkpoint_in_a_handshake_of_the_guest_costs_nothing,
                     data::make({10300, 10600, 11500}),
                     microseconds)
{
    PairWorld world({});
    Peer peer;
    AskedByGuest(world, peer);
    world.RequestCheckpointAt(MicroSeconds(microseconds));
    world.Run(Seconds(20));
    BOOST_TEST(peer.received == ASKED_BYTES);
    BOOST_TEST(peer.wrong == 0);
    BOOST_TEST(!peer.failed);
    CheckReasons(GetReasons(world), {}, {});
}

// ---- lag ----

namespace
{

/** When the secondary guest got a frame, and how long after the secondary host. */
using Lags = std::vector<std::pair<Time, Time>>;

/** The lags of a ping-pong; every frame that its host gets for the guest is numbered. */
Lags
GetLags(const Settings& ofProxy, uint32_t seed, Time checkpoint = Time())
{
    PairOptions options;
    options.seed = seed;
    options.lag = MicroSeconds(100);
    options.isSecDevInstant = true; // so the secondary host has it when the primary guest's does
    options.dialogue = RequestResponse(400, 4, 4000);
    options.configure = [&](ColoHelper& helper) { Configure(helper, {"", {}, ofProxy, {}}); };
    PairWorld world(options);
    Lags lags;
    std::deque<std::pair<Time, uint16_t>> underWay; // the client's, by IP identification
    const auto identify = [](const Bytes& frame) -> uint16_t { return frame[18] << 8 | frame[19]; };
    world.OnFrame([&](Tap where, const Bytes& frame, Ptr<const Packet>) {
        if (!Tcp::Parse(frame))
        {
            return;
        }
        if (where == Tap::TO_PRIMARY)
        {
            underWay.emplace_back(Simulator::Now(), identify(frame));
        }
        if (where == Tap::TO_SECONDARY)
        {
            // In order: whatever is before it was dropped, or it comes too late.
            while (!underWay.empty() && underWay.front().second != identify(frame))
            {
                underWay.pop_front();
            }
            BOOST_REQUIRE(!underWay.empty());
            lags.emplace_back(Simulator::Now(), Simulator::Now() - underWay.front().first);
            underWay.pop_front();
        }
    });
    if (checkpoint.IsStrictlyPositive())
    {
        world.RequestCheckpointAt(checkpoint);
    }
    world.Run(Seconds(10));
    BOOST_TEST(world.IsRight());
    BOOST_TEST(lags.size() > 400);
    return lags;
}

Time
Longest(const Lags& lags)
{
    return std::max_element(lags.begin(),
                            lags.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->second;
}

} // namespace

BOOST_AUTO_TEST_CASE(lag_is_constant_by_default)
{
    for (const auto& [when, lag] : GetLags({}, 1))
    {
        BOOST_TEST(lag == MicroSeconds(100));
    }
}

// GetLags() sees to it that the order is kept.
BOOST_DATA_TEST_CASE(jitter_is_added_and_keeps_the_order, data::make({1, 2, 3}), seed)
{
    const Settings jitter{{"LagJitter", "ns3::UniformRandomVariable[Min=0|Max=0.001]"}};
    const Lags lags = GetLags(jitter, seed);
    double sum = 0;
    std::set<Time> different;
    for (const auto& [when, lag] : lags)
    {
        BOOST_TEST(lag >= MicroSeconds(100));
        BOOST_TEST(lag <= MicroSeconds(1100));
        sum += lag.GetSeconds();
        different.insert(lag);
    }
    // Uniform, but for those that wait for the one before.
    BOOST_TEST(sum / lags.size() > 0.0005);
    BOOST_TEST(different.size() > lags.size() / 2);
    BOOST_TEST((GetLags(jitter, seed) == lags));
    BOOST_TEST((GetLags(jitter, seed + 10) != lags));
}

BOOST_AUTO_TEST_CASE(negative_jitter_is_none)
{
    const Lags lags = GetLags({{"LagJitter", "ns3::ConstantRandomVariable[Constant=-1]"}}, 1);
    BOOST_TEST(Longest(lags) == MicroSeconds(100));
}

BOOST_AUTO_TEST_CASE(cold_lag_comes_with_a_checkpoint_and_decays)
{
    const Settings cold{{"ColdLag", "1ms"}, {"ColdDecay", "5ms"}};
    const Time checkpoint = MilliSeconds(20);
    for (const auto& [when, lag] : GetLags(cold, 1))
    {
        BOOST_TEST(lag == MicroSeconds(100)); // nothing was loaded
    }
    Time before;
    Time soon;
    for (const auto& [when, lag] : GetLags(cold, 1, checkpoint))
    {
        if (when < checkpoint)
        {
            before = Max(before, lag);
        }
        else if (when > checkpoint + MilliSeconds(8))
        {
            // The pause takes about 6 ms; frames of the pause wait longer.
            const double age = (when - checkpoint).GetSeconds() - 0.008;
            BOOST_TEST(lag.GetSeconds() < 0.0001 + 0.0012 * std::exp(-age / 0.005) + 1e-6);
            soon = Max(soon, lag);
        }
    }
    BOOST_TEST(before == MicroSeconds(100));
    BOOST_TEST(soon > MicroSeconds(500));
}
