/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TWIN_TIMERS_H
#define COLO_TWIN_TIMERS_H

#include "ns3/event-id.h"
#include "ns3/nstime.h"

#include <functional>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * The timers of a clone, to be started once all sockets are copied: those that expire at the same
 * time must do so in the original's order, also across sockets.
 */
class ColoTwinTimers
{
  public:
    /** Starts a timer with this delay. */
    using Starter = std::function<void(Time)>;

    /**
     * \param original an event of the primary guest; nothing is added if it has expired
     * \param start starts its twin
     */
    void Add(const EventId& original, Starter start);

    /** Start all of them, in the context of the caller. */
    void Start();

  private:
    /** A timer that is to be started. */
    struct Timer
    {
        Time left;     //!< its delay
        uint32_t uid;  //!< the original's id, which decides between equal delays
        Starter start; //!< starts it
    };

    std::vector<Timer> m_timers; //!< in no order
};

} // namespace ns3

#endif /* COLO_TWIN_TIMERS_H */
