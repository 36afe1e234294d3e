/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-data.h"

namespace ns3
{

namespace
{

std::string g_folder = COLO_SOURCE_DIR;

} // namespace

const std::string&
ColoDataFolder()
{
    return g_folder;
}

void
SetColoDataFolder(const std::string& folder)
{
    g_folder = folder;
}

} // namespace ns3
