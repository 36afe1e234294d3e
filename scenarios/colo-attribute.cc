/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-attribute.h"

#include "colo-command-line.h"
#include "colo-sudden-end.h"

#include "ns3/config.h"
#include "ns3/string.h"
#include "ns3/type-id.h"

#include <fmt/format.h>

namespace ns3
{

namespace
{

const std::string PREFIX = "ns3::";

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

} // namespace

ColoAttribute
ColoReadAttribute(const boost::program_options::option& option)
{
    if (option.string_key.rfind(PREFIX, 0) != 0)
    {
        throw ColoUsageError(
            fmt::format("unknown option {}; --help lists them", option.original_tokens.front()));
    }
    if (option.value.size() != 1 || option.original_tokens.size() != 1)
    {
        throw ColoUsageError(
            fmt::format("option --{0}: needs a value, as in --{0}=VALUE", option.string_key));
    }
    return {option.string_key, option.value.front(), "option --" + option.string_key};
}

void
ColoTryAttribute(const ColoAttribute& attribute)
{
    const auto& [name, value, place] = attribute;
    const std::size_t split = name.rfind("::");
    if (split == std::string::npos)
    {
        throw ColoUsageError(fmt::format("{}: is no attribute ns3::Class::Attribute", place));
    }
    const std::string className = name.substr(0, split);
    TypeId type;
    if (!TypeId::LookupByNameFailSafe(className, &type))
    {
        throw ColoUsageError(fmt::format("{}: there is no class {}", place, className));
    }
    if (className == "ns3::ColoLinkChannel" || className == "ns3::SimpleChannel")
    {
        throw ColoUsageError(
            fmt::format("{}: links are set by --lan, --sec-dev and --checkpoint-link", place));
    }
    const std::string own = name.substr(split + 2);
    TypeId::AttributeInformation information;
    if (!HasAttribute(type, own, information))
    {
        std::string advice;
        while (advice.empty() && type.HasParent())
        {
            type = type.GetParent();
            if (HasAttribute(type, own, information))
            {
                advice = fmt::format(" of its own; set {}::{}", type.GetName(), own);
            }
        }
        throw ColoUsageError(
            fmt::format("{}: {} has no such attribute{}", place, className, advice));
    }
    const std::string objectClass = value.substr(0, value.find('['));
    if (information.checker->GetValueTypeName() == "ns3::PointerValue" &&
        !TypeId::LookupByNameFailSafe(objectClass, &type))
    {
        throw ColoUsageError(fmt::format("{}: there is no class {}", place, objectClass));
    }
    ColoBlameForSuddenEnd(place); // ns-3 ends the program for some values that it cannot read
    if (!Config::SetDefaultFailSafe(name, StringValue(value)))
    {
        throw ColoUsageError(fmt::format("{}: '{}' is not allowed; it takes {}",
                                         place,
                                         value,
                                         information.checker->GetUnderlyingTypeInformation()));
    }
}

} // namespace ns3
