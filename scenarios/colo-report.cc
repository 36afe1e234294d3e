/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-report.h"

#include "colo-workload-options.h"

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
        pauses.push_back((checkpoint.resumed - checkpoint.paused).GetNanoSeconds() / 1e6);
    }
    return pauses;
}

/** From one checkpoint's request to the next one's. */
std::vector<double>
IntervalsMs(const ColoRunResult& result)
{
    std::vector<double> intervals;
    for (std::size_t i = 1; i < result.checkpoints.size(); i++)
    {
        const Time from = result.checkpoints[i - 1].requested;
        intervals.push_back((result.checkpoints[i].requested - from).GetNanoSeconds() / 1e6);
    }
    return intervals;
}

/** How often for each reason. */
using ReasonCounts = std::map<colo_reason, uint64_t>;

ReasonCounts
CheckpointReasons(const ColoRunResult& result)
{
    ReasonCounts reasons;
    for (const ColoCheckpoint& checkpoint : result.checkpoints)
    {
        reasons[checkpoint.reason]++;
    }
    return reasons;
}

/** In words: a name such as "bytes" beside a number would read as a size. */
std::string
DescribeReasons(const ReasonCounts& reasons)
{
    uint64_t all = 0;
    std::string text;
    for (const auto& [reason, count] : reasons)
    {
        all += count;
        text +=
            fmt::format("{}{} ({})", text.empty() ? ": " : ", ", colo_reason_text(reason), count);
    }
    return fmt::format("{}{}", all, text);
}

std::string
DescribeMs(const std::string& title, const std::vector<double>& values)
{
    const Distribution d(values);
    if (!d.count)
    {
        return fmt::format("  {:<22} {:>9} {:>9} {:>9} {:>9}\n", title, "-", "-", "-", "-");
    }
    return fmt::format("  {:<22} {:9.3f} {:9.3f} {:9.3f} {:9.3f}\n",
                       title,
                       d.mean,
                       d.p50,
                       d.p99,
                       d.max);
}

Json
ToJson(const ReasonCounts& reasons)
{
    Json json = Json::object();
    for (const auto& [reason, count] : reasons)
    {
        json[colo_reason_name(reason)] = count;
    }
    return json;
}

Json
ToJson(const std::vector<double>& values)
{
    const Distribution d(values);
    return {{"count", d.count}, {"mean", d.mean}, {"p50", d.p50}, {"p99", d.p99}, {"max", d.max}};
}

std::string
DescribeRun(const ColoScenarioOptions& options, const ColoRunResult& result)
{
    std::string text =
        fmt::format("Workload     {}\n", ColoDescribeWorkload(options.workload, options.shape));
    if (options.isProtected)
    {
        text += fmt::format("Protection   colo, divergence {:g}, lag {:g} ms\n",
                            options.divergence,
                            options.lag.GetNanoSeconds() / 1e6);
    }
    else
    {
        text += "Protection   none\n";
    }
    text += fmt::format("Simulated    {:.3f} s with seed {}, which took {:.2f} s\n",
                        result.simSeconds,
                        options.seed,
                        result.wallSeconds);
    text +=
        fmt::format("Client       {} requests answered, {} bytes received, {} wrong, {} resets{}\n",
                    result.requestsCompleted,
                    result.clientBytes,
                    result.clientDataErrors,
                    result.clientResets,
                    result.isFinished ? "" : "; NOT over within --time");
    return text;
}

std::string
DescribeProtection(const ColoRunResult& result)
{
    return fmt::format("Checkpoints  {}\n"
                       "Mismatches   {}{}\n"
                       "Released     {} packets, {} bytes; {} packets had to wait\n",
                       DescribeReasons(CheckpointReasons(result)),
                       DescribeReasons(result.mismatches),
                       result.coalesced ? fmt::format("; {} shared a checkpoint", result.coalesced)
                                        : "",
                       result.releasedPackets,
                       result.releasedBytes,
                       result.heldPackets);
}

std::string
DescribeThroughput(const char* title, const ColoRunResult& run)
{
    return fmt::format("  {:<22} {:9.3f} {:9.3f}\n",
                       title,
                       run.GetThroughputMbps(),
                       run.durationSeconds);
}

} // namespace

std::string
ColoReportTable(const ColoScenarioOptions& options,
                const ColoRunResult& result,
                const std::optional<ColoRunResult>& unprotected)
{
    std::string table = DescribeRun(options, result);
    std::string times;
    if (options.isProtected)
    {
        table += DescribeProtection(result);
        times += DescribeMs("checkpoint interval", IntervalsMs(result));
        times += DescribeMs("checkpoint pause", PausesMs(result));
        times += DescribeMs("packet held", result.holdMs);
    }
    const char* protection = options.isProtected ? "protected" : "unprotected";
    times += DescribeMs(fmt::format("latency {}", protection), result.latencyMs);
    std::string throughputs = DescribeThroughput(protection, result);
    if (unprotected)
    {
        times += DescribeMs("latency unprotected", unprotected->latencyMs);
        throughputs += DescribeThroughput("unprotected", *unprotected);
    }
    table += fmt::format("\n  {:<22} {:>9} {:>9} {:>9} {:>9}\n{}",
                         "milliseconds",
                         "mean",
                         "p50",
                         "p99",
                         "max",
                         times);
    table += fmt::format("\n  {:<22} {:>9} {:>9}\n{}", "client", "Mbit/s", "seconds", throughputs);
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
        {"lag_ms", options.lag.GetNanoSeconds() / 1e6},
        {"finished", result.isFinished},
        {"sim_s", result.simSeconds},
        {"wall_s", result.wallSeconds},
        {"events", result.events},
        {"checkpoints", result.checkpoints.size()},
        {"checkpoint_reasons", ToJson(CheckpointReasons(result))},
        {"mismatches", ToJson(result.mismatches)},
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
