/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What makes the applications of two guests differ, and that each attribute keeps what it says.
#define BOOST_TEST_MODULE model_divergence

#include "colo-divergence.h"
#include "colo-own-random.h"

#include "ns3/core-module.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;

namespace data = boost::unit_test::data;

namespace
{

using Settings = std::vector<std::pair<std::string, std::string>>;

struct Fixture
{
    Fixture()
    {
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
    }

    ~Fixture()
    {
        Simulator::Destroy();
        Config::Reset();
    }
};

Ptr<ColoDivergence>
Make(const Settings& settings, int64_t stream = 100)
{
    auto divergence = CreateObject<ColoDivergence>();
    for (const auto& [name, value] : settings)
    {
        divergence->SetAttribute(name, StringValue(value));
    }
    divergence->AssignStreams(stream);
    return divergence;
}

/** Do something at a time. */
template <typename Code>
void
At(Time when, Code code)
{
    Simulator::Schedule(when - Simulator::Now(), std::move(code));
    Simulator::Run();
}

/** The tokens of the first turns of some conversations. */
std::vector<uint32_t>
DrawTokens(ColoDivergence& divergence,
           uint32_t conversations,
           uint32_t turns,
           bool isRandom = false)
{
    std::vector<uint32_t> tokens;
    for (uint32_t id = 0; id < conversations; id++)
    {
        for (uint32_t turn = 0; turn < turns; turn++)
        {
            tokens.push_back(divergence.DrawToken(id, turn, isRandom, 0));
        }
    }
    return tokens;
}

/** Which of them are not 0. */
std::vector<bool>
WhichSay(const std::vector<uint32_t>& tokens)
{
    std::vector<bool> say;
    for (uint32_t token : tokens)
    {
        say.push_back(token != 0);
    }
    return say;
}

std::size_t
CountSaying(const std::vector<uint32_t>& tokens)
{
    return tokens.size() - std::count(tokens.begin(), tokens.end(), 0U);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(divergence, Fixture)

BOOST_AUTO_TEST_CASE(off_nothing_differs)
{
    auto off = Make({});
    BOOST_TEST(CountSaying(DrawTokens(*off, 100, 10)) == 0);
    BOOST_TEST(off->GetTokensDrawn() == 0);
    BOOST_TEST(off->GetDelay(Time()) == Time());
    BOOST_TEST(off->GetDelay(MilliSeconds(3)) == MilliSeconds(3));
    BOOST_TEST(off->DrawWriteSize() == ColoDivergence::WHOLE);
    BOOST_TEST(off->DrawQueryId() == 0);
}

// ---- content ----

BOOST_DATA_TEST_CASE(content_is_a_share_of_the_turns, data::make({0.0, 0.01, 0.5, 1.0}), share)
{
    auto divergence = Make({{"Content", std::to_string(share)}});
    const double count = CountSaying(DrawTokens(*divergence, 2000, 10));
    const double deviation = std::sqrt(20000 * share * (1 - share));
    BOOST_TEST(std::abs(count - 20000 * share) <= 4 * deviation);
    BOOST_TEST(divergence->GetTokensDrawn() == count);
}

BOOST_AUTO_TEST_CASE(both_guests_have_random_content_in_the_same_turns)
{
    auto primary = Make({{"Content", "0.3"}}, 100);
    auto secondary = Make({{"Content", "0.3"}}, 200);
    DrawTokens(*primary, 10, 10); // whatever it has drawn before
    const auto ofPrimary = DrawTokens(*primary, 50, 10);
    const auto ofSecondary = DrawTokens(*secondary, 50, 10);
    BOOST_TEST((WhichSay(ofPrimary) == WhichSay(ofSecondary)));
    for (std::size_t i = 0; i < ofPrimary.size(); i++)
    {
        BOOST_TEST((ofPrimary[i] == 0 || ofPrimary[i] != ofSecondary[i]));
    }
}

BOOST_AUTO_TEST_CASE(which_turns_depends_on_the_seed)
{
    auto divergence = Make({{"Content", "0.3"}});
    const auto one = WhichSay(DrawTokens(*divergence, 50, 10));
    RngSeedManager::SetSeed(2);
    BOOST_TEST((WhichSay(DrawTokens(*divergence, 50, 10)) != one));
}

// Both the conversation and the turn count, in different ways.
BOOST_AUTO_TEST_CASE(which_turns_follows_no_pattern)
{
    auto divergence = Make({{"Content", "0.5"}});
    const auto say = WhichSay(DrawTokens(*divergence, 64, 64));
    std::set<std::vector<bool>> rows;
    std::set<std::vector<bool>> columns;
    for (int i = 0; i < 64; i++)
    {
        std::vector<bool> row;
        std::vector<bool> column;
        for (int k = 0; k < 64; k++)
        {
            row.push_back(say[64 * i + k]);
            column.push_back(say[64 * k + i]);
        }
        rows.insert(row);
        columns.insert(column);
    }
    BOOST_TEST(rows.size() == 64);
    BOOST_TEST(columns.size() == 64);
}

BOOST_AUTO_TEST_CASE(a_turn_that_the_script_wants_random_is)
{
    auto primary = Make({}, 100);
    auto secondary = Make({}, 200);
    auto again = Make({}, 100);
    const auto tokens = DrawTokens(*primary, 100, 10, true);
    BOOST_TEST(CountSaying(tokens) == tokens.size());
    BOOST_TEST(std::set<uint32_t>(tokens.begin(), tokens.end()).size() == tokens.size());
    BOOST_TEST((DrawTokens(*secondary, 100, 10, true) != tokens));
    BOOST_TEST((DrawTokens(*again, 100, 10, true) == tokens));
    for (uint32_t token : tokens)
    {
        BOOST_TEST((token & 0xff) != 0U); // see ColoMask
    }
}

// ---- dates and counters ----

BOOST_AUTO_TEST_CASE(dates_differ_when_the_unit_ends_in_between)
{
    auto primary = Make({{"DateGranularity", "1s"}}, 100);
    auto secondary = Make({{"DateGranularity", "1s"}}, 200);
    uint32_t first = 0;
    At(MilliSeconds(5000), [&] { first = primary->DrawToken(1, 2, false, 0); });
    BOOST_TEST(first != 0U);
    At(NanoSeconds(5999999999), [&] { BOOST_TEST(secondary->DrawToken(1, 2, false, 0) == first); });
    At(Seconds(6), [&] { BOOST_TEST(secondary->DrawToken(1, 2, false, 0) != first); });
    BOOST_TEST(secondary->GetTokensDrawn() == 2);
}

BOOST_AUTO_TEST_CASE(the_counter_differs_when_others_came_first)
{
    auto primary = Make({{"SharedCounter", "true"}}, 100);
    auto secondary = Make({{"SharedCounter", "true"}}, 200);
    const uint32_t token = primary->DrawToken(1, 2, false, 7);
    BOOST_TEST(token != 0U);
    BOOST_TEST(secondary->DrawToken(1, 2, false, 7) == token);
    BOOST_TEST(secondary->DrawToken(1, 2, false, 8) != token);
}

BOOST_AUTO_TEST_CASE(random_content_does_not_hide_dates_nor_counters)
{
    std::set<uint32_t> tokens;
    for (uint64_t served : {0, 1})
    {
        for (int second : {1, 2})
        {
            auto both = Make({{"DateGranularity", "1s"}, {"SharedCounter", "true"}});
            At(Seconds(second + 2 * served),
               [&] { tokens.insert(both->DrawToken(1, 2, false, served)); });
        }
    }
    BOOST_TEST(tokens.size() == 4);
}

// ---- time ----

BOOST_AUTO_TEST_CASE(a_pause_ends_at_a_tick)
{
    auto divergence = Make({{"TimerTick", "4ms"}});
    std::set<Time> phases;
    for (int i = 0; i < 100; i++)
    {
        At(MicroSeconds(1000 + 1237 * i), [&] {
            const Time pause = MicroSeconds(1500);
            const Time delay = divergence->GetDelay(pause);
            BOOST_TEST(delay >= pause);
            BOOST_TEST(delay < pause + MilliSeconds(4));
            phases.insert(Rem(Simulator::Now() + delay, MilliSeconds(4)));
        });
    }
    BOOST_TEST(phases.size() == 1);
    BOOST_TEST(divergence->GetDelay(Time()) == Time()); // no pause, no timer
    auto other = Make({{"TimerTick", "4ms"}}, 200);
    BOOST_TEST(other->GetDelay(MilliSeconds(1)) != divergence->GetDelay(MilliSeconds(1)));
}

BOOST_AUTO_TEST_CASE(a_pause_that_ends_on_a_tick_is_not_longer)
{
    auto divergence = Make({{"TimerTick", "4ms"}});
    const Time tick = divergence->GetDelay(NanoSeconds(1));
    BOOST_TEST(divergence->GetDelay(tick) == tick);
    BOOST_TEST(divergence->GetDelay(tick + MilliSeconds(4)) == tick + MilliSeconds(4));
    BOOST_TEST(divergence->GetDelay(tick + NanoSeconds(1)) == tick + MilliSeconds(4));
}

BOOST_AUTO_TEST_CASE(scheduling_jitter_is_added)
{
    auto divergence =
        Make({{"SchedulingJitter", "ns3::UniformRandomVariable[Min=0.001|Max=0.002]"}});
    std::set<Time> delays;
    for (int i = 0; i < 100; i++)
    {
        const Time delay = divergence->GetDelay(MilliSeconds(10));
        BOOST_TEST(delay >= MilliSeconds(11));
        BOOST_TEST(delay <= MilliSeconds(12));
        delays.insert(delay);
    }
    BOOST_TEST(delays.size() > 90);
    auto negative = Make({{"SchedulingJitter", "ns3::ConstantRandomVariable[Constant=-1]"}});
    BOOST_TEST(negative->GetDelay(MilliSeconds(10)) == MilliSeconds(10));
}

// ---- writes and queries ----

BOOST_DATA_TEST_CASE(write_sizes_are_at_least_one_byte,
                     data::make({"0.5", "1", "1460", "1e12", "-3"}) ^
                         data::make({~0U, 1U, 1460U, ~0U, ~0U}),
                     drawn,
                     size)
{
    auto divergence =
        Make({{"WriteSize", std::string("ns3::ConstantRandomVariable[Constant=") + drawn + "]"}});
    BOOST_TEST(divergence->DrawWriteSize() == size);
}

BOOST_AUTO_TEST_CASE(query_ids_are_drawn_and_never_0)
{
    auto primary = Make({{"RandomQueryIds", "true"}}, 100);
    auto secondary = Make({{"RandomQueryIds", "true"}}, 200);
    int same = 0;
    for (int i = 0; i < 20000; i++)
    {
        const uint16_t id = primary->DrawQueryId();
        BOOST_TEST(id != 0);
        same += id == secondary->DrawQueryId();
    }
    BOOST_TEST(same < 10);
}

// ---- streams ----

const std::vector<Settings> RANDOM = {
    {{"SchedulingJitter", "ns3::UniformRandomVariable[Min=0|Max=1]"}},
    {{"WriteSize", "ns3::UniformRandomVariable[Min=1|Max=1000000]"}},
    {{"RandomQueryIds", "true"}},
    {{"Content", "1"}},
    {{"TimerTick", "1s"}},
};

std::vector<int64_t>
DrawAll(ColoDivergence& divergence)
{
    std::vector<int64_t> values;
    for (uint32_t i = 0; i < 10; i++)
    {
        values.push_back(divergence.GetDelay(NanoSeconds(1)).GetTimeStep());
        values.push_back(divergence.DrawWriteSize());
        values.push_back(divergence.DrawQueryId());
        values.push_back(divergence.DrawToken(i, 0, false, 0));
    }
    return values;
}

BOOST_DATA_TEST_CASE(a_stream_gives_the_same_again_and_another_another,
                     data::xrange(RANDOM.size()),
                     i)
{
    const auto values = DrawAll(*Make(RANDOM[i], 100));
    BOOST_TEST((DrawAll(*Make(RANDOM[i], 100)) == values));
    BOOST_TEST((DrawAll(*Make(RANDOM[i], 103)) != values));
}

// A default is one object for both guests.
BOOST_DATA_TEST_CASE(what_a_guest_draws_does_not_depend_on_the_other,
                     data::xrange(RANDOM.size()),
                     i)
{
    for (const auto& [name, value] : RANDOM[i])
    {
        Config::SetDefault("ns3::ColoDivergence::" + name, StringValue(value));
    }
    auto primary = Make({}, 100);
    const auto values = DrawAll(*primary);
    auto first = Make({}, 100);
    auto other = Make({}, 200);
    BOOST_TEST((DrawAll(*other) != values));
    BOOST_TEST((DrawAll(*first) == values));
}

BOOST_AUTO_TEST_SUITE_END()

// ---- random variables of one's own ----

BOOST_FIXTURE_TEST_SUITE(own_random, Fixture)

BOOST_AUTO_TEST_CASE(copies_have_all_attributes_and_their_own_stream)
{
    auto shared = CreateObject<NormalRandomVariable>();
    shared->SetAttribute("Mean", DoubleValue(5));
    shared->SetAttribute("Bound", DoubleValue(2));
    shared->SetAttribute("Antithetic", BooleanValue(true));
    auto one = ColoOwnRandom(shared);
    auto two = ColoOwnRandom(shared);
    BOOST_TEST(one != shared);
    BOOST_TEST(DynamicCast<NormalRandomVariable>(one)->GetMean() == 5);
    BOOST_TEST(DynamicCast<NormalRandomVariable>(one)->GetBound() == 2);
    BOOST_TEST(one->IsAntithetic());
    shared->SetStream(7);
    one->SetStream(7);
    two->SetStream(8);
    for (int i = 0; i < 10; i++)
    {
        const double value = shared->GetValue();
        BOOST_TEST(one->GetValue() == value);
        BOOST_TEST(two->GetValue() != value);
    }
}

BOOST_AUTO_TEST_CASE(those_with_values_that_are_no_attributes_stay_shared)
{
    auto shared = CreateObject<DeterministicRandomVariable>();
    BOOST_TEST(ColoOwnRandom(shared) == shared);
    auto empirical = CreateObject<EmpiricalRandomVariable>();
    BOOST_TEST(ColoOwnRandom(empirical) == empirical);
}

BOOST_AUTO_TEST_SUITE_END()
