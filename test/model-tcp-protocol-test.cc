/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model - tcp - protocol
#include "colo-link-device.h"
#include "colo-tcp-protocol.h"
#include "colo-tcp-socket.h"

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using namespace ns3;
namespace data = boost::unit_test::data;

namespace
{

const char* const HASHED = "ns3::ColoTcpL4Protocol";
const char* const STOCK = "ns3::TcpL4Protocol";

/**
 * A client and a server that answers each packet with as many bytes and closes when the client
 * does. What is on the link is kept as text.
 */
class World
{
  public:
    explicit World(bool useIpv6, const std::string& tcp = HASHED)
        : m_useIpv6(useIpv6)
    {
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true));
        client = MakeNode(tcp);
        server = MakeNode(tcp);
        const auto link = ColoLinkDevice::Connect(client, server, DataRate("10Mbps"), Time("1ms"));
        SetAddress(client, link.first, "10.0.0.1", "fd00::1");
        SetAddress(server, link.second, "10.0.0.2", "fd00::2");
        for (const auto& end : {link.first, link.second})
        {
            end->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> frame) {
                    std::vector<uint8_t> bytes(frame->GetSize());
                    frame->CopyData(bytes.data(), bytes.size());
                    frames.emplace_back(Simulator::Now().GetNanoSeconds(), bytes);
                }));
        }
        listener = MakeSocket(server);
        listener->Bind(Local(80));
        listener->Listen();
        listener->SetAcceptCallback(
            MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
            Callback<void, Ptr<Socket>, const Address&>([this](Ptr<Socket> socket, const Address&) {
                accepted.push_back(DynamicCast<ColoTcpSocket>(socket));
                socket->SetRecvCallback(Callback<void, Ptr<Socket>>([this](Ptr<Socket> from) {
                    while (Ptr<Packet> packet = from->Recv())
                    {
                        served += packet->GetSize();
                        from->Send(packet);
                    }
                }));
                socket->SetCloseCallbacks(
                    Callback<void, Ptr<Socket>>([](Ptr<Socket> from) { from->Close(); }),
                    MakeNullCallback<void, Ptr<Socket>>());
            }));
    }

    ~World()
    {
        accepted.clear();
        Simulator::Destroy();
        Config::Reset();
    }

    Address Local(uint16_t port) const
    {
        return m_useIpv6 ? Address(Inet6SocketAddress(Ipv6Address::GetAny(), port))
                         : Address(InetSocketAddress(Ipv4Address::GetAny(), port));
    }

    Address Remote(uint16_t port) const
    {
        return m_useIpv6 ? Address(Inet6SocketAddress("fd00::2", port))
                         : Address(InetSocketAddress("10.0.0.2", port));
    }

    Address Own(uint16_t port) const
    {
        return m_useIpv6 ? Address(Inet6SocketAddress("fd00::1", port))
                         : Address(InetSocketAddress("10.0.0.1", port));
    }

    /** Open a connection, from a port of its own if 0 is given, that counts what it gets. */
    Ptr<ColoTcpSocket> Open(uint16_t localPort, uint16_t remotePort = 80)
    {
        Ptr<ColoTcpSocket> socket = MakeSocket(client);
        if (localPort)
        {
            BOOST_REQUIRE(socket->Bind(Local(localPort)) == 0);
        }
        socket->SetConnectCallback(
            Callback<void, Ptr<Socket>>([](Ptr<Socket> to) { to->Send(Create<Packet>(3000)); }),
            MakeNullCallback<void, Ptr<Socket>>());
        socket->SetRecvCallback(Callback<void, Ptr<Socket>>([this](Ptr<Socket> from) {
            while (Ptr<Packet> packet = from->Recv())
            {
                got += packet->GetSize();
            }
        }));
        BOOST_REQUIRE(socket->Connect(Remote(remotePort)) == 0);
        return socket;
    }

    /** \return TCP resets that were on the link. */
    size_t CountResets() const
    {
        const size_t flags = 14 + (m_useIpv6 ? 40 : 20) + 13;
        return std::count_if(frames.begin(), frames.end(), [&](const auto& frame) {
            return frame.second.size() > flags &&
                   frame.second[m_useIpv6 ? 20 : 23] == TcpL4Protocol::PROT_NUMBER &&
                   frame.second[flags] & TcpHeader::RST;
        });
    }

    /** \return end points in ns-3's own list, which it searches. */
    static size_t Listed(Ptr<Node> node)
    {
        ObjectPtrContainerValue list;
        node->GetObject<TcpL4Protocol>()->GetAttribute("SocketList", list);
        return list.GetN();
    }

    static size_t All(Ptr<Node> node)
    {
        return ColoTcpL4Protocol::GetSockets(node->GetObject<TcpL4Protocol>()).size();
    }

    static Ptr<ColoTcpSocket> MakeSocket(Ptr<Node> node)
    {
        return DynamicCast<ColoTcpSocket>(
            Socket::CreateSocket(node, ColoTcpSocketFactory::GetTypeId()));
    }

    void RunFor(Time time)
    {
        Simulator::Stop(time);
        Simulator::Run();
    }

    Ptr<Node> client;
    Ptr<Node> server;
    Ptr<ColoTcpSocket> listener;
    std::vector<Ptr<ColoTcpSocket>> accepted;
    std::vector<std::pair<int64_t, std::vector<uint8_t>>> frames;
    uint64_t served{0};
    uint64_t got{0};

  private:
    static Ptr<Node> MakeNode(const std::string& tcp)
    {
        auto node = CreateObject<Node>();
        InternetStackHelper stack;
        stack.SetTcp(tcp);
        stack.Install(node);
        stack.AssignStreams(NodeContainer(node), node->GetId() * 100);
        node->AggregateObject(CreateObject<ColoTcpSocketFactory>());
        return node;
    }

    static void SetAddress(Ptr<Node> node,
                           Ptr<NetDevice> device,
                           const char* address,
                           const char* address6)
    {
        Ptr<Ipv4> ipv4 = node->GetObject<Ipv4>();
        const uint32_t interface = ipv4->AddInterface(device);
        ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, "255.255.255.0"));
        ipv4->SetUp(interface);
        Ptr<Ipv6> ipv6 = node->GetObject<Ipv6>();
        const uint32_t interface6 = ipv6->AddInterface(device);
        ipv6->AddAddress(interface6, Ipv6InterfaceAddress(address6, Ipv6Prefix(64)));
        ipv6->SetUp(interface6);
    }

    bool m_useIpv6;
};

