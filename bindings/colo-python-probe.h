/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PYTHON_PROBE_H
#define COLO_PYTHON_PROBE_H

#include <string>
#include <vector>

/**
 * ns-3 ends the process for some values of attributes, at once or when they are first used. That is
 * for a program, not for an interpreter with a day's work in it: so a child process tries them.
 * \param words a command line of colo-scenario; of others than attributes nothing is tried.
 * \throws ns3::ColoUsageError naming the attribute that is of no use.
 */
void ColoProbeAttributes(const std::vector<std::string>& words);

#endif /* COLO_PYTHON_PROBE_H */
