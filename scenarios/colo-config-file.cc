/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-config-file.h"

#include "colo-command-line.h"
#include "colo-output-file.h"

#include "ns3/config-store.h"
#include "ns3/config.h"
#include "ns3/string.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

namespace ns3
{

namespace po = boost::program_options;

namespace
{

/** ns-3 has some 200 KB of attributes. */
constexpr uintmax_t BYTES_MAX = 16 << 20;

const std::string OPTION = "option";
const std::string DEFAULT = "default";
const std::string GLOBAL = "global";
const std::string CONFIG_STORE = "ns3::ConfigStore::";

/** A file that lives as long as this and never meets a disk, which could fail unnoticed. */
class MemoryFile
{
  public:
    MemoryFile()
        : m_descriptor(memfd_create("colo-config", MFD_CLOEXEC))
    {
        if (m_descriptor < 0)
        {
            throw ColoUsageError(fmt::format("option --save-config: {}", std::strerror(errno)));
        }
    }

    ~MemoryFile()
    {
        close(m_descriptor);
    }

    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    std::string GetPath() const
    {
        return fmt::format("/proc/self/fd/{}", m_descriptor);
    }

  private:
    int m_descriptor;
};

/** \return kind, name, value; nothing if a line is not of that form. */
std::optional<std::vector<std::string>>
Split(const std::string& line)
{
    const std::size_t kindEnd = line.find(' ');
    const std::size_t nameEnd = kindEnd == std::string::npos ? kindEnd : line.find(" \"", kindEnd);
    if (nameEnd == std::string::npos || nameEnd == kindEnd || line.back() != '"' ||
        line.size() < nameEnd + 3)
    {
        return std::nullopt;
    }
    return std::vector<std::string>{line.substr(0, kindEnd),
                                    line.substr(kindEnd + 1, nameEnd - kindEnd - 1),
                                    line.substr(nameEnd + 2, line.size() - nameEnd - 3)};
}

/** \return ns-3's defaults and globals as ConfigStore writes them. */
std::vector<std::string>
DumpDefaults()
{
    MemoryFile file;
    // A ConfigStore takes its own attributes as it is made, and from nowhere else.
    const std::pair<const char*, std::string> settings[] = {{"Mode", "Save"},
                                                            {"FileFormat", "RawText"},
                                                            {"Filename", file.GetPath()}};
    for (const auto& [name, value] : settings)
    {
        Config::SetDefault(CONFIG_STORE + name, StringValue(value));
    }
    {
        ConfigStore store;
        store.ConfigureDefaults();
    }
    std::ifstream stream(file.GetPath());
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
    {
        if (line.find(CONFIG_STORE) == std::string::npos)
        {
            lines.push_back(line);
        }
    }
    return lines;
}

} // namespace

ColoConfigFile::ColoConfigFile(const std::string& path)
    : m_path(path)
{
    std::error_code ignored;
    std::ifstream stream(path);
    if (!stream || std::filesystem::is_directory(path, ignored))
    {
        const int error = stream ? EISDIR : errno;
        throw ColoUsageError(fmt::format("option --config: {}: {}", path, std::strerror(error)));
    }
    if (!std::filesystem::is_regular_file(path, ignored) ||
        std::filesystem::file_size(path, ignored) > BYTES_MAX)
    {
        throw ColoUsageError(
            fmt::format("option --config: {}: is no file of at most {} bytes", path, BYTES_MAX));
    }
    std::set<std::pair<std::string, std::string>> known;
    std::string text;
    for (std::size_t number = 1; std::getline(stream, text); number++)
    {
        if (text.find_first_not_of(" \t\r") == std::string::npos || text.front() == '#')
        {
            continue;
        }
        const auto parts = Split(text);
        const bool isKnown =
            parts && (parts->at(0) == OPTION || parts->at(0) == DEFAULT || parts->at(0) == GLOBAL);
        if (!isKnown)
        {
            throw ColoUsageError(fmt::format("{}:{}: '{}' is no option, default or global with its "
                                             "name and its value in quotes",
                                             path,
                                             number,
                                             text.substr(0, 60)));
        }
        m_lines.push_back({number, parts->at(0), parts->at(1), parts->at(2)});
        if (!known.emplace(parts->at(0), parts->at(1)).second)
        {
            throw ColoUsageError(fmt::format("{}: is there twice", GetPlace(m_lines.back())));
        }
    }
    if (stream.bad())
    {
        throw ColoUsageError(fmt::format("option --config: {}: {}", path, std::strerror(errno)));
    }
}

std::string
ColoConfigFile::GetPlace(const Line& line) const
{
    return fmt::format("{}:{}: {} {}", m_path, line.number, line.kind, line.name);
}

po::parsed_options
ColoConfigFile::GetOptions(const po::options_description& description) const
{
    po::parsed_options parsed(&description);
    for (const Line& line : m_lines)
    {
        if (line.kind != OPTION)
        {
            continue;
        }
        const po::option_description* known = description.find_nothrow(line.name, false);
        if (!known || line.name == "config" || line.name == "help")
        {
            throw ColoUsageError(fmt::format("{}: there is no such option", GetPlace(line)));
        }
        if (known->semantic()->max_tokens() == 0 && !line.value.empty())
        {
            throw ColoUsageError(fmt::format("{}: takes no value", GetPlace(line)));
        }
        po::option option(line.name, {line.value});
        option.original_tokens = {line.name, line.value};
        parsed.options.push_back(option);
    }
    return parsed;
}

std::vector<ColoAttribute>
ColoConfigFile::FindAttributes() const
{
    std::set<std::string> inForce;
    for (const std::string& line : DumpDefaults())
    {
        inForce.insert(line);
    }
    std::vector<ColoAttribute> found;
    for (const Line& line : m_lines)
    {
        if (line.kind == OPTION ||
            inForce.count(fmt::format("{} {} \"{}\"", line.kind, line.name, line.value)))
        {
            continue;
        }
        if (line.kind == GLOBAL)
        {
            throw ColoUsageError(
                fmt::format("{}: colo-scenario sets its globals itself", GetPlace(line)));
        }
        found.push_back({line.name, line.value, GetPlace(line)});
    }
    return found;
}

std::string
ColoConfigFile::Locate(const std::string& error, const std::set<std::string>& elsewhere) const
{
    for (const Line& line : m_lines)
    {
        if (line.kind == OPTION && !elsewhere.count(line.name) &&
            error.rfind(fmt::format("option --{}:", line.name), 0) == 0)
        {
            return fmt::format("{}:{}: {}", m_path, line.number, error);
        }
    }
    return error;
}

void
ColoConfigFile::Save(const std::string& path, const Options& options)
{
    std::string text;
    for (const auto& [name, value] : options)
    {
        if (value.find('\n') != std::string::npos)
        {
            throw ColoUsageError(
                fmt::format("option --save-config: the value of --{} has two lines", name));
        }
        text += fmt::format("{} {} \"{}\"\n", OPTION, name, value);
    }
    for (const std::string& line : DumpDefaults())
    {
        text += line + "\n";
    }
    ColoOutputFile file("save-config", path);
    file.Write(text.data(), text.size());
    file.Check();
    file.Commit();
}

} // namespace ns3
