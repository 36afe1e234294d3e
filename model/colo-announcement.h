/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ANNOUNCEMENT_H
#define COLO_ANNOUNCEMENT_H

#include "ns3/address.h"
#include "ns3/mac48-address.h"
#include "ns3/packet.h"

namespace ns3
{

/**
 * \ingroup colo
 *
 * A frame that tells a network where a guest is now: gratuitous ARP, or an unsolicited neighbour
 * advertisement. Bridges learn from its source, stations from what it says.
 */
struct ColoAnnouncement
{
    /**
     * \param mac the guest's.
     * \param address the guest's, of IPv4 or IPv6.
     */
    ColoAnnouncement(const Mac48Address& mac, const Address& address);

    Ptr<Packet> packet; //!< the frame's payload
    uint16_t protocol;  //!< its ethertype
    Mac48Address destination;
};

} // namespace ns3

#endif /* COLO_ANNOUNCEMENT_H */
