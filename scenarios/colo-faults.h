/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_FAULTS_H
#define COLO_FAULTS_H

#include "ns3/colo-testbed.h"
#include "ns3/nstime.h"

#include <optional>
#include <string>
#include <vector>

namespace ns3
{

/** Something that is to go wrong in a run, or to be right again, as --fail names it. */
struct ColoFault
{
    enum Kind
    {
        KILL,
        HANG,
        CUT,
        REVIVE //!< no fault, but what follows one
    };

    /** Of the hosts of a run with faults, unless the user wants another one. */
    static const Time LEASE;

    Kind kind;
    bool isPrimary;               //!< the host, of all but CUT
    std::string link;             //!< of CUT, as ColoTestbed names it
    Time at;                      //!< from the simulation's beginning
    std::optional<Time> duration; //!< of HANG; of CUT, for ever without

    /** \return "the primary host dies", "eth2 is cut for 500 ms" and so on. */
    std::string GetWords() const;
};

/** What --fail takes, for --help. */
extern const char* const COLO_FAULTS_HELP;

/**
 * \param text "kill-primary@2s", "hang-secondary@1s+300ms", "cut-sec_dev@1s", or several of them
 *        with commas between.
 * \return the faults, at least one, in the order of time.
 * \throws ColoUsageError naming the part that is wrong.
 */
std::vector<ColoFault> ColoParseFaults(const std::string& text);

/**
 * Let the faults happen.
 * \param faults all of a run.
 * \param testbed that they strike; must outlive the run.
 */
void ColoScheduleFaults(const std::vector<ColoFault>& faults, const ColoTestbed& testbed);

} // namespace ns3

#endif /* COLO_FAULTS_H */
