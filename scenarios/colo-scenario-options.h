/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SCENARIO_OPTIONS_H
#define COLO_SCENARIO_OPTIONS_H

#include "colo-command-line.h"

#include "ns3/colo-dialogue.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/** What one run of colo-scenario is asked to do. */
struct ColoScenarioOptions
{
    std::string workload;                //!< as given: "capture:FILE" or "request-response"
    ColoRequestResponse requestResponse; //!< its shape
    double divergence;                   //!< probability that a response differs
    Time lag;                            //!< the secondary's delay
    uint32_t seed;                       //!< at least 1
    Time time;                           //!< simulated time at most
    bool isProtected;                    //!< --protection=colo
    std::string out;                     //!< folder of the results, empty for none
    /** Attributes set by --ns3::Class::Attribute=value, checked. */
    std::vector<std::pair<std::string, std::string>> attributes;
};

/**
 * Read the command line.
 * \param argc as main() gets it.
 * \param argv as main() gets it.
 * \return the options; nothing if only help was asked for, which is then printed.
 * \throws ColoUsageError naming the option that is wrong.
 */
std::optional<ColoScenarioOptions> ParseColoScenarioOptions(int argc, char* argv[]);

/**
 * Make the dialogue that the workload names.
 * \param options the options.
 * \return the script.
 * \throws ColoUsageError naming the option or file that is wrong.
 */
ColoDialogue MakeColoDialogue(const ColoScenarioOptions& options);

} // namespace ns3

#endif /* COLO_SCENARIO_OPTIONS_H */
