/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-engine.h"

#include <arpa/inet.h>
#include <cstring>
#include <fmt/format.h>
#include <string_view>

namespace ns3
{

ColoFrame::ColoFrame(colo_side side, std::vector<uint8_t> bytes)
    : m_packet{},
      m_bytes(std::move(bytes))
{
    m_packet.frame = this;
    m_packet.head = m_bytes.data();
    m_packet.head_len = m_bytes.size();
    m_packet.frame_len = m_bytes.size();
    colo_packet_parse(&m_packet, side, &m_key);
}

const std::vector<uint8_t>&
ColoFrame::GetBytes() const
{
    return m_bytes;
}

std::vector<uint8_t>
ColoFrame::GetEditedBytes() const
{
    std::vector<uint8_t> bytes = m_bytes;
    colo_edit_apply(&m_packet, bytes.data(), COLO_CHECKSUM_FULL);
    return bytes;
}

bool
ColoFrame::IsEdited() const
{
    return m_packet.edit.mask != 0;
}

const colo_packet&
ColoFrame::GetPacket() const
{
    return m_packet;
}

colo_side
ColoFrame::GetSide() const
{
    return static_cast<colo_side>(m_packet.side);
}

const colo_key&
ColoFrame::GetKey() const
{
    return m_key;
}

bool
ColoFrame::IsSyn() const
{
    return m_packet.kind == COLO_KIND_TCP && (m_packet.tcp_flags & COLO_TCP_SYN);
}

ColoFrame*
ColoFrame::From(colo_packet* packet)
{
    return static_cast<Linked*>(packet)->frame;
}

ColoEngine::ColoEngine(uint16_t id,
                       colo_role role,
                       const colo_config& config,
                       uint64_t nowNs,
                       ColoEngineRoom& room,
                       std::size_t connectionsMax)
    : m_room(room),
      m_connectionsMax(connectionsMax)
{
    colo_node_init(&m_node, id, role, &config, nowNs);
}

ColoEngine::~ColoEngine()
{
    for (list_head* list : {&m_node.held, &m_node.extra, &m_node.kept})
    {
        while (!list_empty(list))
        {
            colo_packet* packet = list_first_entry(list, colo_packet, held);
            list_del_init(&packet->held);
            delete ColoFrame::From(packet);
        }
    }
}

std::size_t
ColoEngine::Hash::operator()(const colo_key& key) const
{
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&key), sizeof(key)});
}

