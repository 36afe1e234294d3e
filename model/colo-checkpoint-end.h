/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CHECKPOINT_END_H
#define COLO_CHECKPOINT_END_H

#include "ns3/address.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/socket.h"

#include <cstdint>
#include <deque>
#include <functional>

namespace ns3
{

/** \ingroup colo What one host of a pair tells the other over the checkpoint link. */
struct ColoCheckpointMessage
{
    uint8_t type{0};   //!< a matter of the two hosts
    uint32_t epoch{0}; //!< of the checkpoint that it belongs to
    uint64_t bytes{0}; //!< of guest state that come with it
};

/**
 * \ingroup colo
 *
 * One host's end of the connection on which the two hosts of a protected pair talk: messages in
 * order, each whole, over a stream socket. The bytes of state have no content.
 */
class ColoCheckpointEnd : public Object
{
  public:
    /** Told of a message when all of it, its state included, has arrived. */
    using Receiver = std::function<void(const ColoCheckpointMessage& message)>;

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoCheckpointEnd() = default;
    /**
     * \param pair index of the protected pair, for the messages' headers.
     * \param chunkSize bytes of state that are given to the socket at a time; best its segments'
     *        size, so that none has to be put together from two.
     */
    ColoCheckpointEnd(uint16_t pair, uint32_t chunkSize);
    ~ColoCheckpointEnd() override;

    /** \param receiver gets what the other end sends, in events of this end's host. */
    void SetReceiver(Receiver receiver);
    /**
     * Send a message behind all that was sent before it. It waits here while there is no
     * connection or no room in the socket; what a broken connection had not delivered is lost.
     * \param message to send.
     */
    void Send(const ColoCheckpointMessage& message);
    /** \return whether the socket has all that was sent. */
    bool IsIdle() const;

    /**
     * Ask for the connection.
     * \param socket bound to nothing yet.
     * \param remote where the other end waits.
     */
    void Connect(Ptr<Socket> socket, const Address& remote);
    /**
     * Wait for the connection.
     * \param socket bound to where the other end asks.
     */
    void Listen(Ptr<Socket> socket);

    /**
     * Break the connection as the death of a host does: nothing is sent or received any more, not
     * even by the sockets' timers, and their addresses are free again.
     */
    void Break();
    /** \return a number that grows with every byte that arrives, here or at the other end. */
    uint64_t GetProgress() const;

  protected:
    void DoDispose() override;

  private:
    /** A message that the socket does not have whole. */
    struct Outgoing
    {
        ColoCheckpointMessage message;
        uint64_t stateLeft;
        bool isFirst; //!< the header, too, is left
    };

    void Enqueue(ColoCheckpointMessage message);
    void Connected(Ptr<Socket> socket);
    void Refused(Ptr<Socket> socket);
    void Accepted(Ptr<Socket> socket, const Address& from);
    void Attach(Ptr<Socket> socket);
    void Detach();
    void Readable(Ptr<Socket> socket);
    void Writable(Ptr<Socket> socket, uint32_t room);
    void Feed();
    void Take(Ptr<Packet> packet);

    uint16_t m_pair{0};
    uint32_t m_chunkSize{1448};
    Receiver m_receiver;
    Ptr<Socket> m_listener;
    Ptr<Socket> m_socket; //!< while it is connected
    Ptr<Socket> m_connecting;
    std::deque<Outgoing> m_outgoing;
    Ptr<Packet> m_head{Create<Packet>()}; //!< as much of a header as has arrived
    ColoCheckpointMessage m_incoming;     //!< whose state arrives
    uint64_t m_stateLeft{0};
    uint64_t m_given{0};    //!< bytes to the socket
    uint64_t m_received{0}; //!< bytes from it
};

} // namespace ns3

#endif /* COLO_CHECKPOINT_END_H */
