/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <string_view>

namespace ns3
{

const char*
ColoReplayVerdict::GetEventName() const
{
    static const char* const NAMES[] =
        {"release", "drop", "mismatch", "commit", "held-at-end", "hold"};
    return NAMES[event];
}

const char*
ColoReplayVerdict::GetSideName() const
{
    return !side ? nullptr : side == COLO_PRIMARY ? "primary" : "secondary";
}

std::string
ColoReplayVerdict::GetFlowName() const
{
    return key && key->family ? ColoKeyToString(*key) : "";
}

std::string
ColoReplayVerdict::GetBytes(colo_side of) const
{
    std::string text;
    if (mismatch)
    {
        const bool isPrimary = of == COLO_PRIMARY;
        const uint8_t* bytes = isPrimary ? mismatch->primary : mismatch->secondary;
        const std::size_t size = isPrimary ? mismatch->primary_len : mismatch->secondary_len;
        for (std::size_t i = 0; i < size; i++)
        {
            text += fmt::format("{:02x}", bytes[i]);
        }
    }
    return text;
}

bool
ColoReplayVerdict::IsFinal() const
{
    return !isAgain && !isPart;
}

/** From one power of two to the next are as many buckets as the precision's; below, one each. */
void
ColoReplayTimes::Add(uint64_t ns)
{
    const unsigned bits = ns ? 64 - __builtin_clzll(ns) : 0;
    const unsigned shift = bits > PRECISION_BITS + 1 ? bits - PRECISION_BITS - 1 : 0;
    m_buckets[(static_cast<uint64_t>(shift) << PRECISION_BITS) + (ns >> shift)]++;
    m_count++;
    m_sumNs += ns;
    m_maxNs = std::max(m_maxNs, ns);
}

uint64_t
ColoReplayTimes::GetCount() const
{
    return m_count;
}

double
ColoReplayTimes::GetMeanMs() const
{
    return m_count ? m_sumNs / m_count / 1e6 : 0;
}

double
ColoReplayTimes::GetMaxMs() const
{
    return m_maxNs / 1e6;
}

double
ColoReplayTimes::GetPercentileMs(double share) const
{
    const auto rank = static_cast<uint64_t>(std::ceil(share * m_count));
    uint64_t seen = 0;
    for (std::size_t i = 0; i < m_buckets.size(); i++)
    {
        seen += m_buckets[i];
        if (seen >= std::max<uint64_t>(rank, 1))
        {
            const uint64_t above = i >> (PRECISION_BITS + 1) ? (i >> PRECISION_BITS) - 1 : 0;
            const uint64_t mantissa = i - (above << PRECISION_BITS);
            const uint64_t middle = (mantissa << above) + ((1ull << above) >> 1);
            return std::min(middle, m_maxNs) / 1e6;
        }
    }
    return 0;
}

std::size_t
ColoReplayStatistics::Hash::operator()(const colo_key& key) const
{
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&key), sizeof(key)});
}

bool
ColoReplayStatistics::Equal::operator()(const colo_key& a, const colo_key& b) const
{
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

ColoReplayFlow*
ColoReplayStatistics::Find(const colo_key& key)
{
    const auto found = m_flows.find(key);
    if (found != m_flows.end())
    {
        return &found->second;
    }
    return m_flows.size() < FLOWS_MAX ? &m_flows[key] : nullptr;
}

void
ColoReplayStatistics::NotePacket(const ColoFrame& frame, colo_side side)
{
    const colo_key key = frame.GetKey();
    if (!key.family)
    {
        return;
    }
    ColoReplayFlow* flow = Find(key);
    if (!flow)
    {
        m_untrackedPackets++;
        return;
    }
    flow->packets[side]++;
    flow->hasSyn[side] |= frame.IsSyn();
}

void
ColoReplayStatistics::NoteVerdict(const ColoReplayVerdict& verdict)
{
    const bool isPrimary = verdict.side == COLO_PRIMARY;
    m_commits += verdict.event == ColoReplayVerdict::COMMIT;
    if (verdict.IsFinal())
    {
        m_counts[verdict.event][verdict.side.value_or(COLO_INBOUND)][verdict.reason]++;
    }
    if (verdict.event == ColoReplayVerdict::RELEASE && isPrimary && verdict.IsFinal())
    {
        m_held.Add(verdict.heldNs);
    }
    ColoReplayFlow* flow = verdict.key && verdict.key->family ? Find(*verdict.key) : nullptr;
    if (!flow)
    {
        return;
    }
    flow->mismatches += verdict.event == ColoReplayVerdict::MISMATCH;
    if (isPrimary && verdict.IsFinal())
    {
        flow->released += verdict.event == ColoReplayVerdict::RELEASE;
        flow->heldAtEnd += verdict.event == ColoReplayVerdict::HELD_AT_END;
        flow->heldNsMax = std::max(flow->heldNsMax, verdict.heldNs);
    }
}

uint64_t
ColoReplayStatistics::GetCount(ColoReplayVerdict::Event event,
                               colo_side side,
                               colo_reason reason) const
{
    return m_counts[event][side][reason];
}

uint64_t
ColoReplayStatistics::GetCount(ColoReplayVerdict::Event event, colo_reason reason) const
{
    uint64_t count = 0;
    for (const auto& side : m_counts[event])
    {
        count += side[reason];
    }
    return count;
}

uint64_t
ColoReplayStatistics::GetCommits() const
{
    return m_commits;
}

const ColoReplayTimes&
ColoReplayStatistics::GetHeld() const
{
    return m_held;
}

std::vector<const ColoReplayStatistics::Flows::value_type*>
ColoReplayStatistics::GetBusiest(std::size_t count) const
{
    std::vector<const Flows::value_type*> flows;
    flows.reserve(m_flows.size());
    for (const auto& flow : m_flows)
    {
        flows.push_back(&flow);
    }
    const std::size_t shown = std::min(count, flows.size());
    // By address among equals, so that the same captures give the same table.
    std::partial_sort(flows.begin(),
                      flows.begin() + shown,
                      flows.end(),
                      [](const auto* a, const auto* b) {
                          const uint64_t packetsOfA = a->second.packets[0] + a->second.packets[1];
                          const uint64_t packetsOfB = b->second.packets[0] + b->second.packets[1];
                          return packetsOfA != packetsOfB
                                     ? packetsOfA > packetsOfB
                                     : std::memcmp(&a->first, &b->first, sizeof(colo_key)) < 0;
                      });
    flows.resize(shown);
    return flows;
}

std::size_t
ColoReplayStatistics::GetFlows() const
{
    return m_flows.size();
}

uint64_t
ColoReplayStatistics::GetUntrackedPackets() const
{
    return m_untrackedPackets;
}

std::size_t
ColoReplayStatistics::GetFlowsWithoutOffset() const
{
    return std::count_if(m_flows.begin(), m_flows.end(), [](const auto& entry) {
        const auto& [key, flow] = entry;
        return key.protocol == COLO_PROTOCOL_TCP && flow.packets[COLO_SECONDARY] &&
               !(flow.hasSyn[COLO_PRIMARY] && flow.hasSyn[COLO_SECONDARY]);
    });
}

} // namespace ns3
