/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// How a guest's telling of the script differs from another one, and what the client makes of it.
#define BOOST_TEST_MODULE model_dialogue_token
#include "model-dialogue.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

namespace
{

namespace data = boost::unit_test::data;

using Bytes = std::vector<uint8_t>;

constexpr uint32_t ID = 3;
const std::vector<uint32_t> TOKENS = {0x01, 0xff, 0x100ff, 0xa1b2c3d4};

Bytes
Script(uint64_t position, std::size_t size)
{
    Bytes bytes(size);
    ColoDialogueFill(ID, true, position, bytes.data(), size);
    return bytes;
}

/** A turn as a guest tells it that writes up to a place, then on. */
Bytes
Tell(uint32_t token, uint64_t position, std::size_t size, std::size_t split)
{
    Bytes bytes = Script(position, size);
    ColoMask mask(token);
    mask.Apply(0, bytes.data(), split);
    mask.Apply(split, bytes.data() + split, size - split);
    return bytes;
}

struct Heard
{
    uint32_t token;
    std::size_t wrong;
};

/** What a client makes of a turn that comes in two parts. */
Heard
Hear(Bytes bytes, uint64_t position, std::size_t split)
{
    ColoMask mask;
    ColoDialogueUnmask(ID, position, mask, 0, bytes.data(), split);
    ColoDialogueUnmask(ID,
                       position + split,
                       mask,
                       split,
                       bytes.data() + split,
                       bytes.size() - split);
    return {mask.GetToken(), ColoDialogueCheck(ID, true, position, bytes.data(), bytes.size())};
}

/** A turn that must be random, one that must not, both long enough to fill several segments. */
std::shared_ptr<const ColoDialogue>
RandomAndNot()
{
    return OneConversation({{false, 10, Time(0)},
                            {true, 5000, Time(0), true},
                            {false, 10, Time(0)},
                            {true, 5000, Time(0)}},
                           ColoCloser::CLIENT);
}

} // namespace

BOOST_AUTO_TEST_SUITE(mask)

