/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_END_POINT_TABLE_H
#define COLO_END_POINT_TABLE_H

#include "ns3/ipv4-address.h"
#include "ns3/ipv4-end-point-demux.h"
#include "ns3/ipv4-end-point.h"
#include "ns3/ipv6-address.h"
#include "ns3/ipv6-end-point-demux.h"
#include "ns3/ipv6-end-point.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-socket-base.h"

#include <cstdint>
#include <list>
#include <unordered_map>

namespace ns3
{

/** What differs between the tables of IPv4 and IPv6. */
struct ColoEndPointsOfIpv4
{
    using EndPoint = Ipv4EndPoint;
    using Demux = Ipv4EndPointDemux;
    using IpAddress = Ipv4Address;
    using AddressHash = Ipv4AddressHash;
};

/** \copydoc ColoEndPointsOfIpv4 */
struct ColoEndPointsOfIpv6
{
    using EndPoint = Ipv6EndPoint;
    using Demux = Ipv6EndPointDemux;
    using IpAddress = Ipv6Address;
    using AddressHash = Ipv6AddressHash;
};

/**
 * \ingroup colo
 *
 * The end points of connections, found by their addresses and ports. ns-3 has all end points of a
 * node in a list, which it searches for every packet and every new connection. Those that are here
 * are taken out of that list, and their sockets out of TcpL4Protocol's, and go back when they are
 * to be deallocated.
 *
 * \tparam Ip ColoEndPointsOfIpv4 or ColoEndPointsOfIpv6.
 */
template <typename Ip>
class ColoEndPointTable
{
  public:
    using EndPoint = typename Ip::EndPoint;
    using IpAddress = typename Ip::IpAddress;

    /** What identifies a connection on its node. */
    struct Key
    {
        IpAddress local;
        IpAddress remote;
        uint16_t localPort;
        uint16_t remotePort;

        bool operator==(const Key& other) const
        {
            return remotePort == other.remotePort && localPort == other.localPort &&
                   remote == other.remote && local == other.local;
        }
    };

    /**
     * \param protocol owns this table.
     * \param demux is the protocol's.
     */
    ColoEndPointTable(TcpL4Protocol* protocol, typename Ip::Demux* demux);

    /**
     * \param key addresses and ports of a packet.
     * \param device that it came by, or null.
     * \return the end point that gets it, or null if it is none of this table.
     */
    EndPoint* Find(const Key& key, Ptr<NetDevice> device) const;

    /**
     * \param key addresses and ports of a connection.
     * \return its end point, or null if it is none of this table.
     */
    EndPoint* Peek(const Key& key) const;

    /**
     * Take over a connection's end point. Does nothing before both of its ends are known.
     * \param socket owns it.
     * \param end the end point, in the demultiplexer's list.
     */
    void Adopt(Ptr<TcpSocketBase> socket, EndPoint* end);

    /**
     * Give an end point back to the demultiplexer, if it is one of this table.
     * \param end the end point.
     */
    void Return(EndPoint* end);

    /** Give all end points back to the demultiplexer, and forget the sockets. */
    void ReturnAll();

    /**
     * Let the demultiplexer's next ephemeral port be one that no end point has, here or there.
     * \return whether there is one.
     */
    bool PrepareEphemeralPort();

    /**
     * \param device that a socket is bound to, or null.
     * \param address local one.
     * \param port local one.
     * \return whether an end point of this table has them, so that nothing else can be bound.
     */
    bool IsTaken(Ptr<NetDevice> device, IpAddress address, uint16_t port) const;

    /** \param port local one. \return whether an end point of this table has it. */
    bool HasPort(uint16_t port) const;

    /** \return the sockets of this table's end points, in the order in which these came. */
    const std::list<Ptr<TcpSocketBase>>& GetSockets() const;

  private:
    class Guard;

    struct Entry
    {
        std::list<EndPoint*> place; //!< the end point, in the demultiplexer's node of it
        std::list<Ptr<TcpSocketBase>>::iterator socket;
    };

    struct Hash
    {
        size_t operator()(const Key& key) const;
    };

    static Key KeyOf(EndPoint& end);
    void Return(const Key& key, EndPoint* end);

    TcpL4Protocol* m_protocol;
    typename Ip::Demux* m_demux;
    std::unordered_map<Key, Entry, Hash> m_entries;
    std::unordered_map<uint16_t, uint32_t> m_ports; //!< how many entries have a local port
    std::list<Ptr<TcpSocketBase>> m_sockets;
};

extern template class ColoEndPointTable<ColoEndPointsOfIpv4>;
extern template class ColoEndPointTable<ColoEndPointsOfIpv6>;

} // namespace ns3

#endif /* COLO_END_POINT_TABLE_H */
