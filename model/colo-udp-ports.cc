/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-udp-ports.h"

#include "colo-member-access.h"

#include "ns3/abort.h"
#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/ipv4-end-point-demux.h"
#include "ns3/ipv4-header.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4.h"
#include "ns3/ipv6-end-point-demux.h"
#include "ns3/ipv6-header.h"
#include "ns3/ipv6-interface.h"
#include "ns3/ipv6.h"
#include "ns3/log.h"
#include "ns3/packet.h"
#include "ns3/udp-header.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoUdpPorts");

NS_OBJECT_ENSURE_REGISTERED(ColoUdpPorts);

COLO_MEMBER_ACCESS(ColoUdpDemux, UdpL4Protocol, m_endPoints, Ipv4EndPointDemux*);
COLO_MEMBER_ACCESS(ColoUdpDemux6, UdpL4Protocol, m_endPoints6, Ipv6EndPointDemux*);
COLO_MEMBER_ACCESS(ColoUdpList, Ipv4EndPointDemux, m_endPoints, Ipv4EndPointDemux::EndPoints);
COLO_MEMBER_ACCESS(ColoUdpList6, Ipv6EndPointDemux, m_endPoints, Ipv6EndPointDemux::EndPoints);
COLO_MEMBER_ACCESS(ColoUdpNextPort, Ipv4EndPointDemux, m_ephemeral, uint16_t);
COLO_MEMBER_ACCESS(ColoUdpNextPort6, Ipv6EndPointDemux, m_ephemeral, uint16_t);

namespace
{

/**
 * \param demux UDP's end points that are not in the table
 * \param last the ephemeral port that was given out last
 * \param table the others
 * \return the next one that is free, as ns-3 would find it; 0 if there is none
 */
template <typename Demux, typename Table>
uint16_t
FindEphemeralPort(Demux& demux, uint16_t& last, const Table& table)
{
    constexpr uint16_t FIRST = 49152;
    constexpr uint16_t LAST = 65535;
    uint16_t port = last;
    for (uint32_t tries = 0; tries <= LAST - FIRST; tries++)
    {
        port = port < FIRST || port == LAST ? FIRST : port + 1;
        if (table.count(port) == 0 && !demux.LookupPortLocal(port))
        {
            last = port;
            return port;
        }
    }
    return 0;
}

/**
 * Bind a socket, and move its end point from UDP's list to the table.
 * \param socket a new socket
 * \param local what to bind it to
 * \param demux UDP's end points that are not in the table
 * \param last its last ephemeral port
 * \param list its end points
 * \param table takes the new one
 * \return whether the port was free
 */
template <typename Local, typename Demux, typename List, typename Table>
bool
BindTo(Socket& socket, Local local, Demux& demux, uint16_t& last, List& list, Table& table)
{
    if (local.GetPort() == 0)
    {
        local.SetPort(FindEphemeralPort(demux, last, table));
    }
    const uint16_t port = local.GetPort();
    if (port == 0 || table.count(port) != 0 || socket.Bind(local) != 0)
    {
        return false;
    }
    table[port] = list.back();
    list.pop_back();
    return true;
}

/**
 * Give an end point back to UDP, which will look for it.
 * \param port its port
 * \param list where UDP has its end points
 * \param table has had it
 */
template <typename List, typename Table>
void
Return(uint16_t port, List& list, Table& table)
{
    const auto found = table.find(port);
    NS_ABORT_MSG_IF(found == table.end(), "UDP port " << port << " was not bound here");
    list.push_front(found->second); // so that it is found at once
    table.erase(found);
}

/**
 * \param table end points to delete as UDP would, which need not be there any more
 */
template <typename Table>
void
Delete(Table& table)
{
    for (const auto& [port, end] : table)
    {
        delete end;
    }
    table.clear();
}

/**
 * \param end an end point
 * \param destination of a datagram to its port
 * \return whether the datagram is for it
 */
template <typename EndPoint, typename IpAddress>
bool
IsFor(EndPoint& end, const IpAddress& destination)
{
    const IpAddress local = end.GetLocalAddress();
    return local == IpAddress::GetAny() || local == destination;
}

/**
 * \param table end points by port
 * \param udp takes what is not for one of them
 * \param packet a datagram
 * \param header of IP
 * \param interface that it came in by
 * \return what became of it
 */
template <typename Table, typename Header, typename Interface>
IpL4Protocol::RxStatus
Deliver(const Table& table,
        UdpL4Protocol& udp,
        Ptr<Packet> packet,
        const Header& header,
        Ptr<Interface> interface)
{
    uint8_t ports[4]{};
    packet->CopyData(ports, sizeof(ports));
    const auto found = table.find(ports[2] << 8 | ports[3]);
    if (found == table.end() || !IsFor(*found->second, header.GetDestination()))
    {
        return udp.Receive(packet, header, interface);
    }
    UdpHeader datagram;
    if (Node::ChecksumEnabled())
    {
        datagram.EnableChecksums();
    }
    datagram.InitializeChecksum(header.GetSource(),
                                header.GetDestination(),
                                UdpL4Protocol::PROT_NUMBER);
    packet->RemoveHeader(datagram);
    if (!datagram.IsChecksumOk())
    {
        return IpL4Protocol::RX_CSUM_FAILED;
    }
    found->second->ForwardUp(packet, header, datagram.GetSourcePort(), interface);
    return IpL4Protocol::RX_OK;
}

} // namespace

