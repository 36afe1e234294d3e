/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-guest-stack.h"

#include "colo-member-access.h"

#include "ns3/abort.h"
#include "ns3/arp-cache.h"
#include "ns3/ipv4-end-point-demux.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/ipv6-end-point-demux.h"
#include "ns3/ipv6-interface.h"
#include "ns3/ipv6-l3-protocol.h"
#include "ns3/log.h"
#include "ns3/ndisc-cache.h"
#include "ns3/simulator.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/udp-l4-protocol.h"

#include <list>
#include <map>
#include <utility>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoGuestStack");

using ColoIdentifications = std::map<std::pair<uint64_t, uint8_t>, uint16_t>;
using ColoArpEntries = std::map<Ipv4Address, ArpCache::Entry*>;
using ColoArpPending = std::list<ArpCache::Ipv4PayloadHeaderPair>;
using ColoNdiscEntries = std::map<Ipv6Address, NdiscCache::Entry*>;
using ColoNdiscPending = std::list<NdiscCache::Ipv6PayloadHeaderPair>;

COLO_MEMBER_ACCESS(ColoIpIds, Ipv4L3Protocol, m_identification, ColoIdentifications);
COLO_MEMBER_ACCESS(ColoTcpPorts, TcpL4Protocol, m_endPoints, Ipv4EndPointDemux*);
COLO_MEMBER_ACCESS(ColoTcpPorts6, TcpL4Protocol, m_endPoints6, Ipv6EndPointDemux*);
COLO_MEMBER_ACCESS(ColoUdpPorts, UdpL4Protocol, m_endPoints, Ipv4EndPointDemux*);
COLO_MEMBER_ACCESS(ColoUdpPorts6, UdpL4Protocol, m_endPoints6, Ipv6EndPointDemux*);
COLO_MEMBER_ACCESS(ColoNextPort, Ipv4EndPointDemux, m_ephemeral, uint16_t);
COLO_MEMBER_ACCESS(ColoNextPort6, Ipv6EndPointDemux, m_ephemeral, uint16_t);
COLO_MEMBER_ACCESS(ColoArpCacheEntries, ArpCache, m_arpCache, ColoArpEntries);
COLO_MEMBER_ACCESS(ColoArpCacheTimer, ArpCache, m_waitReplyTimer, EventId);
COLO_MEMBER_ACCESS(ColoArpEntryCache, ArpCache::Entry, m_arp, ArpCache*);
COLO_MEMBER_ACCESS(ColoArpEntryPending, ArpCache::Entry, m_pending, ColoArpPending);
COLO_MEMBER_ACCESS(ColoNdiscCacheEntries, NdiscCache, m_ndCache, ColoNdiscEntries);
COLO_MEMBER_ACCESS(ColoNdiscEntryPending, NdiscCache::Entry, m_waiting, ColoNdiscPending);
COLO_MEMBER_ACCESS(ColoNdiscEntryTimer, NdiscCache::Entry, m_nudTimer, Timer);
COLO_MEMBER_ACCESS(ColoNdiscEntrySeen, NdiscCache::Entry, m_lastReachabilityConfirmation, Time);
COLO_MEMBER_ACCESS(ColoNdiscEntryTries, NdiscCache::Entry, m_nsRetransmit, uint8_t);

