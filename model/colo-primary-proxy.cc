/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-primary-proxy.h"

#include "colo-ns3-compat.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/enum.h"
#include "ns3/log.h"
#include "ns3/mac48-address.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoPrimaryProxy");

NS_OBJECT_ENSURE_REGISTERED(ColoPrimaryProxy);

TypeId
ColoPrimaryProxy::GetTypeId()
{
    const uint32_t once = TypeId::ATTR_GET | TypeId::ATTR_CONSTRUCT; // see ColoProxy
    static TypeId tid =
        TypeId("ns3::ColoPrimaryProxy")
            .SetParent<ColoProxy>()
            .SetGroupName("Colo")
            .AddConstructor<ColoPrimaryProxy>()
            .AddAttribute("CheckpointIntervalMin",
                          "Shortest time from a commit to the next checkpoint (storm limit).",
                          once,
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoPrimaryProxy::m_intervalMin),
                          MakeTimeChecker(Time()))
            .AddAttribute("CheckpointIntervalMax",
                          "Longest time from a commit to the next checkpoint; 0 for no limit.",
                          once,
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoPrimaryProxy::m_intervalMax),
                          MakeTimeChecker(Time()))
            .AddAttribute("AckPolicy",
                          "What happens to an ack that is ahead of the secondary's.",
                          once,
                          EnumValue(COLO_ACK_HOLD),
                          ColoMakeEnumAccessor(&ColoPrimaryProxy::m_ackPolicy),
                          MakeEnumChecker(COLO_ACK_HOLD, "Hold", COLO_ACK_CLAMP, "Clamp"))
            .AddAttribute("ReorderWindow",
                          "Datagrams of the secondary that may overtake one before that counts as "
                          "a mismatch.",
                          once,
                          UintegerValue(64),
                          MakeUintegerAccessor(&ColoPrimaryProxy::m_reorderWindow),
                          MakeUintegerChecker<uint32_t>(1, 1u << 30))
            .AddAttribute("HoldMalformed",
                          "Compare frames that cannot be parsed as opaque bytes; else the "
                          "primary's pass and the secondary's are swallowed.",
                          once,
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoPrimaryProxy::m_holdMalformed),
                          MakeBooleanChecker())
            .AddAttribute("FlowHeldMax",
                          "Packets of one guest that a flow holds before a checkpoint is "
                          "requested; at twice as many they are dropped.",
                          once,
                          UintegerValue(16384),
                          MakeUintegerAccessor(&ColoPrimaryProxy::m_flowHeldMax),
                          MakeUintegerChecker<uint32_t>(1, 1u << 30))
            .AddAttribute("NodeHeldMax",
                          "The same for all flows of the pair together.",
                          once,
                          UintegerValue(262144),
                          MakeUintegerAccessor(&ColoPrimaryProxy::m_nodeHeldMax),
                          MakeUintegerChecker<uint32_t>(1, 1u << 30))
            .AddAttribute("KcoloWakeup",
                          "From a frame's arrival at an idle kcolo thread until it runs. Where "
                          "the default comes from, scenarios/calibration.json says.",
                          TimeValue(MicroSeconds(10)),
                          MakeTimeAccessor(&ColoPrimaryProxy::m_wakeup),
                          MakeTimeChecker(Time()))
            .AddAttribute("KcoloCostPerFrame",
                          "Time that kcolo works on a frame whatever its size; measured, see "
                          "scenarios/calibration.json.",
                          TimeValue(NanoSeconds(38)),
                          MakeTimeAccessor(&ColoPrimaryProxy::m_costPerFrame),
                          MakeTimeChecker(Time()))
            .AddAttribute("KcoloCostPerKib",
                          "Time that kcolo works on 1024 bytes of a frame besides; measured, see "
                          "scenarios/calibration.json.",
                          TimeValue(NanoSeconds(34)),
                          MakeTimeAccessor(&ColoPrimaryProxy::m_costPerKib),
                          MakeTimeChecker(Time()))
            .AddTraceSource("Hold",
                            "A packet of the primary guest begins to wait for the secondary's.",
                            MakeTraceSourceAccessor(&ColoPrimaryProxy::m_holdTrace),
                            "ns3::ColoProxy::VerdictTracedCallback");
    return tid;
}

