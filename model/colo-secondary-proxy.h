/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SECONDARY_PROXY_H
#define COLO_SECONDARY_PROXY_H

#include "colo-proxy.h"

#include "ns3/random-variable-stream.h"

#include <optional>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The proxy on the secondary host, in br1's forwarding path: gives the secondary guest what the
 * primary host mirrors, sends what it says to the primary host, and fixes its sequence numbers both
 * ways.
 */
class ColoSecondaryProxy : public ColoProxy
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    bool CheckpointEvent(enum colo_node_event event, uint32_t epoch) override;
    void StopDelivery() override;
    void StartDelivery() override;

    /**
     * \param stream first stream index to use
     * \return the number of stream indices used
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    colo_role GetRole() const override;
    void Configure(colo_config& config) const override;
    bool FromGuest(std::unique_ptr<Held> frame) override;
    void FromSecDev(const colo_shim& shim, std::unique_ptr<Held> frame) override;
    bool ToGuest(std::unique_ptr<Held> frame) override;
    colo_side GetSecDevSide(const colo_shim& shim) const override;

    void Release(std::unique_ptr<ColoFrame> frame) override;
    void Emit(const ColoFrame& frame, std::vector<uint8_t> bytes) override;
    void Remirror(std::vector<uint8_t> bytes) override;

  private:
    /** A frame for the guest, after its lag. */
    void Deliver(Ptr<Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination,
                 uint32_t run);

    /** \return how long after the primary guest the secondary one gets a frame of now. */
    Time DrawLag() const;

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
