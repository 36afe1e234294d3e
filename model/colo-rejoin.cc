/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-rejoin.h"

#include "colo-pause.h"

#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/simulator.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoRejoin");

NS_OBJECT_ENSURE_REGISTERED(ColoRejoin);

/** How often it is looked at whether the survivor is alone yet, and how a join gets on. */
static const Time INTERVAL = MilliSeconds(10);

TypeId
ColoRejoin::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoRejoin")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoRejoin>()
            .AddAttribute("Timeout",
                          "A join that has not moved a byte for so long is broken off: the guest "
                          "stands still meanwhile. To be longer than a state takes to be "
                          "collected. 300 ms, as long as a secondary waits for a heartbeat.",
                          TimeValue(MilliSeconds(300)),
                          MakeTimeAccessor(&ColoRejoin::m_timeout),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("Settling",
                          "How long a survivor that took over watches what its guest sends before "
                          "the other host joins. Only what it has seen of a connection tells it "
                          "that a gap after a retransmission is older than the pair. 1 s: until "
                          "then what was lost with the primary has been sent again.",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&ColoRejoin::m_settling),
                          MakeTimeChecker(Time()))
            .AddAttribute("RetryInterval",
                          "From a join that was broken off to the next attempt. 1 s: the guest, "
                          "which stands still in vain during a failing one, runs most of the "
                          "time.",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&ColoRejoin::m_retryInterval),
                          MakeTimeChecker(Time()));
    return tid;
}

void
ColoRejoin::Install(const Place& primary,
                    const Place& secondary,
                    Ptr<ColoPrimaryProxy> primaryProxy,
                    Ptr<ColoSecondaryProxy> secondaryProxy,
                    Ptr<ColoCheckpointer> checkpointer,
                    Ptr<const ColoCheckpointLink> link,
                    Time tapDelay)
{
    m_places = {primary, secondary};
    m_primaryProxy = primaryProxy;
    m_secondaryProxy = secondaryProxy;
    m_checkpointer = checkpointer;
    m_link = link;
    m_tapDelay = tapDelay;
    primaryProxy->TraceConnectWithoutContext("Protected",
                                             MakeCallback(&ColoRejoin::Protected, this));
}

void
ColoRejoin::DoDispose()
{
    m_places = {};
    m_primaryProxy = nullptr;
    m_secondaryProxy = nullptr;
    m_checkpointer = nullptr;
    m_link = nullptr;
    Object::DoDispose();
}

Ptr<ColoProxy>
ColoRejoin::GetProxy(bool isPrimary) const
{
    if (m_comparing == (isPrimary ? 0 : 1))
    {
        return m_primaryProxy;
    }
    return m_secondaryProxy;
}

void
ColoRejoin::Kill(bool isPrimary)
{
    m_checkpointer->Kill(m_comparing == (isPrimary ? 0 : 1));
}

void
ColoRejoin::Revive(bool isPrimary)
{
    m_joining = isPrimary ? 0 : 1;
    m_life++;
    m_isPrepared = false;
    m_isProtected = false;
    m_notBefore = Time();
    // What was on its way to the guest when its host died comes to what is left of it, and is gone:
    // the host does not hear it, and nothing of its state will be there once it is a copy.
    const uint32_t guest = m_places[m_joining].guest->GetObject<Node>()->GetId();
    ColoPause::Resume(guest);
    const Time drained = m_tapDelay + NanoSeconds(1);
    Simulator::ScheduleWithContext(Simulator::NO_CONTEXT, drained, [guest] {
        if (!ColoPause::IsPaused(guest)) // as it is if the host died at once again
        {
            ColoPause::Pause(guest);
        }
    });
    Simulator::ScheduleWithContext(m_places[1 - m_joining].host->GetNode()->GetId(),
                                   drained + drained,
                                   &ColoRejoin::Try,
                                   Ptr<ColoRejoin>(this),
                                   m_life);
}

void
ColoRejoin::Try(uint32_t life)
{
    const Ptr<ColoHost> survivor = m_places[1 - m_joining].host;
    if (life != m_life || !survivor || !survivor->IsAlive() || Step())
    {
        return;
    }
    Simulator::ScheduleWithContext(survivor->GetNode()->GetId(),
                                   INTERVAL,
                                   &ColoRejoin::Try,
                                   Ptr<ColoRejoin>(this),
                                   life);
}

/** \return whether there is nothing more to do. */
bool
ColoRejoin::Step()
{
    if (m_isProtected)
    {
        return true;
    }
    const bool isAlive = m_places[m_joining].host->IsAlive();
    bool isReady = m_secondaryProxy->HasTakenOver();
    if (m_comparing != m_joining)
    {
        const colo_node& node = m_primaryProxy->GetNode();
        isReady = node.mode == COLO_MODE_ALONE && node.state == COLO_NODE_RUNNING;
        if (node.mode == COLO_MODE_ALONE && !isReady)
        {
            if (HasStoodStill())
            {
                NS_LOG_INFO("the join broke off");
                m_primaryProxy->CheckpointEvent(COLO_EVENT_ABORT, 0);
                m_notBefore = Simulator::Now() + m_retryInterval;
                // The connection may be broken; and what is still empty may as well begin anew.
                m_isPrepared = m_secondaryProxy->GetNode().mode != COLO_MODE_JOINING;
            }
            return false;
        }
    }
    if (!isAlive || !isReady || Simulator::Now() < m_notBefore)
    {
        return !isAlive;
    }
    if (!m_isPrepared)
    {
        Prepare();
        if (Simulator::Now() < m_notBefore)
        {
            return false;
        }
    }
    if (m_secondaryProxy->GetNode().mode != COLO_MODE_JOINING)
    {
        return true; // it had joined, and was lost before it was known here: not empty any more
    }
    m_moved = Simulator::Now();
    m_primaryProxy->CheckpointEvent(COLO_EVENT_JOIN, 0);
    return false;
}

void
ColoRejoin::Prepare()
{
    m_isPrepared = true;
    if (m_comparing == m_joining)
    {
        m_primaryProxy->Succeed(*m_secondaryProxy);
        m_comparing = 1 - m_joining;
        m_notBefore = Simulator::Now() + m_settling;
    }
    m_secondaryProxy->Join(m_places[m_joining].host, m_places[m_joining].tap);
    m_checkpointer->Renew(m_places[m_comparing].guest,
                          m_places[m_joining].guest,
                          m_link,
                          m_comparing == 1);
}

bool
ColoRejoin::HasStoodStill()
{
    const uint64_t progress = m_checkpointer->GetProgress();
    if (progress != m_progress)
    {
        m_progress = progress;
        m_moved = Simulator::Now();
    }
    return Simulator::Now() - m_moved >= m_timeout;
}

void
ColoRejoin::Protected()
{
    m_isProtected = true;
}

} // namespace ns3
