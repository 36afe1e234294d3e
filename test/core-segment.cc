/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-segment.h"

#include <algorithm>

namespace colo_test
{

namespace
{

const uint8_t ICMP = 1;
const uint8_t TCP = 6;
const uint8_t UDP = 17;
const uint8_t ICMPV6 = 58;
const uint16_t GUEST_PORT = 80;

void
Put16(Bytes& bytes, uint32_t value)
{
    bytes.push_back(uint8_t(value >> 8));
    bytes.push_back(uint8_t(value));
}

void
Put32(Bytes& bytes, uint32_t value)
{
    Put16(bytes, value >> 16);
    Put16(bytes, value);
}

uint32_t
Sum(const uint8_t* bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
    {
        sum += i % 2 ? bytes[i] : uint32_t(bytes[i]) << 8;
    }
    return sum;
}

uint16_t
Fold(uint32_t sum)
{
    while (sum >> 16)
    {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return uint16_t(sum);
}

bool
IsEcho(const Segment& segment)
{
    return segment.protocol == (segment.family == 6 ? ICMPV6 : ICMP);
}

Bytes
MakeL4(const Segment& segment)
{
    Bytes bytes;
    if (segment.protocol == TCP)
    {
        Bytes options = segment.options;
        options.resize((options.size() + 3) / 4 * 4, 1);
        Put16(bytes, segment.inbound ? segment.port : GUEST_PORT);
        Put16(bytes, segment.inbound ? GUEST_PORT : segment.port);
        Put32(bytes, segment.seq);
        Put32(bytes, segment.ack);
        bytes.push_back(uint8_t((20 + options.size()) / 4 << 4));
        bytes.push_back(segment.flags);
        Put16(bytes, segment.window);
        Put32(bytes, 0);
        bytes.insert(bytes.end(), options.begin(), options.end());
    }
    else if (segment.protocol == UDP)
    {
        Put16(bytes, segment.inbound ? segment.port : GUEST_PORT);
        Put16(bytes, segment.inbound ? GUEST_PORT : segment.port);
        Put16(bytes, uint32_t(8 + segment.payload.size()));
        Put16(bytes, 0);
    }
    else if (IsEcho(segment))
    {
        bytes.push_back(segment.family == 6 ? 128 : 8);
        bytes.push_back(0);
        Put16(bytes, 0);
        Put16(bytes, segment.port);
        Put16(bytes, segment.seq);
    }
    bytes.insert(bytes.end(), segment.payload.begin(), segment.payload.end());
    return bytes;
}

void
PutAddress(Bytes& bytes, bool guest, int family)
{
    bytes.push_back(family == 6 ? 0xfd : 10);
    bytes.insert(bytes.end(), family == 6 ? 14 : 2, 0);
    bytes.push_back(guest ? 2 : 9);
}

void
PutIp(Bytes& bytes, const Segment& segment, size_t length)
{
    size_t l3 = bytes.size();
    if (segment.family == 6)
    {
        Put32(bytes, 6U << 28);
        Put16(bytes, uint32_t(length));
        bytes.push_back(segment.protocol);
        bytes.push_back(64);
    }
    else
    {
        bytes.insert(bytes.end(), {0x45, 0});
        Put16(bytes, uint32_t(20 + length));
        Put32(bytes, 0x4000);
        bytes.insert(bytes.end(), {64, segment.protocol, 0, 0});
    }
    PutAddress(bytes, !segment.inbound, segment.family);
    PutAddress(bytes, segment.inbound, segment.family);
    if (segment.family == 4)
    {
        uint16_t sum = Fold(Sum(&bytes[l3], 20));
        bytes[l3 + 10] = uint8_t(~sum >> 8);
        bytes[l3 + 11] = uint8_t(~sum);
    }
}

uint32_t
PseudoSum(const Bytes& frame, size_t l3, uint8_t protocol, size_t length)
{
    bool v6 = frame[l3] >> 4 == 6;
    if (protocol == ICMP)
    {
        return 0;
    }
    return Sum(&frame[l3 + (v6 ? 8 : 12)], v6 ? 32 : 8) + protocol + uint32_t(length);
}

} // namespace

Bytes
MakeFrame(const Segment& segment)
{
    Bytes l4 = MakeL4(segment);
    Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    if (segment.vlan)
    {
        Put16(frame, 0x8100);
        Put16(frame, segment.vlan);
    }
    Put16(frame, segment.family == 6 ? 0x86dd : 0x0800);
    size_t l3 = frame.size();
    PutIp(frame, segment, l4.size());
    size_t at = frame.size();
    frame.insert(frame.end(), l4.begin(), l4.end());
    bool hasSum = segment.protocol == TCP || segment.protocol == UDP || IsEcho(segment);
    if (hasSum)
    {
        size_t field = at + (segment.protocol == TCP ? 16 : segment.protocol == UDP ? 6 : 2);
        uint32_t pseudo = PseudoSum(frame, l3, segment.protocol, l4.size());
        uint16_t sum = Fold(pseudo + Sum(&frame[at], l4.size()));
        frame[field] = uint8_t(~sum >> 8);
        frame[field + 1] = uint8_t(~sum);
    }
    // Not zero, so that padding taken for payload shows.
    frame.insert(frame.end(), segment.padding, 0xee);
    return frame;
}

bool
IsL4ChecksumRight(const Bytes& frame, size_t l3, size_t l4, size_t l4Length)
{
    bool v6 = frame[l3] >> 4 == 6;
    uint8_t protocol = frame[l3 + (v6 ? 6 : 9)];
    uint32_t pseudo = PseudoSum(frame, l3, protocol, l4Length);
    return Fold(pseudo + Sum(&frame[l4], l4Length)) == 0xffff;
}

} // namespace colo_test
