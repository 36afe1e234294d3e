/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-calibration.h"

#include "colo-command-line.h"
#include "colo-data.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

namespace ns3
{

namespace
{

using Json = nlohmann::ordered_json;

constexpr uintmax_t BYTES_MAX = 1 << 20;
/** More than one line of a terminal is more than a summary wants to repeat. */
constexpr std::size_t EVIDENCE_MAX = 400;
const std::string FORMAT = "colo-calibration-1";

/** What a file has to have. */
struct KnownFigure
{
    const char* name;
    const char* unit;
    const char* attribute;
    int64_t min;
    int64_t max;
};

constexpr int64_t MS = 1000000;
constexpr int64_t S = 1000 * MS;

/** The bounds are far from what any host does: beyond them, somebody mistook the unit. */
const KnownFigure KNOWN[] = {
    {"kcolo-wakeup", "ns", "ns3::ColoPrimaryProxy::KcoloWakeup", 0, S},
    {"compare-per-frame", "ns", "ns3::ColoPrimaryProxy::KcoloCostPerFrame", 0, MS},
    {"compare-per-kib", "ns", "ns3::ColoPrimaryProxy::KcoloCostPerKib", 0, MS},
    {"flow-held-max", "packets", "ns3::ColoPrimaryProxy::FlowHeldMax", 1, 1 << 30},
    {"node-held-max", "packets", "ns3::ColoPrimaryProxy::NodeHeldMax", 1, 1 << 30},
    {"checkpoint-overhead", "ns", "ns3::ColoCheckpointer::Overhead", 0, 60 * S},
    {"load-time", "ns", "ns3::ColoCheckpointer::LoadTime", 0, 60 * S},
};

/** \return what is wrong with a member of the file; the constructor says of which file. */
ColoUsageError
Wrong(const std::string& what)
{
    return ColoUsageError(what);
}

std::string
ReadWhole(const std::string& path)
{
    std::error_code ignored;
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
    {
        throw Wrong(std::strerror(errno));
    }
    if (!std::filesystem::is_regular_file(path, ignored) ||
        std::filesystem::file_size(path, ignored) > BYTES_MAX)
    {
        throw Wrong(fmt::format("is no file of at most {} bytes", BYTES_MAX));
    }
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad())
    {
        throw Wrong(std::strerror(errno));
    }
    return text;
}

/** \return a value as it stands in the file, or the beginning of that. */
std::string
Quote(const Json& value)
{
    const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

/** The parser would keep one of two members of the same key, and nobody would know which. */
Json
ParseOnce(const std::string& text)
{
    std::vector<std::set<std::string>> keys;
    return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start)
        {
            keys.emplace_back();
        }
        else if (event == Json::parse_event_t::object_end)
        {
            keys.pop_back();
        }
        else if (event == Json::parse_event_t::key && !keys.back().insert(parsed).second)
        {
            throw Wrong(fmt::format("has {} twice in one object", Quote(parsed)));
        }
        return true;
    });
}

Json
Parse(const std::string& text)
{
    try
    {
        return ParseOnce(text);
    }
    catch (const Json::exception& error)
    {
        const std::string what = error.what(); // begins with an identifier in brackets
        throw Wrong("is not JSON: " + what.substr(std::min(what.find("] ") + 2, what.size())));
    }
}

std::string
GetString(const Json& object, const std::string& key)
{
    const auto member = object.find(key);
    if (member == object.end())
    {
        throw Wrong(fmt::format("has no \"{}\"", key));
    }
    if (!member->is_string() || member->get_ref<const std::string&>().empty() ||
        member->get_ref<const std::string&>().size() > EVIDENCE_MAX)
    {
        throw Wrong(fmt::format("\"{}\" is {}, not a text of 1 to {} bytes",
                                key,
                                Quote(*member),
                                EVIDENCE_MAX));
    }
    return *member;
}

void
CheckKeys(const Json& object, const std::vector<std::string>& known)
{
    for (const auto& [key, value] : object.items())
    {
        if (std::find(known.begin(), known.end(), key) == known.end())
        {
            throw Wrong(fmt::format("\"{}\" is not known", ColoOneLine(key.substr(0, 60))));
        }
    }
}

void
CheckIs(const Json& object, const std::string& key, const std::string& expected)
{
    if (GetString(object, key) != expected)
    {
        throw Wrong(fmt::format("\"{}\" is {}, not \"{}\"", key, Quote(object[key]), expected));
    }
}

