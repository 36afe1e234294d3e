/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_failover

#include "colo-divergence.h"
#include "colo-testbed.h"
#include "model-pair-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace bdata = boost::unit_test::data;

namespace
{

constexpr uint32_t CLIENTS = 2;

const Time DETECTION = MilliSeconds(2);

enum class Traffic
{
    REQUESTS,
    UPLOAD,
    DOWNLOAD
};

std::shared_ptr<const ColoDialogue>
MakeDialogue(Traffic traffic, uint16_t port)
{
    ColoDialogue dialogue;
    switch (traffic)
    {
    case Traffic::REQUESTS:
        dialogue = *RequestResponse(20, 4, 3000, MilliSeconds(3));
        break;
    case Traffic::UPLOAD:
        dialogue = *LongTalk(2, 2, 1000000, 100);
        break;
    case Traffic::DOWNLOAD:
        dialogue = *LongTalk(2, 2, 100, 1000000);
        break;
    }
    for (auto& conversation : dialogue.conversations)
    {
        conversation.serverPort = port;
    }
    return std::make_shared<ColoDialogue>(dialogue);
}

/** Two clients, a pair, and a host that dies. */
struct Room
{
    Room(Traffic traffic, bool isIpv6, double divergence, uint32_t seed)
        : divergence(divergence)
    {
        Config::Reset();
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(1);
        ColoPause::Enable();
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1428));
        ColoTestbedOptions options;
        options.clients = CLIENTS;
        options.isIpv6 = isIpv6;
        testbed = std::make_unique<ColoTestbed>(options);
        testbed->AssignStreams(0);
        for (uint32_t i = 0; i < CLIENTS; i++)
        {
            dialogues.push_back(MakeDialogue(traffic, 80 + i));
            AddServer(i, GetPair().primary, isIpv6);
            AddServer(i, GetPair().secondary, isIpv6);
            AddClient(i);
        }
        GetPair().secondaryProxy->TraceConnectWithoutContext("TakeOver", Callback<void>([this] {
                                                                 takeOvers++;
                                                             }));
    }

    ~Room()
    {
        apps.clear();
        testbed.reset();
        Simulator::Destroy();
    }

    const ColoPair& GetPair() const
    {
        return testbed->GetPairs()[0];
    }

    void AddServer(uint32_t index, const ColoGuestPlace& place, bool isIpv6)
    {
        auto server = CreateObject<ColoDialogueServer>();
        server->SetDialogue(dialogues[index]);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        place.node->GetObject<ColoDivergence>()->SetAttribute("Content", DoubleValue(divergence));
        if (isIpv6)
        {
            server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
        }
        place.node->AddApplication(server);
        server->SetStartTime(Time());
    }

    void AddClient(uint32_t index)
    {
        auto app = CreateObject<ColoDialogueClient>();
        app->SetDialogue(dialogues[index]);
        app->SetAttribute("AcceptsTokens", BooleanValue(divergence > 0));
        app->SetAttribute("RemoteAddress", AddressValue(testbed->GetGuestAddress(0)));
        testbed->GetClients()[index]->AddApplication(app);
        app->SetStartTime(MilliSeconds(1) + MicroSeconds(37) * index);
        apps.push_back(app);
    }

    /** A host dies now; the other one knows it soon after. */
    void Lose(bool isPrimary)
    {
        lost = Simulator::Now();
        for (const auto& app : apps)
        {
            wasBusy = wasBusy || !app->IsFinished();
        }
        testbed->LoseHost(isPrimary, DETECTION);
    }

    void LoseAt(Time time, bool isPrimary = true)
    {
        Simulator::Schedule(time, [this, isPrimary] { Lose(isPrimary); });
    }

    /** As soon as the core of a host wants this done, and a little later. */
    void LosePrimaryOn(Ptr<ColoProxy> proxy, uint32_t action, Time later)
    {
        proxy->TraceConnectWithoutContext(
            "Action",
            Callback<void, uint32_t, uint32_t>([this, action, later](uint32_t actions, uint32_t) {
                if ((actions & action) && !isToLose)
                {
                    isToLose = true;
                    LoseAt(later);
                }
            }));
    }

    /** Count what the switch sends to the clients' and the dead host's port after the takeover. */
    void WatchSwitch()
    {
        const auto& links = testbed->GetLinks();
        links.at("client0").second->TraceConnectWithoutContext(
            "Sniffer",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> frame) {
                announcements += takeOvers > 0 && IsForAll(frame);
            }));
        links.at("eth0-primary")
            .first->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> frame) {
                    const bool isLearned = Simulator::Now() > lost + DETECTION + MilliSeconds(1);
                    sentToDead += takeOvers > 0 && isLearned && !IsForAll(frame);
                }));
    }

    static bool IsForAll(Ptr<const Packet> frame)
    {
        EthernetHeader header;
        frame->PeekHeader(header);
        return header.GetDestination().IsGroup();
    }

    void Run()
    {
        Simulator::Stop(Seconds(60));
        Simulator::Run();
    }

    bool IsRight() const
    {
        for (std::size_t i = 0; i < apps.size(); i++)
        {
            if (!apps[i]->IsFinished() || apps[i]->GetDataErrors() || apps[i]->GetResets() ||
                apps[i]->GetBytesReceived() != dialogues[i]->GetBytes(true))
            {
                return false;
            }
        }
        return true;
    }

    double divergence;
    std::vector<std::shared_ptr<const ColoDialogue>> dialogues;
    std::unique_ptr<ColoTestbed> testbed;
    std::vector<Ptr<ColoDialogueClient>> apps;
    int takeOvers{0};
    bool isToLose{false};
    Time lost;
    int announcements{0};
    int sentToDead{0};
    bool wasBusy{false}; //!< something was still to be done then
};

