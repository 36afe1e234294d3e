/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SCENARIO_RUN_H
#define COLO_SCENARIO_RUN_H

#include "colo-scenario-options.h"

#include "ns3/nstime.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ns3
{

/** Who runs a scenario, while it lasts. Each may be empty. */
struct ColoScenarioListener
{
    /** Told what is simulated ("unprotected"), how far it is, and requests done and in all. */
    std::function<void(const char* what, Time now, uint64_t done, uint64_t all)> progress;
    std::function<void(const std::string&)> timeline; //!< lines of timeline.jsonl
    std::function<bool()> isCancelled;                //!< asked again and again
};

/** What options asked for came to. */
struct ColoScenarioOutcome
{
    bool isWell;                         //!< all came to its end, with right bytes and no reset
    std::string table;                   //!< that one reads at a glance
    std::string json;                    //!< summary.json
    std::vector<std::string> unfinished; //!< a line for each run that did not end, with its reason
};

/**
 * All runs that the options ask for, and the files that these leave.
 * \param options as ParseColoScenarioOptions() gives them.
 * \param listener is called while they run.
 * \return what came of it; the same for the same options but for wall_s.
 * \throws ColoUsageError naming the option or file that is of no use.
 * \throws ColoCancelled if the listener says so; nothing new is in --out then.
 */
ColoScenarioOutcome RunColoScenario(const ColoScenarioOptions& options,
                                    const ColoScenarioListener& listener);

} // namespace ns3

#endif /* COLO_SCENARIO_RUN_H */
