/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_DIALOGUE_H
#define COLO_TEST_MODEL_DIALOGUE_H

#include "colo-capture.h"
#include "colo-dialogue-client.h"
#include "colo-dialogue-server.h"
#include "colo-dialogue.h"
#include "colo-divergence.h"
#include "colo-workload.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/node-container.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simple-net-device-helper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/tcp-header.h"
#include "ns3/uinteger.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;

inline const std::vector<std::string> TRACES =
    {"dns-tcp", "http", "redis", "redis-benchmark", "smtp", "ssh", "whois"};

inline std::shared_ptr<const ColoDialogue>
Share(ColoDialogue dialogue)
{
    return std::make_shared<const ColoDialogue>(std::move(dialogue));
}

/** A conversation of port 80, from the first client port. */
inline ColoConversation
Conversation(std::vector<ColoTurn> turns, ColoCloser closer)
{
    ColoConversation conversation;
    conversation.clientPort = ColoDialogue::FIRST_CLIENT_PORT;
    conversation.serverPort = 80;
    conversation.turns = std::move(turns);
    conversation.closer = closer;
    return conversation;
}

inline std::shared_ptr<const ColoDialogue>
OneConversation(std::vector<ColoTurn> turns, ColoCloser closer)
{
    return Share({{Conversation(std::move(turns), closer)}});
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
        clientAddress = addresses.Assign(devices.Get(0)).GetAddress(0);
        serverAddress = addresses.Assign(devices.Get(1)).GetAddress(0);
        client = AddClient(0);
        server = AddServer();
        client->TraceConnectWithoutContext("Latency", MakeCallback(&Link::NoteLatency, this));
        client->TraceConnectWithoutContext("Finished", MakeCallback(&Link::NoteFinished, this));
        server->TraceConnectWithoutContext("Diverged", MakeCallback(&Link::NoteDiverged, this));
    }

    ~Link()
    {
        Simulator::Destroy();
    }

    Ptr<ColoDialogueClient> AddClient(uint32_t index)
    {
        auto added = CreateObject<ColoDialogueClient>();
        added->SetAttribute("ClientIndex", UintegerValue(index));
        added->SetAttribute("RemoteAddress", AddressValue(serverAddress));
        nodes.Get(0)->AddApplication(added);
        return added;
    }

    Ptr<ColoDialogueServer> AddServer()
    {
        auto added = CreateObject<ColoDialogueServer>();
        added->SetBackends(std::vector<Address>(3, clientAddress));
        nodes.Get(1)->AddApplication(added);
        return added;
    }

    /** Let an attribute of ColoDivergence make the server differ. */
    void Diverge(const std::string& attribute, const std::string& value, int64_t stream = 50)
    {
        auto divergence = CreateObject<ColoDivergence>();
        divergence->SetAttribute(attribute, StringValue(value));
        divergence->AssignStreams(stream);
        nodes.Get(1)->AggregateObject(divergence);
        client->SetAttribute("AcceptsTokens", BooleanValue(divergence->IsAnyTurnMarked()));
    }

    void Play(std::shared_ptr<const ColoDialogue> dialogue, Time end = Seconds(60))
    {
        server->SetDialogue(dialogue);
        client->SetDialogue(dialogue);
        server->SetStartTime(MilliSeconds(10));
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

    /** Note what the client gets: no link here loses a packet or reorders two. */
    void Hear()
    {
        nodes.Get(0)->GetObject<Ipv4L3Protocol>()->TraceConnectWithoutContext(
            "Rx",
            Callback<void, Ptr<const Packet>, Ptr<Ipv4>, uint32_t>(
                [this](Ptr<const Packet> packet, Ptr<Ipv4>, uint32_t) {
                    Ptr<Packet> payload = packet->Copy();
                    Ipv4Header ip;
                    TcpHeader tcp;
                    payload->RemoveHeader(ip);
                    payload->RemoveHeader(tcp);
                    std::vector<uint8_t> bytes(payload->GetSize());
                    payload->CopyData(bytes.data(), bytes.size());
                    auto& stream = heard[tcp.GetDestinationPort()];
                    stream.insert(stream.end(), bytes.begin(), bytes.end());
                    if (!bytes.empty())
                    {
                        segments.emplace_back(Simulator::Now(), bytes.size());
                    }
                }));
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
    Ipv4Address clientAddress;
    Ipv4Address serverAddress;
    Ptr<ColoDialogueClient> client;
    Ptr<ColoDialogueServer> server;
    std::map<uint16_t, std::vector<uint8_t>> heard;     //!< by client port
    std::vector<std::pair<Time, std::size_t>> segments; //!< those with data
    std::vector<Time> latencies;
    std::set<std::pair<uint32_t, uint32_t>> diverged;
    uint32_t finished{0};
    Time finishedAt;
    Time lastLatencyAt;
};

#endif /* COLO_TEST_MODEL_DIALOGUE_H */
