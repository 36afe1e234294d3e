/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DATAGRAM_ASKER_H
#define COLO_DATAGRAM_ASKER_H

#include "colo-datagram-application.h"

#include "ns3/event-id.h"
#include "ns3/nstime.h"

#include <map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays the side that opens a dialogue's conversations by UDP.
 *
 * As resolvers do, it repeats a question that is not answered in time, and gives up after some
 * repeats: the conversation has failed then, and those that follow it begin. A turn that is
 * followed by another one of this side waits for no answer.
 *
 * On a client it goes out from the conversation's clientPort, if that is not 0; on a guest each
 * conversation has an ephemeral port.
 */
class ColoDatagramAsker : public ColoDatagramApplication
{
  public:
    /** TracedCallback signature: from the first time a question was asked to its answer. */
    using LatencyTracedCallback = void (*)(Time latency);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoDatagramAsker();

    /** \return answered turns. */
    uint64_t GetRequestsCompleted() const;
    /** \return how often a question was repeated. */
    uint64_t GetRepeats() const;
    /** \return conversations that were given up. */
    uint64_t GetFailures() const;
    /** \return true once every conversation of this side is over, be it completed or failed. */
    bool IsFinished() const;

    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override;

  protected:
    void DoDispose() override;

  private:
    /** What the timer of a conversation stands for. */
    enum class Phase
    {
        STARTING,
        PAUSING, //!< before a turn of this side
        WAITING  //!< for an answer
    };

    struct Conversation
    {
        Phase phase{Phase::STARTING};
        EventId timer;
        uint16_t port{0}; //!< that is open for it
        uint16_t turn{0}; //!< the one that is due, or the question that waits
        uint16_t query{0};
        uint16_t questions{0};
        uint32_t token{0}; //!< of the question
        uint32_t repeats{0};
        Time asked; //!< by the guest's clock, for the first time
    };

    void StartApplication() override;
    void StopApplication() override;
    Address GetLocal(uint16_t port) const override;
    bool Expects(uint32_t index, const ColoDatagramHeader& header) const override;
    void Take(uint32_t index, const ColoDatagramHeader& header, const Address& from) override;

    void CancelTimers();
    void StartNext();
    void TimeOut(uint32_t index);
    void Play(uint32_t index);
    bool BeginQuestion(uint32_t index, Conversation& conversation);
    void Ask(uint32_t index, Conversation& conversation);
    void End(uint32_t index);

    Address m_remoteAddress;
    Time m_retryAfter;
    uint32_t m_retries;

    std::vector<uint32_t> m_firsts; //!< conversations that follow no other, ordered by start
    std::size_t m_nextFirst{0};
    EventId m_startEvent;
    std::multimap<uint32_t, uint32_t> m_followers; //!< by the conversation that they follow
    std::map<uint32_t, Conversation> m_open;       //!< those begun and not over
    std::size_t m_left{0};                         //!< conversations that are not over
    uint64_t m_completed{0};
    uint64_t m_repeats{0};
    uint64_t m_failures{0};

    TracedCallback<Time> m_latencyTrace;
    TracedCallback<> m_finishedTrace;
};

} // namespace ns3

#endif /* COLO_DATAGRAM_ASKER_H */
