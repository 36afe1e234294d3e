/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_PAIR_WORLD_H
#define COLO_TEST_MODEL_PAIR_WORLD_H

#include "colo-dialogue-client.h"
#include "colo-dialogue-server.h"
#include "colo-helper.h"
#include "colo-pause.h"
#include "colo-workload.h"

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;

using Bytes = std::vector<uint8_t>;

/** Where a frame was seen: sent by whom, on which link. */
enum class Tap
{
    FROM_PRIMARY,   //!< the primary guest, on its tap
    FROM_SECONDARY, //!< the secondary guest, on its tap
    TO_PRIMARY,     //!< the primary host, on the primary guest's tap
    TO_SECONDARY,   //!< the secondary host, on the secondary guest's tap
    TO_CLIENT,      //!< the primary host, on its uplink
    FROM_CLIENT,    //!< the client
    MIRRORED,       //!< the primary host, on sec_dev
    FORWARDED       //!< the secondary host, on sec_dev
};

inline std::ostream&
operator<<(std::ostream& os, Tap tap)
{
    return os << static_cast<int>(tap);
}

/** What a test reads of a TCP frame, with a parser that is not the core's. */
struct Tcp
{
    static constexpr uint8_t FIN = 1;
    static constexpr uint8_t SYN = 2;
    static constexpr uint8_t RST = 4;
    static constexpr uint8_t ACK = 16;

    uint16_t source;
    uint16_t destination;
    uint32_t seq;
    uint32_t ack;
    uint8_t flags;
    uint16_t window;
    int scale{-1};        //!< -1 if the option is missing
    std::size_t stamp{0}; //!< where TSval is in the frame, 0 if the option is missing
    Bytes payload;

    static std::optional<Tcp> Parse(const Bytes& frame)
    {
        auto at16 = [&](std::size_t i) { return frame[i] << 8 | frame[i + 1]; };
        auto at32 = [&](std::size_t i) { return uint32_t(at16(i)) << 16 | at16(i + 2); };
        if (frame.size() < 54 || at16(12) != 0x0800 || frame[23] != 6)
        {
            return {};
        }
        const std::size_t l4 = 14 + (frame[14] & 15) * 4;
        const std::size_t data = l4 + (frame[l4 + 12] >> 4) * 4;
        Tcp tcp;
        tcp.source = at16(l4);
        tcp.destination = at16(l4 + 2);
        tcp.seq = at32(l4 + 4);
        tcp.ack = at32(l4 + 8);
        tcp.flags = frame[l4 + 13];
        tcp.window = at16(l4 + 14);
        for (std::size_t i = l4 + 20; i < data && frame[i] != 0;)
        {
            tcp.scale = frame[i] == 3 ? frame[i + 2] : tcp.scale;
            tcp.stamp = frame[i] == 8 ? i + 2 : tcp.stamp;
            i += frame[i] == 1 ? 1 : frame[i + 1];
        }
        tcp.payload.assign(frame.begin() + data, frame.begin() + 14 + at16(16));
        return tcp;
    }
};

/** Delays each frame by a random time, so that they overtake each other. */
class JitterChannel : public SimpleChannel
{
  public:
    Time jitterMax;
    Ptr<UniformRandomVariable> random{CreateObject<UniformRandomVariable>()};

    void Send(Ptr<Packet> packet,
              uint16_t protocol,
              Mac48Address to,
              Mac48Address from,
              Ptr<SimpleNetDevice> sender) override
    {
        const auto late = NanoSeconds(random->GetInteger(0, jitterMax.GetNanoSeconds()));
        Simulator::Schedule(late, [=] { SimpleChannel::Send(packet, protocol, to, from, sender); });
    }
};

struct PairOptions
{
    uint32_t seed{1};
    bool isProtected{true};
    Time lag{MicroSeconds(200)};
    bool isSecDevInstant{false}; //!< what reaches one guest reaches the other at the same time
    double divergence{0};
    double clientLoss{0}; //!< of frames, either way
    double secDevLoss{0};
    Time secDevJitter;
    std::shared_ptr<const ColoDialogue> dialogue; //!< null: no applications
    std::function<void(ColoHelper&)> configure;
};

