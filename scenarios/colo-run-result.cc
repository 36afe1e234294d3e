/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-run-result.h"

namespace ns3
{

std::vector<double>
ColoPairResult::GetPausesMs() const
{
    std::vector<double> pauses;
    for (const ColoCheckpoint& checkpoint : checkpoints)
    {
        pauses.push_back((checkpoint.resumed - checkpoint.paused).GetNanoSeconds() / 1e6);
    }
    return pauses;
}

std::vector<double>
ColoPairResult::GetPages() const
{
    std::vector<double> pages;
    for (const ColoCheckpoint& checkpoint : checkpoints)
    {
        pages.push_back(static_cast<double>(checkpoint.pages));
    }
    return pages;
}

std::vector<double>
ColoPairResult::GetIntervalsMs() const
{
    std::vector<double> intervals;
    for (std::size_t i = 1; i < checkpoints.size(); i++)
    {
        const Time interval = checkpoints[i].requested - checkpoints[i - 1].requested;
        intervals.push_back(interval.GetNanoSeconds() / 1e6);
    }
    return intervals;
}

std::map<colo_reason, uint64_t>
ColoPairResult::GetCheckpointReasons() const
{
    std::map<colo_reason, uint64_t> reasons;
    for (const ColoCheckpoint& checkpoint : checkpoints)
    {
        reasons[checkpoint.reason]++;
    }
    return reasons;
}

double
ColoRunResult::GetThroughputMbps() const
{
    return durationSeconds > 0 ? clientBytes * 8 / durationSeconds / 1e6 : 0;
}

} // namespace ns3
