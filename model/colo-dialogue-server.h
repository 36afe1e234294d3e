/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIALOGUE_SERVER_H
#define COLO_DIALOGUE_SERVER_H

#include "colo-dialogue.h"
#include "colo-guest-application.h"

#include "ns3/address.h"
#include "ns3/event-id.h"
#include "ns3/random-variable-stream.h"
#include "ns3/traced-callback.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays the server's side of a dialogue on a guest.
 *
 * The client's source port tells which conversation an accepted connection is.
 */
class ColoDialogueServer : public ColoGuestApplication
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoDialogueServer();

    /** TracedCallback signature: index of the conversation, and of the turn in it. */
    using TurnTracedCallback = void (*)(uint32_t conversation, uint32_t turn);

    /**
     * \param dialogue the script, shared with the client and the other guest; set before the start.
     */
    void SetDialogue(std::shared_ptr<const ColoDialogue> dialogue);
    /**
     * \param stream first stream index to use for the divergence.
     * \return how many were used.
     */
    int64_t AssignStreams(int64_t stream);
    /** \return conversations that were accepted and are not closed yet. */
    uint32_t GetConversationsOpen() const;
    /** \return received bytes that are not the script's. */
    uint64_t GetDataErrors() const;
    /** \return turns that were handed whole to their sockets. */
    uint64_t GetTurnsSent() const;
    /** \return turns that were made to differ. */
    uint64_t GetTurnsDiverged() const;

    /**
     * Must run in the context of this guest's node. The statistics, the divergence attributes and
     * their random stream stay this guest's own; bytes that diverged but were not sent yet are
     * healed.
     */
    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override;

  protected:
    void DoDispose() override;

  private:
    enum class Phase
    {
        WAITING, //!< for the client
        PAUSING,
        SENDING
    };

    struct Connection
    {
        Ptr<Socket> socket;
        ColoDialogueCursor cursor;
        uint64_t expected{0}; //!< bytes the client says in all
        Phase phase{Phase::WAITING};
        EventId pause;
        std::map<uint64_t, uint8_t> flips; //!< position → bits of the current turn that differ
    };

    void StartApplication() override;
    void StopApplication() override;

    void Listen(uint16_t port);
    void HookListener(Ptr<Socket> socket);
    void HookConnection(Ptr<Socket> socket);
    static void Unhook(Ptr<Socket> socket);
    void ForgetConnections();
    std::optional<uint32_t> FindConversation(Ptr<Socket> socket) const;

    void Accept(Ptr<Socket> socket, const Address& from);
    void Receive(Ptr<Socket> socket);
    void Writable(Ptr<Socket> socket, uint32_t available);
    void PeerClosed(Ptr<Socket> socket);
    void Failed(Ptr<Socket> socket);
    void PauseOver(uint32_t index);

    void Drain(uint32_t index, Connection& connection);
    void Play(uint32_t index, Connection& connection);
    void BeginTurn(uint32_t index, Connection& connection);
    bool SendTurn(uint32_t index, Connection& connection);
    void Close(uint32_t index);

    std::shared_ptr<const ColoDialogue> m_dialogue;
    TypeId m_protocol;
    Address m_localAddress;
    uint16_t m_clientPortBase;
    Time m_maxPause;
    bool m_diverges;
    double m_divergence;
    Ptr<UniformRandomVariable> m_random;

    std::map<uint16_t, Ptr<Socket>> m_listeners;
    std::map<uint32_t, Connection> m_connections; //!< those not closed, by conversation
    std::map<Ptr<Socket>, uint32_t> m_conversationOf;
    std::vector<uint8_t> m_buffer;
    uint64_t m_dataErrors{0};
    uint64_t m_turnsSent{0};
    uint64_t m_turnsDiverged{0};

    TracedCallback<uint32_t, uint32_t> m_turnSentTrace;
    TracedCallback<uint32_t, uint32_t> m_divergedTrace;
};

} // namespace ns3

#endif /* COLO_DIALOGUE_SERVER_H */
