/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What the core's tests compare: packets and decisions as text.
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "colo_node.h"
#include "core-frame.h"

#include <string>

namespace colo_test
{

/** "1:101", or with what it is besides: "S 0:0", "F 101:101", "R 101:101". */
std::string RangeText(const colo_packet& packet, uint32_t base);

/** " ack 5". */
std::string AckText(const colo_packet& packet, uint32_t base);

/** " win 9". */
std::string WindowText(const colo_packet& packet);

/** What is no segment, by its payload as far as that can be printed: "'abc'". */
std::string DatagramText(const colo_packet& packet, const Bytes& frame);

/** "bytes at 5: 'abc' not 'abd'"; positions of streams count from base. */
std::string MismatchText(const colo_mismatch& mismatch, uint32_t base);

/** Names of what the room has to do: "pause request". */
std::string ActionsText(uint32_t actions);

} // namespace colo_test

#endif // CORE_TEXT_H
