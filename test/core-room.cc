/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-room.h"

#include "colo_failover.h"
#include "colo_icmp.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace colo_test
{

namespace
{

const int POLLS_MAX = 100000;

const uint8_t*
ReadRest(const colo_packet* core, uint32_t offset, uint32_t* length)
{
    auto packet = reinterpret_cast<const RoomPacket*>(core);
    Require(offset >= core->head_len && offset < core->frame_len, "reads outside its frame");
    *length = uint32_t(std::min<size_t>(packet->pieceLength, core->frame_len - offset));
    return packet->rest.get() + (offset - core->head_len);
}

std::unique_ptr<uint8_t[]>
Copy(const uint8_t* bytes, size_t length)
{
    std::unique_ptr<uint8_t[]> copy(new uint8_t[length]);
    std::copy_n(bytes, length, copy.get());
    return copy;
}

} // namespace

void
Require(bool so, const char* what)
{
    if (!so)
    {
        throw Violation(what);
    }
}

FlowKey
ToFlowKey(const colo_key& key)
{
    return {reinterpret_cast<const char*>(&key), sizeof(key)};
}

RoomPacket::RoomPacket(const Bytes& bytes, size_t headLength, uint16_t gsoSize)
{
    headLength = std::min(headLength, bytes.size());
    head = Copy(bytes.data(), headLength);
    rest = Copy(bytes.data() + headLength, bytes.size() - headLength);
    // The core says what it sets and what the room has to; the rest is whatever memory held.
    memset(&core, 0xa5, sizeof(core));
    core.head = head.get();
    core.head_len = uint32_t(headLength);
    core.frame_len = uint32_t(bytes.size());
    core.gso_size = gsoSize;
}

Bytes
RoomPacket::Frame() const
{
    Bytes frame(head.get(), head.get() + core.head_len);
    frame.insert(frame.end(), rest.get(), rest.get() + core.frame_len - core.head_len);
    return frame;
}

// "P F. 5:9(4) ack 3 win 7", with the numbers as they are on the wire.
std::string
Describe(const colo_packet& packet)
{
    std::string text(1, "PSC"[packet.side]);
    if (packet.kind != COLO_KIND_TCP)
    {
        return text + " kind " + std::to_string(packet.kind) + " of " +
               std::to_string(packet.payload_len);
    }
    text += ' ';
    for (int i = 0; i < 6; i++)
    {
        text += packet.tcp_flags & 1 << i ? std::string(1, "FSRP.U"[i]) : "";
    }
    text += ' ' + std::to_string(packet.seq) + ':' +
            std::to_string(packet.seq + packet.payload_len) + '(' +
            std::to_string(packet.payload_len) + ')';
    if (packet.tcp_flags & COLO_TCP_ACK)
    {
        text += " ack " + std::to_string(packet.ack);
    }
    text += " win " + std::to_string(packet.window);
    text += packet.gso_size ? " gso " + std::to_string(packet.gso_size) : "";
    text += packet.options & COLO_OPT_WSCALE ? " wscale " + std::to_string(packet.wscale) : "";
    return text;
}

Room::Room(colo_role role, const colo_config& config)
    : m_isTold(std::getenv("COLO_TEST_TRACE"))
{
    colo_node_init(&m_node, 7, role, &config, m_now);
}

Room::~Room() = default;

colo_config
Room::DefaultConfig()
{
    colo_config config;
    colo_config_default(&config);
    config.chunk = ReadRest;
    config.digest_key = 0x0123456789abcdef;
    config.call_max = 2; // so that few packets already take several calls
    return config;
}

const colo_node&
Room::Node() const
{
    return m_node;
}

size_t
Room::Held() const
{
    return m_inCore.size();
}

size_t
Room::Connections() const
{
    return m_connections.size();
}

const std::map<const colo_packet*, std::unique_ptr<RoomPacket>>&
Room::InCore() const
{
    return m_inCore;
}

bool
Room::IsKept(const colo_packet& packet) const
{
    const list_head* kept = &m_node.kept;
    for (const list_head* at = kept->next; at != kept; at = at->next)
    {
        if (at == &packet.held)
        {
            return true;
        }
    }
    return false;
}

Room::Connection*
Room::Find(const colo_key& key, colo_conn_type type)
{
    auto found = m_connections.find({type, ToFlowKey(key)});
    return found == m_connections.end() ? nullptr : found->second.get();
}

Room::Connection&
Room::Make(const colo_key& key, colo_conn_type type)
{
    auto& entry = m_connections[{type, ToFlowKey(key)}];
    if (!entry)
    {
        entry = std::make_unique<Connection>();
        memset(entry.get(), 0xa5, sizeof(*entry));
        entry->type = type;
        if (type == COLO_CONN_STREAM)
        {
            colo_flow_init(&entry->flow, &m_node, &key, m_now);
        }
        else if (type == COLO_CONN_DATAGRAM)
        {
            colo_datagrams_init(&entry->datagrams, &m_node, &key, m_now);
        }
        else
        {
            colo_seqfix_init(&entry->fix, &m_node, &key, m_now);
        }
    }
    return *entry;
}

bool
Room::Give(colo_side side, const Bytes& frame, size_t headLength, uint16_t gso)
{
    auto packet = std::make_unique<RoomPacket>(frame, headLength, gso);
    packet->pieceLength = m_pieceLength;
    packet->number = m_given++;
    colo_kind kind = colo_packet_parse(&packet->core, side, &packet->key);
    bool primary = m_node.role == COLO_ROLE_PRIMARY;
    if (kind == COLO_KIND_FRAGMENT || (primary && side == COLO_INBOUND && kind != COLO_KIND_TCP))
    {
        return false;
    }
    Decision out;
    RoomPacket& given = *packet;
    Tell("given", '#' + std::to_string(given.number) + ' ' + Describe(given.core));
    OnGiven(given, Find(given.key, COLO_CONN_STREAM));
    if (primary && side == COLO_INBOUND)
    {
        colo_flow_input(&Make(given.key, COLO_CONN_STREAM).flow, &given.core, m_now, &out);
        Absorb(out);
        return true;
    }
    m_inCore[&given.core] = std::move(packet);
    if (primary)
    {
        Judge(given, out);
    }
    else if (!JudgeAsSecondary(given, out))
    {
        m_inCore.erase(&given.core);
        return false;
    }
    Absorb(out);
    return true;
}

void
Room::Tell(const char* what, const std::string& text) const
{
    if (m_isTold)
    {
        std::fprintf(stderr, "%12" PRIu64 " us %-8s %s\n", m_now / 1000, what, text.c_str());
    }
}

void
Room::Judge(RoomPacket& packet, colo_out& out)
{
    switch (colo_node_class(&m_node, &packet.core))
    {
    case COLO_CLASS_STREAM:
        colo_flow_input(&Make(packet.key, COLO_CONN_STREAM).flow, &packet.core, m_now, &out);
        break;
    case COLO_CLASS_DATAGRAM:
        colo_datagrams_input(&Make(packet.key, COLO_CONN_DATAGRAM).datagrams,
                             &packet.core,
                             m_now,
                             &out);
        break;
    case COLO_CLASS_UNCOMPARED:
        colo_node_uncompared(&m_node, &packet.core, m_now, &out);
        break;
    }
}

bool
Room::JudgeAsSecondary(RoomPacket& packet, colo_out& out)
{
    if (packet.core.kind == COLO_KIND_TCP)
    {
        if (!Find(packet.key, COLO_CONN_SEQFIX) && !colo_seqfix_wanted(&m_node, &packet.core))
        {
            return false;
        }
        colo_seqfix_input(&Make(packet.key, COLO_CONN_SEQFIX).fix, &packet.core, m_now, &out);
        return true;
    }
    colo_key quoted = packet.key;
    if (packet.core.side != COLO_INBOUND || !colo_icmp_quoted_key(&packet.core, &quoted))
    {
        return false;
    }
    Connection* found = Find(quoted, COLO_CONN_SEQFIX);
    if (found)
    {
        colo_seqfix_icmp(&found->fix, &packet.core, &out);
    }
    return found;
}

void
Room::Hint(const Bytes& frame)
{
    RoomPacket packet(frame, SIZE_MAX, 0);
    if (colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key) != COLO_KIND_TCP)
    {
        return;
    }
    Decision out;
    colo_seqfix_hint(&Make(packet.key, COLO_CONN_SEQFIX).fix, &packet.core, m_now, &out);
    Absorb(out);
}

