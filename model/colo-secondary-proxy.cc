/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-secondary-proxy.h"

#include "colo-announcement.h"
#include "colo-own-random.h"

#include "ns3/log.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <cmath>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoSecondaryProxy");

NS_OBJECT_ENSURE_REGISTERED(ColoSecondaryProxy);

TypeId
ColoSecondaryProxy::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoSecondaryProxy")
            .SetParent<ColoProxy>()
            .SetGroupName("Colo")
            .AddConstructor<ColoSecondaryProxy>()
            .AddAttribute("Lag",
                          "How long after the primary guest the secondary one gets a frame, "
                          "besides the way over sec_dev.",
                          TimeValue(MicroSeconds(200)),
                          MakeTimeAccessor(&ColoSecondaryProxy::m_lag),
                          MakeTimeChecker(Time()))
            .AddAttribute("LagJitter",
                          "Seconds that are added to Lag, drawn for each frame: when the secondary "
                          "host gets round to running its guest. Frames keep their order.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoSecondaryProxy::m_lagJitter),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("ColdLag",
                          "What Lag is longer by right after a checkpoint, when all of the guest's "
                          "memory has been replaced and caches and page tables are cold.",
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoSecondaryProxy::m_coldLag),
                          MakeTimeChecker(Time()))
            .AddAttribute("ColdDecay",
                          "After so long, ColdLag has shrunk to 1/e.",
                          TimeValue(MilliSeconds(20)),
                          MakeTimeAccessor(&ColoSecondaryProxy::m_coldDecay),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddTraceSource("TakeOver",
                            "The guest speaks to the clients from here on.",
                            MakeTraceSourceAccessor(&ColoSecondaryProxy::m_takeOverTrace),
                            "ns3::TracedCallback::VoidSignature");
    return tid;
}

void
ColoSecondaryProxy::Join(Ptr<ColoHost> host, Ptr<NetDevice> tap)
{
    Reset();
    GetEngine().Join();
    m_isStopped = true; // until the first commit
    Install(host, tap);
}

void
ColoSecondaryProxy::Reset()
{
    m_run++;
    m_lastDelivery = Time();
    m_resumed.reset();
    ColoProxy::Reset();
}

bool
ColoSecondaryProxy::HasTakenOver() const
{
    return GetNode().failed_over && GetNode().mode == COLO_MODE_ALONE &&
           m_lastDelivery < Simulator::Now();
}

Ptr<ColoBridge>
ColoSecondaryProxy::FindBridge(Ptr<ColoHost> host) const
{
    return host->GetBr1();
}

colo_role
ColoSecondaryProxy::GetRole() const
{
    return COLO_ROLE_SECONDARY;
}

void
ColoSecondaryProxy::Configure(colo_config&) const
{
}

void
ColoSecondaryProxy::FromGuest(std::unique_ptr<Held> frame)
{
    GetEngine().Input(std::move(frame), Simulator::Now().GetNanoSeconds());
    ArmDeadline();
}

colo_side
ColoSecondaryProxy::GetSecDevSide(const colo_shim& shim) const
{
    return shim.kind == COLO_SHIM_HINT ? COLO_PRIMARY : COLO_INBOUND;
}

void
ColoSecondaryProxy::FromSecDev(const colo_shim& shim, std::unique_ptr<Held> frame)
{
    const uint64_t now = Simulator::Now().GetNanoSeconds();
    if (shim.kind == COLO_SHIM_HINT)
    {
        GetEngine().Observe(*frame, now);
    }
    else
    {
        GetEngine().Input(std::move(frame), now);
    }
    ArmDeadline();
}

/** br1 is no way to the guest: what it gets comes from the primary host. Br0 is, once it is lost.
 */
void
ColoSecondaryProxy::ToGuest(std::unique_ptr<Held> frame)
{
    if (GetNode().failed_over)
    {
        GetEngine().Input(std::move(frame), Simulator::Now().GetNanoSeconds());
        ArmDeadline();
    }
}

void
ColoSecondaryProxy::SetGuest(const Mac48Address& mac, std::vector<Address> addresses)
{
    m_mac = mac;
    m_addresses = std::move(addresses);
}

