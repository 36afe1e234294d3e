/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIALOGUE_SERVER_H
#define COLO_DIALOGUE_SERVER_H

#include "colo-dialogue.h"
#include "colo-divergence.h"
#include "colo-guest-application.h"
#include "colo-openings.h"

#include "ns3/address.h"
#include "ns3/event-id.h"
#include "ns3/traced-callback.h"

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays the guest's side of a dialogue's TCP connections, those that it opens included.
 *
 * How its telling differs from the script, and from that of the other guest, says the node's
 * ColoDivergence; without one it does not.
 */
class ColoDialogueServer : public ColoGuestApplication
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /** TracedCallback signature: index of the conversation, and of the turn in it. */
    using TurnTracedCallback = void (*)(uint32_t conversation, uint32_t turn);

    /**
     * \param dialogue the script, shared with the clients and the other guest; set before the
     *        start. Aborts if TCP conversations of it cannot be played.
     */
    void SetDialogue(std::shared_ptr<const ColoDialogue> dialogue);
    /**
     * \param addresses of the clients, IPv4 or IPv6, in order of their indices; the guest connects
     *        to them as to its backends. Needed only if it opens conversations.
     */
    void SetBackends(std::vector<Address> addresses);
    /** \return conversations that were accepted or opened and are not closed yet. */
    uint32_t GetConversationsOpen() const;
    /** \return received bytes that are not the script's. */
    uint64_t GetDataErrors() const;
    /** \return turns that were handed whole to their sockets. */
    uint64_t GetTurnsSent() const;
    /** \return turns begun with a token. */
    uint64_t GetTurnsDiverged() const;

    /**
     * Must run in the context of this guest's node. A turn that the twin has begun goes on in its
     * telling. The statistics, and what is drawn from the node's ColoDivergence, stay this guest's
     * own.
     */
    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override;

  protected:
    void DoDispose() override;

  private:
    enum class Phase
    {
        CONNECTING,
        WAITING, //!< for the peer
        PAUSING,
        SENDING,
        BETWEEN //!< two writes of a turn
    };

    struct Connection
    {
        Ptr<Socket> socket;
        ColoDialogueCursor cursor;
        uint64_t expected{0}; //!< bytes the peer says in all
        Phase phase{Phase::WAITING};
        EventId pause;      //!< its end, or the next write
        ColoMask mask;      //!< of the current turn, if it is ours
        bool isOver{false}; //!< those that come after it have been told
    };

    void StartApplication() override;
    void StopApplication() override;

    void IndexDialogue();
    void Listen(uint16_t port);
    void HookListener(Ptr<Socket> socket);
    void Hook(uint32_t index, Ptr<Socket> socket);
    void Forget();
    Connection* Find(uint32_t index, Ptr<Socket> socket);
    std::optional<uint32_t> FindNextOf(uint16_t clientPort, uint16_t serverPort) const;

    void Accept(Ptr<Socket> socket, const Address& from);
    void ScheduleOpens(const std::vector<ColoOpenings::Opening>& openings);
    void Open(uint32_t index);
    Connection& Add(uint32_t index, Ptr<Socket> socket);
    void Connected(uint32_t index, Ptr<Socket> socket);
    void Receive(uint32_t index, Ptr<Socket> socket);
    void Writable(uint32_t index, Ptr<Socket> socket, uint32_t available);
    void PeerClosed(uint32_t index, Ptr<Socket> socket);
    void Failed(uint32_t index, Ptr<Socket> socket);
    void PauseOver(uint32_t index);

    void Drain(uint32_t index, Connection& connection);
    void Play(uint32_t index, Connection& connection);
    void BeginTurn(uint32_t index, Connection& connection);
    bool SendTurn(uint32_t index, Connection& connection);
    void NoteOver(uint32_t index, Connection& connection);
    void Close(uint32_t index);

    std::shared_ptr<const ColoDialogue> m_dialogue;
    TypeId m_protocol;
    Address m_localAddress;
    std::vector<Address> m_backends;
    Time m_maxPause;
    Ptr<ColoDivergence> m_divergence; //!< of this guest; may be null

    std::vector<std::pair<uint16_t, uint32_t>> m_byClientPort; //!< conversations to be accepted
    std::shared_ptr<const ColoOpenings> m_openings; //!< of the conversations that the guest opens

    std::map<uint16_t, Ptr<Socket>> m_listeners;
    std::unordered_map<uint16_t, uint32_t> m_accepted; //!< how many, by client port
    std::map<uint32_t, EventId> m_opens;               //!< to come, by conversation
    std::map<uint32_t, Connection> m_connections;      //!< those not closed, by conversation
    uint64_t m_turnsBegun{0};                          //!< by the guest, before a checkpoint too
    std::vector<uint8_t> m_buffer;
    uint64_t m_dataErrors{0};
    uint64_t m_turnsSent{0};
    uint64_t m_turnsDiverged{0};

    TracedCallback<uint32_t, uint32_t> m_turnSentTrace;
    TracedCallback<uint32_t, uint32_t> m_divergedTrace;
};

} // namespace ns3

#endif /* COLO_DIALOGUE_SERVER_H */
