/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-scenario-options.h"

#include "colo-attribute.h"
#include "colo-config-file.h"
#include "colo-sudden-end.h"
#include "colo-workload-options.h"
#include "colo-world.h"

#include "ns3/config.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <iostream>
#include <iterator>
#include <limits>
#include <set>

namespace ns3
{

namespace
{

namespace po = boost::program_options;

const char* const ABOUT = R"(Usage: colo-scenario [options]

Runs a primary and a secondary guest behind a COLO proxy in a simulated network:
clients, a switch, two hosts. The proxy compares what both guests send with the
code that the kernel modules use, and takes a checkpoint when they differ.
Prints what that cost, against the same run without protection.

A TIME is a number with its unit: ns, us, ms, s or min. A LINK is a list of what
is to be different about it, of: rate=RATE, delay=TIME, loss=SHARE, reorder=SHARE,
reorder-delay=TIME (100us), duplicate=SHARE; as in rate=1Gbps,loss=0.01.
)";

const char* const MORE = R"(
Protections; all but colo are there to compare it with, and take over from nobody:
  none             the guest runs alone
  colo             a second guest; what both say is compared as streams, see above
  colo-by-segment  likewise, but segment by segment, as QEMU once did: other cuts of the
                   same bytes are a mismatch; acks, windows and so on are not looked at
  remus            one guest, all of its output buffered; each interval its state goes to
                   the other host, where nothing runs, and what it said until then leaves
  lockstep         a second guest; whole packets are compared one by one, so that another
                   ack or window is a mismatch as well

--compare runs all five with the same seed and prints them side by side. Pauses are of the
primary guest; held is the time of the guest's packets of connections on the primary host.

Any ns-3 attribute: --ns3::Class::Attribute=value, such as
  --ns3::ColoProxy::CompareTimeout=1s         longest time a packet is held
  --ns3::ColoPrimaryProxy::AckPolicy=Clamp    lower acks instead of holding them
  --ns3::ColoMemory::WorkingSet=16384         pages that a guest writes again and again

Results in --out: summary.json, verdicts.jsonl (a line a verdict), captures, and
  timeline.jsonl  in the order of time: packets held, released and dropped,
                  mismatches, phases of checkpoints, pauses of guests
  netanim.xml     frames on all links (the first 100000, as they are sent; what a
                  link loses does not show), guests red while they stand still,
                  primary hosts orange from a mismatch to its checkpoint's end

FlowMonitor counts the packets that clients and primary guests send each other, those
sent again as well, with the time that the proxy held them. Secondary guests are left
out: what they send only gets compared.

A saved file has what ns3::ConfigStore writes (raw text: default, global) and a line
such as option lag "1ms" for each option but those that say where results go. The same
run comes of it. What the command line says wins, and an attribute wins over the option
that sets it.

Exit status: 0 done, 1 the workload did not end well (a reset, a wrong byte, not
over within --time, or stuck: no byte for 300 s and the longest pause of the
workload, or nothing left to happen), 2 wrong usage or input.
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
    ColoAddWorkloadOptions(options);
    add("pairs", "COUNT", "1", "protected guests on the same hosts and links, 1 to 64");
    add("ip", "4|6", "4", "version of IP that all speak");
    add("lan",
        "LINK",
        nullptr,
        "from the switch to each client and host; default: rate=1Gbps,delay=50us");
    add("sec-dev",
        "LINK",
        nullptr,
        "on which the hosts forward packets to each other; default: rate=10Gbps,delay=20us");
    add("checkpoint-link",
        "LINK",
        nullptr,
        "over which checkpoints go; default: rate=10Gbps,delay=50us");
    add("divergence",
        "SHARE",
        "0.02",
        "probability that the secondary's response has other bytes, 0 to 1");
    add("lag",
        "TIME",
        "200us",
        "how long after the primary the secondary gets a frame, 0s to 1min");
    add("seed", "COUNT", "1", "of every random stream, 0 to 4294967295");
    add("time", "TIME", "600s", "simulated time at most, 1ns to 1440min");
    add("protection",
        "NAME",
        "colo",
        "none, colo, colo-by-segment, remus or lockstep: how the guest is protected, see below");
    add("interval",
        "TIME",
        nullptr,
        "of checkpoints, 1us to 1440min: remus takes one each (default 25ms); the others that "
        "often even if the guests agree (default: never). With --compare it is remus' alone");
    options.add_options()("compare", "run under each protection in turn, side by side");
    add("fail", "FAULT,...", nullptr, COLO_FAULTS_HELP);
    add("out", "FOLDER", nullptr, "where results go; made if need be; default: nowhere");
    add("pcap",
        "NAME,...|all|none",
        nullptr,
        "links of which to leave a capture: client, lan, sec_dev, primary-tap, secondary-tap, "
        "eth0-primary, eth0-secondary, eth2; default: client,primary-tap,secondary-tap,sec_dev");
    options.add_options()(
        "trace",
        "leave timeline.jsonl in --out: what happened to packets, guests, checkpoints");
    options.add_options()("netanim", "leave netanim.xml in --out, for NetAnim");
    options.add_options()("flow-monitor",
                          "count packets with ns-3's FlowMonitor, on clients and primary guests");
    add("calibration",
        "FILE",
        nullptr,
        "JSON with what hosts cost, as coloctl calibrate writes it; default: the one shipped");
    add("save-config", "FILE", nullptr, "write all options and attributes, as they are, to a file");
    add("config", "FILE", nullptr, "take them from a file; the command line wins");
    return options;
}

