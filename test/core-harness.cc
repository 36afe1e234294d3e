/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-harness.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>

namespace colo_test
{

namespace
{

const uint64_t MILLISECOND_NS = 1000000;

const uint8_t*
ReadRest(const colo_packet* core, uint32_t offset, uint32_t* length)
{
    auto packet = reinterpret_cast<const Packet*>(core);
    BOOST_REQUIRE(offset >= core->head_len);
    BOOST_REQUIRE(offset < core->frame_len);
    auto left = std::min<size_t>(packet->pieceLength, core->frame_len - offset);
    *length = uint32_t(left);
    return packet->rest.get() + (offset - core->head_len);
}

std::unique_ptr<uint8_t[]>
Copy(const uint8_t* bytes, size_t length)
{
    std::unique_ptr<uint8_t[]> copy(new uint8_t[length]);
    std::copy_n(bytes, length, copy.get());
    return copy;
}

std::string
Range(const colo_packet& packet, uint32_t base)
{
    std::string text;
    text += packet.tcp_flags & COLO_TCP_SYN ? "S " : "";
    text += packet.tcp_flags & COLO_TCP_FIN ? "F " : "";
    text += packet.tcp_flags & COLO_TCP_RST ? "R " : "";
    uint32_t seq = packet.seq - base;
    return text + std::to_string(int32_t(seq)) + ":" +
           std::to_string(int32_t(seq + packet.payload_len));
}

std::string
AckText(const colo_packet& packet, uint32_t base)
{
    return " ack " + std::to_string(int32_t(packet.ack - base));
}

std::string
WindowText(const colo_packet& packet)
{
    return " win " + std::to_string(packet.window);
}

} // namespace

Packet::Packet(const Bytes& bytes, size_t headLength)
{
    headLength = std::min(headLength, bytes.size());
    head = Copy(bytes.data(), headLength);
    rest = Copy(bytes.data() + headLength, bytes.size() - headLength);
    core.head = head.get();
    core.head_len = uint32_t(headLength);
    core.frame_len = uint32_t(bytes.size());
    core.chunk = headLength < bytes.size() ? ReadRest : nullptr;
}

Bytes
Packet::Frame() const
{
    Bytes frame(head.get(), head.get() + core.head_len);
    frame.insert(frame.end(), rest.get(), rest.get() + core.frame_len - core.head_len);
    return frame;
}

Core::Core(colo_role role)
{
    colo_config config;
    colo_config_default(&config);
    colo_node_init(&m_node, 7, role, &config, m_now);
}

void
Core::Append(std::string& list, const std::string& text)
{
    list += (list.empty() ? "" : ", ") + text;
}

std::string
Core::Take(std::string& text)
{
    std::string taken;
    taken.swap(text);
    return taken;
}

std::string
Core::Released()
{
    return Take(m_released);
}

std::string
Core::Dropped()
{
    return Take(m_dropped);
}

std::string
Core::Resent()
{
    return Take(m_resent);
}

std::string
Core::Mismatch()
{
    return Take(m_mismatch);
}

std::string
Core::Reason() const
{
    return m_reason;
}

std::string
Core::Actions()
{
    const std::vector<std::string> names =
        {"pause", "request", "reply", "state", "received", "load", "loaded", "resume"};
    std::string text;
    for (size_t i = 0; i < names.size(); i++)
    {
        if (m_actions & 1U << i)
        {
            text += (text.empty() ? "" : " ") + names[i];
        }
    }
    m_actions = 0;
    return text;
}

void
Core::Wait(uint64_t milliseconds)
{
    uint64_t until = m_now + milliseconds * MILLISECOND_NS;
    int polls = 0;
    while (colo_node_deadline(&m_node) <= until)
    {
        m_now = std::max(m_now, colo_node_deadline(&m_node));
        colo_out out;
        colo_out_init(&out);
        colo_node_poll(&m_node, m_now, &out);
        Absorb(out);
        BOOST_REQUIRE_MESSAGE(++polls < 100000, "the deadline does not move on");
    }
    m_now = until;
}

bool
Core::Event(enum colo_node_event event, uint32_t epoch)
{
    colo_out out;
    colo_out_init(&out);
    bool fits = colo_node_event(&m_node, event, epoch, m_now, &out);
    Absorb(out);
    return fits;
}

void
Core::Checkpoint()
{
    uint32_t next = m_node.epoch + 1;
    if (m_node.role == COLO_ROLE_SECONDARY)
    {
        BOOST_REQUIRE(Event(COLO_EVENT_REQUEST, next));
        BOOST_REQUIRE(Event(COLO_EVENT_PAUSED));
        BOOST_REQUIRE(Event(COLO_EVENT_STATE, next));
        BOOST_REQUIRE(Event(COLO_EVENT_LOADED));
        return;
    }
    if (m_node.state == COLO_NODE_RUNNING)
    {
        BOOST_REQUIRE(Event(COLO_EVENT_REQUEST));
    }
    BOOST_REQUIRE(Event(COLO_EVENT_PAUSED));
    BOOST_REQUIRE(Event(COLO_EVENT_REPLY, next));
    BOOST_REQUIRE(Event(COLO_EVENT_RECEIVED, next));
    BOOST_REQUIRE(Event(COLO_EVENT_LOADED, next));
}

Packet&
Core::Keep(const Bytes& frame)
{
    m_held.push_back(std::make_unique<Packet>(frame, m_headLength));
    return *m_held.back();
}

Packet*
Core::TakeOut(colo_packet* core)
{
    auto found = std::find_if(m_held.begin(), m_held.end(), [core](const auto& packet) {
        return &packet->core == core;
    });
    BOOST_REQUIRE_MESSAGE(found != m_held.end(), "a packet came out twice, or was never given");
    m_done.push_back(std::move(*found));
    m_held.erase(found);
    m_reason = colo_reason_name(colo_reason(core->reason));
    return m_done.back().get();
}

// What the client or guest gets must be a right segment that says what the edits say.
Sent
Core::Send(const colo_packet* core)
{
    auto packet = reinterpret_cast<const Packet*>(core);
    Bytes frame = packet->Frame();
    colo_edit_apply(core, frame.data(), COLO_CHECKSUM_FULL);
    BOOST_TEST(IsChecksumRight(frame));

    Packet edited(frame, SIZE_MAX);
    colo_key key;
    BOOST_REQUIRE(colo_packet_parse(&edited.core, colo_side(core->side), &key) == COLO_KIND_TCP);
    const colo_edit& edit = core->edit;
    BOOST_TEST(edited.core.seq == (edit.mask & COLO_EDIT_SEQ ? edit.seq : packet->core.seq));
    BOOST_TEST(edited.core.ack == (edit.mask & COLO_EDIT_ACK ? edit.ack : core->ack));
    BOOST_TEST(edited.core.window == (edit.mask & COLO_EDIT_WINDOW ? edit.window : core->window));
    colo_packet parsed = edited.core;
    parsed.head = nullptr;
    m_sent.push_back(Sent{std::move(frame), parsed, colo_reason(core->reason)});
    return m_sent.back();
}

void
Core::Absorb(colo_out& out)
{
    while (colo_packet* core = colo_queue_pop(&out.release))
    {
        Packet* packet = TakeOut(core);
        BOOST_TEST(list_empty(&core->held));
        Sent sent = Send(&packet->core);
        Append(m_released, Describe(packet->core, sent.parsed));
    }
    if (out.resend)
    {
        Sent sent = Send(out.resend);
        Append(m_resent, Describe(*out.resend, sent.parsed));
    }
    while (colo_packet* core = colo_queue_pop(&out.drop))
    {
        Packet* packet = TakeOut(core);
        BOOST_TEST(list_empty(&core->held));
        Append(m_dropped, Describe(packet->core, packet->core));
    }
    if (out.mismatch.reason != COLO_REASON_NONE && m_mismatch.empty())
    {
        const colo_mismatch& mismatch = out.mismatch;
        m_mismatch = colo_reason_name(mismatch.reason);
        m_mismatch += " at " + std::to_string(int32_t(mismatch.position - m_primaryIsn));
        if (mismatch.primary_len || mismatch.secondary_len)
        {
            auto text = [](const uint8_t* bytes, uint8_t length) {
                return "'" + std::string(bytes, bytes + length) + "'";
            };
            m_mismatch += ": " + text(mismatch.primary, mismatch.primary_len) + " not " +
                          text(mismatch.secondary, mismatch.secondary_len);
        }
    }
    m_actions |= out.actions;
    Check();
}

void
Core::Check()
{
    // Of each connection, the packets on the node's lists: of the primary, of the secondary.
    std::map<const colo_conn*, std::pair<uint32_t, uint32_t>> counts;
    for (const list_head* list : {&m_node.held, &m_node.extra, &m_node.kept})
    {
        for (const list_head* at = list->next; at != list; at = at->next)
        {
            auto packet = container_of(at, colo_packet, held);
            auto& count = counts[packet->conn];
            (list == &m_node.extra ? count.second : count.first)++;
        }
    }
    uint32_t held = 0;
    uint32_t extra = 0;
    for (const auto& [conn, count] : counts)
    {
        BOOST_TEST(conn->held == count.first);
        BOOST_TEST(conn->extra == count.second);
        held += count.first;
        extra += count.second;
    }
    BOOST_TEST(m_node.held_count == held);
    BOOST_TEST(m_node.extra_count == extra);
    // Neither lost nor doubled: the core has exactly what was given and has not come out.
    BOOST_REQUIRE(m_held.size() == held + extra);
    for (const auto& packet : m_held)
    {
        BOOST_REQUIRE(!list_empty(&packet->core.held));
    }
}

FlowCore::FlowCore()
    : Core(COLO_ROLE_PRIMARY)
{
}

colo_flow&
FlowCore::Flow()
{
    auto& flow = m_flows[m_port];
    if (!flow)
    {
        Packet packet(BuildFrame(". 0:0(0)", {0, 0, false, m_family, m_port}), SIZE_MAX);
        colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key);
        flow = std::make_unique<colo_flow>();
        colo_flow_init(flow.get(), &m_node, &packet.key, m_now);
    }
    return *flow;
}

