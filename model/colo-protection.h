/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PROTECTION_H
#define COLO_PROTECTION_H

namespace ns3
{

/** \ingroup colo How a guest is protected: COLO, nothing, or what COLO is measured against. */
enum class ColoProtection
{
    NONE,       //!< the guest runs alone
    COLO,       //!< the core compares streams, see ColoPrimaryProxy
    BY_SEGMENT, //!< segment by segment, see ColoBaselineProxy
    REMUS,      //!< one guest runs, its output is buffered, see ColoRemus
    LOCKSTEP    //!< packet by packet, see ColoBaselineProxy
};

/** \return whether a second host stands by. */
inline bool
ColoHasSecondHost(ColoProtection protection)
{
    return protection != ColoProtection::NONE;
}

/** \return whether a second guest runs, whose packets are compared with the primary's. */
inline bool
ColoHasSecondGuest(ColoProtection protection)
{
    return protection != ColoProtection::NONE && protection != ColoProtection::REMUS;
}

} // namespace ns3

#endif /* COLO_PROTECTION_H */