void
CheckAttributes(const std::vector<ColoAttribute>& attributes)
{
    std::set<std::string> names;
    std::string blame;
    for (const ColoAttribute& attribute : attributes)
    {
        if (!names.insert(attribute.name).second)
        {
            throw ColoUsageError(
                fmt::format("option '--{}' cannot be specified more than once", attribute.name));
        }
        ColoTryAttribute(attribute);
        blame += fmt::format("{}{}={}", blame.empty() ? "" : " ", attribute.place, attribute.value);
    }
    Config::Reset();              // this was only to find out
    ColoBlameForSuddenEnd(blame); // some values only show as they are used
}

ColoProtection
ParseProtection(const std::string& text)
{
    for (const ColoProtection protection : COLO_PROTECTIONS)
    {
        if (text == ColoProtectionName(protection))
        {
            return protection;
        }
    }
    throw ColoUsageError(fmt::format(
        "option --protection: '{}' is not among none, colo, colo-by-segment, remus, lockstep",
        text));
}

bool
ParseIp(const std::string& text)
{
    if (text != "4" && text != "6")
    {
        throw ColoUsageError(fmt::format("option --ip: '{}' is neither 4 nor 6", text));
    }
    return text == "6";
}

/** A link that can be captured. */
struct NamedLink
{
    std::string name;
    bool (*isThere)(ColoProtection protection);
    bool isDefault;
};

bool
IsAlways(ColoProtection)
{
    return true;
}

const NamedLink LINKS[] = {{"client", IsAlways, true},
                           {"lan", IsAlways, false},
                           {"sec_dev", ColoHasSecondGuest, true},
                           {"primary-tap", IsAlways, true},
                           {"secondary-tap", ColoHasSecondGuest, true},
                           {"eth0-primary", IsAlways, false},
                           {"eth0-secondary", ColoHasSecondHost, false},
                           {"eth2", ColoHasSecondHost, false}};

void
CheckLinkName(const std::string& name, ColoProtection protection)
{
    const auto link = std::find_if(std::begin(LINKS), std::end(LINKS), [&](const NamedLink& known) {
        return known.name == name;
    });
    if (link == std::end(LINKS))
    {
        throw ColoUsageError(
            fmt::format("option --pcap: '{}' is not among the links of --help", name));
    }
    if (!link->isThere(protection))
    {
        throw ColoUsageError(fmt::format("option --pcap: there is no {} with --protection={}",
                                         name,
                                         ColoProtectionName(protection)));
    }
}

std::vector<std::string>
ParsePcaps(const std::optional<std::string>& text, ColoProtection protection)
{
    std::vector<std::string> pcaps;
    if (text && *text != "all" && *text != "none")
    {
        for (std::size_t begin = 0; begin <= text->size();)
        {
            const std::size_t end = std::min(text->find(',', begin), text->size());
            pcaps.push_back(text->substr(begin, end - begin));
            begin = end + 1;
            CheckLinkName(pcaps.back(), protection);
            if (std::count(pcaps.begin(), pcaps.end(), pcaps.back()) > 1)
            {
                throw ColoUsageError(fmt::format("option --pcap: {} is there twice", pcaps.back()));
            }
        }
    }
    else if (text != "none")
    {
        for (const NamedLink& link : LINKS)
        {
            if ((link.isDefault || text) && link.isThere(protection))
            {
                pcaps.push_back(link.name);
            }
        }
    }
    return pcaps;
}

/** \return the link, with what the user wants different about it. */
ColoLinkOptions
ParseLink(const po::variables_map& values, const std::string& option, const char* rate, Time delay)
{
    const ColoLinkOptions usual{DataRate(rate), delay};
    return values.count(option)
               ? ColoParseLinkOptions(option, values[option].as<std::string>(), usual)
               : usual;
}

