/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_DATAGRAM_WIRE_H
#define COLO_TEST_MODEL_DATAGRAM_WIRE_H

#include "model-datagram.h"

#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <vector>

/** A datagram on the wire. */
struct Datagram
{
    bool fromGuest;
    std::vector<uint8_t> payload;
    uint16_t fromPort;
    uint16_t toPort;
    Time at;

    ColoDatagramHeader Header() const
    {
        return ColoDatagramHeader::Read(payload.data());
    }
};

/** client ── 1 ms ── wire ── 1 ms ── guest */
struct Wire
{
    explicit Wire(bool ipv6 = false)
        : useIpv6(ipv6)
    {
        Config::SetDefault("ns3::Icmpv6L4Protocol::DAD", BooleanValue(false));
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
        nodes.Create(3);
        m_ports[0] = Link(0, "02:00:00:00:00:01");
        m_ports[1] = Link(1, "02:00:00:00:00:02");
        InternetStackHelper stack;
        stack.Install(nodes.Get(0));
        stack.Install(nodes.Get(1));
        SetAddress(0, "10.0.0.1", "fd00::1");
        SetAddress(1, "10.0.0.2", "fd00::2");
        for (int side : {0, 1})
        {
            using Receive = NetDevice::PromiscReceiveCallback;
            m_ports[side]->SetPromiscReceiveCallback(
                Receive([this, side](auto, auto packet, auto protocol, auto& from, auto& to, auto) {
                    Pass(side, *packet, protocol, from, to);
                    return true;
                }));
        }
    }

    ~Wire()
    {
        Simulator::Destroy();
        Config::Reset();
    }

    Address AddressOf(bool guest) const
    {
        return useIpv6 ? Address(Ipv6Address(guest ? "fd00::2" : "fd00::1"))
                       : Address(Ipv4Address(guest ? "10.0.0.2" : "10.0.0.1"));
    }

    Ptr<ColoDatagramAsker> AddAsker(bool onGuest, std::shared_ptr<const ColoDialogue> dialogue)
    {
        auto added = AddSide<ColoDatagramAsker>(nodes.Get(onGuest), onGuest, dialogue);
        added->SetAttribute("RemoteAddress", AddressValue(AddressOf(!onGuest)));
        added->TraceConnectWithoutContext("Latency", MakeCallback(&Wire::NoteLatency, this));
        added->TraceConnectWithoutContext("Finished", MakeCallback(&Wire::NoteFinished, this));
        return added;
    }

    Ptr<ColoDatagramAnswerer> AddAnswerer(bool onGuest,
                                          std::shared_ptr<const ColoDialogue> dialogue)
    {
        auto added = AddSide<ColoDatagramAnswerer>(nodes.Get(onGuest), onGuest, dialogue);
        const Address any = useIpv6 ? Address(Ipv6Address::GetAny()) : Ipv4Address::GetAny();
        added->SetAttribute("LocalAddress", AddressValue(any));
        return added;
    }

    /** Both sides of conversations that all have one opener. */
    void Add(std::shared_ptr<const ColoDialogue> dialogue)
    {
        const bool guestAsks = dialogue->conversations[0].opener == ColoOpener::GUEST;
        asker = AddAsker(guestAsks, dialogue);
        answerer = AddAnswerer(!guestAsks, dialogue);
    }

    void Run(Time end = Seconds(60))
    {
        Simulator::Stop(end);
        Simulator::Run();
    }

    void Play(std::shared_ptr<const ColoDialogue> dialogue)
    {
        Add(std::move(dialogue));
        Run();
    }

    Ptr<ColoDivergence> Diverge()
    {
        auto divergence = CreateObject<ColoDivergence>();
        nodes.Get(1)->AggregateObject(divergence);
        divergence->AssignStreams(50);
        return divergence;
    }

    void CheckAllRight(uint64_t requests) const
    {
        BOOST_TEST(asker->IsFinished());
        BOOST_TEST(finished == 1U);
        BOOST_TEST(asker->GetRequestsCompleted() == requests);
        BOOST_TEST(latencies.size() == requests);
        BOOST_TEST(asker->GetFailures() == 0U);
        BOOST_TEST(asker->GetDataErrors() == 0U);
        BOOST_TEST(answerer->GetDataErrors() == 0U);
        BOOST_TEST(answerer->GetPending() == 0U);
    }

