/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-model.h"

#include <algorithm>

namespace colo_test
{

namespace
{

const uint8_t SYN = 0x02;
const uint8_t RST = 0x04;
const uint8_t ACK = 0x10;

} // namespace

uint32_t
StreamModel::Common(const Connection& connection) const
{
    uint32_t at = 0;
    while (at < connection.covered ||
           (connection.primary.units[at] != NOTHING &&
            connection.primary.units[at] == connection.secondary.units[at]))
    {
        at++;
    }
    return at;
}

bool
StreamModel::Differs(const Connection& connection) const
{
    uint32_t at = Common(connection);
    const Seen& p = connection.primary;
    const Seen& s = connection.secondary;
    bool pHas = p.units[at] != NOTHING;
    bool sHas = s.units[at] != NOTHING;
    bool pResets = p.reset && p.resetAt == at && !connection.resetCovered;
    bool sResets = s.reset && s.resetAt == at;
    return (pHas && sHas) || (pHas && sResets) || (pResets && sHas);
}

// The one that the core compares: the first of which it holds something, else the last.
uint32_t
StreamModel::CurrentGeneration() const
{
    uint32_t current = 0;
    for (uint32_t i = 0; i < m_connections.size(); i++)
    {
        current = m_connections[i].primary.syn ? i : current;
    }
    for (const auto& [core, packet] : InCore())
    {
        if (core->side == COLO_PRIMARY && !IsKept(*core))
        {
            current = std::min(current, m_given.at(packet->number).event.generation);
        }
    }
    return current;
}

// With the policy, or as the primary says it again.
bool
StreamModel::MayLower(const RoomPacket& packet) const
{
    return m_script.clamp || (&packet == m_latest && m_given.at(packet.number).isSame);
}

bool
StreamModel::IsAckBlocked(const RoomPacket& packet) const
{
    const Event& event = m_given.at(packet.number).event;
    const Connection& connection = m_connections[event.generation];
    if (!(event.flags & ACK) || event.flags & RST)
    {
        return false;
    }
    const Seen& s = connection.secondary;
    if (!s.acked)
    {
        return true;
    }
    bool news = !connection.outAcked || s.ack > connection.outAck;
    return event.ack > s.ack && !(MayLower(packet) && news);
}

bool
StreamModel::IsBlocked(const RoomPacket& packet) const
{
    const Given& given = m_given.at(packet.number);
    const Connection& connection = m_connections[given.event.generation];
    uint32_t common = Common(connection);
    if (given.event.flags & RST)
    {
        const Seen& s = connection.secondary;
        bool both = s.reset && s.resetAt == given.event.begin;
        return !connection.resetCovered && !(both && common >= given.event.begin);
    }
    bool data = given.end > given.event.begin;
    return (data && given.end > common) || IsAckBlocked(packet);
}

void
StreamModel::JudgeHeld(uint32_t generation)
{
    const RoomPacket* alone = nullptr;
    uint32_t dataHeld = 0;
    bool blocked = false;
    bool ackBlocked = false;
    uint32_t common = Common(m_connections[generation]);
    std::vector<const RoomPacket*> free;
    for (const auto& [core, packet] : InCore())
    {
        const Given& given = m_given.at(packet->number);
        if (core->side != COLO_PRIMARY || IsKept(*core) || given.event.generation != generation)
        {
            continue;
        }
        bool isData = given.end > given.event.begin || given.event.flags & RST;
        bool isBlocked = IsBlocked(*packet);
        blocked = blocked || isBlocked;
        ackBlocked = ackBlocked || (isBlocked && (!isData || given.end <= common));
        dataHeld += isData;
        alone = isData ? packet.get() : alone;
        if (!isBlocked)
        {
            free.push_back(packet.get());
        }
    }
    for (const RoomPacket* packet : free)
    {
        const Given& given = m_given.at(packet->number);
        bool isData = given.end > given.event.begin || given.event.flags & RST;
        Require(isData ? blocked : ackBlocked, "a packet waits for nothing (liveness)");
    }
    if (dataHeld != 1 || !alone->core.gso_size || alone->core.tcp_flags & (SYN | RST))
    {
        return;
    }
    // The only one that waits has left as far as whole segments matched.
    const Given& given = m_given.at(alone->number);
    Connection& connection = m_connections[generation];
    if (given.event.begin <= connection.sentEnd && common > given.event.begin &&
        !IsAckBlocked(*alone))
    {
        uint32_t to = std::min(common - given.event.begin, alone->core.payload_len - 1);
        to -= to % alone->core.gso_size;
        Require(alone->core.left >= to, "whole segments wait for the last byte (tcp-gso)");
    }
}

void
StreamModel::Judge()
{
    uint32_t generation = CurrentGeneration();
    const Connection& connection = m_connections[generation];
    bool differs = !connection.ended && Differs(connection);
    bool running = m_node.state == COLO_NODE_RUNNING;
    Require(!differs || !running, "the guests differ, and no checkpoint is asked for");
    Require(running || differs || m_explained, "a checkpoint is asked for without a reason");
    if (running && !connection.ended)
    {
        JudgeHeld(generation);
    }
}

void
StreamModel::CheckPromise(Connection& connection, const Given& given, const Sent& sent)
{
    uint32_t clientIsn = m_script.generations[given.event.generation].clientIsn;
    uint32_t ack = sent.parsed.ack - clientIsn;
    const Seen& s = connection.secondary;
    // A kept ack may leave as the next connection begins, and be dropped for that in the same call:
    // then nobody tells whether for the first time.
    bool last = sent.exit == Exit::RESEND && sent.packet.core.reason == COLO_DROP_SUPERSEDED;
    bool resent = last || sent.packet.core.reason == COLO_RELEASE_WINDOW;
    uint32_t meant = resent ? std::max(connection.primary.ack, given.event.ack) : given.event.ack;
    Require(s.acked && ack <= s.ack, "an ack that the secondary never gave (output-commit)");
    Require(ack <= meant, "an ack that the primary never gave");
    Require(resent || ack == std::min(meant, s.ack), "an ack is lowered too far (tcp-pure-ack)");
    Require(resent || ack == meant || MayLower(sent.packet), "an ack is lowered under ack=hold");

    uint32_t unit = 1U << Scale(given.event);
    uint32_t own = given.event.ack + (given.event.window << Scale(given.event));
    own = resent ? std::max(connection.primary.edge, own) : own;
    uint32_t edge = ack + (uint32_t(sent.parsed.window) << Scale(given.event));
    uint32_t promised = connection.outAcked ? connection.outEdge : 0;
    if (given.event.window || resent)
    {
        // Without scales in the SYNs the scale is nought, and known.
        Require(edge <= std::max(s.edge, promised), "a window that the secondary never gave");
        Require(edge <= std::max(own, promised), "a window that the primary never gave");
        uint32_t allowed = std::min(own, std::max(s.edge, promised));
        uint32_t most = ack + (0xffffU << Scale(given.event));
        Require(last || edge + unit > std::min(allowed, most),
                "a window is lowered too far (tcp-window)");
    }
    Require(resent || given.event.window || !sent.parsed.window,
            "a closed window opens (tcp-window)");
    connection.outAck = std::max(connection.outAck, ack);
    connection.outEdge = std::max(promised, edge);
    connection.outAcked = true;
}

void
StreamModel::OnSent(const Sent& sent)
{
    const Given& given = m_given.at(sent.packet.number);
    const Event& event = given.event;
    Connection& connection = m_connections[event.generation];
    uint32_t isn = m_script.generations[event.generation].primaryIsn;
    bool commit = sent.packet.core.reason == COLO_RELEASE_COMMIT;
    Require(event.actor == Actor::PRIMARY, "the secondary's packet left");
    for (uint32_t earlier = 0; earlier < event.generation; earlier++)
    {
        for (const auto& [core, packet] : InCore())
        {
            bool waits = !IsKept(*core) && core->reason != COLO_DROP_SUPERSEDED;
            Require(core->side != COLO_PRIMARY || !waits || commit ||
                        m_given.at(packet->number).event.generation != earlier,
                    "a connection begins before the last one has left (tcp-reopen)");
        }
    }
    if (commit && colo_packet_units(&sent.packet.core))
    {
        Require(!m_committing || sent.packet.number > m_lastCommitted,
                "a commit releases out of order (order)");
        m_committing = true;
        m_lastCommitted = sent.packet.number;
    }
    bool data = given.end > event.begin;
    if (sent.exit == Exit::RESEND || !data)
    {
        uint32_t begin = sent.parsed.seq - isn;
        bool reset = event.flags & RST;
        Require(reset || begin <= connection.primary.next, "an ack is numbered beyond the stream");
    }
    else
    {
        uint32_t begin = event.flags & SYN ? 0 : sent.seq - isn;
        uint32_t end = sent.exit == Exit::PART ? begin + sent.length : given.end;
        Require(commit || end <= Common(connection),
                "a byte left that the secondary never sent (output-commit)");
        // What repeats matched bytes may pass what is held, and so may its first segments.
        bool repeats = sent.packet.core.reason == COLO_RELEASE_REPEAT ||
                       (sent.exit == Exit::PART && &sent.packet == m_latest);
        Require(commit || repeats || begin <= std::max(connection.sentEnd, connection.covered),
                "new data left out of order (order)");
        Require(begin >= event.begin, "a packet left in front of its bytes");
        m_releasedUnits += end - begin;
        connection.sentEnd = std::max(connection.sentEnd, end);
    }
    if (event.flags & RST)
    {
        Require(commit || !IsBlocked(sent.packet), "a reset left alone (tcp-rst)");
    }
    else if (event.flags & ACK)
    {
        CheckPromise(connection, given, sent);
    }
    connection.anySent = true;
    if (event.stamp && !(event.flags & RST))
    {
        Require(sent.parsed.tsval >= connection.outStamp, "a stamp goes back (tcp-retransmit)");
        connection.outStamp = sent.parsed.tsval;
    }
}

void
StreamModel::OnDropped(const RoomPacket& packet)
{
    const Given& given = m_given.at(packet.number);
    if (given.event.actor != Actor::PRIMARY)
    {
        // A reset that the primary has not sent for so long is forgotten.
        Seen& seen = m_connections[given.event.generation].secondary;
        seen.reset = seen.reset && packet.core.reason != COLO_DROP_EXPIRED;
        return;
    }
    bool ended = m_connections[given.event.generation].ended;
    bool bare = given.end == given.event.begin && !(given.event.flags & RST);
    Require((packet.core.reason == COLO_DROP_CLIENT_ENDED && ended) ||
                (packet.core.reason == COLO_DROP_SUPERSEDED && bare),
            "the primary's packet was dropped (no-loss)");
}

void
StreamModel::OnMismatch(const colo_mismatch& mismatch)
{
    m_mismatches++;
    m_explained = true;
    uint64_t timeout = m_node.config.compare_timeout_ns;
    auto waited = [&](colo_side side) {
        return std::any_of(InCore().begin(), InCore().end(), [&](const auto& entry) {
            return entry.first->side == side && !IsKept(*entry.first) &&
                   entry.first->arrived_ns + timeout <= m_now;
        });
    };
    switch (mismatch.reason)
    {
    case COLO_MISMATCH_TIMEOUT_DATA:
    case COLO_MISMATCH_TIMEOUT_ACK:
        Require(waited(COLO_PRIMARY), "a timeout of nothing that waits");
        break;
    case COLO_MISMATCH_EXTRA:
        Require(waited(COLO_SECONDARY), "nothing extra waits (secondary-extra)");
        break;
    default:
        Require(Differs(m_connections[CurrentGeneration()]), "a mismatch of equal streams");
    }
}

void
StreamModel::OnRemirror(const RoomPacket& packet, const Bytes&, const colo_packet& built)
{
    const Given& given = m_given.at(packet.number);
    const Connection& connection = m_connections[given.event.generation];
    uint32_t ack = built.ack - m_script.generations[given.event.generation].primaryIsn;
    Require(ack == connection.clientAck, "the client did not say that (tcp-remirror)");
    Require(given.end <= connection.clientAck, "remirrored what is news (tcp-remirror)");
}

} // namespace colo_test
