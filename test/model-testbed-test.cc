/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_testbed

#include "colo-divergence.h"
#include "colo-testbed.h"
#include "model-pair-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace bdata = boost::unit_test::data;

namespace
{

/** Each client talks to each pair, to a port of its own. */
struct Room
{
    explicit Room(const ColoTestbedOptions& options, double divergence = 0, uint32_t seed = 1)
        : options(options),
          divergence(divergence)
    {
        Config::Reset();
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(1);
        ColoPause::Enable();
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1428));
        for (uint32_t client = 0; client < options.clients; client++)
        {
            ColoDialogue dialogue = *RequestResponse(6, 2, 20000);
            for (auto& conversation : dialogue.conversations)
            {
                conversation.serverPort = 80 + client;
            }
            dialogues.push_back(std::make_shared<ColoDialogue>(dialogue));
        }
        testbed = std::make_unique<ColoTestbed>(options);
        testbed->AssignStreams(0);
        for (uint32_t pair = 0; pair < options.pairs; pair++)
        {
            for (uint32_t client = 0; client < options.clients; client++)
            {
                AddServer(client, pair, testbed->GetPairs()[pair].primary);
                if (ColoHasSecondHost(options.protection))
                {
                    AddServer(client, pair, testbed->GetPairs()[pair].secondary);
                }
                AddClient(client, pair);
            }
        }
    }

    ~Room()
    {
        apps.clear();
        testbed.reset();
        Simulator::Destroy();
    }

    void AddServer(uint32_t client, uint32_t pair, const ColoGuestPlace& place)
    {
        auto server = CreateObject<ColoDialogueServer>();
        server->SetDialogue(dialogues[client]);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        place.node->GetObject<ColoDivergence>()->SetAttribute(
            "Content",
            DoubleValue(pair == 0 ? divergence : 0));
        if (options.isIpv6)
        {
            server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
        }
        place.node->AddApplication(server);
        server->SetStartTime(Time());
    }

    void AddClient(uint32_t client, uint32_t pair)
    {
        auto app = CreateObject<ColoDialogueClient>();
        app->SetDialogue(dialogues[client]);
        app->SetAttribute("AcceptsTokens", BooleanValue(pair == 0 && divergence > 0));
        app->SetAttribute("RemoteAddress", AddressValue(testbed->GetGuestAddress(pair)));
        testbed->GetClients()[client]->AddApplication(app);
        app->SetStartTime(MilliSeconds(1) + MicroSeconds(37) * client);
        apps.push_back(app);
    }

    void Run(Time time = Seconds(5))
    {
        Simulator::Stop(time);
        Simulator::Run();
    }

    bool IsRight() const
    {
        for (const auto& app : apps)
        {
            if (!app->IsFinished() || app->GetDataErrors() || app->GetResets() ||
                app->GetBytesReceived() != dialogues[0]->GetBytes(true))
            {
                return false;
            }
        }
        return true;
    }

    uint64_t CountMismatches(uint32_t pair) const
    {
        uint64_t count = 0;
        for (uint64_t of : testbed->GetPairs()[pair].primaryProxy->GetNode().stats.mismatches)
        {
            count += of;
        }
        return count;
    }

    ColoTestbedOptions options;
    std::vector<std::shared_ptr<const ColoDialogue>> dialogues;
    std::unique_ptr<ColoTestbed> testbed;
    std::vector<Ptr<ColoDialogueClient>> apps;
    double divergence;
};

ColoTestbedOptions
Make(uint32_t clients, uint32_t pairs, bool isIpv6, ColoProtection protection = ColoProtection::COLO)
{
    ColoTestbedOptions options;
    options.clients = clients;
    options.pairs = pairs;
    options.isIpv6 = isIpv6;
    options.protection = protection;
    return options;
}

Callback<void, Ptr<const Packet>>
Count(int& counter)
{
    return Callback<void, Ptr<const Packet>>([&counter](Ptr<const Packet>) { counter++; });
}

} // namespace

BOOST_DATA_TEST_CASE(all_clients_reach_all_pairs, bdata::make({false, true}), isIpv6)
{
    Room room(Make(3, 4, isIpv6));
    room.Run();
    BOOST_TEST(room.IsRight());
    for (uint32_t pair = 0; pair < 4; pair++)
    {
        const colo_node_stats& stats = room.testbed->GetPairs()[pair].primaryProxy->GetNode().stats;
        BOOST_TEST(room.CountMismatches(pair) == 0u, "pair " << pair);
        BOOST_TEST(stats.released_bytes >= 3 * room.dialogues[0]->GetBytes(true));
        BOOST_TEST(room.testbed->GetPairs()[pair].primaryProxy->GetNode().epoch == 0u);
    }
}

BOOST_DATA_TEST_CASE(unprotected_guests_are_reached, bdata::make({false, true}), isIpv6)
{
    Room room(Make(2, 2, isIpv6, ColoProtection::NONE));
    room.Run();
    BOOST_TEST(room.IsRight());
    BOOST_TEST(room.testbed->GetLinks().count("sec_dev") == 0u);
}

