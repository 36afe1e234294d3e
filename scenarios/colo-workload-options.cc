/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-workload-options.h"

#include "colo-command-line.h"
#include "colo-data.h"

#include "ns3/colo-capture.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>

namespace ns3
{

namespace
{

namespace po = boost::program_options;

const std::string CAPTURE_PREFIX = "capture:";
const std::string DEFAULT_CAPTURE = "redis.pcap";

/** Options that a capture has no use for: it says all of that itself. */
const char* const SHAPE_OPTIONS[] = {"requests",
                                     "request-size",
                                     "response-size",
                                     "connections",
                                     "requests-per-connection",
                                     "client-ports",
                                     "think-time"};

std::string
DescribeSizes(const ColoSizes& sizes)
{
    return sizes.min == sizes.max ? fmt::format("{}", sizes.min)
                                  : fmt::format("{}-{}", sizes.min, sizes.max);
}

std::string
DescribeShape(const ColoWorkloadInfo& info)
{
    std::string text =
        fmt::format("{} {} on {} connections", info.requests, info.requestsAre, info.connections);
    if (info.name != "mixed")
    {
        text += fmt::format(", {} bytes, answered by {}",
                            DescribeSizes(info.requestBytes),
                            DescribeSizes(info.responseBytes));
    }
    if (info.thinkTime.IsStrictlyPositive())
    {
        text += fmt::format(", {:g} ms apart", info.thinkTime.GetNanoSeconds() / 1e6);
    }
    return text;
}

/** A capture has as many connections as it has, for the clients to share. */
ColoDialogue
ReadCapture(const std::string& file, uint32_t clients)
{
    if (file.empty())
    {
        throw ColoUsageError("option --workload: capture: names no file");
    }
    ColoDialogue dialogue = ColoReadCapture(file);
    auto& conversations = dialogue.conversations;
    if (clients > conversations.size())
    {
        throw ColoUsageError(fmt::format("option --clients: {} has only {} connections",
                                         file,
                                         conversations.size()));
    }
    for (std::size_t i = 0; i < conversations.size(); i++)
    {
        const uint32_t before = conversations[i].after;
        conversations[i].client =
            before == ColoConversation::NONE ? i % clients : conversations[before].client;
    }
    return dialogue;
}

} // namespace

void
ColoAddWorkloadOptions(po::options_description& options)
{
    auto add = [&](const char* name, const char* what, const std::string& text) {
        options.add_options()(name, po::value<std::string>()->value_name(what), text.c_str());
    };
    add("workload",
        "WHAT",
        "capture:FILE, the exchange of a captured TCP session (who sends how many bytes, in "
        "which order, after which pause), or one of those below, of which the next seven options "
        "are the shape, or several by weight, as mixed:NAME=WEIGHT,NAME=WEIGHT; default: the "
        "capture traces/" +
            DEFAULT_CAPTURE);
    add("requests", "COUNT", "in all, 1 to 1000000; default: the workload's");
    add("request-size",
        "BYTES",
        "of every request, 1 to 1000000000, in a datagram to 1400; default: the workload's");
    add("response-size", "BYTES", "of every response, likewise; default: the workload's");
    add("connections", "COUNT", "at once, 1 to 40000; default: the workload's");
    add("requests-per-connection",
        "COUNT",
        "after which the client closes and opens another one, 1 to 1000000, or 0 for all on one; "
        "default: 0, and 1 for dns and lookups");
    add("client-ports",
        "COUNT",
        "ports that the clients open connections from, in all: the fewer, the sooner one is used "
        "again; from one for each connection at once to 40000, the default");
    add("think-time",
        "TIME",
        "from a response to its connection's next request, 0s to 60min; default: the workload's");
    options.add_options()(
        "clients",
        po::value<std::string>()->value_name("COUNT")->default_value("1"),
        "hosts that share the connections evenly, 1 to 1000, at most as many as connections");
}

std::string
ColoDescribeWorkload(const std::string& workload, const ColoWorkloadOptions& options)
{
    if (ColoIsCapture(workload))
    {
        return workload;
    }
    const std::string name = workload.substr(0, workload.find(':'));
    const auto& known = ColoListWorkloads();
    ColoWorkloadInfo info =
        *std::find_if(known.begin(), known.end(), [&](const ColoWorkloadInfo& one) {
            return one.name == name;
        });
    info.requests = options.requests.value_or(info.requests);
    info.connections = options.connections.value_or(info.connections);
    info.requestBytes = options.requestBytes
                            ? ColoSizes{*options.requestBytes, *options.requestBytes}
                            : info.requestBytes;
    info.responseBytes = options.responseBytes
                             ? ColoSizes{*options.responseBytes, *options.responseBytes}
                             : info.responseBytes;
    info.thinkTime = options.thinkTime.value_or(info.thinkTime);
    return fmt::format("{}, {}", workload, DescribeShape(info));
}

std::string
ColoHelpWorkloads()
{
    std::string text = "Workloads, and the shape that they have by themselves:\n";
    for (const ColoWorkloadInfo& info : ColoListWorkloads())
    {
        text += fmt::format("  {:<17} {}\n  {:<17} {}\n",
                            info.name,
                            info.help,
                            "",
                            DescribeShape(info));
    }
    return text;
}

bool
ColoIsCapture(const std::string& workload)
{
    return workload.rfind(CAPTURE_PREFIX, 0) == 0;
}

std::string
ColoParseWorkload(const po::variables_map& values)
{
    if (!values.count("workload"))
    {
        return CAPTURE_PREFIX + ColoDataFolder() + "/traces/" + DEFAULT_CAPTURE;
    }
    const std::string workload = values["workload"].as<std::string>();
    const auto& known = ColoListWorkloads();
    const bool isKnown = ColoIsCapture(workload) || workload.rfind("mixed:", 0) == 0 ||
                         std::any_of(known.begin(), known.end(), [&](const ColoWorkloadInfo& info) {
                             return info.name == workload;
                         });
    if (!isKnown)
    {
        throw ColoUsageError(
            fmt::format("option --workload: '{}' is not among those of --help", workload));
    }
    return workload;
}

ColoWorkloadOptions
ColoParseWorkloadOptions(const po::variables_map& values, const std::string& workload)
{
    auto integer = [&](const char* name, uint64_t min, uint64_t max) -> std::optional<uint64_t> {
        return values.count(name)
                   ? std::optional(ColoParseNumber(name, values[name].as<std::string>(), min, max))
                   : std::nullopt;
    };
    constexpr uint64_t MILLION = 1000000;
    constexpr uint64_t GIGABYTE = 1000000000;
    ColoWorkloadOptions options;
    options.requests = integer("requests", 1, MILLION);
    options.requestBytes = integer("request-size", 1, GIGABYTE);
    options.responseBytes = integer("response-size", 1, GIGABYTE);
    options.connections = integer("connections", 1, ColoDialogue::MAX_OPEN);
    options.requestsPerConnection = integer("requests-per-connection", 0, MILLION);
    options.clientPorts = integer("client-ports", 1, ColoDialogue::MAX_OPEN).value_or(0);
    options.clients = *integer("clients", 1, 1000);
    if (values.count("think-time"))
    {
        const int64_t ns = ColoParseTimeNs("think-time",
                                           values["think-time"].as<std::string>(),
                                           {0, "0s"},
                                           {Minutes(60).GetNanoSeconds(), "60min"});
        options.thinkTime = NanoSeconds(ns);
    }
    for (const char* name : SHAPE_OPTIONS)
    {
        if (ColoIsCapture(workload) && values.count(name))
        {
            throw ColoUsageError(
                fmt::format("option --{}: means nothing to --workload={}", name, workload));
        }
    }
    return options;
}

ColoDialogue
ColoMakeDialogue(const std::string& workload, const ColoWorkloadOptions& options)
{
    try
    {
        return ColoIsCapture(workload)
                   ? ReadCapture(workload.substr(CAPTURE_PREFIX.size()), options.clients)
                   : ColoMakeWorkload(workload, options);
    }
    catch (const std::runtime_error& error)
    {
        throw ColoUsageError(error.what());
    }
    catch (const std::invalid_argument& error)
    {
        throw ColoUsageError(fmt::format("option --workload={}: {}", workload, error.what()));
    }
}

} // namespace ns3
