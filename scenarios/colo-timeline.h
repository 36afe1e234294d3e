/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TIMELINE_H
#define COLO_TIMELINE_H

#include "ns3/colo-helper.h"

#include <cstdint>
#include <functional>
#include <string>

namespace ns3
{

/**
 * What happens to protected pairs, as lines of timeline.jsonl in the order of time: an object each
 * with t_ns, pair, event and
 *
 *     hold        side, flow, seq, bytes, held_ns: a packet of the primary begins to wait;
 *                 held_ns is how long it has been at the host by then
 *     release     side, flow, seq, bytes, held_ns, reason: it leaves, having waited or not
 *     resend      likewise: a copy leaves
 *     drop        likewise: a packet of the primary will never leave, or its copy has left
 *     mismatch    flow, position, reason; primary and secondary, each an object with the guest's
 *                 packet as the comparison saw it: frame (hex, 2 KiB at most), bytes (of all of
 *                 it). The secondary's has the primary's numbers. Who never sent any has none.
 *     checkpoint  phase (requested, paused, committed, resumed), epoch that it begins, reason
 *     pause       guest (primary, secondary)
 *     resume      guest, paused_ns
 *     stale       host (primary, secondary), bytes: a frame of another epoch came too late
 *     failover    host (primary, secondary), step: peer-lost (it asks the arbiter), alone (it was
 *                 let), take-over (it speaks), fenced (it was not let)
 */
class ColoTimeline
{
  public:
    /** \param write is given each line with its end. */
    explicit ColoTimeline(std::function<void(const std::string& line)> write);

    ColoTimeline(const ColoTimeline&) = delete;
    ColoTimeline& operator=(const ColoTimeline&) = delete;

    /**
     * \param index of the pair, for its lines.
     * \param pair is watched from now on, as long as this lives.
     */
    void Watch(uint32_t index, const ColoPair& pair);
    /**
     * \param pair its index.
     * \param step see above.
     * \param host see above.
     */
    void NoteFailover(uint32_t pair, const char* step, const char* host);

  private:
    void WatchRemus(uint32_t index, Ptr<ColoRemus> remus);
    void WatchGuest(uint32_t pair, Ptr<ColoGuest> guest, const char* role);
    void WatchProxy(uint32_t pair, Ptr<ColoProxy> proxy, const char* role);
    void Line(uint32_t pair, const char* event, const std::string& fields);
    void NoteVerdict(uint32_t pair, const ColoVerdict& verdict);
    void NoteAction(uint32_t pair, const ColoProxy& proxy, uint32_t actions);
    void NotePhase(uint32_t pair, const char* phase, uint32_t epoch, colo_reason reason);

    std::function<void(const std::string&)> m_write;
};

} // namespace ns3

#endif /* COLO_TIMELINE_H */
