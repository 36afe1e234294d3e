/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The calibration that is shipped and the attributes' defaults are one truth.
 */
#define BOOST_TEST_MODULE scenario - calibration
#include "colo-calibration.h"
#include "colo-command-line.h"

#include "ns3/colo-primary-proxy.h"
#include "ns3/nstime.h"
#include "ns3/type-id.h"
#include "ns3/uinteger.h"

#include <boost/test/unit_test.hpp>

using namespace ns3;

namespace
{

/** \return the attribute as it is if nobody sets it, in nanoseconds if it is a time. */
int64_t
GetDefault(const std::string& attribute)
{
    const std::size_t split = attribute.rfind("::");
    const TypeId type = TypeId::LookupByName(attribute.substr(0, split));
    TypeId::AttributeInformation information;
    BOOST_REQUIRE(type.LookupAttributeByName(attribute.substr(split + 2), &information));
    const AttributeValue* initial = PeekPointer(information.originalInitialValue);
    if (const auto* time = dynamic_cast<const TimeValue*>(initial))
    {
        return time->Get().GetNanoSeconds();
    }
    const auto* number = dynamic_cast<const UintegerValue*>(initial);
    BOOST_REQUIRE(number);
    return number->Get();
}

} // namespace

BOOST_AUTO_TEST_CASE(shipped_figures_are_the_defaults)
{
    ColoPrimaryProxy::GetTypeId();
    const ColoCalibration shipped(std::nullopt);
    BOOST_TEST(shipped.GetName() == "as shipped");
    BOOST_TEST(shipped.GetFigures().size() >= 7);
    for (const ColoCalibrationFigure& figure : shipped.GetFigures())
    {
        BOOST_TEST_CONTEXT(figure.name)
        {
            BOOST_TEST(GetDefault(figure.attribute) == figure.value);
            BOOST_TEST(shipped.Sets(figure.attribute));
        }
    }
    BOOST_TEST(!shipped.Sets("ns3::ColoProxy::CompareTimeout"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there)
{
    BOOST_CHECK_EXCEPTION(ColoCalibration("/no/such.json"), ColoUsageError, [](const auto& error) {
        return std::string(error.what()) ==
               "option --calibration: /no/such.json: No such file or directory";
    });
}
