/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_WORKLOAD_H
#define COLO_WORKLOAD_H

#include "colo-dialogue.h"

#include "ns3/nstime.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ns3
{

/** \ingroup colo Payload of a request or a response, in bytes; drawn from min to max. */
struct ColoSizes
{
    uint64_t min; //!< at least 1
    uint64_t max; //!< the same as min if all have one size
};

/** \ingroup colo A workload that has a name, and the shape that it has by itself. */
struct ColoWorkloadInfo
{
    std::string name;
    std::string help;                  //!< one line
    std::string requestsAre;           //!< what the number of requests counts, in the plural
    uint64_t requests{0};              //!< in all
    uint32_t connections{0};           //!< at once
    ColoSizes requestBytes{1, 1};      //!< of each; means nothing for mixed
    ColoSizes responseBytes{1, 1};     //!< of each; means nothing for mixed
    Time thinkTime;                    //!< see ColoWorkloadOptions
    uint64_t requestsPerConnection{0}; //!< see ColoWorkloadOptions
};

/** \ingroup colo The shape of a workload; what is not set is as in its ColoWorkloadInfo. */
struct ColoWorkloadOptions
{
    /** In all, 1 to 1000000, spread evenly over the connections. */
    std::optional<uint64_t> requests;
    /** At once, 1 to ColoDialogue::MAX_OPEN; those left without a request are not opened. */
    std::optional<uint32_t> connections;
    /** Payload of every request, 1 to 1000000000, a datagram's at most MAX_DATAGRAM. */
    std::optional<uint64_t> requestBytes;
    /** Payload of every response, likewise. */
    std::optional<uint64_t> responseBytes;
    /** From a response to the next request of its connection or of the one that follows it. */
    std::optional<Time> thinkTime;
    /**
     * After as many, a connection is over and another one takes its place; 0 for never. More than
     * there are requests is refused.
     */
    std::optional<uint64_t> requestsPerConnection;
    /**
     * How many ports the clients' connections go out from. As few as there are connections at once
     * make each take the address and port of the one before it. 0 for as many as there are.
     */
    uint32_t clientPorts{0};
    /** Who share the connections evenly; at most as many as there are connections at once. */
    uint32_t clients{1};
    /** What sizes that vary, and the guest's own pauses, are drawn from. */
    uint64_t seed{1};
};

/** \ingroup colo \return the workloads that ColoMakeWorkload() knows, each once. */
const std::vector<ColoWorkloadInfo>& ColoListWorkloads();

/**
 * \ingroup colo
 * \brief Make the dialogue of a workload.
 *
 * Conversations that follow no other come first, ordered by start; the others after them, in the
 * rounds in which they follow each other. The guest asks backends at ports that no client opens
 * connections from.
 *
 * \param name one of ColoListWorkloads(), or "mixed:NAME=WEIGHT,NAME=WEIGHT...", which divides
 *        requests and connections by weight.
 * \param options its shape.
 * \return the script; the same for the same arguments.
 * \throws std::invalid_argument if there is no such workload or a figure is out of its range; the
 *         text names it.
 */
ColoDialogue ColoMakeWorkload(const std::string& name, const ColoWorkloadOptions& options);

/** \ingroup colo What a generated request-response exchange looks like. */
struct ColoRequestResponse
{
    uint64_t requests{1000};      //!< in all, spread evenly over the connections
    uint32_t connections{10};     //!< at once; those left without a request are not opened
    uint64_t requestBytes{100};   //!< at least 1
    uint64_t responseBytes{1000}; //!< at least 1
    Time thinkTime;               //!< from a response to the next request of its connection
    uint16_t serverPort{80};      //!< not 0
};

/**
 * \ingroup colo
 * \brief Make a request-response dialogue; the client closes each connection.
 *
 * \param workload its shape.
 * \return the script.
 * \throws std::invalid_argument if a figure is out of its range; the text names it.
 */
ColoDialogue ColoMakeRequestResponse(const ColoRequestResponse& workload);

} // namespace ns3

#endif /* COLO_WORKLOAD_H */
