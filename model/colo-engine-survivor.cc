/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// How the engine of a host begins beside one that has survived a failover (rule fix-failover).
#include "colo-engine.h"
#include "colo_failover.h"

namespace ns3
{

void
ColoEngine::Join()
{
    colo_node_join(&m_node);
}

/** The core gives the new node the survivor's limits, but these are the other role's. */
void
ColoEngine::Succeed(const ColoEngine& survivor, const colo_node_stats& before, uint64_t nowNs)
{
    const colo_config own = m_node.config;
    colo_node_succeed(&m_node, &survivor.m_node, nowNs);
    m_node.config = own;
    m_node.stats = before;
}

void
ColoEngine::FixLike(const ColoEngine& survivor, uint64_t nowNs)
{
    for (const list_head* list : {&survivor.m_node.open, &survivor.m_node.closed})
    {
        for (const list_head* at = list->next; at != list; at = at->next)
        {
            const auto* original =
                reinterpret_cast<const colo_seqfix*>(list_entry(at, const colo_conn, age));
            colo_seqfix* copy = m_fixes.Insert(original->conn.key);
            colo_seqfix_init(copy, &m_node, &original->conn.key, original->conn.touched_ns);
            const colo_conn conn = copy->conn;
            *copy = *original;
            copy->conn = conn;
            copy->conn.epoch += original->conn.epoch - survivor.m_node.epoch;
            copy->waiting.tail = nullptr; // a state holds no packets
            colo_conn_set_closed(&copy->conn, original->conn.closed);
        }
    }
    colo_out out;
    colo_out_init(&out);
    colo_node_fail_over(&m_node, nowNs, &out);
}

void
ColoEngine::SetRoom(ColoEngineRoom& room)
{
    m_room = &room;
}

} // namespace ns3
