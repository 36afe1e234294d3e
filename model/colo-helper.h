/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_HELPER_H
#define COLO_HELPER_H

#include "colo-checkpoint-link.h"
#include "colo-checkpointer.h"
#include "colo-host.h"
#include "colo-link-device.h"
#include "colo-protection.h"
#include "colo-rejoin.h"
#include "colo-remus.h"

#include "ns3/attribute.h"
#include "ns3/data-rate.h"
#include "ns3/ipv4-interface-address.h"
#include "ns3/ipv6-interface-address.h"
#include "ns3/mac48-address.h"
#include "ns3/nstime.h"
#include "ns3/object-factory.h"

#include <optional>
#include <string>

namespace ns3
{

/** \ingroup colo What a station is known as, in one IP version or both. */
struct ColoStationAddress
{
    std::optional<Ipv4InterfaceAddress> ipv4;
    std::optional<Ipv6InterfaceAddress> ipv6; //!< besides the link-local one

    /**
     * Give a node without an internet stack one, with this address on a device. IPv6 addresses are
     * static and there is no router: the stack neither looks for duplicates nor for routers, as
     * both are noise at random times that no exchange depends on.
     * \param device of the node.
     */
    void Install(Ptr<NetDevice> device) const;
};

/** \ingroup colo Two hosts, joined, and what the pairs on them share. */
struct ColoHosts
{
    Ptr<ColoHost> primary;
    Ptr<ColoHost> secondary;     //!< null for one host that protects nothing
    ColoLinkDevice::Ends secDev; //!< the primary host's end, the secondary host's end
    Ptr<ColoCheckpointLink> checkpointLink;
};

/** \ingroup colo One guest and its link to its host. */
struct ColoGuestPlace
{
    Ptr<Node> node;           //!< the guest
    Ptr<ColoGuest> guest;     //!< aggregated to it
    Ptr<ColoBridge> bridge;   //!< of the host
    ColoLinkDevice::Ends tap; //!< the host's end, the guest's end
};

/**
 * \ingroup colo
 *
 * A protected pair, wired. All but the primary is null if it is unprotected; under Remus there is
 * no secondary guest either, hence neither proxies nor checkpointer.
 */
struct ColoPair
{
    ColoProtection protection{ColoProtection::NONE};
    ColoGuestPlace primary;
    ColoGuestPlace secondary;
    ColoHosts hosts;             //!< shared with the other pairs on them
    ColoLinkDevice::Ends secDev; //!< the primary host's end, the secondary host's end
    Ptr<ColoCheckpointLink> checkpointLink;
    Ptr<ColoPrimaryProxy> primaryProxy;
    Ptr<ColoSecondaryProxy> secondaryProxy;
    Ptr<ColoCheckpointer> checkpointer;
    Ptr<ColoRejoin> rejoin;
    Ptr<ColoRemus> remus; //!< null but under Remus

    /**
     * Of the guests; hosts and links have streams of their own.
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream) const;
    /**
     * Of the guests' memories; apart, so that they can come last and change no other draws.
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignMemoryStreams(int64_t stream) const;

    /**
     * One of the hosts comes to know that the other one is lost, and asks the arbiter.
     * \param isPrimary whether that which was primary at first.
     * \param detection after which it knows.
     */
    void LosePeer(bool isPrimary, Time detection) const;
};

/**
 * \ingroup colo
 *
 * Wires protected pairs:
 *
 *     ColoHelper colo;
 *     colo.SetPrimaryProxyAttribute("CompareTimeout", TimeValue(Seconds(1)));
 *     ColoPair pair = colo.Install(primaryHost, eth0, secondaryHost, Ipv4InterfaceAddress(...));
 *
 * or, for several pairs on the same hosts and links,
 *
 *     ColoHosts hosts = colo.MakeHosts(primaryHost, eth0, secondaryHost, secondaryEth0);
 *     ColoPair first = colo.Install(hosts, {Ipv4InterfaceAddress(...), {}});
 *     ColoPair second = colo.Install(hosts, {Ipv4InterfaceAddress(...), {}});
 *
 * ColoPause::Enable() must have been called before the first node was made.
 */
class ColoHelper
{
  public:
    ColoHelper();

