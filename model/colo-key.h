/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_KEY_H
#define COLO_KEY_H

#include "colo_packet.h"

#include <string>

namespace ns3
{

/**
 * \ingroup colo
 * \param key a connection.
 * \return "10.0.0.2:80 > 10.0.0.1:40000", the guest's end first; what is not TCP says so behind it:
 *         "... udp", "10.0.0.2 > 10.0.0.1 icmp 7" with an echo's identifier, "... protocol 47"; and
 *         so do VLAN tags: "... vlan 5.7". "malformed" if it cannot be parsed.
 */
std::string ColoKeyToString(const colo_key& key);

} // namespace ns3

#endif /* COLO_KEY_H */
