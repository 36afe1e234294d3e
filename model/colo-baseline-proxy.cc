/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-baseline-proxy.h"

#include "colo-ns3-compat.h"

#include "ns3/enum.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoBaselineProxy");

NS_OBJECT_ENSURE_REGISTERED(ColoBaselineProxy);

namespace
{

constexpr uint32_t TCP_CHECKSUM_OFFSET = 16;
constexpr uint32_t TIMESTAMPS_LEN = 8; // both clocks

/** \return the TCP header without what is never looked at. */
std::vector<uint8_t>
GetComparedHeader(const ColoFrame& frame)
{
    const colo_packet& packet = frame.GetPacket();
    std::vector<uint8_t> header(frame.GetBytes() + packet.l4_offset,
                                frame.GetBytes() + packet.payload_offset);
    std::fill_n(header.begin() + TCP_CHECKSUM_OFFSET, 2, 0);
    if (packet.ts_offset)
    {
        std::fill_n(header.begin() + packet.ts_offset, TIMESTAMPS_LEN, 0);
    }
    return header;
}

} // namespace

bool
ColoBaselineProxy::Before::operator()(const colo_key& a, const colo_key& b) const
{
    return std::memcmp(&a, &b, sizeof(colo_key)) < 0;
}

TypeId
ColoBaselineProxy::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoBaselineProxy")
            .SetParent<ColoPrimaryProxy>()
            .SetGroupName("Colo")
            .AddConstructor<ColoBaselineProxy>()
            .AddAttribute("Compare",
                          "What of a packet both guests must agree on: Segment is length and "
                          "bytes of those with data, as QEMU once compared; Packet is all, as in "
                          "lockstep.",
                          TypeId::ATTR_GET | TypeId::ATTR_CONSTRUCT,
                          EnumValue(SEGMENT),
                          ColoMakeEnumAccessor(&ColoBaselineProxy::m_compare),
                          MakeEnumChecker(SEGMENT, "Segment", PACKET, "Packet"));
    return tid;
}

void
ColoBaselineProxy::DoDispose()
{
    m_timeoutEvent.Cancel();
    m_connections.clear();
    ColoPrimaryProxy::DoDispose();
}

const colo_node_stats&
ColoBaselineProxy::GetStatistics() const
{
    return m_stats;
}

/** The core only knows that somebody asked. */
colo_reason
ColoBaselineProxy::GetCause() const
{
    const colo_reason cause = ColoPrimaryProxy::GetCause();
    return cause == COLO_REQUEST_OPERATOR && m_cause != COLO_REASON_NONE ? m_cause : cause;
}

bool
ColoBaselineProxy::CheckpointEvent(enum colo_node_event event, uint32_t epoch)
{
    if (event == COLO_EVENT_REQUEST && GetNode().state == COLO_NODE_RUNNING)
    {
        m_cause = COLO_REASON_NONE; // an operator
    }
    const bool fits = ColoPrimaryProxy::CheckpointEvent(event, epoch);
    if (fits && event == COLO_EVENT_RECEIVED)
    {
        m_stats.checkpoints++;
        Settle(COLO_RELEASE_COMMIT);
    }
    if (fits && event == COLO_EVENT_GRANTED)
    {
        Settle(COLO_RELEASE_UNPROTECTED);
    }
    return fits;
}

/** As nobody may know which state the secondary is in, see colo_checkpoint.c. */
bool
ColoBaselineProxy::MayCompare() const
{
    return GetNode().mode == COLO_MODE_PROTECTED && !GetNode().unsure;
}

bool
ColoBaselineProxy::IsCompared(const Held& frame) const
{
    const colo_packet& packet = frame.GetPacket();
    if (packet.kind == COLO_KIND_TCP)
    {
        constexpr uint8_t counted = COLO_TCP_SYN | COLO_TCP_FIN | COLO_TCP_RST;
        return m_compare == PACKET || packet.payload_len > 0 || (packet.tcp_flags & counted);
    }
    return packet.kind == COLO_KIND_DATAGRAM;
}

void
ColoBaselineProxy::Judge(std::unique_ptr<Held> frame)
{
    const colo_side side = frame->GetSide();
    if (side == COLO_INBOUND)
    {
        return; // nothing is learnt from it
    }
    if (GetNode().mode == COLO_MODE_ALONE && side == COLO_PRIMARY)
    {
        Leave(std::move(frame), COLO_RELEASE_UNPROTECTED);
        return;
    }
    const bool isCompared = IsCompared(*frame);
    if (!isCompared && side == COLO_SECONDARY)
    {
        return;
    }
    if (!isCompared && frame->GetPacket().kind != COLO_KIND_TCP)
    {
        Leave(std::move(frame), COLO_RELEASE_UNCOMPARED);
        return;
    }
    const colo_key key = frame->GetKey();
    Connection& connection = m_connections[key];
    const uint64_t number = m_numbers++;
    auto& queue = connection.queues[side];
    queue.push_back({number, isCompared, false, std::move(frame)});
    if (!connection.isDiverged && MayCompare())
    {
        Match(connection);
    }
    if (!queue.empty() && queue.back().number == number)
    {
        queue.back().hadToWait = true;
        if (side == COLO_PRIMARY)
        {
            TraceHold(*queue.back().frame);
        }
        ArmTimeout(m_compareTimeout);
    }
    else if (queue.empty() && connection.queues[!side].empty())
    {
        m_connections.erase(key);
    }
}

