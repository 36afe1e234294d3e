/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-bridge.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/packet.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoBridge");

NS_OBJECT_ENSURE_REGISTERED(ColoBridge);

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
    m_hook = Hook();
    m_egressHooks.clear();
    BridgeNetDevice::DoDispose();
}

void
ColoBridge::AddHookedPort(Ptr<NetDevice> port)
{
    AddBridgePort(port);
    GetNode()->UnregisterProtocolHandler(
        MakeCallback(&ColoBridge::ReceiveFromDevice, static_cast<BridgeNetDevice*>(this)));
    GetNode()->RegisterProtocolHandler(MakeCallback(&ColoBridge::Prerouting, this), 0, port, true);
    m_hookedPorts++;
}

void
ColoBridge::SetHook(Hook hook)
{
    m_hook = hook;
}

void
ColoBridge::SetEgressHook(Ptr<NetDevice> port, Hook hook)
{
    m_egressHooks[port] = hook;
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

void
ColoBridge::Prerouting(Ptr<NetDevice> port,
                       Ptr<const Packet> packet,
                       uint16_t protocol,
                       const Address& source,
                       const Address& destination,
                       PacketType /* type */)
{
    if (m_hook.IsNull() || m_hook(port, packet, protocol, source, destination))
    {
        Inject(port, packet, protocol, source, destination);
    }
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
    for (uint32_t i = 0; i < GetNBridgePorts(); ++i)
    {
        Ptr<NetDevice> port = GetBridgePort(i);
        if (port == incoming || (known && port != known))
        {
            continue;
        }
        auto hook = m_egressHooks.find(port);
        if (hook == m_egressHooks.end() || hook->second.IsNull() ||
            hook->second(port, packet, protocol, source, destination))
        {
            SendOutOf(port, packet, protocol, source, destination);
        }
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
