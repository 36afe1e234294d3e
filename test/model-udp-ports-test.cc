/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// UDP sockets in a hash table receive what they would without it.
#define BOOST_TEST_MODULE model_udp_ports
#include "colo-udp-ports.h"

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <vector>

using namespace ns3;

namespace data = boost::unit_test::data;

/** Two nodes; the sockets of the second are looked up in the table. */
struct Pair
{
    explicit Pair(bool ipv6)
        : useIpv6(ipv6)
    {
        Config::SetDefault("ns3::Icmpv6L4Protocol::DAD", BooleanValue(false));
        nodes.Create(2);
        SimpleNetDeviceHelper link;
        NetDeviceContainer devices = link.Install(nodes);
        InternetStackHelper stack;
        stack.Install(nodes);
        Ipv4AddressHelper("10.0.0.0", "255.255.255.0").Assign(devices);
        Ipv4AddressHelper("10.1.0.0", "255.255.255.0").Assign(devices);
        Ipv6AddressHelper helper("fd00::", 64);
        Ipv6InterfaceContainer addresses = helper.Assign(devices);
        node = nodes.Get(1);
        global = addresses.GetAddress(1, 1);
        ports = ColoUdpPorts::Of(node);
    }

    ~Pair()
    {
        Simulator::Destroy();
        Config::Reset();
    }

    Address Local(uint16_t port) const
    {
        return useIpv6 ? Address(Inet6SocketAddress(Ipv6Address::GetAny(), port))
                       : Address(InetSocketAddress(Ipv4Address::GetAny(), port));
    }

    Address Remote(uint16_t port) const
    {
        return useIpv6 ? Address(Inet6SocketAddress(global, port))
                       : Address(InetSocketAddress("10.0.0.2", port));
    }

    void Send(uint32_t size, const Address& to)
    {
        Simulator::ScheduleWithContext(0, MilliSeconds(50 * m_sent++), [this, size, to] {
            if (!m_sender)
            {
                m_sender = Socket::CreateSocket(nodes.Get(0), UdpSocketFactory::GetTypeId());
            }
            m_sender->SendTo(Create<Packet>(size), 0, to);
        });
    }

    void Hook(Ptr<Socket> socket)
    {
        BOOST_TEST_REQUIRE(socket);
        const std::size_t index = received.size();
        received.emplace_back();
        using Received = Callback<void, Ptr<Socket>>;
        socket->SetRecvCallback(Received([this, index](Ptr<Socket> s) {
            while (Ptr<Packet> packet = s->Recv())
            {
                received[index].push_back(packet->GetSize());
                then(s);
            }
        }));
    }

    void Run()
    {
        Simulator::Stop(Seconds(5));
        Simulator::Run();
    }

    static uint16_t PortOf(Ptr<Socket> socket)
    {
        Address local;
        socket->GetSockName(local);
        return Inet6SocketAddress::IsMatchingType(local)
                   ? Inet6SocketAddress::ConvertFrom(local).GetPort()
                   : InetSocketAddress::ConvertFrom(local).GetPort();
    }

    bool useIpv6;
    NodeContainer nodes;
    Ptr<Node> node;
    Ipv6Address global;
    Ptr<ColoUdpPorts> ports;
    std::vector<std::vector<uint32_t>> received; //!< sizes, by socket
    std::function<void(Ptr<Socket>)> then{[](Ptr<Socket>) {}};

  private:
    Ptr<Socket> m_sender;
    int64_t m_sent{1};
};

BOOST_DATA_TEST_CASE(each_gets_its_own, data::make({false, true}), useIpv6)
{
    Pair pair(useIpv6);
    pair.Hook(pair.ports->Bind(pair.Local(53)));
    pair.Hook(pair.ports->Bind(pair.Local(54)));
    Ptr<Socket> other = Socket::CreateSocket(pair.node, UdpSocketFactory::GetTypeId());
    other->Bind(pair.Local(55));
    pair.Hook(other);
    BOOST_TEST(ColoUdpPorts::Of(pair.node) == pair.ports);
    for (uint16_t port : {53, 54, 55, 56, 53})
    {
        pair.Send(port, pair.Remote(port));
    }
    pair.Run();
    BOOST_TEST((pair.received == std::vector<std::vector<uint32_t>>{{53, 53}, {54}, {55}}));
}

