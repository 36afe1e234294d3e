/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIALOGUE_CLIENT_H
#define COLO_DIALOGUE_CLIENT_H

#include "colo-dialogue.h"
#include "colo-openings.h"

#include "ns3/address.h"
#include "ns3/application.h"
#include "ns3/event-id.h"
#include "ns3/socket.h"
#include "ns3/traced-callback.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays one client's side of a dialogue's TCP connections and checks every byte that comes.
 *
 * It opens those whose opener is the client, and is the backend of those that the guest opens.
 */
class ColoDialogueClient : public Application
{
  public:
    /** A byte of the guest's. */
    struct Place
    {
        uint32_t conversation; //!< its index
        uint64_t position;     //!< in the direction of the client, from 0
    };

    /** Where a conversation stands that was begun and is not over. */
    struct Standing
    {
        uint32_t conversation;
        bool isConnected;
        std::size_t turn; //!< of the script; its size if only the end is missing
        uint64_t left;    //!< bytes of that turn
    };

    /** TracedCallback signature: from a request's first byte to its response's last. */
    using LatencyTracedCallback = void (*)(Time latency);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /** \param dialogue the script, of all clients; set before the start. */
    void SetDialogue(std::shared_ptr<const ColoDialogue> dialogue);

    /** \return bytes received from the guest, right or wrong. */
    uint64_t GetBytesReceived() const
    {
        return m_bytesReceived;
    }

    /** \return bytes handed to the sockets. */
    uint64_t GetBytesSent() const
    {
        return m_bytesSent;
    }

    /** \return answered client turns, where the client opened. */
    uint64_t GetRequestsCompleted() const
    {
        return m_requestsCompleted;
    }

    /** \return received bytes that are wrong, come before their turn, or are beyond the script. */
    uint64_t GetDataErrors() const;
    /** \return the place of the first data error. */
    std::optional<Place> GetFirstDataError() const;

    /** \return connections that failed, were reset, or were closed by the guest too early. */
    uint64_t GetResets() const
    {
        return m_resets;
    }

    /** \return conversations that ended as in the script. */
    uint32_t GetConversationsCompleted() const;
    /** \return the conversations that were begun and are not over. */
    std::vector<Standing> GetStandings() const;
    /** \return true once all of its conversations are over, be they completed or failed. */
    bool IsFinished() const;

  protected:
    void DoDispose() override;

  private:
    enum class Phase
    {
        CONNECTING,
        WAITING, //!< for the server
        PAUSING,
        SENDING,
        OVER
    };

    struct Conversation
    {
        Ptr<Socket> socket;
        ColoDialogueCursor cursor;
        Phase phase{Phase::CONNECTING};
        EventId pause;
        Time requestStart;
        ColoMask mask; //!< of the guest's current turn
    };

    void StartApplication() override;
    void StopApplication() override;
    void Quit();

    void ScheduleOpens(const std::vector<ColoOpenings::Opening>& openings);
    void WaitForPort(uint32_t index, Time wait, Time waited);
    void Open(uint32_t index);
    void Listen(uint32_t index);
    bool IsPortFree(uint32_t index) const;
    Conversation& Add(uint32_t index, Ptr<Socket> socket);
    void Hook(uint32_t index, Ptr<Socket> socket);
    Conversation* Find(uint32_t index, Ptr<Socket> socket);

    void Accept(uint32_t index, Ptr<Socket> socket, const Address& from);
    void Connected(uint32_t index, Ptr<Socket> socket);
    void Failed(uint32_t index, Ptr<Socket> socket);
    void Receive(uint32_t index, Ptr<Socket> socket);
    void Writable(uint32_t index, Ptr<Socket> socket, uint32_t available);
    void PeerClosed(uint32_t index, Ptr<Socket> socket);
    void PauseOver(uint32_t index);

    void Drain(uint32_t index, Conversation& conversation);
    void Take(uint32_t index, Conversation& conversation, uint8_t* data, uint64_t size);
    void EndServerTurn(uint32_t index, Conversation& conversation, std::size_t turn);
    void Play(uint32_t index, Conversation& conversation);
    bool SendTurn(uint32_t index, Conversation& conversation);
    void EndScript(uint32_t index, Conversation& conversation);
    void Fail(uint32_t index, Conversation& conversation);
    void NoteOver(uint32_t index, Conversation& conversation);

    std::shared_ptr<const ColoDialogue> m_dialogue;
    uint32_t m_clientIndex;
    TypeId m_protocol;
    Address m_remoteAddress;
    bool m_acceptsTokens;
    Time m_maxPause;

    bool m_isStarted{false};
    uint32_t m_own{0}; //!< conversations to be played
    ColoOpenings m_openings;
    std::map<uint32_t, EventId> m_opens;                    //!< to come, by conversation
    std::map<uint32_t, Ptr<Socket>> m_listeners;            //!< for guests that did not come yet
    std::map<uint32_t, Conversation> m_conversations;       //!< those open, by index
    std::unordered_map<uint16_t, Ptr<Socket>> m_lastOfPort; //!< of the ports used more than once
    std::vector<uint8_t> m_buffer;
    uint64_t m_bytesReceived{0};
    uint64_t m_bytesSent{0};
    uint64_t m_requestsCompleted{0};
    uint64_t m_dataErrors{0};
    std::optional<Place> m_firstDataError;
    uint64_t m_resets{0};
    uint32_t m_completed{0};
    uint32_t m_over{0};

    TracedCallback<Time> m_latencyTrace;
    TracedCallback<> m_finishedTrace;
};

} // namespace ns3

#endif /* COLO_DIALOGUE_CLIENT_H */