inline std::shared_ptr<const ColoDialogue>
RequestResponse(uint64_t requests, uint32_t connections, uint64_t response, Time think = Time())
{
    ColoRequestResponse shape;
    shape.requests = requests;
    shape.connections = connections;
    shape.responseBytes = response;
    shape.thinkTime = think;
    return std::make_shared<ColoDialogue>(ColoMakeRequestResponse(shape));
}

/** Connections that all begin at once, each of them long in both directions and with pauses. */
inline std::shared_ptr<const ColoDialogue>
LongTalk(uint32_t connections, int rounds, uint64_t fromClient, uint64_t fromServer)
{
    auto dialogue = std::make_shared<ColoDialogue>();
    for (uint32_t i = 0; i < connections; i++)
    {
        ColoConversation conversation;
        conversation.clientPort = ColoDialogue::FIRST_CLIENT_PORT + i;
        conversation.serverPort = 80;
        for (int round = 0; round < rounds; round++)
        {
            conversation.turns.push_back({false, fromClient, MilliSeconds(3 * i)});
            conversation.turns.push_back({true, fromServer, MilliSeconds(2)});
        }
        conversation.closer = ColoCloser::CLIENT;
        dialogue->conversations.push_back(conversation);
    }
    return dialogue;
}

/** A client on a link to the primary host, and a pair. */
class PairWorld
{
  public:
    explicit PairWorld(const PairOptions& options)
        : m_options(options)
    {
        SetDefaults();
        client = CreateObject<Node>();
        auto primaryHost = CreateObject<Node>();
        auto secondaryHost = CreateObject<Node>();
        link = ColoLinkDevice::Connect(client, primaryHost, DataRate("1Gbps"), MicroSeconds(50));
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.Install(client);
        m_stream += stack.AssignStreams(NodeContainer(client), m_stream);
        Ptr<Ipv4> ipv4 = client->GetObject<Ipv4>();
        const uint32_t interface = ipv4->AddInterface(link.first);
        ipv4->AddAddress(interface, Ipv4InterfaceAddress("10.0.0.1", "255.255.255.0"));
        ipv4->SetUp(interface);

        ColoHelper helper;
        if (options.isSecDevInstant)
        {
            helper.SetSecDev(DataRate(0), Time());
        }
        helper.SetSecondaryProxyAttribute("Lag", TimeValue(options.lag));
        if (options.configure)
        {
            options.configure(helper);
        }
        const Ipv4InterfaceAddress address("10.0.0.100", "255.255.255.0");
        pair = options.isProtected
                   ? helper.Install(primaryHost, link.second, secondaryHost, address)
                   : helper.InstallUnprotected(primaryHost, link.second, address);
        m_stream += pair.AssignStreams(m_stream);
        if (options.isProtected)
        {
            Disturb();
        }
        if (options.dialogue)
        {
            AddApplications();
        }
        if (options.isProtected)
        {
            m_stream += pair.checkpointLink->AssignStreams(m_stream);
        }
        m_stream += pair.AssignMemoryStreams(m_stream);
        Sniff();
    }

    ~PairWorld()
    {
        pair = {};
        servers.clear();
        app = nullptr;
        Simulator::Destroy();
    }

    /** Until the client is done, or for so long. */
    void Run(Time time = Seconds(600))
    {
        if (app)
        {
            app->TraceConnectWithoutContext("Finished", Callback<void>([] {
                                                Simulator::Stop(MilliSeconds(300));
                                            }));
        }
        Simulator::Stop(time);
        Simulator::Run();
    }

    /** Did the client get all it should, and no more? */
    bool IsRight() const
    {
        return app->IsFinished() && app->GetDataErrors() == 0 && app->GetResets() == 0 &&
               app->GetBytesReceived() == m_options.dialogue->GetBytes(true);
    }

    /** Ask for a checkpoint, as an operator would. */
    void RequestCheckpointAt(Time time)
    {
        Simulator::Schedule(time, [this] {
            if (pair.primaryProxy->GetNode().state == COLO_NODE_RUNNING)
            {
                pair.primaryProxy->CheckpointEvent(COLO_EVENT_REQUEST, 0);
            }
        });
    }

    uint64_t CountMismatches() const
    {
        uint64_t count = 0;
        for (uint64_t ofReason : pair.primaryProxy->GetNode().stats.mismatches)
        {
            count += ofReason;
        }
        return count;
    }

    void OnFrame(std::function<void(Tap, const Bytes&, Ptr<const Packet>)> listener)
    {
        m_listeners.push_back(std::move(listener));
    }

