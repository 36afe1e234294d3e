/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-host.h"

#include "colo-proxy.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/object-vector.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoHost");

NS_OBJECT_ENSURE_REGISTERED(ColoHost);

TypeId
ColoHost::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoHost")
                            .SetParent<Object>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoHost>()
                            .AddAttribute("Proxies",
                                          "The proxies of the pairs on this host.",
                                          ObjectVectorValue(),
                                          MakeObjectVectorAccessor(&ColoHost::m_proxies),
                                          MakeObjectVectorChecker<ColoProxy>())
                            .AddTraceSource("Stale",
                                            "A frame on sec_dev was dropped: it is of no node of "
                                            "this host.",
                                            MakeTraceSourceAccessor(&ColoHost::m_staleTrace),
                                            "ns3::Packet::TracedCallback");
    return tid;
}

void
ColoHost::Install(Ptr<Node> node, bool isPrimary, Ptr<NetDevice> uplink)
{
    NS_ABORT_MSG_IF(node->GetObject<ColoHost>(), "ColoHost: the node is a host already");
    m_node = node;
    m_uplink = uplink;
    m_br0 = CreateObject<ColoBridge>();
    node->AddDevice(m_br0);
    if (uplink)
    {
        m_br0->AddHookedPort(uplink);
    }
    if (!isPrimary)
    {
        GetBr1();
    }
    node->AggregateObject(this);
}

Ptr<ColoBridge>
ColoHost::GetBr1()
{
    if (!m_br1)
    {
        m_br1 = CreateObject<ColoBridge>();
        m_node->AddDevice(m_br1);
    }
    return m_br1;
}

void
ColoHost::MoveTap(Ptr<NetDevice> tap, Ptr<ColoBridge> bridge)
{
    for (const auto& old : {m_br0, m_br1})
    {
        if (old && old->HasPort(tap))
        {
            old->RemoveHookedPort(tap);
        }
    }
    bridge->AddHookedPort(tap);
}

void
ColoHost::SetAlive(bool isAlive)
{
    m_isAlive = isAlive;
}

bool
ColoHost::IsAlive() const
{
    return m_isAlive;
}

void
ColoHost::DoDispose()
{
    for (const auto& proxy : m_proxies)
    {
        proxy->Dispose();
    }
    m_proxies.clear();
    m_byIndex.clear();
    m_node = nullptr;
    m_uplink = nullptr;
    m_secDev = nullptr;
    m_eth2 = nullptr;
    m_br0 = nullptr;
    m_br1 = nullptr;
    Object::DoDispose();
}

void
ColoHost::SetSecDev(Ptr<NetDevice> secDev)
{
    m_secDev = secDev;
    m_node->RegisterProtocolHandler(MakeCallback(&ColoHost::ReceiveOnSecDev, this),
                                    COLO_SHIM_ETHERTYPE,
                                    secDev,
                                    true);
    Listen(secDev);
}

void
ColoHost::SetCheckpointDevice(Ptr<NetDevice> eth2)
{
    m_eth2 = eth2;
    Listen(eth2);
}

void
ColoHost::SetArbiter(const Address& arbiter)
{
    m_arbiter = arbiter;
    Listen(m_br0); // which has the uplink's address
}

void
ColoHost::Listen(Ptr<NetDevice> device)
{
    m_node->RegisterProtocolHandler(MakeCallback(&ColoHost::ReceiveMessage, this),
                                    COLO_HOST_MESSAGE_ETHERTYPE,
                                    device);
}

bool
ColoHost::HasCarrier() const
{
    return !m_uplink || m_uplink->IsLinkUp();
}

/**
 * A heartbeat and its answer take different links, so that both of these have to work. The answer
 * is the one on the checkpoint link: no state is ever under way in its direction.
 */
void
ColoHost::Tell(const ColoHostMessage& message)
{
    Ptr<NetDevice> device = m_uplink;
    Address to = m_arbiter;
    if (message.kind == ColoHostMessage::HEARTBEAT || message.kind == ColoHostMessage::HEARD)
    {
        device = message.kind == ColoHostMessage::HEARTBEAT ? m_secDev : m_eth2;
        to = device ? device->GetBroadcast() : Address();
    }
    if (!device || to.IsInvalid())
    {
        NS_LOG_LOGIC("nobody to tell: " << message);
        return;
    }
    Ptr<Packet> packet = Create<Packet>();
    packet->AddHeader(message);
    device->Send(packet, to, COLO_HOST_MESSAGE_ETHERTYPE);
}

void
ColoHost::AddProxy(Ptr<ColoProxy> proxy, uint16_t index)
{
    m_byIndex.resize(std::max<std::size_t>(m_byIndex.size(), index + 1));
    NS_ABORT_MSG_IF(m_byIndex[index], "ColoProxy: NodeIndex " << index << " is there already");
    m_byIndex[index] = PeekPointer(proxy);
    m_proxies.push_back(proxy);
}

void
ColoHost::RemoveProxy(uint16_t index)
{
    const auto isGone = [this, index](const auto& proxy) {
        return PeekPointer(proxy) == m_byIndex[index];
    };
    m_proxies.erase(std::find_if(m_proxies.begin(), m_proxies.end(), isGone));
    m_byIndex[index] = nullptr;
}

Ptr<Node>
ColoHost::GetNode() const
{
    return m_node;
}

Ptr<ColoBridge>
ColoHost::GetBr0() const
{
    return m_br0;
}

Ptr<ColoBridge>
ColoHost::GetGuestBridge() const
{
    return m_br1 ? m_br1 : m_br0;
}

Ptr<NetDevice>
ColoHost::GetSecDev() const
{
    return m_secDev;
}

Ptr<NetDevice>
ColoHost::GetUplink() const
{
    return m_uplink;
}

ColoProxy*
ColoHost::FindProxy(uint16_t index) const
{
    return m_isAlive && index < m_byIndex.size() ? m_byIndex[index] : nullptr;
}

void
ColoHost::ReceiveMessage(Ptr<NetDevice>,
                         Ptr<const Packet> packet,
                         uint16_t,
                         const Address&,
                         const Address&,
                         NetDevice::PacketType)
{
    ColoHostMessage message;
    packet->Copy()->RemoveHeader(message);
    ColoProxy* proxy = FindProxy(message.pair);
    if (message.IsValid() && proxy)
    {
        proxy->ReceiveMessage(message);
    }
}

void
ColoHost::ReceiveOnSecDev(Ptr<NetDevice>,
                          Ptr<const Packet> packet,
                          uint16_t,
                          const Address& source,
                          const Address& destination,
                          NetDevice::PacketType)
{
    Ptr<Packet> inner = packet->Copy();
    ColoShimHeader header;
    inner->RemoveHeader(header);
    const colo_shim& shim = header.GetShim();
    ColoProxy* proxy = header.IsValid() ? FindProxy(shim.node) : nullptr;
    if (!proxy)
    {
        NS_LOG_LOGIC("of no node here: " << header);
        m_staleTrace(packet);
        return;
    }
    proxy->ReceiveOnSecDev(shim, packet, inner, source, destination);
}

} // namespace ns3
