/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-pause.h"

#include "colo-member-access.h"

#include "ns3/abort.h"
#include "ns3/event-impl.h"
#include "ns3/global-value.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/type-id.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoPause");

NS_OBJECT_ENSURE_REGISTERED(ColoScheduler);
NS_OBJECT_ENSURE_REGISTERED(ColoSimulatorImpl);

COLO_MEMBER_ACCESS(ColoSimulatorEvents, DefaultSimulatorImpl, m_events, Ptr<Scheduler>);
COLO_MEMBER_ACCESS(ColoSimulatorUid, DefaultSimulatorImpl, m_uid, uint32_t);

namespace
{

/** The latest that was made. A cast for each frame would be seen in a profile. */
ColoSimulatorImpl* g_latest = nullptr;

std::function<void()> g_poll;
constexpr uint32_t EVENTS_BETWEEN_POLLS = 4096;

/**
 * \return the running simulator, or null if it cannot pause
 */
ColoSimulatorImpl*
FindSimulator()
{
    return PeekPointer(Simulator::GetImplementation()) == g_latest ? g_latest : nullptr;
}

/**
 * \return the running simulator; aborts if it cannot pause
 */
ColoSimulatorImpl*
NeedSimulator()
{
    ColoSimulatorImpl* simulator = FindSimulator();
    NS_ABORT_MSG_UNLESS(simulator,
                        "ColoPause: a node cannot be paused under "
                            << Simulator::GetImplementation()->GetInstanceTypeId().GetName()
                            << "; call ColoPause::Enable() before the simulator is first used"
                               " (realtime simulation is not supported)");
    return simulator;
}

} // namespace

// ---- ColoPause ----

void
ColoPause::Enable()
{
    const std::string wanted = ColoSimulatorImpl::GetTypeId().GetName();
    StringValue bound;
    GlobalValue::GetValueByName("SimulatorImplementationType", bound);
    NS_ABORT_MSG_IF(bound.Get() != wanted && bound.Get() != "ns3::DefaultSimulatorImpl",
                    "ColoPause: nodes cannot be paused under " << bound.Get());
    GlobalValue::Bind("SimulatorImplementationType", StringValue(wanted));
    GlobalValue::Bind("SchedulerType", TypeIdValue(ColoScheduler::GetTypeId()));
}

void
ColoPause::Pause(uint32_t nodeId)
{
    NeedSimulator()->Pause(nodeId);
}

void
ColoPause::Resume(uint32_t nodeId)
{
    NeedSimulator()->Resume(nodeId);
}

bool
ColoPause::IsPaused(uint32_t nodeId)
{
    ColoSimulatorImpl* simulator = FindSimulator();
    return simulator && simulator->GetScheduler().IsFrozen(nodeId);
}

bool
ColoPause::IsQuiet(uint32_t nodeId)
{
    const auto now = static_cast<uint64_t>(Simulator::Now().GetTimeStep());
    return !NeedSimulator()->GetScheduler().IsDue(nodeId, now);
}

ColoPause::InContext::InContext(uint32_t nodeId)
    : m_simulator(FindSimulator())
{
    if (m_simulator)
    {
        m_outer = m_simulator->ExchangeContext({true, nodeId});
    }
}

ColoPause::InContext::~InContext()
{
    if (m_simulator)
    {
        m_simulator->ExchangeContext(m_outer);
    }
}

// ---- ColoScheduler ----

TypeId
ColoScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoScheduler")
                            .SetParent<Scheduler>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoScheduler>();
    return tid;
}

void
ColoScheduler::SetPoll(std::function<void()> poll)
{
    g_poll = std::move(poll);
}

ColoScheduler::~ColoScheduler()
{
    // The simulator releases what it can still see; guests may be paused when a run ends.
    for (auto& context : m_frozen)
    {
        for (EventMap* events : {&context.second.own, &context.second.arrivals})
        {
            for (auto& event : *events)
            {
                event.second->Unref();
            }
        }
    }
}

