/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-reassembly.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace ns3
{

namespace
{

constexpr uint32_t IP_LEN_MAX = 65535; // of an IPv4 packet, or of what is behind an IPv6 header
constexpr uint32_t IPV6_LEN = 40;
constexpr uint32_t FRAGMENT_HEADER_LEN = 8;
constexpr uint8_t PROTOCOL_FRAGMENT = 44;
constexpr uint8_t PROTOCOL_AUTHENTICATION = 51;

bool
IsIpv6(const ColoFrame& fragment)
{
    return fragment.GetBytes()[fragment.GetPacket().l3_offset] >> 4 == 6;
}

/** \return where the whole's data begins: a fragment header goes, and nothing else. */
uint32_t
GetHeadersLen(const ColoFrame& fragment)
{
    const uint32_t data = fragment.GetPacket().l4_offset;
    return IsIpv6(fragment) ? data - FRAGMENT_HEADER_LEN : data;
}

/** \return bytes that count for IP_LEN_MAX besides the data. */
uint32_t
GetCountedHeadersLen(const ColoFrame& fragment)
{
    const uint32_t headers = GetHeadersLen(fragment) - fragment.GetPacket().l3_offset;
    return IsIpv6(fragment) ? headers - IPV6_LEN : headers;
}

/** \return the data of a fragment, payload_len bytes. */
const uint8_t*
GetData(const ColoFrame& fragment)
{
    return fragment.GetBytes() + fragment.GetPacket().l4_offset;
}

void
MakeIpv4Whole(uint8_t* ip, uint32_t headerLen, uint32_t totalLen)
{
    colo_put16(ip + 2, totalLen);
    colo_put16(ip + 6, 0); // flags and offset
    colo_put16(ip + 10, 0);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < headerLen; i += 2)
    {
        sum += colo_get16(ip + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    colo_put16(ip + 10, ~sum);
}

/**
 * Let the header before the fragment header name what is behind that.
 * \param ip the IPv6 header.
 * \param headersLen bytes from there to where the fragment header was.
 * \param payloadLen bytes behind the IPv6 header.
 * \param protocol what the fragment header named.
 * \return false if the headers do not lead to it.
 */
bool
MakeIpv6Whole(uint8_t* ip, uint32_t headersLen, uint32_t payloadLen, uint8_t protocol)
{
    uint8_t* next = ip + 6;
    uint32_t at = IPV6_LEN;
    while (at + FRAGMENT_HEADER_LEN <= headersLen)
    {
        uint8_t* header = ip + at;
        switch (*next)
        {
        case PROTOCOL_FRAGMENT: // an atomic one, its second byte is reserved
            at += FRAGMENT_HEADER_LEN;
            break;
        case PROTOCOL_AUTHENTICATION:
            at += (header[1] + 2) * 4;
            break;
        default:
            at += (header[1] + 1) * 8;
        }
        next = header;
    }
    if (at != headersLen || *next != PROTOCOL_FRAGMENT)
    {
        return false;
    }
    *next = protocol;
    colo_put16(ip + 4, payloadLen);
    return true;
}

} // namespace

ColoWholeFrame::ColoWholeFrame(colo_side side,
                               std::vector<uint8_t> bytes,
                               std::size_t dataOffset,
                               Fragments fragments)
    : ColoBytesFrame(side, std::move(bytes)),
      m_dataOffset(dataOffset),
      m_fragments(std::move(fragments))
{
}

const ColoFrame&
ColoWholeFrame::GetFirst() const
{
    return *m_fragments.front();
}

ColoWholeFrame::Fragments
ColoWholeFrame::Split()
{
    for (auto& fragment : m_fragments)
    {
        const colo_packet& packet = fragment->GetPacket();
        const uint8_t* data = GetBytes() + m_dataOffset + packet.fragment_offset;
        fragment->Overwrite(packet.l4_offset, data, packet.payload_len);
    }
    return std::move(m_fragments);
}

ColoReassembly::Id::Id(const ColoFrame& fragment)
    : pair(fragment.GetKey()),
      protocol(pair.family == 6 ? 0 : pair.protocol),
      number(fragment.GetPacket().fragment_id)
{
    pair.protocol = 0;
}

bool
ColoReassembly::Id::operator<(const Id& other) const
{
    const int order = std::memcmp(&pair, &other.pair, sizeof(pair));
    return std::tie(order, protocol, number) < std::make_tuple(0, other.protocol, other.number);
}

bool
ColoReassembly::Id::IsOfSamePair(const Id& other) const
{
    return std::memcmp(&pair, &other.pair, sizeof(pair)) == 0;
}

ColoReassembly::Fit
ColoReassembly::Check(const Datagram& datagram, const ColoFrame& fragment)
{
    const colo_packet& packet = fragment.GetPacket();
    const uint32_t begin = packet.fragment_offset;
    const uint32_t end = begin + packet.payload_len;
    const bool isCutRight = !packet.fragment_more || packet.payload_len % 8 == 0;
    if (begin == end || !isCutRight || GetCountedHeadersLen(fragment) + end > IP_LEN_MAX)
    {
        return Fit::MALFORMED;
    }

    auto next = datagram.fragments.lower_bound(begin);
    if (next != datagram.fragments.end() && next->first < end)
    {
        const colo_packet& there = next->second->GetPacket();
        const bool isRepeat =
            next->first == begin && there.payload_len == packet.payload_len &&
            there.fragment_more == packet.fragment_more &&
            std::memcmp(GetData(*next->second), GetData(fragment), packet.payload_len) == 0;
        return isRepeat ? Fit::REPEAT : Fit::OVERLAP;
    }
    if (next != datagram.fragments.begin())
    {
        auto previous = std::prev(next);
        if (previous->first + previous->second->GetPacket().payload_len > begin)
        {
            return Fit::OVERLAP;
        }
    }
    const bool isBeyondLast = datagram.total && end > datagram.total;
    const bool isLastTooEarly = !packet.fragment_more && next != datagram.fragments.end();
    return isBeyondLast || isLastTooEarly ? Fit::MALFORMED : Fit::RIGHT;
}

/** \return null if no frame can be made of it, the datagram unchanged then. */
std::unique_ptr<ColoWholeFrame>
ColoReassembly::Build(Datagram& datagram)
{
    const ColoFrame& first = *datagram.fragments.begin()->second;
    const uint32_t headers = GetHeadersLen(first);
    const uint32_t counted = GetCountedHeadersLen(first) + datagram.total;
    if (counted > IP_LEN_MAX)
    {
        return nullptr;
    }
    std::vector<uint8_t> bytes;
    bytes.reserve(headers + datagram.total);
    bytes.assign(first.GetBytes(), first.GetBytes() + headers);
    for (const auto& [offset, fragment] : datagram.fragments)
    {
        const uint8_t* data = GetData(*fragment);
        bytes.insert(bytes.end(), data, data + fragment->GetPacket().payload_len);
    }

    const uint32_t l3 = first.GetPacket().l3_offset;
    if (!IsIpv6(first))
    {
        MakeIpv4Whole(bytes.data() + l3, headers - l3, counted);
    }
    else if (!MakeIpv6Whole(bytes.data() + l3, headers - l3, counted, first.GetBytes()[headers]))
    {
        return nullptr;
    }

    const colo_side side = first.GetSide();
    Fragments fragments;
    for (auto& [offset, fragment] : datagram.fragments)
    {
        fragments.push_back(std::move(fragment));
    }
    datagram.fragments.clear();
    return std::make_unique<ColoWholeFrame>(side, std::move(bytes), headers, std::move(fragments));
}

void
ColoReassembly::Remove(Side& side, Datagrams::iterator at, Fragments& lost)
{
    for (auto& [offset, fragment] : at->second.fragments)
    {
        lost.push_back(std::move(fragment));
    }
    side.bytes -= at->second.cost;
    side.byAge.erase(at->second.age);
    side.datagrams.erase(at);
}

/** Of the pair first, which may be the newcomer itself. */
void
ColoReassembly::MakeRoom(Side& side, const Id& id, Fragments& lost)
{
    Id first = id;
    first.protocol = 0;
    first.number = 0;
    for (;;)
    {
        std::size_t count = 0;
        std::size_t bytes = 0;
        auto begin = side.datagrams.lower_bound(first);
        auto oldest = begin;
        for (auto at = begin; at != side.datagrams.end() && at->first.IsOfSamePair(id); ++at)
        {
            count++;
            bytes += at->second.cost;
            oldest = at->second.age < oldest->second.age ? at : oldest;
        }
        if (count <= DATAGRAMS_MAX / PAIR_PART && bytes <= BYTES_MAX / PAIR_PART)
        {
            break;
        }
        m_stats.evicted++;
        Remove(side, oldest, lost);
    }
    while (side.datagrams.size() > DATAGRAMS_MAX || side.bytes > BYTES_MAX)
    {
        m_stats.evicted++;
        Remove(side, side.byAge.begin()->second, lost);
    }
}

ColoReassembly::Result
ColoReassembly::Add(std::unique_ptr<ColoFrame> fragment, uint64_t nowNs)
{
    Result result;
    result.lost = Expire(nowNs);
    const Id id(*fragment);
    Side& side = m_sides[fragment->GetSide()];
    auto [at, isNew] = side.datagrams.try_emplace(id);
    Datagram& datagram = at->second;
    if (isNew)
    {
        datagram.age = m_age++;
        datagram.deadlineNs = nowNs + TIMEOUT_NS;
        side.byAge.emplace(datagram.age, at);
    }

    switch (Check(datagram, *fragment))
    {
    case Fit::RIGHT:
        break;
    case Fit::REPEAT:
        m_stats.repeats++;
        result.lost.push_back(std::move(fragment));
        return result;
    case Fit::OVERLAP:
        m_stats.overlapping++;
        Remove(side, at, result.lost);
        result.lost.push_back(std::move(fragment));
        return result;
    case Fit::MALFORMED:
        m_stats.malformed++;
        Remove(side, at, result.lost);
        result.lost.push_back(std::move(fragment));
        return result;
    }

    const colo_packet& packet = fragment->GetPacket();
    const std::size_t cost = fragment->GetSize() + FRAGMENT_COST_BYTES;
    datagram.cost += cost;
    side.bytes += cost;
    datagram.received += packet.payload_len;
    if (!packet.fragment_more)
    {
        datagram.total = packet.fragment_offset + packet.payload_len;
    }
    datagram.fragments.emplace(packet.fragment_offset, std::move(fragment));
    if (datagram.received != datagram.total)
    {
        MakeRoom(side, id, result.lost);
        return result;
    }

    result.whole = Build(datagram);
    Remove(side, at, result.lost);
    // No one fragments a fragment; a flow must not see what pretends to be that.
    if (result.whole && result.whole->GetPacket().kind == COLO_KIND_FRAGMENT)
    {
        for (auto& lost : result.whole->Split())
        {
            result.lost.push_back(std::move(lost));
        }
        result.whole = nullptr;
    }
    (result.whole ? m_stats.wholes : m_stats.malformed)++;
    return result;
}

uint64_t
ColoReassembly::GetDeadline() const
{
    uint64_t deadline = COLO_NEVER_NS;
    for (const Side& side : m_sides)
    {
        if (!side.byAge.empty())
        {
            deadline = std::min<uint64_t>(deadline, side.byAge.begin()->second->second.deadlineNs);
        }
    }
    return deadline;
}

ColoReassembly::Fragments
ColoReassembly::Expire(uint64_t nowNs)
{
    Fragments lost;
    for (Side& side : m_sides)
    {
        while (!side.byAge.empty() && side.byAge.begin()->second->second.deadlineNs <= nowNs)
        {
            m_stats.expired++;
            Remove(side, side.byAge.begin()->second, lost);
        }
    }
    return lost;
}

ColoReassembly::Fragments
ColoReassembly::Forget(colo_side side)
{
    Fragments lost;
    while (!m_sides[side].byAge.empty())
    {
        Remove(m_sides[side], m_sides[side].byAge.begin()->second, lost);
    }
    return lost;
}

std::size_t
ColoReassembly::GetDatagrams(colo_side side) const
{
    return m_sides[side].datagrams.size();
}

std::size_t
ColoReassembly::GetBytes(colo_side side) const
{
    return m_sides[side].bytes;
}

const ColoReassembly::Stats&
ColoReassembly::GetStats() const
{
    return m_stats;
}

} // namespace ns3
