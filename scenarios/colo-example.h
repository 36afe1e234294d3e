/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_EXAMPLE_H
#define COLO_EXAMPLE_H

#include "colo-command-line.h"

#include <boost/program_options.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ns3
{

/** An option of a small scenario: a number. */
struct ColoExampleOption
{
    const char* name;
    const char* value; //!< by default
    const char* help;
    uint32_t min;
    uint32_t max;
};

/** Prints help and ends, if that is what was asked for. */
class ColoHelpShown : public std::exception
{
};

/**
 * \param argc as main() gets it.
 * \param argv as main() gets it.
 * \param about what the program does.
 * \param own options; --seed is there besides.
 * \return the values by name.
 * \throws ColoUsageError naming the option that is wrong; ColoHelpShown after --help.
 */
inline std::map<std::string, uint32_t>
ColoReadExampleOptions(int argc,
                       char* argv[],
                       const char* about,
                       std::vector<ColoExampleOption> own)
{
    namespace po = boost::program_options;
    own.push_back({"seed", "1", "of every random stream, 1 to 4294967295", 1, UINT32_MAX});
    po::options_description description("Options", 100, 60);
    description.add_options()("help", "print this and exit");
    for (const ColoExampleOption& option : own)
    {
        description.add_options()(
            option.name,
            po::value<std::string>()->value_name("COUNT")->default_value(option.value),
            option.help);
    }
    const po::variables_map values = ColoReadCommandLine(argc, argv, description);
    if (values.count("help"))
    {
        std::ostringstream text;
        text << description;
        fmt::print("{}\n\n{}", about, text.str());
        throw ColoHelpShown();
    }
    std::map<std::string, uint32_t> numbers;
    for (const ColoExampleOption& option : own)
    {
        numbers[option.name] = ColoParseNumber<uint32_t>(option.name,
                                                         values[option.name].as<std::string>(),
                                                         option.min,
                                                         option.max);
    }
    return numbers;
}

/**
 * What main() of a small scenario does besides: an error is one line, and exit status 2.
 * \param name of the program.
 * \param run does all; returns the exit status.
 * \return the exit status.
 */
template <typename Run>
int
ColoRunExample(const char* name, Run run)
{
    try
    {
        const int status = run();
        return std::fflush(stdout) == 0 ? status : EXIT_FAILURE;
    }
    catch (const ColoHelpShown&)
    {
        return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    catch (const std::exception& error)
    {
        fmt::print(stderr, "{}: {}\n", name, ColoOneLine(error.what()));
        return COLO_EXIT_USAGE;
    }
}

} // namespace ns3

#endif /* COLO_EXAMPLE_H */
