/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PYTHON_COMPARATOR_H
#define COLO_PYTHON_COMPARATOR_H

#include <pybind11/pybind11.h>

/** \param module gets what compares frames one by one: Comparator, reasons. */
void BindColoComparator(pybind11::module_& module);

#endif /* COLO_PYTHON_COMPARATOR_H */
