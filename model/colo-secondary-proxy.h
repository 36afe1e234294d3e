/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SECONDARY_PROXY_H
#define COLO_SECONDARY_PROXY_H

#include "colo-proxy.h"

#include "ns3/mac48-address.h"
#include "ns3/random-variable-stream.h"

#include <optional>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The proxy on the secondary host, in br1's forwarding path: gives the secondary guest what the
 * primary host mirrors, sends what it says to the primary host, and fixes its sequence numbers both
 * ways. When the primary host is lost, it moves the guest to br0 and fixes on.
 */
class ColoSecondaryProxy : public ColoProxy
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * How the guest is announced at a failover.
     * \param mac the guest's.
     * \param addresses of the guest, IPv4 and IPv6.
     */
    void SetGuest(const Mac48Address& mac, std::vector<Address> addresses);

    /**
     * Begin again, on a host that holds no state yet and waits to be synchronised.
     * \param host the host.
     * \param tap its port to the guest.
     */
    void Join(Ptr<ColoHost> host, Ptr<NetDevice> tap);
    /**
     * \return whether the guest speaks for itself, and nothing of before is under way to it: then
     *         it may be protected again.
     */
    bool HasTakenOver() const;

    bool CheckpointEvent(enum colo_node_event event, uint32_t epoch) override;
    void StopDelivery() override;
    void StartDelivery() override;

    /**
     * \param stream first stream index to use
     * \return the number of stream indices used
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    Ptr<ColoBridge> FindBridge(Ptr<ColoHost> host) const override;
    void Reset() override;
    colo_role GetRole() const override;
    void Configure(colo_config& config) const override;
    void FromGuest(std::unique_ptr<Held> frame) override;
    void FromSecDev(const colo_shim& shim, std::unique_ptr<Held> frame) override;
    void ToGuest(std::unique_ptr<Held> frame) override;
    colo_side GetSecDevSide(const colo_shim& shim) const override;

    void Release(std::unique_ptr<ColoFrame> frame) override;
    void Emit(const ColoFrame& frame, std::vector<uint8_t> bytes) override;
    void Remirror(std::vector<uint8_t> bytes) override;
    void Act(const ColoActions& actions) override;

  private:
    /** Move the tap to br0 and announce the guest there, if that has not been done yet. */
    void TakeOver();

    /** A frame for the guest, after its lag. */
    void Deliver(Ptr<Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination,
                 uint32_t run);

    /** \return how long after the primary guest the secondary one gets a frame of now. */
    Time DrawLag() const;

    Mac48Address m_mac;               //!< the guest's
    std::vector<Address> m_addresses; //!< the guest's
    TracedCallback<> m_takeOverTrace;
    Time m_lag;
    Ptr<RandomVariableStream> m_lagJitter;
    Time m_coldLag;
    Time m_coldDecay;
    std::optional<Time> m_resumed; //!< when the guest last went on after a checkpoint
    Time m_lastDelivery;           //!< when the guest gets the last frame that is under way to it
    uint32_t m_run{0}; //!< counts the guest's pauses: what was under way at one is dropped
};

} // namespace ns3

#endif /* COLO_SECONDARY_PROXY_H */
