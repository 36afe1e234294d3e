/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_HELD_FRAME_H
#define COLO_HELD_FRAME_H

#include "colo-frame.h"

#include "ns3/address.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"

#include <cstdint>

namespace ns3
{

/** Bytes before the packet in the engine's frames. */
constexpr uint32_t COLO_ETHERNET_LEN = 14;

/** \ingroup colo A frame in an engine, and how ns-3 knows it. */
struct ColoHeldFrame : ColoBytesFrame
{
    /**
     * \param side whose frame it is.
     * \param packet its payload.
     * \param protocol its ethertype.
     * \param source its source address.
     * \param destination its destination address.
     */
    ColoHeldFrame(colo_side side,
                  Ptr<const Packet> packet,
                  uint16_t protocol,
                  const Address& source,
                  const Address& destination);

    /**
     * \param bytes the frame as the engine lets it leave.
     * \param size of it.
     * \return the packet as it leaves: the original, or with what \p bytes has changed.
     */
    Ptr<Packet> GetPacketOut(const uint8_t* bytes, uint32_t size) const;

    Ptr<const Packet> original;
    uint16_t protocol;
    Address source;
    Address destination;
    Time arrived;
};

} // namespace ns3

#endif /* COLO_HELD_FRAME_H */
