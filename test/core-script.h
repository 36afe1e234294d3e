/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Random lives of two guests as lists of events, so that one that went wrong can be printed and
// made shorter.
#ifndef CORE_SCRIPT_H
#define CORE_SCRIPT_H

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace colo_test
{

/** Who does something. */
enum class Actor
{
    PRIMARY,
    SECONDARY,
    CLIENT,
    COMMIT,
    WAIT,
};

/** One packet, or one thing that happens. Numbers are relative to the generation's ISNs. */
struct Event
{
    Actor actor = Actor::WAIT;
    uint32_t generation = 0;
    uint8_t flags = 0x10;
    uint32_t begin = 0; //!< position of the first byte: 0 is the SYN, data begins at 1
    uint32_t end = 0;   //!< behind the last byte, a FIN not counted
    uint32_t ack = 1;
    uint32_t window = 0;
    uint32_t stamp = 0;
    uint16_t gso = 0;
    uint32_t wait_ms = 0;
};

const int FIN_UNIT = 256;
const int SYN_UNIT = 257;
const int OTHER_SYN_UNIT = 258; //!< with other options
const int NOTHING = -1;

/** One connection of the tuple: what each guest has to say, unit by unit. */
struct Generation
{
    uint32_t primaryIsn = 0;
    uint32_t secondaryIsn = 0;
    uint32_t clientIsn = 0;
    bool guestOpens = false;
    std::vector<int> primary; //!< from the SYN to the FIN, if there is one
    std::vector<int> secondary;
};

struct Script
{
    bool clamp = false;
    bool stamps = false;
    int shift = -1; //!< window scale of both SYNs, -1 without
    uint32_t timeout_ms = 3000;
    size_t headLength = SIZE_MAX;
    std::vector<Generation> generations;
    std::vector<Event> events;
};

Script RandomScript(uint32_t seed);

/** In the notation of core-harness, with the divergence told in comments. */
std::string ToText(const Script& script);

/** A shorter list of which the same is true, found by taking pieces out; asks at most so often. */
template <typename List, typename IsTrue>
List
Shrink(List events, IsTrue isTrue, int asks)
{
    for (size_t piece = events.size() / 2; piece && asks; piece /= 2)
    {
        for (size_t at = 0; at < events.size() && asks; asks--)
        {
            List fewer = events;
            auto from = fewer.begin() + long(at);
            fewer.erase(from, from + long(std::min(piece, fewer.size() - at)));
            bool stays = isTrue(fewer);
            at += stays ? 0 : piece;
            events = stays ? fewer : events;
        }
    }
    return events;
}

} // namespace colo_test

#endif // CORE_SCRIPT_H