namespace
{

/**
 * Copies of packets, which get headers when they are sent.
 * \param from pairs of a packet and its header
 * \return the same pairs with packets of their own
 */
template <typename PacketList>
PacketList
CopyPackets(const PacketList& from)
{
    PacketList copies = from;
    for (auto& waiting : copies)
    {
        waiting.first = waiting.first->Copy();
    }
    return copies;
}

/**
 * \param from the cache to copy
 * \param to the cache that becomes like it
 */
void
CopyArpCache(ArpCache& from, ArpCache& to)
{
    to.Flush();
    for (const auto& [address, original] : from.*Member(ColoArpCacheEntries()))
    {
        ArpCache::Entry& entry = *to.Add(address);
        entry = *original;
        entry.*Member(ColoArpEntryCache()) = &to;
        entry.*Member(ColoArpEntryPending()) =
            CopyPackets(original->*Member(ColoArpEntryPending()));
    }

    const EventId& timer = from.*Member(ColoArpCacheTimer());
    if (!timer.IsExpired())
    {
        // The only public way to start it is with the configured delay.
        const Time configured = to.GetWaitReplyTimeout();
        to.SetWaitReplyTimeout(Simulator::GetDelayLeft(timer));
        to.StartWaitReplyTimer();
        to.SetWaitReplyTimeout(configured);
    }
}

/**
 * \param from the entry whose timer to copy
 * \param to the entry to start it for, already in the same state
 */
void
CopyNdiscTimer(NdiscCache::Entry& from, NdiscCache::Entry& to)
{
    switch (from.m_state)
    {
    case NdiscCache::Entry::REACHABLE:
        to.StartReachableTimer();
        break;
    case NdiscCache::Entry::DELAY:
        to.StartDelayTimer();
        break;
    case NdiscCache::Entry::PROBE:
        to.StartProbeTimer();
        break;
    case NdiscCache::Entry::INCOMPLETE:
        to.StartRetransmitTimer();
        break;
    default:
        return;
    }
    const Timer& original = from.*Member(ColoNdiscEntryTimer());
    Timer& timer = to.*Member(ColoNdiscEntryTimer());
    timer.Cancel();
    if (original.IsRunning())
    {
        timer.Schedule(original.GetDelayLeft());
    }
    to.*Member(ColoNdiscEntrySeen()) = from.*Member(ColoNdiscEntrySeen());
}

/**
 * \param from the cache to copy
 * \param to the cache that becomes like it
 */
void
CopyNdiscCache(NdiscCache& from, NdiscCache& to)
{
    to.Flush();
    for (const auto& [address, original] : from.*Member(ColoNdiscCacheEntries()))
    {
        NdiscCache::Entry& entry = *to.Add(address);
        entry.m_state = original->m_state;
        entry.SetMacAddress(original->GetMacAddress());
        entry.SetRouter(original->IsRouter());
        entry.*Member(ColoNdiscEntryPending()) =
            CopyPackets(original->*Member(ColoNdiscEntryPending()));
        entry.*Member(ColoNdiscEntryTries()) = original->*Member(ColoNdiscEntryTries());
        CopyNdiscTimer(*original, entry);
    }
}

/**
 * \param from the node to copy
 * \param to the node that becomes like it
 */
void
CopyIpv4(Ptr<Node> from, Ptr<Node> to)
{
    Ptr<Ipv4L3Protocol> fromIp = from->GetObject<Ipv4L3Protocol>();
    Ptr<Ipv4L3Protocol> toIp = to->GetObject<Ipv4L3Protocol>();
    if (!fromIp)
    {
        return;
    }
    NS_ABORT_MSG_UNLESS(toIp && toIp->GetNInterfaces() == fromIp->GetNInterfaces(),
                        "ColoGuest: the guests' IPv4 interfaces differ");
    (*toIp).*Member(ColoIpIds()) = (*fromIp).*Member(ColoIpIds());
    for (uint32_t i = 0; i < fromIp->GetNInterfaces(); ++i)
    {
        Ptr<ArpCache> original = fromIp->GetInterface(i)->GetArpCache();
        if (original)
        {
            CopyArpCache(*original, *toIp->GetInterface(i)->GetArpCache());
        }
    }
}

/**
 * \param from the node to copy
 * \param to the node that becomes like it
 */
void
CopyIpv6(Ptr<Node> from, Ptr<Node> to)
{
    Ptr<Ipv6L3Protocol> fromIp = from->GetObject<Ipv6L3Protocol>();
    Ptr<Ipv6L3Protocol> toIp = to->GetObject<Ipv6L3Protocol>();
    if (!fromIp)
    {
        return;
    }
    NS_ABORT_MSG_UNLESS(toIp && toIp->GetNInterfaces() == fromIp->GetNInterfaces(),
                        "ColoGuest: the guests' IPv6 interfaces differ");
    for (uint32_t i = 0; i < fromIp->GetNInterfaces(); ++i)
    {
        Ptr<NdiscCache> original = fromIp->GetInterface(i)->GetNdiscCache();
        if (original)
        {
            CopyNdiscCache(*original, *toIp->GetInterface(i)->GetNdiscCache());
        }
    }
}

/**
 * \tparam Protocol the transport protocol
 * \tparam Ports names its IPv4 end points
 * \tparam Ports6 names its IPv6 end points
 * \param from the node to copy
 * \param to the node that becomes like it
 */
template <typename Protocol, typename Ports, typename Ports6>
void
CopyNextPorts(Ptr<Node> from, Ptr<Node> to)
{
    Ptr<Protocol> original = from->GetObject<Protocol>();
    Ptr<Protocol> copy = to->GetObject<Protocol>();
    if (original && copy)
    {
        (*copy).*Member(Ports())->*Member(ColoNextPort()) =
            (*original).*Member(Ports())->*Member(ColoNextPort());
        (*copy).*Member(Ports6())->*Member(ColoNextPort6()) =
            (*original).*Member(Ports6())->*Member(ColoNextPort6());
    }
}

} // namespace

void
ColoExcusePause(Ptr<Node> node)
{
    Ptr<Ipv4L3Protocol> ip = node->GetObject<Ipv4L3Protocol>();
    for (uint32_t i = 0; ip && i < ip->GetNInterfaces(); ++i)
    {
        Ptr<ArpCache> cache = ip->GetInterface(i)->GetArpCache();
        if (!cache)
        {
            continue;
        }
        for (const auto& [address, entry] : (*cache).*Member(ColoArpCacheEntries()))
        {
            if (entry->IsWaitReply())
            {
                entry->UpdateSeen();
            }
        }
    }
}

void
ColoCopyGuestStack(Ptr<Node> from, Ptr<Node> to)
{
    CopyIpv4(from, to);
    CopyIpv6(from, to);
    CopyNextPorts<TcpL4Protocol, ColoTcpPorts, ColoTcpPorts6>(from, to);
    CopyNextPorts<UdpL4Protocol, ColoUdpPorts, ColoUdpPorts6>(from, to);
}

} // namespace ns3
