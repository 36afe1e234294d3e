/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-checkpointer.h"

#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>

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
            .AddAttribute("DeviceState",
                          "Bytes of state that each checkpoint moves besides the pages that "
                          "ColoMemory has: processors and devices. An assumption.",
                          UintegerValue(64 << 10),
                          MakeUintegerAccessor(&ColoCheckpointer::m_deviceState),
                          MakeUintegerChecker<uint64_t>(0, 1ULL << 50))
            .AddAttribute("LoadTime",
                          "Fixed part of the time to load the received state into the secondary "
                          "guest. An assumption.",
                          TimeValue(MilliSeconds(1)),
                          MakeTimeAccessor(&ColoCheckpointer::m_loadTime),
                          MakeTimeChecker(Time()))
            .AddAttribute("LoadTimePerPage",
                          "Time to load one page besides. An assumption: a copy of 4 KiB at 10 "
                          "GB/s.",
                          TimeValue(NanoSeconds(400)),
                          MakeTimeAccessor(&ColoCheckpointer::m_loadTimePerPage),
                          MakeTimeChecker(Time()))
            .AddAttribute("BackgroundRate",
                          "Rate at which dirty pages are sent while the guest runs, at most, on "
                          "the checkpoint link, which other pairs share. 0: all of them go while "
                          "the guests stand still, as in plain COLO.",
                          DataRateValue(DataRate(0)),
                          MakeDataRateAccessor(&ColoCheckpointer::m_backgroundRate),
                          MakeDataRateChecker())
            .AddAttribute("BackgroundPeriod",
                          "From one batch of pages sent in the background to the next. A "
                          "checkpoint's messages wait behind a batch, so it is short.",
                          TimeValue(MilliSeconds(1)),
                          MakeTimeAccessor(&ColoCheckpointer::m_backgroundPeriod),
                          MakeTimeChecker(NanoSeconds(1)))
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
                          Time tapDelay,
                          Ptr<const ColoCheckpointLink> link)
{
    UintegerValue pair;
    primaryProxy->GetAttribute("NodeIndex", pair);
    const ColoCheckpointLink::Ends ends = link->Open(static_cast<uint16_t>(pair.Get()));
    m_primary = {primaryProxy, primary, ends.first};
    m_secondary = {secondaryProxy, secondary, ends.second};
    m_tapDelay = tapDelay;
    Listen();
}

void
ColoCheckpointer::Renew(Ptr<ColoGuest> primary,
                        Ptr<ColoGuest> secondary,
                        Ptr<const ColoCheckpointLink> link,
                        bool isReversed)
{
    m_background.Stop();
    for (const Host* host : {&m_primary, &m_secondary})
    {
        host->end->Break();
        host->end->Dispose();
    }
    UintegerValue pair;
    m_primary.proxy->GetAttribute("NodeIndex", pair);
    const auto ends = link->Open(static_cast<uint16_t>(pair.Get()), isReversed);
    const uint32_t pause = std::max(m_primary.pause, m_secondary.pause) + 1;
    m_primary = {m_primary.proxy, primary, ends.first, false, pause, false};
    m_secondary = {m_secondary.proxy, secondary, ends.second, false, pause, true};
    m_isSecondaryLoaded = false;
    m_underWay.reset();
    m_isToBeCloned = false;
    Listen();
}

uint64_t
ColoCheckpointer::GetProgress() const
{
    return m_primary.end->GetProgress();
}

void
ColoCheckpointer::Listen()
{
    for (Host* host : {&m_primary, &m_secondary})
    {
        host->proxy->SetActionCallback(
            [this, host](const ColoActions& actions) { Act(*host, actions); });
        host->end->SetReceiver([this, host](const ColoCheckpointMessage& message) {
            if (message.type != ColoBackgroundSender::MESSAGE)
            {
                Happen(host, static_cast<enum colo_node_event>(message.type), message.epoch);
            }
        });
    }
    m_background.Start(m_backgroundRate,
                       m_backgroundPeriod,
                       m_primary.proxy->GetHostId(),
                       m_primary.guest->GetObject<ColoMemory>(),
                       m_primary.end,
                       [this] {
                           const colo_node& node = m_primary.proxy->GetNode();
                           return !m_primary.isDead && !m_primary.guest->IsPaused() &&
                                  node.mode == COLO_MODE_PROTECTED &&
                                  node.state == COLO_NODE_RUNNING;
                       });
}

