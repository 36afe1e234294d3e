/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Both hosts of a pair at once, in a bad world (fail-fence, ckpt-failure).
// A failure prints its seed; COLO_TEST_SEED=<seed> runs that one alone, COLO_TEST_RUNS=<n> more.
#define BOOST_TEST_MODULE core_failover_pair
#include "core-pair-world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

using namespace colo_test;

namespace
{

uint32_t
Environment(const char* name, uint32_t otherwise)
{
    const char* text = std::getenv(name);
    return text ? uint32_t(std::strtoul(text, nullptr, 10)) : otherwise;
}

} // namespace

BOOST_AUTO_TEST_CASE(fail_fence_pairs_in_a_bad_world)
{
    Tally tally;
    uint32_t wanted = Environment("COLO_TEST_SEED", 0);
    uint32_t runs = Environment("COLO_TEST_RUNS", 3000);
    for (uint32_t seed = wanted ? wanted : 1; seed <= (wanted ? wanted : runs); seed++)
    {
        try
        {
            World(seed, tally).Live();
        }
        catch (const std::exception& failure)
        {
            BOOST_ERROR("COLO_TEST_SEED=" << seed << ": " << failure.what());
            return;
        }
    }
    if (wanted)
    {
        return;
    }
    // Each of five faults in each state: five of the primary's, four of the secondary's.
    auto isFault = [](const auto& entry) { return entry.first.find(", ") != std::string::npos; };
    BOOST_TEST(std::count_if(tally.begin(), tally.end(), isFault) == 5 * (5 + 4));
    for (const char* outcome : {"primary alone",
                                "primary fenced",
                                "secondary alone",
                                "secondary fenced",
                                "goes on from its own state",
                                "goes on from a new state",
                                "protected again"})
    {
        BOOST_TEST(tally[outcome] > 0U, outcome);
    }
}
