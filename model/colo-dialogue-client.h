/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIALOGUE_CLIENT_H
#define COLO_DIALOGUE_CLIENT_H

#include "colo-dialogue.h"

#include "ns3/address.h"
#include "ns3/application.h"
#include "ns3/event-id.h"
#include "ns3/socket.h"
#include "ns3/traced-callback.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Plays the client's side of a dialogue and checks every byte that comes back.
 */
class ColoDialogueClient : public Application
{
  public:
    /** A byte of the server's. */
    struct Place
    {
        uint32_t conversation;
        uint64_t position; //!< in the direction of the client, from 0
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

    /** \param dialogue the script; set before the start. */
    void SetDialogue(std::shared_ptr<const ColoDialogue> dialogue);

    /** \return bytes received from the server, right or wrong. */
    uint64_t GetBytesReceived() const;
    /** \return bytes handed to the sockets. */
    uint64_t GetBytesSent() const;
    /** \return answered client turns. */
    uint64_t GetRequestsCompleted() const;
    /** \return received bytes that are wrong, come before their turn, or are beyond the script. */
    uint64_t GetDataErrors() const;
    /** \return the place of the first data error. */
    std::optional<Place> GetFirstDataError() const;
    /** \return connections that failed, were reset, or were closed by the server too early. */
    uint64_t GetResets() const;
    /** \return conversations that ended as in the script. */
    uint32_t GetConversationsCompleted() const;
    /** \return the conversations that were begun and are not over. */
    std::vector<Standing> GetStandings() const;
    /** \return true once every conversation is over, be it completed or failed. */
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
    };

    void StartApplication() override;
    void StopApplication() override;

    void OpenNext();
    bool Open(uint32_t index);
    void Hook(Ptr<Socket> socket);
    static void Unhook(Ptr<Socket> socket);

    void Connected(Ptr<Socket> socket);
    void Failed(Ptr<Socket> socket);
    void Receive(Ptr<Socket> socket);
    void Writable(Ptr<Socket> socket, uint32_t available);
    void PeerClosed(Ptr<Socket> socket);
    void PauseOver(uint32_t index);

    void Drain(uint32_t index, Conversation& conversation);
    void Take(uint32_t index, Conversation& conversation, const uint8_t* data, uint64_t size);
    void EndServerTurn(uint32_t index, Conversation& conversation, std::size_t turn);
    void Play(uint32_t index, Conversation& conversation);
    bool SendTurn(uint32_t index, Conversation& conversation);
    void EndScript(uint32_t index, Conversation& conversation);
    void NoteOver(Conversation& conversation);

    std::shared_ptr<const ColoDialogue> m_dialogue;
    TypeId m_protocol;
    Address m_remoteAddress;
    uint16_t m_clientPortBase;
    Time m_maxPause;

    std::vector<Conversation> m_conversations; //!< those opened so far
    std::map<Ptr<Socket>, uint32_t> m_conversationOf;
    EventId m_openEvent;
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
