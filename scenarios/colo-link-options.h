/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_LINK_OPTIONS_H
#define COLO_LINK_OPTIONS_H

#include "ns3/data-rate.h"
#include "ns3/nstime.h"

#include <string>

namespace ns3
{

/** What a link is like. */
struct ColoLinkOptions
{
    DataRate rate;
    Time delay;
    double loss{0};                       //!< probability that a frame is lost
    double reorder{0};                    //!< probability that a frame comes later
    double duplicate{0};                  //!< probability that a frame comes twice
    Time reorderDelay{MicroSeconds(100)}; //!< how much later
};

/**
 * \param option its name.
 * \param text parts as in "rate=10Gbps,delay=20us,loss=0.01", each at most once.
 * \param link what it is without them.
 * \return the link.
 * \throws ColoUsageError naming the option and the part.
 */
ColoLinkOptions ColoParseLinkOptions(const std::string& option,
                                     const std::string& text,
                                     ColoLinkOptions link);

} // namespace ns3

#endif /* COLO_LINK_OPTIONS_H */
