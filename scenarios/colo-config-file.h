/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CONFIG_FILE_H
#define COLO_CONFIG_FILE_H

#include "colo-attribute.h"

#include <boost/program_options.hpp>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/**
 * A run as a file, from which it can be repeated: the lines that ns-3's ConfigStore writes as raw
 * text, and the program's options, each of a kind, a name and a value in quotes:
 *
 *     option lag "1ms"
 *     default ns3::ColoProxy::CompareTimeout "+3000000000.0ns"
 *     global ChecksumEnabled "true"
 *
 * Blank lines and what follows a # at the start of a line do not count.
 */
class ColoConfigFile
{
  public:
    /** Names and texts of options. */
    using Options = std::vector<std::pair<std::string, std::string>>;

    /**
     * \param path of the file.
     * \throws ColoUsageError naming the file, and the line, if it is of no use.
     */
    explicit ColoConfigFile(const std::string& path);

    /**
     * \param description the options that may be there.
     * \return those that are, for boost::program_options::store().
     * \throws ColoUsageError naming the line of one that may not.
     */
    boost::program_options::parsed_options GetOptions(
        const boost::program_options::options_description& description) const;
    /**
     * The attributes that make the run what it is besides its options: what ns-3 has as defaults
     * when this is called is left out.
     * \return the rest.
     * \throws ColoUsageError naming a line that nothing can be done about.
     */
    std::vector<ColoAttribute> FindAttributes() const;
    /**
     * \param error about an option.
     * \param elsewhere options whose values are from elsewhere.
     * \return the error with the line that it is about, if that is here.
     */
    std::string Locate(const std::string& error, const std::set<std::string>& elsewhere) const;

    /**
     * Write the defaults that ns-3 has now.
     * \param path of the file.
     * \param options of the program.
     * \throws ColoUsageError if that cannot be written.
     */
    static void Save(const std::string& path, const Options& options);

  private:
    struct Line
    {
        std::size_t number; //!< from 1
        std::string kind;
        std::string name;
        std::string value;
    };

    std::string GetPlace(const Line& line) const;

    std::string m_path;
    std::vector<Line> m_lines;
};

} // namespace ns3

#endif /* COLO_CONFIG_FILE_H */