BOOST_DATA_TEST_CASE(a_token_is_learned_wherever_the_turn_is_cut, data::make(TOKENS), token)
{
    for (std::size_t size : {1, 2, 3, 4, 5, 8, 9, 40})
    {
        for (uint64_t position : {0U, 5U, 1003U})
        {
            const Bytes whole = Tell(token, position, size, 0);
            const uint32_t said = size < 4 ? token & ((1U << size * 8) - 1) : token;
            for (std::size_t split = 0; split <= size; split++)
            {
                BOOST_TEST(Tell(token, position, size, split) == whole,
                           boost::test_tools::per_element());
                const Heard heard = Hear(whole, position, split);
                BOOST_TEST(heard.token == said);
                BOOST_TEST(heard.wrong == 0U);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(no_token_changes_nothing)
{
    BOOST_TEST(Tell(0, 5, 100, 50) == Script(5, 100), boost::test_tools::per_element());
    BOOST_TEST(Hear(Script(5, 100), 5, 50).token == 0U);
}

BOOST_AUTO_TEST_CASE(tellings_differ_from_their_first_byte_on_in_nearly_all)
{
    constexpr std::size_t SIZE = 4096;
    const Bytes script = Script(0, SIZE);
    for (uint32_t token : TOKENS)
    {
        const Bytes told = Tell(token, 0, SIZE, 0);
        std::size_t same = 0;
        for (std::size_t i = 0; i < SIZE; i++)
        {
            same += told[i] == script[i];
        }
        BOOST_TEST(told[0] != script[0]);
        BOOST_TEST(same < 64U); // 16 are expected
    }
}

BOOST_AUTO_TEST_CASE(a_turn_that_goes_on_in_another_telling_is_noticed)
{
    constexpr std::size_t SIZE = 60;
    for (uint32_t other : {0x00000000U, 0xa1b2c3d5U, 0xa1b2c4d4U, 0x51b2c3d4U})
    {
        const Bytes one = Tell(0xa1b2c3d4, 9, SIZE, 0);
        const Bytes another = Tell(other, 9, SIZE, 0);
        for (std::size_t split = 0; split <= SIZE; split++)
        {
            Bytes mixed(one.begin(), one.begin() + split);
            mixed.insert(mixed.end(), another.begin() + split, another.end());
            if (mixed != one && mixed != another)
            {
                BOOST_TEST(Hear(mixed, 9, 7).wrong > 0U, "from byte " << split << " on");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_byte_behind_the_token_is_noticed)
{
    constexpr std::size_t SIZE = 60;
    for (std::size_t i = 0; i < SIZE; i++)
    {
        Bytes told = Tell(0xa1b2c3d4, 9, SIZE, 0);
        told[i] ^= 4;
        // Before it, the token itself is wrong, and so is what follows.
        BOOST_TEST(Hear(told, 9, 11).wrong >= (i < ColoMask::TOKEN_BYTES ? 40U : 1U));
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(play)

BOOST_DATA_TEST_CASE_F(Link, content_has_its_share_of_the_turns, data::make({0.0, 0.1, 1.0}), p)
{
    constexpr uint32_t RESPONSES = 2000;
    Diverge("Content", std::to_string(p));
    auto dialogue = Share(ColoMakeRequestResponse({RESPONSES, 20, 50, 200, Time(0), 80}));
    Play(dialogue);
    CheckAllRight(*dialogue);
    const double sigma = std::sqrt(RESPONSES * p * (1 - p));
    BOOST_TEST(std::abs(server->GetTurnsDiverged() - RESPONSES * p) <= 4 * sigma);
    BOOST_TEST(diverged.size() == server->GetTurnsDiverged());
}

BOOST_FIXTURE_TEST_CASE(a_token_where_none_may_be_is_a_data_error, Link)
{
    Diverge("Content", "1");
    client->SetAttribute("AcceptsTokens", BooleanValue(false));
    Play(RandomAndNot());
    BOOST_TEST(server->GetTurnsDiverged() == 2U);
    BOOST_REQUIRE(client->GetFirstDataError().has_value());
    BOOST_TEST(client->GetFirstDataError()->position == 5000U);
    BOOST_TEST(client->GetDataErrors() > 4900U);
    BOOST_TEST(client->GetDataErrors() <= 5000U);
}

BOOST_FIXTURE_TEST_CASE(a_random_turn_is_random_though_all_else_is_off, Link)
{
    Diverge("Content", "0");
    auto dialogue = RandomAndNot();
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST((diverged == std::set<std::pair<uint32_t, uint32_t>>{{0, 1}}));
}

BOOST_FIXTURE_TEST_CASE(a_server_without_divergence_keeps_to_the_script, Link)
{
    Hear();
    Play(RandomAndNot());
    Bytes script(10000);
    ColoDialogueFill(0, true, 0, script.data(), script.size());
    BOOST_TEST(heard.at(ColoDialogue::FIRST_CLIENT_PORT) == script,
               boost::test_tools::per_element());
    BOOST_TEST(server->GetTurnsDiverged() == 0U);
}

BOOST_AUTO_TEST_CASE(guests_send_the_same_at_the_same_times_unless_they_diverge)
{
    auto dialogue = Share(ColoMakeRequestResponse({40, 4, 300, 5000, MilliSeconds(1), 80}));
    const auto play = [&](const std::string& attribute, const std::string& value, int64_t stream) {
        Link link;
        link.Diverge(attribute, value, stream);
        link.Hear();
        link.Play(dialogue);
        link.CheckAllRight(*dialogue);
        return std::pair(link.heard, link.segments);
    };
    const auto plain = play("Content", "0", 50);
    BOOST_TEST((play("Content", "0", 60) == plain));
    // What moves packets leaves the bytes as they are.
    const std::string jitter = "ns3::UniformRandomVariable[Min=0|Max=0.01]";
    const auto late = play("SchedulingJitter", jitter, 50);
    BOOST_TEST((late.first == plain.first));
    BOOST_TEST((late.second != plain.second));
    BOOST_TEST((play("SchedulingJitter", jitter, 60).second != late.second));
    BOOST_TEST((play("SchedulingJitter", jitter, 50) == late));
    // What has tokens does not, and each guest draws its own.
    const auto random = play("Content", "0.3", 50);
    BOOST_TEST((random.first != plain.first));
    BOOST_TEST((play("Content", "0.3", 60).first != random.first));
    BOOST_TEST((play("Content", "0.3", 50) == random));
}

BOOST_DATA_TEST_CASE_F(Link, every_turn_is_asked_for_its_delay, data::make({0, 7}), pauseMs)
{
    Diverge("SchedulingJitter", "ns3::ConstantRandomVariable[Constant=0.005]");
    Play(OneConversation({{false, 10, Time(0)}, {true, 10, MilliSeconds(pauseMs)}},
                         ColoCloser::CLIENT));
    BOOST_REQUIRE(latencies.size() == 1U);
    BOOST_TEST(latencies[0].GetMilliSeconds() == 2 + 5 + pauseMs);
}

BOOST_FIXTURE_TEST_CASE(writes_have_their_size, Link)
{
    Diverge("WriteSize", "ns3::ConstantRandomVariable[Constant=70]");
    Hear();
    auto dialogue =
        OneConversation({{false, 10, Time(0)}, {true, 360, Time(0)}}, ColoCloser::CLIENT);
    Play(dialogue);
    CheckAllRight(*dialogue);
    std::vector<std::size_t> sizes;
    for (const auto& segment : segments)
    {
        sizes.push_back(segment.second);
    }
    BOOST_TEST(sizes == (std::vector<std::size_t>{70, 70, 70, 70, 70, 10}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(writes_of_any_size_tell_one_turn, Link)
{
    Diverge("WriteSize", "ns3::UniformRandomVariable[Min=0|Max=3000]");
    nodes.Get(1)->GetObject<ColoDivergence>()->SetAttribute("Content", DoubleValue(1));
    client->SetAttribute("AcceptsTokens", BooleanValue(true));
    auto dialogue = Share(ColoMakeRequestResponse({6, 2, 50, 400000, Time(0), 80}));
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(server->GetTurnsDiverged() == 6U);
}

BOOST_AUTO_TEST_SUITE_END()
