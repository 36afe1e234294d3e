/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_GUEST_H
#define COLO_GUEST_H

#include "colo-tcp-socket.h"

#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"
#include "ns3/traced-callback.h"
#include "ns3/type-id.h"

#include <map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * What makes a node one of the two guests of a pair: TCP sockets with random ISNs, an exact pause,
 * and becoming a copy of the other guest. Given the same frames at the same times, a guest and its
 * copy send the same frames at the same times (NewReno and Cubic).
 *
 * What its TCP does differently from the other guest's is off by default; two guests then send the
 * same bytes at the same times, but for their ISNs. What a connection has drawn goes with it to the
 * clone; the clone's later connections draw for themselves.
 *
 * Not copied: UDP sockets (applications bind others, see ColoGuestApplication), IP fragments that
 * wait for others, frames in device queues (give the guest's link no DataRate), duplicate address
 * detection and router solicitation of IPv6.
 */
class ColoGuest : public Object
{
  public:
    /** What CloneFrom() did to the TCP sockets. */
    struct CloneReport
    {
        uint32_t reused{0};   //!< sockets that became copies of a socket with their end points
        uint32_t created{0};  //!< sockets that only the primary had
        uint32_t vanished{0}; //!< sockets that only the secondary had
    };

    /**
     * TracedCallback signature for Resumed.
     * \param [in] pause how long the guest stood still
     */
    typedef void (*ResumedTracedCallback)(Time pause);

    /**
     * TracedCallback signature for Cloned.
     * \param [in] report what was done to the TCP sockets
     */
    typedef void (*ClonedTracedCallback)(const CloneReport& report);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Make a node this guest, with the attributes that are set now. Its internet stack must be
     * installed; its applications use ColoTcpSocketFactory. ARP and neighbour requests lose their
     * random delay.
     * \param node the node
     */
    void Install(Ptr<Node> node);

    /**
     * \return whether this guest's output reaches the clients
     */
    bool IsPrimary() const;

    /**
     * \param isPrimary whether this guest's output reaches the clients
     */
    void SetPrimary(bool isPrimary);

    /** Stand still from the end of this instant on; see ColoPause. */
    void Pause();

    /** Go on where Pause() stopped. */
    void Resume();

    /**
     * \return whether the guest stands still
     */
    bool IsPaused() const;

    /**
     * Become a copy of the other guest. Both must be paused and quiet (see ColoPause::IsQuiet()),
     * no frame may be under way to either, and both must be resumed at the same time.
     *
     * Sockets with the same end points are taken over, others are made or vanish; then each
     * ColoGuestApplication becomes a copy of that with its index. Aborts if a socket cannot be
     * cloned.
     *
     * \param primary the guest to copy
     */
    void CloneFrom(Ptr<ColoGuest> primary);

    /**
     * To be called after Install().
     * \param stream first stream index to use
     * \return the number of stream indices used
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    void DoDispose() override;

  private:
    /** The clone of each of the primary's sockets. */
    using TwinMap = std::map<Ptr<Socket>, Ptr<ColoTcpSocket>>;
    /** The listening sockets, by port. */
    using ListenerMap = std::map<uint16_t, Ptr<ColoTcpSocket>>;

    /** \return what TCP connections draw, from streams of this guest's own. */
    Ptr<ColoTcpVariation> MakeVariation() const;

    /**
     * \return the TCP sockets of this guest; aborts if one was made by another factory
     */
    std::vector<Ptr<ColoTcpSocket>> GetSockets() const;

    /**
     * \param primary the guest to copy
     * \return the clones of its bound sockets
     */
    TwinMap CloneSockets(const ColoGuest& primary);

    /**
     * Find those of our sockets that can become copies; the others vanish.
     * \param originals the primary's bound sockets
     * \return the clones to be
     */
    TwinMap MatchSockets(const std::vector<Ptr<ColoTcpSocket>>& originals);

    /**
     * \param original a socket of the primary
     * \param listeners this guest's
     * \return a new socket with the callbacks that a connection of this kind starts with
     */
    Ptr<ColoTcpSocket> MakeTwin(const ColoTcpSocket& original, const ListenerMap& listeners) const;

    /**
     * \param primary the guest to copy
     * \param twins the clones of its sockets
     */
    void CloneApplications(const ColoGuest& primary, TwinMap twins);

    Ptr<Node> m_node;                                 //!< the guest
    Ptr<ColoTcpSocketFactory> m_tcp;                  //!< makes its sockets
    Ptr<ColoTcpVariation> m_variation;                //!< what connections draw, once installed
    Ptr<RandomVariableStream> m_isn;                  //!< draws ISNs
    Ptr<RandomVariableStream> m_segmentSize;          //!< attribute SegmentSize
    bool m_announceSegmentSize;                       //!< attribute AnnounceSegmentSize
    Ptr<RandomVariableStream> m_delAckCount;          //!< attribute DelAckCount
    Ptr<RandomVariableStream> m_delAckTimeout;        //!< attribute DelAckTimeout
    double m_nagle;                                   //!< attribute Nagle
    Ptr<RandomVariableStream> m_timestampOffset;      //!< attribute TimestampOffset
    Ptr<RandomVariableStream> m_ephemeralPort;        //!< attribute EphemeralPort
    TypeId m_congestionControl;                       //!< of its sockets
    bool m_isPrimary;                                 //!< role
    Time m_pausedAt;                                  //!< when Pause() was called
    CloneReport m_report;                             //!< of the present CloneFrom()
    TracedCallback<> m_pausedTrace;                   //!< trace source Paused
    TracedCallback<Time> m_resumedTrace;              //!< trace source Resumed
    TracedCallback<const CloneReport&> m_clonedTrace; //!< trace source Cloned
};

} // namespace ns3

#endif /* COLO_GUEST_H */
