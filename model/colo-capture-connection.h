/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CAPTURE_CONNECTION_H
#define COLO_CAPTURE_CONNECTION_H

#include "colo-dialogue.h"
#include "colo-tcp-segment.h"

#include <map>

namespace ns3
{

/**
 * \ingroup colo
 * \brief Follows one TCP connection of a capture and writes down its script.
 */
class ColoCaptureConnection
{
  public:
    /**
     * Decides which end is the server.
     *
     * \param first the first segment that was captured; is still to be added.
     * \param stamp when it was captured.
     */
    ColoCaptureConnection(const ColoTcpSegment& first, Time stamp);

    /**
     * \param segment a segment between the same two ends.
     * \return true if it opens a new connection on the same ports.
     */
    bool IsSucceededBy(const ColoTcpSegment& segment) const;
    /**
     * \brief Take the next segment.
     * \param segment a segment between the connection's ends.
     * \param stamp when it was captured.
     * \return false if it fits nowhere and was left out.
     */
    bool Add(const ColoTcpSegment& segment, Time stamp);
    /**
     * \brief Take what still waits behind a hole as said.
     * \return the script; its start is the absolute stamp of the first segment.
     */
    ColoConversation Finish();
    /** \return bytes in turns that are known only from what follows them. */
    uint64_t GetMissingBytes() const;

  private:
    /** One direction's stream; positions count from its first byte and do not wrap. */
    struct Stream
    {
        bool isKnown{false};
        bool hasSyn{false};
        uint32_t isn{0};
        uint32_t nextSeq{0};                //!< of the byte at next
        uint64_t next{0};                   //!< all before was said
        std::map<uint64_t, uint64_t> ahead; //!< start → end of what arrived behind a hole
    };

    void Start(Stream& stream, uint32_t seq);
    bool AddData(bool fromServer, uint32_t seq, uint32_t bytes, Time stamp);
    void AddAck(bool toServer, uint32_t ack, Time stamp);
    void AdvanceTo(bool fromServer, uint64_t position, Time stamp);
    void TakeAhead(bool fromServer, Time stamp);
    void FillFirstHole(bool fromServer, Time stamp);
    void Say(bool fromServer, uint64_t bytes, Time stamp);
    void Close(bool fromServer, bool reset);

    ColoTcpEnd m_server;
    Stream m_streams[2]; //!< of the client, of the server
    ColoConversation m_conversation;
    Time m_turnEnd; //!< when the last turn, or the handshake, was over
    bool m_isClosed{false};
    uint64_t m_missingBytes{0};
};

} // namespace ns3

#endif /* COLO_CAPTURE_CONNECTION_H */