void
ColoScheduler::Insert(const Event& ev)
{
    if (!m_frozen.empty())
    {
        auto frozen = m_frozen.find(ev.key.m_context);
        if (frozen != m_frozen.end() && ev.key.m_ts > frozen->second.since)
        {
            Hold(frozen->second, ev);
            return;
        }
    }
    // Retransmission timers, which most packets start anew, are later than all else: no search.
    m_events.emplace_hint(m_events.end(), ev.key, ev.impl);
}

void
ColoScheduler::Hold(Frozen& frozen, const Event& ev)
{
    if (Simulator::GetContext() != ev.key.m_context)
    {
        frozen.arrivals.emplace(ev.key, ev.impl);
        return;
    }
    // Its own clock stands still: a delay counts from the pause on. At least one step, because
    // nothing of this context runs at the time of the pause any more.
    const auto now = static_cast<uint64_t>(Simulator::Now().GetTimeStep());
    EventKey key = ev.key;
    key.m_ts = std::max(frozen.since + (key.m_ts - now), frozen.since + 1);
    frozen.own.emplace(key, ev.impl);
    NoteMoved(key);
}

bool
ColoScheduler::IsEmpty() const
{
    return m_events.empty();
}

Scheduler::Event
ColoScheduler::PeekNext() const
{
    auto first = m_events.begin();
    return {first->second, first->first};
}

Scheduler::Event
ColoScheduler::RemoveNext()
{
    if (m_countdown-- == 0)
    {
        m_countdown = EVENTS_BETWEEN_POLLS;
        if (g_poll)
        {
            g_poll();
        }
    }
    auto first = m_events.begin();
    Event ev{first->second, first->first};
    m_events.erase(first);
    // Nearly all events are younger than any that was moved, and skip the look-up.
    if (ev.key.m_uid <= m_movedUidMax)
    {
        m_moved.erase(ev.key.m_uid);
        if (m_moved.empty())
        {
            m_movedUidMax = 0;
        }
    }
    return ev;
}

void
ColoScheduler::Remove(const Event& ev)
{
    EventKey key = ev.key;
    auto moved = m_moved.find(key.m_uid);
    if (moved != m_moved.end())
    {
        key.m_ts = moved->second;
        m_moved.erase(moved);
        auto frozen = m_frozen.find(key.m_context);
        if (frozen != m_frozen.end() && frozen->second.own.erase(key) == 1)
        {
            return;
        }
    }
    m_events.erase(key);
}

void
ColoScheduler::NoteMoved(const EventKey& key)
{
    m_moved[key.m_uid] = key.m_ts;
    m_movedUidMax = std::max(m_movedUidMax, key.m_uid);
}

void
ColoScheduler::Freeze(uint32_t context, uint64_t now)
{
    Frozen& frozen = m_frozen[context];
    frozen.since = now;
    for (auto i = m_events.begin(); i != m_events.end();)
    {
        auto event = i++;
        if (event->first.m_context == context && event->first.m_ts > now)
        {
            NoteMoved(event->first);
            frozen.own.insert(frozen.own.end(), m_events.extract(event));
        }
    }
    NS_LOG_LOGIC("context " << context << " frozen with " << frozen.own.size() << " events");
}

void
ColoScheduler::Thaw(uint32_t context, uint64_t now, uint32_t& nextUid)
{
    auto found = m_frozen.find(context);
    Frozen frozen = std::move(found->second);
    m_frozen.erase(found);

    while (!frozen.own.empty())
    {
        auto node = frozen.own.extract(frozen.own.begin());
        node.key().m_ts += now - frozen.since;
        NoteMoved(node.key());
        m_events.insert(std::move(node));
    }
    while (!frozen.arrivals.empty())
    {
        auto node = frozen.arrivals.extract(frozen.arrivals.begin());
        if (node.key().m_ts <= now)
        {
            // With its old id it would seem to be earlier than what has run at this time already.
            // Nobody has an EventId of it: only ScheduleWithContext() reaches another node.
            node.key().m_ts = now;
            node.key().m_uid = nextUid++;
        }
        m_events.insert(std::move(node));
    }
}

