/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-remus.h"

#include "ns3/log.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <utility>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoRemus");

NS_OBJECT_ENSURE_REGISTERED(ColoRemus);

namespace
{

/** What the hosts tell each other. */
enum Message : uint8_t
{
    STATE,
    CONFIRMATION
};

} // namespace

TypeId
ColoRemus::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoRemus")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoRemus>()
            .AddAttribute("Interval",
                          "From the beginning of a checkpoint to that of the next, or longer, if "
                          "the state takes longer to move. 25 ms is what Remus was published with "
                          "for 40 checkpoints a second.",
                          TimeValue(MilliSeconds(25)),
                          MakeTimeAccessor(&ColoRemus::m_interval),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("CopyTimePerPage",
                          "Time to copy a page that was written aside while the guest stands "
                          "still. An assumption: pages of 4 KiB, memory at 4 GB/s.",
                          TimeValue(MicroSeconds(1)),
                          MakeTimeAccessor(&ColoRemus::m_copyTimePerPage),
                          MakeTimeChecker(Time()))
            .AddTraceSource("Checkpoint",
                            "The other host has confirmed a checkpoint.",
                            MakeTraceSourceAccessor(&ColoRemus::m_checkpointTrace),
                            "ns3::ColoCheckpointer::CheckpointTracedCallback")
            .AddTraceSource("Verdict",
                            "A frame of the guest's leaves, as its epoch is confirmed.",
                            MakeTraceSourceAccessor(&ColoRemus::m_verdictTrace),
                            "ns3::ColoProxy::VerdictTracedCallback");
    return tid;
}

void
ColoRemus::Install(Ptr<ColoBridge> bridge,
                   Ptr<NetDevice> tap,
                   Ptr<ColoGuest> guest,
                   Time tapDelay,
                   const ColoCheckpointLink::Ends& ends,
                   Ptr<const ColoCheckpointer> costs)
{
    TimeValue overhead;
    UintegerValue deviceState;
    costs->GetAttribute("Overhead", overhead);
    costs->GetAttribute("DeviceState", deviceState);
    m_overhead = overhead.Get();
    m_deviceState = deviceState.Get();
    m_bridge = bridge;
    m_tap = tap;
    m_guest = guest;
    m_memory = guest->GetObject<ColoMemory>();
    m_tapDelay = tapDelay;
    m_ends = ends;
    m_hostId = tap->GetNode()->GetId();
    m_bridge->SetIngressHook(m_tap, MakeCallback(&ColoRemus::FromGuest, this));
    m_bridge->SetEgressHook(m_tap, MakeCallback(&ColoRemus::ToGuest, this));
    ends.first->SetReceiver([this](const ColoCheckpointMessage& message) { Confirmed(message); });
    ends.second->SetReceiver([this](const ColoCheckpointMessage& message) { Confirm(message); });
    Simulator::ScheduleWithContext(m_hostId, m_interval, &ColoRemus::Begin, this);
}

void
ColoRemus::DoDispose()
{
    for (const auto& end : {m_ends.first, m_ends.second})
    {
        if (end)
        {
            end->Dispose();
        }
    }
    m_ends = {};
    m_event.Cancel();
    m_buffer.clear();
    m_closed.clear();
    m_inbound.clear();
    m_bridge = nullptr;
    m_tap = nullptr;
    m_guest = nullptr;
    m_memory = nullptr;
    Object::DoDispose();
}

const colo_node_stats&
ColoRemus::GetStatistics() const
{
    return m_stats;
}

bool
ColoRemus::FromGuest(Ptr<NetDevice>,
                     Ptr<const Packet> packet,
                     uint16_t protocol,
                     const Address& source,
                     const Address& destination)
{
    m_buffer.push_back({packet, protocol, source, destination, Simulator::Now()});
    return false;
}

bool
ColoRemus::ToGuest(Ptr<NetDevice>,
                   Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination)
{
    if (m_isStopped)
    {
        m_inbound.push_back({packet, protocol, source, destination, Simulator::Now()});
    }
    return !m_isStopped;
}

/** What is under way to the guest arrives before it stands still. */
void
ColoRemus::Begin()
{
    m_current = {};
    m_current.epoch = static_cast<uint32_t>(m_stats.checkpoints + 1);
    m_current.reason = COLO_REQUEST_PERIODIC;
    m_current.requested = Simulator::Now();
    m_isStopped = true;
    m_event = Simulator::Schedule(m_tapDelay + NanoSeconds(1), &ColoRemus::Freeze, this);
}

/** What the guest has sent arrives before its epoch is over. */
void
ColoRemus::Freeze()
{
    m_guest->Pause();
    m_current.paused = Simulator::Now();
    m_event = Simulator::Schedule(m_tapDelay + NanoSeconds(1), &ColoRemus::Paused, this);
}

void
ColoRemus::Paused()
{
    m_closed = std::exchange(m_buffer, {});
    m_current.pages = m_memory->TakeDirty();
    m_current.bytes = m_deviceState + m_current.pages * (m_memory->GetPageSize() +
                                                         ColoBackgroundSender::PAGE_HEADER);
    const auto pages = static_cast<int64_t>(m_current.pages);
    m_event = Simulator::Schedule(m_overhead + m_copyTimePerPage * pages, &ColoRemus::GoOn, this);
}

void
ColoRemus::GoOn()
{
    m_guest->Resume();
    m_current.resumed = Simulator::Now();
    m_isStopped = false;
    for (const Frame& frame : std::exchange(m_inbound, {}))
    {
        m_bridge->SendOutOf(m_tap, frame.packet, frame.protocol, frame.source, frame.destination);
    }
    ColoCheckpointMessage state;
    state.type = STATE;
    state.epoch = m_current.epoch;
    state.bytes = m_current.bytes;
    m_ends.first->Send(state);
}

void
ColoRemus::Confirm(const ColoCheckpointMessage& message)
{
    ColoCheckpointMessage confirmation;
    confirmation.type = CONFIRMATION;
    confirmation.epoch = message.epoch;
    m_ends.second->Send(confirmation);
}

void
ColoRemus::Confirmed(const ColoCheckpointMessage&)
{
    m_memory->Confirm();
    m_stats.checkpoints++;
    m_current.committed = Simulator::Now();
    m_checkpointTrace(m_current);
    for (const Frame& frame : std::exchange(m_closed, {}))
    {
        Release(frame);
    }
    const Time next = Max(m_current.requested + m_interval - Simulator::Now(), Time());
    Simulator::ScheduleWithContext(m_hostId, next, &ColoRemus::Begin, this);
}

void
ColoRemus::Release(const Frame& frame)
{
    ColoVerdict verdict =
        ColoProxy::DescribeRelease(frame.packet, frame.protocol, frame.source, frame.destination);
    verdict.reason = COLO_RELEASE_COMMIT;
    verdict.held = Simulator::Now() - frame.arrived;
    m_stats.released_packets++;
    m_stats.held_packets++;
    if (verdict.flow && verdict.flow->protocol == COLO_PROTOCOL_TCP)
    {
        m_stats.released_bytes += verdict.bytes;
    }
    m_verdictTrace(verdict);
    m_bridge->Inject(m_tap, frame.packet, frame.protocol, frame.source, frame.destination);
}

} // namespace ns3
