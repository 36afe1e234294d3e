/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_GUEST_STACK_H
#define COLO_GUEST_STACK_H

#include "ns3/node.h"
#include "ns3/ptr.h"

namespace ns3
{

/**
 * \ingroup colo
 *
 * Copy what the layers around the sockets know: the ARP and neighbour caches with the packets that
 * wait in them, the next IP identifications and the next ephemeral ports. Both nodes must have
 * the same interfaces in the same order. Timers are started in the caller's context.
 *
 * \param from the node to copy
 * \param to the node that becomes like it
 */
void ColoCopyGuestStack(Ptr<Node> from, Ptr<Node> to);

/**
 * \ingroup colo
 *
 * To be called at the end of a pause. ARP's timer for replies stood still, but the age of a request
 * is told by the simulator's clock: one older than the timer allows is fatal to ns-3 if another
 * packet has to wait for the same reply. So requests are as good as new.
 *
 * \param node the node that was paused
 */
void ColoExcusePause(Ptr<Node> node);

} // namespace ns3

#endif /* COLO_GUEST_STACK_H */