bool
Room::Heartbeat(uint32_t term, uint64_t stamp_ns)
{
    Tell("beat", "term " + std::to_string(term) + " of " + std::to_string(stamp_ns / 1000));
    Decision out;
    bool fits = colo_node_heartbeat(&m_node, term, stamp_ns, m_now, &out);
    Absorb(out);
    return fits;
}

void
Room::FailOver()
{
    Decision out;
    colo_node_fail_over(&m_node, m_now, &out);
    Absorb(out);
}

bool
Room::NodeEvent(enum colo_node_event event, uint32_t epoch)
{
    Tell("event", std::to_string(event) + " epoch " + std::to_string(epoch));
    Decision out;
    bool fits = colo_node_event(&m_node, event, epoch, m_now, &out);
    Absorb(out);
    return fits;
}

void
Room::Checkpoint()
{
    if (m_node.role == COLO_ROLE_SECONDARY)
    {
        const uint32_t next = m_node.attempt + 1;
        Require(NodeEvent(COLO_EVENT_REQUEST, next), "refuses a request");
        Require(NodeEvent(COLO_EVENT_PAUSED, 0), "refuses PAUSED");
        Require(NodeEvent(COLO_EVENT_STATE, next), "refuses STATE");
        Require(NodeEvent(COLO_EVENT_LOADED, 0), "refuses LOADED");
        return;
    }
    if (m_node.state == COLO_NODE_RUNNING)
    {
        Require(NodeEvent(COLO_EVENT_REQUEST, 0), "refuses an operator's request");
    }
    while (m_node.deferred)
    {
        m_now = std::max(m_now, colo_node_deadline(&m_node));
        Poll();
    }
    Require(NodeEvent(COLO_EVENT_PAUSED, 0), "refuses PAUSED");
    const uint32_t next = m_node.attempt;
    Require(NodeEvent(COLO_EVENT_REPLY, next), "refuses REPLY");
    Require(NodeEvent(COLO_EVENT_RECEIVED, next), "refuses RECEIVED");
    Require(NodeEvent(COLO_EVENT_LOADED, next), "refuses LOADED");
}

