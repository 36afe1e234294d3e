/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-engine.h"

#include "colo-segment.h"
#include "colo_icmp.h"
#include "colo_remirror.h"

#include <algorithm>
#include <random>

namespace ns3
{

ColoEngine::ColoEngine(uint16_t id,
                       colo_role role,
                       const colo_config& config,
                       uint64_t nowNs,
                       ColoEngineRoom& room,
                       std::size_t connectionsMax)
    : m_room(&room),
      m_connectionsMax(std::min(connectionsMax, ColoTable<colo_flow>::SIZE_MAX_ALL))
{
    colo_config own = config;
    if (!own.digest_key)
    {
        std::random_device random;
        own.digest_key = static_cast<uint64_t>(random()) << 32 | random();
    }
    colo_node_init(&m_node, id, role, &own, nowNs);
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

void
ColoEngine::InitEntry(colo_flow& flow, const colo_key& key, uint64_t nowNs)
{
    colo_flow_init(&flow, &m_node, &key, nowNs);
}

void
ColoEngine::InitEntry(colo_datagrams& datagrams, const colo_key& key, uint64_t nowNs)
{
    colo_datagrams_init(&datagrams, &m_node, &key, nowNs);
}

void
ColoEngine::InitEntry(colo_seqfix& fix, const colo_key& key, uint64_t nowNs)
{
    colo_seqfix_init(&fix, &m_node, &key, nowNs);
}

template <typename Entry>
inline Entry*
ColoEngine::Find(ColoTable<Entry>& table, const Arrived& arrived, uint64_t nowNs)
{
    Entry* entry = table.Find(arrived.key, arrived.hash);
    return entry ? entry : Make(table, arrived.key, nowNs);
}

/** \return null if there is no space. */
template <typename Entry>
[[gnu::noinline]] Entry*
ColoEngine::Make(ColoTable<Entry>& table, const colo_key& key, uint64_t nowNs)
{
    if (!MakeSpace())
    {
        return nullptr;
    }
    Entry* entry = table.Insert(key);
    InitEntry(*entry, key, nowNs);
    return entry;
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
        Forget(idle);
    }
    return idle;
}

void
ColoEngine::Forget(colo_conn* conn)
{
    switch (conn->type)
    {
    case COLO_CONN_STREAM:
        m_flows.Erase(container_of(conn, colo_flow, conn));
        break;
    case COLO_CONN_DATAGRAM:
        m_datagrams.Erase(container_of(conn, colo_datagrams, conn));
        break;
    case COLO_CONN_SEQFIX:
        m_fixes.Erase(container_of(conn, colo_seqfix, conn));
        break;
    }
}

// Their time is seconds or days.
void
ColoEngine::Collect(uint64_t nowNs)
{
    m_collectNs = nowNs + COLLECT_INTERVAL_NS;
    while (colo_conn* conn = colo_node_collect(&m_node, nowNs))
    {
        Forget(conn);
    }
}

void
ColoEngine::Compare(colo_packet* packet, const Arrived& arrived, uint64_t nowNs, colo_out& out)
{
    switch (colo_node_class(&m_node, packet))
    {
    case COLO_CLASS_STREAM:
        if (colo_flow* flow = Find(m_flows, arrived, nowNs))
        {
            colo_flow_input(flow, packet, nowNs, &out);
            return;
        }
        break;
    case COLO_CLASS_DATAGRAM:
        if (colo_datagrams* datagrams = Find(m_datagrams, arrived, nowNs))
        {
            colo_datagrams_input(datagrams, packet, nowNs, &out);
            return;
        }
        break;
    case COLO_CLASS_UNCOMPARED:
        colo_node_uncompared(&m_node, packet, nowNs, &out);
        return;
    }
    packet->reason = COLO_DROP_LIMIT;
    colo_queue_push(&out.drop, packet);
}

void
ColoEngine::Fix(colo_packet* packet, const Arrived& arrived, uint64_t nowNs, colo_out& out)
{
    colo_key quoted = arrived.key;
    if (packet->kind == COLO_KIND_TCP)
    {
        const bool make = colo_seqfix_wanted(&m_node, packet);
        if (colo_seqfix* fix =
                make ? Find(m_fixes, arrived, nowNs) : m_fixes.Find(arrived.key, arrived.hash))
        {
            colo_seqfix_input(fix, packet, nowNs, &out);
            return;
        }
    }
    else if (packet->side == COLO_INBOUND && colo_icmp_quoted_key(packet, &quoted))
    {
        if (colo_seqfix* fix = m_fixes.Find(quoted))
        {
            colo_seqfix_icmp(fix, packet, &out);
            return;
        }
    }
    packet->reason = COLO_RELEASE_UNFIXED;
    colo_queue_push(&out.release, packet);
}

/** \return whether a fragment may be one of TCP; behind an extension header there may be any. */
static bool
MayBeTcp(const colo_key& key)
{
    return key.protocol == COLO_PROTOCOL_TCP ||
           (key.family == 6 && key.protocol != COLO_PROTOCOL_UDP &&
            key.protocol != COLO_PROTOCOL_ICMPV6);
}

void
ColoEngine::Input(std::unique_ptr<ColoFrame> frame, uint64_t nowNs)
{
    Arrived arrived;
    frame->Parse(arrived.key);
    Judge(std::move(frame), arrived, nowNs);
}

/** \return in which table a frame's connection will be looked for, probably. */
inline colo_conn_type
ColoEngine::GetTable(const ColoFrame& frame) const
{
    if (m_node.role == COLO_ROLE_SECONDARY)
    {
        return COLO_CONN_SEQFIX;
    }
    return frame.m_packet.kind == COLO_KIND_TCP ? COLO_CONN_STREAM : COLO_CONN_DATAGRAM;
}

/** First all lines of slots, then all entries: so their misses overlap. */
void
ColoEngine::Prefetch(const std::unique_ptr<ColoFrame>* frames,
                     std::size_t count,
                     Arrived* arrived) const
{
    for (std::size_t i = 0; i < count; i++)
    {
        arrived[i].hash = m_hash(ColoKeyWords(arrived[i].key));
        switch (GetTable(*frames[i]))
        {
        case COLO_CONN_STREAM:
            m_flows.PrefetchLine(arrived[i].hash);
            break;
        case COLO_CONN_DATAGRAM:
            m_datagrams.PrefetchLine(arrived[i].hash);
            break;
        case COLO_CONN_SEQFIX:
            m_fixes.PrefetchLine(arrived[i].hash);
            break;
        }
    }
    for (std::size_t i = 0; i < count; i++)
    {
        switch (GetTable(*frames[i]))
        {
        case COLO_CONN_STREAM:
            m_flows.PrefetchEntry(arrived[i].hash);
            break;
        case COLO_CONN_DATAGRAM:
            m_datagrams.PrefetchEntry(arrived[i].hash);
            break;
        case COLO_CONN_SEQFIX:
            m_fixes.PrefetchEntry(arrived[i].hash);
            break;
        }
    }
}

void
ColoEngine::Input(std::unique_ptr<ColoFrame>* frames, std::size_t count, uint64_t nowNs)
{
    while (count)
    {
        Arrived arrived[BURST_MAX];
        const std::size_t burst = std::min(count, BURST_MAX);
        for (std::size_t i = 0; i < burst; i++)
        {
            frames[i]->Parse(arrived[i].key);
        }
        if (GetConnections() > CACHED_CONNECTIONS)
        {
            Prefetch(frames, burst, arrived);
        }
        for (std::size_t i = 0; i < burst; i++)
        {
            Judge(std::move(frames[i]), arrived[i], nowNs);
        }
        frames += burst;
        count -= burst;
    }
}

void
ColoEngine::Judge(std::unique_ptr<ColoFrame> frame, Arrived& arrived, uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    const bool isPrimary = m_node.role == COLO_ROLE_PRIMARY;
    if (frame->m_packet.kind == COLO_KIND_FRAGMENT && (isPrimary || MayBeTcp(arrived.key)))
    {
        frame = PutTogether(std::move(frame), nowNs, out);
        if (frame)
        {
            frame->Parse(arrived.key);
            arrived.hash = 0;
            m_wholes++;
        }
    }
    if (frame)
    {
        colo_packet* packet = &frame.release()->m_packet; // the core hands it back
        isPrimary ? Compare(packet, arrived, nowNs, out) : Fix(packet, arrived, nowNs, out);
    }
    Deliver(out, nowNs);
    if (nowNs >= m_collectNs)
    {
        Collect(nowNs);
    }
}

void
ColoEngine::Observe(ColoFrame& frame, uint64_t nowNs)
{
    Arrived arrived;
    frame.Parse(arrived.key);
    colo_out out;
    colo_out_init(&out);
    if (frame.m_packet.kind == COLO_KIND_FRAGMENT && MayBeTcp(arrived.key))
    {
        std::vector<uint8_t> bytes(frame.GetBytes(), frame.GetBytes() + frame.GetSize());
        auto copy = std::make_unique<ColoBytesFrame>(frame.GetSide(), std::move(bytes));
        std::unique_ptr<ColoFrame> whole = PutTogether(std::move(copy), nowNs, out);
        Deliver(out, nowNs);
        if (whole)
        {
            Observe(*whole, nowNs);
        }
        return;
    }
    if (frame.m_packet.kind != COLO_KIND_TCP)
    {
        return;
    }
    if (m_node.role == COLO_ROLE_PRIMARY)
    {
        if (colo_flow* flow = Find(m_flows, arrived, nowNs))
        {
            colo_flow_input(flow, &frame.m_packet, nowNs, &out);
        }
    }
    else if (frame.IsSyn())
    {
        if (colo_seqfix* fix = Find(m_fixes, arrived, nowNs))
        {
            colo_seqfix_hint(fix, &frame.m_packet, nowNs, &out);
        }
    }
    Deliver(out, nowNs);
}

bool
ColoEngine::Event(enum colo_node_event event, uint32_t epoch, uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    const uint32_t before = m_node.epoch;
    const bool fits = colo_node_event(&m_node, event, epoch, nowNs, &out);
    if (m_node.epoch != before)
    {
        Discard(m_reassembly.Forget(COLO_SECONDARY), COLO_DROP_COMMIT, out);
    }
    Deliver(out, nowNs);
    return fits;
}

uint64_t
ColoEngine::GetDeadline() const
{
    return std::min(colo_node_deadline(&m_node), m_reassembly.GetDeadline());
}

void
ColoEngine::Poll(uint64_t nowNs)
{
    while (GetDeadline() <= nowNs)
    {
        colo_out out;
        colo_out_init(&out);
        if (colo_node_deadline(&m_node) <= nowNs)
        {
            colo_node_poll(&m_node, nowNs, &out);
        }
        Discard(m_reassembly.Expire(nowNs), COLO_DROP_FRAGMENT, out);
        Deliver(out, nowNs);
    }
}

bool
ColoEngine::Heartbeat(uint32_t term, uint64_t stampNs, uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    const bool fits = colo_node_heartbeat(&m_node, term, stampNs, nowNs, &out);
    Deliver(out, nowNs);
    return fits;
}

bool
ColoEngine::LosePeer(uint64_t nowNs)
{
    colo_out out;
    colo_out_init(&out);
    const bool asks = colo_node_lose_peer(&m_node, nowNs, &out);
    Deliver(out, nowNs);
    return asks;
}

const ColoReassembly&
ColoEngine::GetReassembly() const
{
    return m_reassembly;
}

const colo_node&
ColoEngine::GetNode() const
{
    return m_node;
}

std::size_t
ColoEngine::GetConnectionBytes() const
{
    return m_flows.GetBytes() + m_datagrams.GetBytes() + m_fixes.GetBytes();
}

std::size_t
ColoEngine::GetConnections() const
{
    return m_flows.GetSize() + m_datagrams.GetSize() + m_fixes.GetSize();
}

// What a call of the core has left unfinished follows once the room has had, and freed, the rest.
void
ColoEngine::Deliver(colo_out& out, uint64_t nowNs)
{
    while (true)
    {
        if (!colo_out_is_empty(&out))
        {
            Hand(out);
        }
        if (!colo_node_is_unfinished(&m_node))
        {
            return;
        }
        colo_out_init(&out);
        colo_node_go_on(&m_node, nowNs, &out);
    }
}

// The room may come back into the engine from any of its functions. What is decided then it is
// told after what was decided before, so that frames leave in order.
inline void
ColoEngine::Hand(colo_out& out)
{
    if (m_isTelling)
    {
        m_untold.push_back(out);
        return;
    }

    struct Telling
    {
        explicit Telling(bool& flag)
            : flag(flag)
        {
            flag = true;
        }

        ~Telling()
        {
            flag = false; // should the room throw, too
        }

        bool& flag;
    } telling(m_isTelling);

    Tell(out);
    while (!m_untold.empty())
    {
        colo_out next = m_untold.front();
        m_untold.pop_front();
        Tell(next);
    }
}

void
ColoEngine::Tell(colo_out& out)
{
    if (out.mismatch.reason != COLO_REASON_NONE)
    {
        m_room->Mismatch(out.mismatch);
    }
    while (colo_packet* packet = colo_queue_pop(&out.release))
    {
        std::unique_ptr<ColoFrame> frame(ColoFrame::From(packet));
        if (packet->edit.mask || packet->gso_size)
        {
            frame->MakeLeave();
        }
        if (!m_wholes || !TellFragments(*frame, &ColoEngineRoom::Release))
        {
            m_room->Release(std::move(frame));
        }
    }
    if (out.part.packet || out.resend || out.remirror.packet)
    {
        TellCopies(out);
    }
    while (colo_packet* packet = colo_queue_pop(&out.drop))
    {
        std::unique_ptr<ColoFrame> frame(ColoFrame::From(packet));
        if (!m_wholes || !TellFragments(*frame, &ColoEngineRoom::Drop))
        {
            m_room->Drop(std::move(frame));
        }
    }
    if (out.actions)
    {
        m_room->Act({out.actions, out.message_epoch, out.message_term, out.stamp_ns});
    }
}

void
ColoEngine::TellCopies(const colo_out& out)
{
    if (out.part.packet)
    {
        for (auto& segment : ColoSegments(*out.part.packet, out.part.from, out.part.to))
        {
            Emit(out.part.packet, std::move(segment));
        }
    }
    if (out.resend)
    {
        Emit(out.resend, ColoFrame::From(out.resend)->GetEditedBytes());
    }
    if (out.remirror.packet)
    {
        std::vector<uint8_t> bytes(COLO_REMIRROR_MAX);
        bytes.resize(colo_remirror_build(&out.remirror, bytes.data()));
        m_room->Remirror(std::move(bytes));
    }
}

void
ColoEngine::Emit(colo_packet* packet, std::vector<uint8_t> bytes)
{
    const ColoFrame* frame = ColoFrame::From(packet);
    if (ColoWholeFrame* whole = FindWhole(*ColoFrame::From(packet)))
    {
        frame = &whole->GetFirst();
        frame->m_packet.reason = packet->reason;
    }
    m_room->Emit(*frame, std::move(bytes));
}

} // namespace ns3
