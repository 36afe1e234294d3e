/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-timeline.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <fmt/format.h>

namespace ns3
{

namespace
{

constexpr uint32_t SHOWN_BYTES_MAX = 2048; // of a frame: those of a network fit, even with tags

/** \return fields of a line, with the comma before them; "" without a frame. */
std::string
DescribeFrame(const char* role, const ColoFrame* frame)
{
    if (!frame)
    {
        return "";
    }
    const uint8_t* bytes = frame->GetBytes();
    const uint32_t size = frame->GetSize();
    return fmt::format(R"(,"{}":{{"frame":"{:02x}","bytes":{}}})",
                       role,
                       fmt::join(bytes, bytes + std::min(size, SHOWN_BYTES_MAX), ""),
                       size);
}

} // namespace

ColoTimeline::ColoTimeline(std::function<void(const std::string&)> write)
    : m_write(std::move(write))
{
}

void
ColoTimeline::Watch(uint32_t index, const ColoPair& pair)
{
    WatchGuest(index, pair.primary.guest, "primary");
    if (pair.remus)
    {
        WatchRemus(index, pair.remus);
    }
    if (!pair.primaryProxy)
    {
        return;
    }
    WatchGuest(index, pair.secondary.guest, "secondary");
    WatchProxy(index, pair.primaryProxy, "primary");
    WatchProxy(index, pair.secondaryProxy, "secondary");
    for (const char* source : {"Verdict", "Hold"})
    {
        pair.primaryProxy->TraceConnectWithoutContext(
            source,
            Callback<void, const ColoVerdict&>(
                [this, index](const ColoVerdict& verdict) { NoteVerdict(index, verdict); }));
    }
    pair.primary.guest->TraceConnectWithoutContext(
        "Paused",
        Callback<void>([this, index, proxy = PeekPointer(pair.primaryProxy)]() {
            const colo_node& node = proxy->GetNode();
            if (node.state != COLO_NODE_RUNNING) // else the host hangs, or died
            {
                NotePhase(index, "paused", node.attempt, proxy->GetCause());
            }
        }));
    pair.checkpointer->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this, index](const ColoCheckpoint& checkpoint) {
            NotePhase(index, "resumed", checkpoint.epoch, checkpoint.reason);
        }));
}

/** A checkpoint is told when it is confirmed: the guest has gone on before that. */
void
ColoTimeline::WatchRemus(uint32_t index, Ptr<ColoRemus> remus)
{
    remus->TraceConnectWithoutContext(
        "Verdict",
        Callback<void, const ColoVerdict&>(
            [this, index](const ColoVerdict& verdict) { NoteVerdict(index, verdict); }));
    remus->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this, index](const ColoCheckpoint& checkpoint) {
            NotePhase(index, "committed", checkpoint.epoch, checkpoint.reason);
        }));
}

void
ColoTimeline::WatchGuest(uint32_t pair, Ptr<ColoGuest> guest, const char* role)
{
    guest->TraceConnectWithoutContext("Paused", Callback<void>([this, pair, role]() {
                                          Line(pair, "pause", fmt::format(R"("guest":"{}")", role));
                                      }));
    guest->TraceConnectWithoutContext(
        "Resumed",
        Callback<void, Time>([this, pair, role](Time pause) {
            Line(pair,
                 "resume",
                 fmt::format(R"("guest":"{}","paused_ns":{})", role, pause.GetNanoSeconds()));
        }));
}

void
ColoTimeline::WatchProxy(uint32_t pair, Ptr<ColoProxy> proxy, const char* role)
{
    proxy->TraceConnectWithoutContext(
        "Stale",
        Callback<void, Ptr<const Packet>>([this, pair, role](Ptr<const Packet> packet) {
            Line(pair, "stale", fmt::format(R"("host":"{}","bytes":{})", role, packet->GetSize()));
        }));
    proxy->TraceConnectWithoutContext(
        "Action",
        Callback<void, uint32_t, uint32_t>(
            [this, pair, proxy = PeekPointer(proxy)](uint32_t actions, uint32_t) {
                NoteAction(pair, *proxy, actions);
            }));
}

/** No field needs escapes: names, numbers, addresses. */
void
ColoTimeline::Line(uint32_t pair, const char* event, const std::string& fields)
{
    m_write(fmt::format("{{\"t_ns\":{},\"pair\":{},\"event\":\"{}\",{}}}\n",
                        Simulator::Now().GetNanoSeconds(),
                        pair,
                        event,
                        fields));
}

void
ColoTimeline::NoteVerdict(uint32_t pair, const ColoVerdict& verdict)
{
    switch (verdict.event)
    {
    case ColoVerdict::DROP:
        if (verdict.side != COLO_PRIMARY)
        {
            return; // the secondary's end there, all of them
        }
        [[fallthrough]];
    case ColoVerdict::RELEASE:
    case ColoVerdict::RESEND:
        Line(
            pair,
            verdict.GetEventName(),
            fmt::format(R"("side":"{}","flow":"{}","seq":{},"bytes":{},"held_ns":{},"reason":"{}")",
                        verdict.GetSideName(),
                        verdict.GetFlowName(),
                        verdict.seq,
                        verdict.bytes,
                        verdict.held.GetNanoSeconds(),
                        colo_reason_name(verdict.reason)));
        break;
    case ColoVerdict::HOLD:
        Line(pair,
             verdict.GetEventName(),
             fmt::format(R"("side":"{}","flow":"{}","seq":{},"bytes":{},"held_ns":{})",
                         verdict.GetSideName(),
                         verdict.GetFlowName(),
                         verdict.seq,
                         verdict.bytes,
                         verdict.held.GetNanoSeconds()));
        break;
    case ColoVerdict::MISMATCH:
        Line(pair,
             verdict.GetEventName(),
             fmt::format(R"("flow":"{}","position":{},"reason":"{}"{}{})",
                         verdict.GetFlowName(),
                         verdict.seq,
                         colo_reason_name(verdict.reason),
                         DescribeFrame("primary", verdict.differing.primary),
                         DescribeFrame("secondary", verdict.differing.secondary)));
        break;
    case ColoVerdict::COMMIT:
        NotePhase(pair, "committed", verdict.seq, verdict.reason);
        break;
    }
}

void
ColoTimeline::NoteAction(uint32_t pair, const ColoProxy& proxy, uint32_t actions)
{
    if (actions & COLO_ACTION_SEND_REQUEST)
    {
        NotePhase(pair, "requested", proxy.GetNode().attempt, proxy.GetCause());
    }
}

void
ColoTimeline::NoteFailover(uint32_t pair, const char* step, const char* host)
{
    Line(pair, "failover", fmt::format(R"("host":"{}","step":"{}")", host, step));
}

void
ColoTimeline::NotePhase(uint32_t pair, const char* phase, uint32_t epoch, colo_reason reason)
{
    Line(pair,
         "checkpoint",
         fmt::format(R"("phase":"{}","epoch":{},"reason":"{}")",
                     phase,
                     epoch,
                     colo_reason_name(reason)));
}

} // namespace ns3
