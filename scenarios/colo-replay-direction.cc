/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-direction.h"

#include "colo-command-line.h"

#include <algorithm>
#include <arpa/inet.h>

namespace ns3
{

namespace
{

constexpr std::size_t LINKS_MAX = 64;
constexpr std::size_t PAIRS_MAX = 1 << 14;

uint16_t
Get16(const std::vector<uint8_t>& frame, std::size_t at)
{
    return frame[at] << 8 | frame[at + 1];
}

ColoAddress
GetAddress(const std::vector<uint8_t>& frame, std::size_t at, uint8_t family)
{
    ColoAddress address{family, {}};
    std::copy_n(frame.begin() + at, family == 4 ? 4 : 16, address.second.begin());
    return address;
}

} // namespace

ColoDirectionFinder::ColoDirectionFinder(std::set<ColoAddress> guest)
    : m_guest(std::move(guest))
{
}

ColoDirectionFinder::Ends
ColoDirectionFinder::Parse(const ColoCapturedPacket& packet)
{
    const std::vector<uint8_t>& frame = packet.frame;
    Ends ends{};
    if (frame.size() < 14)
    {
        return ends;
    }
    std::copy_n(frame.begin(), 6, ends.linkDestination.begin());
    std::copy_n(frame.begin() + 6, 6, ends.linkSource.begin());
    std::size_t at = 12;
    uint16_t type = Get16(frame, at);
    while ((type == COLO_ETHERTYPE_VLAN || type == COLO_ETHERTYPE_SERVICE_VLAN) &&
           frame.size() >= at + 6)
    {
        at += 4;
        type = Get16(frame, at);
    }
    at += 2;
    if (type == COLO_ETHERTYPE_IPV4 && frame.size() >= at + 20)
    {
        ends.isIp = true;
        ends.source = GetAddress(frame, at + 12, 4);
        ends.destination = GetAddress(frame, at + 16, 4);
    }
    else if (type == COLO_ETHERTYPE_IPV6 && frame.size() >= at + 40)
    {
        ends.isIp = true;
        ends.source = GetAddress(frame, at + 8, 6);
        ends.destination = GetAddress(frame, at + 24, 6);
    }
    else if (type == COLO_ETHERTYPE_ARP && frame.size() >= at + 28)
    {
        ends.isArp = true;
        ends.source = GetAddress(frame, at + 14, 4);
        ends.destination = GetAddress(frame, at + 24, 4);
    }
    return ends;
}

std::string
ColoDirectionFinder::ToString(const ColoAddress& address)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(address.first == 6 ? AF_INET6 : AF_INET, address.second.data(), text, sizeof(text));
    return text;
}

/** Link-local IPv6 and the unspecified address are any host's, so nobody lists them. */
bool
ColoDirectionFinder::TellsSender(const ColoAddress& address)
{
    const auto& bytes = address.second;
    const bool isLinkLocal = address.first == 6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    const bool isAnything = std::any_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b; });
    return !isLinkLocal && isAnything;
}

void
ColoDirectionFinder::RefuseBothDirections(const ColoCapturedPacket& packet, const Ends& ends)
{
    if (!ends.isIp || ends.source == ends.destination)
    {
        return;
    }
    if (m_pairs.count({ends.destination, ends.source}))
    {
        throw ColoUsageError(
            fmt::format("packet {} is from {} to {}, an earlier one the other way round; say which "
                        "is the guest's: --guest=ADDRESS",
                        packet.number,
                        ToString(ends.source),
                        ToString(ends.destination)));
    }
    if (m_pairs.size() < PAIRS_MAX)
    {
        m_pairs.insert({ends.source, ends.destination});
    }
}

ColoDirection
ColoDirectionFinder::Find(const ColoCapturedPacket& packet)
{
    const Ends ends = Parse(packet);
    if (m_guest.empty())
    {
        RefuseBothDirections(packet, ends);
        return ColoDirection::OUTBOUND;
    }
    const bool hasAddresses = ends.isIp || ends.isArp;
    if (hasAddresses && m_guest.count(ends.source))
    {
        if (packet.hasLinkAddresses && m_guestLinks.size() < LINKS_MAX)
        {
            m_guestLinks.insert(ends.linkSource);
        }
        return ColoDirection::OUTBOUND;
    }
    if (hasAddresses && m_guest.count(ends.destination))
    {
        return ColoDirection::INBOUND;
    }
    // A router's link address is that of many hosts: it counts only where nothing else tells.
    if (packet.hasLinkAddresses && !(hasAddresses && TellsSender(ends.source)))
    {
        if (m_guestLinks.count(ends.linkSource))
        {
            return ColoDirection::OUTBOUND;
        }
        if (m_guestLinks.count(ends.linkDestination))
        {
            return ColoDirection::INBOUND;
        }
    }
    return ColoDirection::STRANGER;
}

} // namespace ns3