    /**
     * \param name an attribute of ColoPrimaryProxy.
     * \param value its value.
     */
    void SetPrimaryProxyAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param name an attribute of ColoSecondaryProxy.
     * \param value its value.
     */
    void SetSecondaryProxyAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param name an attribute of ColoCheckpointer.
     * \param value its value.
     */
    void SetCheckpointerAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param name an attribute of ColoGuest.
     * \param value its value.
     */
    void SetGuestAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param name an attribute of ColoMemory.
     * \param value its value.
     */
    void SetMemoryAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param rate of the forwarding link.
     * \param delay of the forwarding link, one way.
     */
    void SetSecDev(DataRate rate, Time delay);
    /** \param options of the forwarding link. */
    void SetSecDev(const ColoLinkOptions& options);
    /**
     * \param name an attribute of ColoCheckpointLink.
     * \param value its value.
     */
    void SetCheckpointLinkAttribute(const std::string& name, const AttributeValue& value);
    /**
     * \param rate of the checkpoint link; 0 for no limit.
     * \param delay of the checkpoint link, one way.
     */
    void SetCheckpointLink(DataRate rate, Time delay);
    /** \param options of the checkpoint link. */
    void SetCheckpointLink(const ColoLinkOptions& options);
    /**
     * \param protection of pairs on two hosts, any but ColoProtection::NONE: COLO, unless this is
     *        called, or what it is measured against.
     */
    void SetProtection(ColoProtection protection);
    /** \param index of the next pair; each further one has the next higher, from 0. */
    void SetNodeIndex(uint16_t index);
    /** \param delay of the guests' taps, one way. */
    void SetTapDelay(Time delay);

    /**
     * Make hosts out of two nodes, and join them.
     * \param primaryHost gets br0, with the uplink.
     * \param primaryUplink its way to the clients.
     * \param secondaryHost gets br0, with the uplink, and br1; null for a host alone.
     * \param secondaryUplink its way to the clients after a failover; null for none.
     * \return the hosts.
     */
    ColoHosts MakeHosts(Ptr<Node> primaryHost,
                        Ptr<NetDevice> primaryUplink,
                        Ptr<Node> secondaryHost,
                        Ptr<NetDevice> secondaryUplink) const;

    /**
     * Make a guest on each host, and protect the pair if there are two. Under Remus the other host
     * has no guest.
     * \param hosts of MakeHosts().
     * \param address of both guests.
     * \return the pair.
     */
    ColoPair Install(const ColoHosts& hosts, const ColoStationAddress& address);

    /**
     * Make a guest on each of two hosts and protect the pair.
     * \param primaryHost gets br0, with the uplink and the primary guest's tap.
     * \param uplink the primary host's way to the clients.
     * \param secondaryHost gets br1, with the secondary guest's tap.
     * \param address of both guests.
     * \return the pair.
     */
    ColoPair Install(Ptr<Node> primaryHost,
                     Ptr<NetDevice> uplink,
                     Ptr<Node> secondaryHost,
                     const Ipv4InterfaceAddress& address);

    /**
     * Make the primary guest alone, with nothing in its frames' way.
     * \param primaryHost gets br0, with the uplink and the guest's tap.
     * \param uplink the host's way to the clients.
     * \param address of the guest.
     * \return a pair without secondary and proxies.
     */
    ColoPair InstallUnprotected(Ptr<Node> primaryHost,
                                Ptr<NetDevice> uplink,
                                const Ipv4InterfaceAddress& address);

    /**
     * Make ColoTcpSocketFactory available on a client, so that each connection has an ISN of its
     * own. With TcpSocketFactory all have 0: nobody could tell a connection from an earlier one of
     * the same addresses and ports, so COLO would take it for that.
     * \param client has an internet stack.
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    static int64_t InstallClientTcp(Ptr<Node> client, int64_t stream);

  private:
    ColoGuestPlace MakeGuest(const ColoHost& host,
                             bool isPrimary,
                             const Mac48Address& mac,
                             const ColoStationAddress& address) const;
    void Compare(ColoPair& pair, const Mac48Address& mac, const ColoStationAddress& address);

    ObjectFactory m_primaryProxy;
    ObjectFactory m_secondaryProxy;
    ObjectFactory m_checkpointer;
    ObjectFactory m_checkpointLink;
    ObjectFactory m_guest;
    ObjectFactory m_memory;
    ObjectFactory m_remus;
    ColoProtection m_protection{ColoProtection::COLO};
    ColoLinkOptions m_secDev{DataRate("10Gbps"), MicroSeconds(20)};
    ColoLinkOptions m_eth2{DataRate("10Gbps"), MicroSeconds(50)};
    uint16_t m_nodeIndex{0}; //!< of the next pair
    Time m_tapDelay{MicroSeconds(5)};
};

} // namespace ns3

#endif /* COLO_HELPER_H */
