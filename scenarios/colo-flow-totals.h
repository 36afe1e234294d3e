/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_FLOW_TOTALS_H
#define COLO_FLOW_TOTALS_H

#include "ns3/flow-monitor-helper.h"
#include "ns3/node-container.h"

#include <cstdint>

namespace ns3
{

/** What ns-3's FlowMonitor has counted, over all flows. Bytes include IP headers. */
struct ColoFlowTotals
{
    uint64_t flows{0}; //!< one each direction
    uint64_t txPackets{0};
    uint64_t txBytes{0};
    uint64_t rxPackets{0};
    uint64_t rxBytes{0};
    uint64_t lostPackets{0}; //!< those that did not arrive within ten seconds
    double delayMsMean{0};   //!< of received packets, one way, with the time that they were held
    double jitterMsMean{0};  //!< between received packets of a flow
};

/**
 * ns-3's FlowMonitor on the clients and on primary guests: the packets that the two ends of a
 * connection have sent and received, over IPv4 and IPv6.
 *
 * The secondary guests are left out: they have their primary's address, and what they send is
 * compared and done with. What only a link or a proxy sees (frames of ARP, the mirrored copies)
 * is no flow. What the core rewrites in a header does not matter to it, as packets are known by a
 * tag. A packet that TCP sends again counts again.
 */
class ColoFlowMonitor
{
  public:
    /** \param nodes clients and primary guests; they have their internet stacks. */
    explicit ColoFlowMonitor(const NodeContainer& nodes);

    ColoFlowMonitor(const ColoFlowMonitor&) = delete;
    ColoFlowMonitor& operator=(const ColoFlowMonitor&) = delete;

    /** \return the totals up to now. */
    ColoFlowTotals GetTotals();

  private:
    FlowMonitorHelper m_helper;
    Ptr<FlowMonitor> m_monitor;
};

} // namespace ns3

#endif /* COLO_FLOW_TOTALS_H */
