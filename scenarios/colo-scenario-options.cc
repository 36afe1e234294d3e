/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-scenario-options.h"

#include "colo-sudden-end.h"

#include "ns3/colo-capture.h"
#include "ns3/config.h"
#include "ns3/string.h"
#include "ns3/type-id.h"

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <iostream>
#include <limits>
#include <set>

namespace ns3
{

namespace
{

namespace po = boost::program_options;

const std::string CAPTURE_PREFIX = "capture:";
const std::string ATTRIBUTE_PREFIX = "ns3::";
const std::string DEFAULT_CAPTURE = "redis.pcap";

const char* const ABOUT = R"(Usage: colo-scenario [options]

Runs a primary and a secondary guest behind a COLO proxy in a simulated network:
a client, a switch, two hosts. The proxy compares what both guests send with the
code that the kernel modules use, and takes a checkpoint when they differ.
Prints what that cost, against the same run without protection.

A TIME is a number with its unit: ns, us, ms, s or min.
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

Time
ParseTime(const std::string& option, const std::string& text, ColoTimeBound min, ColoTimeBound max)
{
    return NanoSeconds(ColoParseTimeNs(option, text, min, max));
}

po::options_description
DescribeOptions()
{
    po::options_description options("Options", 100, 60);
    auto add = [&](const char* name, const char* what, const char* value, const std::string& text) {
        auto option = po::value<std::string>()->value_name(what);
        options.add_options()(name, value ? option->default_value(value) : option, text.c_str());
    };
    options.add_options()("help", "print this and exit");
    add("workload",
        "WHAT",
        nullptr,
        "capture:FILE, the exchange of a captured TCP session (who sends how many bytes, in "
        "which order, after which pause), or request-response; default: the capture traces/" +
            DEFAULT_CAPTURE);
    add("requests", "COUNT", "1000", "request-response: requests in all, 1 to 1000000");
    add("request-size", "BYTES", "100", "request-response: size of a request, 1 to 1000000000");
    add("response-size", "BYTES", "10000", "request-response: size of a response, 1 to 1000000000");
    add("connections", "COUNT", "10", "request-response: connections at once, 1 to 40000");
    add("think-time",
        "TIME",
        "0s",
        "request-response: from a response to its connection's next request, 0s to 60min");
    add("divergence",
        "SHARE",
        "0.02",
        "probability that the secondary's response has other bytes, 0 to 1");
    add("lag",
        "TIME",
        "200us",
        "how long after the primary the secondary gets a frame, 0s to 1min");
    add("seed", "COUNT", "1", "of every random stream, 1 to 4294967295");
    add("time", "TIME", "600s", "simulated time at most, 1ns to 1440min");
    add("protection", "colo|none", "colo", "whether a secondary guest protects the primary");
    add("out", "FOLDER", nullptr, "where results go; made if need be; default: nowhere");
    return options;
}

std::pair<std::string, std::string>
ReadAttribute(const po::option& option)
{
    if (option.string_key.rfind(ATTRIBUTE_PREFIX, 0) != 0)
    {
        throw ColoUsageError(
            fmt::format("unknown option {}; --help lists them", option.original_tokens.front()));
    }
    if (option.value.size() != 1 || option.original_tokens.size() != 1)
    {
        throw ColoUsageError(
            fmt::format("option --{0}: needs a value, as in --{0}=VALUE", option.string_key));
    }
    return {option.string_key, option.value.front()};
}

/** \return whether a class has an attribute of its own, as Config::SetDefault() wants it. */
bool
HasAttribute(TypeId type, const std::string& attribute, TypeId::AttributeInformation& information)
{
    for (std::size_t i = 0; i < type.GetAttributeN(); i++)
    {
        information = type.GetAttribute(i);
        if (information.name == attribute)
        {
            return true;
        }
    }
    return false;
}

void
CheckAttribute(const std::string& name, const std::string& value)
{
    const std::size_t split = name.rfind("::");
    const std::string className = name.substr(0, split);
    const std::string attribute = name.substr(split + 2);
    TypeId type;
    if (!TypeId::LookupByNameFailSafe(className, &type))
    {
        throw ColoUsageError(fmt::format("option --{}: there is no class {}", name, className));
    }
    TypeId::AttributeInformation information;
    if (!HasAttribute(type, attribute, information))
    {
        std::string advice;
        while (advice.empty() && type.HasParent())
        {
            type = type.GetParent();
            if (HasAttribute(type, attribute, information))
            {
                advice = fmt::format(" of its own; set {}::{}", type.GetName(), attribute);
            }
        }
        throw ColoUsageError(
            fmt::format("option --{}: {} has no such attribute{}", name, className, advice));
    }
    const std::string objectClass = value.substr(0, value.find('['));
    if (information.checker->GetValueTypeName() == "ns3::PointerValue" &&
        !TypeId::LookupByNameFailSafe(objectClass, &type))
    {
        throw ColoUsageError(fmt::format("option --{}: there is no class {}", name, objectClass));
    }
    // ns-3 ends the program for some values that it cannot read, but says why.
    ColoBlameForSuddenEnd(fmt::format("option --{}", name));
    if (!Config::SetDefaultFailSafe(name, StringValue(value)))
    {
        throw ColoUsageError(fmt::format("option --{}: '{}' is not allowed; it takes {}",
                                         name,
                                         value,
                                         information.checker->GetUnderlyingTypeInformation()));
    }
}

void
CheckAttributes(const std::vector<std::pair<std::string, std::string>>& attributes)
{
    std::set<std::string> names;
    std::string blame;
    for (const auto& [name, value] : attributes)
    {
        if (!names.insert(name).second)
        {
            throw ColoUsageError(
                fmt::format("option '--{}' cannot be specified more than once", name));
        }
        CheckAttribute(name, value);
        blame += fmt::format("{} --{}={}", blame.empty() ? "option" : "", name, value);
    }
    Config::Reset();              // this was only to find out
    ColoBlameForSuddenEnd(blame); // some values only show as they are used
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
        throw ColoUsageError(
            fmt::format("option --workload: '{}' is neither request-response nor capture:FILE",
                        workload));
    }
}

} // namespace

