/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_RUN_RESULT_H
#define COLO_RUN_RESULT_H

#include "colo-flow-totals.h"

#include "ns3/colo-checkpointer.h"
#include "ns3/colo-proxy.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ns3
{

/** One thing that a host did when the hosts of a pair lost each other. */
struct ColoFailoverStep
{
    /** "peer-lost", "alone" (the arbiter let it), "take-over", "fenced", "protected" (again). */
    std::string step;
    std::string host; //!< "primary", "secondary"
    Time at;
};

/** What one simulated run came to for one protected pair. */
struct ColoPairResult
{
    std::vector<ColoCheckpoint> checkpoints;
    std::vector<ColoFailoverStep> failover; //!< in the order of time
    std::map<colo_reason, uint64_t> mismatches;
    uint64_t coalesced{0};
    std::vector<double> holdMs; //!< of every released TCP packet of the primary
    uint64_t releasedPackets{0};
    uint64_t releasedBytes{0};
    uint64_t heldPackets{0};
    uint64_t divergedResponses{0};

    /** \return how long the primary guest stood still, once a checkpoint. */
    std::vector<double> GetPausesMs() const;
    /** \return pages that were sent while the guests stood still, once a checkpoint. */
    std::vector<double> GetPages() const;
    /** \return from one checkpoint's request to the next one's. */
    std::vector<double> GetIntervalsMs() const;
    /** \return how many checkpoints for each reason. */
    std::map<colo_reason, uint64_t> GetCheckpointReasons() const;
};

/** What one simulated run came to. */
struct ColoRunResult
{
    double simSeconds{0};
    double wallSeconds{0};
    uint64_t events{0};
    bool isFinished{false}; //!< the clients came to the end of their scripts
    bool isStuck{false};    //!< they did not, nor would they have with more time
    std::string unfinished; //!< what was not over then

    uint64_t requestsCompleted{0};
    uint64_t clientBytes{0}; //!< received
    uint64_t clientResets{0};
    uint64_t clientDataErrors{0};
    double durationSeconds{0};     //!< of the clients' exchange
    std::vector<double> latencyMs; //!< a request's, one each

    double checkpointsPerSecond{0}; //!< of all pairs, while the clients' exchange lasted

    std::vector<ColoPairResult> pairs;        //!< at least one, protected or not
    std::optional<ColoFlowTotals> flowTotals; //!< if they were asked for

    /** \return payload received a second, in Mbit. */
    double GetThroughputMbps() const;
};

} // namespace ns3

#endif /* COLO_RUN_RESULT_H */