const auto BOTH_IPS = data::make({false, true});
const Time SOON = Seconds(4); // past duplicate address detection, which delays the first SYN

} // namespace

BOOST_DATA_TEST_CASE(connections_are_in_the_table_and_leave_it, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    std::vector<Ptr<ColoTcpSocket>> sockets;
    for (int i = 0; i < 20; i++)
    {
        sockets.push_back(world.Open(0));
    }
    world.RunFor(Seconds(20)); // ARP keeps three SYNs, the others are repeated
    BOOST_TEST(world.got == 20 * 3000);
    BOOST_TEST(world.Listed(world.client) == 0);
    BOOST_TEST(world.Listed(world.server) == 1); // the one that listens
    BOOST_TEST(world.All(world.client) == 20);
    BOOST_TEST(world.All(world.server) == 21);

    for (const auto& socket : sockets)
    {
        socket->Close();
    }
    world.RunFor(Seconds(300)); // longer than TIME_WAIT
    BOOST_TEST(world.All(world.client) == 0);
    BOOST_TEST(world.All(world.server) == 1);
    for (const auto& socket : sockets)
    {
        BOOST_TEST(!socket->IsBound());
        BOOST_TEST(socket->GetReferenceCount() == 1); // nothing but this test has it
    }
}

BOOST_DATA_TEST_CASE(nothing_on_the_wire_differs, BOTH_IPS, useIpv6)
{
    std::vector<std::pair<int64_t, std::vector<uint8_t>>> frames[2];
    for (bool isHashed : {false, true})
    {
        Mac48Address::ResetAllocationIndex();
        World world(useIpv6, isHashed ? HASHED : STOCK);
        world.RunFor(SOON);
        Ptr<ColoTcpSocket> first = world.Open(0);
        for (uint16_t port : {4000, 0, 5000})
        {
            world.Open(port);
        }
        world.Open(0, 81); // nobody listens there
        Ptr<ColoTcpSocket> last = world.Open(0);
        Simulator::Schedule(Seconds(1), &ColoTcpSocket::Close, last);
        world.RunFor(SOON);
        world.accepted.front()->Vanish();
        first->Send(Create<Packet>(10), 0); // to be repeated, as nobody has it
        world.Open(6000);
        world.RunFor(Seconds(20));
        frames[isHashed] = world.frames;
        BOOST_TEST(world.got >= 5 * 3000);
    }
    BOOST_TEST(frames[false].size() > 60);
    BOOST_TEST((frames[false] == frames[true]));
}

BOOST_DATA_TEST_CASE(a_port_without_listener_refuses, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    world.Open(0);
    world.RunFor(SOON);
    BOOST_TEST(world.CountResets() == 0);
    world.Open(0, 81);
    world.RunFor(Seconds(1));
    BOOST_TEST(world.CountResets() == 1);
}

BOOST_DATA_TEST_CASE(a_connection_that_vanished_is_answered_by_a_reset, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    Ptr<ColoTcpSocket> socket = world.Open(0);
    world.RunFor(SOON);
    world.accepted.front()->Vanish();
    world.listener->Vanish(); // which would get the packet, and ignore it
    BOOST_TEST(world.All(world.server) == 0);
    BOOST_TEST(world.CountResets() == 0);
    socket->Send(Create<Packet>(10), 0);
    world.RunFor(SOON);
    BOOST_TEST(world.CountResets() == 1);
    BOOST_TEST(!socket->IsBound());
    BOOST_TEST(world.All(world.client) == 0);
    BOOST_TEST(world.served == 3000);
}