void
ColoPrimaryProxy::DoDispose()
{
    m_kcoloEvent.Cancel();
    m_kcoloQueue.clear();
    m_inboundDuringPause.clear();
    ColoProxy::DoDispose();
}

void
ColoPrimaryProxy::NotifyConstructionCompleted()
{
    NS_ABORT_MSG_IF(m_intervalMax.IsStrictlyPositive() && m_intervalMin > m_intervalMax,
                    "ColoPrimaryProxy: CheckpointIntervalMin of "
                        << m_intervalMin.As(Time::MS) << " is longer than CheckpointIntervalMax of "
                        << m_intervalMax.As(Time::MS));
    ColoProxy::NotifyConstructionCompleted();
}

void
ColoPrimaryProxy::Reset()
{
    m_kcoloEvent.Cancel();
    m_kcoloQueue.clear();
    m_inboundDuringPause.clear();
    ColoProxy::Reset();
}

Ptr<ColoBridge>
ColoPrimaryProxy::FindBridge(Ptr<ColoHost> host) const
{
    return host->GetBr0();
}

colo_role
ColoPrimaryProxy::GetRole() const
{
    return COLO_ROLE_PRIMARY;
}

void
ColoPrimaryProxy::Configure(colo_config& config) const
{
    config.checkpoint_interval_min_ns = m_intervalMin.GetNanoSeconds();
    config.checkpoint_interval_max_ns = m_intervalMax.GetNanoSeconds();
    config.ack_policy = m_ackPolicy;
    config.reorder_window = m_reorderWindow;
    config.malformed_hold = m_holdMalformed;
    config.flow_held_max = m_flowHeldMax;
    config.node_held_max = m_nodeHeldMax;
}

void
ColoPrimaryProxy::FromGuest(std::unique_ptr<Held> frame)
{
    if (frame->IsSyn())
    {
        SendOnSecDev(COLO_SHIM_HINT, *frame, frame->original);
    }
    Enqueue(std::move(frame));
}

void
ColoPrimaryProxy::FromSecDev(const colo_shim&, std::unique_ptr<Held> frame)
{
    Enqueue(std::move(frame));
}

colo_side
ColoPrimaryProxy::GetSecDevSide(const colo_shim&) const
{
    return COLO_SECONDARY;
}

void
ColoPrimaryProxy::ToGuest(std::unique_ptr<Held> frame)
{
    if (m_isStopped)
    {
        m_inboundDuringPause.push_back(std::move(frame));
    }
    else
    {
        Deliver(std::move(frame));
    }
}

/** To both guests, and to the core. */
void
ColoPrimaryProxy::Deliver(std::unique_ptr<Held> frame)
{
    SendToGuest(frame->original, frame->protocol, frame->source, frame->destination);
    SendOnSecDev(COLO_SHIM_FRAME, *frame, frame->original);
    Enqueue(std::move(frame));
}

void
ColoPrimaryProxy::StopDelivery()
{
    m_isStopped = true;
}

void
ColoPrimaryProxy::StartDelivery()
{
    m_isStopped = false;
    for (auto& frame : std::exchange(m_inboundDuringPause, {}))
    {
        Deliver(std::move(frame));
    }
}

Time
ColoPrimaryProxy::GetCost(const Held& frame) const
{
    return m_costPerFrame + m_costPerKib * static_cast<int64_t>(frame.GetSize()) / 1024;
}

void
ColoPrimaryProxy::Enqueue(std::unique_ptr<Held> frame)
{
    const bool isIdle = m_kcoloQueue.empty();
    m_kcoloQueue.push_back(std::move(frame));
    if (isIdle)
    {
        m_kcoloEvent = Simulator::Schedule(m_wakeup + GetCost(*m_kcoloQueue.front()),
                                           &ColoPrimaryProxy::Work,
                                           this);
    }
}

