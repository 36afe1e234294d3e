/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-helper.h"

#include "colo-baseline-proxy.h"
#include "colo-divergence.h"
#include "colo-memory.h"
#include "colo-ns3-compat.h"
#include "colo-tcp-socket.h"
#include "colo-tcp-variation.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/enum.h"
#include "ns3/icmpv6-l4-protocol.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4.h"
#include "ns3/ipv6-l3-protocol.h"
#include "ns3/node-container.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

namespace
{

/** Room for the shim, so that a guest's largest frame fits on the forwarding link. */
constexpr uint16_t SEC_DEV_MTU = 1500 + COLO_SHIM_LEN;

/** \return all that a station answers for. */
std::vector<Address>
GetAddresses(const ColoStationAddress& address, const Mac48Address& mac)
{
    std::vector<Address> addresses;
    if (address.ipv4)
    {
        addresses.push_back(address.ipv4->GetLocal());
    }
    if (address.ipv6)
    {
        addresses.push_back(address.ipv6->GetAddress());
        addresses.push_back(Ipv6Address::MakeAutoconfiguredLinkLocalAddress(mac));
    }
    return addresses;
}

} // namespace

void
ColoStationAddress::Install(Ptr<NetDevice> device) const
{
    Ptr<Node> node = device->GetNode();
    InternetStackHelper stack;
    ColoUseTcp(stack, node, "ns3::ColoTcpL4Protocol");
    stack.SetIpv4StackInstall(ipv4.has_value());
    stack.SetIpv6StackInstall(ipv6.has_value());
    stack.Install(node);
    if (ipv4)
    {
        Ptr<Ipv4> stack4 = node->GetObject<Ipv4>();
        const uint32_t interface = stack4->AddInterface(device);
        stack4->AddAddress(interface, *ipv4);
        stack4->SetUp(interface);
    }
    if (ipv6)
    {
        node->GetObject<Icmpv6L4Protocol>()->SetAttribute("DAD", BooleanValue(false));
        Ptr<Ipv6L3Protocol> stack6 = node->GetObject<Ipv6L3Protocol>();
        const uint32_t interface = stack6->AddInterface(device);
        stack6->AddAddress(interface, *ipv6);
        // Only a router solicits none, and whether it is one the stack asks in its first event.
        stack6->SetForwarding(interface, true);
        stack6->SetUp(interface);
        Simulator::ScheduleWithContext(node->GetId(), Time(), [stack6, interface] {
            stack6->SetForwarding(interface, false);
        });
    }
}

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

int64_t
ColoPair::AssignMemoryStreams(int64_t stream) const
{
    const int64_t first = stream;
    for (const ColoGuestPlace* place : {&primary, &secondary})
    {
        if (place->node)
        {
            stream += place->node->GetObject<ColoMemory>()->AssignStreams(stream);
        }
    }
    return stream - first;
}

void
ColoPair::LosePeer(bool isPrimary, Time detection) const
{
    NS_ABORT_MSG_UNLESS(checkpointer, "ColoPair: there is no other guest to go on");
    const Ptr<ColoProxy> survivor = rejoin->GetProxy(isPrimary);
    Simulator::ScheduleWithContext(survivor->GetHostId(),
                                   detection,
                                   &ColoProxy::LosePeer,
                                   survivor);
}

