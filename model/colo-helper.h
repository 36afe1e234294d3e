/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_HELPER_H
#define COLO_HELPER_H

#include "colo-checkpoint-link.h"
#include "colo-checkpointer.h"
#include "colo-link-device.h"

#include "ns3/attribute.h"
#include "ns3/data-rate.h"
#include "ns3/ipv4-interface-address.h"
#include "ns3/mac48-address.h"
#include "ns3/nstime.h"
#include "ns3/object-factory.h"

#include <optional>
#include <string>

namespace ns3
{

/** \ingroup colo One guest and its link to its host. */
struct ColoGuestPlace
{
    Ptr<Node> node;           //!< the guest
    Ptr<ColoGuest> guest;     //!< aggregated to it
    Ptr<ColoBridge> bridge;   //!< of the host
    ColoLinkDevice::Ends tap; //!< the host's end, the guest's end
};

/** \ingroup colo A protected pair, wired; all but the primary is null if it is unprotected. */
struct ColoPair
{
    ColoGuestPlace primary;
    ColoGuestPlace secondary;
    ColoLinkDevice::Ends secDev; //!< the primary host's end, the secondary host's end
    Ptr<ColoCheckpointLink> checkpointLink;
    Ptr<ColoPrimaryProxy> primaryProxy;
    Ptr<ColoSecondaryProxy> secondaryProxy;
    Ptr<ColoCheckpointer> checkpointer;

    /**
     * Of the guests; hosts and links have streams of their own.
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream) const;
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
     * \param rate of the forwarding link.
     * \param delay of the forwarding link, one way.
     */
    void SetSecDev(DataRate rate, Time delay);
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
    /** \param delay of the guests' taps, one way. */
    void SetTapDelay(Time delay);

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
                     const Ipv4InterfaceAddress& address) const;

    /**
     * Make the primary guest alone, with nothing in its frames' way.
     * \param primaryHost gets br0, with the uplink and the guest's tap.
     * \param uplink the host's way to the clients.
     * \param address of the guest.
     * \return a pair without secondary and proxies.
     */
    ColoPair InstallUnprotected(Ptr<Node> primaryHost,
                                Ptr<NetDevice> uplink,
                                const Ipv4InterfaceAddress& address) const;

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
    ColoGuestPlace MakeGuest(Ptr<Node> host,
                             bool isPrimary,
                             const Mac48Address& mac,
                             const Ipv4InterfaceAddress& address) const;

    ObjectFactory m_primaryProxy;
    ObjectFactory m_secondaryProxy;
    ObjectFactory m_checkpointer;
    ObjectFactory m_checkpointLink;
    ObjectFactory m_guest;
    DataRate m_secDevRate{"10Gbps"};
    Time m_secDevDelay{MicroSeconds(20)};
    DataRate m_eth2Rate{"10Gbps"};
    Time m_eth2Delay{MicroSeconds(50)};
    Time m_tapDelay{MicroSeconds(5)};
};

} // namespace ns3

#endif /* COLO_HELPER_H */
