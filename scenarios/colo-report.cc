/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-report.h"

#include "colo-distribution.h"
#include "colo-workload-options.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ns3
{

namespace
{

using Json = nlohmann::ordered_json;

/** How often for each reason. */
using ReasonCounts = std::map<colo_reason, uint64_t>;

void
Add(ReasonCounts& sum, const ReasonCounts& counts)
{
    for (const auto& [reason, count] : counts)
    {
        sum[reason] += count;
    }
}

void
Add(std::vector<double>& all, const std::vector<double>& values)
{
    all.insert(all.end(), values.begin(), values.end());
}

/** Of one pair, or of all of a run. */
struct PairFigures
{
    PairFigures() = default;
    explicit PairFigures(const ColoPairResult& pair);
    explicit PairFigures(const std::vector<ColoPairResult>& pairs);

    void Add(const PairFigures& other);

    uint64_t checkpoints{0};
    ReasonCounts checkpointReasons;
    ReasonCounts mismatches;
    uint64_t coalesced{0};
    uint64_t divergedResponses{0};
    std::vector<double> intervalsMs;
    std::vector<double> pausesMs;
    std::vector<double> pages;
    std::vector<double> holdMs;
    uint64_t releasedPackets{0};
    uint64_t releasedBytes{0};
    uint64_t heldPackets{0};
};

PairFigures::PairFigures(const ColoPairResult& pair)
    : checkpoints(pair.checkpoints.size()),
      checkpointReasons(pair.GetCheckpointReasons()),
      mismatches(pair.mismatches),
      coalesced(pair.coalesced),
      divergedResponses(pair.divergedResponses),
      intervalsMs(pair.GetIntervalsMs()),
      pausesMs(pair.GetPausesMs()),
      pages(pair.GetPages()),
      holdMs(pair.holdMs),
      releasedPackets(pair.releasedPackets),
      releasedBytes(pair.releasedBytes),
      heldPackets(pair.heldPackets)
{
}

PairFigures::PairFigures(const std::vector<ColoPairResult>& pairs)
{
    for (const ColoPairResult& pair : pairs)
    {
        Add(PairFigures(pair));
    }
}

void
PairFigures::Add(const PairFigures& other)
{
    checkpoints += other.checkpoints;
    ns3::Add(checkpointReasons, other.checkpointReasons);
    ns3::Add(mismatches, other.mismatches);
    coalesced += other.coalesced;
    divergedResponses += other.divergedResponses;
    ns3::Add(intervalsMs, other.intervalsMs);
    ns3::Add(pausesMs, other.pausesMs);
    ns3::Add(pages, other.pages);
    ns3::Add(holdMs, other.holdMs);
    releasedPackets += other.releasedPackets;
    releasedBytes += other.releasedBytes;
    heldPackets += other.heldPackets;
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
    const ColoDistribution d(values);
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

/** \return what an attribute was set to in place of the calibration's figure, if it was. */
std::optional<std::string>
FindOverride(const ColoScenarioOptions& options, const ColoCalibrationFigure& figure)
{
    for (const auto& [name, value] : options.attributes)
    {
        if (name == figure.attribute)
        {
            return value;
        }
    }
    return std::nullopt;
}

std::string
DescribeCalibration(const ColoScenarioOptions& options)
{
    std::map<std::string, std::size_t> origins;
    for (const ColoCalibrationFigure& figure : options.calibration->GetFigures())
    {
        origins[FindOverride(options, figure) ? "set by attributes" : figure.origin]++;
    }
    std::string text;
    for (const auto& [origin, count] : origins)
    {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, origin);
    }
    return fmt::format("Calibration  {}: {}\n", options.calibration->GetName(), text);
}

Json
ToJson(const ColoCalibration& calibration, const ColoScenarioOptions& options)
{
    Json json = {{"file", calibration.GetName()}};
    for (const ColoCalibrationFigure& figure : calibration.GetFigures())
    {
        Json& entry = json["figures"][figure.name];
        if (const auto value = FindOverride(options, figure))
        {
            entry = {{"value", *value}, {"attribute", figure.attribute}, {"origin", "attribute"}};
            continue;
        }
        entry = {{"value", figure.value},
                 {"unit", figure.unit},
                 {"attribute", figure.attribute},
                 {"origin", figure.origin}};
        for (const auto& [key, text] : figure.evidence)
        {
            entry[key] = text;
        }
    }
    return json;
}

std::string
DescribeRun(const ColoScenarioOptions& options, const ColoRunResult& result)
{
    std::string text =
        fmt::format("Workload     {}\n", ColoDescribeWorkload(options.workload, options.shape));
    if (options.protection == ColoProtection::REMUS)
    {
        text += "Protection   remus\n";
    }
    else if (ColoHasSecondGuest(options.protection))
    {
        text += fmt::format("Protection   {}, divergence {:g}, lag {:g} ms\n",
                            ColoProtectionName(options.protection),
                            options.divergence,
                            options.lag.GetNanoSeconds() / 1e6);
        text += DescribeCalibration(options);
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
                    result.isFinished ? ""
                    : result.isStuck  ? "; NOT over, stuck"
                                      : "; NOT over within --time");
    return text;
}

std::string
DescribeProtection(const PairFigures& figures)
{
    return fmt::format(
        "Checkpoints  {}\n"
        "Mismatches   {}{}\n"
        "Released     {} packets, {} bytes; {} packets had to wait\n",
        DescribeReasons(figures.checkpointReasons),
        DescribeReasons(figures.mismatches),
        figures.coalesced ? fmt::format("; {} shared a checkpoint", figures.coalesced) : "",
        figures.releasedPackets,
        figures.releasedBytes,
        figures.heldPackets);
}

/** A row each, for what may differ between pairs. */
std::string
DescribePairs(const std::vector<ColoPairResult>& pairs)
{
    std::string text = fmt::format("\n  {:<22} {:>11} {:>10} {:>9} {:>9} {:>9}\n",
                                   "pair",
                                   "checkpoints",
                                   "mismatches",
                                   "released",
                                   "held",
                                   "pause ms");
    for (std::size_t i = 0; i < pairs.size(); i++)
    {
        const PairFigures figures(pairs[i]);
        uint64_t mismatches = 0;
        for (const auto& [reason, count] : figures.mismatches)
        {
            mismatches += count;
        }
        text += fmt::format("  {:<22} {:>11} {:>10} {:>9} {:>9} {:>9.3f}\n",
                            i,
                            figures.checkpoints,
                            mismatches,
                            figures.releasedPackets,
                            figures.heldPackets,
                            ColoDistribution(figures.pausesMs).mean);
    }
    return text;
}

/** What went wrong, and what the hosts did about it. */
std::string
DescribeFailover(const std::vector<ColoFault>& faults, const ColoRunResult& result)
{
    const std::vector<ColoPairResult>& pairs = result.pairs;
    static const std::map<std::string, const char*> words{
        {"peer-lost", "lost the other one"},
        {"alone", "may speak alone"},
        {"take-over", "took over"},
        {"fenced", "is fenced"},
        {"protected", "is protected again"},
    };
    std::string text;
    for (const ColoFault& fault : faults)
    {
        text +=
            fmt::format("Fault        {:.3f} s: {}{}\n",
                        fault.at.GetSeconds(),
                        fault.GetWords(),
                        fault.at.GetSeconds() > result.simSeconds ? "; all was over by then" : "");
    }
    for (std::size_t i = 0; i < pairs.size(); i++)
    {
        for (const ColoFailoverStep& step : pairs[i].failover)
        {
            text += fmt::format("Failover     {:.3f} s: {}the {} host {}\n",
                                step.at.GetSeconds(),
                                pairs.size() > 1 ? fmt::format("pair {}: ", i) : "",
                                step.host,
                                words.at(step.step));
        }
    }
    return text;
}

Json
ToJson(const std::vector<ColoFault>& faults)
{
    Json json = Json::array();
    for (const ColoFault& fault : faults)
    {
        json.push_back({{"t_s", fault.at.GetSeconds()}, {"fault", fault.GetWords()}});
    }
    return json;
}

Json
ToJson(const std::vector<ColoFailoverStep>& steps)
{
    Json json = Json::array();
    for (const ColoFailoverStep& step : steps)
    {
        json.push_back({{"t_s", step.at.GetSeconds()}, {"host", step.host}, {"step", step.step}});
    }
    return json;
}

std::string
DescribeFlows(const ColoFlowTotals& totals)
{
    return fmt::format(
        "Flows        {}: {} packets sent, {} received, {} lost; {:.3f} ms under way\n",
        totals.flows,
        totals.txPackets,
        totals.rxPackets,
        totals.lostPackets,
        totals.delayMsMean);
}

Json
ToJson(const ColoFlowTotals& totals)
{
    return {
        {"flows", totals.flows},
        {"tx_packets", totals.txPackets},
        {"tx_bytes", totals.txBytes},
        {"rx_packets", totals.rxPackets},
        {"rx_bytes", totals.rxBytes},
        {"lost_packets", totals.lostPackets},
        {"delay_ms_mean", totals.delayMsMean},
        {"jitter_ms_mean", totals.jitterMsMean},
    };
}

/** The keys of a run's totals as well as of each pair. */
Json
ToJson(const PairFigures& figures)
{
    return {
        {"checkpoints", figures.checkpoints},
        {"checkpoint_reasons", ToJson(figures.checkpointReasons)},
        {"mismatches", ToJson(figures.mismatches)},
        {"mismatches_coalesced", figures.coalesced},
        {"diverged_responses", figures.divergedResponses},
        {"interval_ms", ColoDistribution(figures.intervalsMs).ToJson()},
        {"pause_ms", ColoDistribution(figures.pausesMs).ToJson()},
        {"pages", ColoDistribution(figures.pages).ToJson()},
        {"hold_ms", ColoDistribution(figures.holdMs).ToJson()},
        {"released_packets", figures.releasedPackets},
        {"released_bytes", figures.releasedBytes},
        {"held_packets", figures.heldPackets},
    };
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
    const bool isProtected = ColoHasSecondHost(options.protection);
    if (isProtected)
    {
        const PairFigures figures(result.pairs);
        table += DescribeProtection(figures);
        table += DescribeFailover(options.faults, result);
        times += DescribeMs("checkpoint interval", figures.intervalsMs);
        times += DescribeMs("checkpoint pause", figures.pausesMs);
        times += DescribeMs("packet held", figures.holdMs);
    }
    if (result.flowTotals)
    {
        table += DescribeFlows(*result.flowTotals);
    }
    const char* protection = isProtected ? "protected" : "unprotected";
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
    if (isProtected && result.pairs.size() > 1)
    {
        table += DescribePairs(result.pairs);
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
        {"protection", ColoProtectionName(options.protection)},
        {"divergence", options.divergence},
        {"lag_ms", options.lag.GetNanoSeconds() / 1e6},
        {"finished", result.isFinished},
        {"sim_s", result.simSeconds},
        {"wall_s", result.wallSeconds},
        {"events", result.events},
    };
    json.update(ToJson(PairFigures(result.pairs)));
    json.update(Json{
        {"latency_ms", ColoDistribution(result.latencyMs).ToJson()},
        {"requests_completed", result.requestsCompleted},
        {"client_bytes", result.clientBytes},
        {"duration_s", result.durationSeconds},
        {"checkpoints_per_s", result.checkpointsPerSecond},
        {"throughput_mbps", result.GetThroughputMbps()},
        {"client_resets", result.clientResets},
        {"client_data_errors", result.clientDataErrors},
    });
    json["faults"] = ToJson(options.faults);
    json["pairs"] = Json::array();
    for (const ColoPairResult& pair : result.pairs)
    {
        json["pairs"].push_back(ToJson(PairFigures(pair)));
        json["pairs"].back()["failover"] = ToJson(pair.failover);
    }
    if (result.flowTotals)
    {
        json["flow_monitor"] = ToJson(*result.flowTotals);
    }
    if (ColoHasSecondHost(options.protection))
    {
        json["calibration"] = ToJson(*options.calibration, options);
    }
    if (!result.unfinished.empty())
    {
        json["unfinished"] = result.unfinished;
    }
    if (unprotected)
    {
        json["unprotected"] = {
            {"latency_ms", ColoDistribution(unprotected->latencyMs).ToJson()},
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
        {"flow", verdict.GetFlowName()},
        {"reason", colo_reason_name(verdict.reason)},
        {"seq", verdict.seq},
        {"bytes", verdict.bytes},
        {"held_ns", verdict.held.GetNanoSeconds()},
    };
    return json.dump() + "\n";
}

} // namespace ns3