bool
ColoScheduler::IsFrozen(uint32_t context) const
{
    return m_frozen.find(context) != m_frozen.end();
}

uint64_t
ColoScheduler::GetClock(uint32_t context, uint64_t now) const
{
    auto frozen = m_frozen.find(context);
    return frozen == m_frozen.end() ? now : frozen->second.since;
}

bool
ColoScheduler::IsDue(uint32_t context, uint64_t now) const
{
    for (auto i = m_events.begin(); i != m_events.end() && i->first.m_ts == now; ++i)
    {
        if (i->first.m_context == context && !i->second->IsCancelled())
        {
            return true;
        }
    }
    return false;
}

const uint64_t*
ColoScheduler::FindMoved(uint32_t uid) const
{
    if (uid > m_movedUidMax)
    {
        return nullptr;
    }
    auto moved = m_moved.find(uid);
    return moved == m_moved.end() ? nullptr : &moved->second;
}

// ---- ColoSimulatorImpl ----

TypeId
ColoSimulatorImpl::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoSimulatorImpl")
                            .SetParent<DefaultSimulatorImpl>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoSimulatorImpl>();
    return tid;
}

ColoSimulatorImpl::ColoSimulatorImpl()
{
    g_latest = this;
}

ColoSimulatorImpl::~ColoSimulatorImpl()
{
    g_latest = g_latest == this ? nullptr : g_latest;
}

void
ColoSimulatorImpl::SetScheduler(ObjectFactory schedulerFactory)
{
    NS_ABORT_MSG_UNLESS(schedulerFactory.GetTypeId() == ColoScheduler::GetTypeId(),
                        "ColoPause: needs ns3::ColoScheduler, not "
                            << schedulerFactory.GetTypeId().GetName());
    NS_ABORT_MSG_IF(m_scheduler, "ColoPause: the scheduler cannot be changed");
    DefaultSimulatorImpl::SetScheduler(schedulerFactory);
    m_scheduler = DynamicCast<ColoScheduler>(this->*Member(ColoSimulatorEvents()));
}

bool
ColoSimulatorImpl::IsExpired(const EventId& id) const
{
    if (!DefaultSimulatorImpl::IsExpired(id))
    {
        return false; // events are only ever moved to a later time
    }
    // The base class may have gone by the time at which the event was to run before it was moved.
    return id.PeekEventImpl() == nullptr || id.PeekEventImpl()->IsCancelled() ||
           m_scheduler->FindMoved(id.GetUid()) == nullptr;
}

Time
ColoSimulatorImpl::GetDelayLeft(const EventId& id) const
{
    if (IsExpired(id))
    {
        return TimeStep(0);
    }
    const auto now = static_cast<uint64_t>(Now().GetTimeStep());
    const uint64_t* moved = m_scheduler->FindMoved(id.GetUid());
    return TimeStep((moved ? *moved : id.GetTs()) - m_scheduler->GetClock(id.GetContext(), now));
}

uint32_t
ColoSimulatorImpl::GetContext() const
{
    return m_actFor.first ? m_actFor.second : DefaultSimulatorImpl::GetContext();
}

void
ColoSimulatorImpl::Pause(uint32_t context)
{
    NS_ABORT_MSG_IF(m_scheduler->IsFrozen(context),
                    "ColoPause: node " << context << " is paused already");
    m_scheduler->Freeze(context, Now().GetTimeStep());
}

void
ColoSimulatorImpl::Resume(uint32_t context)
{
    NS_ABORT_MSG_UNLESS(m_scheduler->IsFrozen(context),
                        "ColoPause: node " << context << " is not paused");
    m_scheduler->Thaw(context, Now().GetTimeStep(), this->*Member(ColoSimulatorUid()));
}

const ColoScheduler&
ColoSimulatorImpl::GetScheduler() const
{
    return *m_scheduler;
}

std::pair<bool, uint32_t>
ColoSimulatorImpl::ExchangeContext(std::pair<bool, uint32_t> context)
{
    return std::exchange(m_actFor, context);
}

} // namespace ns3
