/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-announcement.h"

#include "ns3/abort.h"
#include "ns3/arp-header.h"
#include "ns3/arp-l3-protocol.h"
#include "ns3/icmpv6-header.h"
#include "ns3/icmpv6-l4-protocol.h"
#include "ns3/ipv4-address.h"
#include "ns3/ipv6-address.h"
#include "ns3/ipv6-header.h"
#include "ns3/ipv6-l3-protocol.h"

namespace ns3
{

namespace
{

/** An ARP request that asks for the sender itself. */
Ptr<Packet>
MakeArp(const Mac48Address& mac, const Ipv4Address& address)
{
    ArpHeader arp;
    arp.SetRequest(mac, address, Mac48Address::GetBroadcast(), address);
    auto packet = Create<Packet>();
    packet->AddHeader(arp);
    return packet;
}

Ptr<Packet>
MakeAdvertisement(const Mac48Address& mac, const Ipv6Address& address)
{
    const Ipv6Address allNodes = Ipv6Address::GetAllNodesMulticast();
    auto packet = Create<Packet>();
    packet->AddHeader(Icmpv6OptionLinkLayerAddress(false, mac));
    Icmpv6NA advertisement;
    advertisement.SetIpv6Target(address);
    advertisement.SetFlagO(true); // override what is known
    advertisement.CalculatePseudoHeaderChecksum(address,
                                                allNodes,
                                                packet->GetSize() +
                                                    advertisement.GetSerializedSize(),
                                                Icmpv6L4Protocol::PROT_NUMBER);
    packet->AddHeader(advertisement);
    Ipv6Header header;
    header.SetSource(address);
    header.SetDestination(allNodes);
    header.SetNextHeader(Icmpv6L4Protocol::PROT_NUMBER);
    header.SetPayloadLength(packet->GetSize());
    header.SetHopLimit(255); // neighbours believe nothing that a router has passed on
    packet->AddHeader(header);
    return packet;
}

} // namespace

ColoAnnouncement::ColoAnnouncement(const Mac48Address& mac, const Address& address)
{
    if (Ipv4Address::IsMatchingType(address))
    {
        packet = MakeArp(mac, Ipv4Address::ConvertFrom(address));
        protocol = ArpL3Protocol::PROT_NUMBER;
        destination = Mac48Address::GetBroadcast();
        return;
    }
    NS_ABORT_MSG_UNLESS(Ipv6Address::IsMatchingType(address),
                        "ColoAnnouncement: the address must be of IPv4 or IPv6");
    packet = MakeAdvertisement(mac, Ipv6Address::ConvertFrom(address));
    protocol = Ipv6L3Protocol::PROT_NUMBER;
    destination = Mac48Address::GetMulticast(Ipv6Address::GetAllNodesMulticast());
}

} // namespace ns3
