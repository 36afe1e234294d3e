/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SOCKET_H
#define COLO_SOCKET_H

#include "ns3/address.h"
#include "ns3/ptr.h"
#include "ns3/socket.h"

#include <cstdint>

namespace ns3
{

/**
 * \ingroup colo
 * \param address an IPv4 or IPv6 address.
 * \param port its port.
 * \return what a socket binds or connects to.
 */
Address ColoMakeSocketAddress(const Address& address, uint16_t port);

/**
 * \ingroup colo
 * \param address an IPv4 or IPv6 address.
 * \param port the port.
 * \return any address of the same family, with the port.
 */
Address ColoMakeAnySocketAddress(const Address& address, uint16_t port);

/**
 * \ingroup colo
 * \param address a socket's address, of IPv4 or IPv6.
 * \return its port; 0 for a socket without an address.
 */
uint16_t ColoGetPort(const Address& address);

/**
 * \ingroup colo
 * \param socket an application's, to which it listens no more.
 */
void ColoUnhookSocket(Ptr<Socket> socket);

} // namespace ns3

#endif /* COLO_SOCKET_H */
