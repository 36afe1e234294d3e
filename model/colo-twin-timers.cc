/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-twin-timers.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace ns3
{

void
ColoTwinTimers::Add(const EventId& original, Starter start)
{
    if (!original.IsExpired())
    {
        m_timers.push_back(
            {Simulator::GetDelayLeft(original), original.GetUid(), std::move(start)});
    }
}

void
ColoTwinTimers::Start()
{
    std::sort(m_timers.begin(), m_timers.end(), [](const Timer& a, const Timer& b) {
        return std::tie(a.left, a.uid) < std::tie(b.left, b.uid);
    });
    for (const Timer& timer : m_timers)
    {
        timer.start(timer.left);
    }
    m_timers.clear();
}

} // namespace ns3
