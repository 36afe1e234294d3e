/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo_icmp.h"
#include "core-harness.h"
#include "core-text.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>

namespace colo_test
{

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
    colo_packet_parse(&packet.core, side, &packet.key);
    colo_out out;
    colo_out_init(&out);
    colo_key quoted = packet.key;
    if (side == COLO_INBOUND && colo_icmp_quoted_key(&packet.core, &quoted) && HasFix())
    {
        BOOST_REQUIRE(!memcmp(&quoted, &Fix().conn.key, sizeof(quoted)));
        colo_seqfix_icmp(&Fix(), &packet.core, &out);
    }
    else if (packet.core.kind == COLO_KIND_TCP &&
             (HasFix() || colo_seqfix_wanted(&m_node, &packet.core)))
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
FixCore::Describe(const colo_packet& packet, const Sent& sent) const
{
    const colo_packet& edited = sent.parsed;
    bool in = packet.side == COLO_INBOUND;
    std::string text = in ? "in " : "out ";
    if (packet.kind != COLO_KIND_TCP)
    {
        uint32_t at = colo_icmp_quoted_seq(&packet);
        uint32_t seq = at ? colo_get32(&sent.frame[at]) - m_secondaryIsn : 0;
        return text + "quoted " + std::to_string(int32_t(seq));
    }
    text += RangeText(edited, in ? m_clientIsn : m_primaryIsn);
    if (packet.tcp_flags & COLO_TCP_ACK)
    {
        text += AckText(edited, in ? m_secondaryIsn : m_clientIsn);
    }
    if (packet.options & COLO_OPT_TIMESTAMPS)
    {
        text += " ts " + std::to_string(edited.tsval) + " " + std::to_string(sent.tsecr);
    }
    return text;
}

} // namespace colo_test
