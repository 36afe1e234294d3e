/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

namespace ns3
{

namespace
{

using Json = nlohmann::ordered_json;

struct Distribution
{
    explicit Distribution(std::vector<double> values);

    std::size_t count;
    double mean{0};
    double p50{0};
    double p99{0};
    double max{0};
};

/** The smallest value that at least this share of all does not exceed (nearest rank). */
double
Percentile(const std::vector<double>& sorted, double share)
{
    const auto rank = static_cast<std::size_t>(std::ceil(share * sorted.size()));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

Distribution::Distribution(std::vector<double> values)
    : count(values.size())
{
    if (values.empty())
    {
        return;
    }
    std::sort(values.begin(), values.end());
    mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
    p50 = Percentile(values, 0.50);
    p99 = Percentile(values, 0.99);
    max = values.back();
}

std::vector<double>
PausesMs(const ColoRunResult& result)
{
    std::vector<double> pauses;
    for (const ColoCheckpoint& checkpoint : result.checkpoints)
    {
        pauses.push_back((checkpoint.resumed - checkpoint.paused).GetSeconds() * 1e3);
    }
    return pauses;
}

/** From one checkpoint's resume to the next one's request. */
std::vector<double>
IntervalsMs(const ColoRunResult& result)
{
    std::vector<double> intervals;
    for (std::size_t i = 1; i < result.checkpoints.size(); i++)
    {
        const Time from = result.checkpoints[i - 1].requested;
        intervals.push_back((result.checkpoints[i].requested - from).GetSeconds() * 1e3);
    }
    return intervals;
}

std::map<std::string, uint64_t>
CheckpointReasons(const ColoRunResult& result)
{
    std::map<std::string, uint64_t> reasons;
    for (const ColoCheckpoint& checkpoint : result.checkpoints)
    {
        reasons[colo_reason_name(checkpoint.reason)]++;
    }
    return reasons;
}

std::string
DescribeReasons(const std::map<std::string, uint64_t>& reasons)
{
    std::string text;
    for (const auto& [name, count] : reasons)
    {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    }
    return text.empty() ? "none" : text;
}

std::string
DescribeMs(const std::vector<double>& values)
{
    const Distribution d(values);
    if (!d.count)
    {
        return "-";
    }
    return fmt::format("{:9.3f} {:9.3f} {:9.3f} {:9.3f}", d.mean, d.p50, d.p99, d.max);
}

Json
ToJson(const std::vector<double>& values)
{
    const Distribution d(values);
    return {{"count", d.count}, {"mean", d.mean}, {"p50", d.p50}, {"p99", d.p99}, {"max", d.max}};
}

std::string
DescribeRun(const char* title, const ColoRunResult& run)
{
    return fmt::format("  {:<12} {:10.3f} Mbit/s   {:9.3f} s   {}\n",
                       title,
                       run.GetThroughputMbps(),
                       run.durationSeconds,
                       DescribeMs(run.latencyMs));
}

std::string
DescribeEnd(const ColoRunResult& result)
{
    return fmt::format("Client       {} requests answered, {} bytes received, {} wrong, {} resets{}\n",
                       result.requestsCompleted,
                       result.clientBytes,
                       result.clientDataErrors,
                       result.clientResets,
                       result.isFinished ? "" : "; NOT over within --time");
}

} // namespace

std::string
ColoReportTable(const ColoScenarioOptions& options,
                const ColoRunResult& result,
                const std::optional<ColoRunResult>& unprotected)
{
    std::string table = fmt::format("Workload     {}\n"
                                    "Protection   {}, seed {}, divergence {:g}, lag {:g} ms\n"
                                    "Simulated    {:.3f} s in {:.2f} s, {} events\n",
                                    options.workload,
                                    options.isProtected ? "colo" : "none",
                                    options.seed,
                                    options.divergence,
                                    options.lag.GetSeconds() * 1e3,
                                    result.simSeconds,
                                    result.wallSeconds,
                                    result.events);
    table += DescribeEnd(result);
    if (options.isProtected)
    {
        table += fmt::format("Checkpoints  {}: {}\n"
                             "Mismatches   {}; {} joined a pending checkpoint\n"
                             "Released     {} packets, {} bytes; {} packets had to wait\n\n",
                             result.checkpoints.size(),
                             DescribeReasons(CheckpointReasons(result)),
                             DescribeReasons(result.mismatches),
                             result.coalesced,
                             result.releasedPackets,
                             result.releasedBytes,
                             result.heldPackets);
        table += fmt::format("  {:<24} {:>9} {:>9} {:>9} {:>9}\n"
                             "  {:<24} {}\n  {:<24} {}\n  {:<24} {}\n",
                             "milliseconds",
                             "mean",
                             "p50",
                             "p99",
                             "max",
                             "checkpoint interval",
                             DescribeMs(IntervalsMs(result)),
                             "checkpoint pause",
                             DescribeMs(PausesMs(result)),
                             "packet held",
                             DescribeMs(result.holdMs));
    }
    table += fmt::format("\n  {:<12} {:>17}   {:>11}   {:>9} {:>9} {:>9} {:>9}\n",
                         "client",
                         "throughput",
                         "duration",
                         "latency",
                         "p50",
                         "p99",
                         "max (ms)");
    table += DescribeRun(options.isProtected ? "protected" : "unprotected", result);
    if (unprotected)
    {
        table += DescribeRun("unprotected", *unprotected);
    }
    return table;
}

std::string
ColoReportJson(const ColoScenarioOptions& options,
               const ColoRunResult& result,
               const std::optional<ColoRunResult>& unprotected)
{
    Json json = {
        {"seed", options.seed},
        {"workload", options.workload},
        {"protection", options.isProtected ? "colo" : "none"},
        {"divergence", options.divergence},
        {"lag_ms", options.lag.GetSeconds() * 1e3},
        {"finished", result.isFinished},
        {"sim_s", result.simSeconds},
        {"wall_s", result.wallSeconds},
        {"events", result.events},
        {"checkpoints", result.checkpoints.size()},
        {"checkpoint_reasons", CheckpointReasons(result)},
        {"mismatches", result.mismatches},
        {"mismatches_coalesced", result.coalesced},
        {"diverged_responses", result.divergedResponses},
        {"interval_ms", ToJson(IntervalsMs(result))},
        {"pause_ms", ToJson(PausesMs(result))},
        {"hold_ms", ToJson(result.holdMs)},
        {"latency_ms", ToJson(result.latencyMs)},
        {"released_packets", result.releasedPackets},
        {"released_bytes", result.releasedBytes},
        {"held_packets", result.heldPackets},
        {"requests_completed", result.requestsCompleted},
        {"client_bytes", result.clientBytes},
        {"duration_s", result.durationSeconds},
        {"throughput_mbps", result.GetThroughputMbps()},
        {"client_resets", result.clientResets},
        {"client_data_errors", result.clientDataErrors},
    };
    if (unprotected)
    {
        json["unprotected"] = {
            {"latency_ms", ToJson(unprotected->latencyMs)},
            {"duration_s", unprotected->durationSeconds},
            {"throughput_mbps", unprotected->GetThroughputMbps()},
        };
    }
    return json.dump(2) + "\n";
}

std::string
ColoReportVerdict(const ColoVerdict& verdict, Time time)
{
    const Json json = {
        {"t_ns", time.GetNanoSeconds()},
        {"event", verdict.GetEventName()},
        {"side", verdict.GetSideName()},
        {"flow", verdict.flow},
        {"reason", colo_reason_name(verdict.reason)},
        {"seq", verdict.seq},
        {"bytes", verdict.bytes},
        {"held_ns", verdict.held.GetNanoSeconds()},
    };
    return json.dump() + "\n";
}

} // namespace ns3
