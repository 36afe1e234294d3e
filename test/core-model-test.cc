/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Random lives of two guests, judged by a slow and obvious model. A failure prints its seed and
// the shortest script found that fails as well; COLO_TEST_SEED=<seed> runs that one alone, and with
// COLO_TEST_LIVES=<n> so many from there on.
#define BOOST_TEST_MODULE core_model
#include "core-datagram-model.h"
#include "core-model.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

using namespace colo_test;

namespace
{

const int ASKS_MAX = 2000;

uint32_t
Environment(const char* name, uint32_t otherwise)
{
    const char* text = std::getenv(name);
    return text ? uint32_t(std::strtoul(text, nullptr, 0)) : otherwise;
}

template <typename Model, typename Script>
std::string
WhatFails(const Script& script)
{
    try
    {
        Model(script).Play();
        return "";
    }
    catch (const Violation& violation)
    {
        return violation.what();
    }
}

template <typename Model, typename Script>
void
Judge(Script script)
{
    std::string what = WhatFails<Model>(script);
    if (what.empty())
    {
        return;
    }
    auto fails = [&](const auto& events) {
        Script shorter = script;
        shorter.events = events;
        return WhatFails<Model>(shorter) == what;
    };
    script.events = Shrink(script.events, fails, ASKS_MAX);
    setenv("COLO_TEST_TRACE", "1", 1);
    WhatFails<Model>(script);
    unsetenv("COLO_TEST_TRACE");
    BOOST_FAIL(what + "\n" + ToText(script));
}

/** Runs one seed, or so many from a fixed one on: the same in every run of the tests. */
template <typename Run>
void
ForSeeds(uint32_t count, Run run)
{
    uint32_t wanted = Environment("COLO_TEST_SEED", 0);
    uint32_t first = wanted ? wanted : 1;
    uint32_t lives = Environment("COLO_TEST_LIVES", wanted ? 1 : count);
    for (uint32_t seed = first; seed < first + lives; seed++)
    {
        BOOST_TEST_CONTEXT("COLO_TEST_SEED=" << seed)
        {
            run(seed);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(no_loss_and_output_commit_in_random_lives)
{
    ForSeeds(1500, [](uint32_t seed) { Judge<StreamModel>(RandomScript(seed)); });
}

BOOST_AUTO_TEST_CASE(udp_icmp_and_other_ip_in_random_orders)
{
    ForSeeds(1500, [](uint32_t seed) { Judge<DatagramModel>(RandomDatagramScript(seed)); });
}
