/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_WORLD_H
#define COLO_WORLD_H

#include "colo-scenario-options.h"

#include "ns3/colo-checkpointer.h"
#include "ns3/colo-dialogue.h"
#include "ns3/colo-proxy.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{

/** What one simulated run came to. */
struct ColoRunResult
{
    double simSeconds{0};
    double wallSeconds{0};
    uint64_t events{0};
    bool isFinished{false}; //!< the client came to the end of its script

    uint64_t requestsCompleted{0};
    uint64_t clientBytes{0}; //!< received
    uint64_t clientResets{0};
    uint64_t clientDataErrors{0};
    double durationSeconds{0};     //!< of the client's exchange
    std::vector<double> latencyMs; //!< a request's, one each

    std::vector<ColoCheckpoint> checkpoints;
    std::map<colo_reason, uint64_t> mismatches;
    uint64_t coalesced{0};
    std::vector<double> holdMs; //!< of every released TCP packet of the primary
    uint64_t releasedPackets{0};
    uint64_t releasedBytes{0};
    uint64_t heldPackets{0};
    uint64_t divergedResponses{0};

    /** \return payload received a second, in Mbit. */
    double GetThroughputMbps() const;
};

/** What to note of a run besides its result. */
struct ColoRunNotes
{
    std::string pcapFolder;                                    //!< empty for no captures
    std::function<void(const ColoVerdict&)> verdict;           //!< may be empty
    std::function<void(Time now, uint64_t requests)> progress; //!< may be empty
};

/**
 * Simulate the exchange once: client, switch, two hosts, two guests.
 * \param options of the run.
 * \param dialogue what client and guests say.
 * \param isProtected whether the pair is, whatever the options say.
 * \param notes what to note.
 * \return the result; the same for the same options but for wallSeconds.
 */
ColoRunResult RunColoWorld(const ColoScenarioOptions& options,
                           std::shared_ptr<const ColoDialogue> dialogue,
                           bool isProtected,
                           const ColoRunNotes& notes);

} // namespace ns3

#endif /* COLO_WORLD_H */
