/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SECONDARY_PROXY_H
#define COLO_SECONDARY_PROXY_H

#include "colo-proxy.h"

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

    Time m_lag;
    uint32_t m_run{0}; //!< counts the guest's pauses: what was under way at one is dropped
};

} // namespace ns3

#endif /* COLO_SECONDARY_PROXY_H */