void
Room::Poll()
{
    Decision out;
    colo_node_poll(&m_node, m_now, &out);
    Absorb(out);
}

void
Room::Wait(uint64_t nanoseconds)
{
    uint64_t until = m_now + nanoseconds;
    for (int polls = 0; colo_node_deadline(&m_node) <= until; polls++)
    {
        Require(polls < POLLS_MAX, "the deadline does not move on (liveness)");
        m_now = std::max(m_now, colo_node_deadline(&m_node));
        Poll();
    }
    m_now = until;
}

void
Room::Forget(const colo_conn* conn)
{
    Require(!conn->held && !conn->extra, "a connection that holds packets is given up");
    size_t erased = m_connections.erase({colo_conn_type(conn->type), ToFlowKey(conn->key)});
    Require(erased == 1, "a connection is given up twice");
}

void
Room::Collect()
{
    while (const colo_conn* conn = colo_node_collect(&m_node, m_now))
    {
        Forget(conn);
    }
}

void
Room::Evict()
{
    if (const colo_conn* conn = colo_node_evict(&m_node))
    {
        Forget(conn);
    }
}

std::unique_ptr<RoomPacket>
Room::TakeOut(const colo_packet* packet)
{
    auto found = m_inCore.find(packet);
    Require(found != m_inCore.end(), "a packet came out twice, or was never given (no-loss)");
    Require(list_empty(&packet->held), "a packet that came out is still on a list");
    std::unique_ptr<RoomPacket> taken = std::move(found->second);
    m_inCore.erase(found);
    return taken;
}