void
ColoCheckpointer::DoDispose()
{
    m_background.Stop();
    for (Host* host : {&m_primary, &m_secondary})
    {
        if (host->end)
        {
            host->end->Dispose();
        }
        *host = {};
    }
    Object::DoDispose();
}

void
ColoCheckpointer::Act(Host& host, const ColoActions& actions)
{
    NS_LOG_FUNCTION(this << (&host == &m_primary) << actions.bits << actions.epoch);
    if (host.isDead)
    {
        return;
    }
    if (actions.bits & COLO_ACTION_PAUSE)
    {
        // What is under way to the guest arrives before it stands still.
        host.proxy->StopDelivery();
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       m_tapDelay + NanoSeconds(1),
                                       &ColoCheckpointer::Freeze,
                                       this,
                                       &host,
                                       ++host.pause);
    }
    if (actions.bits & COLO_ACTION_SEND_REQUEST)
    {
        m_current = {};
        m_current.requested = Simulator::Now();
        Tell(host, COLO_EVENT_REQUEST, actions.epoch);
    }
    if (actions.bits & COLO_ACTION_SEND_REPLY)
    {
        Tell(host, COLO_EVENT_REPLY, actions.epoch);
    }
    if (actions.bits & COLO_ACTION_SEND_STATE)
    {
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       m_overhead,
                                       &ColoCheckpointer::SendState,
                                       this,
                                       actions.epoch,
                                       (actions.bits & COLO_ACTION_FULL) != 0);
    }
    if (actions.bits & COLO_ACTION_SEND_RECEIVED)
    {
        Tell(host, COLO_EVENT_RECEIVED, actions.epoch);
    }
    if (actions.bits & COLO_ACTION_LOAD)
    {
        m_isToBeCloned = true;
        Simulator::ScheduleWithContext(
            host.proxy->GetHostId(),
            m_loadTime +
                m_loadTimePerPage * static_cast<int64_t>(m_current.pages + m_current.sentPages),
            &ColoCheckpointer::Load,
            this);
    }
    if (actions.bits & COLO_ACTION_SEND_LOADED)
    {
        Tell(host, COLO_EVENT_LOADED, actions.epoch);
        m_isSecondaryLoaded = true;
    }
    if (actions.bits & COLO_ACTION_RESUME)
    {
        host.pause++;
        if (&host == &m_primary)
        {
            EndTransfer();
        }
        GoOn(host);
    }
    if ((actions.bits & COLO_ACTION_TAKE_OVER) && m_isSecondaryLoaded)
    {
        m_isSecondaryLoaded = false; // the primary will not go on
        GoOn(host);
    }
    if (actions.bits & COLO_ACTION_FENCE)
    {
        Stop(host);
    }
}

/**
 * The primary guest is about to change what a state that was sent consists of. If the secondary
 * host has all of it, which it need not have told us, that is loaded; else it never will be.
 */
void
ColoCheckpointer::EndTransfer()
{
    m_underWay.reset();
    m_primary.guest->GetObject<ColoMemory>()->GiveBack(); // nothing, if all was confirmed
    if (m_isToBeCloned && !m_secondary.isDead)
    {
        Clone();
    }
}

void
ColoCheckpointer::Clone()
{
    m_isToBeCloned = false;
    m_secondary.guest->CloneFrom(m_primary.guest);
    m_secondary.guest->GetObject<ColoMemory>()->Clear();
    m_secondary.proxy->CopyStages(*m_primary.proxy);
    m_secondary.isEmpty = false;
}

void
ColoCheckpointer::Kill(bool isPrimary)
{
    Host& host = isPrimary ? m_primary : m_secondary;
    Stop(host);
    host.proxy->Kill();
}

void
ColoCheckpointer::Stop(Host& host)
{
    host.isDead = true;
    if (!host.guest->IsPaused())
    {
        host.guest->Pause();
    }
}

