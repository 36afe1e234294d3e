/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SCENARIO_OPTIONS_H
#define COLO_SCENARIO_OPTIONS_H

#include "colo-calibration.h"
#include "colo-command-line.h"
#include "colo-faults.h"
#include "colo-link-options.h"

#include "ns3/colo-dialogue.h"
#include "ns3/colo-protection.h"
#include "ns3/colo-workload.h"
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
    std::string workload;           //!< as given: "capture:FILE", "request-response", "mixed:..."
    ColoWorkloadOptions shape;      //!< of the workload; a capture has only clients
    uint32_t pairs;                 //!< protected guests, on the same hosts and links
    bool isIpv6;                    //!< --ip=6
    ColoLinkOptions lan;            //!< each link of the switch
    ColoLinkOptions secDev;         //!< the forwarding link between the hosts
    ColoLinkOptions checkpointLink; //!< between the hosts as well
    double divergence;              //!< probability that a response differs
    Time lag;                       //!< the secondary's delay
    uint32_t seed;                  //!< of every random stream
    Time time;                      //!< simulated time at most
    ColoProtection protection;      //!< of the run; COLO with --compare
    bool compare;                   //!< run under each protection, one after the other
    std::optional<Time> interval;   //!< of checkpoints; with --compare, of Remus' alone
    std::vector<ColoFault> faults;  //!< what goes wrong
    std::string out;                //!< folder of the results, empty for none
    std::vector<std::string> pcaps; //!< links to capture, by the names that --pcap takes
    bool trace;                     //!< leaves timeline.jsonl
    bool netanim;                   //!< leaves netanim.xml
    bool flowMonitor;               //!< counts with ns-3's FlowMonitor
    std::optional<ColoCalibration> calibration; //!< whose figures are set before the attributes
    std::string saveConfig;                     //!< file for all of this, empty for none
    /** The options that make the run, by name, as they are written. */
    std::vector<std::pair<std::string, std::string>> texts;
    /** Attributes set by --ns3::Class::Attribute=value, checked. */
    std::vector<std::pair<std::string, std::string>> attributes;
};

/** Each protection, in the order in which they are compared. */
constexpr ColoProtection COLO_PROTECTIONS[] = {ColoProtection::NONE,
                                               ColoProtection::COLO,
                                               ColoProtection::BY_SEGMENT,
                                               ColoProtection::REMUS,
                                               ColoProtection::LOCKSTEP};

/** \param protection any. \return as --protection takes it: "colo-by-segment". */
const char* ColoProtectionName(ColoProtection protection);

/** An option, as --help has it. */
struct ColoOptionWords
{
    std::string name;
    std::string value;                  //!< what kind of value, "TIME"; empty for a switch
    std::optional<std::string> initial; //!< its value if it is not given
    std::string text;
};

/** \return all that ParseColoScenarioOptions() takes besides attributes. */
std::vector<ColoOptionWords> DescribeColoScenarioOptions();

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
