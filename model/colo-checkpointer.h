/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CHECKPOINTER_H
#define COLO_CHECKPOINTER_H

#include "colo-background-sender.h"
#include "colo-checkpoint-link.h"
#include "colo-guest.h"
#include "colo-primary-proxy.h"
#include "colo-secondary-proxy.h"

#include "ns3/data-rate.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <optional>

namespace ns3
{

/** \ingroup colo One checkpoint, as the Checkpoint trace tells it when both guests go on. */
struct ColoCheckpoint
{
    uint32_t epoch;     //!< that it began
    colo_reason reason; //!< what asked for it first
    Time requested;     //!< when
    Time paused;        //!< when the primary guest stood still
    Time committed;     //!< when the secondary host held the whole state: held packets left
    Time resumed;       //!< when the primary guest went on
    uint64_t pages;     //!< that were sent while the guests stood still
    uint64_t bytes;     //!< of state, sent with these pages
    uint64_t sentPages; //!< that were sent in the background and not written since
};

/**
 * \ingroup colo
 *
 * What a hypervisor does for the pair: stops the guests, copies the primary's state to the
 * secondary, lets both go on. It decides nothing: the state machines of both proxies' nodes do,
 * this carries their messages over the checkpoint link and carries their actions out.
 */
class ColoCheckpointer : public Object
{
  public:
    /** TracedCallback signature for Checkpoint. */
    using CheckpointTracedCallback = void (*)(const ColoCheckpoint& checkpoint);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Begin to work.
     * \param primaryProxy asks for checkpoints.
     * \param secondaryProxy follows.
     * \param primary the guest that is copied.
     * \param secondary the guest that becomes the copy.
     * \param tapDelay of both guests' links: how long frames are under way to them.
     * \param link joins the hosts; the pair gets a connection on it.
     */
    void Install(Ptr<ColoPrimaryProxy> primaryProxy,
                 Ptr<ColoSecondaryProxy> secondaryProxy,
                 Ptr<ColoGuest> primary,
                 Ptr<ColoGuest> secondary,
                 Time tapDelay,
                 Ptr<const ColoCheckpointLink> link);

    /**
     * A host dies at this instant: its guest stands still for ever, nothing is done on it any more.
     * \param isPrimary which host.
     */
    void Kill(bool isPrimary);

    /**
     * Begin again, with a secondary host that holds nothing of the guest yet, over a connection of
     * its own. Nothing is left of what was under way.
     * \param primary the survivor.
     * \param secondary becomes a copy of it; stands still.
     * \param link joins the hosts.
     * \param isReversed see ColoCheckpointLink::Open().
     */
    void Renew(Ptr<ColoGuest> primary,
               Ptr<ColoGuest> secondary,
               Ptr<const ColoCheckpointLink> link,
               bool isReversed);

    /** \return a number that grows while anything moves between the hosts. */
    uint64_t GetProgress() const;

  protected:
    void DoDispose() override;

  private:
    /** One of the two hosts. */
    struct Host
    {
        Ptr<ColoProxy> proxy;
        Ptr<ColoGuest> guest;
        Ptr<ColoCheckpointEnd> end;
        bool isDead{false};
        uint32_t pause{0};   //!< counts the guest's pauses, so that one can be called off
        bool isEmpty{false}; //!< no state was ever loaded there: nothing can run
    };

    void Listen();
    void Act(Host& host, const ColoActions& actions);
    void Tell(Host& from, enum colo_node_event event, uint32_t epoch, uint64_t bytes = 0);
    void SendState(uint32_t epoch, bool isFull);
    void Happen(Host* host, enum colo_node_event event, uint32_t epoch);
    void Freeze(Host* host, uint32_t pause);
    void Paused(Host* host, uint32_t pause);
    void GoOn(Host& host);
    void Resume(Host* host);
    void Load();
    void EndTransfer();
    void Clone();
    static void Stop(Host& host);

    Host m_primary;
    Host m_secondary;
    Time m_tapDelay;
    Time m_overhead;
    uint64_t m_deviceState;
    Time m_loadTime;
    Time m_loadTimePerPage;
    DataRate m_backgroundRate;
    Time m_backgroundPeriod;
    ColoBackgroundSender m_background;
    bool m_isSecondaryLoaded{false};    //!< waits for the primary to go on
    std::optional<uint32_t> m_underWay; //!< epoch of the state that was sent and may be loaded
    bool m_isToBeCloned{false};         //!< the secondary host has all of it
    ColoCheckpoint m_current{};
    TracedCallback<const ColoCheckpoint&> m_checkpointTrace;
};

} // namespace ns3

#endif /* COLO_CHECKPOINTER_H */