std::optional<ColoScenarioOptions>
ParseColoScenarioOptions(int argc, char* argv[])
{
    const po::options_description description = DescribeOptions();
    ColoScenarioOptions options;
    const po::variables_map values =
        ColoReadCommandLine(argc, argv, description, [&](const po::option& option) {
            options.attributes.push_back(ReadAttribute(option));
        });
    if (values.count("help"))
    {
        std::cout << ABOUT << "\n" << description << MORE;
        return std::nullopt;
    }

    auto text = [&](const char* name) { return values[name].as<std::string>(); };
    auto integer = [&](const char* name, uint64_t min, uint64_t max) {
        return ColoParseNumber<uint64_t>(name, text(name), min, max);
    };
    constexpr uint64_t GIGABYTE = 1000000000;
    options.workload = values.count("workload")
                           ? text("workload")
                           : CAPTURE_PREFIX + COLO_TRACES_DIR + "/" + DEFAULT_CAPTURE;
    CheckWorkload(options.workload);
    options.requestResponse.requests = integer("requests", 1, 1000000);
    options.requestResponse.requestBytes = integer("request-size", 1, GIGABYTE);
    options.requestResponse.responseBytes = integer("response-size", 1, GIGABYTE);
    options.requestResponse.connections =
        integer("connections", 1, ColoDialogue::MAX_OPEN);
    options.requestResponse.thinkTime = ParseTime("think-time",
                                                  text("think-time"),
                                                  {0, "0s"},
                                                  {Minutes(60).GetNanoSeconds(), "60min"});
    options.divergence = ColoParseNumber<double>("divergence", text("divergence"), 0, 1);
    options.lag = ParseTime("lag", text("lag"), {0, "0s"}, {Minutes(1).GetNanoSeconds(), "1min"});
    options.seed = integer("seed", 1, std::numeric_limits<uint32_t>::max());
    options.time =
        ParseTime("time", text("time"), {1, "1ns"}, {Minutes(1440).GetNanoSeconds(), "1440min"});
    options.isProtected = ParseProtection(text("protection"));
    options.out = values.count("out") ? text("out") : "";
    if (values.count("out") && options.out.empty())
    {
        throw ColoUsageError("option --out: names no folder");
    }
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
            const std::string file = options.workload.substr(CAPTURE_PREFIX.size());
            if (file.empty())
            {
                throw ColoUsageError("option --workload: capture: names no file");
            }
            return ColoReadCapture(file);
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
