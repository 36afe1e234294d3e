/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_LINK_CHANNEL_H
#define COLO_LINK_CHANNEL_H

#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simple-channel.h"
#include "ns3/simple-net-device.h"
#include "ns3/traced-callback.h"

namespace ns3
{

/**
 * \ingroup colo
 *
 * A cable that does to frames what Linux's netem does: loses them, delivers them twice, lets later
 * ones overtake. Each frame of either direction meets its fate alone, and each impairment draws
 * from a stream of its own, so that turning one on does not change what another one hits.
 */
class ColoLinkChannel : public SimpleChannel
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /** From now on nothing that is sent arrives, as if the cable were cut or a host dead. */
    void Cut();
    /** Undo Cut(). */
    void Mend();
    /** \return whether it is cut; both ends see that, as a cable's ends see the carrier go. */
    bool IsCut() const;

    /**
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream);

    void Send(Ptr<Packet> packet,
              uint16_t protocol,
              Mac48Address to,
              Mac48Address from,
              Ptr<SimpleNetDevice> sender) override;

  private:
    void SendOnce(Ptr<Packet> packet,
                  uint16_t protocol,
                  Mac48Address to,
                  Mac48Address from,
                  Ptr<SimpleNetDevice> sender);

    double m_loss;
    double m_duplicate;
    double m_reorder;
    Time m_reorderDelay;
    bool m_isCut{false};
    Ptr<UniformRandomVariable> m_lossRandom{CreateObject<UniformRandomVariable>()};
    Ptr<UniformRandomVariable> m_duplicateRandom{CreateObject<UniformRandomVariable>()};
    Ptr<UniformRandomVariable> m_reorderRandom{CreateObject<UniformRandomVariable>()};
    TracedCallback<Ptr<const Packet>> m_lostTrace;
    TracedCallback<Ptr<const Packet>> m_duplicatedTrace;
    TracedCallback<Ptr<const Packet>> m_reorderedTrace;
};

} // namespace ns3

#endif /* COLO_LINK_CHANNEL_H */
