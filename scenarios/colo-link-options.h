/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_LINK_OPTIONS_H
#define COLO_LINK_OPTIONS_H

#include "ns3/colo-link-device.h"

#include <string>

namespace ns3
{

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
