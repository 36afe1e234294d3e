/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SUDDEN_END_H
#define COLO_SUDDEN_END_H

#include <string>

namespace ns3
{

/**
 * From now on the end of the program leaves no draft folder behind, be it a signal or that ns-3
 * gives up: then one line says why, where ns-3 would print a trace. ns-3's own words on stderr
 * are kept back for that; see ColoSayKeptWords().
 */
void ColoPrepareForSuddenEnd();

/**
 * \param options what to name, with exit 2, if ns-3 gives up: it checks some values of attributes
 * only as it uses them. Empty if nothing that the user typed can be the cause.
 */
void ColoBlameForSuddenEnd(const std::string& options);

/** Print what ns-3 had to say on stderr. */
void ColoSayKeptWords();

} // namespace ns3

#endif /* COLO_SUDDEN_END_H */
