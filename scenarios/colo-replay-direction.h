/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_DIRECTION_H
#define COLO_REPLAY_DIRECTION_H

#include "colo-replay-capture.h"
#include "colo-replay-options.h"

#include <array>
#include <set>
#include <string>
#include <utility>

namespace ns3
{

/** Whose a captured packet is, as seen from the guest. */
enum class ColoDirection
{
    OUTBOUND, //!< the guest sent it
    INBOUND,  //!< it is for the guest
    STRANGER, //!< neither
};

/** Tells which packets of a file the guest sent, by addresses. Its memory is bounded. */
class ColoDirectionFinder
{
  public:
    /** \param guest its addresses; none if it sent every packet. */
    explicit ColoDirectionFinder(std::set<ColoAddress> guest);

    /**
     * \param packet of the file.
     * \return its direction.
     * \throws ColoUsageError without the file's name, if the guest's addresses are needed and were
     * not given.
     */
    ColoDirection Find(const ColoCapturedPacket& packet);

  private:
    using LinkAddress = std::array<uint8_t, 6>;

    struct Ends
    {
        ColoAddress source;
        ColoAddress destination;
        LinkAddress linkSource;
        LinkAddress linkDestination;
        bool isIp;
        bool isArp;
    };

    static Ends Parse(const ColoCapturedPacket& packet);
    static std::string ToString(const ColoAddress& address);
    static bool TellsSender(const ColoAddress& address);
    void RefuseBothDirections(const ColoCapturedPacket& packet, const Ends& ends);

    std::set<ColoAddress> m_guest;
    std::set<LinkAddress> m_guestLinks;
    std::set<std::pair<ColoAddress, ColoAddress>> m_pairs;
};

} // namespace ns3

#endif /* COLO_REPLAY_DIRECTION_H */