void
ColoPrimaryProxy::Work()
{
    JudgeNext();
    if (!m_kcoloQueue.empty())
    {
        m_kcoloEvent =
            Simulator::Schedule(GetCost(*m_kcoloQueue.front()), &ColoPrimaryProxy::Work, this);
    }
}

void
ColoPrimaryProxy::JudgeNext()
{
    std::unique_ptr<Held> frame = std::move(m_kcoloQueue.front());
    m_kcoloQueue.pop_front();
    Judge(std::move(frame));
    ArmDeadline();
}

void
ColoPrimaryProxy::Judge(std::unique_ptr<Held> frame)
{
    const uint64_t now = Simulator::Now().GetNanoSeconds();
    if (frame->GetSide() == COLO_INBOUND)
    {
        GetEngine().Observe(*frame, now);
    }
    else
    {
        const bool mayWait = frame->GetSide() == COLO_PRIMARY && !m_holdTrace.IsEmpty();
        m_judged = mayWait ? frame.get() : nullptr;
        GetEngine().Input(std::move(frame), now);
        if (m_judged)
        {
            TraceHold(static_cast<const Held&>(*m_judged)); // the engine has it still
            m_judged = nullptr;
        }
    }
}

void
ColoPrimaryProxy::TraceHold(const Held& frame)
{
    m_holdTrace(MakeVerdict(ColoVerdict::HOLD, frame));
}

const colo_node_stats&
ColoPrimaryProxy::GetStatistics() const
{
    return GetNode().stats;
}

void
ColoPrimaryProxy::NoteLeaves(const ColoFrame& frame)
{
    if (&frame == m_judged)
    {
        m_judged = nullptr;
    }
}

/** What softirq has queued is of the old epoch, so it is judged before that ends. */
bool
ColoPrimaryProxy::CheckpointEvent(enum colo_node_event event, uint32_t epoch)
{
    if (event == COLO_EVENT_RECEIVED || event == COLO_EVENT_GRANTED)
    {
        JudgeAll();
    }
    return ColoProxy::CheckpointEvent(event, epoch);
}

void
ColoPrimaryProxy::JudgeAll()
{
    m_kcoloEvent.Cancel();
    while (!m_kcoloQueue.empty())
    {
        JudgeNext();
    }
}

void
ColoPrimaryProxy::Release(std::unique_ptr<ColoFrame> frame)
{
    NoteLeaves(*frame);
    Trace(ColoVerdict::RELEASE, *frame);
    Send(static_cast<const Held&>(*frame), frame->GetBytes(), frame->GetSize());
}

void
ColoPrimaryProxy::Drop(std::unique_ptr<ColoFrame> frame)
{
    NoteLeaves(*frame);
    ColoProxy::Drop(std::move(frame));
}

/** A kept ack: frames of the simulation have no segments. */
void
ColoPrimaryProxy::Emit(const ColoFrame& frame, std::vector<uint8_t> bytes)
{
    NoteLeaves(frame); // the core keeps it, but it waits for nothing
    Trace(ColoVerdict::RESEND, frame);
    Send(static_cast<const Held&>(frame), bytes.data(), bytes.size());
}

void
ColoPrimaryProxy::Remirror(std::vector<uint8_t> bytes)
{
    if (m_isStopped)
    {
        return; // the secondary will have the primary's state, and nothing to repeat
    }
    const uint8_t* payload = bytes.data() + COLO_ETHERNET_LEN;
    Mac48Address destination;
    Mac48Address source;
    destination.CopyFrom(bytes.data());
    source.CopyFrom(bytes.data() + 6);
    SendOnSecDev(COLO_SHIM_FRAME,
                 Create<Packet>(payload, bytes.size() - COLO_ETHERNET_LEN),
                 colo_get16(payload - 2),
                 source,
                 destination);
}

/** The secondary's, too, leave as if from the tap: what it may send is the guest's. */
void
ColoPrimaryProxy::Send(const Held& frame, const uint8_t* bytes, uint32_t size)
{
    m_bridge->Inject(m_tap,
                     frame.GetPacketOut(bytes, size),
                     frame.protocol,
                     frame.source,
                     frame.destination);
}

} // namespace ns3