void
ColoBaselineProxy::Match(Connection& connection)
{
    auto& [primary, secondary] = connection.queues;
    while (!primary.empty())
    {
        if (!primary.front().isCompared)
        {
            LeaveFirst(primary, COLO_RELEASE_UNCOMPARED);
            continue;
        }
        if (secondary.empty())
        {
            return;
        }
        const colo_reason reason = FindDifference(*primary.front().frame, *secondary.front().frame);
        if (reason != COLO_REASON_NONE)
        {
            connection.isDiverged = true;
            Ask(*primary.front().frame,
                reason,
                {primary.front().frame.get(), secondary.front().frame.get()});
            return;
        }
        LeaveFirst(primary, COLO_RELEASE_MATCHED);
        secondary.pop_front();
    }
}

colo_reason
ColoBaselineProxy::FindDifference(const Held& primary, const Held& secondary) const
{
    const colo_packet& p = primary.GetPacket();
    const colo_packet& s = secondary.GetPacket();
    if (p.kind == COLO_KIND_TCP)
    {
        const uint8_t differing = p.tcp_flags ^ s.tcp_flags;
        if (differing & COLO_TCP_RST)
        {
            return COLO_MISMATCH_RST;
        }
        if (differing & COLO_TCP_FIN)
        {
            return COLO_MISMATCH_FIN;
        }
        if (differing & COLO_TCP_SYN)
        {
            return COLO_MISMATCH_SYN_OPTIONS;
        }
        if (m_compare == PACKET && GetComparedHeader(primary) != GetComparedHeader(secondary))
        {
            return (p.tcp_flags & COLO_TCP_SYN) ? COLO_MISMATCH_SYN_OPTIONS : COLO_MISMATCH_BYTES;
        }
    }
    const bool isSame = p.payload_len == s.payload_len &&
                        std::equal(primary.GetBytes() + p.payload_offset,
                                   primary.GetBytes() + p.payload_offset + p.payload_len,
                                   secondary.GetBytes() + s.payload_offset);
    return isSame ? COLO_REASON_NONE : COLO_MISMATCH_BYTES;
}

void
ColoBaselineProxy::Ask(const Held& frame, colo_reason reason, const ColoDiffering& differing)
{
    const colo_packet& packet = frame.GetPacket();
    m_stats.mismatches[reason]++;
    Trace({ColoVerdict::MISMATCH,
           COLO_PRIMARY,
           reason,
           frame.GetKey(),
           packet.kind == COLO_KIND_TCP ? packet.seq : 0,
           0,
           Time(),
           differing});
    if (GetNode().state == COLO_NODE_RUNNING)
    {
        m_cause = reason;
    }
    else
    {
        m_stats.coalesced++;
    }
    ColoPrimaryProxy::CheckpointEvent(COLO_EVENT_REQUEST, 0);
}

/** All of the primary's leave in the order in which they came; none of the secondary's is left. */
void
ColoBaselineProxy::Settle(colo_reason reason)
{
    m_timeoutEvent.Cancel();
    std::vector<Waiting> waiting;
    for (auto& [key, connection] : m_connections)
    {
        auto& primary = connection.queues[COLO_PRIMARY];
        std::move(primary.begin(), primary.end(), std::back_inserter(waiting));
    }
    m_connections.clear();
    std::sort(waiting.begin(), waiting.end(), [](const Waiting& a, const Waiting& b) {
        return a.number < b.number;
    });
    for (Waiting& each : waiting)
    {
        m_stats.held_packets++;
        Leave(std::move(each.frame), reason);
    }
}

void
ColoBaselineProxy::LeaveFirst(std::deque<Waiting>& queue, colo_reason reason)
{
    m_stats.held_packets += queue.front().hadToWait;
    Leave(std::move(queue.front().frame), reason);
    queue.pop_front();
}

void
ColoBaselineProxy::Leave(std::unique_ptr<Held> frame, colo_reason reason)
{
    m_stats.released_packets++;
    if (frame->GetPacket().kind == COLO_KIND_TCP)
    {
        m_stats.released_bytes += frame->GetPacket().payload_len;
    }
    ColoVerdict verdict = MakeVerdict(ColoVerdict::RELEASE, *frame);
    verdict.reason = reason;
    Trace(verdict);
    Send(*frame, frame->GetBytes(), frame->GetSize());
}

void
ColoBaselineProxy::ArmTimeout(Time delay)
{
    if (m_timeoutEvent.IsExpired())
    {
        m_timeoutEvent = Simulator::Schedule(delay, &ColoBaselineProxy::TimeoutOver, this);
    }
}

/** Looks at the oldest frame of either guest; asks again if an earlier checkpoint broke off. */
void
ColoBaselineProxy::TimeoutOver()
{
    const Waiting* oldest = nullptr;
    for (const auto& [key, connection] : m_connections)
    {
        for (const auto& queue : connection.queues)
        {
            if (!queue.empty() && (!oldest || queue.front().number < oldest->number))
            {
                oldest = &queue.front();
            }
        }
    }
    if (!oldest || GetNode().mode != COLO_MODE_PROTECTED)
    {
        return;
    }
    const Time left = oldest->frame->arrived + m_compareTimeout - Simulator::Now();
    if (left.IsStrictlyPositive())
    {
        ArmTimeout(left);
        return;
    }
    if (GetNode().state == COLO_NODE_RUNNING)
    {
        const ColoFrame* frame = oldest->frame.get();
        if (frame->GetSide() == COLO_PRIMARY)
        {
            Ask(*oldest->frame, COLO_MISMATCH_TIMEOUT_DATA, {frame, nullptr});
        }
        else
        {
            Ask(*oldest->frame, COLO_MISMATCH_EXTRA, {nullptr, frame});
        }
    }
    ArmTimeout(m_compareTimeout);
}

} // namespace ns3
