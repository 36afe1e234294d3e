/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-tcp-protocol.h"

#include "colo-member-access.h"

#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/ipv4-header.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv6-header.h"
#include "ns3/ipv6-interface.h"
#include "ns3/log.h"
#include "ns3/object-ptr-container.h"
#include "ns3/tcp-header.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoTcpL4Protocol");

NS_OBJECT_ENSURE_REGISTERED(ColoTcpL4Protocol);

COLO_MEMBER_ACCESS(ColoTcpDemux, TcpL4Protocol, m_endPoints, Ipv4EndPointDemux*);
COLO_MEMBER_ACCESS(ColoTcpDemux6, TcpL4Protocol, m_endPoints6, Ipv6EndPointDemux*);

namespace
{

/** What an ICMP error quotes of a TCP header. */
struct QuotedPorts
{
    uint16_t source;
    uint16_t destination;
};

QuotedPorts
ReadQuotedPorts(const uint8_t payload[8])
{
    return {static_cast<uint16_t>(payload[0] << 8 | payload[1]),
            static_cast<uint16_t>(payload[2] << 8 | payload[3])};
}

} // namespace

TypeId
ColoTcpL4Protocol::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoTcpL4Protocol")
                            .SetParent<TcpL4Protocol>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoTcpL4Protocol>();
    return tid;
}

ColoTcpL4Protocol::ColoTcpL4Protocol()
    : m_table(this, this->*Member(ColoTcpDemux())),
      m_table6(this, this->*Member(ColoTcpDemux6()))
{
}

void
ColoTcpL4Protocol::DoDispose()
{
    m_table.ReturnAll(); // TcpL4Protocol deletes them
    m_table6.ReturnAll();
    TcpL4Protocol::DoDispose();
}

ColoEndPointTable<ColoEndPointsOfIpv4>&
ColoTcpL4Protocol::GetTable()
{
    return m_table;
}

ColoEndPointTable<ColoEndPointsOfIpv6>&
ColoTcpL4Protocol::GetTable6()
{
    return m_table6;
}

bool
ColoTcpL4Protocol::IsConnected(const Address& local, const Address& remote) const
{
    if (InetSocketAddress::IsMatchingType(local))
    {
        const auto here = InetSocketAddress::ConvertFrom(local);
        const auto there = InetSocketAddress::ConvertFrom(remote);
        return m_table.Peek({here.GetIpv4(), there.GetIpv4(), here.GetPort(), there.GetPort()});
    }
    const auto here = Inet6SocketAddress::ConvertFrom(local);
    const auto there = Inet6SocketAddress::ConvertFrom(remote);
    return m_table6.Peek({here.GetIpv6(), there.GetIpv6(), here.GetPort(), there.GetPort()});
}

std::vector<Ptr<TcpSocketBase>>
ColoTcpL4Protocol::GetSockets(Ptr<TcpL4Protocol> tcp)
{
    std::vector<Ptr<TcpSocketBase>> sockets;
    ObjectPtrContainerValue list; // a vector in ns-3.37, a map in ns-3.48
    tcp->GetAttribute("SocketList", list);
    for (auto i = list.Begin(); i != list.End(); ++i)
    {
        sockets.push_back(DynamicCast<TcpSocketBase>(i->second));
    }
    if (auto own = DynamicCast<ColoTcpL4Protocol>(tcp))
    {
        const auto& connected = own->m_table.GetSockets();
        const auto& connected6 = own->m_table6.GetSockets();
        sockets.insert(sockets.end(), connected.begin(), connected.end());
        sockets.insert(sockets.end(), connected6.begin(), connected6.end());
    }
    return sockets;
}

IpL4Protocol::RxStatus
ColoTcpL4Protocol::Receive(Ptr<Packet> packet,
                           const Ipv4Header& header,
                           Ptr<Ipv4Interface> interface)
{
    TcpHeader tcp;
    const RxStatus status =
        PacketReceived(packet, tcp, header.GetSource(), header.GetDestination());
    if (status != RX_OK)
    {
        return status;
    }
    Ipv4EndPoint* end = m_table.Find({header.GetDestination(),
                                      header.GetSource(),
                                      tcp.GetDestinationPort(),
                                      tcp.GetSourcePort()},
                                     interface ? interface->GetDevice() : nullptr);
    if (!end)
    {
        return TcpL4Protocol::Receive(packet, header, interface);
    }
    end->ForwardUp(packet, header, tcp.GetSourcePort(), interface);
    return RX_OK;
}

IpL4Protocol::RxStatus
ColoTcpL4Protocol::Receive(Ptr<Packet> packet,
                           const Ipv6Header& header,
                           Ptr<Ipv6Interface> interface)
{
    TcpHeader tcp;
    const RxStatus status =
        PacketReceived(packet, tcp, header.GetSource(), header.GetDestination());
    if (status != RX_OK)
    {
        return status;
    }
    Ipv6EndPoint* end = m_table6.Find({header.GetDestination(),
                                       header.GetSource(),
                                       tcp.GetDestinationPort(),
                                       tcp.GetSourcePort()},
                                      interface ? interface->GetDevice() : nullptr);
    if (!end)
    {
        return TcpL4Protocol::Receive(packet, header, interface);
    }
    end->ForwardUp(packet, header, tcp.GetSourcePort(), interface);
    return RX_OK;
}

void
ColoTcpL4Protocol::ReceiveIcmp(Ipv4Address icmpSource,
                               uint8_t icmpTtl,
                               uint8_t icmpType,
                               uint8_t icmpCode,
                               uint32_t icmpInfo,
                               Ipv4Address payloadSource,
                               Ipv4Address payloadDestination,
                               const uint8_t payload[8])
{
    const QuotedPorts ports = ReadQuotedPorts(payload);
    if (Ipv4EndPoint* end =
            m_table.Peek({payloadSource, payloadDestination, ports.source, ports.destination}))
    {
        end->ForwardIcmp(icmpSource, icmpTtl, icmpType, icmpCode, icmpInfo);
        return;
    }
    TcpL4Protocol::ReceiveIcmp(icmpSource,
                               icmpTtl,
                               icmpType,
                               icmpCode,
                               icmpInfo,
                               payloadSource,
                               payloadDestination,
                               payload);
}

void
ColoTcpL4Protocol::ReceiveIcmp(Ipv6Address icmpSource,
                               uint8_t icmpTtl,
                               uint8_t icmpType,
                               uint8_t icmpCode,
                               uint32_t icmpInfo,
                               Ipv6Address payloadSource,
                               Ipv6Address payloadDestination,
                               const uint8_t payload[8])
{
    const QuotedPorts ports = ReadQuotedPorts(payload);
    if (Ipv6EndPoint* end =
            m_table6.Peek({payloadSource, payloadDestination, ports.source, ports.destination}))
    {
        end->ForwardIcmp(icmpSource, icmpTtl, icmpType, icmpCode, icmpInfo);
        return;
    }
    TcpL4Protocol::ReceiveIcmp(icmpSource,
                               icmpTtl,
                               icmpType,
                               icmpCode,
                               icmpInfo,
                               payloadSource,
                               payloadDestination,
                               payload);
}

} // namespace ns3
