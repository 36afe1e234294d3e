/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-report.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace ns3
{

namespace
{

using Verdict = ColoReplayVerdict;

constexpr std::size_t FLOWS_SHOWN = 20;
constexpr double SECOND_NS = 1e9;

/** "1 packet", "2 packets" */
std::string
Some(uint64_t count, const char* what)
{
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string
DescribeCapture(const ColoReplayResult& result, colo_side side)
{
    const ColoReplayOptions& options = result.options;
    const ColoReplayCounts& counts = result.input.GetCounts(side);
    std::string text = fmt::format("{:<12} {}: {}",
                                   side == COLO_PRIMARY ? "Primary" : "Secondary",
                                   side == COLO_PRIMARY ? options.primary : options.secondary,
                                   Some(counts.packets, "packet"));
    if (!options.guest.empty())
    {
        text += fmt::format("; {} from the guest, {} to it{}, {} of others skipped",
                            counts.outbound,
                            counts.inbound,
                            side == COLO_PRIMARY || options.isIsnFixed ? "" : " (not needed)",
                            counts.strangers);
    }
    return text + "\n";
}

std::string
DescribeRun(const ColoReplayResult& result)
{
    const ColoReplayCounts& primary = result.input.GetCounts(COLO_PRIMARY);
    const ColoReplayCounts& secondary = result.input.GetCounts(COLO_SECONDARY);
    const bool hasBoth = primary.packets && secondary.packets;
    const int64_t last = hasBoth ? std::max(primary.lastNs, secondary.lastNs)
                                 : (primary.packets ? primary.lastNs : secondary.lastNs);
    return DescribeCapture(result, COLO_PRIMARY) + DescribeCapture(result, COLO_SECONDARY) +
           fmt::format("{:<12} {:.3f} s, which took {:.2f} s\n",
                       "Replayed",
                       (last - result.input.GetOriginNs()) / SECOND_NS,
                       result.wallSeconds);
}

/** In words: a name such as "bytes" beside a number would read as a size. */
std::string
DescribeReasons(const ColoReplayResult& result, Verdict::Event event)
{
    uint64_t all = 0;
    std::string text;
    for (int i = 0; i < COLO_REASON_COUNT; i++)
    {
        const auto reason = static_cast<colo_reason>(i);
        const uint64_t count = result.statistics.GetCount(event, reason);
        if (count)
        {
            all += count;
            text += fmt::format("{}{} ({})",
                                text.empty() ? ": " : ", ",
                                colo_reason_text(reason),
                                count);
        }
    }
    return fmt::format("{}{}", all, text);
}

std::string
DescribeCheckpoints(const ColoReplayResult& result)
{
    const auto after = result.options.commitAfterNs;
    std::string checkpoints = "never committed (--checkpoint)";
    if (after)
    {
        checkpoints = DescribeReasons(result, Verdict::COMMIT);
        checkpoints += result.statistics.GetCommits()
                           ? fmt::format("; each {:g} ms after it was asked for", *after / 1e6)
                           : "";
    }
    return fmt::format("{:<12} {}{}\n{:<12} {}\n",
                       "Mismatches",
                       DescribeReasons(result, Verdict::MISMATCH),
                       result.coalesced ? fmt::format("; {} shared a checkpoint", result.coalesced)
                                        : "",
                       "Checkpoints",
                       checkpoints);
}

std::string
DescribeVerdicts(const ColoReplayResult& result)
{
    std::string text =
        fmt::format("\n  {:<12} {:>9} {:>9}  why\n", "packets", "primary", "secondary");
    for (Verdict::Event event : {Verdict::RELEASE, Verdict::DROP, Verdict::HELD_AT_END})
    {
        static const char* const TITLES[] = {"released", "dropped", "", "", "held at end"};
        const char* title = TITLES[event];
        for (int i = 0; i < COLO_REASON_COUNT; i++)
        {
            const auto reason = static_cast<colo_reason>(i);
            const uint64_t primary = result.statistics.GetCount(event, COLO_PRIMARY, reason);
            const uint64_t secondary = result.statistics.GetCount(event, COLO_SECONDARY, reason);
            if (primary || secondary)
            {
                text += fmt::format("  {:<12} {:>9} {:>9}  {}\n",
                                    title,
                                    primary,
                                    secondary,
                                    colo_reason_text(reason));
                title = "";
            }
        }
    }
    return text;
}

std::string
DescribeTimes(const ColoReplayTimes& times)
{
    std::string text = fmt::format("\n  {:<22} {:>9} {:>9} {:>9} {:>9}\n  {:<22}",
                                   "milliseconds",
                                   "mean",
                                   "p50",
                                   "p99",
                                   "max",
                                   "packet held");
    if (!times.GetCount())
    {
        return text + fmt::format(" {0:>9} {0:>9} {0:>9} {0:>9}\n", "-");
    }
    return text + fmt::format(" {:9.3f} {:9.3f} {:9.3f} {:9.3f}\n",
                              times.GetMeanMs(),
                              times.GetPercentileMs(0.50),
                              times.GetPercentileMs(0.99),
                              times.GetMaxMs());
}

std::string
DescribeFlows(const ColoReplayStatistics& statistics)
{
    const auto flows = statistics.GetBusiest(FLOWS_SHOWN);
    if (flows.empty())
    {
        return "";
    }
    std::size_t width = 22;
    for (const auto* flow : flows)
    {
        width = std::max(width, ColoKeyToString(flow->first).size());
    }
    std::string text = fmt::format("\n  {:<{}} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9}\n",
                                   "flow",
                                   width,
                                   "primary",
                                   "secondary",
                                   "released",
                                   "held",
                                   "mismatches",
                                   "max ms");
    for (const auto* entry : flows)
    {
        const ColoReplayFlow& flow = entry->second;
        text += fmt::format("  {:<{}} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9.3f}\n",
                            ColoKeyToString(entry->first),
                            width,
                            flow.packets[COLO_PRIMARY],
                            flow.packets[COLO_SECONDARY],
                            flow.released,
                            flow.heldAtEnd,
                            flow.mismatches,
                            flow.heldNsMax / 1e6);
    }
    if (statistics.GetFlows() > flows.size())
    {
        text += fmt::format("  and {} more\n", statistics.GetFlows() - flows.size());
    }
    return text;
}

/** What only one capture has cannot match, and looks like a difference of the guests. */
std::string
DescribeTimesApart(const ColoReplayResult& result)
{
    const ColoReplayCounts& primary = result.input.GetCounts(COLO_PRIMARY);
    const ColoReplayCounts& secondary = result.input.GetCounts(COLO_SECONDARY);
    const auto limitNs = static_cast<int64_t>(result.options.compareTimeoutNs);
    if (!primary.packets || !secondary.packets)
    {
        return "";
    }
    const int64_t beginNs = secondary.firstNs - primary.firstNs;
    const int64_t endNs = secondary.lastNs - primary.lastNs;
    if (std::max(primary.firstNs - secondary.lastNs, secondary.firstNs - primary.lastNs) > limitNs)
    {
        return fmt::format("\nNote: the captures have no time in common: the secondary's begins "
                           "{:.3f} s after the primary's; see --shift-secondary",
                           beginNs / SECOND_NS);
    }
    std::string text;
    if (std::abs(beginNs) > limitNs)
    {
        text += fmt::format("\nNote: the {} capture begins {:.3f} s after the other",
                            beginNs > 0 ? "secondary's" : "primary's",
                            std::abs(beginNs) / SECOND_NS);
    }
    if (std::abs(endNs) > limitNs)
    {
        text += fmt::format("\nNote: the {} capture ends {:.3f} s before the other",
                            endNs < 0 ? "secondary's" : "primary's",
                            std::abs(endNs) / SECOND_NS);
    }
    return text;
}

/** What one has to know in order not to be misled by the rest. */
std::string
DescribeDoubts(const ColoReplayResult& result)
{
    std::string text;
    auto add = [&](const std::string& doubt) { text += fmt::format("\nNote: {}", doubt); };
    const ColoReplayCounts& primary = result.input.GetCounts(COLO_PRIMARY);
    const ColoReplayCounts& secondary = result.input.GetCounts(COLO_SECONDARY);
    const ColoReplayStatistics& statistics = result.statistics;

    if (!result.stopped.empty())
    {
        add(fmt::format("stopped before the end: {}", result.stopped));
    }
    text += DescribeTimesApart(result);
    if (primary.stampsBack || secondary.stampsBack)
    {
        add(fmt::format("{} stamps of the primary's capture and {} of the secondary's are before "
                        "an earlier packet's, and count as that one's",
                        primary.stampsBack,
                        secondary.stampsBack));
    }
    if (result.options.isIsnFixed && statistics.GetFlowsWithoutOffset())
    {
        add(fmt::format("{} without the SYN of both guests: --fix-isn could not fix {}",
                        Some(statistics.GetFlowsWithoutOffset(), "TCP flow"),
                        statistics.GetFlowsWithoutOffset() == 1 ? "it" : "them"));
    }
    if (statistics.GetUntrackedPackets())
    {
        add(fmt::format("{} packets are of flows beyond the first {}, which are not told apart",
                        statistics.GetUntrackedPackets(),
                        ColoReplayStatistics::FLOWS_MAX));
    }
    if (result.statistics.GetCommits())
    {
        add("the captured secondary never got these checkpoints, so later mismatches may follow "
            "from the first");
    }
    return text.empty() ? "" : text + "\n";
}

} // namespace

std::string
ColoReplayReport(const ColoReplayResult& result)
{
    return DescribeRun(result) + DescribeCheckpoints(result) + DescribeVerdicts(result) +
           DescribeTimes(result.statistics.GetHeld()) + DescribeFlows(result.statistics) +
           DescribeDoubts(result);
}

} // namespace ns3
