/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PYTHON_REPLAY_H
#define COLO_PYTHON_REPLAY_H

#include "colo-replay-options.h"
#include "colo-replay-statistics.h"

#include <pybind11/pybind11.h>
#include <string>
#include <vector>

/**
 * \param words a command line of colo-replay, without the program's name; not --help.
 * \return the options.
 * \throws ns3::ColoUsageError naming the option that is wrong.
 */
ns3::ColoReplayOptions ColoParseReplayWords(std::vector<std::string> words);

/**
 * \param statistics of a replay.
 * \param coalesced mismatches that joined a pending checkpoint.
 * \return the sums of it.
 */
pybind11::dict ColoSummarize(const ns3::ColoReplayStatistics& statistics, uint64_t coalesced);

/** \param module gets what replays captures: replay. */
void BindColoReplay(pybind11::module_& module);

#endif /* COLO_PYTHON_REPLAY_H */
