/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TCP_VARIATION_H
#define COLO_TCP_VARIATION_H

#include "ns3/nstime.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simple-ref-count.h"
#include "ns3/tcp-header.h"
#include "ns3/tcp-l4-protocol.h"

#include <cstdint>
#include <optional>

namespace ns3
{

/** \ingroup colo What a TCP connection has drawn at its beginning. */
struct ColoTcpDraw
{
    uint32_t isn{0};             //!< initial sequence number
    uint32_t segmentSize{0};     //!< in bytes, 0: as the socket has it
    uint32_t delAckCount{0};     //!< segments per delayed ACK, 0: as the socket has it
    Time delAckTimeout;          //!< of a delayed ACK, 0: as the socket has it
    std::optional<bool> noDelay; //!< whether Nagle's algorithm is off
    uint32_t timestampOffset{0}; //!< of the clock in TSval
};

/**
 * \ingroup colo
 *
 * In what the TCP connections of a guest vary: one for all sockets of a guest, not cloned. The
 * attributes of ColoGuest say what each is.
 */
class ColoTcpVariation : public SimpleRefCount<ColoTcpVariation>
{
  public:
    /** ns-3's headers and options beside it, in the largest IPv4 packet. */
    static constexpr uint32_t MAX_SEGMENT_SIZE = 65535 - 20 - 60;

    /** Nothing varies, all ISNs are 0. */
    ColoTcpVariation();

    Ptr<RandomVariableStream> isn;             //!< initial sequence numbers
    Ptr<RandomVariableStream> segmentSize;     //!< in bytes, drawn once for all connections
    bool announcesSegmentSize{false};          //!< SYNs say what was drawn
    Ptr<RandomVariableStream> delAckCount;     //!< segments per delayed ACK
    Ptr<RandomVariableStream> delAckTimeout;   //!< seconds
    double nagle{0};                           //!< probability of Nagle's algorithm
    Ptr<UniformRandomVariable> coin;           //!< decides it
    Ptr<RandomVariableStream> timestampOffset; //!< of the clock in TSval
    Ptr<RandomVariableStream> ephemeralPort;   //!< 0 to count up

    /**
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream);

    /** \return what a connection that begins now is like. */
    ColoTcpDraw Draw();

    /**
     * \param tcp of the guest.
     * \param isIpv6 which address family.
     * \return a port that nothing on the guest uses; 0 to let TcpL4Protocol count up.
     */
    uint16_t DrawPort(Ptr<TcpL4Protocol> tcp, bool isIpv6) const;

  private:
    std::optional<uint32_t> m_segmentSize; //!< once drawn
};

/**
 * \ingroup colo
 * \brief Move the clock of a segment that is about to be sent.
 * \param header its header.
 * \param offset is added to TSval.
 */
void ColoShiftTimestamp(TcpHeader& header, uint32_t offset);

/**
 * \ingroup colo
 * \brief Take such a move back in what a received segment echoes.
 * \param header its header.
 * \param offset is added to TSecr, unless it is 0: ns-3's peers know no TSval at first.
 */
void ColoShiftTimestampEcho(TcpHeader& header, uint32_t offset);

/**
 * \ingroup colo
 * \brief Let a SYN that is about to be sent say the largest segment, which ns-3's TCP never does.
 * \param header its header.
 * \param size the segment size.
 */
void ColoAnnounceSegmentSize(TcpHeader& header, uint16_t size);

} // namespace ns3

#endif /* COLO_TCP_VARIATION_H */
