/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_WORKLOAD_KIND_H
#define COLO_WORKLOAD_KIND_H

#include "colo-dialogue.h"
#include "colo-workload.h"

#include "ns3/nstime.h"

#include <cstdint>
#include <random>
#include <vector>

namespace ns3
{

/** Writes down turn after turn of one conversation. */
class ColoTurnWriter
{
  public:
    /**
     * \param shape of the workload, nothing left open.
     * \param random what sizes and pauses are drawn from.
     * \param slot which of the connections at once this is, or follows.
     * \param conversation gets the turns.
     */
    ColoTurnWriter(const ColoWorkloadInfo& shape,
                   std::mt19937_64& random,
                   uint64_t slot,
                   ColoConversation& conversation);

    /** \return the workload's shape. */
    const ColoWorkloadInfo& GetShape() const;
    /** \return which of the connections at once this is. */
    uint64_t GetSlot() const;
    /** \param min smallest. \param max largest. \return a number from min to max. */
    uint64_t Draw(uint64_t min, uint64_t max);
    /** \param sizes from which. \return a size. */
    uint64_t Draw(const ColoSizes& sizes);

    /** \param bytes that the client says. \param pause before it does. */
    void Client(uint64_t bytes, Time pause = Time());
    /** \param bytes that the guest says. \param pause before it does. */
    void Guest(uint64_t bytes, Time pause = Time());
    /** \param bytes that each guest says in its own way. */
    void Random(uint64_t bytes);

  private:
    const ColoWorkloadInfo& m_shape;
    std::mt19937_64& m_random;
    uint64_t m_slot;
    std::vector<ColoTurn>& m_turns;
};

/** What is said in the conversations of a workload. */
struct ColoWorkloadKind
{
    ColoWorkloadInfo info;
    ColoTransport transport;
    uint16_t serverPort;
    bool guestAsks; //!< a backend, for each request
    /** What is said before the first request of a connection; null for nothing. */
    void (*hello)(ColoTurnWriter& writer);
    /** What a request is; the first turn waits for pause. */
    void (*request)(ColoTurnWriter& writer, Time pause);
};

/** How long a guest waits for its backend, in a script. */
extern const Time COLO_BACKEND_WAIT;

/** \return all of them but mixed, which consists of them. */
const std::vector<ColoWorkloadKind>& ColoListWorkloadKinds();

} // namespace ns3

#endif /* COLO_WORKLOAD_KIND_H */
