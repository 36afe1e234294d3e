/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-harness.h"

#include "core-text.h"

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
    if (!packet->pieceLength)
    {
        return nullptr;
    }
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

bool
IsBare(const colo_packet& packet)
{
    return !colo_packet_units(&packet) && !(packet.tcp_flags & COLO_TCP_RST);
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
    config.chunk = ReadRest;
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
    std::string text = ActionsText(m_actions);
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
    if (m_node.role == COLO_ROLE_SECONDARY)
    {
        uint32_t next = m_node.attempt + 1;
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
    BOOST_REQUIRE(Event(COLO_EVENT_REPLY, m_node.attempt));
    BOOST_REQUIRE(Event(COLO_EVENT_RECEIVED, m_node.attempt));
    BOOST_REQUIRE(Event(COLO_EVENT_LOADED, m_node.attempt));
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
    if (core->kind == COLO_KIND_TCP || core->edit.mask)
    {
        colo_edit_apply(core, frame.data(), COLO_CHECKSUM_FULL);
        BOOST_TEST(IsChecksumRight(frame));
    }

    Packet edited(frame, SIZE_MAX);
    colo_key key;
    BOOST_REQUIRE(colo_packet_parse(&edited.core, colo_side(core->side), &key) == core->kind);
    if (core->kind != COLO_KIND_TCP)
    {
        m_sent.push_back(Sent{std::move(frame), edited.core, colo_reason(core->reason), 0});
        return m_sent.back();
    }
    const colo_edit& edit = core->edit;
    BOOST_TEST(edited.core.seq == (edit.mask & COLO_EDIT_SEQ ? edit.seq : packet->core.seq));
    BOOST_TEST(edited.core.ack == (edit.mask & COLO_EDIT_ACK ? edit.ack : core->ack));
    BOOST_TEST(edited.core.window == (edit.mask & COLO_EDIT_WINDOW ? edit.window : core->window));
    uint32_t tsecr = edited.core.ts_offset ? colo_packet_tsecr(&edited.core) : 0;
    colo_packet parsed = edited.core;
    parsed.head = nullptr;
    m_sent.push_back(Sent{std::move(frame), parsed, colo_reason(core->reason), tsecr});
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
        Append(m_released, Describe(packet->core, sent));
    }
    if (out.part.packet)
    {
        const colo_part& part = out.part;
        BOOST_TEST(part.from < part.to);
        BOOST_TEST(part.to == part.packet->left);
        BOOST_TEST(part.to < part.packet->payload_len);
        BOOST_TEST(part.from % part.packet->gso_size == 0U);
        BOOST_TEST(part.to % part.packet->gso_size == 0U);
        Sent sent = Send(part.packet);
        m_sent.back().parsed.payload_len = part.to;
        m_sent.back().parsed.tcp_flags &= uint8_t(~COLO_TCP_FIN);
        std::string text = std::to_string(part.from) + ":" + std::to_string(part.to);
        Append(m_released, "part " + text + Edits(*part.packet, sent));
    }
    if (out.resend)
    {
        Sent sent = Send(out.resend);
        Append(m_resent, Describe(*out.resend, sent));
    }
    if (out.remirror.packet)
    {
        Bytes frame(COLO_REMIRROR_MAX);
        frame.resize(colo_remirror_build(&out.remirror, frame.data()));
        m_remirrored.push_back(frame);
    }
    while (colo_packet* core = colo_queue_pop(&out.drop))
    {
        TakeOut(core);
        BOOST_TEST(list_empty(&core->held));
        uint32_t tsecr = core->ts_offset ? colo_packet_tsecr(core) : 0;
        Append(m_dropped, Describe(*core, Sent{{}, *core, COLO_REASON_NONE, tsecr}));
    }
    if (out.mismatch.reason != COLO_REASON_NONE && m_mismatch.empty())
    {
        m_mismatch = MismatchText(out.mismatch, m_primaryIsn);
    }
    m_actions |= out.actions;
    Check();
    if (m_goesOn && colo_node_is_unfinished(&m_node))
    {
        GoOn();
    }
}

