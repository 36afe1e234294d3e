/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Conversations by UDP between a client and a guest, on a wire that may do anything to them.
#define BOOST_TEST_MODULE model_datagram
#include "model-abort.h"
#include "model-datagram-wire.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>

namespace
{

namespace data = boost::unit_test::data;

constexpr auto CLIENT = ColoOpener::CLIENT;
constexpr auto GUEST = ColoOpener::GUEST;

} // namespace

BOOST_DATA_TEST_CASE(plays_every_turn,
                     data::make({false, true}) * data::make({false, true}),
                     useIpv6,
                     me)
{
    const ColoOpener opener = me ? GUEST : CLIENT;
    ColoConversation mixed = Converse(opener,
                                      {{me, 100, Time()},
                                       {me, 1, Time()}, // one-way turns have no answer
                                       {me, 8, MilliSeconds(3)},
                                       {!me, 1400, Time()},
                                       {me, 7, Time()},
                                       {!me, 1, MilliSeconds(4)},
                                       {me, 1400, Time()}});
    ColoConversation later = Queries(opener, 2);
    later.start = MilliSeconds(50);
    ColoConversation follower = Queries(opener);
    follower.after = 1;
    follower.start = MilliSeconds(7);
    follower.serverPort = 5353;
    ColoConversation tcp = Queries(opener);
    tcp.transport = ColoTransport::TCP;
    Wire wire(useIpv6);
    wire.Play(Share({mixed, later, follower, tcp}, 4711));
    wire.CheckAllRight(2 + 2 + 1);
    const uint64_t asked = 100 + (1 + 8) + 8 + (7 + 8) + 1400 + 3 * 40;
    const uint64_t answered = 1400 + (1 + 8) + 3 * 300;
    BOOST_TEST(wire.asker->GetBytesSent() == asked);
    BOOST_TEST(wire.answerer->GetBytesReceived() == asked);
    BOOST_TEST(wire.answerer->GetBytesSent() == answered);
    BOOST_TEST(wire.asker->GetBytesReceived() == answered);
    BOOST_TEST(wire.asker->GetTurnsSent() == 8U);
    BOOST_TEST(wire.answerer->GetTurnsSent() == 5U);
    BOOST_TEST(wire.asker->GetRepeats() == 0U);
    const Datagram& last = wire.seen.back();
    BOOST_TEST(last.Header().id == 4713U);
    BOOST_TEST(last.Header().turn == 1U);
    BOOST_TEST(last.fromPort == 5353U);
    // It was asked after: start, 50 ms, two round trips of 4 ms for which addresses are known, 7
    // ms.
    BOOST_TEST((last.at - MilliSeconds(1)).GetMilliSeconds() == 10 + 50 + 8 + 7 + 2);
}

BOOST_FIXTURE_TEST_CASE(repeats_what_was_lost, Wire)
{
    // The first question, then the answer to the second.
    meddle = [this](Datagram&) { return seen.size() == 1 || seen.size() == 3 ? 0 : 1; };
    Add(Share({Queries(CLIENT)}));
    asker->SetAttribute("RetryAfter", TimeValue(MilliSeconds(700)));
    Run();
    CheckAllRight(1);
    BOOST_TEST(asker->GetRepeats() == 2U);
    BOOST_TEST(asker->GetTurnsSent() == 1U);
    BOOST_TEST(answerer->GetTurnsSent() == 1U);
    BOOST_TEST_REQUIRE(seen.size() == 5U);
    BOOST_TEST((seen[1].at - seen[0].at).GetMilliSeconds() == 700 - 4); // less ARP
    BOOST_TEST((seen[3].at - seen[1].at).GetMilliSeconds() == 700);
    BOOST_TEST(latencies.at(0).GetMilliSeconds() == 1400 + 4);
}

