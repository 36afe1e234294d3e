/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-datagram-model.h"

#include <algorithm>
#include <random>
#include <sstream>

namespace colo_test
{

namespace
{

const uint64_t MILLISECOND_NS = 1000000;

colo_config
ConfigOf(const DatagramScript& script)
{
    colo_config config = Room::DefaultConfig();
    config.compare_timeout_ns = script.timeout_ms * MILLISECOND_NS;
    config.reorder_window = script.window;
    return config;
}

} // namespace

DatagramScript
RandomDatagramScript(uint32_t seed)
{
    std::mt19937 random(seed);
    auto below = [&](uint32_t bound) { return uint32_t(random() % bound); };
    const uint8_t protocols[] = {17, 1, 47, 58};
    DatagramScript script;
    script.protocol = protocols[below(4)];
    script.family = script.protocol == 58 ? 6 : script.protocol == 1 ? 4 : below(2) ? 4 : 6;
    script.window = below(8);
    script.headLength = below(2) ? SIZE_MAX : 14 + 40 + 8;
    script.agrees = below(2);

    // Few contents, as equal datagrams are what is difficult.
    uint32_t contents = 1 + below(12);
    std::vector<DatagramEvent> ahead[2];
    for (uint32_t i = 10 + below(60); i; i--)
    {
        DatagramEvent event;
        event.content = below(contents);
        event.kind = DatagramEvent::PRIMARY;
        ahead[0].push_back(event);
        event.kind = DatagramEvent::SECONDARY;
        event.content = script.agrees || below(30) ? event.content : contents + below(3);
        if (script.agrees || below(30))
        {
            ahead[1].push_back(event);
        }
    }
    for (size_t i = 0; i + 1 < ahead[1].size() && below(2); i++)
    {
        // No more than the window, or else the comparison may give up on one.
        size_t with = std::min<size_t>(i + below(script.agrees ? 2 : 8), ahead[1].size() - 1);
        std::swap(ahead[1][i], ahead[1][with]);
    }
    script.window = script.agrees ? std::max(script.window, 70U) : script.window;
    uint32_t bias = 1 + below(9);
    size_t at[2] = {0, 0};
    while (at[0] < ahead[0].size() || at[1] < ahead[1].size())
    {
        int who = below(10) < bias ? 0 : 1;
        who = at[who] < ahead[who].size() ? who : 1 - who;
        script.events.push_back(ahead[who][at[who]++]);
        DatagramEvent event;
        if (!below(40) && !script.agrees)
        {
            event.kind = DatagramEvent::COMMIT;
            script.events.push_back(event);
        }
        else if (!below(30))
        {
            event.wait_ms = script.agrees ? below(20) : below(2 * script.timeout_ms);
            script.events.push_back(event);
        }
    }
    return script;
}

std::string
ToText(const DatagramScript& script)
{
    const char* const kinds[] = {"primary", "secondary", "commit", "wait"};
    std::ostringstream text;
    text << "protocol " << int(script.protocol) << ", family " << script.family
         << ", reorder_window " << script.window << "\n";
    for (const DatagramEvent& event : script.events)
    {
        text << kinds[event.kind];
        text << (event.kind <= DatagramEvent::SECONDARY ? " '" + std::to_string(event.content) + "'"
                                                        : "");
        text << (event.kind == DatagramEvent::WAIT ? " " + std::to_string(event.wait_ms) : "")
             << "\n";
    }
    return text.str();
}

DatagramModel::DatagramModel(const DatagramScript& script)
    : Room(COLO_ROLE_PRIMARY, ConfigOf(script)),
      m_script(script)
{
}

// What it says, and how long it is; the rest of the frame counts for nothing.
Bytes
DatagramModel::FrameOf(uint32_t content)
{
    Segment segment;
    segment.protocol = m_script.protocol;
    segment.family = m_script.family;
    segment.padding = m_said % 3;
    segment.payload = Bytes(1 + content % 3 * 20, uint8_t(content));
    Bytes frame = MakeFrame(segment);
    frame[14 + (m_script.family == 6 ? 7 : 8)] = uint8_t(m_said); // time to live
    return frame;
}

uint32_t
DatagramModel::ContentOf(const RoomPacket& packet)
{
    const colo_packet& core = packet.core;
    return packet.Frame()[core.payload_offset + core.payload_len - 1];
}

DatagramModel::Datagram*
DatagramModel::Oldest()
{
    for (Datagram& datagram : m_primary)
    {
        if (!datagram.gone && !datagram.matched)
        {
            return &datagram;
        }
    }
    return nullptr;
}

// One of the secondary matches one of the primary: of equal ones the oldest.
void
DatagramModel::Match(bool primary, Datagram& datagram)
{
    for (Datagram& other : primary ? m_secondary : m_primary)
    {
        if (!other.gone && !other.matched && other.content == datagram.content)
        {
            other.matched = true;
            datagram.matched = true;
            return;
        }
    }
}

void
DatagramModel::Say(const DatagramEvent& event)
{
    bool primary = event.kind == DatagramEvent::PRIMARY;
    m_said++;
    Datagram said{event.content, m_now, false, false, 0, 0};
    Datagram* before = Oldest();
    if (!primary)
    {
        for (Datagram& datagram : m_primary)
        {
            datagram.overtaking++;
        }
    }
    Match(primary, said);
    (primary ? m_primary : m_secondary).push_back(said);
    Datagram* oldest = Oldest();
    if (!primary && oldest && oldest == before)
    {
        oldest->waiting++;
        m_overtaken = oldest->waiting > m_script.window;
        oldest->waiting = m_overtaken ? 0 : oldest->waiting;
    }
    bool running = m_node.state == COLO_NODE_RUNNING;
    Give(primary ? COLO_PRIMARY : COLO_SECONDARY, FrameOf(event.content), m_script.headLength);
    Require(!running || !m_overtaken || m_node.state != COLO_NODE_RUNNING,
            "a datagram is overtaken by too many, and no checkpoint is asked for (udp)");
    m_overtaken = false;
}

void
DatagramModel::OnSent(const Sent& sent)
{
    uint32_t content = ContentOf(sent.packet);
    bool commit = sent.packet.core.reason == COLO_RELEASE_COMMIT;
    for (Datagram& datagram : m_primary)
    {
        if (datagram.gone)
        {
            continue;
        }
        Require(datagram.content == content, "a datagram passed an earlier one (order)");
        Require(datagram.matched || commit, "a datagram left without a partner (output-commit)");
        datagram.gone = true;
        return;
    }
    throw Violation("a datagram left twice");
}

void
DatagramModel::OnDropped(const RoomPacket& packet)
{
    Require(packet.core.side == COLO_SECONDARY, "the primary's datagram was dropped (no-loss)");
    if (packet.core.reason != COLO_DROP_EXPIRED)
    {
        return;
    }
    for (Datagram& datagram : m_secondary)
    {
        if (!datagram.gone && !datagram.matched && datagram.content == ContentOf(packet))
        {
            Require(datagram.arrived_ns + m_node.config.compare_timeout_ns <= m_now,
                    "a datagram of the secondary expires early (udp)");
            datagram.gone = true;
            return;
        }
    }
    throw Violation("a datagram of the secondary expires that matched (udp)");
}

void
DatagramModel::OnMismatch(const colo_mismatch& mismatch)
{
    m_explained = true;
    Datagram* oldest = Oldest();
    Require(oldest, "a mismatch, and all have their partners (udp)");
    if (mismatch.reason == COLO_MISMATCH_TIMEOUT_DATA)
    {
        Require(oldest->arrived_ns + m_node.config.compare_timeout_ns <= m_now,
                "a datagram times out early (liveness)");
        return;
    }
    Require(mismatch.reason == COLO_MISMATCH_BYTES, "a mismatch for a reason of streams");
    Require(oldest->overtaking > m_script.window, "given up before enough overtook it (udp)");
}

void
DatagramModel::OnCommit()
{
    for (Datagram& datagram : m_secondary)
    {
        datagram.gone = true;
    }
}

// Whatever has left by now, nothing else could.
void
DatagramModel::Judge()
{
    bool waits = false;
    size_t held = 0;
    for (const Datagram& datagram : m_primary)
    {
        waits = waits || (!datagram.gone && !datagram.matched);
        Require(datagram.gone || waits, "a datagram waits for nothing (liveness)");
        held += !datagram.gone;
    }
    size_t extra = 0;
    for (const Datagram& datagram : m_secondary)
    {
        bool unused = !datagram.gone && !datagram.matched;
        extra += unused;
        Require(!unused || m_node.state != COLO_NODE_RUNNING ||
                    datagram.arrived_ns + m_node.config.compare_timeout_ns > m_now,
                "a datagram of the secondary never expires (bounded)");
    }
    Require(m_node.held_count == held && m_node.extra_count == extra,
            "not the datagrams are held that have no partner");
    Require(m_node.state == COLO_NODE_RUNNING || m_explained, "a checkpoint without a reason");
}

void
DatagramModel::Play()
{
    int patience = 3;
    for (const DatagramEvent& event : m_script.events)
    {
        m_now += 1000;
        switch (event.kind)
        {
        case DatagramEvent::COMMIT:
            Checkpoint();
            m_explained = false;
            break;
        case DatagramEvent::WAIT:
            Wait(event.wait_ms * MILLISECOND_NS);
            break;
        default:
            Say(event);
        }
        Judge();
        patience = m_node.state == COLO_NODE_RUNNING ? 3 : patience - 1;
        if (patience == 0)
        {
            Checkpoint();
            m_explained = false;
        }
    }
    Require(!m_script.agrees || (Held() == 0 && m_node.stats.checkpoints == 0),
            "guests that agree are held, or checkpointed");
    Checkpoint();
    Require(Held() == 0, "a commit leaves packets behind");
}

} // namespace colo_test
