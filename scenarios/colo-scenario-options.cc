/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-scenario-options.h"

#include "ns3/colo-capture.h"
#include "ns3/config.h"
#include "ns3/string.h"

#include <boost/program_options.hpp>
#include <charconv>
#include <fmt/format.h>
#include <iostream>
#include <limits>

namespace ns3
{

namespace
{

namespace po = boost::program_options;

const std::string CAPTURE_PREFIX = "capture:";
const std::string ATTRIBUTE_PREFIX = "ns3::";
const std::string DEFAULT_CAPTURE = "redis-benchmark.pcap";

const char* const ABOUT = R"(Usage: colo-scenario [options]

Runs a primary and a secondary guest behind a COLO proxy in a simulated network:
a client, a switch, two hosts. The proxy compares what both guests send with the
code that the kernel modules use, and takes a checkpoint when they differ.
Prints what that cost, against the same run without protection.

Times need a unit (ns, us, ms, s, min), sizes are bytes.
)";

const char* const MORE = R"(
Any ns-3 attribute: --ns3::Class::Attribute=value, such as
  --ns3::ColoProxy::CompareTimeout=1s         longest time a packet is held
  --ns3::ColoPrimaryProxy::AckPolicy=Clamp    lower acks instead of holding them
  --ns3::ColoCheckpointer::StateSize=67108864 bytes that a checkpoint moves

Results in --out: summary.json, verdicts.jsonl (a line a verdict), and captures of
both guests' taps, sec_dev and the client's link.

Exit status: 0 done, 1 the workload did not end well (a reset, a wrong byte, or
not over within --time), 2 wrong usage or input.
)";

/** A number in its whole text, or an error that names the option. */
template <typename Number>
Number
ParseNumber(const std::string& option, const std::string& text, Number min, Number max)
{
    Number number{};
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec == std::errc::result_out_of_range)
    {
        throw ColoUsageError(
            fmt::format("option --{}: {} is not in {} to {}", option, text, min, max));
    }
    if (result.ec != std::errc() || result.ptr != end)
    {
        throw ColoUsageError(fmt::format("option --{}: '{}' is not a number", option, text));
    }
    if (!(number >= min && number <= max))
    {
        throw ColoUsageError(
            fmt::format("option --{}: {} is not in {} to {}", option, text, min, max));
    }
    return number;
}

Time
ParseTime(const std::string& option, const std::string& text, Time min, Time max)
{
    static const std::pair<std::string, double> units[] =
        {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};

    const std::size_t split = text.find_first_not_of("0123456789.");
    if (split != 0 && split != std::string::npos)
    {
        for (const auto& [unit, nanoseconds] : units)
        {
            if (text.substr(split) != unit)
            {
                continue;
            }
            const double value = ParseNumber(option, text.substr(0, split), 0.0, 1e18);
            const double ns = value * nanoseconds;
            if (ns < min.GetNanoSeconds() || ns > max.GetNanoSeconds())
            {
                throw ColoUsageError(fmt::format("option --{}: {} is not in {}s to {}s",
                                                 option,
                                                 text,
                                                 min.GetSeconds(),
                                                 max.GetSeconds()));
            }
            return NanoSeconds(static_cast<int64_t>(ns + 0.5));
        }
    }
    throw ColoUsageError(
        fmt::format("option --{}: '{}' is not a time such as 200us or 1.5s", option, text));
}

po::options_description
DescribeOptions()
{
    po::options_description options("Options", 100, 60);
    auto add = options.add_options();
    auto text = [](const std::string& value) {
        return po::value<std::string>()->default_value(value);
    };
    add("help", "print this and exit");
    add("workload",
        po::value<std::string>(),
        ("capture:FILE, the exchange of a captured TCP session (who sends how many bytes, in "
         "which order, after which pause), or request-response; default: capture of traces/" +
         DEFAULT_CAPTURE)
            .c_str());
    add("requests", text("1000"), "request-response: requests in all, 1 to 10000000");
    add("request-size", text("100"), "request-response: bytes of a request, 1 to 1 GB");
    add("response-size", text("10000"), "request-response: bytes of a response, 1 to 1 GB");
    add("connections", text("10"), "request-response: connections at once, 1 to 40000");
    add("think-time", text("0s"), "request-response: from a response to the next request");
    add("divergence",
        text("0.01"),
        "probability that a response's bytes differ on the secondary, 0 to 1");
    add("lag", text("200us"), "how long after the primary the secondary gets a frame, 0s to 1min");
    add("seed", text("1"), "of every random stream, 1 to 4294967295");
    add("time", text("600s"), "simulated time at most, up to 1440min");
    add("protection", text("colo"), "colo or none");
    add("out", text(""), "folder for the results; made if need be");
    return options;
}

