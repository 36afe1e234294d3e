/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_GUEST_APPLICATION_H
#define COLO_GUEST_APPLICATION_H

#include "ns3/application.h"
#include "ns3/socket.h"

#include <functional>

namespace ns3
{

/**
 * \ingroup colo
 *
 * An application of a protected guest. A checkpoint copies the primary guest whole, its
 * applications included, so each of them must know how to become a copy of its twin.
 */
class ColoGuestApplication : public Application
{
  public:
    /** Maps a socket of the primary guest to its clone in this one; null to null. */
    using TwinOf = std::function<Ptr<Socket>(Ptr<Socket>)>;

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Give up what the twin does not have and another application's copy may need, such as UDP
     * ports. Called for every application of the guest before CloneFrom() is for any.
     *
     * \param twin the same application of the primary guest.
     */
    virtual void PrepareClone(Ptr<ColoGuestApplication> twin);

    /**
     * Become a copy of the twin: state, socket callbacks, and pending events with the delay that
     * is left of them. Called while both guests are paused and after all sockets were cloned.
     *
     * \param twin the same application of the primary guest.
     * \param twinOf finds this guest's clone of one of the twin's sockets.
     */
    virtual void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) = 0;
};

} // namespace ns3

#endif /* COLO_GUEST_APPLICATION_H */
