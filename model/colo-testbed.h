/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TESTBED_H
#define COLO_TESTBED_H

#include "colo-helper.h"

#include "ns3/address.h"
#include "ns3/node.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ns3
{

/** \ingroup colo What a testbed is made of. */
struct ColoTestbedOptions
{
    uint32_t clients{1};
    uint32_t pairs{1};  //!< on the same hosts and links
    bool isIpv6{false}; //!< clients and guests speak both versions, and use IPv6
    /** Without any, the primary host and its guests are all there is. */
    ColoProtection protection{ColoProtection::COLO};
    ColoLinkOptions lan{DataRate("1Gbps"), MicroSeconds(50)};     //!< each client's link
    ColoLinkOptions uplink{DataRate("1Gbps"), MicroSeconds(50)};  //!< each host's eth0
    ColoLinkOptions secDev{DataRate("10Gbps"), MicroSeconds(20)}; //!< forwarding link
    ColoLinkOptions checkpointLink{DataRate("10Gbps"), MicroSeconds(50)};

    static constexpr uint32_t CLIENTS_MAX = 10000;
    static constexpr uint32_t PAIRS_MAX = 100;
};

/**
 * \ingroup colo
 *
 * The world of a protected pair, or of several: clients on a switch, two hosts, their links.
 *
 *     client(s) -- switch --+-- eth0 [primary host]   br0 -- tap0.. -- primary guests
 *                           |         eth1 = sec_dev      eth2 = checkpoint link
 *                           +-- eth0 [secondary host] br1 -- tap0.. -- secondary guests
 *
 * Nodes and links are there after construction; applications are the caller's.
 */
class ColoTestbed
{
  public:
    /**
     * Begin a run: the defaults of ns3::TcpSocket and the like become those of Linux today, the
     * simulator one that can pause guests, all attributes else what they were first. To be called
     * before the first node is made, and before defaults of one's own.
     * \param seed of all random streams, at least 1.
     * \param isIpv6 whether clients and guests will use it.
     */
    static void SetDefaults(uint32_t seed, bool isIpv6);

    /**
     * \param options of the testbed; aborts if there are no or too many clients or pairs.
     * \param helper makes hosts and pairs, with whatever attributes it was given; its links become
     *               those of the options.
     */
    explicit ColoTestbed(const ColoTestbedOptions& options, ColoHelper helper = ColoHelper());

    /** \return the clients' nodes. */
    const std::vector<Ptr<Node>>& GetClients() const;
    /** \return the switch. */
    Ptr<Node> GetSwitch() const;
    /** \return the hosts, and the links that join them. */
    const ColoHosts& GetHosts() const;
    /** \return the pairs; their index is that of their node. */
    const std::vector<ColoPair>& GetPairs() const;
    /**
     * \param client its index.
     * \return its address, without port.
     */
    Address GetClientAddress(uint32_t client) const;
    /**
     * \param pair its index.
     * \return its guests' address, without port.
     */
    Address GetGuestAddress(uint32_t pair) const;
    /**
     * All links: "client0" and so on, "eth0-primary", "eth0-secondary", "sec_dev", "eth2",
     * "arbiter", "primary-tap0", "secondary-tap0" and so on. The first end is the one nearer to a
     * client, or the primary host's, or the host's. \return the links by name.
     */
    const std::map<std::string, ColoLinkDevice::Ends>& GetLinks() const;

    /**
     * Of all links, clients, guests and the checkpoint link; once, before applications are added.
     * Those of clients come last, so that the number of them does not change what happens to the
     * others. \param stream first stream index to use. \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream) const;

    /** \return the arbiter's node, on a link of the switch; null without protection. */
    Ptr<Node> GetArbiter() const;

    /**
     * A link is cut, or mended, at this instant.
     * \param name of the link, see GetLinks(); aborts if there is none.
     * \param isCut whether it is cut from now on.
     */
    void CutLink(const std::string& name, bool isCut = true) const;

    /**
     * A host stands still from this instant on, with its guests, while its clock and its network
     * cards go on: what is queued there leaves, what arrives waits.
     * \param isPrimary which host; must not hang already.
     * \param duration of it.
     */
    void HangHost(bool isPrimary, Time duration) const;

    /**
     * A host dies at this instant: its links are cut, its guests stand still. The other host finds
     * out by its heartbeats; see ColoProxy::Lease.
     * \param isPrimary whether the host that was primary at first.
     */
    void KillHost(bool isPrimary) const;

    /**
     * A host that died, or was fenced, is there again at this instant: empty as a machine that was
     * rebooted, its links mended. Each pair is synchronised, with this host as the new secondary,
     * as soon as the other one is alone; see ColoProxy::Protected, ColoRejoin. Needs heartbeats
     * (ColoProxy::Lease), as the arbiter has to be told of the new pair.
     * \param isPrimary whether the host that was primary at first.
     */
    void ReviveHost(bool isPrimary) const;

    /**
     * A host dies at this instant: its links to the switch and to the other host are cut, its
     * guests stand still for ever.
     * \param isPrimary which host.
     * \param detection after which the other host knows, and asks the arbiter.
     */
    void LoseHost(bool isPrimary, Time detection) const;

  private:
    void AddArbiter();
    Ptr<ColoHost> GetHost(bool isPrimary) const;
    void AddClient(uint32_t index);
    Ptr<NetDevice> AddUplink(Ptr<Node> host, const std::string& name);

    ColoTestbedOptions m_options;
    std::vector<Ptr<Node>> m_clients;
    Ptr<Node> m_lan;
    Ptr<Node> m_arbiter;
    Ptr<ColoBridge> m_switch;
    ColoHosts m_hosts;
    std::vector<ColoPair> m_pairs;
    std::map<std::string, ColoLinkDevice::Ends> m_links;
};

} // namespace ns3

#endif /* COLO_TESTBED_H */
