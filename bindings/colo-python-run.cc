/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-python-run.h"

#include "colo-command-line.h"
#include "colo-data.h"
#include "colo-python-probe.h"
#include "colo-python-signals.h"
#include "colo-scenario-run.h"
#include "colo-world.h"

#include <chrono>
#include <mutex>
#include <pybind11/functional.h>
#include <pybind11/stl.h>

namespace py = pybind11;
using namespace ns3;

namespace
{

using Words = std::vector<std::string>;
using Progress = std::function<void(const std::string&, double, uint64_t, uint64_t)>;
using SteadyClock = std::chrono::steady_clock;

/** ns-3 has one simulator a process. Only taken without the GIL. */
std::timed_mutex g_simulator;

/** \return the simulator's lock; none if a signal came first. */
std::unique_lock<std::timed_mutex>
TakeSimulator(ColoSignalWatch& signals)
{
    std::unique_lock lock(g_simulator, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(50)) && !signals.IsInterrupted())
    {
    }
    return lock;
}

py::list
ListOptions()
{
    py::list options;
    for (const ColoOptionWords& option : DescribeColoScenarioOptions())
    {
        options.append(py::make_tuple(option.name, option.value, option.initial, option.text));
    }
    return options;
}

void
Check(const Words& words)
{
    ColoSignalWatch signals;
    {
        const py::gil_scoped_release noGil;
        if (const auto lock = TakeSimulator(signals))
        {
            ColoProbeAttributes(words);
            MakeColoDialogue(ColoParseWords(words));
        }
    }
    signals.Raise();
}

/** Not more than a few times a second: the GIL takes its time. */
decltype(ColoScenarioListener::progress)
Slow(const Progress& progress)
{
    return [&progress, next = SteadyClock::now()](const char* what,
                                                  Time now,
                                                  uint64_t done,
                                                  uint64_t all) mutable {
        if (SteadyClock::now() >= next)
        {
            const py::gil_scoped_acquire gil;
            progress(what, now.GetSeconds(), done, all);
            next = SteadyClock::now() + std::chrono::milliseconds(200);
        }
    };
}

py::dict
Run(const Words& words, bool isChecked, bool isTraced, const Progress& progress)
{
    ColoScenarioOutcome outcome;
    std::string timeline;
    ColoSignalWatch signals;
    ColoScenarioListener listener;
    listener.isCancelled = [&] { return signals.IsInterrupted(); };
    if (isTraced)
    {
        listener.timeline = [&](const std::string& line) { timeline += line; };
    }
    if (progress)
    {
        listener.progress = Slow(progress);
    }
    try
    {
        const py::gil_scoped_release noGil;
        if (const auto lock = TakeSimulator(signals))
        {
            if (!isChecked)
            {
                ColoProbeAttributes(words);
            }
            outcome = RunColoScenario(ColoParseWords(words), listener);
        }
    }
    catch (const ColoCancelled&)
    {
        // by a signal
    }
    signals.Raise();
    return py::dict(py::arg("is_well") = outcome.isWell,
                    py::arg("unfinished") = outcome.unfinished,
                    py::arg("table") = outcome.table,
                    py::arg("json") = outcome.json,
                    py::arg("timeline") = timeline);
}

} // namespace

ColoScenarioOptions
ColoParseWords(Words words)
{
    words.insert(words.begin(), "colo");
    std::vector<char*> argv;
    for (std::string& word : words)
    {
        argv.push_back(word.data());
    }
    return ParseColoScenarioOptions(argv.size(), argv.data()).value();
}

void
BindColoRun(py::module_& module)
{
    module.def("options",
               ListOptions,
               "All options of a run: (name, kind of value or '', default or None, help).");
    module.def("check", Check, py::arg("words"), "Raise UsageError if a run cannot be of these.");
    module.def("run",
               Run,
               py::arg("words"),
               py::arg("is_checked"),
               py::arg("is_traced"),
               py::arg("progress") = Progress(),
               "Simulate what a command line of colo-scenario asks for.");
    module.def("set_data_folder",
               SetColoDataFolder,
               py::arg("folder"),
               "Where traces/ and scenarios/calibration.json are.");
}
