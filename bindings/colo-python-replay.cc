/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-python-replay.h"

#include "colo-command-line.h"
#include "colo-python-signals.h"
#include "colo-replay-output.h"
#include "colo-replay-report.h"
#include "colo-replay-run.h"

#include <chrono>
#include <functional>
#include <optional>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <unordered_map>

namespace py = pybind11;
using namespace ns3;

namespace
{

using Verdict = ColoReplayVerdict;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t FLOWS_SHOWN = 20; // as in colo-replay's table

/** Verdicts by columns, as there may be millions. Numbers below zero stand for none. */
class Columns : public ColoReplayListener
{
  public:
    explicit Columns(ColoReplayOutput& output)
        : m_output(output)
    {
    }

    void WriteVerdict(const Verdict& verdict) override
    {
        const bool isOfPacket = verdict.packet && verdict.event != Verdict::MISMATCH;
        if (verdict.mismatch)
        {
            m_mismatches.push_back(m_events.size());
            m_bytes[0].push_back(verdict.GetBytes(COLO_PRIMARY));
            m_bytes[1].push_back(verdict.GetBytes(COLO_SECONDARY));
        }
        m_ns.push_back(verdict.ns);
        m_events.push_back(verdict.event);
        m_sides.push_back(verdict.side ? *verdict.side : -1);
        m_packets.push_back(verdict.packet ? verdict.packet : -1);
        m_flows.push_back(GetFlow(verdict));
        m_reasons.push_back(verdict.reason);
        m_positions.push_back(verdict.position ? static_cast<int64_t>(*verdict.position) : -1);
        m_heldNs.push_back(isOfPacket ? verdict.heldNs : -1);
        m_parts.push_back(verdict.isPart);
        m_agains.push_back(verdict.isAgain);
    }

    void WriteReleased(int64_t stampNs, const uint8_t* frame, std::size_t size) override
    {
        m_output.WriteReleased(stampNs, frame, size);
    }

    /** Names are numbered; their texts are in lists of their own. */
    py::dict ToDict() const
    {
        return py::dict(py::arg("ns") = ToArray(m_ns),
                        py::arg("event") = ToArray(m_events),
                        py::arg("side") = ToArray(m_sides),
                        py::arg("packet") = ToArray(m_packets),
                        py::arg("flow") = ToArray(m_flows),
                        py::arg("reason") = ToArray(m_reasons),
                        py::arg("position") = ToArray(m_positions),
                        py::arg("held_ns") = ToArray(m_heldNs),
                        py::arg("part") = ToArray(m_parts),
                        py::arg("again") = ToArray(m_agains),
                        py::arg("mismatches") = ToArray(m_mismatches),
                        py::arg("primary") = m_bytes[COLO_PRIMARY],
                        py::arg("secondary") = m_bytes[COLO_SECONDARY],
                        py::arg("flows") = m_flowNames);
    }

  private:
    template <typename T>
    static py::array_t<T> ToArray(const std::vector<T>& numbers)
    {
        return py::array_t<T>(numbers.size(), numbers.data());
    }

    int32_t GetFlow(const Verdict& verdict)
    {
        if (!verdict.key || !verdict.key->family)
        {
            return NONE;
        }
        const auto [found, isNew] = m_numbers.try_emplace(*verdict.key, m_flowNames.size());
        if (isNew)
        {
            m_flowNames.push_back(verdict.GetFlowName());
        }
        return found->second;
    }

    static constexpr int8_t NONE = -1;