TypeId
ColoUdpPorts::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoUdpPorts")
                            .SetParent<IpL4Protocol>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoUdpPorts>();
    return tid;
}

Ptr<ColoUdpPorts>
ColoUdpPorts::Of(Ptr<Node> node)
{
    Ptr<ColoUdpPorts> ports = node->GetObject<ColoUdpPorts>();
    if (ports)
    {
        return ports;
    }
    ports = CreateObject<ColoUdpPorts>();
    ports->m_udp = node->GetObject<UdpL4Protocol>();
    NS_ABORT_MSG_UNLESS(ports->m_udp, "node " << node->GetId() << " has no UDP");
    node->AggregateObject(ports);
    if (Ptr<Ipv4> ip = node->GetObject<Ipv4>())
    {
        ip->Insert(ports);
    }
    if (Ptr<Ipv6> ip = node->GetObject<Ipv6>())
    {
        ip->Insert(ports);
    }
    return ports;
}

Ptr<Socket>
ColoUdpPorts::Bind(const Address& local)
{
    bool isBound = false;
    Ptr<Socket> socket = m_udp->CreateSocket();
    if (Inet6SocketAddress::IsMatchingType(local))
    {
        auto& demux = *((*m_udp).*Member(ColoUdpDemux6()));
        auto& last = demux.*Member(ColoUdpNextPort6());
        auto& list = demux.*Member(ColoUdpList6());
        isBound =
            BindTo(*socket, Inet6SocketAddress::ConvertFrom(local), demux, last, list, m_ends6);
    }
    else
    {
        auto& demux = *((*m_udp).*Member(ColoUdpDemux()));
        auto& last = demux.*Member(ColoUdpNextPort());
        auto& list = demux.*Member(ColoUdpList());
        isBound = BindTo(*socket, InetSocketAddress::ConvertFrom(local), demux, last, list, m_ends);
    }
    return isBound ? socket : nullptr;
}

void
ColoUdpPorts::Close(Ptr<Socket> socket)
{
    Address local;
    socket->GetSockName(local);
    if (Inet6SocketAddress::IsMatchingType(local))
    {
        auto& demux = *((*m_udp).*Member(ColoUdpDemux6()));
        Return(Inet6SocketAddress::ConvertFrom(local).GetPort(),
               demux.*Member(ColoUdpList6()),
               m_ends6);
    }
    else
    {
        auto& demux = *((*m_udp).*Member(ColoUdpDemux()));
        Return(InetSocketAddress::ConvertFrom(local).GetPort(),
               demux.*Member(ColoUdpList()),
               m_ends);
    }
    socket->Close();
}

int
ColoUdpPorts::GetProtocolNumber() const
{
    return UdpL4Protocol::PROT_NUMBER;
}

IpL4Protocol::RxStatus
ColoUdpPorts::Receive(Ptr<Packet> packet, const Ipv4Header& header, Ptr<Ipv4Interface> interface)
{
    return Deliver(m_ends, *m_udp, packet, header, interface);
}

IpL4Protocol::RxStatus
ColoUdpPorts::Receive(Ptr<Packet> packet, const Ipv6Header& header, Ptr<Ipv6Interface> interface)
{
    return Deliver(m_ends6, *m_udp, packet, header, interface);
}

void
ColoUdpPorts::ReceiveIcmp(Ipv4Address icmpSource,
                          uint8_t icmpTtl,
                          uint8_t icmpType,
                          uint8_t icmpCode,
                          uint32_t icmpInfo,
                          Ipv4Address payloadSource,
                          Ipv4Address payloadDestination,
                          const uint8_t payload[8])
{
    m_udp->ReceiveIcmp(icmpSource,
                       icmpTtl,
                       icmpType,
                       icmpCode,
                       icmpInfo,
                       payloadSource,
                       payloadDestination,
                       payload);
}

void
ColoUdpPorts::ReceiveIcmp(Ipv6Address icmpSource,
                          uint8_t icmpTtl,
                          uint8_t icmpType,
                          uint8_t icmpCode,
                          uint32_t icmpInfo,
                          Ipv6Address payloadSource,
                          Ipv6Address payloadDestination,
                          const uint8_t payload[8])
{
    m_udp->ReceiveIcmp(icmpSource,
                       icmpTtl,
                       icmpType,
                       icmpCode,
                       icmpInfo,
                       payloadSource,
                       payloadDestination,
                       payload);
}

void
ColoUdpPorts::SetDownTarget(DownTargetCallback target)
{
    m_udp->SetDownTarget(target);
}

void
ColoUdpPorts::SetDownTarget6(DownTargetCallback6 target)
{
    m_udp->SetDownTarget6(target);
}

IpL4Protocol::DownTargetCallback
ColoUdpPorts::GetDownTarget() const
{
    return m_udp->GetDownTarget();
}

IpL4Protocol::DownTargetCallback6
ColoUdpPorts::GetDownTarget6() const
{
    return m_udp->GetDownTarget6();
}

void
ColoUdpPorts::DoDispose()
{
    Delete(m_ends);
    Delete(m_ends6);
    m_udp = nullptr;
    IpL4Protocol::DoDispose();
}

} // namespace ns3