/** Options that each by itself is right but that do not go together. */
void
CheckContradictions(const po::variables_map& values, const ColoScenarioOptions& options)
{
    const char* protection = ColoProtectionName(options.protection);
    const std::pair<const char*, bool> links[] = {
        {"sec-dev", ColoHasSecondGuest(options.protection)},
        {"checkpoint-link", ColoHasSecondHost(options.protection)},
    };
    for (const auto& [name, isThere] : links)
    {
        if (values.count(name) && !isThere)
        {
            throw ColoUsageError(
                fmt::format("option --{}: there is no such link with --protection={}",
                            name,
                            protection));
        }
    }
    if (!options.faults.empty() && (options.protection != ColoProtection::COLO || options.compare))
    {
        throw ColoUsageError(
            fmt::format("option --fail: nobody takes over with {}",
                        options.compare ? "--compare" : std::string("--protection=") + protection));
    }
    if (options.compare && !values["protection"].defaulted())
    {
        throw ColoUsageError("option --compare: runs each protection, so --protection must not be "
                             "there");
    }
    if (options.interval && !ColoHasSecondHost(options.protection))
    {
        throw ColoUsageError("option --interval: there are no checkpoints with --protection=none");
    }
    if (options.interval && *options.interval > options.time)
    {
        throw ColoUsageError("option --interval: no checkpoint would come before --time is over");
    }
    for (const char* name : {"pcap", "trace", "netanim", "flow-monitor"})
    {
        if (values.count(name) && options.compare)
        {
            throw ColoUsageError(fmt::format("option --{}: is of one run, not of --compare", name));
        }
    }
    for (const char* name : {"pcap", "trace", "netanim"})
    {
        if (values.count(name) && options.out.empty())
        {
            throw ColoUsageError(fmt::format("option --{}: needs --out=FOLDER", name));
        }
    }
}

/** Under a longer storm limit no checkpoint would come when it is due. */
void
CheckInterval(const ColoScenarioOptions& options)
{
    if (!options.interval || options.compare || !ColoHasSecondGuest(options.protection))
    {
        return;
    }
    for (const auto& [name, value] : options.attributes)
    {
        if (name == "ns3::ColoPrimaryProxy::CheckpointIntervalMin" &&
            Time(value) > *options.interval)
        {
            throw ColoUsageError(
                fmt::format("option --interval: shorter than {}={} lets checkpoints come",
                            name,
                            value));
        }
    }
}

/** \return what makes a run: all options but where results go. */
ColoConfigFile::Options
DescribeForFile(const po::variables_map& values)
{
    static const std::set<std::string>
        elsewhere{"config", "help", "netanim", "out", "pcap", "save-config", "trace"};
    ColoConfigFile::Options options;
    for (const auto& [name, value] : values)
    {
        if (elsewhere.count(name))
        {
            continue;
        }
        const auto* text = boost::any_cast<std::string>(&value.value());
        options.emplace_back(name, text ? *text : "");
    }
    return options;
}

/** Everything but attributes. */
ColoScenarioOptions
Convert(const po::variables_map& values)
{
    ColoScenarioOptions options;
    auto text = [&](const char* name) { return values[name].as<std::string>(); };
    auto integer = [&](const char* name, uint64_t min, uint64_t max) {
        return ColoParseNumber<uint64_t>(name, text(name), min, max);
    };
    options.workload = ColoParseWorkload(values);
    options.shape = ColoParseWorkloadOptions(values, options.workload);
    options.pairs = integer("pairs", 1, 64);
    options.isIpv6 = ParseIp(text("ip"));
    options.lan = ParseLink(values, "lan", "1Gbps", MicroSeconds(50));
    options.secDev = ParseLink(values, "sec-dev", "10Gbps", MicroSeconds(20));
    options.checkpointLink = ParseLink(values, "checkpoint-link", "10Gbps", MicroSeconds(50));
    options.divergence = ColoParseNumber<double>("divergence", text("divergence"), 0, 1);
    options.lag = ParseTime("lag", text("lag"), {0, "0s"}, {Minutes(1).GetNanoSeconds(), "1min"});
    options.seed = integer("seed", 0, std::numeric_limits<uint32_t>::max());
    options.shape.seed = options.seed;
    options.time =
        ParseTime("time", text("time"), {1, "1ns"}, {Minutes(1440).GetNanoSeconds(), "1440min"});
    options.protection = ParseProtection(text("protection"));
    options.compare = values.count("compare");
    if (values.count("interval"))
    {
        options.interval = ParseTime("interval",
                                     text("interval"),
                                     {1000, "1us"},
                                     {Minutes(1440).GetNanoSeconds(), "1440min"});
    }
    if (values.count("fail"))
    {
        options.faults = ColoParseFaults(text("fail"));
    }
    options.out = values.count("out") ? text("out") : "";
    if (values.count("out") && options.out.empty())
    {
        throw ColoUsageError("option --out: names no folder");
    }
    options.pcaps = ParsePcaps(values.count("pcap") ? std::optional(text("pcap")) : std::nullopt,
                               options.protection);
    options.trace = values.count("trace");
    options.netanim = values.count("netanim");
    options.flowMonitor = values.count("flow-monitor");
    CheckContradictions(values, options);
    options.calibration.emplace(values.count("calibration") ? std::optional(text("calibration"))
                                                            : std::nullopt);
    options.saveConfig = values.count("save-config") ? text("save-config") : "";
    options.texts = DescribeForFile(values);
    return options;
}