BOOST_FIXTURE_TEST_CASE(gives_up_in_the_end, Wire)
{
    meddle = [](Datagram& datagram) { return datagram.Header().id != 0; };
    ColoConversation follower = Queries(CLIENT);
    follower.after = 0;
    Play(Share({Queries(CLIENT, 3), follower, Queries(CLIENT)}));
    BOOST_TEST(asker->GetRepeats() == 5U);
    BOOST_TEST(asker->GetFailures() == 1U);
    BOOST_TEST(asker->GetRequestsCompleted() == 2U);
    BOOST_TEST(asker->IsFinished());
    BOOST_TEST(finished == 1U);
    BOOST_TEST(seen.back().Header().id == 1U);
    BOOST_TEST(seen.back().at.GetMilliSeconds() == 10 + 6 * 1000 + 3);
}

BOOST_FIXTURE_TEST_CASE(counts_repeats_by_question, Wire)
{
    std::map<uint16_t, int> asked;
    meddle = [&](Datagram& datagram) {
        return datagram.fromGuest || ++asked[datagram.Header().turn] > 4;
    };
    Play(Share({Queries(CLIENT, 3)}));
    CheckAllRight(3);
    BOOST_TEST(asker->GetRepeats() == 12U);
}

BOOST_FIXTURE_TEST_CASE(an_answer_is_to_the_last_question, Wire)
{
    meddle = [this](Datagram& datagram) {
        if (datagram.fromGuest && seen.size() < 5)
        {
            datagram.payload[5] = 3; // the turn
        }
        return 1;
    };
    Play(Share({Queries(CLIENT, 2)}));
    CheckAllRight(2);
    BOOST_TEST(asker->GetUnexpected() == 2U);
}

