/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-held-frame.h"

#include "ns3/mac48-address.h"
#include "ns3/simulator.h"
#include "ns3/tag.h"

#include <vector>

namespace ns3
{

namespace
{

std::vector<uint8_t>
FrameBytes(Ptr<const Packet> packet,
           uint16_t protocol,
           const Address& source,
           const Address& destination)
{
    std::vector<uint8_t> bytes(COLO_ETHERNET_LEN + packet->GetSize());
    Mac48Address::ConvertFrom(destination).CopyTo(bytes.data());
    Mac48Address::ConvertFrom(source).CopyTo(bytes.data() + 6);
    colo_put16(bytes.data() + 12, protocol);
    packet->CopyData(bytes.data() + COLO_ETHERNET_LEN, packet->GetSize());
    return bytes;
}

/** \return the tag that an item of either iterator stands for. */
template <typename Item>
std::unique_ptr<Tag>
ReadTag(Item item)
{
    std::unique_ptr<Tag> tag(dynamic_cast<Tag*>(item.GetTypeId().GetConstructor()()));
    item.GetTag(*tag);
    return tag;
}

/** To a packet of the same size and layout that has no tags yet. */
void
CopyTags(Ptr<const Packet> from, Ptr<Packet> to)
{
    PacketTagIterator packetTags = from->GetPacketTagIterator();
    while (packetTags.HasNext())
    {
        to->AddPacketTag(*ReadTag(packetTags.Next()));
    }
    ByteTagIterator byteTags = from->GetByteTagIterator();
    while (byteTags.HasNext())
    {
        const ByteTagIterator::Item item = byteTags.Next();
        to->AddByteTag(*ReadTag(item), item.GetStart(), item.GetEnd());
    }
}

} // namespace

ColoHeldFrame::ColoHeldFrame(colo_side side,
                             Ptr<const Packet> packet,
                             uint16_t protocol,
                             const Address& source,
                             const Address& destination)
    : ColoBytesFrame(side, FrameBytes(packet, protocol, source, destination)),
      original(packet),
      protocol(protocol),
      source(source),
      destination(destination),
      arrived(Simulator::Now())
{
}

Ptr<Packet>
ColoHeldFrame::GetPacketOut(const uint8_t* bytes, uint32_t size) const
{
    Ptr<Packet> out = original->Copy();
    const uint8_t kind = GetPacket().kind;
    if (!IsEdited() && kind != COLO_KIND_FRAGMENT)
    {
        return out;
    }
    if (kind != COLO_KIND_TCP)
    {
        // Of a datagram any byte may be edited, and a kept ack leaves whole if it was fragments.
        if (FrameBytes(original, protocol, source, destination) ==
            std::vector<uint8_t>(bytes, bytes + size))
        {
            return out;
        }
        Ptr<Packet> edited = Create<Packet>(bytes + COLO_ETHERNET_LEN, size - COLO_ETHERNET_LEN);
        if (size == GetSize())
        {
            CopyTags(original, edited);
        }
        return edited;
    }
    const uint32_t headers = GetPacket().payload_offset - COLO_ETHERNET_LEN;
    out->RemoveAtStart(headers);
    out->RemoveAllByteTags(); // those of the headers would be lost: all are copied below
    Ptr<Packet> edited = Create<Packet>(bytes + COLO_ETHERNET_LEN, headers);
    edited->AddAtEnd(out);
    CopyTags(original, edited);
    return edited;
}

} // namespace ns3