bool
ColoEngine::Equal::operator()(const colo_key& a, const colo_key& b) const
{
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

void
ColoEngine::InitEntry(colo_flow* flow, colo_node* node, const colo_key& key, uint64_t nowNs)
{
    colo_flow_init(flow, node, &key, nowNs);
}

void
ColoEngine::InitEntry(colo_seqfix* fix, colo_node* node, const colo_key& key, uint64_t nowNs)
{
    colo_seqfix_init(fix, node, &key, nowNs);
}

template <typename Entry>
Entry*
ColoEngine::Find(Table<Entry>& table, const colo_key& key, uint64_t nowNs, bool make)
{
    auto found = table.find(key);
    if (found != table.end())
    {
        return found->second.get();
    }
    if (!make || !MakeSpace())
    {
        return nullptr;
    }
    auto entry = std::make_unique<Entry>();
    InitEntry(entry.get(), &m_node, key, nowNs);
    return table.emplace(key, std::move(entry)).first->second.get();
}

bool
ColoEngine::MakeSpace()
{
    if (GetConnections() < m_connectionsMax)
    {
        return true;
    }
    colo_conn* idle = colo_node_evict(&m_node);
    if (idle)
    {
        Forget(*idle);
    }
    return idle;
}

void
ColoEngine::Forget(const colo_conn& conn)
{
    const colo_key key = conn.key;
    if (m_node.role == COLO_ROLE_PRIMARY)
    {
        m_flows.erase(key);
    }
    else
    {
        m_fixes.erase(key);
    }
}

void
ColoEngine::Collect(uint64_t nowNs)
{
    while (colo_conn* conn = colo_node_collect(&m_node, nowNs))
    {
        Forget(*conn);
    }
}

void
ColoEngine::Compare(ColoFrame& frame, uint64_t nowNs, colo_out& out)
{
    colo_packet* packet = &frame.m_packet;
    if (packet->kind != COLO_KIND_TCP)
    {
        colo_node_uncompared(&m_node, packet, nowNs, &out);
    }
    else if (colo_flow* flow = Find(m_flows, frame.m_key, nowNs, true))
    {
        colo_flow_input(flow, packet, nowNs, &out);
    }
    else
    {
        packet->reason = COLO_DROP_LIMIT;
        colo_queue_push(&out.drop, packet);
    }
}

void
ColoEngine::Fix(ColoFrame& frame, uint64_t nowNs, colo_out& out)
{
    colo_packet* packet = &frame.m_packet;
    colo_seqfix* fix = nullptr;
    if (packet->kind == COLO_KIND_TCP)
    {
        fix = Find(m_fixes, frame.m_key, nowNs, colo_seqfix_wanted(&m_node, packet));
    }
    if (fix)
    {
        colo_seqfix_input(fix, packet, nowNs, &out);
    }
    else
    {
        packet->reason = COLO_RELEASE_UNFIXED;
        colo_queue_push(&out.release, packet);
    }
}

void
ColoEngine::Input(std::unique_ptr<ColoFrame> frame, uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    ColoFrame& taken = *frame.release(); // the core hands it back
    if (m_node.role == COLO_ROLE_PRIMARY)
    {
        Compare(taken, nowNs, out);
    }
    else
    {
        Fix(taken, nowNs, out);
    }
    Deliver(out);
    Collect(nowNs);
}

void
ColoEngine::Observe(ColoFrame& frame, uint64_t nowNs)
{
    if (frame.m_packet.kind != COLO_KIND_TCP)
    {
        return;
    }
    colo_out out;
    colo_out_init(&out);
    if (m_node.role == COLO_ROLE_PRIMARY)
    {
        if (colo_flow* flow = Find(m_flows, frame.m_key, nowNs, true))
        {
            colo_flow_input(flow, &frame.m_packet, nowNs, &out);
        }
    }
    else if (frame.IsSyn())
    {
        if (colo_seqfix* fix = Find(m_fixes, frame.m_key, nowNs, true))
        {
            colo_seqfix_hint(fix, &frame.m_packet, nowNs, &out);
        }
    }
    Deliver(out);
}

bool
ColoEngine::Event(enum colo_node_event event, uint32_t epoch, uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    bool fits = colo_node_event(&m_node, event, epoch, nowNs, &out);
    Deliver(out);
    return fits;
}

uint64_t
ColoEngine::GetDeadline() const
{
    return colo_node_deadline(&m_node);
}

void
ColoEngine::Poll(uint64_t nowNs)
{
    while (GetDeadline() <= nowNs)
    {
        colo_out out;
        colo_out_init(&out);
        colo_node_poll(&m_node, nowNs, &out);
        Deliver(out);
    }
}

void
ColoEngine::FailOver(uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    colo_node_fail_over(&m_node, nowNs, &out);
    Deliver(out);
}

const colo_node&
ColoEngine::GetNode() const
{
    return m_node;
}

std::size_t
ColoEngine::GetConnections() const
{
    return m_flows.size() + m_fixes.size();
}

// The room may come back into the engine from any of its functions, so nothing here is the
// engine's own but what is still in out.
void
ColoEngine::Deliver(colo_out& out)
{
    if (out.mismatch.reason != COLO_REASON_NONE)
    {
        m_room.Mismatch(out.mismatch);
    }
    while (colo_packet* packet = colo_queue_pop(&out.release))
    {
        std::unique_ptr<ColoFrame> frame(ColoFrame::From(packet));
        if (frame->IsEdited())
        {
            colo_edit_apply(packet, frame->m_bytes.data(), COLO_CHECKSUM_FULL);
        }
        m_room.Release(std::move(frame));
    }
    if (out.resend)
    {
        m_room.Resend(*ColoFrame::From(out.resend));
    }
    while (colo_packet* packet = colo_queue_pop(&out.drop))
    {
        m_room.Drop(std::unique_ptr<ColoFrame>(ColoFrame::From(packet)));
    }
    if (out.actions)
    {
        m_room.Act(out.actions, out.message_epoch);
    }
}

std::string
ColoKeyToString(const colo_key& key)
{
    char guest[INET6_ADDRSTRLEN] = "";
    char peer[INET6_ADDRSTRLEN] = "";
    int family = key.family == 6 ? AF_INET6 : AF_INET;
    inet_ntop(family, key.guest, guest, sizeof(guest));
    inet_ntop(family, key.peer, peer, sizeof(peer));
    const char* form = key.family == 6 ? "[{}]:{} > [{}]:{}" : "{}:{} > {}:{}";
    return fmt::format(fmt::runtime(form), guest, key.guest_port, peer, key.peer_port);
}

} // namespace ns3