int64_t
GetValue(const Json& object, const KnownFigure& known)
{
    const auto member = object.find("value");
    if (member == object.end())
    {
        throw Wrong("has no \"value\"");
    }
    if (!member->is_number())
    {
        throw Wrong(fmt::format("\"value\" is {}, not a number", Quote(*member)));
    }
    const double rough = *member; // an integer of more than 64 bits is a double already
    if (!(rough >= known.min && rough <= known.max))
    {
        throw Wrong(fmt::format("\"value\" {} is not in {} to {} {}",
                                Quote(*member),
                                known.min,
                                known.max,
                                known.unit));
    }
    if (!member->is_number_integer())
    {
        throw Wrong(
            fmt::format("\"value\" {} is not a whole number of {}", Quote(*member), known.unit));
    }
    return *member;
}

ColoCalibrationFigure
ReadFigure(const Json& object, const KnownFigure& known)
{
    ColoCalibrationFigure figure{known.name, 0, known.unit, known.attribute, "", {}};
    CheckIs(object, "unit", known.unit);
    CheckIs(object, "attribute", known.attribute);
    figure.value = GetValue(object, known);
    figure.origin = GetString(object, "origin");
    std::vector<std::string> evidence{"source"};
    if (figure.origin == "measured")
    {
        evidence = {"command", "machine", "date"};
    }
    else if (figure.origin != "assumed")
    {
        throw Wrong(fmt::format("\"origin\" is {}, neither \"measured\" nor \"assumed\"",
                                Quote(object["origin"])));
    }
    for (const std::string& key : evidence)
    {
        figure.evidence.emplace_back(key, ColoOneLine(GetString(object, key)));
    }
    std::vector<std::string> keys{"name", "value", "unit", "attribute", "origin"};
    keys.insert(keys.end(), evidence.begin(), evidence.end());
    CheckKeys(object, keys);
    return figure;
}

/** \return the element of the list, which has the name once. */
const Json&
FindFigure(const Json& list, const std::string& name)
{
    const Json* found = nullptr;
    for (const Json& object : list)
    {
        if (object["name"] != name)
        {
            continue;
        }
        if (found)
        {
            throw Wrong("is there twice");
        }
        found = &object;
    }
    if (!found)
    {
        throw Wrong("is missing");
    }
    return *found;
}

/** Every element has a name, which is known. */
void
CheckNames(const Json& list)
{
    for (std::size_t i = 0; i < list.size(); i++)
    {
        const bool hasName =
            list[i].is_object() && list[i].contains("name") && list[i]["name"].is_string();
        if (!hasName)
        {
            throw Wrong(fmt::format("element {} of \"figures\" has no name", i + 1));
        }
        if (std::none_of(std::begin(KNOWN), std::end(KNOWN), [&](const KnownFigure& known) {
                return list[i]["name"] == known.name;
            }))
        {
            throw Wrong(fmt::format("figure {}: is not known", Quote(list[i]["name"])));
        }
    }
}

std::vector<ColoCalibrationFigure>
Read(const std::string& path)
{
    const Json json = Parse(ReadWhole(path));
    if (!json.is_object())
    {
        throw Wrong("is no JSON object");
    }
    CheckIs(json, "format", FORMAT);
    CheckKeys(json, {"format", "figures"});
    if (!json.contains("figures") || !json["figures"].is_array())
    {
        throw Wrong("has no list \"figures\"");
    }
    CheckNames(json["figures"]);
    std::vector<ColoCalibrationFigure> figures;
    for (const KnownFigure& known : KNOWN)
    {
        try
        {
            figures.push_back(ReadFigure(FindFigure(json["figures"], known.name), known));
        }
        catch (const ColoUsageError& error)
        {
            throw Wrong(fmt::format("figure \"{}\": {}", known.name, error.what()));
        }
    }
    return figures;
}

} // namespace

std::string
ColoCalibrationFigure::GetText() const
{
    return fmt::format("{}{}", value, unit == "ns" ? "ns" : "");
}

ColoCalibration::ColoCalibration(const std::optional<std::string>& path)
    : m_name(path.value_or("as shipped"))
{
    const std::string file = path.value_or(ColoDataFolder() + "/scenarios/calibration.json");
    try
    {
        m_figures = Read(file);
    }
    catch (const ColoUsageError& error)
    {
        throw ColoUsageError(fmt::format("option --calibration: {}: {}", file, error.what()));
    }
}

const std::string&
ColoCalibration::GetName() const
{
    return m_name;
}

const std::vector<ColoCalibrationFigure>&
ColoCalibration::GetFigures() const
{
    return m_figures;
}

bool
ColoCalibration::Sets(const std::string& attribute) const
{
    return std::any_of(m_figures.begin(), m_figures.end(), [&](const auto& figure) {
        return figure.attribute == attribute;
    });
}

} // namespace ns3
