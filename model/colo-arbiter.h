/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ARBITER_NS3_H
#define COLO_ARBITER_NS3_H

// clang-format off
#include "colo_arbiter.h"
// clang-format on

#include "colo-host-message.h"

#include "ns3/net-device.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <map>
#include <optional>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The third party that both hosts of a pair can ask who may speak to the clients alone, once they
 * have lost each other (rule fail-fence). It serves any number of pairs; the core decides.
 */
class ColoArbiter : public Object
{
  public:
    /** TracedCallback signature for Answered. */
    using AnsweredTracedCallback = void (*)(const ColoHostMessage& answer);

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Begin to answer.
     * \param device of the arbiter's node, on which hosts reach it.
     */
    void Install(Ptr<NetDevice> device);

  protected:
    void DoDispose() override;

  private:
    void Receive(Ptr<NetDevice> device,
                 Ptr<const Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination,
                 NetDevice::PacketType type);
    std::optional<ColoHostMessage::Kind> Decide(const ColoHostMessage& question);

    std::map<uint16_t, colo_arbiter> m_pairs; //!< those that were asked about
    TracedCallback<const ColoHostMessage&> m_answeredTrace;
};

} // namespace ns3

#endif /* COLO_ARBITER_NS3_H */
