/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_LISTENER_H
#define COLO_REPLAY_LISTENER_H

#include "colo-replay-statistics.h"

#include <cstddef>
#include <cstdint>

namespace ns3
{

/** Gets what a replay decides, as it does. It is told while an engine speaks: it must not throw. */
class ColoReplayListener
{
  public:
    virtual ~ColoReplayListener() = default;

    /** \param verdict a verdict. */
    virtual void WriteVerdict(const ColoReplayVerdict& verdict) = 0;
    /**
     * The packet of the verdict before, which is a release.
     * \param stampNs since 1970.
     * \param frame its bytes.
     * \param size how many there are.
     */
    virtual void WriteReleased(int64_t stampNs, const uint8_t* frame, std::size_t size) = 0;
};

} // namespace ns3

#endif /* COLO_REPLAY_LISTENER_H */
