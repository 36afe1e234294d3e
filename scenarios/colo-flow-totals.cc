/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-flow-totals.h"

#include "ns3/flow-monitor.h"

namespace ns3
{

ColoFlowMonitor::ColoFlowMonitor(const NodeContainer& nodes)
    : m_monitor(m_helper.Install(nodes))
{
}

ColoFlowTotals
ColoFlowMonitor::GetTotals()
{
    m_monitor->CheckForLostPackets();
    ColoFlowTotals totals;
    Time delays;
    Time jitters;
    uint64_t gaps = 0;
    for (const auto& [id, flow] : m_monitor->GetFlowStats())
    {
        totals.flows++;
        totals.txPackets += flow.txPackets;
        totals.txBytes += flow.txBytes;
        totals.rxPackets += flow.rxPackets;
        totals.rxBytes += flow.rxBytes;
        totals.lostPackets += flow.lostPackets;
        delays += flow.delaySum;
        jitters += flow.jitterSum;
        gaps += flow.rxPackets ? flow.rxPackets - 1 : 0;
    }
    auto mean = [](Time sum, uint64_t count) {
        return count ? sum.GetNanoSeconds() / 1e6 / count : 0;
    };
    totals.delayMsMean = mean(delays, totals.rxPackets);
    totals.jitterMsMean = mean(jitters, gaps);
    return totals;
}

} // namespace ns3
