/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-engine.h"

namespace ns3
{

namespace
{

colo_packet*
GetFirst(const list_head& list)
{
    return list_empty(&list) ? nullptr : list_first_entry(&list, colo_packet, held);
}

colo_packet*
GetLast(const list_head& list)
{
    return list_empty(&list) ? nullptr : list_entry(list.prev, colo_packet, held);
}

} // namespace

ColoDiffering
ColoEngine::FindDiffering(const colo_mismatch& mismatch) const
{
    colo_packet* primary = nullptr;
    colo_packet* secondary = nullptr;
    switch (mismatch.reason)
    {
    case COLO_MISMATCH_TIMEOUT_DATA:
    case COLO_MISMATCH_TIMEOUT_ACK:
        primary = GetFirst(m_node.held);
        break;
    case COLO_MISMATCH_EXTRA:
        secondary = GetFirst(m_node.extra);
        break;
    case COLO_MISMATCH_BYTES:
    case COLO_MISMATCH_FIN:
    case COLO_MISMATCH_RST:
    case COLO_MISMATCH_SYN_OPTIONS:
        if (mismatch.conn->type == COLO_CONN_STREAM)
        {
            const auto& flow = reinterpret_cast<const colo_flow&>(*mismatch.conn);
            primary = flow.stream.p_cursor;
            secondary = colo_queue_head(&flow.stream.s_queue);
        }
        else if (mismatch.conn->type == COLO_CONN_DATAGRAM)
        {
            const auto& flow = reinterpret_cast<const colo_datagrams&>(*mismatch.conn);
            primary = flow.p_cursor;
            secondary = GetLast(m_node.extra); // the latest that overtook it
        }
        break;
    default: // no packet of its own asked for the checkpoint
        return {};
    }
    const auto find = [&mismatch](colo_packet* packet) {
        return packet && packet->conn == mismatch.conn ? ColoFrame::From(packet) : nullptr;
    };
    return {find(primary), find(secondary)};
}

} // namespace ns3
