/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-link-options.h"

#include "colo-command-line.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <set>
#include <utility>

namespace ns3
{

namespace
{

const std::string PARTS = "rate, delay, loss, reorder, reorder-delay, duplicate";

/** Not DataRate's own, which ends the program if it cannot read a rate. */
DataRate
ParseRate(const std::string& option, const std::string& text)
{
    static const std::pair<std::string, double> units[] = {{"bps", 1},
                                                           {"kbps", 1e3},
                                                           {"Mbps", 1e6},
                                                           {"Gbps", 1e9}};
    constexpr double MIN = 1e3;
    constexpr double MAX = 1e12;
    const std::size_t split = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto unit = std::find_if(std::begin(units), std::end(units), [&](const auto& known) {
        return text.substr(split) == known.first;
    });
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + split, value);
    if (unit == std::end(units) || result.ec == std::errc::invalid_argument ||
        result.ptr != text.data() + split)
    {
        throw ColoUsageError(
            fmt::format("option --{}: '{}' is not a rate such as 100Mbps or 2.5Gbps",
                        option,
                        text));
    }
    const double bps = value * unit->second;
    if (result.ec != std::errc() || !(bps >= MIN && bps <= MAX))
    {
        throw ColoUsageError(
            fmt::format("option --{}: {} is not in 1kbps to 1000Gbps", option, text));
    }
    return DataRate(static_cast<uint64_t>(bps + 0.5));
}

Time
ParseDelay(const std::string& option, const std::string& text)
{
    return NanoSeconds(
        ColoParseTimeNs(option, text, {0, "0s"}, {Minutes(1).GetNanoSeconds(), "1min"}));
}

void
ParsePart(const std::string& option,
          const std::string& name,
          const std::string& value,
          ColoLinkOptions& link)
{
    const std::string where = option + ": " + name;
    if (name == "rate")
    {
        link.rate = ParseRate(where, value);
    }
    else if (name == "delay")
    {
        link.delay = ParseDelay(where, value);
    }
    else if (name == "loss")
    {
        link.loss = ColoParseNumber<double>(where, value, 0, 1);
    }
    else if (name == "reorder")
    {
        link.reorder = ColoParseNumber<double>(where, value, 0, 1);
    }
    else if (name == "reorder-delay")
    {
        link.reorderDelay = ParseDelay(where, value);
    }
    else if (name == "duplicate")
    {
        link.duplicate = ColoParseNumber<double>(where, value, 0, 1);
    }
    else
    {
        throw ColoUsageError(fmt::format("option --{}: '{}' is none of {}", option, name, PARTS));
    }
}

} // namespace

ColoLinkOptions
ColoParseLinkOptions(const std::string& option, const std::string& text, ColoLinkOptions link)
{
    std::set<std::string> names;
    for (std::size_t begin = 0; begin <= text.size();)
    {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t split = part.find('=');
        if (split == std::string::npos)
        {
            throw ColoUsageError(fmt::format("option --{}: '{}' is not PART=VALUE with one of {}",
                                             option,
                                             part,
                                             PARTS));
        }
        const std::string name = part.substr(0, split);
        if (!names.insert(name).second)
        {
            throw ColoUsageError(fmt::format("option --{}: {} is there twice", option, name));
        }
        ParsePart(option, name, part.substr(split + 1), link);
    }
    if (names.count("reorder-delay") && link.reorder == 0)
    {
        throw ColoUsageError(
            fmt::format("option --{}: reorder-delay means nothing without reorder", option));
    }
    return link;
}

} // namespace ns3
