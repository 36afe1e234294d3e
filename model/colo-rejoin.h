/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REJOIN_H
#define COLO_REJOIN_H

#include "colo-checkpoint-link.h"
#include "colo-checkpointer.h"
#include "colo-guest.h"
#include "colo-host.h"
#include "colo-primary-proxy.h"
#include "colo-secondary-proxy.h"

#include "ns3/net-device.h"
#include "ns3/nstime.h"
#include "ns3/object.h"

#include <array>
#include <cstdint>

namespace ns3
{

/**
 * \ingroup colo
 *
 * What a cluster manager does for a pair: knows which of its hosts is what, and when one that was
 * lost comes back empty makes it the new secondary of the other. If the other one was the
 * secondary, it becomes the primary: both proxies move, with all who listen to their traces, so
 * that the primary's is always the one that compares.
 *
 * It has the core synchronise the new secondary, by a checkpoint of the full state, and again if
 * that breaks off. Whether it may, and when the pair is one again, the core decides.
 */
class ColoRejoin : public Object
{
  public:
    /** One of the two hosts, as far as it is this pair's. */
    struct Place
    {
        Ptr<ColoHost> host;
        Ptr<ColoGuest> guest;
        Ptr<NetDevice> tap; //!< the host's end of the link to the guest
    };

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Begin to work.
     * \param primary where the primary guest is at first.
     * \param secondary where the secondary guest is at first.
     * \param primaryProxy of the pair.
     * \param secondaryProxy of the pair.
     * \param checkpointer of the pair.
     * \param link joins the hosts.
     * \param tapDelay of both guests' links.
     */
    void Install(const Place& primary,
                 const Place& secondary,
                 Ptr<ColoPrimaryProxy> primaryProxy,
                 Ptr<ColoSecondaryProxy> secondaryProxy,
                 Ptr<ColoCheckpointer> checkpointer,
                 Ptr<const ColoCheckpointLink> link,
                 Time tapDelay);

    /**
     * \param isPrimary whether of the host that was primary at first.
     * \return the proxy on it now.
     */
    Ptr<ColoProxy> GetProxy(bool isPrimary) const;
    /**
     * Of the two hosts, one dies at this instant.
     * \param isPrimary whether that which was primary at first.
     */
    void Kill(bool isPrimary);
    /**
     * A host that died, or was fenced, is there again, and empty: it waits to be synchronised.
     * \param isPrimary whether that which was primary at first.
     */
    void Revive(bool isPrimary);

  protected:
    void DoDispose() override;

  private:
    void Try(uint32_t life);
    bool Step();
    void Prepare();
    bool HasStoodStill();
    void Protected();

    std::array<Place, 2> m_places;
    uint32_t m_comparing{0}; //!< place of the primary proxy
    uint32_t m_joining{1};   //!< place of the host that came back last
    Ptr<ColoPrimaryProxy> m_primaryProxy;
    Ptr<ColoSecondaryProxy> m_secondaryProxy;
    Ptr<ColoCheckpointer> m_checkpointer;
    Ptr<const ColoCheckpointLink> m_link;
    Time m_tapDelay;
    Time m_timeout;
    Time m_settling;
    Time m_retryInterval;
    uint32_t m_life{0};        //!< counts the hosts that came back
    bool m_isPrepared{false};  //!< both proxies are where they belong
    bool m_isProtected{false}; //!< it was synchronised
    Time m_notBefore;          //!< of the next attempt
    uint64_t m_progress{0};    //!< of the connection, when it was last seen to move
    Time m_moved;              //!< when that was
};

} // namespace ns3

#endif /* COLO_REJOIN_H */
