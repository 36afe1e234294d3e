/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-guest-application.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoGuestApplication);

TypeId
ColoGuestApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoGuestApplication").SetParent<Application>().SetGroupName("Colo");
    return tid;
}

void
ColoGuestApplication::PrepareClone(Ptr<ColoGuestApplication>)
{
}

} // namespace ns3
