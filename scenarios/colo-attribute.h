/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ATTRIBUTE_H
#define COLO_ATTRIBUTE_H

#include <boost/program_options.hpp>
#include <string>

namespace ns3
{

/** An ns-3 attribute that the user sets. */
struct ColoAttribute
{
    std::string name;  //!< "ns3::Class::Attribute"
    std::string value; //!< as ns-3 reads it
    std::string place; //!< where the user wrote it: "option --ns3::Class::Attribute", "FILE:7"
};

/**
 * \param option that is none of the program's.
 * \return the attribute that it sets.
 * \throws ColoUsageError if it sets none.
 */
ColoAttribute ColoReadAttribute(const boost::program_options::option& option);

/**
 * Make it ns-3's default, to see whether that works.
 * \param attribute the attribute.
 * \throws ColoUsageError naming its place.
 */
void ColoTryAttribute(const ColoAttribute& attribute);

} // namespace ns3

#endif /* COLO_ATTRIBUTE_H */