ColoHelper::ColoHelper()
{
    m_primaryProxy.SetTypeId(ColoPrimaryProxy::GetTypeId());
    m_secondaryProxy.SetTypeId(ColoSecondaryProxy::GetTypeId());
    m_checkpointer.SetTypeId(ColoCheckpointer::GetTypeId());
    m_checkpointLink.SetTypeId(ColoCheckpointLink::GetTypeId());
    m_guest.SetTypeId(ColoGuest::GetTypeId());
    m_memory.SetTypeId(ColoMemory::GetTypeId());
    m_remus.SetTypeId(ColoRemus::GetTypeId());
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
ColoHelper::SetMemoryAttribute(const std::string& name, const AttributeValue& value)
{
    m_memory.Set(name, value);
}

void
ColoHelper::SetSecDev(DataRate rate, Time delay)
{
    m_secDev.rate = rate;
    m_secDev.delay = delay;
}

void
ColoHelper::SetSecDev(const ColoLinkOptions& options)
{
    m_secDev = options;
}

void
ColoHelper::SetCheckpointLinkAttribute(const std::string& name, const AttributeValue& value)
{
    m_checkpointLink.Set(name, value);
}

void
ColoHelper::SetCheckpointLink(DataRate rate, Time delay)
{
    m_eth2.rate = rate;
    m_eth2.delay = delay;
}

void
ColoHelper::SetCheckpointLink(const ColoLinkOptions& options)
{
    m_eth2 = options;
}

void
ColoHelper::SetProtection(ColoProtection protection)
{
    NS_ABORT_MSG_IF(protection == ColoProtection::NONE, "ColoHelper: two hosts do protect");
    m_protection = protection;
}

void
ColoHelper::SetNodeIndex(uint16_t index)
{
    m_nodeIndex = index;
}

void
ColoHelper::SetTapDelay(Time delay)
{
    m_tapDelay = delay;
}

int64_t
ColoHelper::InstallClientTcp(Ptr<Node> client, int64_t stream)
{
    auto isn = CreateObject<UniformRandomVariable>();
    isn->SetAttribute("Max", DoubleValue(0x7fffffff));
    isn->SetStream(stream);
    auto variation = Create<ColoTcpVariation>();
    variation->isn = isn;
    auto tcp = CreateObject<ColoTcpSocketFactory>();
    tcp->SetVariation(variation);
    client->AggregateObject(tcp);
    return 1;
}

ColoGuestPlace
ColoHelper::MakeGuest(const ColoHost& host,
                      bool isPrimary,
                      const Mac48Address& mac,
                      const ColoStationAddress& address) const
{
    ColoGuestPlace place;
    place.node = CreateObject<Node>();
    // A link of memory: no rate, so no queue in which a frame could escape a checkpoint.
    place.tap = ColoLinkDevice::Connect(host.GetNode(), place.node, DataRate(0), m_tapDelay);
    place.tap.second->SetAddress(mac);
    address.Install(place.tap.second);
    place.bridge = host.GetGuestBridge();
    place.bridge->AddHookedPort(place.tap.first);

    place.guest = m_guest.Create<ColoGuest>();
    place.guest->SetPrimary(isPrimary);
    place.guest->Install(place.node);
    place.node->AggregateObject(CreateObject<ColoDivergence>());
    m_memory.Create<ColoMemory>()->Install(place.node);
    return place;
}

ColoHosts
ColoHelper::MakeHosts(Ptr<Node> primaryHost,
                      Ptr<NetDevice> primaryUplink,
                      Ptr<Node> secondaryHost,
                      Ptr<NetDevice> secondaryUplink) const
{
    ColoHosts hosts;
    hosts.primary = CreateObject<ColoHost>();
    hosts.primary->Install(primaryHost, true, primaryUplink);
    if (!secondaryHost)
    {
        return hosts;
    }
    hosts.secondary = CreateObject<ColoHost>();
    hosts.secondary->Install(secondaryHost, false, secondaryUplink);
    hosts.secDev = ColoLinkDevice::Connect(primaryHost, secondaryHost, m_secDev);
    hosts.secDev.first->SetMtu(SEC_DEV_MTU);
    hosts.secDev.second->SetMtu(SEC_DEV_MTU);
    hosts.primary->SetSecDev(hosts.secDev.first);
    hosts.secondary->SetSecDev(hosts.secDev.second);
    hosts.checkpointLink = m_checkpointLink.Create<ColoCheckpointLink>();
    const auto eth2 = ColoLinkDevice::Connect(primaryHost, secondaryHost, m_eth2);
    hosts.checkpointLink->Install(eth2);
    hosts.primary->SetCheckpointDevice(eth2.first);
    hosts.secondary->SetCheckpointDevice(eth2.second);
    return hosts;
}

ColoPair
ColoHelper::Install(const ColoHosts& hosts, const ColoStationAddress& address)
{
    ColoPair pair;
    pair.hosts = hosts;
    const Mac48Address mac = Mac48Address::Allocate();
    pair.primary = MakeGuest(*hosts.primary, true, mac, address);
    if (!hosts.secondary)
    {
        return pair;
    }
    pair.protection = m_protection;
    pair.secDev = hosts.secDev;
    pair.checkpointLink = hosts.checkpointLink;
    if (ColoHasSecondGuest(m_protection))
    {
        Compare(pair, mac, address);
        return pair;
    }
    pair.remus = m_remus.Create<ColoRemus>();
    pair.remus->Install(pair.primary.bridge,
                        pair.primary.tap.first,
                        pair.primary.guest,
                        m_tapDelay,
                        pair.checkpointLink->Open(m_nodeIndex++),
                        m_checkpointer.Create<ColoCheckpointer>());
    return pair;
}

void
ColoHelper::Compare(ColoPair& pair, const Mac48Address& mac, const ColoStationAddress& address)
{
    pair.secondary = MakeGuest(*pair.hosts.secondary, false, mac, address);
    const UintegerValue index(m_nodeIndex++);
    ObjectFactory primaryProxy = m_primaryProxy;
    primaryProxy.Set("NodeIndex", index);
    m_secondaryProxy.Set("NodeIndex", index);
    if (m_protection != ColoProtection::COLO)
    {
        const bool isLockstep = m_protection == ColoProtection::LOCKSTEP;
        primaryProxy.SetTypeId(ColoBaselineProxy::GetTypeId());
        primaryProxy.Set(
            "Compare",
            EnumValue(isLockstep ? ColoBaselineProxy::PACKET : ColoBaselineProxy::SEGMENT));
    }
    pair.primaryProxy = primaryProxy.Create<ColoPrimaryProxy>();
    pair.primaryProxy->Install(pair.hosts.primary, pair.primary.tap.first);
    pair.secondaryProxy = m_secondaryProxy.Create<ColoSecondaryProxy>();
    pair.secondaryProxy->Install(pair.hosts.secondary, pair.secondary.tap.first);
    pair.secondaryProxy->SetGuest(mac, GetAddresses(address, mac));

    pair.checkpointer = m_checkpointer.Create<ColoCheckpointer>();
    pair.checkpointer->Install(pair.primaryProxy,
                               pair.secondaryProxy,
                               pair.primary.guest,
                               pair.secondary.guest,
                               m_tapDelay,
                               pair.checkpointLink);
    pair.rejoin = CreateObject<ColoRejoin>();
    pair.rejoin->Install({pair.hosts.primary, pair.primary.guest, pair.primary.tap.first},
                         {pair.hosts.secondary, pair.secondary.guest, pair.secondary.tap.first},
                         pair.primaryProxy,
                         pair.secondaryProxy,
                         pair.checkpointer,
                         pair.checkpointLink,
                         m_tapDelay);
}

ColoPair
ColoHelper::Install(Ptr<Node> primaryHost,
                    Ptr<NetDevice> uplink,
                    Ptr<Node> secondaryHost,
                    const Ipv4InterfaceAddress& address)
{
    return Install(MakeHosts(primaryHost, uplink, secondaryHost, nullptr), {address, {}});
}

ColoPair
ColoHelper::InstallUnprotected(Ptr<Node> primaryHost,
                               Ptr<NetDevice> uplink,
                               const Ipv4InterfaceAddress& address)
{
    return Install(MakeHosts(primaryHost, uplink, nullptr, nullptr), {address, {}});
}

} // namespace ns3