void
Core::GoOn()
{
    colo_out out;
    colo_out_init(&out);
    colo_node_go_on(&m_node, m_now, &out);
    Absorb(out);
}

std::string
Core::Edits(const colo_packet& /* packet */, const Sent& /* sent */) const
{
    return "";
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
    Packet packet(BuildFrame(". 0:0(0)", {0, 0, false, m_family, m_port}), SIZE_MAX);
    colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key);
    return FlowOf(packet.key);
}

colo_flow&
FlowCore::FlowOf(const colo_key& key)
{
    auto& flow = m_flows[Bytes(key.guest, key.guest + sizeof(key))];
    if (!flow)
    {
        flow = std::make_unique<colo_flow>();
        colo_flow_init(flow.get(), &m_node, &key, m_now);
    }
    return *flow;
}

colo_datagrams&
FlowCore::DatagramsOf(const colo_key& key)
{
    auto& flow = m_datagrams[Bytes(key.guest, key.guest + sizeof(key))];
    if (!flow)
    {
        flow = std::make_unique<colo_datagrams>();
        colo_datagrams_init(flow.get(), &m_node, &key, m_now);
    }
    return *flow;
}

void
FlowCore::Input(colo_side side, const Bytes& frame)
{
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
    packet->core.gso_size = m_gsoSize;
    colo_packet_parse(&packet->core, side, &packet->key);
    colo_out out;
    colo_out_init(&out);
    switch (colo_node_class(&m_node, &packet->core))
    {
    case COLO_CLASS_STREAM:
        colo_flow_input(&FlowOf(packet->key), &packet->core, m_now, &out);
        break;
    case COLO_CLASS_DATAGRAM:
        BOOST_REQUIRE(side != COLO_INBOUND);
        colo_datagrams_input(&DatagramsOf(packet->key), &packet->core, m_now, &out);
        break;
    case COLO_CLASS_UNCOMPARED:
        colo_node_uncompared(&m_node, &packet->core, m_now, &out);
        break;
    }
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
        Bytes key(conn->key.guest, conn->key.guest + sizeof(conn->key));
        size_t erased =
            conn->type == COLO_CONN_STREAM ? m_flows.erase(key) : m_datagrams.erase(key);
        BOOST_REQUIRE(erased == 1U);
        collected++;
    }
    return collected;
}

std::string
FlowCore::Describe(const colo_packet& packet, const Sent& sent) const
{
    const colo_packet& edited = sent.parsed;
    if (packet.kind != COLO_KIND_TCP)
    {
        return DatagramText(packet, reinterpret_cast<const Packet&>(packet).Frame());
    }
    if (IsBare(packet))
    {
        return AckText(edited, m_clientIsn).substr(1) + WindowText(edited) + Edits(packet, sent);
    }
    std::string rest;
    if (packet.left)
    {
        rest = " from " + std::to_string(packet.left);
    }
    return RangeText(packet, m_primaryIsn) + rest + Edits(packet, sent);
}

std::string
FlowCore::Edits(const colo_packet& packet, const Sent& sent) const
{
    const colo_packet& edited = sent.parsed;
    std::string edits;
    if (edited.seq != packet.seq)
    {
        edits += " seq " + std::to_string(int32_t(edited.seq - m_primaryIsn));
    }
    if (edited.ack != packet.ack && !IsBare(packet))
    {
        edits += AckText(edited, m_clientIsn);
    }
    if (edited.window != packet.window && !IsBare(packet))
    {
        edits += WindowText(edited);
    }
    if (edited.tsval != packet.tsval)
    {
        edits += " ts " + std::to_string(edited.tsval);
    }
    return edits.empty() ? "" : " ->" + edits;
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

} // namespace colo_test
