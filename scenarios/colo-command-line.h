/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_COMMAND_LINE_H
#define COLO_COMMAND_LINE_H

#include <boost/program_options.hpp>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <stdexcept>
#include <string>

namespace ns3
{

/** How a program exits if its options or files are of no use. */
constexpr int COLO_EXIT_USAGE = 2;

/** The command line, or a file that it names, is of no use; what() is one line for the user. */
class ColoUsageError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/** \param text anything. \return it on one line, without control characters. */
std::string ColoOneLine(std::string text);

/**
 * \param argc as main() gets it.
 * \param argv as main() gets it.
 * \param options what may be there, once each.
 * \param other is given what is not among the options, to throw or keep; refused without.
 * \return the values.
 * \throws ColoUsageError naming what is wrong.
 */
boost::program_options::variables_map ColoReadCommandLine(
    int argc,
    char* argv[],
    const boost::program_options::options_description& options,
    const std::function<void(const boost::program_options::option&)>& other = {});

/** A bound of an option: its value and how one writes it. */
struct ColoTimeBound
{
    int64_t ns;
    const char* text;
};

/**
 * \param option its name.
 * \param text a number with its unit: ns, us, ms, s or min; a sign only if min is below zero.
 * \param min smallest that is allowed.
 * \param max largest.
 * \return nanoseconds.
 * \throws ColoUsageError naming the option.
 */
int64_t ColoParseTimeNs(const std::string& option,
                        const std::string& text,
                        ColoTimeBound min,
                        ColoTimeBound max);

/** A number in its whole text, or an error that names the option. */
template <typename Number>
Number
ColoParseNumber(const std::string& option, const std::string& text, Number min, Number max)
{
    Number number{};
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec == std::errc::invalid_argument || result.ptr != end)
    {
        throw ColoUsageError(fmt::format("option --{}: '{}' is not a number", option, text));
    }
    if (result.ec != std::errc() || !(number >= min && number <= max))
    {
        throw ColoUsageError(
            fmt::format("option --{}: {} is not in {} to {}", option, text, min, max));
    }
    return number;
}

} // namespace ns3

#endif /* COLO_COMMAND_LINE_H */