void
FlowCore::Input(colo_side side, const Bytes& frame)
{
    colo_flow& flow = Flow();
    std::unique_ptr<Packet> inbound;
    Packet* packet = nullptr;
    if (side == COLO_INBOUND)
    {
        inbound = std::make_unique<Packet>(frame, m_headLength);
        packet = inbound.get();
    }
    else
    {
        packet = &Keep(frame);
    }
    BOOST_REQUIRE(colo_packet_parse(&packet->core, side, &packet->key) == COLO_KIND_TCP);
    BOOST_REQUIRE(!memcmp(&packet->key, &flow.conn.key, sizeof(packet->key)));
    colo_out out;
    colo_out_init(&out);
    colo_flow_input(&flow, &packet->core, m_now, &out);
    Absorb(out);
}

void
FlowCore::Primary(const std::string& line)
{
    Input(COLO_PRIMARY, BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port}));
}

void
FlowCore::Secondary(const std::string& line)
{
    bool syn = line.substr(0, line.find(' ')).find('S') != std::string::npos;
    uint32_t isn = syn ? m_secondaryIsn : m_primaryIsn;
    Input(COLO_SECONDARY, BuildFrame(line, {isn, m_clientIsn, false, m_family, m_port}));
}

void
FlowCore::Client(const std::string& line)
{
    Input(COLO_INBOUND, BuildFrame(line, {m_clientIsn, m_primaryIsn, true, m_family, m_port}));
}

