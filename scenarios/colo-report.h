/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPORT_H
#define COLO_REPORT_H

#include "colo-world.h"

#include <optional>
#include <string>

namespace ns3
{

/**
 * \param options of the run.
 * \param result of the run.
 * \param unprotected the same without protection, if it was run.
 * \return a table that one reads at a glance.
 */
std::string ColoReportTable(const ColoScenarioOptions& options,
                            const ColoRunResult& result,
                            const std::optional<ColoRunResult>& unprotected);

/**
 * \param options of the run.
 * \param result of the run.
 * \param unprotected the same without protection, if it was run.
 * \return summary.json. The same for the same options but for wall_s.
 */
std::string ColoReportJson(const ColoScenarioOptions& options,
                           const ColoRunResult& result,
                           const std::optional<ColoRunResult>& unprotected);

/**
 * \param verdict a verdict.
 * \param time when.
 * \return a line of verdicts.jsonl, with its end.
 */
std::string ColoReportVerdict(const ColoVerdict& verdict, Time time);

} // namespace ns3

#endif /* COLO_REPORT_H */
