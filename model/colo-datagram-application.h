/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DATAGRAM_APPLICATION_H
#define COLO_DATAGRAM_APPLICATION_H

#include "colo-dialogue.h"
#include "colo-divergence.h"
#include "colo-guest-application.h"

#include "ns3/address.h"
#include "ns3/traced-callback.h"

#include <map>
#include <memory>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo What each datagram of a dialogue begins with, in network order.
 *
 * It is part of the turn's bytes, so that a turn is a datagram of its size; only turns that are
 * shorter than the header are a datagram of SIZE more bytes than they say.
 */
struct ColoDatagramHeader
{
    static constexpr uint32_t SIZE = 8;

    uint32_t id{0};    //!< of the conversation: ColoDialogue::firstId and its index
    uint16_t turn{0};  //!< index in the conversation
    uint16_t query{0}; //!< drawn by the side that asks; repeated by repeats and the answer

    /** \param bytes takes SIZE bytes. */
    void Write(uint8_t* bytes) const;
    /**
     * \param bytes of which the first SIZE are read.
     * \return the header.
     */
    static ColoDatagramHeader Read(const uint8_t* bytes);
};

/**
 * \ingroup colo
 * \brief What both sides of the dialogue's conversations by UDP have in common: sockets, and
 *        datagrams that are made of turns and checked against them.
 *
 * UDP sockets have no state once they are read, so a clone does not get copies of its twin's: it
 * binds its own to the same ports.
 */
class ColoDatagramApplication : public ColoGuestApplication
{
  public:
    /** TracedCallback signature: index of the conversation, and of the turn in it. */
    using TurnTracedCallback = void (*)(uint32_t conversation, uint32_t turn);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param dialogue the script, of which only conversations by UDP are played; set before the
     *        start.
     */
    void SetDialogue(std::shared_ptr<const ColoDialogue> dialogue);

    /** \return payload received, right or wrong, repeats and all. */
    uint64_t GetBytesReceived() const;
    /** \return payload sent, repeats and all. */
    uint64_t GetBytesSent() const;
    /** \return received bytes that are not the script's, missing and additional ones included. */
    uint64_t GetDataErrors() const;
    /** \return received datagrams that no conversation waited for, such as late duplicates. */
    uint64_t GetUnexpected() const;
    /** \return turns that were sent, each once. */
    uint64_t GetTurnsSent() const;
    /** \return turns that were made to differ. */
    uint64_t GetTurnsDiverged() const;

    void PrepareClone(Ptr<ColoGuestApplication> twin) override;
    /**
     * Must run in the context of this guest's node. What was counted of bytes, errors and turns
     * stays this guest's own.
     */
    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override;

  protected:
    /** \param asks whether this side opens the conversations. */
    explicit ColoDatagramApplication(bool asks);

    void DoDispose() override;
    void StopApplication() override;

    /**
     * \param port a local port, 0 for any.
     * \return what to bind a socket to; its family is that of the conversations.
     */
    virtual Address GetLocal(uint16_t port) const = 0;
    /**
     * \param index of a conversation of this side.
     * \param header of a datagram that is a turn of the other side.
     * \return whether the datagram is waited for.
     */
    virtual bool Expects(uint32_t index, const ColoDatagramHeader& header) const = 0;
    /**
     * A datagram that was expected has come; its bytes were checked.
     * \param index of the conversation.
     * \param header of the datagram.
     * \param from its sender.
     */
    virtual void Take(uint32_t index, const ColoDatagramHeader& header, const Address& from) = 0;

    /** \return the conversations of this side; aborts if one of them cannot be played. */
    std::vector<uint32_t> ListConversations() const;
    /**
     * \param index of a conversation.
     * \return its script.
     */
    const ColoConversation& GetConversation(uint32_t index) const;
    /**
     * \param bare an address without a port.
     * \param port the port.
     * \param attribute where the address comes from.
     * \return both together.
     */
    static Address AddPort(const Address& bare, uint16_t port, const char* attribute);

    /**
     * Bind a socket, or share one that is bound.
     * \param port local port, 0 for an ephemeral one.
     * \return the port, 0 if it is not to be had.
     */
    uint16_t Open(uint16_t port);
    /** \param port to do without, as often as it was opened. */
    void Close(uint16_t port);

    /**
     * \param pause before a turn of this side, as in the script.
     * \return how long it lasts here.
     */
    Time GetDelay(Time pause) const;
    /** \return what makes this guest's questions differ from the other's, 0 for nothing. */
    uint16_t DrawQueryId() const;
    /**
     * Begin a turn of this side.
     * \param index of the conversation.
     * \param turn in the conversation.
     * \return its token.
     */
    uint32_t BeginTurn(uint32_t index, uint16_t turn);
    /**
     * Send a turn of this side, be it for the first time or again.
     * \param index of the conversation.
     * \param header the rest of what the datagram begins with; its id is filled in.
     * \param token of the turn.
     * \param port to send from.
     * \param to the other side.
     */
    void Send(uint32_t index,
              ColoDatagramHeader header,
              uint32_t token,
              uint16_t port,
              const Address& to);

    bool m_isRunning{false}; //!< started, or a clone of one that was

  private:
    /** A local port that is in use. */
    struct Port
    {
        Ptr<Socket> socket;
        uint32_t users{0};
    };

    bool Plays(const ColoConversation& conversation) const;
    bool Bind(uint16_t port, Ptr<Socket>& socket);
    void Receive(Ptr<Socket> socket);
    bool IsPlayed(uint32_t index, const ColoDatagramHeader& header, uint16_t port) const;
    void Examine(uint32_t index, uint16_t turn);
    Ptr<ColoDivergence> GetDivergence() const;

    const bool m_asks;
    bool m_isOnGuest;
    uint32_t m_client;
    bool m_acceptsTokens;
    std::shared_ptr<const ColoDialogue> m_dialogue;

    std::map<uint16_t, Port> m_ports;
    std::vector<uint8_t> m_received; //!< the datagram that is being looked at
    uint64_t m_turnsBegun{0};        //!< what ColoDivergence numbers turns by
    uint64_t m_bytesReceived{0};
    uint64_t m_bytesSent{0};
    uint64_t m_dataErrors{0};
    uint64_t m_unexpected{0};
    uint64_t m_turnsSent{0};
    uint64_t m_turnsDiverged{0};

    TracedCallback<uint32_t, uint32_t> m_turnSentTrace;
    TracedCallback<uint32_t, uint32_t> m_divergedTrace;
};

} // namespace ns3

#endif /* COLO_DATAGRAM_APPLICATION_H */
