/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-helper.h"

#include "colo-divergence.h"

#include "ns3/boolean.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4.h"
#include "ns3/node-container.h"

namespace ns3
{

namespace
{

/** Room for the shim, so that a guest's largest frame fits on the forwarding link. */
constexpr uint16_t SEC_DEV_MTU = 1500 + COLO_SHIM_LEN;

} // namespace

int64_t
ColoPair::AssignStreams(int64_t stream) const
{
    const int64_t first = stream;
    InternetStackHelper stack;
    for (const ColoGuestPlace* place : {&primary, &secondary})
    {
        if (place->node)
        {
            stream += place->guest->AssignStreams(stream);
            stream += place->node->GetObject<ColoDivergence>()->AssignStreams(stream);
            stream += stack.AssignStreams(NodeContainer(place->node), stream);
        }
    }
    if (secondaryProxy)
    {
        stream += secondaryProxy->AssignStreams(stream);
    }
    return stream - first;
}

ColoHelper::ColoHelper()
{
    m_primaryProxy.SetTypeId(ColoPrimaryProxy::GetTypeId());
    m_secondaryProxy.SetTypeId(ColoSecondaryProxy::GetTypeId());
    m_checkpointer.SetTypeId(ColoCheckpointer::GetTypeId());
    m_checkpointLink.SetTypeId(ColoCheckpointLink::GetTypeId());
    m_guest.SetTypeId(ColoGuest::GetTypeId());
}

void
ColoHelper::SetPrimaryProxyAttribute(const std::string& name, const AttributeValue& value)
{
    m_primaryProxy.Set(name, value);
}

void
ColoHelper::SetSecondaryProxyAttribute(const std::string& name, const AttributeValue& value)
{
    m_secondaryProxy.Set(name, value);
}

void
ColoHelper::SetCheckpointerAttribute(const std::string& name, const AttributeValue& value)
{
    m_checkpointer.Set(name, value);
}

void
ColoHelper::SetGuestAttribute(const std::string& name, const AttributeValue& value)
{
    m_guest.Set(name, value);
}

void
ColoHelper::SetSecDev(DataRate rate, Time delay)
{
    m_secDevRate = rate;
    m_secDevDelay = delay;
}

void
ColoHelper::SetCheckpointLinkAttribute(const std::string& name, const AttributeValue& value)
{
    m_checkpointLink.Set(name, value);
}

void
ColoHelper::SetCheckpointLink(DataRate rate, Time delay)
{
    m_eth2Rate = rate;
    m_eth2Delay = delay;
}

void
ColoHelper::SetTapDelay(Time delay)
{
    m_tapDelay = delay;
}

ColoGuestPlace
ColoHelper::MakeGuest(Ptr<Node> host,
                      bool isPrimary,
                      const Mac48Address& mac,
                      const Ipv4InterfaceAddress& address) const
{
    ColoGuestPlace place;
    place.node = CreateObject<Node>();
    InternetStackHelper stack;
    stack.SetTcp("ns3::ColoTcpL4Protocol");
    stack.SetIpv6StackInstall(false);
    stack.Install(place.node);

    // A link of memory: no rate, so no queue in which a frame could escape a checkpoint.
    place.tap = ColoLinkDevice::Connect(host, place.node, DataRate(0), m_tapDelay);
    place.tap.second->SetAddress(mac);
    Ptr<Ipv4> ipv4 = place.node->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(place.tap.second);
    ipv4->AddAddress(interface, address);
    ipv4->SetUp(interface);

    place.bridge = CreateObject<ColoBridge>();
    host->AddDevice(place.bridge);
    place.bridge->AddHookedPort(place.tap.first);

    place.guest = m_guest.Create<ColoGuest>();
    place.guest->SetPrimary(isPrimary);
    place.guest->Install(place.node);
    place.node->AggregateObject(CreateObject<ColoDivergence>());
    return place;
}

ColoPair
ColoHelper::InstallUnprotected(Ptr<Node> primaryHost,
                               Ptr<NetDevice> uplink,
                               const Ipv4InterfaceAddress& address) const
{
    ColoPair pair;
    pair.primary = MakeGuest(primaryHost, true, Mac48Address::Allocate(), address);
    pair.primary.bridge->AddHookedPort(uplink);
    return pair;
}

ColoPair
ColoHelper::Install(Ptr<Node> primaryHost,
                    Ptr<NetDevice> uplink,
                    Ptr<Node> secondaryHost,
                    const Ipv4InterfaceAddress& address) const
{
    ColoPair pair = InstallUnprotected(primaryHost, uplink, address);
    const Mac48Address mac = Mac48Address::ConvertFrom(pair.primary.tap.second->GetAddress());
    pair.secondary = MakeGuest(secondaryHost, false, mac, address);

    pair.secDev = ColoLinkDevice::Connect(primaryHost, secondaryHost, m_secDevRate, m_secDevDelay);
    pair.secDev.first->SetMtu(SEC_DEV_MTU);
    pair.secDev.second->SetMtu(SEC_DEV_MTU);

    pair.primaryProxy = m_primaryProxy.Create<ColoPrimaryProxy>();
    pair.primaryProxy->Install(pair.primary.bridge, pair.primary.tap.first, pair.secDev.first);
    primaryHost->AggregateObject(pair.primaryProxy);
    pair.secondaryProxy = m_secondaryProxy.Create<ColoSecondaryProxy>();
    pair.secondaryProxy->Install(pair.secondary.bridge,
                                 pair.secondary.tap.first,
                                 pair.secDev.second);
    secondaryHost->AggregateObject(pair.secondaryProxy);

    pair.checkpointLink = m_checkpointLink.Create<ColoCheckpointLink>();
    pair.checkpointLink->Install(
        ColoLinkDevice::Connect(primaryHost, secondaryHost, m_eth2Rate, m_eth2Delay));
    pair.checkpointer = m_checkpointer.Create<ColoCheckpointer>();
    pair.checkpointer->Install(pair.primaryProxy,
                               pair.secondaryProxy,
                               pair.primary.guest,
                               pair.secondary.guest,
                               m_tapDelay,
                               pair.checkpointLink);
    return pair;
}

} // namespace ns3
