/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CHECKPOINT_LINK_H
#define COLO_CHECKPOINT_LINK_H

#include "colo-checkpoint-end.h"
#include "colo-link-device.h"

#include "ns3/ipv4-address.h"
#include "ns3/object.h"
#include "ns3/socket.h"

#include <cstdint>
#include <utility>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The link on which the hosts of protected pairs move checkpoints (eth2), and the hosts' TCP on
 * it. Rate, delay, loss and reordering of the link act on checkpoints, and all pairs share it.
 * Each pair has a connection of its own, so that a state which is under way delays the messages of
 * another pair only as far as both need the link.
 *
 * Segments and frames are of up to 64 KiB, as they are in real hosts between TSO and GRO: so a
 * state costs some ten segments a MiB to simulate, and one loss is that of a whole such segment.
 * Both hosts know each other's address from the start, and the first segments of a connection
 * leave together: all is as in a connection that has moved states before.
 */
class ColoCheckpointLink : public Object
{
  public:
    /** A pair's connection: the end of the host that is primary, that of the other one. */
    using Ends = std::pair<Ptr<ColoCheckpointEnd>, Ptr<ColoCheckpointEnd>>;

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Take a link, and give its hosts what they need to speak IPv4 on it.
     * \param eth2 the primary host's end, the secondary host's end; used for nothing else.
     */
    void Install(const ColoLinkDevice::Ends& eth2);

    /**
     * Begin a pair's connection. It is there after a round trip.
     * \param pair index of the pair, that has none, or one that was broken.
     * \param isReversed whether the secondary host of Install() is the primary of this pair now.
     * \return its ends.
     */
    Ends Open(uint16_t pair, bool isReversed = false) const;

    /** \return the link. */
    const ColoLinkDevice::Ends& GetDevices() const;

    /**
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream) const;

  protected:
    void DoDispose() override;

  private:
    Ptr<Socket> MakeSocket(Ptr<ColoLinkDevice> device) const;
    uint32_t GetBufferSize() const;

    ColoLinkDevice::Ends m_eth2;
    uint32_t m_segmentSize;
    uint32_t m_bufferSize;
    uint32_t m_initialCwnd;
    uint16_t m_port;
};

} // namespace ns3

#endif /* COLO_CHECKPOINT_LINK_H */