/**
 * After a checkpoint both guests go on at the same instant: when LOADED has arrived, which only the
 * link knows. The loaded secondary waits for that, as if it had been told when it will be.
 */
void
ColoCheckpointer::GoOn(Host& host)
{
    if (&host == &m_primary && m_isSecondaryLoaded)
    {
        m_isSecondaryLoaded = false;
        GoOn(m_secondary);
    }
    if (&host == &m_primary || !m_isSecondaryLoaded)
    {
        Simulator::ScheduleWithContext(host.proxy->GetHostId(),
                                       Time(),
                                       &ColoCheckpointer::Resume,
                                       this,
                                       &host);
    }
}

void
ColoCheckpointer::Tell(Host& from, enum colo_node_event event, uint32_t epoch, uint64_t bytes)
{
    ColoCheckpointMessage message;
    message.type = event;
    message.epoch = epoch;
    message.bytes = bytes;
    from.end->Send(message);
}

void
ColoCheckpointer::SendState(uint32_t epoch, bool isFull)
{
    if (m_primary.end && !m_primary.isDead)
    {
        m_underWay = epoch;
        Ptr<ColoMemory> memory = m_primary.guest->GetObject<ColoMemory>();
        m_current.sentPages = isFull ? 0 : memory->CountSentPages();
        m_current.pages = isFull ? memory->TakeAll() : memory->TakeDirty();
        m_current.bytes = m_deviceState + m_current.pages * (memory->GetPageSize() +
                                                             ColoBackgroundSender::PAGE_HEADER);
        Tell(m_primary, COLO_EVENT_STATE, epoch, m_current.bytes);
    }
}

void
ColoCheckpointer::Happen(Host* host, enum colo_node_event event, uint32_t epoch)
{
    if (!host->proxy || host->isDead)
    {
        return; // the simulation is being taken down, or the host is lost
    }
    if (event == COLO_EVENT_STATE && m_underWay != epoch)
    {
        NS_LOG_INFO("the state of epoch " << epoch << " broke off");
        return;
    }
    if (host == &m_primary && event == COLO_EVENT_RECEIVED)
    {
        m_current.committed = Simulator::Now();
    }
    if (!host->proxy->CheckpointEvent(event, epoch))
    {
        NS_LOG_WARN("checkpoint event " << event << " of epoch " << epoch << " does not fit");
    }
    else if (host == &m_primary && event == COLO_EVENT_RECEIVED)
    {
        host->guest->GetObject<ColoMemory>()->Confirm();
    }
}

void
ColoCheckpointer::Freeze(Host* host, uint32_t pause)
{
    if (pause != host->pause || host->isDead)
    {
        return;
    }
    if (!host->isEmpty)
    {
        host->guest->Pause();
    }
    if (host == &m_primary)
    {
        m_current.paused = Simulator::Now();
    }
    // What the guest has sent arrives before it counts as standing still.
    Simulator::ScheduleWithContext(host->proxy->GetHostId(),
                                   m_tapDelay + NanoSeconds(1),
                                   &ColoCheckpointer::Paused,
                                   this,
                                   host,
                                   pause);
}

void
ColoCheckpointer::Paused(Host* host, uint32_t pause)
{
    if (pause == host->pause)
    {
        Happen(host, COLO_EVENT_PAUSED, 0);
    }
}

void
ColoCheckpointer::Load()
{
    if (m_secondary.isDead)
    {
        return;
    }
    if (m_isToBeCloned)
    {
        Clone();
    }
    Happen(&m_secondary, COLO_EVENT_LOADED, 0);
}

void
ColoCheckpointer::Resume(Host* host)
{
    if (host->isDead)
    {
        return;
    }
    if (host->guest->IsPaused()) // not if the pause was called off before it began
    {
        host->guest->Resume();
    }
    host->proxy->StartDelivery();
    if (host == &m_primary && m_current.committed.IsStrictlyPositive())
    {
        m_current.epoch = host->proxy->GetNode().epoch;
        m_current.reason = host->proxy->GetCause();
        m_current.resumed = Simulator::Now();
        m_checkpointTrace(m_current);
    }
}

} // namespace ns3