BOOST_AUTO_TEST_CASE(links_have_names)
{
    Room room(Make(2, 2, false));
    std::set<std::string> names;
    for (const auto& [name, link] : room.testbed->GetLinks())
    {
        names.insert(name);
    }
    const std::set<std::string> expected{"arbiter",
                                         "client0",
                                         "client1",
                                         "eth0-primary",
                                         "eth0-secondary",
                                         "eth2",
                                         "primary-tap0",
                                         "primary-tap1",
                                         "sec_dev",
                                         "secondary-tap0",
                                         "secondary-tap1"};
    BOOST_TEST(names == expected, boost::test_tools::per_element());
}

// What goes wrong with one pair is no other pair's affair.
BOOST_DATA_TEST_CASE(checkpoints_of_a_pair_leave_the_others_alone,
                     bdata::make({false, true}),
                     isIpv6)
{
    Room room(Make(2, 3, isIpv6), 1);
    room.Run();
    BOOST_TEST(room.IsRight());
    BOOST_TEST(room.CountMismatches(0) > 0u);
    BOOST_TEST(room.testbed->GetPairs()[0].primaryProxy->GetNode().epoch > 0u);
    for (uint32_t pair : {1, 2})
    {
        BOOST_TEST(room.CountMismatches(pair) == 0u);
        BOOST_TEST(room.testbed->GetPairs()[pair].primaryProxy->GetNode().epoch == 0u);
    }
}

// On a tap there is only what is for its guest or for all, and on sec_dev each frame has its node.
BOOST_AUTO_TEST_CASE(frames_of_a_pair_do_not_reach_the_other)
{
    Room room(Make(2, 2, false));
    int foreign = 0;
    int seen = 0;
    for (const std::string host : {"primary", "secondary"})
    {
        for (uint32_t pair : {0, 1})
        {
            const auto& tap = room.testbed->GetLinks().at(host + "-tap" + std::to_string(pair));
            const Address guest = tap.second->GetAddress();
            tap.first->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([&, guest](Ptr<const Packet> frame) {
                    EthernetHeader header;
                    frame->PeekHeader(header);
                    const Mac48Address to = header.GetDestination();
                    foreign += !to.IsGroup() && to != Mac48Address::ConvertFrom(guest);
                    seen++;
                }));
        }
    }
    int stale = 0;
    room.testbed->GetHosts().primary->TraceConnectWithoutContext("Stale", Count(stale));
    room.testbed->GetHosts().secondary->TraceConnectWithoutContext("Stale", Count(stale));
    room.Run();
    BOOST_TEST(room.IsRight());
    BOOST_TEST(seen > 100);
    BOOST_TEST(foreign == 0);
    BOOST_TEST(stale == 0);
}

BOOST_AUTO_TEST_CASE(frames_of_unknown_nodes_and_old_epochs_are_traced_as_stale)
{
    Room room(Make(1, 2, false));
    int ofHost = 0;
    int ofProxy[2] = {0, 0};
    room.testbed->GetHosts().secondary->TraceConnectWithoutContext("Stale", Count(ofHost));
    for (uint32_t pair : {0, 1})
    {
        room.testbed->GetPairs()[pair].secondaryProxy->TraceConnectWithoutContext(
            "Stale",
            Count(ofProxy[pair]));
    }
    auto forge = [&](const colo_shim& shim) {
        Ptr<Packet> packet = Create<Packet>(100);
        packet->AddHeader(ColoShimHeader(shim));
        const auto& secDev = room.testbed->GetHosts().secDev;
        secDev.first->Send(packet, secDev.second->GetAddress(), COLO_SHIM_ETHERTYPE);
    };
    Simulator::Schedule(MilliSeconds(1), [&] {
        forge({COLO_SHIM_FRAME, 2, 0, 0x0800});
        forge({COLO_SHIM_FRAME, 0xffff, 0, 0x0800});
        forge({COLO_SHIM_FRAME, 1, 7, 0x0800});
    });
    room.Run();
    BOOST_TEST(ofHost == 2);
    BOOST_TEST(ofProxy[0] == 0);
    BOOST_TEST(ofProxy[1] == 1);
    BOOST_TEST(room.IsRight());
}

// Static addresses: a world in which nobody speaks is silent.
BOOST_AUTO_TEST_CASE(stacks_of_ipv6_make_no_noise)
{
    Room room(Make(2, 1, true));
    int frames = 0;
    for (const auto& [name, link] : room.testbed->GetLinks())
    {
        if (name != "eth2")
        {
            link.first->TraceConnectWithoutContext("Sniffer", Count(frames));
            link.second->TraceConnectWithoutContext("Sniffer", Count(frames));
        }
    }
    room.Run(MicroSeconds(999)); // clients begin at 1 ms
    BOOST_TEST(frames == 0);
}

BOOST_DATA_TEST_CASE(impaired_links_cost_time_only, bdata::xrange(1, 4), seed)
{
    ColoTestbedOptions options = Make(2, 2, seed % 2 == 0);
    options.secDev.loss = 0.01;
    options.secDev.reorder = 0.02;
    options.secDev.duplicate = 0.02;
    options.lan.loss = 0.005;
    Room room(options, 0, seed);
    room.Run(Seconds(200));
    BOOST_TEST(room.IsRight(), "seed " << seed);
}
