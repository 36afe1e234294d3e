/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_GUEST_WORLD_H
#define COLO_TEST_MODEL_GUEST_WORLD_H

#include "colo-guest.h"
#include "colo-pause.h"
#include "model-guest-apps.h"

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace ns3;

/*
 *                        ┌── 10 us ── guest A (primary)
 *   client ── 5 ms ── hub
 *                        └── 10 us ── guest B (secondary)
 *
 * The hub gives the client's frames to both guests and A's frames to the client; B's go nowhere.
 */

/** The network of the drawing, a checkpoint in it, and what both guests send afterwards. */
class World
{
  public:
    /** How a guest's frame looked and when the hub got it. */
    using Sent = std::pair<int64_t, std::string>;

    bool useIpv6{false};
    bool sameIsn{false}; //!< B keeps up with A before the checkpoint
    std::string congestionControl{"ns3::TcpNewReno"};
    double lossToGuests{0};
    double lossToB{0}; //!< until the checkpoint
    double lossToClient{0};
    bool deafB{false};                 //!< B gets nothing until the checkpoint
    bool deafClient{false};            //!< the client gets nothing until the checkpoint
    uint64_t lossAfterFrames{0};       //!< losses begin after so many frames of A
    double lossAfterClone{0};          //!< both ways, from the resume on
    bool checkpointAtNextFrame{false}; //!< as soon as the client has sent one
    std::string linkRate{"40Mbps"};

    Ptr<Node> client;
    Ptr<Node> hub;
    Ptr<ColoGuest> a;
    Ptr<ColoGuest> b;
    Ptr<EchoApp> appA;
    Ptr<EchoApp> appB;
    std::vector<Sent> sentByA;
    std::vector<Sent> sentByB;
    uint64_t framesOfB{0}; //!< since the beginning
    bool cloned{false};
    ColoGuest::CloneReport report;

    ~World()
    {
        Simulator::Destroy();
        Config::Reset();
    }

