/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Datagrams and their fragments, by RFC 791 and RFC 8200, without the code that is tested.
#ifndef COLO_TEST_MODEL_FRAGMENTS_H
#define COLO_TEST_MODEL_FRAGMENTS_H

#include "colo_env.h"

#include <cstdint>
#include <string>
#include <vector>

namespace colo_test
{

using Bytes = std::vector<uint8_t>;

constexpr std::size_t ETHERTYPE_AT = 12;
constexpr uint8_t UDP = 17;
constexpr uint8_t FRAGMENT_HEADER = 44;
constexpr uint8_t AUTHENTICATION_HEADER = 51;
constexpr uint8_t DESTINATION_OPTIONS = 60;

/** What a datagram looks like. */
struct Datagram
{
    int family{4};
    uint32_t id{1};
    uint8_t protocol{UDP};
    uint8_t source{2}; //!< last byte of the address
    uint8_t destination{9};
    std::vector<uint16_t> vlans; //!< tags, the outer first
    std::size_t extraLen{0};     //!< bytes of IPv4 options, or of extension headers each repeats
    Bytes data;                  //!< what is above IP
};

inline void
Put16(Bytes& bytes, uint32_t value)
{
    bytes.push_back(value >> 8);
    bytes.push_back(value);
}

inline void
Put(Bytes& bytes, const Bytes& more)
{
    bytes.insert(bytes.end(), more.begin(), more.end());
}

inline uint16_t
Ipv4Checksum(const uint8_t* ip, std::size_t length)
{
    uint32_t sum = 0;
    for (std::size_t i = 0; i < length; i += 2)
    {
        sum += i == 10 ? 0 : colo_get16(ip + i);
    }
    while (sum >> 16)
    {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

/** Ethernet, tags, IP header and what follows it in every fragment. */
inline Bytes
BuildHeaders(const Datagram& datagram)
{
    Bytes bytes{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    for (std::size_t i = 0; i < datagram.vlans.size(); i++)
    {
        Put16(bytes, i + 1 < datagram.vlans.size() ? 0x88a8 : 0x8100);
        Put16(bytes, datagram.vlans[i]);
    }
    if (datagram.family == 4)
    {
        Put(bytes, {0x08, 0x00, uint8_t(0x45 + datagram.extraLen / 4), 0, 0, 0});
        Put16(bytes, datagram.id);
        Put(bytes, {0, 0, 64, datagram.protocol, 0, 0});
        Put(bytes, {10, 0, 0, datagram.source, 10, 0, 0, datagram.destination});
        bytes.insert(bytes.end(), datagram.extraLen, 1); // no operation
        return bytes;
    }
    const bool isExtended = datagram.extraLen > 0;
    const uint8_t next = isExtended ? DESTINATION_OPTIONS : datagram.protocol;
    Put(bytes, {0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next, 64});
    for (uint8_t host : {datagram.source, datagram.destination})
    {
        Put(bytes, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host});
    }
    for (std::size_t left = datagram.extraLen; left > 0; left -= 8)
    {
        const uint8_t then = left > 8 ? DESTINATION_OPTIONS : datagram.protocol;
        Put(bytes, {then, 0, 1, 4, 0, 0, 0, 0}); // PadN
    }
    return bytes;
}

inline std::size_t
IpAt(const Datagram& datagram)
{
    return ETHERTYPE_AT + 4 * datagram.vlans.size() + 2;
}

/** Fill in lengths, offset and checksum. */
inline Bytes
Finish(const Datagram& datagram, Bytes bytes, uint32_t flagsAndOffset)
{
    const std::size_t at = IpAt(datagram);
    uint8_t* ip = &bytes[at];
    if (datagram.family == 4)
    {
        colo_put16(ip + 2, bytes.size() - at);
        colo_put16(ip + 6, flagsAndOffset);
        colo_put16(ip + 10, Ipv4Checksum(ip, (ip[0] & 15) * 4));
    }
    else
    {
        colo_put16(ip + 4, bytes.size() - at - 40);
    }
    return bytes;
}

/** As it is when nobody cuts it. */
inline Bytes
BuildWhole(const Datagram& datagram)
{
    Bytes bytes = BuildHeaders(datagram);
    Put(bytes, datagram.data);
    return Finish(datagram, std::move(bytes), 0);
}

/**
 * One fragment, whatever the protocol says to its lengths.
 * \param data what it carries.
 * \param padding bytes behind the IP packet.
 */
inline Bytes
BuildFragment(const Datagram& datagram,
              uint32_t offset,
              bool more,
              const Bytes& data,
              std::size_t padding = 0)
{
    Bytes bytes = BuildHeaders(datagram);
    if (datagram.family == 6)
    {
        const std::size_t next = datagram.extraLen ? bytes.size() - 8 : IpAt(datagram) + 6;
        Put(bytes, {bytes[next], 0});
        bytes[next] = FRAGMENT_HEADER;
        Put16(bytes, offset | more);
        Put16(bytes, datagram.id >> 16);
        Put16(bytes, datagram.id);
    }
    Put(bytes, data);
    bytes = Finish(datagram, std::move(bytes), offset / 8 | (more ? 0x2000 : 0));
    bytes.insert(bytes.end(), padding, 0xee);
    return bytes;
}

/** The fragment that carries bytes [from, to) of a datagram. */
inline Bytes
CutOut(const Datagram& datagram, uint32_t from, uint32_t to, std::size_t padding = 0)
{
    const Bytes data(datagram.data.begin() + from, datagram.data.begin() + to);
    return BuildFragment(datagram, from, to < datagram.data.size(), data, padding);
}

/** All fragments of a datagram, in order, cut at these offsets. */
inline std::vector<Bytes>
Cut(const Datagram& datagram, const std::vector<uint32_t>& cuts)
{
    std::vector<Bytes> fragments;
    uint32_t from = 0;
    for (uint32_t to : cuts)
    {
        fragments.push_back(CutOut(datagram, from, to));
        from = to;
    }
    fragments.push_back(CutOut(datagram, from, datagram.data.size()));
    return fragments;
}

/** Bytes of which no two neighbouring stretches are equal. */
inline Bytes
Pattern(std::size_t length, uint32_t seed = 0)
{
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; i++)
    {
        bytes[i] = (i + seed) % 251;
    }
    return bytes;
}

/** A UDP header (without a checksum) and this many bytes of payload. */
inline Bytes
UdpOf(std::size_t length)
{
    Bytes bytes;
    Put16(bytes, 53);
    Put16(bytes, 40000);
    Put16(bytes, 8 + length);
    Put16(bytes, 0);
    Put(bytes, Pattern(length));
    return bytes;
}

/** What is in an untagged frame that has nothing between IP's header and TCP's. */
inline Datagram
DatagramOf(const Bytes& frame)
{
    Datagram datagram;
    datagram.family = frame[14] >> 4;
    const std::size_t addressLen = datagram.family == 4 ? 4 : 16;
    const std::size_t data = 14 + (datagram.family == 4 ? 20 : 40);
    datagram.source = frame[data - addressLen - 1];
    datagram.destination = frame[data - 1];
    datagram.protocol = frame[14 + (datagram.family == 4 ? 9 : 6)];
    datagram.data.assign(frame.begin() + data, frame.end());
    return datagram;
}

} // namespace colo_test

#endif /* COLO_TEST_MODEL_FRAGMENTS_H */
