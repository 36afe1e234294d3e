/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-bridge.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/packet.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoBridge");

NS_OBJECT_ENSURE_REGISTERED(ColoBridge);

namespace
{

/** What comes in from a port reaches the host's own stack through the bridge only. */
bool
NoOwnStack(Ptr<NetDevice>, Ptr<const Packet>, uint16_t, const Address&)
{
    return true;
}

/** A device that was a port hears nothing until another bridge takes it. */
bool
Ignore(Ptr<NetDevice>,
       Ptr<const Packet>,
       uint16_t,
       const Address&,
       const Address&,
       NetDevice::PacketType)
{
    return true;
}

} // namespace

TypeId
ColoBridge::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoBridge")
                            .SetParent<BridgeNetDevice>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoBridge>();
    return tid;
}

void
ColoBridge::DoInitialize()
{
    NS_ABORT_MSG_UNLESS(m_hookedPorts == GetNBridgePorts(),
                        "ColoBridge: a port was added by AddBridgePort(), which no hook would see");
    BridgeNetDevice::DoInitialize();
}

void
ColoBridge::DoDispose()
{
    m_ports.clear();
    m_order.clear();
    BridgeNetDevice::DoDispose();
}

void
ColoBridge::AddHookedPort(Ptr<NetDevice> port)
{
    AddBridgePort(port);
    GetNode()->UnregisterProtocolHandler(
        MakeCallback(&ColoBridge::ReceiveFromDevice, static_cast<BridgeNetDevice*>(this)));
    port->SetPromiscReceiveCallback(MakeCallback(&ColoBridge::Prerouting, this));
    port->SetReceiveCallback(MakeCallback(&NoOwnStack));
    m_hookedPorts++;
    const uint32_t index = port->GetIfIndex();
    m_ports.resize(std::max<std::size_t>(m_ports.size(), index + 1));
    m_ports[index].device = port;
    m_order.push_back(index);
}

void
ColoBridge::RemoveHookedPort(Ptr<NetDevice> port)
{
    GetPort(port) = Port();
    m_order.erase(std::find(m_order.begin(), m_order.end(), port->GetIfIndex()));
    port->SetPromiscReceiveCallback(MakeCallback(&Ignore));
}

bool
ColoBridge::HasPort(Ptr<const NetDevice> port)
{
    return FindPort(port);
}

ColoBridge::Port*
ColoBridge::FindPort(Ptr<const NetDevice> device)
{
    const uint32_t index = device->GetIfIndex();
    return index < m_ports.size() && m_ports[index].device == device ? &m_ports[index] : nullptr;
}

ColoBridge::Port&
ColoBridge::GetPort(Ptr<const NetDevice> device)
{
    Port* port = FindPort(device);
    NS_ABORT_MSG_UNLESS(port, "ColoBridge: the device is no port of this bridge");
    return *port;
}

void
ColoBridge::SetIngressHook(Ptr<NetDevice> port, Hook hook)
{
    GetPort(port).ingress = hook;
}

void
ColoBridge::SetEgressHook(Ptr<NetDevice> port, Hook hook)
{
    GetPort(port).egress = hook;
}

// The base class keeps these two to itself, but DeliverUp() needs them.

void
ColoBridge::SetReceiveCallback(NetDevice::ReceiveCallback callback)
{
    m_receive = callback;
    BridgeNetDevice::SetReceiveCallback(callback);
}

void
ColoBridge::SetPromiscReceiveCallback(NetDevice::PromiscReceiveCallback callback)
{
    m_promiscReceive = callback;
    BridgeNetDevice::SetPromiscReceiveCallback(callback);
}

bool
ColoBridge::Prerouting(Ptr<NetDevice> port,
                       Ptr<const Packet> packet,
                       uint16_t protocol,
                       const Address& source,
                       const Address& destination,
                       PacketType /* type */)
{
    const Hook& hook = GetPort(port).ingress;
    if (hook.IsNull() || hook(port, packet, protocol, source, destination))
    {
        Inject(port, packet, protocol, source, destination);
    }
    return true;
}

void
ColoBridge::Inject(Ptr<NetDevice> port,
                   Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination)
{
    Learn(Mac48Address::ConvertFrom(source), port);
    DeliverUp(packet, protocol, source, destination);
    if (destination != GetAddress())
    {
        Forward(port, packet, protocol, source, destination);
    }
}

void
ColoBridge::DeliverUp(Ptr<const Packet> packet,
                      uint16_t protocol,
                      const Address& source,
                      const Address& destination)
{
    PacketType type = PACKET_OTHERHOST;
    if (destination == GetAddress())
    {
        type = PACKET_HOST;
    }
    else if (destination == GetBroadcast())
    {
        type = PACKET_BROADCAST;
    }
    else if (Mac48Address::ConvertFrom(destination).IsGroup())
    {
        type = PACKET_MULTICAST;
    }
    if (!m_promiscReceive.IsNull())
    {
        m_promiscReceive(this, packet, protocol, source, destination, type);
    }
    if (type != PACKET_OTHERHOST && !m_receive.IsNull())
    {
        m_receive(this, packet, protocol, source);
    }
}

void
ColoBridge::Forward(Ptr<NetDevice> incoming,
                    Ptr<const Packet> packet,
                    uint16_t protocol,
                    const Address& source,
                    const Address& destination)
{
    const Mac48Address address = Mac48Address::ConvertFrom(destination);
    const Ptr<NetDevice> known = address.IsGroup() ? nullptr : GetLearnedState(address);
    // What was learned may be a port that has been taken away since.
    if (Port* port = known ? FindPort(known) : nullptr)
    {
        if (known != incoming)
        {
            Postrouting(*port, packet, protocol, source, destination);
        }
        return;
    }
    for (uint32_t index : m_order)
    {
        if (m_ports[index].device != incoming)
        {
            Postrouting(m_ports[index], packet, protocol, source, destination);
        }
    }
}

void
ColoBridge::Postrouting(Port& port,
                        Ptr<const Packet> packet,
                        uint16_t protocol,
                        const Address& source,
                        const Address& destination)
{
    if (port.egress.IsNull() || port.egress(port.device, packet, protocol, source, destination))
    {
        SendOutOf(port.device, packet, protocol, source, destination);
    }
}

bool
ColoBridge::SendOutOf(Ptr<NetDevice> port,
                      Ptr<const Packet> packet,
                      uint16_t protocol,
                      const Address& source,
                      const Address& destination)
{
    return port->SendFrom(packet->Copy(), source, destination, protocol);
}

bool
ColoBridge::SendFrom(Ptr<Packet> packet,
                     const Address& source,
                     const Address& destination,
                     uint16_t protocol)
{
    Forward(nullptr, packet, protocol, source, destination);
    return true;
}

} // namespace ns3