// What leaves must be a right frame that says what the edits say.
void
Room::Send(const RoomPacket& packet, Exit exit, uint32_t from, uint32_t to)
{
    const colo_packet& core = packet.core;
    Bytes original = packet.Frame();
    Bytes frame = original;
    bool tcp = core.kind == COLO_KIND_TCP;
    const char* const exits[] = {"leaves", "part", "resent"};
    bool quotes = core.kind == COLO_KIND_DATAGRAM && m_node.role == COLO_ROLE_SECONDARY;
    if (tcp || quotes)
    {
        colo_edit_apply(&core, frame.data(), COLO_CHECKSUM_FULL);
    }
    RoomPacket edited(frame, SIZE_MAX, core.gso_size);
    colo_packet_parse(&edited.core, colo_side(core.side), &edited.key);
    Tell(exits[int(exit)],
         '#' + std::to_string(packet.number) + ' ' + Describe(edited.core) + ' ' +
             colo_reason_name(colo_reason(core.reason)));
    Require(edited.core.kind == core.kind, "an edit changes what a packet is");
    Require(!memcmp(&edited.key, &packet.key, sizeof(packet.key)), "an edit changes the flow");
    if (tcp)
    {
        size_t l4Length = core.payload_offset - core.l4_offset + core.payload_len;
        bool wasRight = IsL4ChecksumRight(original, core.l3_offset, core.l4_offset, l4Length);
        bool isRight = IsL4ChecksumRight(frame, core.l3_offset, core.l4_offset, l4Length);
        // Extension headers hide the protocol from this check, which then says wrong to both.
        Require(isRight || !wasRight, "an edit breaks a right checksum");
        Require(edited.core.payload_len == core.payload_len, "an edit changes the length");
    }
    Require(std::equal(frame.begin() + core.payload_offset,
                       frame.end(),
                       original.begin() + core.payload_offset) ||
                quotes,
            "an edit changes the payload");
    OnSent(Sent{packet,
                std::move(frame),
                edited.core,
                exit,
                edited.core.seq + from,
                edited.core.payload_offset + from,
                to - from});
}

void
Room::Remirror(const colo_remirror& remirror)
{
    auto packet = reinterpret_cast<const RoomPacket*>(remirror.packet);
    Require(packet->core.side == COLO_SECONDARY, "the primary is remirrored");
    std::unique_ptr<uint8_t[]> memory(new uint8_t[COLO_REMIRROR_MAX]);
    uint32_t length = colo_remirror_build(&remirror, memory.get());
    Require(length <= COLO_REMIRROR_MAX, "a remirrored frame is too long");
    Bytes frame(memory.get(), memory.get() + length);
    RoomPacket built(frame, SIZE_MAX, 0);
    Require(colo_packet_parse(&built.core, COLO_INBOUND, &built.key) == COLO_KIND_TCP,
            "a remirrored frame cannot be parsed");
    Require(!memcmp(&built.key, &packet->key, sizeof(built.key)), "remirrored to another flow");
    Require(built.core.ack == remirror.ack && built.core.window == remirror.window &&
                built.core.payload_len == 0 && built.core.tcp_flags == COLO_TCP_ACK,
            "a remirrored frame says something else");
    size_t tcp = built.core.payload_offset - built.core.l4_offset;
    Require(IsL4ChecksumRight(frame, built.core.l3_offset, built.core.l4_offset, tcp),
            "a remirrored frame has a wrong checksum");
    OnRemirror(*packet, frame, built.core);
}

