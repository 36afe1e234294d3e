/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TCP_PROTOCOL_H
#define COLO_TCP_PROTOCOL_H

#include "colo-end-point-table.h"

#include "ns3/tcp-l4-protocol.h"

#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * TCP that finds the connection of a packet in a hash table, where TcpL4Protocol searches a list:
 * with thousands of connections a node, that search is nearly all that a simulation does. What is
 * received and sent, and when, is the same.
 *
 * The connections of ColoTcpSocket are in the table from Connect() or the peer's SYN on; other
 * sockets work as ever, at the cost of ever. ColoUseTcp() installs it. The
 * attribute "SocketList" has the sockets that are in no connection, GetSockets() has all.
 */
class ColoTcpL4Protocol : public TcpL4Protocol
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoTcpL4Protocol();

    IpL4Protocol::RxStatus Receive(Ptr<Packet> packet,
                                   const Ipv4Header& header,
                                   Ptr<Ipv4Interface> interface) override;
    IpL4Protocol::RxStatus Receive(Ptr<Packet> packet,
                                   const Ipv6Header& header,
                                   Ptr<Ipv6Interface> interface) override;
    void ReceiveIcmp(Ipv4Address icmpSource,
                     uint8_t icmpTtl,
                     uint8_t icmpType,
                     uint8_t icmpCode,
                     uint32_t icmpInfo,
                     Ipv4Address payloadSource,
                     Ipv4Address payloadDestination,
                     const uint8_t payload[8]) override;
    void ReceiveIcmp(Ipv6Address icmpSource,
                     uint8_t icmpTtl,
                     uint8_t icmpType,
                     uint8_t icmpCode,
                     uint32_t icmpInfo,
                     Ipv6Address payloadSource,
                     Ipv6Address payloadDestination,
                     const uint8_t payload[8]) override;

    /**
     * \return the table of connections over IPv4
     */
    ColoEndPointTable<ColoEndPointsOfIpv4>& GetTable();

    /**
     * \return the table of connections over IPv6
     */
    ColoEndPointTable<ColoEndPointsOfIpv6>& GetTable6();

    /**
     * \param local address and port of this node.
     * \param remote address and port of its peer.
     * \return whether one of the tables has their connection.
     */
    bool IsConnected(const Address& local, const Address& remote) const;

    /**
     * \param tcp of a node, of this class or another
     * \return all TCP sockets of the node that are not closed
     */
    static std::vector<Ptr<TcpSocketBase>> GetSockets(Ptr<TcpL4Protocol> tcp);

  protected:
    void DoDispose() override;

  private:
    ColoEndPointTable<ColoEndPointsOfIpv4> m_table;
    ColoEndPointTable<ColoEndPointsOfIpv6> m_table6;
};

} // namespace ns3

#endif /* COLO_TCP_PROTOCOL_H */
