/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-comparison.h"

#include "colo-distribution.h"
#include "colo-workload-options.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ns3
{

namespace
{

using Json = nlohmann::ordered_json;

/** What a run comes to, of all pairs together, beside the run without protection. */
struct Row
{
    Row(const ColoRunResult& run, const ColoRunResult& none);

    double throughputMbps;
    double ofNone; //!< percent
    ColoDistribution latencyMs;
    double addedMs; //!< to the median latency
    double checkpointsPerSecond;
    ColoDistribution pauseMs;
    ColoDistribution holdMs;
};

template <typename Get>
ColoDistribution
Gather(const ColoRunResult& run, Get get)
{
    std::vector<double> all;
    for (const ColoPairResult& pair : run.pairs)
    {
        const std::vector<double> own = get(pair);
        all.insert(all.end(), own.begin(), own.end());
    }
    return ColoDistribution(std::move(all));
}

Row::Row(const ColoRunResult& run, const ColoRunResult& none)
    : throughputMbps(run.GetThroughputMbps()),
      ofNone(none.GetThroughputMbps() > 0 ? 100 * throughputMbps / none.GetThroughputMbps() : 0),
      latencyMs(run.latencyMs),
      addedMs(latencyMs.p50 - ColoDistribution(none.latencyMs).p50),
      checkpointsPerSecond(run.checkpointsPerSecond),
      pauseMs(Gather(run, [](const ColoPairResult& pair) { return pair.GetPausesMs(); })),
      holdMs(Gather(run, [](const ColoPairResult& pair) { return pair.holdMs; }))
{
}

std::string
Describe(ColoProtection protection, const Row& row)
{
    const auto ms = [](const ColoDistribution& values, double value) {
        return values.count ? fmt::format("{:.3f}", value) : std::string("-");
    };
    const bool isProtected = ColoHasSecondHost(protection);
    return fmt::format("  {:<16} {:>9.3f} {:>7.1f} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9}\n",
                       ColoProtectionName(protection),
                       row.throughputMbps,
                       row.ofNone,
                       ms(row.latencyMs, row.latencyMs.p50),
                       ms(row.latencyMs, row.latencyMs.p99),
                       isProtected ? ms(row.latencyMs, row.addedMs) : "-",
                       isProtected ? fmt::format("{:.1f}", row.checkpointsPerSecond) : "-",
                       ms(row.pauseMs, row.pauseMs.p50),
                       ms(row.holdMs, row.holdMs.p50));
}

Json
ToJson(ColoProtection protection, const ColoRunResult& run, const Row& row)
{
    Json json = {
        {"protection", ColoProtectionName(protection)},
        {"finished", run.isFinished},
        {"throughput_mbps", row.throughputMbps},
        {"percent_of_none", row.ofNone},
        {"latency_ms", row.latencyMs.ToJson()},
        {"added_latency_ms", row.addedMs},
        {"checkpoints", row.pauseMs.count},
        {"checkpoints_per_s", row.checkpointsPerSecond},
        {"pause_ms", row.pauseMs.ToJson()},
        {"hold_ms", row.holdMs.ToJson()},
        {"requests_completed", run.requestsCompleted},
        {"client_bytes", run.clientBytes},
        {"client_resets", run.clientResets},
        {"client_data_errors", run.clientDataErrors},
        {"duration_s", run.durationSeconds},
        {"sim_s", run.simSeconds},
        {"wall_s", run.wallSeconds},
    };
    if (!run.unfinished.empty())
    {
        json["unfinished"] = run.unfinished;
    }
    return json;
}

} // namespace

std::string
ColoComparisonTable(const ColoScenarioOptions& options, const std::vector<ColoComparedRun>& runs)
{
    double wallSeconds = 0;
    std::string rows;
    for (const auto& [protection, result] : runs)
    {
        wallSeconds += result.wallSeconds;
        rows += Describe(protection, Row(result, runs.front().result));
    }
    return fmt::format("Workload     {}\n"
                       "Guests       {} pair{}, divergence {:g}, lag {:g} ms\n"
                       "Simulated    each with seed {}, which took {:.2f} s together\n"
                       "Client       {} requests, {} bytes without protection\n",
                       ColoDescribeWorkload(options.workload, options.shape),
                       options.pairs,
                       options.pairs > 1 ? "s" : "",
                       options.divergence,
                       options.lag.GetNanoSeconds() / 1e6,
                       options.seed,
                       wallSeconds,
                       runs.front().result.requestsCompleted,
                       runs.front().result.clientBytes) +
           fmt::format("\n  {:<16} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9}\n"
                       "  {:<16} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9}\n",
                       "",
                       "client",
                       "of none",
                       "latency",
                       "latency",
                       "added to",
                       "check-",
                       "pause",
                       "held",
                       "",
                       "Mbit/s",
                       "%",
                       "p50 ms",
                       "p99 ms",
                       "p50 ms",
                       "points/s",
                       "p50 ms",
                       "p50 ms") +
           rows;
}

std::string
ColoComparisonJson(const ColoScenarioOptions& options, const std::vector<ColoComparedRun>& runs)
{
    Json json = {
        {"seed", options.seed},
        {"workload", options.workload},
        {"divergence", options.divergence},
        {"lag_ms", options.lag.GetNanoSeconds() / 1e6},
        {"protections", Json::array()},
    };
    for (const auto& [protection, result] : runs)
    {
        json["protections"].push_back(ToJson(protection, result, Row(result, runs.front().result)));
    }
    return json.dump(2) + "\n";
}

} // namespace ns3
