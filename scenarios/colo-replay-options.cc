/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-options.h"

#include "colo-command-line.h"

#include <arpa/inet.h>
#include <iostream>

namespace ns3
{

namespace
{

namespace po = boost::program_options;

constexpr int64_t SECOND_NS = 1000000000;
constexpr int64_t MINUTE_NS = 60 * SECOND_NS;
constexpr int64_t YEAR_NS = 365 * 24 * 60 * MINUTE_NS;

const char* const ABOUT = R"(Usage: colo-replay --primary=FILE --secondary=FILE [options]

Puts two captures, of what a primary and of what a secondary guest sent for the same
input, through the proxy of a primary host: the code that the kernel modules use.
Says what a client would have got and when, where the guests differed, and how many
checkpoints that would have cost.

Captures are pcap or pcapng files, also compressed by gzip, of Ethernet, raw IP or
Linux cooked packets. A TIME is a number with its unit: ns, us, ms, s or min.
)";

const char* const MORE = R"(
What a replay cannot know: the secondary guest of the capture never got a checkpoint.
After a commit each flow goes on from where the primary is, as it does on a real
host, but the secondary's later packets are what it sent without: if they are another
text, or of another length, they differ again.

With --fix-isn the secondary's sequence numbers are rewritten as the secondary host
does it, by the SYN or SYN-ACK of both guests; a connection whose SYN is missing from
one of the captures stays as it is, and is counted.

Exit status: 0 done, whatever the guests did; 2 wrong usage, input or output. Of a
capture that breaks off, all before the break is judged and reported; so it is when
a signal ends the run, with status 128 and the signal's number.
)";

po::options_description
DescribeOptions()
{
    po::options_description options("Options", 100, 60);
    auto add = [&](const char* name, const char* what, const char* value, const std::string& text) {
        auto option = po::value<std::string>()->value_name(what);
        options.add_options()(name, value ? option->default_value(value) : option, text.c_str());
    };
    options.add_options()("help", "print this and exit");
    add("primary", "FILE", nullptr, "capture of what the primary guest sent");
    add("secondary", "FILE", nullptr, "capture of what the secondary guest sent");
    add("guest",
        "ADDRESS,...",
        nullptr,
        "the guest's addresses, if the captures hold both directions: what goes to them in the "
        "primary's drives the state of its flows; default: the guest sent every packet");
    options.add_options()("fix-isn",
                          "the secondary's sequence numbers are its own: rewrite them first");
    add("checkpoint",
        "WHEN",
        "commit:5ms",
        "commit:TIME, each checkpoint is committed so long after it is asked for, 0s to 60min; or "
        "never, what is held then stays held to the end");
    add("compare-timeout", "TIME", "3s", "longest time a packet is held, 1ns to 60min");
    add("ack",
        "hold|clamp",
        "hold",
        "what happens to an ack that is ahead of the secondary's: it waits, or is lowered");
    add("shift-secondary",
        "TIME",
        "0s",
        "added to the secondary's stamps, if its host's clock was another; also below zero");
    add("gso-size",
        "BYTES",
        "0",
        "payload of each segment of a packet that is larger, as a capture has them that was made "
        "before the network device cut them, 1 to 65535; 0 takes such packets as one");
    add("verdicts", "FILE", nullptr, "a line of JSON for each verdict");
    add("released", "FILE", nullptr, "capture of what the client would have been sent, and when");
    return options;
}

ColoAddress
ParseAddress(const std::string& text)
{
    ColoAddress address{};
    if (inet_pton(AF_INET, text.c_str(), address.second.data()) == 1)
    {
        address.first = 4;
    }
    else if (inet_pton(AF_INET6, text.c_str(), address.second.data()) == 1)
    {
        address.first = 6;
    }
    else
    {
        throw ColoUsageError(
            fmt::format("option --guest: '{}' is not an address such as 10.0.0.2 or fd00::2",
                        text));
    }
    return address;
}

std::set<ColoAddress>
ParseGuest(const std::string& text)
{
    std::set<ColoAddress> guest;
    for (std::size_t from = 0; from <= text.size();)
    {
        const std::size_t to = std::min(text.find(',', from), text.size());
        guest.insert(ParseAddress(text.substr(from, to - from)));
        from = to + 1;
    }
    return guest;
}

std::optional<uint64_t>
ParseCheckpoint(const std::string& text)
{
    static const std::string prefix = "commit:";
    if (text == "never")
    {
        return std::nullopt;
    }
    if (text.rfind(prefix, 0) != 0)
    {
        throw ColoUsageError(
            fmt::format("option --checkpoint: '{}' is neither commit:TIME nor never", text));
    }
    return ColoParseTimeNs("checkpoint",
                           text.substr(prefix.size()),
                           {0, "0s"},
                           {60 * MINUTE_NS, "60min"});
}

colo_ack_policy
ParseAck(const std::string& text)
{
    if (text != "hold" && text != "clamp")
    {
        throw ColoUsageError(fmt::format("option --ack: '{}' is neither hold nor clamp", text));
    }
    return text == "hold" ? COLO_ACK_HOLD : COLO_ACK_CLAMP;
}

} // namespace

std::optional<ColoReplayOptions>
ParseColoReplayOptions(int argc, char* argv[])
{
    const po::options_description description = DescribeOptions();
    const po::variables_map values = ColoReadCommandLine(argc, argv, description);
    if (values.count("help"))
    {
        std::cout << ABOUT << "\n" << description << MORE;
        return std::nullopt;
    }
    auto text = [&](const char* name) {
        return values.count(name) ? values[name].as<std::string>() : std::string();
    };
    for (const char* name : {"primary", "secondary", "verdicts", "released"})
    {
        const bool isInput = name == std::string("primary") || name == std::string("secondary");
        if (text(name).empty() && (isInput || values.count(name)))
        {
            throw ColoUsageError(fmt::format(
                "option --{}: {}",
                name,
                values.count(name) ? "names no file" : "is missing; --help lists the options"));
        }
    }
    ColoReplayOptions options;
    options.primary = text("primary");
    options.secondary = text("secondary");
    options.guest = values.count("guest") ? ParseGuest(text("guest")) : std::set<ColoAddress>();
    options.isIsnFixed = values.count("fix-isn");
    options.commitAfterNs = ParseCheckpoint(text("checkpoint"));
    options.compareTimeoutNs = ColoParseTimeNs("compare-timeout",
                                               text("compare-timeout"),
                                               {1, "1ns"},
                                               {60 * MINUTE_NS, "60min"});
    options.ackPolicy = ParseAck(text("ack"));
    options.shiftSecondaryNs = ColoParseTimeNs("shift-secondary",
                                               text("shift-secondary"),
                                               {-100 * YEAR_NS, "-52560000min"},
                                               {100 * YEAR_NS, "52560000min"});
    options.gsoBytes = ColoParseNumber<uint64_t>("gso-size", text("gso-size"), 0, 65535);
    options.verdicts = text("verdicts");
    options.released = text("released");
    return options;
}

} // namespace ns3
