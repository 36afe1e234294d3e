/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_UDP_PORTS_H
#define COLO_UDP_PORTS_H

#include "ns3/address.h"
#include "ns3/ip-l4-protocol.h"
#include "ns3/ipv4-end-point.h"
#include "ns3/ipv6-end-point.h"
#include "ns3/node.h"
#include "ns3/socket.h"
#include "ns3/udp-l4-protocol.h"

#include <unordered_map>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Finds the UDP socket of a datagram by its port in a hash table, where UdpL4Protocol
 *        searches a list: with thousands of sockets a node, that is all that a simulation does.
 *
 * It stands between IP and UDP, and knows the sockets that were bound by Bind(). They are UDP's own
 * and receive what they would without it. All else goes on to UDP.
 */
class ColoUdpPorts : public IpL4Protocol
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param node a node with an internet stack.
     * \return that of the node, which is made if need be.
     */
    static Ptr<ColoUdpPorts> Of(Ptr<Node> node);

    /**
     * \param local address and port, which is 0 for an ephemeral one; one socket has a port, be it
     *        of one address or any.
     * \return a UDP socket that is bound to it, null if it is not to be had.
     */
    Ptr<Socket> Bind(const Address& local);
    /** \param socket one from Bind(), to be closed. */
    void Close(Ptr<Socket> socket);

    int GetProtocolNumber() const override;
    RxStatus Receive(Ptr<Packet> packet,
                     const Ipv4Header& header,
                     Ptr<Ipv4Interface> interface) override;
    RxStatus Receive(Ptr<Packet> packet,
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
    void SetDownTarget(DownTargetCallback target) override;
    void SetDownTarget6(DownTargetCallback6 target) override;
    DownTargetCallback GetDownTarget() const override;
    DownTargetCallback6 GetDownTarget6() const override;

  protected:
    void DoDispose() override;

  private:
    Ptr<Node> m_node;
    Ptr<UdpL4Protocol> m_udp;
    std::unordered_map<uint16_t, Ipv4EndPoint*> m_ends;
    std::unordered_map<uint16_t, Ipv6EndPoint*> m_ends6;
};

} // namespace ns3

#endif /* COLO_UDP_PORTS_H */
