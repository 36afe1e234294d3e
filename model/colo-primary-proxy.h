/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PRIMARY_PROXY_H
#define COLO_PRIMARY_PROXY_H

#include "colo-proxy.h"

#include <deque>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The proxy on the primary host, in br0's forwarding path: takes the primary guest's frames out,
 * holds them until the secondary has sent the same bytes, mirrors what comes for the guest to
 * sec_dev, and asks for a checkpoint when the guests differ. Its kcolo thread wakes up, then works
 * through its queue at a given cost a frame.
 */
class ColoPrimaryProxy : public ColoProxy
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    bool CheckpointEvent(enum colo_node_event event, uint32_t epoch) override;
    void StopDelivery() override;
    void StartDelivery() override;
    /** \return counters of what was decided. */
    virtual const colo_node_stats& GetStatistics() const;

  protected:
    /** Decide on a frame, which kcolo has come to; one of COLO_INBOUND is only to learn from. */
    virtual void Judge(std::unique_ptr<Held> frame);
    /** A frame of the primary's begins to wait. */
    void TraceHold(const Held& frame);
    void Send(const Held& frame, const uint8_t* bytes, uint32_t size);

    void DoDispose() override;
    void NotifyConstructionCompleted() override;
    Ptr<ColoBridge> FindBridge(Ptr<ColoHost> host) const override;
    void Reset() override;
    colo_role GetRole() const override;
    void Configure(colo_config& config) const override;
    void FromGuest(std::unique_ptr<Held> frame) override;
    void FromSecDev(const colo_shim& shim, std::unique_ptr<Held> frame) override;
    void ToGuest(std::unique_ptr<Held> frame) override;
    colo_side GetSecDevSide(const colo_shim& shim) const override;

    void Release(std::unique_ptr<ColoFrame> frame) override;
    void Drop(std::unique_ptr<ColoFrame> frame) override;
    void Emit(const ColoFrame& frame, std::vector<uint8_t> bytes) override;
    void Remirror(std::vector<uint8_t> bytes) override;

  private:
    void Deliver(std::unique_ptr<Held> frame);
    void Enqueue(std::unique_ptr<Held> frame);
    Time GetCost(const Held& frame) const;
    void Work();
    void JudgeNext();
    void JudgeAll();
    void NoteLeaves(const ColoFrame& frame);

    Time m_intervalMin;
    Time m_intervalMax;
    colo_ack_policy m_ackPolicy;
    uint32_t m_reorderWindow;
    bool m_holdMalformed;
    uint32_t m_flowHeldMax;
    uint32_t m_nodeHeldMax;
    Time m_wakeup;
    Time m_costPerFrame;
    Time m_costPerKib;

    std::deque<std::unique_ptr<Held>> m_kcoloQueue; //!< what softirq has left for kcolo
    EventId m_kcoloEvent;
    std::deque<std::unique_ptr<Held>> m_inboundDuringPause;
    const ColoFrame* m_judged{nullptr}; //!< the primary's, if Hold is traced; null once it left
    TracedCallback<const ColoVerdict&> m_holdTrace;
};

} // namespace ns3

#endif /* COLO_PRIMARY_PROXY_H */
