/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_BASELINE_PROXY_H
#define COLO_BASELINE_PROXY_H

#include "colo-primary-proxy.h"

#include <array>
#include <map>

namespace ns3
{

/**
 * \ingroup colo
 *
 * What COLO is measured against: a proxy of the same place, costs and checkpoints that does not
 * compare streams but packets, each guest's n-th of a connection with the other's n-th. Whatever
 * differs is a mismatch at once. This comparison is the model's own and no part of COLO; the
 * sequence fix on the secondary host, and the checkpoint protocol, are the core's.
 *
 * Never looked at are the addresses of the link, IP identifications, hop limits, checksums, and
 * the clocks in TCP timestamps. Frames of the link and fragments of IP packets leave as they come.
 */
class ColoBaselineProxy : public ColoPrimaryProxy
{
  public:
    /** What of a packet counts. */
    enum Compare
    {
        SEGMENT, //!< length, bytes, SYN, FIN and RST; of acks without data nothing
        PACKET   //!< also sequence number, ack, window, flags, options, and that acks are there
    };

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    bool CheckpointEvent(enum colo_node_event event, uint32_t epoch) override;
    colo_reason GetCause() const override;
    const colo_node_stats& GetStatistics() const override;

  protected:
    void DoDispose() override;
    void Judge(std::unique_ptr<Held> frame) override;

  private:
    struct Before
    {
        bool operator()(const colo_key& a, const colo_key& b) const;
    };

    /** A frame that waits for the other guest's, in the order of all that wait. */
    struct Waiting
    {
        uint64_t number;
        bool isCompared; //!< else it leaves when those before it have left
        bool hadToWait;
        std::unique_ptr<Held> frame;
    };

    /** Is there only while something of it waits. */
    struct Connection
    {
        std::array<std::deque<Waiting>, 2> queues; //!< by side
        bool isDiverged{false};                    //!< holds all until the next commit
    };

    bool IsCompared(const Held& frame) const;
    /** \return why two frames differ; COLO_REASON_NONE if they do not. */
    colo_reason FindDifference(const Held& primary, const Held& secondary) const;
    void Match(Connection& connection);
    void Ask(const Held& frame, colo_reason reason, const ColoDiffering& differing);
    void Settle(colo_reason reason);
    bool MayCompare() const;
    void LeaveFirst(std::deque<Waiting>& queue, colo_reason reason);
    void Leave(std::unique_ptr<Held> frame, colo_reason reason);
    void ArmTimeout(Time delay);
    void TimeoutOver();

    Compare m_compare;
    std::map<colo_key, Connection, Before> m_connections;
    uint64_t m_numbers{0};
    colo_reason m_cause{COLO_REASON_NONE};
    colo_node_stats m_stats{};
    EventId m_timeoutEvent;
};

} // namespace ns3

#endif /* COLO_BASELINE_PROXY_H */
