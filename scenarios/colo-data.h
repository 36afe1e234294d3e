/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DATA_H
#define COLO_DATA_H

#include <string>

namespace ns3
{

/** \return the folder that has traces/ and scenarios/calibration.json: at first, the sources. */
const std::string& ColoDataFolder();

/** \param folder where they are instead, once they are installed. */
void SetColoDataFolder(const std::string& folder);

} // namespace ns3

#endif /* COLO_DATA_H */
