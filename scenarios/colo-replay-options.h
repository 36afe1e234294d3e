/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_OPTIONS_H
#define COLO_REPLAY_OPTIONS_H

#include "ns3/colo-engine.h"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace ns3
{

/** Of IPv4 or IPv6; IPv4 fills the first four bytes. The family is 4 or 6. */
using ColoAddress = std::pair<uint8_t, std::array<uint8_t, 16>>;

/** What one run of colo-replay is asked to do. */
struct ColoReplayOptions
{
    std::string primary;   //!< capture of the primary guest
    std::string secondary; //!< capture of the secondary guest
    std::set<ColoAddress> guest;
    bool isIsnFixed;                       //!< --fix-isn
    std::optional<uint64_t> commitAfterNs; //!< from a checkpoint's request; nothing for never
    uint64_t compareTimeoutNs;             //!< longest time a packet is held
    colo_ack_policy ackPolicy;             //!< --ack
    int64_t shiftSecondaryNs;              //!< added to the secondary's stamps
    uint16_t gsoBytes;                     //!< payload of the segments of a large packet, or 0
    std::string verdicts;                  //!< file, empty for none
    std::string released;                  //!< file, empty for none
};

/**
 * Read the command line.
 * \param argc as main() gets it.
 * \param argv as main() gets it.
 * \return the options; nothing if only help was asked for, which is then printed.
 * \throws ColoUsageError naming the option that is wrong.
 */
std::optional<ColoReplayOptions> ParseColoReplayOptions(int argc, char* argv[]);

} // namespace ns3

#endif /* COLO_REPLAY_OPTIONS_H */
