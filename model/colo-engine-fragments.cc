/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What the engine does about datagrams that come in fragments.
#include "colo-engine.h"

namespace ns3
{

/** \return the whole datagram, null if something of it is still to come. */
std::unique_ptr<ColoFrame>
ColoEngine::PutTogether(std::unique_ptr<ColoFrame> fragment, uint64_t nowNs, colo_out& out)
{
    ColoReassembly::Result result = m_reassembly.Add(std::move(fragment), nowNs);
    Discard(std::move(result.lost), COLO_DROP_FRAGMENT, out);
    return std::move(result.whole);
}

/** Of what is only observed these are copies, of which the room knows nothing. */
void
ColoEngine::Discard(ColoReassembly::Fragments fragments, colo_reason reason, colo_out& out)
{
    const colo_side observed = m_node.role == COLO_ROLE_PRIMARY ? COLO_INBOUND : COLO_PRIMARY;
    for (auto& fragment : fragments)
    {
        if (fragment->GetSide() != observed)
        {
            colo_packet* packet = &fragment.release()->m_packet;
            packet->reason = reason;
            colo_queue_push(&out.drop, packet);
        }
    }
}

/** \return the frame if it was put together here, which costs nothing if none was. */
ColoWholeFrame*
ColoEngine::FindWhole(ColoFrame& frame)
{
    return m_wholes ? dynamic_cast<ColoWholeFrame*>(&frame) : nullptr;
}

/** Whole datagrams are no frames of the room's. \return false if it is none. */
bool
ColoEngine::TellFragments(ColoFrame& frame,
                          void (ColoEngineRoom::*tell)(std::unique_ptr<ColoFrame>))
{
    ColoWholeFrame* whole = FindWhole(frame);
    if (!whole)
    {
        return false;
    }
    m_wholes--;
    for (auto& fragment : whole->Split())
    {
        fragment->m_packet.reason = whole->m_packet.reason;
        (m_room->*tell)(std::move(fragment));
    }
    return true;
}

} // namespace ns3
