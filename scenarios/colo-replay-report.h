/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_REPORT_H
#define COLO_REPLAY_REPORT_H

#include "colo-replay-input.h"
#include "colo-replay-statistics.h"

#include <string>

namespace ns3
{

/** What there is to be said of a replay. */
struct ColoReplayResult
{
    const ColoReplayOptions& options;
    const ColoReplayInput& input;
    const ColoReplayStatistics& statistics;
    uint64_t coalesced; //!< mismatches that joined a pending checkpoint
    double wallSeconds;
    std::string stopped; //!< why it did not go to the end; empty if it did
};

/**
 * \param result of the replay.
 * \return a table that one reads at a glance.
 */
std::string ColoReplayReport(const ColoReplayResult& result);

} // namespace ns3

#endif /* COLO_REPLAY_REPORT_H */
