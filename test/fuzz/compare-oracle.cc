/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "compare-oracle.h"

#include <algorithm>

namespace colo_test
{

namespace
{

const size_t FIN = 256;

bool
IsReset(const colo_packet& packet)
{
    return packet.tcp_flags & COLO_TCP_RST;
}

uint32_t
FirstByte(const colo_packet& packet, uint32_t seq)
{
    return seq + (packet.tcp_flags & COLO_TCP_SYN ? 1 : 0);
}

} // namespace

OracleRoom::OracleRoom(const colo_config& config)
    : Room(COLO_ROLE_PRIMARY, config)
{
}

void
OracleRoom::Note(Stream& stream, const RoomPacket& packet, uint32_t seq)
{
    const colo_packet& core = packet.core;
    Bytes frame = packet.Frame();
    uint32_t at = FirstByte(core, seq);
    for (uint32_t i = 0; i < core.payload_len; i++)
    {
        stream.At(at + i).set(frame[core.payload_offset + i]);
    }
    if (core.tcp_flags & COLO_TCP_FIN)
    {
        stream.At(at + core.payload_len).set(FIN);
    }
}

void
OracleRoom::NotePrimary(Shadow& shadow, const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    if (core.tcp_flags & COLO_TCP_ACK && !IsReset(core))
    {
        shadow.primaryAcks.insert(core.ack);
    }
    // What it has no bytes for it has sent before, says the primary.
    shadow.primaryEnds.insert(colo_packet_end(&core));
    if (IsReset(core))
    {
        shadow.primaryResets.insert(core.seq);
    }
    else
    {
        Note(shadow.primary, packet, core.seq);
    }
    if (colo_packet_is_syn(&core))
    {
        // A generation counts from its SYN on.
        shadow.primaryIsns.insert(core.seq);
        shadow.covered.insert(core.seq);
        for (const Bytes& payload : shadow.secondarySyns)
        {
            for (size_t i = 0; i < payload.size(); i++)
            {
                shadow.secondary.At(uint32_t(core.seq + 1 + i)).set(payload[i]);
            }
        }
    }
    // A connection older than its protection counts from its first data, or from what the client
    // has (tcp-adopt); so does one that begins with a refusal.
    if (!shadow.anchored && (IsReset(core) || colo_packet_units(&core)))
    {
        shadow.anchored = true;
        shadow.covered.insert(core.seq);
        shadow.covered.insert(shadow.clientAcks.begin(), shadow.clientAcks.end());
    }
    // The refusal of a client's SYN begins a generation as well, numbered from anywhere.
    if (IsReset(core) && shadow.clientIsns.count(core.ack - 1))
    {
        shadow.covered.insert(core.seq);
    }
}

void
OracleRoom::NoteSecondary(Shadow& shadow, const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    if (core.tcp_flags & COLO_TCP_ACK && !IsReset(core))
    {
        shadow.secondaryAcks.insert(core.ack);
    }
    if (IsReset(core))
    {
        shadow.secondaryResets.insert(core.seq);
        return;
    }
    Note(shadow.secondary, packet, core.seq);
    if (colo_packet_is_syn(&core))
    {
        // Its own number is its own; it stands where the primary's does.
        shadow.secondarySyn = true;
        Bytes frame = packet.Frame();
        auto payload = frame.begin() + core.payload_offset;
        shadow.secondarySyns.emplace_back(payload, payload + core.payload_len);
        for (uint32_t isn : shadow.primaryIsns)
        {
            Note(shadow.secondary, packet, isn);
        }
    }
}

void
OracleRoom::NoteClient(Shadow& shadow, const RoomPacket& packet)
{
    m_inboundEnds = packet.core.tcp_flags & (COLO_TCP_RST | COLO_TCP_SYN);
    if (packet.core.tcp_flags & COLO_TCP_SYN)
    {
        shadow.clientIsns.insert(packet.core.seq);
    }
    if (packet.core.tcp_flags & COLO_TCP_ACK)
    {
        shadow.clientAcks.insert(packet.core.ack);
    }
}

bool
OracleRoom::IsIcmpError(const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    if (core.kind != COLO_KIND_DATAGRAM || core.payload_len == 0)
    {
        return false;
    }
    uint8_t type = core.head[core.l4_offset];
    return packet.key.family == 6
               ? packet.key.protocol == COLO_PROTOCOL_ICMPV6 && type < 128
               : packet.key.protocol == COLO_PROTOCOL_ICMP && type != 0 && type != 8;
}

Bytes
OracleRoom::Content(const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    Bytes frame = packet.Frame();
    auto begin = frame.begin() + core.payload_offset;
    Bytes content(begin, begin + core.payload_len);
    bool icmp =
        packet.key.protocol == (packet.key.family == 6 ? COLO_PROTOCOL_ICMPV6 : COLO_PROTOCOL_ICMP);
    if (IsIcmpError(packet))
    {
        content.resize(2); // which of the quoted bytes count is not this oracle's business
    }
    else if (core.kind == COLO_KIND_DATAGRAM && icmp)
    {
        content.erase(content.begin() + 2, content.begin() + 4);
    }
    return content;
}

void
OracleRoom::OnGiven(const RoomPacket& packet, bool isKnown)
{
    m_inboundEnds = false;
    m_heldBefore = m_node.held_count;
    const colo_packet& core = packet.core;
    if (core.kind == COLO_KIND_TCP)
    {
        auto& shadow = m_shadows[ToFlowKey(packet.key)];
        // The core forgot the connection, and adopts it like one that it never met.
        shadow.anchored = shadow.anchored && isKnown;
        switch (core.side)
        {
        case COLO_PRIMARY:
            NotePrimary(shadow, packet);
            break;
        case COLO_SECONDARY:
            NoteSecondary(shadow, packet);
            break;
        default:
            NoteClient(shadow, packet);
        }
    }
    else if (core.side == COLO_SECONDARY && colo_node_class(&m_node, &core) == COLO_CLASS_DATAGRAM)
    {
        m_datagrams[ToFlowKey(packet.key)].secondary[Content(packet)]++;
    }
}

bool
OracleRoom::IsCovered(const Shadow& shadow, uint32_t position) const
{
    return std::any_of(shadow.covered.begin(), shadow.covered.end(), [=](uint32_t end) {
        return colo_before(position, end);
    });
}

void
OracleRoom::CheckAck(const Shadow& shadow, const Sent& sent) const
{
    uint32_t ack = sent.parsed.ack;
    // Half a circle apart, each is before the other.
    bool kept =
        std::any_of(shadow.secondaryAcks.begin(), shadow.secondaryAcks.end(), [=](uint32_t acked) {
            return ack == acked || colo_before(ack, acked);
        });
    Require(kept, "an ack left that the secondary never gave (output-commit)");
}

void
OracleRoom::CheckStream(const Sent& sent)
{
    const colo_packet& core = sent.packet.core;
    if (core.reason == COLO_RELEASE_COMMIT || core.reason == COLO_RELEASE_UNPROTECTED)
    {
        return;
    }
    Shadow& shadow = m_shadows[ToFlowKey(sent.packet.key)];
    if (IsReset(core))
    {
        Require(shadow.secondaryResets.count(core.seq) || IsCovered(shadow, core.seq),
                "a reset left that the secondary never sent (output-commit)");
        return;
    }
    if (core.tcp_flags & COLO_TCP_ACK)
    {
        CheckAck(shadow, sent);
    }
    if (sent.exit == Exit::RESEND)
    {
        uint32_t seq = sent.parsed.seq;
        auto isNear = [=](uint32_t end) { return end - seq <= 0xffff; };
        const auto& ends = shadow.primaryEnds;
        const auto& covered = shadow.covered;
        bool near = std::any_of(ends.begin(), ends.end(), isNear) ||
                    std::any_of(covered.begin(), covered.end(), isNear);
        Require(near, "an ack sent again is nowhere in the stream (tcp-window)");
        return;
    }
    if (colo_packet_is_syn(&core))
    {
        Require(shadow.secondarySyn || IsCovered(shadow, core.seq),
                "a SYN left that the secondary never sent (output-commit)");
    }
    // A byte where the SYN was repeats it, says the core, and no client looks at it. A segment
    // across the far side of the circle counts by its end.
    bool covered = IsCovered(shadow, colo_packet_end(&core) - 1);
    auto agree = [&](uint32_t position) {
        bool both = (shadow.primary.Find(position) & shadow.secondary.Find(position)).any();
        Require(both || covered || IsCovered(shadow, position) ||
                    shadow.primaryIsns.count(position),
                "a byte left that the secondary never sent (output-commit)");
    };
    uint32_t at = FirstByte(core, sent.seq);
    for (uint32_t i = 0; i < sent.length; i++)
    {
        agree(at + i);
    }
    if (core.tcp_flags & COLO_TCP_FIN && sent.exit == Exit::RELEASE)
    {
        agree(at + sent.length);
    }
}

void
OracleRoom::CheckDatagram(const Sent& sent)
{
    const RoomPacket& packet = sent.packet;
    Datagrams& flow = m_datagrams[ToFlowKey(packet.key)];
    Require(packet.core.side == COLO_PRIMARY, "the secondary's datagram left");
    Require(!flow.hasReleased || packet.number > flow.lastReleased,
            "a datagram passed an earlier one (order)");
    flow.hasReleased = true;
    flow.lastReleased = packet.number;
    if (packet.core.reason == COLO_RELEASE_COMMIT || packet.core.reason == COLO_RELEASE_UNPROTECTED)
    {
        return;
    }
    auto found = flow.secondary.find(Content(packet));
    Require(found != flow.secondary.end() && found->second,
            "a datagram left that the secondary never sent (output-commit)");
    found->second--;
}

void
OracleRoom::AnswerHeartbeat(size_t which)
{
    if (which >= m_beats.size())
    {
        return;
    }
    Beat beat = m_beats[m_beats.size() - 1 - which];
    bool newer =
        !m_hasAnswer || beat.term != m_answered.term || beat.stamp_ns > m_answered.stamp_ns;
    if (beat.term == m_node.term && newer)
    {
        m_answered = beat;
        m_hasAnswer = true;
    }
    Heartbeat(beat.term, beat.stamp_ns);
}

void
OracleRoom::AnswerQuestion(bool grants)
{
    if (m_questions.empty())
    {
        return;
    }
    uint32_t term = m_questions.back();
    m_granted = m_granted || (grants && term == m_node.term);
    m_denied = m_denied || (!grants && term == m_node.term && m_node.asking);
    NodeEvent(grants ? COLO_EVENT_GRANTED : COLO_EVENT_DENIED, term);
}

void
OracleRoom::OnActions(const colo_out& decided)
{
    if (decided.actions & COLO_ACTION_SEND_HEARTBEAT)
    {
        Require(decided.stamp_ns <= m_now, "a heartbeat of the future");
        m_beats.push_back({decided.message_term, decided.stamp_ns});
    }
    if (decided.actions & COLO_ACTION_ASK)
    {
        m_questions.push_back(decided.message_term);
    }
}

// Rule fail-fence: alone by the arbiter's grant, else under a lease that is not over.
void
OracleRoom::CheckLease() const
{
    if (!m_node.config.lease_ns)
    {
        return;
    }
    Require(!m_denied, "a fenced host speaks (fail-fence)");
    bool leased = m_hasAnswer && m_answered.term == m_node.term &&
                  m_now < m_answered.stamp_ns + m_node.config.lease_ns;
    Require(leased || (m_granted && m_node.mode == COLO_MODE_ALONE),
            "a host speaks without a lease or a grant (fail-fence)");
}

void
OracleRoom::OnSent(const Sent& sent)
{
    CheckLease();
    const colo_packet& core = sent.packet.core;
    if (core.kind == COLO_KIND_TCP)
    {
        Require(core.side == COLO_PRIMARY, "the secondary's segment left");
        CheckStream(sent);
    }
    else if (colo_node_class(&m_node, &core) == COLO_CLASS_DATAGRAM)
    {
        CheckDatagram(sent);
    }
    else
    {
        Require(core.side == COLO_PRIMARY || core.kind == COLO_KIND_NEIGHBOUR,
                "the secondary's frame left (l2-other)");
    }
}

void
OracleRoom::OnDropped(const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    if (core.side != COLO_PRIMARY)
    {
        return;
    }
    switch (core.reason)
    {
    case COLO_DROP_LIMIT:
        Require(std::max(m_node.held_count, m_heldBefore) >=
                    std::min(m_node.config.flow_held_max, m_node.config.node_held_max),
                "dropped at a limit that is not reached (no-loss)");
        break;
    case COLO_DROP_CLIENT_ENDED:
        Require(m_inboundEnds, "dropped though the client ended nothing (no-loss)");
        break;
    case COLO_DROP_SUPERSEDED:
        Require(!colo_packet_units(&core), "data superseded (no-loss)");
        break;
    case COLO_DROP_LEASE:
        Require(m_node.config.lease_ns, "dropped for a lease that nobody needs (no-loss)");
        break;
    default:
        throw Violation("the primary's packet was dropped (no-loss)");
    }
}

void
OracleRoom::OnMismatch(const colo_mismatch&)
{
    m_mismatched = true;
}

void
OracleRoom::OnRemirror(const RoomPacket& packet, const Bytes&, const colo_packet& built)
{
    const Shadow& shadow = m_shadows[ToFlowKey(packet.key)];
    Require(shadow.clientAcks.count(built.ack), "the client never said that (tcp-remirror)");
}

void
OracleRoom::OnCommit()
{
    for (auto& [key, shadow] : m_shadows)
    {
        shadow.covered.insert(shadow.primaryEnds.begin(), shadow.primaryEnds.end());
        shadow.secondary.Clear();
        shadow.secondarySyns.clear();
        shadow.secondarySyn = false;
        shadow.secondaryAcks = shadow.primaryAcks;
        shadow.secondaryResets = shadow.primaryResets;
    }
    for (auto& [key, flow] : m_datagrams)
    {
        flow.secondary.clear();
    }
}

void
OracleRoom::OnDone()
{
    Require(!m_mismatched || m_node.state != COLO_NODE_RUNNING,
            "a mismatch, and no checkpoint is asked for");
    m_mismatched = false;
}

} // namespace colo_test
