/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_STAGES_H
#define COLO_STAGES_H

#include "colo-engine.h"
#include "colo-held-frame.h"

#include "ns3/address.h"
#include "ns3/packet.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * Sequence fixes that lie between a guest and its proxy, one for each failover by which its state
 * has come to another host: a connection keeps the numbers that its client knows, whichever guest
 * they began with. Each is the engine of a secondary that took over, or a copy of it on the host
 * of a guest that is a copy of that one's. The first is the guest's, the last the proxy's.
 */
class ColoStages
{
  public:
    /** Told of a frame that has passed all stages. */
    using Way = std::function<void(Ptr<const Packet> packet,
                                   uint16_t protocol,
                                   const Address& source,
                                   const Address& destination)>;

    ColoStages();
    ~ColoStages();

    /**
     * \param toProxy gets what the guest sends.
     * \param toGuest gets what is for the guest.
     */
    void SetEnds(Way toProxy, Way toGuest);

    /** \return whether there are none, so that frames need not pass here. */
    bool IsEmpty() const;
    /** Forget all of them. */
    void Clear();
    /**
     * Take those of another proxy, and on top of them its own engine.
     * \param survivor has none afterwards.
     * \param engine took over.
     */
    void Succeed(ColoStages& survivor, std::unique_ptr<ColoEngine> engine);
    /**
     * Become a copy of those of another proxy, as the guest of this one is of the other's.
     * \param original what is copied; the packets that wait there are not.
     */
    void CopyFrom(const ColoStages& original);

    /**
     * Something that the guest sends.
     * \param packet its payload.
     * \param protocol its ethertype.
     * \param source its source address.
     * \param destination its destination address.
     */
    void FromGuest(Ptr<const Packet> packet,
                   uint16_t protocol,
                   const Address& source,
                   const Address& destination);
    /**
     * Something that is for the guest.
     * \param packet its payload.
     * \param protocol its ethertype.
     * \param source its source address.
     * \param destination its destination address.
     */
    void ToGuest(Ptr<const Packet> packet,
                 uint16_t protocol,
                 const Address& source,
                 const Address& destination);

  private:
    class Stage;

    void Add(std::unique_ptr<ColoEngine> engine);
    void Released(std::size_t index, const ColoHeldFrame& frame);

    Way m_toProxy;
    Way m_toGuest;
    std::vector<std::unique_ptr<Stage>> m_stages;
};

} // namespace ns3

#endif /* COLO_STAGES_H */
