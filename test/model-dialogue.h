/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_DIALOGUE_H
#define COLO_TEST_MODEL_DIALOGUE_H

#include "colo-capture.h"
#include "colo-dialogue-client.h"
#include "colo-dialogue-server.h"
#include "colo-dialogue.h"
#include "colo-workload.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/node-container.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simple-net-device-helper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace ns3;

inline const std::vector<std::string> TRACES =
    {"dns-tcp", "http", "redis", "redis-benchmark", "smtp", "ssh", "whois"};

inline std::shared_ptr<const ColoDialogue>
Share(ColoDialogue dialogue)
{
    return std::make_shared<const ColoDialogue>(std::move(dialogue));
}

inline std::shared_ptr<const ColoDialogue>
OneConversation(std::vector<ColoTurn> turns, ColoCloser closer)
{
    ColoConversation conversation;
    conversation.serverPort = 80;
    conversation.turns = std::move(turns);
    conversation.closer = closer;
    return Share({{conversation}});
}

/** A client and a server, 1 ms apart. */
struct Link
{
    Link()
    {
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
        nodes.Create(2);
        SimpleNetDeviceHelper link;
        link.SetDeviceAttribute("DataRate", StringValue("100Mbps"));
        link.SetChannelAttribute("Delay", TimeValue(MilliSeconds(1)));
        NetDeviceContainer devices = link.Install(nodes);
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.Install(nodes);
        stack.AssignStreams(nodes, 100);
        Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.0");
        serverAddress = addresses.Assign(devices).GetAddress(1);
        client = CreateObject<ColoDialogueClient>();
        client->SetAttribute("RemoteAddress", AddressValue(serverAddress));
        nodes.Get(0)->AddApplication(client);
        server = AddServer();
        client->TraceConnectWithoutContext("Latency", MakeCallback(&Link::NoteLatency, this));
        client->TraceConnectWithoutContext("Finished", MakeCallback(&Link::NoteFinished, this));
        server->TraceConnectWithoutContext("Diverged", MakeCallback(&Link::NoteDiverged, this));
    }

    ~Link()
    {
        Simulator::Destroy();
    }

    Ptr<ColoDialogueServer> AddServer()
    {
        auto added = CreateObject<ColoDialogueServer>();
        added->AssignStreams(7);
        nodes.Get(1)->AddApplication(added);
        return added;
    }

    void Play(std::shared_ptr<const ColoDialogue> dialogue, Time end = Seconds(60))
    {
        server->SetDialogue(dialogue);
        client->SetDialogue(dialogue);
        client->SetStartTime(MilliSeconds(10));
        Simulator::Stop(end);
        Simulator::Run();
    }

    void CheckAllRight(const ColoDialogue& dialogue)
    {
        BOOST_TEST(finished == 1U);
        BOOST_TEST(client->IsFinished());
        BOOST_TEST(client->GetDataErrors() == 0U);
        BOOST_TEST(client->GetResets() == 0U);
        BOOST_TEST(server->GetDataErrors() == 0U);
        BOOST_TEST(client->GetBytesReceived() == dialogue.GetBytes(true));
        BOOST_TEST(client->GetBytesSent() == dialogue.GetBytes(false));
        BOOST_TEST(client->GetRequestsCompleted() == dialogue.GetRequests());
        BOOST_TEST(client->GetConversationsCompleted() == dialogue.conversations.size());
        BOOST_TEST(latencies.size() == dialogue.GetRequests());
    }

    void NoteLatency(Time latency)
    {
        latencies.push_back(latency);
        lastLatencyAt = Simulator::Now();
    }

    void NoteFinished()
    {
        finished++;
        finishedAt = Simulator::Now();
    }

    void NoteDiverged(uint32_t conversation, uint32_t turn)
    {
        diverged.insert({conversation, turn});
    }

    NodeContainer nodes;
    Ipv4Address serverAddress;
    Ptr<ColoDialogueClient> client;
    Ptr<ColoDialogueServer> server;
    std::vector<Time> latencies;
    std::set<std::pair<uint32_t, uint32_t>> diverged;
    uint32_t finished{0};
    Time finishedAt;
    Time lastLatencyAt;
};

#endif /* COLO_TEST_MODEL_DIALOGUE_H */
