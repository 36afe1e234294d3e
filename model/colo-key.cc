/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-key.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace ns3
{

namespace
{

std::string
EndToString(const colo_key& key, const uint8_t* address, uint16_t port)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(key.family == 6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
    const bool hasPorts = key.protocol == COLO_PROTOCOL_TCP || key.protocol == COLO_PROTOCOL_UDP ||
                          key.protocol == COLO_PROTOCOL_SCTP;
    if (!hasPorts)
    {
        return text;
    }
    return key.family == 6 ? fmt::format("[{}]:{}", text, port) : fmt::format("{}:{}", text, port);
}

std::string
ProtocolToString(const colo_key& key)
{
    switch (key.protocol)
    {
    case COLO_PROTOCOL_TCP:
        return "";
    case COLO_PROTOCOL_UDP:
        return " udp";
    case COLO_PROTOCOL_SCTP:
        return " sctp";
    case COLO_PROTOCOL_ICMP:
    case COLO_PROTOCOL_ICMPV6:
        return fmt::format(" icmp {}", key.guest_port);
    default:
        return fmt::format(" protocol {}", key.protocol);
    }
}

} // namespace

std::string
ColoKeyToString(const colo_key& key)
{
    if (!key.family)
    {
        return "malformed";
    }
    std::string text = EndToString(key, key.guest, key.guest_port) + " > " +
                       EndToString(key, key.peer, key.peer_port) + ProtocolToString(key);
    if (key.vlan)
    {
        text += fmt::format(" vlan {}", key.vlan);
    }
    if (key.inner_vlan)
    {
        text += fmt::format(".{}", key.inner_vlan);
    }
    return text;
}

} // namespace ns3