    void OnVerdict(std::function<void(const ColoVerdict&)> listener)
    {
        pair.primaryProxy->TraceConnectWithoutContext(
            "Verdict",
            Callback<void, const ColoVerdict&>(std::move(listener)));
    }

    void OnCheckpoint(std::function<void(const ColoCheckpoint&)> listener)
    {
        pair.checkpointer->TraceConnectWithoutContext(
            "Checkpoint",
            Callback<void, const ColoCheckpoint&>(std::move(listener)));
    }

    ColoPair pair;
    Ptr<Node> client;
    ColoLinkDevice::Ends link; //!< the client's end, the primary host's
    std::vector<Ptr<ColoDialogueServer>> servers;
    Ptr<ColoDialogueClient> app;

  private:
    void SetDefaults() const
    {
        Config::Reset(); // before the seed, which it resets as well
        RngSeedManager::SetSeed(m_options.seed);
        RngSeedManager::SetRun(1);
        ColoPause::Enable();
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true));
        Config::SetDefault("ns3::ColoDivergence::Content", DoubleValue(m_options.divergence));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
        Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue("1000p"));
        Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(101));
    }

    Ptr<ColoDialogueServer> AddServer(const ColoGuestPlace& place)
    {
        auto server = CreateObject<ColoDialogueServer>();
        server->SetDialogue(m_options.dialogue);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        server->SetBackends({Ipv4Address("10.0.0.1")});
        place.node->AddApplication(server);
        server->SetStartTime(MilliSeconds(1));
        return server;
    }

    void AddApplications()
    {
        servers.push_back(AddServer(pair.primary));
        if (pair.secondary.node)
        {
            servers.push_back(AddServer(pair.secondary));
        }
        app = CreateObject<ColoDialogueClient>();
        app->SetDialogue(m_options.dialogue);
        app->SetAttribute("RemoteAddress", AddressValue(Ipv4Address("10.0.0.100")));
        app->SetAttribute("AcceptsTokens", BooleanValue(m_options.divergence > 0));
        client->AddApplication(app);
        app->SetStartTime(MilliSeconds(1));
    }

    void Lose(const ColoLinkDevice::Ends& ends, double probability)
    {
        for (const auto& end : {ends.first, ends.second})
        {
            auto model = CreateObject<RateErrorModel>();
            model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
            model->SetRate(probability);
            m_stream += model->AssignStreams(m_stream);
            end->SetAttribute("ReceiveErrorModel", PointerValue(model));
        }
    }

    void Disturb()
    {
        Lose(link, m_options.clientLoss);
        Lose(pair.secDev, m_options.secDevLoss);
        if (m_options.secDevJitter.IsStrictlyPositive())
        {
            auto channel = CreateObject<JitterChannel>();
            channel->jitterMax = m_options.secDevJitter;
            channel->random->SetStream(m_stream++);
            pair.secDev.first->SetChannel(channel);
            pair.secDev.second->SetChannel(channel);
        }
    }

    void Sniff()
    {
        std::vector<std::pair<Tap, Ptr<ColoLinkDevice>>> ends{
            {Tap::FROM_PRIMARY, pair.primary.tap.second},
            {Tap::TO_PRIMARY, pair.primary.tap.first},
            {Tap::TO_CLIENT, link.second},
            {Tap::FROM_CLIENT, link.first}};
        if (pair.secondary.node)
        {
            ends.push_back({Tap::FROM_SECONDARY, pair.secondary.tap.second});
            ends.push_back({Tap::TO_SECONDARY, pair.secondary.tap.first});
            ends.push_back({Tap::MIRRORED, pair.secDev.first});
            ends.push_back({Tap::FORWARDED, pair.secDev.second});
        }
        for (const auto& end : ends)
        {
            const Tap tap = end.first;
            end.second->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([this, tap](Ptr<const Packet> frame) {
                    Bytes bytes(frame->GetSize());
                    frame->CopyData(bytes.data(), bytes.size());
                    for (const auto& listener : m_listeners)
                    {
                        listener(tap, bytes, frame);
                    }
                }));
        }
    }

    PairOptions m_options;
    int64_t m_stream{0};
    std::vector<std::function<void(Tap, const Bytes&, Ptr<const Packet>)>> m_listeners;
};

#endif /* COLO_TEST_MODEL_PAIR_WORLD_H */