    /** Make everything that can be made before the applications are set up. */
    void Build()
    {
        ColoPause::Enable();
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1400));
        client = CreateObject<Node>();
        hub = CreateObject<Node>();
        m_toClient = Link(client, "5ms", linkRate, "02:00:00:00:00:01");
        InternetStackHelper().Install(client);
        SetAddress(client, "10.0.0.1", "fd00::1");
        a = MakeGuest(&m_toA, appA);
        b = MakeGuest(&m_toB, appB);
        b->SetPrimary(false);
        b->TraceConnectWithoutContext("Cloned", MakeCallback(&World::NoteReport, this));
        using Receive = NetDevice::PromiscReceiveCallback;
        m_toClient->SetPromiscReceiveCallback(
            Receive([this](auto, auto packet, auto protocol, auto& from, auto& to, auto) {
                return FromClient({packet->Copy(), protocol, from, to});
            }));
        m_toA->SetPromiscReceiveCallback(
            Receive([this](auto, auto packet, auto protocol, auto& from, auto& to, auto) {
                return FromA({packet->Copy(), protocol, from, to});
            }));
        m_toB->SetPromiscReceiveCallback(
            Receive([this](auto, auto packet, auto protocol, auto& from, auto& to, auto) {
                framesOfB++;
                Record(sentByB, {packet->Copy(), protocol, from, to});
                return true;
            }));
        m_random->SetStream(77);
    }

    Address GuestAddress() const
    {
        return useIpv6 ? Address(Inet6SocketAddress("fd00::2", 80))
                       : Address(InetSocketAddress("10.0.0.2", 80));
    }

    Address ClientAddress(uint16_t port) const
    {
        return useIpv6 ? Address(Inet6SocketAddress("fd00::1", port))
                       : Address(InetSocketAddress("10.0.0.1", port));
    }

    /** The applications of both guests. */
    void ForBothApps(std::function<void(EchoApp&)> set)
    {
        set(*appA);
        set(*appB);
    }

    void At(Time when, std::function<void()> what)
    {
        Simulator::ScheduleWithContext(hub->GetId(), when, std::move(what));
    }

    void AtClient(Time when, std::function<void()> what)
    {
        Simulator::ScheduleWithContext(client->GetId(), when, std::move(what));
    }

    void Connect(Peer& peer, Time when)
    {
        AtClient(when, [this, &peer] {
            peer.Use(Socket::CreateSocket(client, TcpSocketFactory::GetTypeId()));
            peer.socket->Connect(GuestAddress());
        });
    }

    /** Let the client accept connections on a port. */
    void Listen(Peer& peer, uint16_t port)
    {
        AtClient(MilliSeconds(1), [this, &peer, port] {
            m_listener = Socket::CreateSocket(client, TcpSocketFactory::GetTypeId());
            m_listener->Bind(ClientAddress(port));
            m_listener->Listen();
            using Created = Callback<void, Ptr<Socket>, const Address&>;
            m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                          Created([&peer](Ptr<Socket> socket, const Address&) {
                                              peer.Use(socket);
                                              peer.Write(socket, 0);
                                          }));
        });
    }

    /** Checkpoint: drain, pause both, clone, resume, and from then on record. To be called in an
     *  event of the hub. */
    void Checkpoint()
    {
        m_hold = true;
        At(MicroSeconds(10), [this] {
            a->Pause();
            b->Pause();
        });
        At(MilliSeconds(2), [this] { b->CloneFrom(a); });
        At(MilliSeconds(6), [this] {
            a->Resume();
            b->Resume();
            cloned = true;
            m_hold = false;
            lossToB = 0;
            lossToGuests = std::max(lossToGuests, lossAfterClone);
            lossToClient = std::max(lossToClient, lossAfterClone);
            for (Frame& frame : std::exchange(m_held, {}))
            {
                ToGuests(frame);
            }
        });
    }

    /** Checkpoint as soon as A has a socket in a state. */
    void CheckpointInState(TcpSocket::TcpStates_t state)
    {
        At(MicroSeconds(300), [this, state] {
            for (auto& socket : Sockets(a))
            {
                if (socket->GetState() == state)
                {
                    Checkpoint();
                    return;
                }
            }
            CheckpointInState(state);
        });
    }

    static std::vector<Ptr<ColoTcpSocket>> Sockets(Ptr<ColoGuest> guest)
    {
        ObjectVectorValue list;
        guest->GetObject<TcpL4Protocol>()->GetAttribute("SocketList", list);
        std::vector<Ptr<ColoTcpSocket>> sockets;
        for (auto i = list.Begin(); i != list.End(); ++i)
        {
            sockets.push_back(DynamicCast<ColoTcpSocket>(i->second));
        }
        return sockets;
    }

    /** The state of all sockets of a guest, to compare guests by. */
    static std::vector<std::tuple<Address, Address, int, uint32_t>> State(Ptr<ColoGuest> guest)
    {
        std::vector<std::tuple<Address, Address, int, uint32_t>> state;
        for (auto& socket : Sockets(guest))
        {
            auto ends = socket->GetEndPoints();
            state.emplace_back(ends.first, ends.second, socket->GetState(), socket->GetIsn());
        }
        std::sort(state.begin(), state.end());
        return state;
    }

    void Run(Time end)
    {
        Simulator::Stop(end);
        Simulator::Run();
    }

    /** Where the guests' frames after the checkpoint differ first; empty if nowhere. */
    std::string Difference() const
    {
        for (std::size_t i = 0; i < std::max(sentByA.size(), sentByB.size()); ++i)
        {
            if (i >= sentByA.size() || i >= sentByB.size() || sentByA[i] != sentByB[i])
            {
                return "frame " + std::to_string(i) + ": A " + Describe(sentByA, i) + ", B " +
                       Describe(sentByB, i);
            }
        }
        return State(a) == State(b) ? "" : "sockets differ at the end";
    }

  private:
    struct Frame
    {
        Ptr<Packet> packet;
        uint16_t protocol;
        Address from;
        Address to;
    };

    Ptr<SimpleNetDevice> Link(Ptr<Node> node,
                              const std::string& delay,
                              const std::string& rate,
                              const char* mac)
    {
        SimpleNetDeviceHelper helper;
        helper.SetChannelAttribute("Delay", StringValue(delay));
        helper.SetDeviceAttribute("DataRate", StringValue(rate));
        auto devices = helper.Install(NodeContainer(node, hub));
        devices.Get(0)->SetAddress(Mac48Address(mac));
        devices.Get(0)->SetMtu(1500);
        return DynamicCast<SimpleNetDevice>(devices.Get(1));
    }

    static void SetAddress(Ptr<Node> node, const char* address, const char* address6)
    {
        Ptr<Ipv4> ipv4 = node->GetObject<Ipv4>();
        const uint32_t i = ipv4->AddInterface(node->GetDevice(0));
        ipv4->AddAddress(i, Ipv4InterfaceAddress(address, "255.255.255.0"));
        ipv4->SetUp(i);
        Ptr<Ipv6> ipv6 = node->GetObject<Ipv6>();
        const uint32_t i6 = ipv6->AddInterface(node->GetDevice(0));
        ipv6->AddAddress(i6, Ipv6InterfaceAddress(address6, Ipv6Prefix(64)));
        ipv6->SetForwarding(i6, true); // a router sends no solicitations, whose times are random
        ipv6->SetUp(i6);
    }

    Ptr<ColoGuest> MakeGuest(Ptr<SimpleNetDevice>* port, Ptr<EchoApp>& app)
    {
        Ptr<Node> node = CreateObject<Node>();
        *port = Link(node, "10us", "0bps", "02:00:00:00:00:aa");
        InternetStackHelper().Install(node);
        SetAddress(node, "10.0.0.2", "fd00::2");
        Ptr<ColoGuest> guest = CreateObject<ColoGuest>();
        guest->SetAttribute("CongestionControl", StringValue(congestionControl));
        if (sameIsn)
        {
            guest->SetAttribute("Isn",
                                StringValue("ns3::ConstantRandomVariable[Constant=1000000000]"));
        }
        guest->Install(node);
        app = CreateObject<EchoApp>();
        app->useIpv6 = useIpv6;
        app->SetStartTime(MilliSeconds(10));
        node->AddApplication(app);
        return guest;
    }

    void NoteReport(const ColoGuest::CloneReport& r)
    {
        report = r;
    }

    bool Lose(double probability, const Frame& frame)
    {
        const bool isIp =
            frame.protocol == 0x0800 || (frame.protocol == 0x86dd && frame.packet->GetSize() > 100);
        return isIp && m_framesOfA >= lossAfterFrames && m_random->GetValue() < probability;
    }

    bool FromClient(Frame frame)
    {
        if (m_hold)
        {
            m_held.push_back(frame);
        }
        else
        {
            ToGuests(frame);
        }
        if (std::exchange(checkpointAtNextFrame, false))
        {
            Checkpoint();
        }
        return true;
    }

    void ToGuests(const Frame& frame)
    {
        if (Lose(lossToGuests, frame))
        {
            return;
        }
        m_toA->SendFrom(frame.packet->Copy(), frame.from, frame.to, frame.protocol);
        if (!(deafB && !cloned) && !Lose(lossToB, frame))
        {
            m_toB->SendFrom(frame.packet->Copy(), frame.from, frame.to, frame.protocol);
        }
    }

    bool FromA(const Frame& frame)
    {
        m_framesOfA++;
        Record(sentByA, frame);
        if (!(deafClient && !cloned) && !Lose(lossToClient, frame))
        {
            m_toClient->SendFrom(frame.packet->Copy(), frame.from, frame.to, frame.protocol);
        }
        return true;
    }

    void Record(std::vector<Sent>& sent, const Frame& frame) const
    {
        if (!cloned)
        {
            return;
        }
        std::string bytes(14 + frame.packet->GetSize(), 0);
        auto data = reinterpret_cast<uint8_t*>(bytes.data());
        Mac48Address::ConvertFrom(frame.to).CopyTo(data);
        Mac48Address::ConvertFrom(frame.from).CopyTo(data + 6);
        data[12] = frame.protocol >> 8;
        data[13] = frame.protocol & 255;
        frame.packet->CopyData(data + 14, frame.packet->GetSize());
        sent.emplace_back(Simulator::Now().GetTimeStep(), bytes);
    }

    static std::string Describe(const std::vector<Sent>& sent, std::size_t i)
    {
        if (i >= sent.size())
        {
            return "none";
        }
        std::string text = std::to_string(sent[i].first) + " ns:";
        for (unsigned char byte : sent[i].second.substr(0, 80))
        {
            const char* digits = "0123456789abcdef";
            text += std::string(" ") + digits[byte >> 4] + digits[byte & 15];
        }
        return text;
    }

    Ptr<SimpleNetDevice> m_toClient;
    Ptr<SimpleNetDevice> m_toA;
    Ptr<SimpleNetDevice> m_toB;
    Ptr<Socket> m_listener;
    Ptr<UniformRandomVariable> m_random{CreateObject<UniformRandomVariable>()};
    std::deque<Frame> m_held;
    bool m_hold{false};
    uint64_t m_framesOfA{0};
};

inline const uint64_t TRANSFER_BYTES = 1000000;

// A client sends to the echo server and gets all of it back while frames are lost both ways.
inline void
SetTransfer(World& world, Peer& peer)
{
    world.lossToGuests = 0.01;
    world.lossToClient = 0.01;
    world.lossAfterFrames = 5;
    world.Build();
    peer.toSend = TRANSFER_BYTES;
    peer.toReceive = TRANSFER_BYTES;
    world.Connect(peer, MilliSeconds(50));
}

#endif /* COLO_TEST_MODEL_GUEST_WORLD_H */
