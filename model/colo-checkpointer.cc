/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-checkpointer.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoCheckpointer");

NS_OBJECT_ENSURE_REGISTERED(ColoCheckpointer);

TypeId
ColoCheckpointer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoCheckpointer")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoCheckpointer>()
            .AddAttribute("Overhead",
                          "Fixed part of a checkpoint's pause: stopping the guests, collecting the "
                          "state. An assumption.",
                          TimeValue(MilliSeconds(2)),
                          MakeTimeAccessor(&ColoCheckpointer::m_overhead),
                          MakeTimeChecker(Time()))
            .AddAttribute("StateSize",
                          "Bytes of changed guest state that a checkpoint moves. An assumption: "
                          "1024 pages of 4 KiB.",
                          UintegerValue(4 << 20),
                          MakeUintegerAccessor(&ColoCheckpointer::m_stateSize),
                          MakeUintegerChecker<uint64_t>(0, 1ULL << 50))
            .AddAttribute("LinkRate",
                          "Rate of the checkpoint link.",
                          DataRateValue(DataRate("10Gbps")),
                          MakeDataRateAccessor(&ColoCheckpointer::m_linkRate),
                          MakeDataRateChecker())
            .AddAttribute("LinkDelay",
                          "One-way delay of the checkpoint link.",
                          TimeValue(MicroSeconds(50)),
                          MakeTimeAccessor(&ColoCheckpointer::m_linkDelay),
                          MakeTimeChecker(Time()))
            .AddAttribute("LoadTime",
                          "Time to load the received state into the secondary guest. An "
                          "assumption.",
                          TimeValue(MilliSeconds(1)),
                          MakeTimeAccessor(&ColoCheckpointer::m_loadTime),
                          MakeTimeChecker(Time()))
            .AddTraceSource("Checkpoint",
                            "A checkpoint is over: both guests go on.",
                            MakeTraceSourceAccessor(&ColoCheckpointer::m_checkpointTrace),
                            "ns3::ColoCheckpointer::CheckpointTracedCallback");
    return tid;
}

void
ColoCheckpointer::Install(Ptr<ColoPrimaryProxy> primaryProxy,
                          Ptr<ColoSecondaryProxy> secondaryProxy,
                          Ptr<ColoGuest> primary,
                          Ptr<ColoGuest> secondary,
                          Time tapDelay)
{
    NS_ABORT_MSG_IF(m_linkRate == DataRate(0), "ColoCheckpointer: LinkRate must not be 0");
    m_primary = {primaryProxy, primary};
    m_secondary = {secondaryProxy, secondary};
    m_tapDelay = tapDelay;
    for (Host* host : {&m_primary, &m_secondary})
    {
        host->proxy->SetActionCallback(
            [this, host](uint32_t actions, uint32_t epoch) { Act(*host, actions, epoch); });
    }
}

void
ColoCheckpointer::DoDispose()
{
    m_primary = {};
    m_secondary = {};
    Object::DoDispose();
}

void
ColoCheckpointer::Act(Host& host, uint32_t actions, uint32_t epoch)
{
    NS_LOG_FUNCTION(this << (&host == &m_primary) << actions << epoch);
    if (actions & COLO_ACTION_PAUSE)
    {
        // What is under way to the guest arrives before it stands still.
        host.proxy->StopDelivery();
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       m_tapDelay + NanoSeconds(1),
                                       &ColoCheckpointer::Freeze,
                                       this,
                                       &host);
    }
    if (actions & COLO_ACTION_SEND_REQUEST)
    {
        m_current = {};
        m_current.requested = Simulator::Now();
        Tell(m_secondary, m_linkDelay, COLO_EVENT_REQUEST, epoch);
    }
    if (actions & COLO_ACTION_SEND_REPLY)
    {
        Tell(m_primary, m_linkDelay, COLO_EVENT_REPLY, epoch);
    }
    if (actions & COLO_ACTION_SEND_STATE)
    {
        const Time transfer = m_linkRate.CalculateBytesTxTime(m_stateSize);
        Tell(m_secondary, m_overhead + transfer + m_linkDelay, COLO_EVENT_STATE, epoch);
    }
    if (actions & COLO_ACTION_SEND_RECEIVED)
    {
        Tell(m_primary, m_linkDelay, COLO_EVENT_RECEIVED, epoch);
    }
    if (actions & COLO_ACTION_LOAD)
    {
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       m_loadTime,
                                       &ColoCheckpointer::Load,
                                       this);
    }
    if (actions & COLO_ACTION_SEND_LOADED)
    {
        Tell(m_primary, m_linkDelay, COLO_EVENT_LOADED, epoch);
    }
    if (actions & COLO_ACTION_RESUME)
    {
        // Both go on at the same instant, so the secondary waits for its message to arrive.
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       &host == &m_primary ? Time() : m_linkDelay,
                                       &ColoCheckpointer::Resume,
                                       this,
                                       &host);
    }
}

void
ColoCheckpointer::Tell(Host& host, Time delay, enum colo_node_event event, uint32_t epoch)
{
    Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                   delay,
                                   &ColoCheckpointer::Happen,
                                   this,
                                   &host,
                                   event,
                                   epoch);
}

void
ColoCheckpointer::Happen(Host* host, enum colo_node_event event, uint32_t epoch)
{
    if (!host->proxy)
    {
        return; // the simulation is being taken down
    }
    if (host == &m_primary && event == COLO_EVENT_RECEIVED)
    {
        m_current.committed = Simulator::Now();
    }
    if (!host->proxy->CheckpointEvent(event, epoch))
    {
        NS_LOG_WARN("checkpoint event " << event << " of epoch " << epoch << " does not fit");
    }
}

void
ColoCheckpointer::Freeze(Host* host)
{
    host->guest->Pause();
    if (host == &m_primary)
    {
        m_current.paused = Simulator::Now();
    }
    // What the guest has sent arrives before it counts as standing still.
    Tell(*host, m_tapDelay + NanoSeconds(1), COLO_EVENT_PAUSED, 0);
}

void
ColoCheckpointer::Load()
{
    m_secondary.guest->CloneFrom(m_primary.guest);
    Happen(&m_secondary, COLO_EVENT_LOADED, 0);
}

void
ColoCheckpointer::Resume(Host* host)
{
    host->guest->Resume();
    host->proxy->StartDelivery();
    if (host == &m_primary)
    {
        const colo_node& node = host->proxy->GetNode();
        m_current.epoch = node.epoch;
        m_current.reason = node.cause;
        m_current.resumed = Simulator::Now();
        m_checkpointTrace(m_current);
    }
}

} // namespace ns3