const auto TRAFFICS = bdata::make({0, 1, 2});
const auto VERSIONS = bdata::make({false, true});
const auto CONTENTS = bdata::make({0.0, 0.2});

} // namespace

// At moments that lie over all of the exchange, and at odd distances from its frames.
BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_primary_host_dies,
                     TRAFFICS* VERSIONS* CONTENTS* bdata::xrange(3),
                     traffic,
                     isIpv6,
                     content,
                     seed)
{
    Room room(static_cast<Traffic>(traffic), isIpv6, content, seed + 1);
    const Time died = MicroSeconds(1100 + seed * 11003 + traffic * 1777 + (isIpv6 ? 3571 : 0));
    room.LoseAt(died);
    room.Run();
    BOOST_TEST(room.wasBusy);
    BOOST_TEST(room.IsRight(), "seed " << seed + 1 << ", died " << died.As(Time::US));
    BOOST_TEST(room.takeOvers == 1);
    BOOST_TEST((room.GetPair().secondaryProxy->GetNode().mode == COLO_MODE_ALONE));
}

BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_secondary_host_dies,
                     TRAFFICS* VERSIONS* CONTENTS* bdata::xrange(1),
                     traffic,
                     isIpv6,
                     content,
                     seed)
{
    Room room(static_cast<Traffic>(traffic), isIpv6, content, seed + 1);
    room.LoseAt(MicroSeconds(2000 + traffic * 7891), false);
    room.Run();
    BOOST_TEST(room.IsRight(), "seed " << seed + 1);
    BOOST_TEST(room.takeOvers == 0);
    const colo_node& node = room.GetPair().primaryProxy->GetNode();
    BOOST_TEST((node.mode == COLO_MODE_ALONE));
    BOOST_TEST(node.held_count == 0u);
}

// Within a checkpoint: at each of its steps on either host, and a little after it.
BOOST_DATA_TEST_CASE(a_checkpoint_under_way_is_no_obstacle,
                     VERSIONS* bdata::xrange(6) * bdata::make({0, 40}),
                     isIpv6,
                     step,
                     laterUs)
{
    const std::pair<bool, uint32_t> steps[] = {{true, COLO_ACTION_PAUSE},
                                               {false, COLO_ACTION_PAUSE},
                                               {false, COLO_ACTION_SEND_REPLY},
                                               {true, COLO_ACTION_SEND_STATE},
                                               {false, COLO_ACTION_SEND_RECEIVED},
                                               {false, COLO_ACTION_SEND_LOADED}};
    Room room(Traffic::REQUESTS, isIpv6, 0.2, 1 + step);
    Ptr<ColoProxy> proxy = room.GetPair().secondaryProxy;
    if (steps[step].first)
    {
        proxy = room.GetPair().primaryProxy;
    }
    room.LosePrimaryOn(proxy, steps[step].second, MicroSeconds(laterUs));
    room.Run();
    BOOST_TEST(room.wasBusy);
    BOOST_TEST(room.IsRight(), "step " << step << ", " << laterUs << " us after it");
    BOOST_TEST(room.takeOvers == 1);
}

// What is for the guest goes to the other host's port from the takeover on.
BOOST_DATA_TEST_CASE(the_network_learns_where_the_guest_is, VERSIONS, isIpv6)
{
    Room room(Traffic::REQUESTS, isIpv6, 0, 1);
    room.WatchSwitch();
    room.LoseAt(MilliSeconds(10));
    room.Run();
    BOOST_TEST(room.IsRight());
    BOOST_TEST(room.announcements == (isIpv6 ? 3 : 1));
    BOOST_TEST(room.sentToDead == 0);
}