void
ColoSecondaryProxy::Act(const ColoActions& actions)
{
    if (actions.bits & COLO_ACTION_TAKE_OVER)
    {
        TakeOver();
    }
    ColoProxy::Act(actions);
}

void
ColoSecondaryProxy::TakeOver()
{
    if (m_bridge == m_host->GetBr0())
    {
        return;
    }
    m_bridge->RemoveHookedPort(m_tap);
    m_host->GetBr0()->AddHookedPort(m_tap);
    Hook(m_host->GetBr0());
    m_takeOverTrace();
    for (const Address& address : m_addresses)
    {
        const ColoAnnouncement announcement(m_mac, address);
        m_bridge->Inject(m_tap,
                         announcement.packet,
                         announcement.protocol,
                         m_mac,
                         announcement.destination);
    }
}

void
ColoSecondaryProxy::StopDelivery()
{
    m_isStopped = true;
    m_run++;
    m_lastDelivery = Time();
}

void
ColoSecondaryProxy::StartDelivery()
{
    m_isStopped = false;
    m_resumed = Simulator::Now();
}

int64_t
ColoSecondaryProxy::AssignStreams(int64_t stream)
{
    m_lagJitter = ColoOwnRandom(m_lagJitter);
    m_lagJitter->SetStream(stream);
    return 1;
}

Time
ColoSecondaryProxy::DrawLag() const
{
    Time lag = m_lag + Max(Seconds(m_lagJitter->GetValue()), Time());
    if (m_coldLag.IsStrictlyPositive() && m_resumed)
    {
        const Time warm = Simulator::Now() - *m_resumed;
        lag += m_coldLag * std::exp(-(warm / m_coldDecay).GetDouble());
    }
    return lag;
}

/**
 * The guest gets the new epoch's frames from the commit on. It still stands then, so they reach it
 * when it goes on.
 */
bool
ColoSecondaryProxy::CheckpointEvent(enum colo_node_event event, uint32_t epoch)
{
    bool fits = ColoProxy::CheckpointEvent(event, epoch);
    if (fits && event == COLO_EVENT_STATE)
    {
        StartDelivery();
    }
    return fits;
}

void
ColoSecondaryProxy::Release(std::unique_ptr<ColoFrame> frame)
{
    Trace(ColoVerdict::RELEASE, *frame);
    const Held& held = static_cast<const Held&>(*frame);
    Ptr<Packet> packet = held.GetPacketOut(held.GetBytes(), held.GetSize());
    if (held.GetSide() == COLO_SECONDARY && GetNode().failed_over)
    {
        TakeOver(); // what waited for a hint leaves before the core asks for that
        m_bridge->Inject(m_tap, packet, held.protocol, held.source, held.destination);
        return;
    }
    if (held.GetSide() == COLO_SECONDARY)
    {
        SendOnSecDev(COLO_SHIM_FRAME, held, packet);
        return;
    }
    if (m_isStopped)
    {
        return; // the state that is about to be loaded has it
    }
    const Time lag = GetNode().failed_over ? Time() : DrawLag();
    m_lastDelivery = Max(m_lastDelivery, Simulator::Now() + lag); // frames keep their order
    Simulator::Schedule(m_lastDelivery - Simulator::Now(),
                        &ColoSecondaryProxy::Deliver,
                        this,
                        packet,
                        held.protocol,
                        held.source,
                        held.destination,
                        m_run);
}

void
ColoSecondaryProxy::Emit(const ColoFrame&, std::vector<uint8_t>)
{
    NS_FATAL_ERROR("the sequence fix keeps no packets to send again");
}

void
ColoSecondaryProxy::Remirror(std::vector<uint8_t>)
{
    NS_FATAL_ERROR("the sequence fix has no client to speak for");
}

void
ColoSecondaryProxy::Deliver(Ptr<Packet> packet,
                            uint16_t protocol,
                            const Address& source,
                            const Address& destination,
                            uint32_t run)
{
    if (run == m_run && m_bridge)
    {
        SendToGuest(packet, protocol, source, destination);
    }
}

} // namespace ns3