int
FlowCore::Collect()
{
    int collected = 0;
    while (colo_conn* conn = colo_node_collect(&m_node, m_now))
    {
        auto has = [conn](const auto& flow) { return &flow.second->conn == conn; };
        auto found = std::find_if(m_flows.begin(), m_flows.end(), has);
        BOOST_REQUIRE(found != m_flows.end());
        m_flows.erase(found);
        collected++;
    }
    return collected;
}

std::string
FlowCore::Describe(const colo_packet& packet, const colo_packet& edited) const
{
    bool bare = !colo_packet_units(&packet) && !(packet.tcp_flags & COLO_TCP_RST);
    std::string text;
    if (bare)
    {
        text = AckText(edited, m_clientIsn).substr(1) + WindowText(edited);
    }
    else
    {
        text = Range(packet, m_primaryIsn);
    }
    std::string edits;
    if (edited.seq != packet.seq)
    {
        edits += " seq " + std::to_string(int32_t(edited.seq - m_primaryIsn));
    }
    if (edited.ack != packet.ack && !bare)
    {
        edits += AckText(edited, m_clientIsn);
    }
    if (edited.window != packet.window && !bare)
    {
        edits += WindowText(edited);
    }
    if (edited.tsval != packet.tsval)
    {
        edits += " ts " + std::to_string(edited.tsval);
    }
    return text + (edits.empty() ? "" : " ->" + edits);
}

