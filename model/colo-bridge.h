/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_BRIDGE_H
#define COLO_BRIDGE_H

#include "ns3/bridge-net-device.h"
#include "ns3/callback.h"

#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The bridge of a protected host (br0, br1), with the two places at which a proxy works: where a
 * frame comes in from a port, before the bridge has seen it, and where one is about to go out of a
 * port. A frame that a hook takes is not touched any further; the proxy may let it go on later
 * with Inject() or SendOutOf(), any number of times.
 *
 * It learns and forwards like BridgeNetDevice, but does not send a frame back out of the port
 * that it came from (802.1D), and frames of the host's own stack pass the egress hooks as well.
 *
 * The way of a frame to a known destination does not get longer with the number of ports: they
 * give their frames to the bridge and not to their node, which would ask every port's handler.
 */
class ColoBridge : public BridgeNetDevice
{
  public:
    /**
     * A hook: gets the port, the frame's payload, ethertype, source and destination address.
     * Returns true to let the frame go on, false to take it.
     */
    using Hook =
        Callback<bool, Ptr<NetDevice>, Ptr<const Packet>, uint16_t, const Address&, const Address&>;

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Add a port. Every port has to be added by this instead of AddBridgePort().
     * \param port the device, on the bridge's node
     */
    void AddHookedPort(Ptr<NetDevice> port);

    /**
     * Take a port away with its hooks, as when a tap moves to another bridge of the host.
     * \param port the port
     */
    void RemoveHookedPort(Ptr<NetDevice> port);

    /**
     * \param port a device
     * \return whether it is a port of this bridge
     */
    bool HasPort(Ptr<const NetDevice> port);

    /**
     * \param port the port
     * \param hook sees what comes in from it; null for none
     */
    void SetIngressHook(Ptr<NetDevice> port, Hook hook);

    /**
     * \param port the port
     * \param hook sees what would go out of it, be it unicast, flooded, broadcast or multicast;
     *             null for none
     */
    void SetEgressHook(Ptr<NetDevice> port, Hook hook);

    /**
     * Bridge a frame as if it had just come in from a port and passed the hook.
     * \param port where it came in
     * \param packet the payload
     * \param protocol the ethertype
     * \param source the source address
     * \param destination the destination address
     */
    void Inject(Ptr<NetDevice> port,
                Ptr<const Packet> packet,
                uint16_t protocol,
                const Address& source,
                const Address& destination);

    /**
     * Send a frame out of a port, past its egress hook.
     * \param port where it goes out
     * \param packet the payload
     * \param protocol the ethertype
     * \param source the source address
     * \param destination the destination address
     * \return whether the device took it
     */
    bool SendOutOf(Ptr<NetDevice> port,
                   Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination);

    bool SendFrom(Ptr<Packet> packet,
                  const Address& source,
                  const Address& destination,
                  uint16_t protocol) override;
    void SetReceiveCallback(NetDevice::ReceiveCallback callback) override;
    void SetPromiscReceiveCallback(NetDevice::PromiscReceiveCallback callback) override;

  protected:
    void DoInitialize() override;
    void DoDispose() override;

  private:
    /** A port, and what looks at its frames. */
    struct Port
    {
        Ptr<NetDevice> device; //!< null if the node's device of that index is no port
        Hook ingress;
        Hook egress;
    };

    /** Receives the ports' frames; always true. */
    bool Prerouting(Ptr<NetDevice> port,
                    Ptr<const Packet> packet,
                    uint16_t protocol,
                    const Address& source,
                    const Address& destination,
                    PacketType type);

    /** \return the port, null if it is none of this bridge. */
    Port* FindPort(Ptr<const NetDevice> device);

    /** \return the port; aborts if it is none of this bridge. */
    Port& GetPort(Ptr<const NetDevice> device);

    /**
     * Give a frame to the host's own stack.
     * \param packet the payload
     * \param protocol the ethertype
     * \param source the source address
     * \param destination the destination address
     */
    void DeliverUp(Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination);

    /**
     * Send a frame to where its destination is, or everywhere if that is not known.
     * \param incoming the port that it came from, null if from the host itself
     * \param packet the payload
     * \param protocol the ethertype
     * \param source the source address
     * \param destination the destination address
     */
    void Forward(Ptr<NetDevice> incoming,
                 Ptr<const Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination);

    /** Let a frame out of a port, if its hook does. */
    void Postrouting(Port& port,
                     Ptr<const Packet> packet,
                     uint16_t protocol,
                     const Address& source,
                     const Address& destination);

    std::vector<Port> m_ports;                          //!< by the device's index in its node
    std::vector<uint32_t> m_order;                      //!< indices of ports, in order of adding
    uint32_t m_hookedPorts{0};                          //!< times AddHookedPort() was called
    NetDevice::ReceiveCallback m_receive;               //!< to the host's stack
    NetDevice::PromiscReceiveCallback m_promiscReceive; //!< to the host's listeners
};

} // namespace ns3

#endif /* COLO_BRIDGE_H */
