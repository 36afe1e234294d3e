/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_COMPARISON_H
#define COLO_COMPARISON_H

#include "colo-world.h"

#include <string>
#include <vector>

namespace ns3
{

/** One of the runs of --compare. */
struct ColoComparedRun
{
    ColoProtection protection;
    ColoRunResult result;
};

/**
 * \param options of the runs.
 * \param runs one each protection; the first has none.
 * \return a table of them side by side.
 */
std::string ColoComparisonTable(const ColoScenarioOptions& options,
                                const std::vector<ColoComparedRun>& runs);

/**
 * \param options of the runs.
 * \param runs one each protection; the first has none.
 * \return summary.json. The same for the same options but for wall_s.
 */
std::string ColoComparisonJson(const ColoScenarioOptions& options,
                               const std::vector<ColoComparedRun>& runs);

} // namespace ns3

#endif /* COLO_COMPARISON_H */
