/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-proxy.h"

#include "colo-pause.h"

#include "ns3/ethernet-header.h"
#include "ns3/log.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoProxy");

NS_OBJECT_ENSURE_REGISTERED(ColoProxy);

namespace
{

uint64_t
NowNs()
{
    return Simulator::Now().GetNanoSeconds();
}

} // namespace

const char*
ColoVerdict::GetEventName() const
{
    static const char* const names[] = {"release", "resend", "drop", "mismatch", "commit", "hold"};
    return names[event];
}

const char*
ColoVerdict::GetSideName() const
{
    static const char* const names[] = {"primary", "secondary", "inbound"};
    return names[side];
}

std::string
ColoVerdict::GetFlowName() const
{
    return flow ? ColoKeyToString(*flow) : std::string();
}

TypeId
ColoProxy::GetTypeId()
{
    // The core gets its configuration once, so a later change would be ignored in silence.
    const uint32_t once = TypeId::ATTR_GET | TypeId::ATTR_CONSTRUCT;
    static TypeId tid =
        TypeId("ns3::ColoProxy")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddAttribute("NodeIndex",
                          "Index of the protected pair; both proxies of a pair have the same.",
                          once,
                          UintegerValue(0),
                          MakeUintegerAccessor(&ColoProxy::m_nodeIndex),
                          MakeUintegerChecker<uint16_t>())
            .AddAttribute("CompareTimeout",
                          "Longest time a packet is held before a checkpoint is requested; on the "
                          "secondary host, longest time one waits for its sequence offset.",
                          once,
                          TimeValue(Seconds(3)),
                          MakeTimeAccessor(&ColoProxy::m_compareTimeout),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("Lease",
                          "How long after a heartbeat that was answered the primary speaks to the "
                          "clients (rule fail-fence); 0: no heartbeats, the hosts never lose each "
                          "other by themselves. Both proxies of a pair must have the same.",
                          once,
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoProxy::m_lease),
                          MakeTimeChecker(Time()))
            .AddAttribute("Takeover",
                          "How long after the last heartbeat the secondary asks to take over. What "
                          "it is longer than Lease has to cover the time in which a frame leaves "
                          "the host.",
                          once,
                          TimeValue(MilliSeconds(300)),
                          MakeTimeAccessor(&ColoProxy::m_takeover),
                          MakeTimeChecker(Time()))
            .AddAttribute("HeartbeatInterval",
                          "Between two heartbeats, and two questions to the arbiter.",
                          once,
                          TimeValue(MilliSeconds(50)),
                          MakeTimeAccessor(&ColoProxy::m_heartbeatInterval),
                          MakeTimeChecker(Time()))
            .AddTraceSource("Verdict",
                            "The core decided on a packet, or asks for a checkpoint.",
                            MakeTraceSourceAccessor(&ColoProxy::m_verdictTrace),
                            "ns3::ColoProxy::VerdictTracedCallback")
            .AddTraceSource("Stale",
                            "A frame on sec_dev was dropped: it is of another epoch.",
                            MakeTraceSourceAccessor(&ColoProxy::m_staleTrace),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("Action",
                            "The core wants something done, such as a checkpoint: COLO_ACTION_* "
                            "bits, and the epoch of the messages among them.",
                            MakeTraceSourceAccessor(&ColoProxy::m_actionTrace),
                            "ns3::ColoProxy::ActionTracedCallback")
            .AddTraceSource("PeerLost",
                            "The other host is lost; the arbiter is asked who goes on alone.",
                            MakeTraceSourceAccessor(&ColoProxy::m_peerLostTrace),
                            "ns3::TracedCallback::VoidSignature")
            .AddTraceSource("Alone",
                            "The arbiter lets this host speak to the clients alone.",
                            MakeTraceSourceAccessor(&ColoProxy::m_aloneTrace),
                            "ns3::TracedCallback::VoidSignature")
            .AddTraceSource("Fenced",
                            "The arbiter let the other host; this one is silent for good.",
                            MakeTraceSourceAccessor(&ColoProxy::m_fencedTrace),
                            "ns3::TracedCallback::VoidSignature")
            .AddTraceSource("Protected",
                            "The new secondary host holds the whole state, as far as this host "
                            "knows: the pair is one again.",
                            MakeTraceSourceAccessor(&ColoProxy::m_protectedTrace),
                            "ns3::TracedCallback::VoidSignature");
    return tid;
}

void
ColoProxy::NotifyConstructionCompleted()
{
    Object::NotifyConstructionCompleted();
    MakeEngine();
    m_stages.SetEnds(
        [this](Ptr<const Packet> packet,
               uint16_t protocol,
               const Address& source,
               const Address& destination) {
            const colo_side side = GetRole() == COLO_ROLE_PRIMARY ? COLO_PRIMARY : COLO_SECONDARY;
            FromGuest(std::make_unique<Held>(side, packet, protocol, source, destination));
        },
        [this](Ptr<const Packet> packet,
               uint16_t protocol,
               const Address& source,
               const Address& destination) {
            m_bridge->SendOutOf(m_tap, packet, protocol, source, destination);
        });
}

void
ColoProxy::MakeEngine()
{
    colo_config config;
    colo_config_default(&config);
    config.compare_timeout_ns = m_compareTimeout.GetNanoSeconds();
    config.lease_ns = m_lease.GetNanoSeconds();
    config.takeover_ns = m_takeover.GetNanoSeconds();
    config.heartbeat_interval_ns = m_heartbeatInterval.GetNanoSeconds();
    const char* wrong = colo_config_check(&config);
    NS_ABORT_MSG_IF(wrong, "ns3::ColoProxy::Lease, Takeover, HeartbeatInterval: " << wrong);
    Configure(config);
    m_engine = std::make_unique<ColoEngine>(m_nodeIndex,
                                            GetRole(),
                                            config,
                                            NowNs(),
                                            static_cast<ColoEngineRoom&>(*this));
}

void
ColoProxy::Install(Ptr<ColoHost> host, Ptr<NetDevice> tap)
{
    m_host = host;
    m_tap = tap;
    m_secDev = host->GetSecDev();
    host->MoveTap(tap, FindBridge(host));
    Hook(FindBridge(host));
    host->AddProxy(this, m_nodeIndex);
    // Periodic checkpoints and heartbeats do not wait for a first frame. To the core, a heartbeat
    // whose stamp is 0 is none.
    const ColoPause::InContext asHost(GetHostId());
    m_armedNs = NowNs() + 1;
    m_deadlineEvent = Simulator::Schedule(NanoSeconds(1), &ColoProxy::DeadlineOver, this);
}

void
ColoProxy::Hook(Ptr<ColoBridge> bridge)
{
    m_bridge = bridge;
    m_bridge->SetIngressHook(m_tap, MakeCallback(&ColoProxy::Ingress, this));
    m_bridge->SetEgressHook(m_tap, MakeCallback(&ColoProxy::Egress, this));
}

void
ColoProxy::Reset()
{
    if (m_host)
    {
        m_host->RemoveProxy(m_nodeIndex);
        m_host = nullptr;
    }
    m_deadlineEvent.Cancel();
    m_armedNs = COLO_NEVER_NS;
    m_askedTerm.reset();
    m_isDead = false;
    m_isStopped = false;
    m_stages.Clear();
    MakeEngine();
}

void
ColoProxy::Succeed(ColoProxy& survivor)
{
    const colo_node_stats before = GetNode().stats; // a pair's, wherever it was compared
    Reset();
    m_engine->Succeed(*survivor.m_engine, before, NowNs());
    m_stages.Succeed(survivor.m_stages, std::move(survivor.m_engine));
    Ptr<ColoHost> host = survivor.m_host;
    survivor.Reset();
    Install(host, survivor.m_tap);
}

void
ColoProxy::CopyStages(const ColoProxy& original)
{
    m_stages.CopyFrom(original.m_stages);
}

void
ColoProxy::DoDispose()
{
    m_deadlineEvent.Cancel();
    m_stages.Clear();
    m_actionCallback = nullptr;
    m_engine.reset();
    m_host = nullptr;
    m_bridge = nullptr;
    m_tap = nullptr;
    m_secDev = nullptr;
    Object::DoDispose();
}

void
ColoProxy::SetActionCallback(ActionCallback callback)
{
    m_actionCallback = std::move(callback);
}

const colo_node&
ColoProxy::GetNode() const
{
    return m_engine->GetNode();
}

colo_reason
ColoProxy::GetCause() const
{
    return GetNode().cause;
}

uint32_t
ColoProxy::GetHostId() const
{
    return m_secDev->GetNode()->GetId();
}

ColoEngine&
ColoProxy::GetEngine()
{
    return *m_engine;
}

bool
ColoProxy::CheckpointEvent(enum colo_node_event event, uint32_t epoch)
{
    const uint32_t before = GetNode().epoch;
    const colo_node_mode mode = GetNode().mode;
    bool fits = m_engine->Event(event, epoch, NowNs());
    const bool isCommit = event == COLO_EVENT_RECEIVED || event == COLO_EVENT_STATE;
    if (isCommit && GetNode().epoch != before)
    {
        m_verdictTrace({ColoVerdict::COMMIT,
                        COLO_PRIMARY,
                        GetCause(),
                        std::nullopt,
                        GetNode().epoch,
                        0,
                        Time()});
        if (mode == COLO_MODE_ALONE || mode == COLO_MODE_JOINING)
        {
            m_protectedTrace();
        }
    }
    ArmDeadline();
    return fits;
}

void
ColoProxy::LosePeer()
{
    m_engine->LosePeer(NowNs());
    ArmDeadline();
}

void
ColoProxy::Kill()
{
    m_isDead = true;
    m_deadlineEvent.Cancel();
}

void
ColoProxy::ReceiveMessage(const ColoHostMessage& message)
{
    switch (message.kind)
    {
    case ColoHostMessage::HEARTBEAT:
    case ColoHostMessage::HEARD:
        m_engine->Heartbeat(message.term, message.stampNs, NowNs());
        ArmDeadline();
        break;
    case ColoHostMessage::GRANTED:
        if (CheckpointEvent(COLO_EVENT_GRANTED, message.term))
        {
            m_aloneTrace();
        }
        break;
    case ColoHostMessage::DENIED:
        CheckpointEvent(COLO_EVENT_DENIED, message.term);
        break;
    case ColoHostMessage::TERM_KNOWN:
        CheckpointEvent(COLO_EVENT_TERM, message.term);
        break;
    default:
        break;
    }
}

void
ColoProxy::Tell(ColoHostMessage::Kind kind, const ColoActions& actions) const
{
    m_host->Tell({kind, m_nodeIndex, GetRole(), actions.term, actions.stampNs});
}

// Deadlines mostly move away before they come, so an event that is due early is left to find out.
void
ColoProxy::ArmDeadline()
{
    const uint64_t deadline = m_engine->GetDeadline();
    if (m_isDead || deadline >= m_armedNs)
    {
        return;
    }
    m_deadlineEvent.Cancel();
    m_armedNs = deadline;
    const uint64_t now = NowNs();
    m_deadlineEvent = Simulator::Schedule(NanoSeconds(deadline > now ? deadline - now : 0),
                                          &ColoProxy::DeadlineOver,
                                          this);
}

void
ColoProxy::DeadlineOver()
{
    m_armedNs = COLO_NEVER_NS;
    m_engine->Poll(NowNs());
    ArmDeadline();
}

bool
ColoProxy::Ingress(Ptr<NetDevice>,
                   Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination)
{
    if (!m_isDead)
    {
        m_stages.FromGuest(packet, protocol, source, destination);
    }
    return false;
}

bool
ColoProxy::Egress(Ptr<NetDevice>,
                  Ptr<const Packet> packet,
                  uint16_t protocol,
                  const Address& source,
                  const Address& destination)
{
    if (!m_isDead)
    {
        ToGuest(std::make_unique<Held>(COLO_INBOUND, packet, protocol, source, destination));
    }
    return false;
}

void
ColoProxy::SendToGuest(Ptr<const Packet> packet,
                       uint16_t protocol,
                       const Address& source,
                       const Address& destination)
{
    m_stages.ToGuest(packet, protocol, source, destination);
}

void
ColoProxy::ReceiveOnSecDev(const colo_shim& shim,
                           Ptr<const Packet> outer,
                           Ptr<const Packet> inner,
                           const Address& source,
                           const Address& destination)
{
    if (!colo_shim_is_current(&shim, &GetNode()))
    {
        NS_LOG_LOGIC("stale: epoch " << shim.epoch);
        m_staleTrace(outer);
        return;
    }
    FromSecDev(
        shim,
        std::make_unique<Held>(GetSecDevSide(shim), inner, shim.ethertype, source, destination));
}

void
ColoProxy::SendOnSecDev(enum colo_shim_kind kind,
                        Ptr<const Packet> packet,
                        uint16_t protocol,
                        const Address& source,
                        const Address& destination)
{
    Ptr<Packet> outer = packet->Copy();
    outer->AddHeader(
        ColoShimHeader({static_cast<u8>(kind), m_nodeIndex, GetNode().epoch, protocol}));
    m_secDev->SendFrom(outer, source, destination, COLO_SHIM_ETHERTYPE);
}

void
ColoProxy::SendOnSecDev(enum colo_shim_kind kind, const Held& frame, Ptr<const Packet> packet)
{
    SendOnSecDev(kind, packet, frame.protocol, frame.source, frame.destination);
}

void
ColoProxy::Trace(ColoVerdict::Event event, const ColoFrame& frame)
{
    if (m_verdictTrace.IsEmpty())
    {
        return;
    }
    m_verdictTrace(MakeVerdict(event, frame));
}

void
ColoProxy::Trace(const ColoVerdict& verdict)
{
    m_verdictTrace(verdict);
}

ColoVerdict
ColoProxy::MakeVerdict(ColoVerdict::Event event, const ColoFrame& frame)
{
    const colo_packet& packet = frame.GetPacket();
    const bool isTcp = packet.kind == COLO_KIND_TCP;
    const bool isOfFlow = isTcp || packet.kind == COLO_KIND_DATAGRAM;
    return {event,
            frame.GetSide(),
            static_cast<colo_reason>(packet.reason),
            isOfFlow ? std::optional(frame.GetKey()) : std::nullopt,
            isTcp ? packet.seq : 0,
            packet.payload_len,
            Simulator::Now() - static_cast<const Held&>(frame).arrived};
}

ColoVerdict
ColoProxy::DescribeRelease(Ptr<const Packet> packet,
                           uint16_t protocol,
                           const Address& source,
                           const Address& destination)
{
    return MakeVerdict(ColoVerdict::RELEASE,
                       Held(COLO_PRIMARY, packet, protocol, source, destination));
}

void
ColoProxy::Drop(std::unique_ptr<ColoFrame> frame)
{
    Trace(ColoVerdict::DROP, *frame);
}

void
ColoProxy::Mismatch(const colo_mismatch& mismatch)
{
    NS_LOG_INFO("mismatch: " << colo_reason_text(mismatch.reason) << ", "
                             << ColoKeyToString(mismatch.conn->key) << " at " << mismatch.position);
    m_verdictTrace({ColoVerdict::MISMATCH,
                    COLO_PRIMARY,
                    mismatch.reason,
                    mismatch.conn->key,
                    mismatch.position,
                    0,
                    Time(),
                    m_engine->FindDiffering(mismatch)});
}

void
ColoProxy::Act(const ColoActions& actions)
{
    m_actionTrace(actions.bits, actions.epoch);
    // Whoever cannot reach the clients leaves them to the other host.
    if ((actions.bits & COLO_ACTION_SEND_HEARTBEAT) && m_host->HasCarrier())
    {
        Tell(ColoHostMessage::HEARTBEAT, actions);
    }
    if (actions.bits & COLO_ACTION_ANSWER_HEARTBEAT)
    {
        Tell(ColoHostMessage::HEARD, actions);
    }
    if (actions.bits & COLO_ACTION_ASK)
    {
        if (m_askedTerm != actions.term)
        {
            m_askedTerm = actions.term;
            m_peerLostTrace();
        }
        Tell(ColoHostMessage::ASK, actions);
    }
    if (actions.bits & COLO_ACTION_TELL_TERM)
    {
        Tell(ColoHostMessage::TELL_TERM, actions);
    }
    if (actions.bits & COLO_ACTION_FENCE)
    {
        m_fencedTrace();
    }
    if (m_actionCallback)
    {
        m_actionCallback(actions);
    }
}

} // namespace ns3
