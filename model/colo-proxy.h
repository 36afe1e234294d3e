/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PROXY_H
#define COLO_PROXY_H

#include "colo-bridge.h"
#include "colo-engine.h"
#include "colo-held-frame.h"
#include "colo-host-message.h"
#include "colo-host.h"
#include "colo-shim-header.h"
#include "colo-stages.h"

#include "ns3/address.h"
#include "ns3/event-id.h"
#include "ns3/net-device.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/traced-callback.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ns3
{

/**
 * \ingroup colo
 *
 * One decision of the core, as the Verdict trace tells it.
 */
struct ColoVerdict
{
    /** What became of the packet, or of the epoch. */
    enum Event
    {
        RELEASE,
        RESEND,
        DROP,
        MISMATCH,
        COMMIT,
        HOLD //!< only told by the trace source Hold
    };

    Event event;
    colo_side side;               //!< whose packet; the primary's for a mismatch and a commit
    colo_reason reason;           //!< why
    std::optional<colo_key> flow; //!< the connection, of what belongs to one
    uint32_t seq;              //!< of the packet; the position of a mismatch; the epoch of a commit
    uint32_t bytes;            //!< payload
    Time held;                 //!< from its arrival at the proxy
    ColoDiffering differing{}; //!< of a mismatch; there while the trace is told

    /** \return "release", "resend", "drop", "mismatch", "commit", "hold". */
    const char* GetEventName() const;
    /** \return "primary", "secondary", "inbound". */
    const char* GetSideName() const;
    /** \return the connection as ColoKeyToString says it; "" without. */
    std::string GetFlowName() const;
};

/**
 * \ingroup colo
 *
 * What the proxies of both hosts share: the engine, its deadlines, and the way of a frame between
 * ns-3 and the core. The original packet, with its tags, is what goes on.
 */
class ColoProxy : public Object, protected ColoEngineRoom
{
  public:
    /** Told what the core wants done. */
    using ActionCallback = std::function<void(const ColoActions& actions)>;

    /** TracedCallback signature for Verdict. */
    using VerdictTracedCallback = void (*)(const ColoVerdict& verdict);

    /** TracedCallback signature for Action: bits COLO_ACTION_*, epoch of the messages among them.
     */
    using ActionTracedCallback = void (*)(uint32_t actions, uint32_t epoch);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Begin to work on a host.
     * \param host has its end of the forwarding link already.
     * \param tap the port to the guest, of whichever of the host's bridges.
     */
    void Install(Ptr<ColoHost> host, Ptr<NetDevice> tap);

    /**
     * A frame of this node's has come over the forwarding link.
     * \param shim what it carried.
     * \param outer the frame's payload with the shim.
     * \param inner without.
     * \param source address.
     * \param destination address.
     */
    void ReceiveOnSecDev(const colo_shim& shim,
                         Ptr<const Packet> outer,
                         Ptr<const Packet> inner,
                         const Address& source,
                         const Address& destination);

    /** \param callback drives the checkpoint; see ColoCheckpointer. */
    void SetActionCallback(ActionCallback callback);
    /**
     * Tell the core what happened to the checkpoint.
     * \param event what happened.
     * \param epoch of the message that told, if one did.
     * \return false if it does not fit.
     */
    virtual bool CheckpointEvent(enum colo_node_event event, uint32_t epoch);
    /**
     * Somebody knows that the other host is lost, before a heartbeat tells. The arbiter is asked
     * who goes on alone.
     */
    void LosePeer();
    /** The host dies: nothing is decided any more. */
    void Kill();
    /** \param message of the other host, or of the arbiter, has come. */
    void ReceiveMessage(const ColoHostMessage& message);
    /** From now on the guest gets nothing: it is about to be paused. */
    virtual void StopDelivery() = 0;
    /** The guest goes on. */
    virtual void StartDelivery() = 0;
    /**
     * Leave the old host for that of a survivor which took over, and compare from now on what its
     * guest sends, in the numbers that the clients know.
     * \param survivor has no host afterwards.
     */
    void Succeed(ColoProxy& survivor);
    /**
     * The guest has become a copy of another one: so do the stages between it and this proxy.
     * \param original proxy of the guest that was copied.
     */
    void CopyStages(const ColoProxy& original);
    /** \return the core's node: statistics and state. */
    const colo_node& GetNode() const;
    /**
     * \param packet a frame of a primary guest's, without Ethernet header.
     * \param protocol its ethertype.
     * \param source its source address.
     * \param destination its destination address.
     * \return what the Verdict trace would say of its release, but for the reason and held time.
     */
    static ColoVerdict DescribeRelease(Ptr<const Packet> packet,
                                       uint16_t protocol,
                                       const Address& source,
                                       const Address& destination);
    /** \return what asked for the checkpoint that is pending, or that was the last. */
    virtual colo_reason GetCause() const;
    /** \return the node of this host. */
    uint32_t GetHostId() const;

  protected:
    using Held = ColoHeldFrame;

    void DoDispose() override;
    void NotifyConstructionCompleted() override;

    /** \return of a host, the bridge on which the guest of such a proxy begins. */
    virtual Ptr<ColoBridge> FindBridge(Ptr<ColoHost> host) const = 0;
    /** Leave the host, and forget everything but attributes and who listens. */
    virtual void Reset();

    /** \return the role that the core plays here. */
    virtual colo_role GetRole() const = 0;
    /** \param config gets the attributes of the role. */
    virtual void Configure(colo_config& config) const = 0;
    /** A frame of the guest's. */
    virtual void FromGuest(std::unique_ptr<Held> frame) = 0;
    /** A current frame of the other host's. */
    virtual void FromSecDev(const colo_shim& shim, std::unique_ptr<Held> frame) = 0;
    /** A frame that would go to the guest. */
    virtual void ToGuest(std::unique_ptr<Held> frame) = 0;
    /** \return whose frames come in on sec_dev. */
    virtual colo_side GetSecDevSide(const colo_shim& shim) const = 0;

    ColoEngine& GetEngine();
    /** Send a frame to the guest, by way of the stages. */
    void SendToGuest(Ptr<const Packet> packet,
                     uint16_t protocol,
                     const Address& source,
                     const Address& destination);
    /** Ask for a poll when the core's next deadline comes; after every use of the engine. */
    void ArmDeadline();
    void SendOnSecDev(enum colo_shim_kind kind,
                      Ptr<const Packet> packet,
                      uint16_t protocol,
                      const Address& source,
                      const Address& destination);
    void SendOnSecDev(enum colo_shim_kind kind, const Held& frame, Ptr<const Packet> packet);
    void Trace(ColoVerdict::Event event, const ColoFrame& frame);
    void Trace(const ColoVerdict& verdict);
    /** \return what the traces tell of a frame. */
    static ColoVerdict MakeVerdict(ColoVerdict::Event event, const ColoFrame& frame);

    void Drop(std::unique_ptr<ColoFrame> frame) override;
    void Mismatch(const colo_mismatch& mismatch) override;
    void Act(const ColoActions& actions) override;

    /** Work on the frames of the guest from now on. */
    void Hook(Ptr<ColoBridge> bridge);

    Ptr<ColoHost> m_host;
    Ptr<ColoBridge> m_bridge; //!< that the tap is a port of
    Ptr<NetDevice> m_tap;
    Ptr<NetDevice> m_secDev;
    Time m_compareTimeout;
    Time m_lease;
    Time m_takeover;
    Time m_heartbeatInterval;
    bool m_isStopped{false}; //!< the guest gets nothing
    bool m_isDead{false};    //!< as its host is

  private:
    bool Ingress(Ptr<NetDevice> port,
                 Ptr<const Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination);
    bool Egress(Ptr<NetDevice> port,
                Ptr<const Packet> packet,
                uint16_t protocol,
                const Address& source,
                const Address& destination);
    void DeadlineOver();
    void MakeEngine();
    void Tell(ColoHostMessage::Kind kind, const ColoActions& actions) const;

    uint16_t m_nodeIndex;
    std::unique_ptr<ColoEngine> m_engine;
    ColoStages m_stages;
    ActionCallback m_actionCallback;
    EventId m_deadlineEvent;
    uint64_t m_armedNs{COLO_NEVER_NS};
    std::optional<uint32_t> m_askedTerm; //!< of the latest question to the arbiter
    TracedCallback<const ColoVerdict&> m_verdictTrace;
    TracedCallback<Ptr<const Packet>> m_staleTrace;
    TracedCallback<uint32_t, uint32_t> m_actionTrace;
    TracedCallback<> m_peerLostTrace;
    TracedCallback<> m_aloneTrace;
    TracedCallback<> m_fencedTrace;
    TracedCallback<> m_protectedTrace;
};

} // namespace ns3

#endif /* COLO_PROXY_H */
