/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The extension behind the Python package `colo`, which is what users are to import.
 */
#include "colo-command-line.h"
#include "colo-python-comparator.h"
#include "colo-python-replay.h"
#include "colo-python-run.h"

#include "ns3/nstime.h"

#include <pybind11/pybind11.h>
#include <string>

namespace py = pybind11;

namespace
{

/** The package's own exception, so that both of its halves raise the same. */
void
TranslateUsageError(std::exception_ptr thrown)
{
    try
    {
        std::rethrow_exception(std::move(thrown));
    }
    catch (const ns3::ColoUsageError& error)
    {
        const py::object type = py::module_::import("colo._errors").attr("UsageError");
        const std::string text = error.what();
        // A file's name is any bytes.
        const auto decoded = py::reinterpret_steal<py::object>(
            PyUnicode_DecodeUTF8(text.data(), text.size(), "backslashreplace"));
        PyErr_SetObject(type.ptr(), decoded.ptr());
    }
}

} // namespace

PYBIND11_MODULE(_colo, module)
{
    module.doc() = "What the package colo needs of the simulator and of the core.";
    ns3::Time::SetResolution(ns3::Time::NS); // as it is; until it is said, all times are kept
    py::register_local_exception_translator(TranslateUsageError);
    BindColoRun(module);
    BindColoComparator(module);
    BindColoReplay(module);
}
