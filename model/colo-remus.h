/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REMUS_H
#define COLO_REMUS_H

#include "colo-bridge.h"
#include "colo-checkpoint-link.h"
#include "colo-checkpointer.h"
#include "colo-guest.h"
#include "colo-memory.h"
#include "colo-proxy.h"

#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <deque>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * What COLO is measured against: Remus, on the primary host. Only one guest runs. All that it
 * sends is buffered; every interval it is paused, what it changed is copied aside, and it goes on;
 * the copy moves to the other host in the background, and once that has confirmed it, what the
 * guest had sent up to the pause leaves. A next checkpoint waits for that.
 *
 * The other host keeps the state and does nothing with it: no guest is cloned, nothing fails over.
 */
class ColoRemus : public Object
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Begin to work.
     * \param bridge br0, with the tap.
     * \param tap the port to the guest.
     * \param guest the only one, which has a ColoMemory.
     * \param tapDelay of the guest's link: how long frames are under way to it.
     * \param ends the primary host's end of the checkpoint link, the other host's.
     * \param costs whose Overhead and DeviceState hold here, too.
     */
    void Install(Ptr<ColoBridge> bridge,
                 Ptr<NetDevice> tap,
                 Ptr<ColoGuest> guest,
                 Time tapDelay,
                 const ColoCheckpointLink::Ends& ends,
                 Ptr<const ColoCheckpointer> costs);

    /** \return counters: released_packets, released_bytes, held_packets, checkpoints. */
    const colo_node_stats& GetStatistics() const;

  protected:
    void DoDispose() override;

  private:
    /** A frame of the guest's. */
    struct Frame
    {
        Ptr<const Packet> packet;
        uint16_t protocol;
        Address source;
        Address destination;
        Time arrived;
    };

    bool FromGuest(Ptr<NetDevice> port,
                   Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination);
    bool ToGuest(Ptr<NetDevice> port,
                 Ptr<const Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination);
    void Begin();
    void Freeze();
    void Paused();
    void GoOn();
    void Confirm(const ColoCheckpointMessage& message);
    void Confirmed(const ColoCheckpointMessage& message);
    void Release(const Frame& frame);

    Time m_interval;
    Time m_copyTimePerPage;
    Time m_overhead;
    uint64_t m_deviceState{0};
    Time m_tapDelay;
    uint32_t m_hostId{0};
    Ptr<ColoBridge> m_bridge;
    Ptr<NetDevice> m_tap;
    Ptr<ColoGuest> m_guest;
    Ptr<ColoMemory> m_memory;
    ColoCheckpointLink::Ends m_ends;
    std::vector<Frame> m_buffer;  //!< of the epoch that runs
    std::vector<Frame> m_closed;  //!< of the one before, until it is confirmed
    std::vector<Frame> m_inbound; //!< while the guest stands still
    bool m_isStopped{false};      //!< the guest gets nothing
    ColoCheckpoint m_current{};
    colo_node_stats m_stats{};
    EventId m_event;
    TracedCallback<const ColoCheckpoint&> m_checkpointTrace;
    TracedCallback<const ColoVerdict&> m_verdictTrace;
};

} // namespace ns3

#endif /* COLO_REMUS_H */