EstablishedFlow::EstablishedFlow(uint32_t primaryIsn, uint32_t clientIsn)
{
    m_primaryIsn = primaryIsn;
    m_clientIsn = clientIsn;
    m_secondaryIsn = primaryIsn + 777;
    Open("S 0:0(0) win 1000", "S. 0:0(0) ack 1 win 1000", "S. 0:0(0) ack 1 win 1000");
}

void
EstablishedFlow::Open(const std::string& client,
                      const std::string& primary,
                      const std::string& secondary)
{
    Client(client);
    Primary(primary);
    Secondary(secondary);
    Client(". 1:1(0) ack 1");
    Released();
    Dropped();
}

FixCore::FixCore()
    : Core(COLO_ROLE_SECONDARY)
{
    m_secondaryIsn = 2000000;
}

bool
FixCore::HasFix() const
{
    return m_fixes.count(m_port);
}

colo_seqfix&
FixCore::Fix()
{
    auto& fix = m_fixes[m_port];
    if (!fix)
    {
        Packet packet(BuildFrame(". 0:0(0)", {0, 0, false, m_family, m_port}), SIZE_MAX);
        colo_packet_parse(&packet.core, COLO_SECONDARY, &packet.key);
        fix = std::make_unique<colo_seqfix>();
        colo_seqfix_init(fix.get(), &m_node, &packet.key, m_now);
    }
    return *fix;
}

void
FixCore::Input(colo_side side, const Bytes& frame)
{
    Packet& packet = Keep(frame);
    BOOST_REQUIRE(colo_packet_parse(&packet.core, side, &packet.key) == COLO_KIND_TCP);
    colo_out out;
    colo_out_init(&out);
    if (HasFix() || colo_seqfix_wanted(&m_node, &packet.core))
    {
        BOOST_REQUIRE(!memcmp(&packet.key, &Fix().conn.key, sizeof(packet.key)));
        colo_seqfix_input(&Fix(), &packet.core, m_now, &out);
    }
    else
    {
        // As the room does: what no entry wants goes its way.
        packet.core.reason = COLO_RELEASE_UNFIXED;
        colo_queue_push(&out.release, &packet.core);
    }
    Absorb(out);
}

void
FixCore::Secondary(const std::string& line)
{
    Input(COLO_SECONDARY, BuildFrame(line, {m_secondaryIsn, m_clientIsn, false, m_family, m_port}));
}

void
FixCore::Client(const std::string& line)
{
    Input(COLO_INBOUND, BuildFrame(line, {m_clientIsn, m_primaryIsn, true, m_family, m_port}));
}

void
FixCore::Hint(const std::string& line)
{
    Packet packet(BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port}), SIZE_MAX);
    BOOST_REQUIRE(colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key) == COLO_KIND_TCP);
    colo_out out;
    colo_out_init(&out);
    colo_seqfix_hint(&Fix(), &packet.core, m_now, &out);
    Absorb(out);
}

void
FixCore::FailOver()
{
    colo_out out;
    colo_out_init(&out);
    colo_node_fail_over(&m_node, m_now, &out);
    Absorb(out);
}

int
FixCore::Collect()
{
    int collected = 0;
    while (colo_conn* conn = colo_node_collect(&m_node, m_now))
    {
        auto has = [conn](const auto& fix) { return &fix.second->conn == conn; };
        auto found = std::find_if(m_fixes.begin(), m_fixes.end(), has);
        BOOST_REQUIRE(found != m_fixes.end());
        m_fixes.erase(found);
        collected++;
    }
    return collected;
}

std::string
FixCore::Describe(const colo_packet& packet, const colo_packet& edited) const
{
    bool in = packet.side == COLO_INBOUND;
    std::string text = in ? "in " : "out ";
    text += Range(edited, in ? m_clientIsn : m_primaryIsn);
    if (packet.tcp_flags & COLO_TCP_ACK)
    {
        text += AckText(edited, in ? m_secondaryIsn : m_clientIsn);
    }
    if (packet.options & COLO_OPT_TIMESTAMPS)
    {
        text += " ts " + std::to_string(edited.tsval) + " " + std::to_string(edited.tsecr);
    }
    return text;
}

} // namespace colo_test