    /** Those that one side sent. */
    std::vector<Datagram> Sent(bool fromGuest) const
    {
        std::vector<Datagram> sent;
        for (const Datagram& datagram : seen)
        {
            if (datagram.fromGuest == fromGuest)
            {
                sent.push_back(datagram);
            }
        }
        return sent;
    }

    void NoteLatency(Time latency)
    {
        latencies.push_back(latency);
    }

    void NoteFinished()
    {
        finished++;
    }

    bool useIpv6;
    NodeContainer nodes;
    Ptr<ColoDatagramAsker> asker;
    Ptr<ColoDatagramAnswerer> answerer;
    std::vector<Datagram> seen; //!< as they were sent
    /** What becomes of a datagram, whose payload may be changed: how many of it arrive. */
    std::function<int(Datagram&)> meddle{[](Datagram&) { return 1; }};
    std::vector<Time> latencies;
    uint32_t finished{0};

  private:
    Ptr<SimpleNetDevice> Link(uint32_t node, const char* mac)
    {
        SimpleNetDeviceHelper helper;
        helper.SetChannelAttribute("Delay", StringValue("1ms"));
        auto devices = helper.Install(NodeContainer(nodes.Get(node), nodes.Get(2)));
        devices.Get(0)->SetAddress(Mac48Address(mac));
        devices.Get(0)->SetMtu(1500);
        return DynamicCast<SimpleNetDevice>(devices.Get(1));
    }

    void SetAddress(uint32_t node, const char* address, const char* address6)
    {
        Ptr<Ipv4> ipv4 = nodes.Get(node)->GetObject<Ipv4>();
        const uint32_t i = ipv4->AddInterface(nodes.Get(node)->GetDevice(0));
        ipv4->AddAddress(i, Ipv4InterfaceAddress(address, "255.255.255.0"));
        ipv4->SetUp(i);
        Ptr<Ipv6> ipv6 = nodes.Get(node)->GetObject<Ipv6>();
        const uint32_t i6 = ipv6->AddInterface(nodes.Get(node)->GetDevice(0));
        ipv6->AddAddress(i6, Ipv6InterfaceAddress(address6, Ipv6Prefix(64)));
        ipv6->SetUp(i6);
        const StringValue none("ns3::ConstantRandomVariable[Constant=0]");
        nodes.Get(node)->GetObject<ArpL3Protocol>()->SetAttribute("RequestJitter", none);
        nodes.Get(node)->GetObject<Icmpv6L4Protocol>()->SetAttribute("SolicitationJitter", none);
    }

    void Pass(int side, const Packet& packet, uint16_t protocol, Address from, Address to)
    {
        std::vector<uint8_t> bytes(packet.GetSize());
        packet.CopyData(bytes.data(), bytes.size());
        const uint32_t udp = useIpv6 ? 40 : 20;
        const bool isUdp = protocol == (useIpv6 ? 0x86dd : 0x0800) &&
                           bytes.at(useIpv6 ? 6 : 9) == UdpL4Protocol::PROT_NUMBER;
        int copies = 1;
        if (isUdp)
        {
            Datagram datagram{side == 1,
                              {bytes.begin() + udp + 8, bytes.end()},
                              static_cast<uint16_t>(bytes[udp] << 8 | bytes[udp + 1]),
                              static_cast<uint16_t>(bytes[udp + 2] << 8 | bytes[udp + 3]),
                              Simulator::Now()};
            seen.push_back(datagram);
            copies = meddle(datagram);
            std::copy(datagram.payload.begin(), datagram.payload.end(), bytes.begin() + udp + 8);
        }
        for (int i = 0; i < copies; i++)
        {
            m_ports[1 - side]->SendFrom(Create<Packet>(bytes.data(), bytes.size()),
                                        from,
                                        to,
                                        protocol);
        }
    }

    Ptr<SimpleNetDevice> m_ports[2];
};

#endif /* COLO_TEST_MODEL_DATAGRAM_WIRE_H */