BOOST_DATA_TEST_CASE(addresses_and_ports_can_be_used_again, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    for (int i = 1; i <= 3; i++)
    {
        Ptr<ColoTcpSocket> socket = world.Open(4000);
        world.RunFor(SOON);
        BOOST_TEST(world.got == i * 3000u);
        socket->Vanish();
        world.accepted.back()->Vanish();
    }
}

BOOST_DATA_TEST_CASE(a_port_in_use_is_not_given_away, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    // ns-3 begins with 49153: take the next three of what it would choose.
    for (uint16_t port : {49153, 49154, 49155})
    {
        world.Open(port);
    }
    Ptr<ColoTcpSocket> socket = world.Open(0);
    Address own;
    socket->GetSockName(own);
    BOOST_TEST((own == world.Own(49156)));

    Ptr<ColoTcpSocket> other = World::MakeSocket(world.client);
    BOOST_TEST(other->Bind(world.Own(49154)) == -1);
    BOOST_TEST(other->GetErrno() == Socket::ERROR_ADDRINUSE);
    BOOST_TEST(other->Bind(world.Own(49157)) == 0);
    world.RunFor(SOON);
    BOOST_TEST(world.got == 4 * 3000);
}

BOOST_DATA_TEST_CASE(an_end_point_that_cannot_receive_is_passed_over, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    Ptr<ColoTcpSocket> socket = world.Open(4000);
    world.RunFor(SOON);
    auto tcp = world.client->GetObject<ColoTcpL4Protocol>();
    if (useIpv6)
    {
        tcp->GetTable6().Peek({"fd00::1", "fd00::2", 4000, 80})->SetRxEnabled(false);
    }
    else
    {
        tcp->GetTable().Peek({"10.0.0.1", "10.0.0.2", 4000, 80})->SetRxEnabled(false);
    }
    socket->Send(Create<Packet>(10), 0);
    world.RunFor(SOON);
    BOOST_TEST(world.got == 3000);
}

BOOST_DATA_TEST_CASE(stock_sockets_work_beside_it, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    world.Open(0);
    Ptr<Socket> stock = Socket::CreateSocket(world.client, TcpSocketFactory::GetTypeId());
    uint64_t got = 0;
    stock->SetRecvCallback(Callback<void, Ptr<Socket>>([&](Ptr<Socket> from) {
        while (Ptr<Packet> packet = from->Recv())
        {
            got += packet->GetSize();
        }
    }));
    stock->Connect(world.Remote(80));
    stock->Send(Create<Packet>(500));
    world.RunFor(SOON);
    BOOST_TEST(got == 500);
    BOOST_TEST(world.got == 3000);
    BOOST_TEST(world.Listed(world.client) == 1);
}

// Both copies are there before the socket of the first has its end point.
BOOST_DATA_TEST_CASE(a_syn_that_comes_twice_at_once_opens_one_connection, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    world.client->GetDevice(1)->GetChannel()->SetAttribute("Duplicate", DoubleValue(1));
    world.Open(4000);
    world.RunFor(SOON);
    BOOST_TEST(world.accepted.size() == 1);
    BOOST_TEST(world.got == 3000);
    BOOST_TEST(world.CountResets() == 0);
}

// A side that acks with its data echoes the timestamp of what it acks (RFC 7323, 4.3).
BOOST_DATA_TEST_CASE(answers_echo_the_timestamp_of_their_question, BOTH_IPS, useIpv6)
{
    World world(useIpv6);
    world.RunFor(SOON);
    Ptr<ColoTcpSocket> socket = world.Open(4000);
    world.RunFor(SOON);
    world.frames.clear();
    for (int i = 0; i < 20; i++)
    {
        Simulator::ScheduleWithContext(world.client->GetId(), MilliSeconds(300) * i, [socket] {
            socket->Send(Create<Packet>(100), 0);
        });
    }
    world.RunFor(Seconds(10));
    int answers = 0;
    for (const auto& [time, bytes] : world.frames)
    {
        const size_t ip = 14 + (useIpv6 ? 40 : 20);
        TcpHeader header;
        Ptr<Packet> packet = Create<Packet>(bytes.data() + ip, bytes.size() - ip);
        packet->RemoveHeader(header);
        if (header.GetSourcePort() == 80 && packet->GetSize() > 0)
        {
            const auto stamp = DynamicCast<const TcpOptionTS>(header.GetOption(TcpOption::TS));
            BOOST_TEST(time / 1000000 - stamp->GetEcho() < 10);
            answers++;
        }
    }
    BOOST_TEST(answers == 20);
}
