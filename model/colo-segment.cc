/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-segment.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace ns3
{

namespace
{

constexpr uint32_t IPV6_LEN = 40;

constexpr uint8_t TCP_PSH = 0x08;
constexpr uint8_t TCP_CWR = 0x80;

// Where things are in the headers.
constexpr uint32_t IPV4_TOTAL_LEN = 2;
constexpr uint32_t IPV4_ID = 4;
constexpr uint32_t IPV4_CHECKSUM = 10;
constexpr uint32_t IPV4_ADDRESSES = 12;
constexpr uint32_t IPV6_PAYLOAD_LEN = 4;
constexpr uint32_t IPV6_ADDRESSES = 8;
constexpr uint32_t TCP_SEQ = 4;
constexpr uint32_t TCP_FLAGS = 13;
constexpr uint32_t TCP_CHECKSUM = 16;

/** Ones' complement sum of 16-bit words (RFC 1071). */
uint64_t
Sum(const uint8_t* bytes, uint32_t len)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i + 1 < len; i += 2)
    {
        sum += colo_get16(bytes + i);
    }
    return len % 2 ? sum + (bytes[len - 1] << 8) : sum;
}

uint16_t
Folded(uint64_t sum)
{
    while (sum >> 16)
    {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

bool
IsIpv4(const colo_packet& packet)
{
    return packet.head[packet.l3_offset] >> 4 == 4;
}

/** Lengths and checksums of a frame that has \p payloadLen bytes behind its headers. */
void
Complete(const colo_packet& packet, uint8_t* frame, uint32_t payloadLen)
{
    uint8_t* ip = frame + packet.l3_offset;
    uint8_t* tcp = frame + packet.l4_offset;
    const uint32_t tcpLen = packet.payload_offset - packet.l4_offset + payloadLen;
    const uint32_t headersLen = packet.l4_offset - packet.l3_offset;
    uint64_t pseudo = COLO_PROTOCOL_TCP + tcpLen;
    if (IsIpv4(packet))
    {
        colo_put16(ip + IPV4_TOTAL_LEN, headersLen + tcpLen);
        colo_put16(ip + IPV4_CHECKSUM, 0);
        colo_put16(ip + IPV4_CHECKSUM, Folded(Sum(ip, headersLen)));
        pseudo += Sum(ip + IPV4_ADDRESSES, 8);
    }
    else
    {
        colo_put16(ip + IPV6_PAYLOAD_LEN, headersLen - IPV6_LEN + tcpLen);
        pseudo += Sum(ip + IPV6_ADDRESSES, 32);
    }
    colo_put16(tcp + TCP_CHECKSUM, 0);
    colo_put16(tcp + TCP_CHECKSUM, Folded(pseudo + Sum(tcp, tcpLen)));
}

/** Number a frame whose payload begins \p from bytes later than the packet's. */
void
Advance(const colo_packet& packet, uint8_t* frame, uint32_t from)
{
    uint8_t* ip = frame + packet.l3_offset;
    uint8_t* tcp = frame + packet.l4_offset;
    if (!from)
    {
        return;
    }
    if (IsIpv4(packet))
    {
        colo_put16(ip + IPV4_ID, colo_get16(ip + IPV4_ID) + from / packet.gso_size);
    }
    colo_put32(tcp + TCP_SEQ, colo_get32(tcp + TCP_SEQ) + from);
    tcp[TCP_FLAGS] &= ~TCP_CWR;
}

} // namespace

std::vector<std::vector<uint8_t>>
ColoSegments(const colo_packet& packet, uint32_t from, uint32_t to)
{
    assert(packet.gso_size && from % packet.gso_size == 0);
    assert(from <= to && to <= packet.payload_len && packet.frame_len == packet.head_len);
    std::vector<uint8_t> headers(packet.head, packet.head + packet.payload_offset);
    if (packet.edit.mask)
    {
        colo_edit_apply(&packet, headers.data(), COLO_CHECKSUM_NONE);
    }
    std::vector<std::vector<uint8_t>> segments;
    for (uint32_t at = from; at < to; at += packet.gso_size)
    {
        const uint32_t len = std::min<uint32_t>(packet.gso_size, to - at);
        const uint8_t* payload = packet.head + packet.payload_offset + at;
        std::vector<uint8_t>& segment = segments.emplace_back();
        segment.reserve(headers.size() + len);
        segment.assign(headers.begin(), headers.end());
        segment.insert(segment.end(), payload, payload + len);
        Advance(packet, segment.data(), at);
        if (at + len < packet.payload_len)
        {
            segment[packet.l4_offset + TCP_FLAGS] &= ~(COLO_TCP_FIN | TCP_PSH);
        }
        Complete(packet, segment.data(), len);
    }
    return segments;
}

void
ColoCutToRest(colo_packet& packet, uint8_t* frame)
{
    const uint32_t left = packet.left;
    assert(packet.gso_size && left <= packet.payload_len && packet.frame_len == packet.head_len);
    packet.payload_len -= left;
    packet.seq += left;
    packet.left = 0;
    Advance(packet, frame, left);
    if (left)
    {
        // What was padding behind the IP length is none any more.
        uint8_t* payload = frame + packet.payload_offset;
        std::memmove(payload, payload + left, packet.payload_len);
        packet.frame_len = packet.payload_offset + packet.payload_len;
        packet.head_len = packet.frame_len;
    }
    Complete(packet, frame, packet.payload_len);
}

} // namespace ns3