BOOST_FIXTURE_TEST_CASE(duplicates_do_no_harm, Wire)
{
    meddle = [](Datagram&) { return 2; };
    Play(Share({Queries(CLIENT, 3, MilliSeconds(1))}));
    CheckAllRight(3);
    // A question that comes twice before its answer is answered once, an answer comes twice.
    BOOST_TEST(asker->GetUnexpected() == 2U); // the last one finds the port closed
    BOOST_TEST(Sent(true).size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(what_comes_late_is_not_answered, Wire)
{
    // The first question comes once more after the second.
    std::vector<uint8_t> first;
    meddle = [&](Datagram& datagram) {
        if (!datagram.fromGuest && seen.size() == 1)
        {
            first = datagram.payload;
        }
        if (!datagram.fromGuest && datagram.Header().turn == 4)
        {
            datagram.payload = first;
        }
        return 1;
    };
    Play(Share({Queries(CLIENT, 2, Time()), Queries(CLIENT, 3, Time())}));
    BOOST_TEST(answerer->GetUnexpected() == 6U);
    BOOST_TEST(answerer->GetDataErrors() == 0U);
    BOOST_TEST(asker->GetFailures() == 1U);
    BOOST_TEST(asker->GetRequestsCompleted() == 4U);
}

BOOST_DATA_TEST_CASE(wrong_bytes_are_noticed, data::make({false, true}), useIpv6)
{
    for (std::size_t at : {8, 11, 12, 200, 299})
    {
        for (bool fromGuest : {false, true})
        {
            Wire wire(useIpv6);
            wire.meddle = [&](Datagram& datagram) {
                if (datagram.fromGuest == fromGuest)
                {
                    datagram.payload[at % datagram.payload.size()] ^= 0x10;
                }
                return 1;
            };
            if (at % 40 < 8 && !fromGuest)
            {
                continue; // not in a question's content
            }
            wire.Play(Share({Queries(CLIENT, 2)}));
            BOOST_TEST_CONTEXT("byte " << at << (fromGuest ? " from guest" : " from client"))
            {
                BOOST_TEST(wire.asker->GetDataErrors() == (fromGuest ? 2U : 0U));
                BOOST_TEST(wire.answerer->GetDataErrors() == (fromGuest ? 0U : 2U));
                BOOST_TEST(wire.asker->GetRequestsCompleted() == 2U);
            }
        }
    }
}

BOOST_FIXTURE_TEST_CASE(wrong_sizes_are_noticed, Wire)
{
    // The two sides have other scripts.
    asker = AddAsker(false, Share({Converse(CLIENT, {{false, 40, Time()}, {true, 100, Time()}})}));
    answerer =
        AddAnswerer(true, Share({Converse(CLIENT, {{false, 43, Time()}, {true, 95, Time()}})}));
    Run();
    BOOST_TEST(answerer->GetDataErrors() == 3U);
    BOOST_TEST(asker->GetDataErrors() == 5U);
}

BOOST_FIXTURE_TEST_CASE(a_wrong_port_is_noticed, Wire)
{
    std::vector<ColoConversation> two(2, Queries(CLIENT));
    two[1].serverPort = 54;
    answerer = AddAnswerer(true, Share(two));
    two[0].serverPort = 54;
    asker = AddAsker(false, Share({two[0]}));
    Run();
    BOOST_TEST(answerer->GetUnexpected() == 6U);
    BOOST_TEST(asker->GetFailures() == 1U);
}

BOOST_DATA_TEST_CASE(a_wrong_header_is_not_taken, data::xrange(8), at)
{
    Wire wire;
    wire.meddle = [&](Datagram& datagram) {
        // An answerer cannot know the query's id.
        if (wire.seen.size() == (at < 6 ? 1 : 2) && datagram.payload.size() > 8)
        {
            datagram.payload[at] ^= 0x40;
        }
        return 1;
    };
    wire.Play(Share({Queries(CLIENT), Queries(GUEST)}));
    wire.CheckAllRight(1);
    BOOST_TEST(wire.asker->GetRepeats() == 1U);
    BOOST_TEST(wire.asker->GetUnexpected() + wire.answerer->GetUnexpected() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_random_turn_may_say_a_token, Wire)
{
    Diverge();
    Play(Share({Converse(CLIENT,
                         {{false, 40, Time()},
                          {true, 300, Time(), true},
                          {false, 40, Time()},
                          {true, 11, Time(), true}, // the header and not all of the token
                          {false, 40, Time()},
                          {true, 300, Time()}})}));
    CheckAllRight(3);
    BOOST_TEST(answerer->GetTurnsDiverged() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_random_turn_is_of_one_piece, Wire)
{
    Diverge();
    meddle = [](Datagram& datagram) {
        datagram.payload[100 % datagram.payload.size()] ^= datagram.fromGuest;
        return 1;
    };
    Play(Share({Converse(CLIENT, {{false, 40, Time()}, {true, 300, Time(), true}})}));
    BOOST_TEST(asker->GetDataErrors() == 1U);
}

BOOST_DATA_TEST_CASE(tokens_are_errors_unless_accepted, data::make({false, true}), accepts)
{
    Wire wire;
    wire.Diverge()->SetAttribute("Content", DoubleValue(1));
    wire.Add(Share({Queries(CLIENT, 2)}));
    wire.asker->SetAttribute("AcceptsTokens", BooleanValue(accepts));
    wire.Run();
    BOOST_TEST(wire.answerer->GetTurnsDiverged() == 2U);
    BOOST_TEST(wire.asker->GetRequestsCompleted() == 2U);
    if (accepts)
    {
        BOOST_TEST(wire.asker->GetDataErrors() == 0U);
    }
    else
    {
        BOOST_TEST(wire.asker->GetDataErrors() > 500U);
    }
}

BOOST_FIXTURE_TEST_CASE(a_repeated_question_gets_the_same_answer, Wire)
{
    auto divergence = Diverge();
    divergence->SetAttribute("SharedCounter", BooleanValue(true));
    meddle = [](Datagram& datagram) { return !(datagram.fromGuest && datagram.at < Seconds(3)); };
    ColoConversation other = Converse(CLIENT, {{false, 40, Time()}, {true, 40, Time(), true}});
    Play(Share({Converse(CLIENT, {{false, 40, Time()}, {true, 300, Time(), true}}), other}));
    CheckAllRight(2);
    std::map<uint32_t, std::set<std::vector<uint8_t>>> answers;
    for (const Datagram& datagram : Sent(true))
    {
        answers[datagram.Header().id].insert(datagram.payload);
    }
    BOOST_TEST(Sent(true).size() == 8U);
    BOOST_TEST(answers[0].size() == 1U);
    BOOST_TEST(answers[1].size() == 1U);
}

BOOST_DATA_TEST_CASE(a_guest_asks_from_ephemeral_ports, data::make({false, true}), isRandom)
{
    Wire wire;
    auto divergence = wire.Diverge();
    divergence->SetAttribute("RandomQueryIds", BooleanValue(isRandom));
    divergence->SetAttribute("Content", DoubleValue(isRandom));
    wire.meddle = [&](Datagram&) { return wire.seen.size() > 10; };
    std::vector<ColoConversation> many(20, Queries(GUEST, 2));
    many[1].clientPort = 20000; // means nothing
    for (std::size_t i = 0; i < many.size(); i++)
    {
        many[i].start = MilliSeconds(5 * i); // not more at once than wait for ARP
    }
    wire.Add(Share(many));
    wire.answerer->SetAttribute("AcceptsTokens", BooleanValue(true));
    wire.Run();
    wire.CheckAllRight(40);
    BOOST_TEST(wire.asker->GetRepeats() == 10U);
    std::map<uint32_t, std::set<uint16_t>> ports;
    std::map<std::pair<uint32_t, uint16_t>, std::set<std::vector<uint8_t>>> questions;
    std::set<uint16_t> ids;
    std::set<uint16_t> allPorts;
    for (const Datagram& datagram : wire.Sent(true))
    {
        const ColoDatagramHeader header = datagram.Header();
        ports[header.id].insert(datagram.fromPort);
        allPorts.insert(datagram.fromPort);
        questions[{header.id, header.turn}].insert(datagram.payload);
        ids.insert(header.query);
    }
    BOOST_TEST(*allPorts.begin() >= 49152U);
    BOOST_TEST(allPorts.size() == 20U);
    for (const auto& [id, own] : ports)
    {
        BOOST_TEST(own.size() == 1U);
    }
    for (const auto& [which, tellings] : questions)
    {
        BOOST_TEST(tellings.size() == 1U); // with its id and its token
    }
    if (isRandom)
    {
        BOOST_TEST(ids.size() > 35U);
    }
    else
    {
        BOOST_TEST((ids == std::set<uint16_t>{1, 2}));
    }
}

BOOST_FIXTURE_TEST_CASE(a_client_asks_from_the_scripts_port, Wire)
{
    std::vector<ColoConversation> many(4, Queries(CLIENT, 2));
    many[0].clientPort = 20000;
    many[1].clientPort = 20000; // at the same time
    many[2].clientPort = 20000; // reused
    many[2].after = 0;
    many[2].start = Seconds(1);
    Play(Share(many));
    CheckAllRight(8);
    for (const Datagram& datagram : seen)
    {
        const uint16_t port = datagram.fromGuest ? datagram.toPort : datagram.fromPort;
        BOOST_TEST((datagram.Header().id == 3 ? port >= 49152 : port == 20000));
    }
}

BOOST_FIXTURE_TEST_CASE(each_plays_its_own_conversations, Wire)
{
    std::vector<ColoConversation> all{Queries(CLIENT),
                                      Queries(CLIENT),
                                      Queries(GUEST),
                                      Queries(GUEST)};
    all[1].client = 1;
    all[3].client = 1;
    all[3].serverPort = 54;
    auto dialogue = Share(all);
    auto none = AddAsker(false, Share({Queries(GUEST)}));
    AddAnswerer(true, dialogue);
    for (uint32_t client : {0, 1})
    {
        auto asks = AddAsker(false, dialogue);
        asks->SetAttribute("Client", UintegerValue(client));
        auto guestAsks = AddAsker(true, dialogue);
        guestAsks->SetAttribute("Client", UintegerValue(client));
        auto answers = AddAnswerer(false, dialogue);
        answers->SetAttribute("Client", UintegerValue(client));
    }
    Run();
    BOOST_TEST(latencies.size() == 4U);
    BOOST_TEST(finished == 5U);
    BOOST_TEST(none->IsFinished());
    BOOST_TEST(seen.size() == 8U);
}

BOOST_FIXTURE_TEST_CASE(the_guests_timer_delays_its_turns, Wire)
{
    auto divergence = Diverge();
    divergence->SetAttribute("SchedulingJitter",
                             StringValue("ns3::ConstantRandomVariable[Constant=0.02]"));
    Add(Share({Queries(CLIENT, 2, MilliSeconds(5))}));
    const auto guestAsks = Share({Queries(GUEST)});
    AddAsker(true, guestAsks);
    AddAnswerer(false, guestAsks);
    Run();
    BOOST_TEST(asker->GetRequestsCompleted() == 2U);
    const Time guestAsked = Sent(true).at(0).at;
    BOOST_TEST(guestAsked.GetMilliSeconds() == 10 + 20 + 4 + 1); // ARP's round trip is 4 ms
    BOOST_TEST(latencies.back().GetMilliSeconds() == 4 + 5 + 20);
}

BOOST_AUTO_TEST_CASE(says_what_cannot_be_played)
{
    const auto says = [](std::vector<ColoConversation> conversations) {
        return AbortMessage([&] {
            Wire wire;
            wire.Play(Share(conversations));
        });
    };
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    auto one = [](std::vector<ColoTurn> turns) {
        return std::vector<ColoConversation>{Converse(CLIENT, std::move(turns))};
    };
    BOOST_TEST(has(says(one({{false, 1401, Time()}})),
                   "conversation 0 by UDP has a turn of 1401 bytes; a datagram takes 1 to 1400"));
    BOOST_TEST(has(says(one({{false, 0, Time()}})), "a turn of 0 bytes"));
    BOOST_TEST(has(says(one({{true, 9, Time()}})), "has an answer to no question"));
    BOOST_TEST(has(says(one({{false, 9, Time()}, {true, 9, Time()}, {true, 9, Time()}})),
                   "has an answer to no question"));
    BOOST_TEST(has(says(one(std::vector<ColoTurn>(65536, {false, 9, Time()}))),
                   "has 65536 turns, more than can be numbered"));
    std::vector<ColoConversation> two{Queries(CLIENT), Queries(CLIENT)};
    two[1].serverPort = 0;
    BOOST_TEST(has(says(two), "conversation 1 by UDP has no server port"));
    two[1] = two[0];
    two[0].after = 1;
    BOOST_TEST(has(says(two), "conversation 0 by UDP follows conversation 1, which is no earlier"));
    two[0] = Queries(GUEST);
    two[1].after = 0;
    BOOST_TEST(has(AbortMessage([&] {
                       Wire wire;
                       wire.AddAsker(false, Share(two));
                       wire.Run();
                   }),
                   "conversation 1 by UDP follows conversation 0, which is no earlier"));
    BOOST_TEST(has(AbortMessage([] {
                       Wire wire;
                       wire.AddAsker(false, Share({Queries(CLIENT)}))
                           ->SetAttribute("RemoteAddress", AddressValue(Mac48Address::Allocate()));
                       wire.Run();
                   }),
                   "RemoteAddress of a datagram application must be an IPv4 or IPv6 address"));
    BOOST_TEST(has(AbortMessage([] {
                       Wire wire;
                       wire.nodes.Get(0)->AddApplication(CreateObject<ColoDatagramAsker>());
                       wire.Run();
                   }),
                   "needs SetDialogue()"));
}
