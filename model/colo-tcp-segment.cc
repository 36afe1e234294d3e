/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-tcp-segment.h"

#include <algorithm>
#include <pcap/pcap.h>

namespace ns3
{

namespace
{

constexpr uint16_t ETHERTYPE_IPV4 = 0x0800;
constexpr uint16_t ETHERTYPE_IPV6 = 0x86dd;
constexpr uint8_t PROTOCOL_TCP = 6;
/** Far above what offload joins; a wire length beyond it is damage. */
constexpr std::size_t OFFLOAD_MAX = 1 << 20;

/** What is left of a packet: bytes that were captured, and how many there were on the wire. */
struct View
{
    const uint8_t* data;
    std::size_t captured;
    std::size_t wire;

    bool Has(std::size_t bytes) const
    {
        return captured >= bytes;
    }

    void Skip(std::size_t bytes)
    {
        data += bytes;
        captured -= bytes;
        wire -= bytes;
    }

    /** Forget what comes after, such as the padding of a short Ethernet frame. */
    void Cut(std::size_t bytes)
    {
        wire = bytes;
        captured = std::min(captured, bytes);
    }

    uint16_t Get16(std::size_t offset) const
    {
        return static_cast<uint16_t>(data[offset] << 8 | data[offset + 1]);
    }

    uint32_t Get32(std::size_t offset) const
    {
        return uint32_t{Get16(offset)} << 16 | Get16(offset + 2);
    }
};

ColoParse
ParseTcp(View view, ColoTcpSegment& segment)
{
    // The flags are the last that is needed; options may be cut off.
    if (!view.Has(14))
    {
        return ColoParse::MALFORMED;
    }
    std::size_t header = (view.data[12] >> 4) * 4U;
    segment.source.port = view.Get16(0);
    segment.destination.port = view.Get16(2);
    if (header < 20 || header > view.wire || segment.source.port == 0 ||
        segment.destination.port == 0)
    {
        return ColoParse::MALFORMED;
    }
    segment.seq = view.Get32(4);
    segment.ack = view.Get32(8);
    segment.flags = view.data[13];
    segment.payload = static_cast<uint32_t>(view.wire - header);
    return ColoParse::TCP;
}

ColoParse
ParseIpv4(View view, ColoTcpSegment& segment)
{
    if (!view.Has(20))
    {
        return ColoParse::MALFORMED;
    }
    std::size_t header = (view.data[0] & 0x0f) * 4U;
    std::size_t total = view.Get16(2);
    // Captured before segmentation offload, which fills the length in.
    if (total == 0)
    {
        total = view.wire;
    }
    if (header < 20 || total < header || total > view.wire || total > OFFLOAD_MAX)
    {
        return ColoParse::MALFORMED;
    }
    bool isFragment = (view.Get16(6) & 0x3fff) != 0;
    if (view.data[9] != PROTOCOL_TCP || isFragment)
    {
        return ColoParse::OTHER;
    }
    std::copy_n(view.data + 12, 4, segment.source.address.begin());
    std::copy_n(view.data + 16, 4, segment.destination.address.begin());
    view.Cut(total);
    if (!view.Has(header))
    {
        return ColoParse::MALFORMED;
    }
    view.Skip(header);
    return ParseTcp(view, segment);
}

ColoParse
ParseIpv6(View view, ColoTcpSegment& segment)
{
    constexpr std::size_t HEADER = 40;
    constexpr int EXTENSIONS_MAX = 8;
    if (!view.Has(HEADER))
    {
        return ColoParse::MALFORMED;
    }
    std::size_t payload = view.Get16(4);
    if (payload == 0)
    {
        payload = view.wire - HEADER;
    }
    if (payload > view.wire - HEADER || payload > OFFLOAD_MAX)
    {
        return ColoParse::MALFORMED;
    }
    uint8_t next = view.data[6];
    std::copy_n(view.data + 8, 16, segment.source.address.begin());
    std::copy_n(view.data + 24, 16, segment.destination.address.begin());
    view.Skip(HEADER);
    view.Cut(payload);
    for (int i = 0; i < EXTENSIONS_MAX; i++)
    {
        if (next == PROTOCOL_TCP)
        {
            return ParseTcp(view, segment);
        }
        bool isFragment = next == 44;
        bool isAuthentication = next == 51;
        bool isOptions = next == 0 || next == 43 || next == 60;
        if (!isFragment && !isAuthentication && !isOptions)
        {
            return ColoParse::OTHER;
        }
        if (!view.Has(8))
        {
            return ColoParse::MALFORMED;
        }
        if (isFragment && (view.Get16(2) & 0xfff9) != 0)
        {
            return ColoParse::OTHER;
        }
        std::size_t length = isFragment         ? 8
                             : isAuthentication ? (view.data[1] + 2U) * 4
                                                : (view.data[1] + 1U) * 8;
        if (!view.Has(length))
        {
            return ColoParse::MALFORMED;
        }
        next = view.data[0];
        view.Skip(length);
    }
    return ColoParse::OTHER;
}

ColoParse
ParseIp(View view, ColoTcpSegment& segment)
{
    if (!view.Has(1))
    {
        return ColoParse::MALFORMED;
    }
    switch (view.data[0] >> 4)
    {
    case 4:
        return ParseIpv4(view, segment);
    case 6:
        return ParseIpv6(view, segment);
    default:
        return ColoParse::MALFORMED;
    }
}

/** The view starts behind the first ethertype; VLAN tags may follow. */
ColoParse
ParseEthertype(View view, uint16_t type, ColoTcpSegment& segment)
{
    constexpr int TAGS_MAX = 4;
    for (int i = 0; i < TAGS_MAX && (type == 0x8100 || type == 0x88a8 || type == 0x9100); i++)
    {
        if (!view.Has(4))
        {
            return ColoParse::MALFORMED;
        }
        type = view.Get16(2);
        view.Skip(4);
    }
    if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
    {
        return ColoParse::OTHER;
    }
    return ParseIp(view, segment);
}

/** Where the ethertype stands, and how long the link header is. */
struct LinkLayout
{
    bool known;
    bool hasEthertype;
    std::size_t ethertype;
    std::size_t header;
};

LinkLayout
GetLayout(int linkType)
{
    switch (linkType)
    {
    case DLT_EN10MB:
        return {true, true, 12, 14};
    case DLT_LINUX_SLL:
        return {true, true, 14, 16};
    case DLT_LINUX_SLL2:
        return {true, true, 0, 20};
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        return {true, false, 0, 0};
    // The family's number depends on the system; the IP version says the same.
    case DLT_NULL:
    case DLT_LOOP:
        return {true, false, 0, 4};
    default:
        return {false, false, 0, 0};
    }
}

} // namespace

bool
ColoIsLinkTypeKnown(int linkType)
{
    return GetLayout(linkType).known;
}

ColoParse
ColoParseSegment(int linkType,
                 const uint8_t* data,
                 std::size_t captured,
                 std::size_t wire,
                 ColoTcpSegment& segment)
{
    LinkLayout layout = GetLayout(linkType);
    View view{data, captured, std::max(captured, wire)};
    if (!view.Has(layout.header))
    {
        return ColoParse::MALFORMED;
    }
    uint16_t type = layout.hasEthertype ? view.Get16(layout.ethertype) : 0;
    view.Skip(layout.header);
    return layout.hasEthertype ? ParseEthertype(view, type, segment) : ParseIp(view, segment);
}

} // namespace ns3
