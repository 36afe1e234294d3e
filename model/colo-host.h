/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_HOST_H
#define COLO_HOST_H

#include "colo-bridge.h"
#include "colo-host-message.h"
#include "colo-link-device.h"
#include "colo-shim-header.h"

#include "ns3/net-device.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <vector>

namespace ns3
{

class ColoProxy;

/**
 * \ingroup colo
 *
 * What a host has whatever the number of pairs on it: its bridges, its way to the clients, and its
 * end of the forwarding link, whose frames it gives to the proxy of their node. Aggregated to its
 * node; Proxies/[i] in configuration paths is the i-th proxy.
 */
class ColoHost : public Object
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Make a node this host, with br0 and perhaps br1.
     * \param node the node.
     * \param isPrimary whether guests begin on br0; else on br1, which leads nowhere.
     * \param uplink the way to the clients, a port of br0; null for none.
     */
    void Install(Ptr<Node> node, bool isPrimary, Ptr<NetDevice> uplink);

    /**
     * \param secDev the host's end of the forwarding link.
     */
    void SetSecDev(Ptr<NetDevice> secDev);

    /**
     * \param eth2 the host's end of the checkpoint link, for the answers to heartbeats.
     */
    void SetCheckpointDevice(Ptr<NetDevice> eth2);

    /**
     * \param arbiter address of the arbiter's device, which the uplink leads to.
     */
    void SetArbiter(const Address& arbiter);

    /** \return whether clients may be reached, as far as the host's own end of the link tells. */
    bool HasCarrier() const;

    /**
     * Say something to the other host, or to the arbiter: what it is decides the link.
     * \param message to send.
     */
    void Tell(const ColoHostMessage& message);

    /**
     * Give a proxy its node's frames of the forwarding link.
     * \param proxy the proxy.
     * \param index of its pair, not used before.
     */
    void AddProxy(Ptr<ColoProxy> proxy, uint16_t index);

    /**
     * Take nothing for a proxy any more.
     * \param index of its pair.
     */
    void RemoveProxy(uint16_t index);
    /**
     * Plug a guest's tap into one of the host's bridges. Hooks that it has on the other are gone.
     * \param tap the port to the guest.
     * \param bridge br0 or br1.
     */
    void MoveTap(Ptr<NetDevice> tap, Ptr<ColoBridge> bridge);
    /** \param isAlive whether anything that comes from other hosts is heard; it is at first. */
    void SetAlive(bool isAlive);
    /** \return whether the host lives. */
    bool IsAlive() const;

    /** \return the node. */
    Ptr<Node> GetNode() const;
    /** \return br0, the way to the clients. */
    Ptr<ColoBridge> GetBr0() const;
    /** \return br1, of secondary guests; made when first asked for. */
    Ptr<ColoBridge> GetBr1();
    /** \return where guests begin: br0 of a primary host, br1 of a secondary one. */
    Ptr<ColoBridge> GetGuestBridge() const;
    /** \return the host's end of the forwarding link. */
    Ptr<NetDevice> GetSecDev() const;
    /** \return the way to the clients, null for none. */
    Ptr<NetDevice> GetUplink() const;

  protected:
    void DoDispose() override;

  private:
    void ReceiveOnSecDev(Ptr<NetDevice> device,
                         Ptr<const Packet> packet,
                         uint16_t protocol,
                         const Address& source,
                         const Address& destination,
                         NetDevice::PacketType type);
    void ReceiveMessage(Ptr<NetDevice> device,
                        Ptr<const Packet> packet,
                        uint16_t protocol,
                        const Address& source,
                        const Address& destination,
                        NetDevice::PacketType type);
    void Listen(Ptr<NetDevice> device);
    ColoProxy* FindProxy(uint16_t index) const;

    Ptr<Node> m_node;
    Ptr<NetDevice> m_uplink;
    Ptr<NetDevice> m_secDev;
    Ptr<NetDevice> m_eth2;
    Address m_arbiter; //!< invalid if there is none
    Ptr<ColoBridge> m_br0;
    Ptr<ColoBridge> m_br1; //!< of a host that is, or once was, a secondary
    bool m_isAlive{true};
    std::vector<Ptr<ColoProxy>> m_proxies;
    std::vector<ColoProxy*> m_byIndex; //!< null where there is no pair
    TracedCallback<Ptr<const Packet>> m_staleTrace;
};

} // namespace ns3

#endif /* COLO_HOST_H */
