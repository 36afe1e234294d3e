/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PYTHON_RUN_H
#define COLO_PYTHON_RUN_H

#include "colo-scenario-options.h"

#include <pybind11/pybind11.h>
#include <string>
#include <vector>

/**
 * \param words a command line of colo-scenario, without the program's name; not --help.
 * \return the options.
 * \throws ns3::ColoUsageError naming the option that is wrong.
 */
ns3::ColoScenarioOptions ColoParseWords(std::vector<std::string> words);

/** \param module gets what runs scenarios: options, check, run, set_data_folder. */
void BindColoRun(pybind11::module_& module);

#endif /* COLO_PYTHON_RUN_H */