    ColoReplayOutput& m_output;
    std::vector<int64_t> m_ns;
    std::vector<int8_t> m_events;
    std::vector<int8_t> m_sides;
    std::vector<int64_t> m_packets;
    std::vector<int32_t> m_flows;
    std::vector<int8_t> m_reasons;
    std::vector<int64_t> m_positions;
    std::vector<int64_t> m_heldNs;
    std::vector<int8_t> m_parts;
    std::vector<int8_t> m_agains;
    std::vector<int64_t> m_mismatches;   //!< their rows
    std::vector<std::string> m_bytes[2]; //!< of these, that differ
    std::vector<std::string> m_flowNames;
    std::unordered_map<colo_key, int32_t, ColoReplayStatistics::Hash, ColoReplayStatistics::Equal>
        m_numbers;
};

py::dict
Count(const std::function<uint64_t(colo_reason)>& get)
{
    py::dict counts;
    for (int i = 0; i < COLO_REASON_COUNT; i++)
    {
        const auto reason = static_cast<colo_reason>(i);
        if (const uint64_t count = get(reason))
        {
            counts[colo_reason_name(reason)] = count;
        }
    }
    return counts;
}

py::dict
Count(const ColoReplayStatistics& statistics, Verdict::Event event)
{
    const auto ofSide = [&](colo_side side) {
        return Count([&](colo_reason reason) { return statistics.GetCount(event, side, reason); });
    };
    return py::dict(py::arg("primary") = ofSide(COLO_PRIMARY),
                    py::arg("secondary") = ofSide(COLO_SECONDARY));
}

uint64_t
CountHeldAtEnd(const ColoReplayStatistics& statistics, colo_side side)
{
    return statistics.GetCount(Verdict::HELD_AT_END, side, COLO_REASON_NONE);
}

py::dict
Summarize(const ColoReplayTimes& times)
{
    const bool hasTimes = times.GetCount();
    return py::dict(py::arg("count") = times.GetCount(),
                    py::arg("mean") = times.GetMeanMs(),
                    py::arg("p50") = hasTimes ? times.GetPercentileMs(0.50) : 0,
                    py::arg("p99") = hasTimes ? times.GetPercentileMs(0.99) : 0,
                    py::arg("max") = times.GetMaxMs());
}

py::dict
Summarize(const ColoReplayCounts& counts, const std::string& file)
{
    return py::dict(py::arg("file") = py::reinterpret_steal<py::str>(
                        PyUnicode_DecodeFSDefaultAndSize(file.data(), file.size())),
                    py::arg("packets") = counts.packets,
                    py::arg("outbound") = counts.outbound,
                    py::arg("inbound") = counts.inbound,
                    py::arg("strangers") = counts.strangers,
                    py::arg("stamps_back") = counts.stampsBack);
}

py::list
SummarizeFlows(const ColoReplayStatistics& statistics)
{
    py::list flows;
    for (const auto* entry : statistics.GetBusiest(FLOWS_SHOWN))
    {
        const ColoReplayFlow& flow = entry->second;
        flows.append(py::dict(py::arg("flow") = ColoKeyToString(entry->first),
                              py::arg("primary_packets") = flow.packets[COLO_PRIMARY],
                              py::arg("secondary_packets") = flow.packets[COLO_SECONDARY],
                              py::arg("released") = flow.released,
                              py::arg("held_at_end") = flow.heldAtEnd,
                              py::arg("mismatches") = flow.mismatches,
                              py::arg("hold_ms_max") = flow.heldNsMax / 1e6));
    }
    return flows;
}

/** The GIL is free while this goes on. \return why it ended early; empty if it did not. */
std::string
TakeAll(ColoReplayRun& run, ColoReplayInput& input, ColoReplayOutput& output)
{
    ColoSignalWatch signals;
    std::string stopped;
    {
        const py::gil_scoped_release noGil;
        stopped = run.TakeAll(input, [&] {
            output.Check();
            return !signals.IsInterrupted();
        });
    }
    signals.Raise();
    return stopped;
}

py::tuple
ReplayCaptures(const ColoReplayOptions& options)
{
    const auto begin = SteadyClock::now();
    std::optional<ColoReplayInput> opened;
    {
        const py::gil_scoped_release noGil; // a pipe waits for its writer
        opened.emplace(options);
    }
    ColoReplayInput& input = *opened;
    ColoReplayOutput output(options);
    ColoReplayStatistics statistics;
    Columns columns(output);
    ColoReplayRun run(options, statistics, columns);
    const std::string stopped = TakeAll(run, input, output);
    if (PyErr_CheckSignals() != 0) // it breaks off reading, too
    {
        throw py::error_already_set();
    }
    output.Commit();
    const std::chrono::duration<double> wall = SteadyClock::now() - begin;
    const uint64_t coalesced = run.GetNode().stats.coalesced;
    py::dict summary(py::arg("primary") = Summarize(input.GetCounts(COLO_PRIMARY), options.primary),
                     py::arg("secondary") =
                         Summarize(input.GetCounts(COLO_SECONDARY), options.secondary));
    summary.attr("update")(ColoSummarize(statistics, coalesced));
    summary["stopped"] = stopped;
    summary["wall_s"] = wall.count();
    const std::string report =
        ColoReplayReport({options, input, statistics, coalesced, wall.count(), stopped});
    return py::make_tuple(columns.ToDict(), summary, report);
}

py::tuple
Replay(const std::vector<std::string>& words)
{
    try
    {
        return ReplayCaptures(ColoParseReplayWords(words));
    }
    catch (const ColoUsageError&)
    {
        if (PyErr_CheckSignals() != 0) // opening a pipe failed for it
        {
            throw py::error_already_set();
        }
        throw;
    }
}

} // namespace

ColoReplayOptions
ColoParseReplayWords(std::vector<std::string> words)
{
    words.insert(words.begin(), "colo");
    std::vector<char*> argv;
    for (std::string& word : words)
    {
        argv.push_back(word.data());
    }
    return ParseColoReplayOptions(argv.size(), argv.data()).value();
}

py::dict
ColoSummarize(const ColoReplayStatistics& statistics, uint64_t coalesced)
{
    const auto count = [&](Verdict::Event event) {
        return Count([&](colo_reason reason) { return statistics.GetCount(event, reason); });
    };
    return py::dict(py::arg("mismatches") = count(Verdict::MISMATCH),
                    py::arg("mismatches_coalesced") = coalesced,
                    py::arg("checkpoints") = statistics.GetCommits(),
                    py::arg("checkpoint_reasons") = count(Verdict::COMMIT),
                    py::arg("released") = Count(statistics, Verdict::RELEASE),
                    py::arg("dropped") = Count(statistics, Verdict::DROP),
                    py::arg("held_at_end") =
                        py::dict(py::arg("primary") = CountHeldAtEnd(statistics, COLO_PRIMARY),
                                 py::arg("secondary") = CountHeldAtEnd(statistics, COLO_SECONDARY)),
                    py::arg("hold_ms") = Summarize(statistics.GetHeld()),
                    py::arg("flow_count") = statistics.GetFlows(),
                    py::arg("flows") = SummarizeFlows(statistics));
}

void
BindColoReplay(py::module_& module)
{
    py::list events;
    for (int i = 0; i < Verdict::EVENT_COUNT; i++)
    {
        Verdict verdict;
        verdict.event = static_cast<Verdict::Event>(i);
        events.append(verdict.GetEventName());
    }
    module.attr("EVENTS") = py::tuple(events);
    module.def("replay",
               Replay,
               py::arg("words"),
               "Replay what a command line of colo-replay asks for: (columns, summary, table).");
}
