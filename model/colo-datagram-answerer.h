/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DATAGRAM_ANSWERER_H
#define COLO_DATAGRAM_ANSWERER_H

#include "colo-datagram-application.h"

#include "ns3/event-id.h"

#include <map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays the side of a dialogue's conversations by UDP that is asked.
 *
 * It listens on the server ports of its conversations, and answers each question by the turn that
 * follows it. A question that is repeated gets the same answer again, token and all; one that is
 * repeated before it is answered gets one answer.
 */
class ColoDatagramAnswerer : public ColoDatagramApplication
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoDatagramAnswerer();

    /** \return answers to come: the questions were heard, the pauses are not over. */
    std::size_t GetPending() const;

    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override;

  protected:
    void DoDispose() override;

  private:
    /** What is remembered of each conversation. */
    struct Memory
    {
        uint32_t token{0};      //!< of the last answer
        uint16_t heard{0};      //!< turns up to the last question
        bool isAnswered{false}; //!< so it has a token
    };

    /** An answer to come. */
    struct Answer
    {
        EventId timer;
        uint16_t query;
        Address asker;
    };

    void StartApplication() override;
    void StopApplication() override;
    Address GetLocal(uint16_t port) const override;
    bool Expects(uint32_t index, const ColoDatagramHeader& header) const override;
    void Take(uint32_t index, const ColoDatagramHeader& header, const Address& from) override;

    void ForgetAnswers();
    void PauseOver(uint32_t index);
    void Say(uint32_t index, uint16_t query, const Address& asker);

    Address m_localAddress;

    std::vector<Memory> m_memory;         //!< by conversation
    std::map<uint32_t, Answer> m_pending; //!< by conversation
};

} // namespace ns3

#endif /* COLO_DATAGRAM_ANSWERER_H */