po::variables_map
ReadCommandLine(int argc,
                char* argv[],
                const po::options_description& options,
                std::vector<std::pair<std::string, std::string>>& attributes)
{
    using namespace po::command_line_style;
    po::variables_map values;
    try
    {
        const po::parsed_options parsed =
            po::command_line_parser(argc, argv)
                .options(options)
                .style((unix_style | allow_long_disguise) & ~allow_guessing & ~allow_long_disguise &
                       ~allow_short)
                .positional(po::positional_options_description())
                .allow_unregistered()
                .run();
        for (const auto& option : parsed.options)
        {
            if (!option.unregistered)
            {
                continue;
            }
            if (option.string_key.rfind(ATTRIBUTE_PREFIX, 0) != 0 || option.value.size() != 1)
            {
                throw ColoUsageError(fmt::format("unknown option {}; --help lists them",
                                                 option.original_tokens.front()));
            }
            attributes.emplace_back(option.string_key, option.value.front());
        }
        po::store(parsed, values);
        po::notify(values);
    }
    catch (const po::error& error)
    {
        throw ColoUsageError(error.what());
    }
    return values;
}

void
CheckAttributes(const std::vector<std::pair<std::string, std::string>>& attributes)
{
    for (const auto& [name, value] : attributes)
    {
        if (!Config::SetDefaultFailSafe(name, StringValue(value)))
        {
            throw ColoUsageError(
                fmt::format("option --{}: no such attribute, or '{}' is no value for it",
                            name,
                            value));
        }
    }
    Config::Reset(); // this was only to find out
}

bool
ParseProtection(const std::string& text)
{
    if (text != "colo" && text != "none")
    {
        throw ColoUsageError(
            fmt::format("option --protection: '{}' is neither colo nor none", text));
    }
    return text == "colo";
}

void
CheckWorkload(const std::string& workload)
{
    if (workload != "request-response" && workload.rfind(CAPTURE_PREFIX, 0) != 0)
    {
        throw ColoUsageError(fmt::format(
            "option --workload: '{}' is neither request-response nor capture:FILE",
            workload));
    }
}

} // namespace

std::optional<ColoScenarioOptions>
ParseColoScenarioOptions(int argc, char* argv[])
{
    const po::options_description description = DescribeOptions();
    ColoScenarioOptions options;
    const po::variables_map values = ReadCommandLine(argc, argv, description, options.attributes);
    if (values.count("help"))
    {
        std::cout << ABOUT << "\n" << description << MORE;
        return std::nullopt;
    }

    auto text = [&](const char* name) { return values[name].as<std::string>(); };
    auto integer = [&](const char* name, uint64_t min, uint64_t max) {
        return ParseNumber<uint64_t>(name, text(name), min, max);
    };
    constexpr uint64_t GIGABYTE = 1000000000;
    options.workload = values.count("workload")
                           ? text("workload")
                           : CAPTURE_PREFIX + COLO_TRACES_DIR + "/" + DEFAULT_CAPTURE;
    CheckWorkload(options.workload);
    options.requestResponse.requests = integer("requests", 1, 10000000);
    options.requestResponse.requestBytes = integer("request-size", 1, GIGABYTE);
    options.requestResponse.responseBytes = integer("response-size", 1, GIGABYTE);
    options.requestResponse.connections =
        integer("connections", 1, ColoDialogue::MAX_CONVERSATIONS);
    options.requestResponse.thinkTime =
        ParseTime("think-time", text("think-time"), Time(), Minutes(60));
    options.divergence = ParseNumber<double>("divergence", text("divergence"), 0, 1);
    options.lag = ParseTime("lag", text("lag"), Time(), Minutes(1));
    options.seed = integer("seed", 1, std::numeric_limits<uint32_t>::max());
    options.time = ParseTime("time", text("time"), NanoSeconds(1), Minutes(1440));
    options.isProtected = ParseProtection(text("protection"));
    options.out = text("out");
    CheckAttributes(options.attributes);
    return options;
}

ColoDialogue
MakeColoDialogue(const ColoScenarioOptions& options)
{
    try
    {
        if (options.workload.rfind(CAPTURE_PREFIX, 0) == 0)
        {
            return ColoReadCapture(options.workload.substr(CAPTURE_PREFIX.size()));
        }
        return ColoMakeRequestResponse(options.requestResponse);
    }
    catch (const std::runtime_error& error)
    {
        throw ColoUsageError(error.what());
    }
    catch (const std::invalid_argument& error)
    {
        throw ColoUsageError(error.what());
    }
}

} // namespace ns3