BOOST_DATA_TEST_CASE(a_socket_may_be_closed_while_it_receives, data::make({false, true}), useIpv6)
{
    Pair pair(useIpv6);
    pair.Hook(pair.ports->Bind(pair.Local(53)));
    pair.then = [&](Ptr<Socket> socket) {
        pair.ports->Close(socket);
        if (pair.received.size() == 1)
        {
            pair.Hook(pair.ports->Bind(pair.Local(53)));
        }
    };
    for (uint32_t size : {10, 11, 12})
    {
        pair.Send(size, pair.Remote(53));
    }
    pair.Run();
    BOOST_TEST((pair.received == std::vector<std::vector<uint32_t>>{{10}, {11}}));
}

BOOST_DATA_TEST_CASE(a_port_is_given_out_once, data::make({false, true}), useIpv6)
{
    Pair pair(useIpv6);
    const auto bindElsewhere = [&](uint16_t port) {
        return Socket::CreateSocket(pair.node, UdpSocketFactory::GetTypeId())
                   ->Bind(pair.Local(port)) == 0;
    };
    Ptr<Socket> first = pair.ports->Bind(pair.Local(0));
    BOOST_TEST(pair.PortOf(first) == 49153U); // as ns-3 counts
    BOOST_TEST(!pair.ports->Bind(pair.Local(49153)));
    BOOST_TEST(bindElsewhere(49154));
    BOOST_TEST(!pair.ports->Bind(pair.Local(49154)));
    BOOST_TEST(pair.PortOf(pair.ports->Bind(pair.Local(0))) == 49155U);
    pair.ports->Close(first);
    BOOST_TEST(bindElsewhere(49153));
    // All that are left, from 49152 to 65535, but no more.
    for (int left = 65536 - 49152 - 3; left > 0; left--)
    {
        BOOST_REQUIRE(pair.ports->Bind(pair.Local(0)));
    }
    BOOST_TEST(!pair.ports->Bind(pair.Local(0)));
}

BOOST_AUTO_TEST_CASE(an_address_may_be_given)
{
    Pair pair(false);
    pair.Hook(pair.ports->Bind(InetSocketAddress("10.1.0.2", 53)));
    pair.Send(10, InetSocketAddress("10.0.0.2", 53));
    pair.Send(11, InetSocketAddress("10.1.0.2", 53));
    pair.Run();
    BOOST_TEST((pair.received == std::vector<std::vector<uint32_t>>{{11}}));
}

BOOST_DATA_TEST_CASE(wrong_checksums_are_dropped, data::make({false, true}), useIpv6)
{
    for (bool isWrong : {false, true})
    {
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true)); // until Config::Reset()
        Pair pair(useIpv6);
        pair.Hook(pair.ports->Bind(pair.Local(53)));
        using Receive = NetDevice::ReceiveCallback;
        auto device = pair.node->GetDevice(0);
        device->SetReceiveCallback(
            Receive([&](auto, Ptr<const Packet> packet, auto protocol, const Address& from) {
                std::vector<uint8_t> bytes(packet->GetSize());
                packet->CopyData(bytes.data(), bytes.size());
                bytes.back() ^= isWrong && bytes.size() > 100;
                Ptr<Packet> changed = Create<Packet>(bytes.data(), bytes.size());
                const auto take = [&](auto layer) {
                    layer->Receive(device,
                                   changed,
                                   protocol,
                                   from,
                                   device->GetAddress(),
                                   NetDevice::PACKET_HOST);
                };
                if (protocol == ArpL3Protocol::PROT_NUMBER)
                {
                    take(pair.node->GetObject<ArpL3Protocol>());
                }
                else if (protocol == Ipv4L3Protocol::PROT_NUMBER)
                {
                    take(pair.node->GetObject<Ipv4L3Protocol>());
                }
                else
                {
                    take(pair.node->GetObject<Ipv6L3Protocol>());
                }
                return true;
            }));
        pair.Send(100, pair.Remote(53));
        pair.Run();
        BOOST_TEST(pair.received.at(0).size() == (isWrong ? 0U : 1U));
    }
}
