/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-command-line.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ns3
{

namespace po = boost::program_options;

std::string
ColoOneLine(std::string text)
{
    while (!text.empty() && text.back() == '\n')
    {
        text.pop_back();
    }
    std::replace_if(
        text.begin(),
        text.end(),
        [](unsigned char character) { return character < 0x20 || character == 0x7f; },
        ' ');
    return text;
}

po::variables_map
ColoReadCommandLine(int argc,
                    char* argv[],
                    const po::options_description& options,
                    const std::function<void(const po::option&)>& other)
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
                .allow_unregistered()
                .run();
        for (const auto& option : parsed.options)
        {
            if (option.string_key.empty())
            {
                throw ColoUsageError(
                    fmt::format("unexpected argument '{}'; --help lists the options",
                                option.value.empty() ? "" : option.value.front()));
            }
            if (!option.unregistered)
            {
                continue;
            }
            if (!other)
            {
                throw ColoUsageError(fmt::format("unknown option {}; --help lists them",
                                                 option.original_tokens.front()));
            }
            other(option);
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

int64_t
ColoParseTimeNs(const std::string& option,
                const std::string& text,
                ColoTimeBound min,
                ColoTimeBound max)
{
    static const std::pair<std::string, long double> units[] = {{"ns", 1},
                                                                {"us", 1e3},
                                                                {"ms", 1e6},
                                                                {"s", 1e9},
                                                                {"min", 60e9}};

    const std::size_t begin = min.ns < 0 && text.substr(0, 1) == "-" ? 1 : 0;
    const std::size_t split = std::min(text.find_first_not_of("0123456789.", begin), text.size());
    const auto unit = std::find_if(std::begin(units), std::end(units), [&](const auto& known) {
        return text.substr(split) == known.first;
    });
    long double value = 0; // exact for all nanoseconds of 64 bits
    const char* end = text.data() + split;
    const auto result = std::from_chars(text.data(), end, value);
    if (unit == std::end(units) || result.ec == std::errc::invalid_argument || result.ptr != end)
    {
        throw ColoUsageError(
            fmt::format("option --{}: '{}' is not a time such as 200us or 1.5s", option, text));
    }
    const long double ns = value * unit->second;
    if (result.ec != std::errc() || ns < min.ns || ns > max.ns)
    {
        throw ColoUsageError(
            fmt::format("option --{}: {} is not in {} to {}", option, text, min.text, max.text));
    }
    return static_cast<int64_t>(ns + (ns < 0 ? -0.5L : 0.5L));
}

} // namespace ns3