template <typename Predicate>
void
Remove(std::vector<ColoAttribute>& attributes, Predicate predicate)
{
    attributes.erase(std::remove_if(attributes.begin(), attributes.end(), predicate),
                     attributes.end());
}

/** The command line wins over the file that it names. */
ColoScenarioOptions
ReadConfig(po::variables_map& values,
           const po::options_description& description,
           std::vector<ColoAttribute>& attributes)
{
    const ColoConfigFile file(values["config"].as<std::string>());
    const po::parsed_options fromFile = file.GetOptions(description);
    std::set<std::string> given;
    for (const auto& [name, value] : values)
    {
        if (!value.defaulted())
        {
            given.insert(name);
        }
    }
    po::store(fromFile, values); // leaves alone what the command line has
    ColoScenarioOptions options;
    try
    {
        options = Convert(values);
    }
    catch (const ColoUsageError& error)
    {
        throw ColoUsageError(file.Locate(error.what(), given));
    }
    // Most of the file's attributes are as its options make them. Those that are not count.
    ColoScenarioOptions baseline = options;
    try
    {
        po::variables_map alone;
        po::store(fromFile, alone);
        baseline = Convert(alone);
    }
    catch (const ColoUsageError&)
    {
        // Part of a run, which the command line completes.
    }
    SetColoWorldDefaults(baseline);
    std::vector<ColoAttribute> merged = file.FindAttributes();
    Config::Reset();
    if (given.count("calibration"))
    {
        Remove(merged,
               [&](const ColoAttribute& saved) { return options.calibration->Sets(saved.name); });
    }
    for (const ColoAttribute& attribute : attributes)
    {
        Remove(merged, [&](const ColoAttribute& other) { return other.name == attribute.name; });
        merged.push_back(attribute);
    }
    CheckAttributes(merged);
    attributes = std::move(merged);
    return options;
}

} // namespace

const char*
ColoProtectionName(ColoProtection protection)
{
    static const char* const names[] = {"none", "colo", "colo-by-segment", "remus", "lockstep"};
    return names[static_cast<int>(protection)];
}

std::vector<ColoOptionWords>
DescribeColoScenarioOptions()
{
    std::vector<ColoOptionWords> words;
    const po::options_description description = DescribeOptions();
    for (const auto& option : description.options())
    {
        ColoOptionWords word{option->long_name(), "", {}, option->description()};
        if (option->semantic()->max_tokens() > 0)
        {
            const std::string whole = option->semantic()->name(); // "TIME (=200us)"
            word.value = whole.substr(0, whole.find(' '));
            boost::any initial;
            if (option->semantic()->apply_default(initial))
            {
                word.initial = boost::any_cast<std::string>(initial);
            }
        }
        words.push_back(std::move(word));
    }
    return words;
}

std::optional<ColoScenarioOptions>
ParseColoScenarioOptions(int argc, char* argv[])
{
    const po::options_description description = DescribeOptions();
    std::vector<ColoAttribute> attributes;
    po::variables_map values =
        ColoReadCommandLine(argc, argv, description, [&](const po::option& option) {
            attributes.push_back(ColoReadAttribute(option));
        });
    if (values.count("help"))
    {
        std::cout << ABOUT << "\n" << description << "\n" << ColoHelpWorkloads() << MORE;
        return std::nullopt;
    }
    CheckAttributes(attributes);
    ColoScenarioOptions options;
    if (values.count("config"))
    {
        options = ReadConfig(values, description, attributes);
    }
    else
    {
        options = Convert(values);
    }
    for (const auto& [name, value, place] : attributes)
    {
        options.attributes.emplace_back(name, value);
    }
    CheckInterval(options);
    return options;
}

ColoDialogue
MakeColoDialogue(const ColoScenarioOptions& options)
{
    return ColoMakeDialogue(options.workload, options.shape);
}

} // namespace ns3