void
Room::Absorb(colo_out& out)
{
    if (m_node.epoch != m_epoch)
    {
        m_epoch = m_node.epoch;
        OnCommit();
    }
    while (colo_packet* core = colo_queue_pop(&out.release))
    {
        auto packet = TakeOut(core);
        Send(*packet,
             Exit::RELEASE,
             core->kind == COLO_KIND_TCP ? core->left : 0,
             core->payload_len);
    }
    if (out.part.packet)
    {
        const colo_part& part = out.part;
        Require(m_inCore.count(part.packet), "a part of a packet that left (tcp-gso)");
        Require(part.from < part.to && part.to == part.packet->left, "an empty part (tcp-gso)");
        Require(part.to < part.packet->payload_len, "a part that is all of it (tcp-gso)");
        Send(*m_inCore[part.packet], Exit::PART, part.from, part.to);
    }
    if (out.resend)
    {
        Require(m_inCore.count(out.resend), "a packet that left is sent again");
        Send(*m_inCore[out.resend], Exit::RESEND, 0, out.resend->payload_len);
    }
    if (out.remirror.packet)
    {
        Remirror(out.remirror);
    }
    while (colo_packet* core = colo_queue_pop(&out.drop))
    {
        auto packet = TakeOut(core);
        Tell("dropped",
             '#' + std::to_string(packet->number) + ' ' +
                 colo_reason_name(colo_reason(core->reason)));
        OnDropped(*packet);
    }
    if (out.mismatch.reason != COLO_REASON_NONE)
    {
        Require(out.mismatch.primary_len <= COLO_MISMATCH_BYTES_MAX &&
                    out.mismatch.secondary_len <= COLO_MISMATCH_BYTES_MAX,
                "a sample is too long");
        Tell("mismatch",
             colo_reason_name(out.mismatch.reason) +
                 (" at " + std::to_string(out.mismatch.position)));
        OnMismatch(out.mismatch);
    }
    OnActions(out);
    CheckCounts();
    if (colo_node_is_unfinished(&m_node))
    {
        Decision more;
        colo_node_go_on(&m_node, m_now, &more);
        return Absorb(more);
    }
    CheckDeadline();
    OnDone();
}

void
Room::CheckCounts()
{
    // Of each connection, the packets on the node's lists: of the primary, of the secondary.
    m_counts.clear();
    uint32_t held = 0;
    uint32_t extra = 0;
    uint32_t kept = 0;
    for (const list_head* list : {&m_node.held, &m_node.extra, &m_node.kept})
    {
        for (const list_head* at = list->next; at != list; at = at->next)
        {
            Require(at->next->prev == at && at->prev->next == at, "a list is broken");
            auto& count = m_counts[container_of(at, colo_packet, held)->conn];
            (list == &m_node.extra ? count.second : count.first)++;
            (list == &m_node.extra ? extra : held)++;
            kept += list == &m_node.kept;
        }
    }
    const colo_config& config = m_node.config;
    for (const auto& [conn, count] : m_counts)
    {
        Require(conn->held == count.first && conn->extra == count.second,
                "a connection's count is not what it holds");
        // A kept ack, of which a flow has one at most, waits for nothing and counts in no limit.
        Require(count.first <= 2 * config.flow_held_max + 1 &&
                    count.second <= 2 * config.flow_held_max,
                "a flow holds more than twice its limit (bounded)");
    }
    Require(m_node.held_count == held && m_node.extra_count == extra,
            "the node's count is not what it holds");
    Require(held - kept <= 2 * config.node_held_max && extra <= 2 * config.node_held_max,
            "the node holds more than twice its limit (bounded)");
    Require(m_inCore.size() == held + extra, "a packet was lost (no-loss)");
    for (const auto& [core, packet] : m_inCore)
    {
        Require(!list_empty(&core->held), "a packet was lost (no-loss)");
    }
}

void
Room::CheckDeadline()
{
    if (m_node.role == COLO_ROLE_PRIMARY && m_node.state != COLO_NODE_RUNNING)
    {
        return;
    }
    uint64_t last = 0;
    for (const list_head* at = m_node.held.next; at != &m_node.held; at = at->next)
    {
        uint64_t arrived = container_of(at, colo_packet, held)->arrived_ns;
        Require(arrived >= last, "held packets are not in the order of their arrival (liveness)");
        Require(arrived <= m_now, "a held packet is younger than now");
        Require(colo_node_deadline(&m_node) <= arrived + m_node.config.compare_timeout_ns,
                "a held packet has no deadline (liveness)");
        last = arrived;
    }
}

} // namespace colo_test
