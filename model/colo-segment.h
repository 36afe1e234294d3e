/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SEGMENT_H
#define COLO_SEGMENT_H

#include "colo_packet.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The segments that some of a GSO frame's payload leaves as (rule tcp-gso), as the sender's own
 * stack or network card would cut them: IPv4 identifications and sequence numbers go on, FIN and
 * PSH are the last segment's and CWR the first's (RFC 3168, 6.1.2), checksums are complete.
 *
 * \param packet parsed, with edits; its whole frame lies in its head.
 * \param from first byte of the payload, a multiple of the packet's gso_size.
 * \param to behind the last byte.
 * \return a frame each.
 */
std::vector<std::vector<uint8_t>> ColoSegments(const colo_packet& packet,
                                               uint32_t from,
                                               uint32_t to);

/**
 * \ingroup colo
 *
 * Cut a frame down to what has not left yet, and complete its checksums.
 *
 * \param packet parsed, edits applied already; becomes that of the rest.
 * \param frame its bytes.
 */
void ColoCutToRest(colo_packet& packet, uint8_t* frame);

} // namespace ns3

#endif /* COLO_SEGMENT_H */
