/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIVERGENCE_H
#define COLO_DIVERGENCE_H

#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"

#include <cstdint>

namespace ns3
{

/**
 * \ingroup colo
 *
 * Why the applications of two guests differ although they read the same input: random and dated
 * content, threads that run in another order, timers, write sizes. Aggregated to a guest's node,
 * asked by its applications; each guest draws from streams of its own. What differs below the
 * applications is in ColoGuest, what differs on the way to the guest in ColoSecondaryProxy and in
 * the links.
 *
 * All is off by default: two guests then send the same bytes at the same times.
 */
class ColoDivergence : public Object
{
  public:
    /** No limit to a write. */
    static constexpr uint32_t WHOLE = ~uint32_t{0};

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoDivergence();

    /**
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream);

    /**
     * \param pause what the script says.
     * \return from a turn's turn to its first byte: the pause until the guest's timer is noticed,
     *         and until the thread that serves it runs.
     */
    Time GetDelay(Time pause) const;
    /**
     * \param id of the conversation.
     * \param turn its index in the conversation.
     * \param isRandom whether the script wants it random.
     * \param served turns that this guest has begun before, in all its conversations.
     * \return what makes the turn that begins now differ from other tellings of it; 0 for nothing.
     */
    uint32_t DrawToken(uint32_t id, uint32_t turn, bool isRandom, uint64_t served);
    /** \return whether turns that the script does not want random may have a token. */
    bool IsAnyTurnMarked() const;
    /** \return how many bytes the next write hands to a socket at most; at least 1. */
    uint32_t DrawWriteSize() const;
    /** \return a number for a query that the guest asks, 0 if they are not drawn. */
    uint16_t DrawQueryId() const;
    /** \return turns that were random, dated or numbered. */
    uint64_t GetTokensDrawn() const;

  private:
    bool HasRandomContent(uint32_t id, uint32_t turn) const;

    double m_content;
    Time m_dateGranularity;
    bool m_sharedCounter;
    Ptr<RandomVariableStream> m_schedulingJitter;
    Time m_timerTick;
    Ptr<RandomVariableStream> m_writeSize;
    bool m_randomQueryIds;
    Ptr<UniformRandomVariable> m_random; //!< tokens, query ids, and the timer's phase
    Time m_timerPhase;
    uint64_t m_tokensDrawn{0};
};

} // namespace ns3

#endif /* COLO_DIVERGENCE_H */
