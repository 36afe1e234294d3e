/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_OWN_RANDOM_H
#define COLO_OWN_RANDOM_H

#include "ns3/random-variable-stream.h"

namespace ns3
{

/**
 * \ingroup colo
 * \brief A random variable of one's own.
 *
 * What Config::SetDefault(), an ObjectFactory or a helper sets an attribute to is one object for
 * all that are made then, so both guests would draw from one stream.
 *
 * \param shared an attribute's value.
 * \return a copy with a stream of its own; the same object if it has values that are no attributes
 *         (EmpiricalRandomVariable, DeterministicRandomVariable).
 */
Ptr<RandomVariableStream> ColoOwnRandom(Ptr<RandomVariableStream> shared);

} // namespace ns3

#endif /* COLO_OWN_RANDOM_H */
