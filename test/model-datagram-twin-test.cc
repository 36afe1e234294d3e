/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A checkpoint in the middle of conversations by UDP: the clone sends the same from then on.
#define BOOST_TEST_MODULE model_datagram_twin
#include "model-datagram.h"
#include "model-guest-world.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

namespace
{

namespace data = boost::unit_test::data;

constexpr auto CLIENT = ColoOpener::CLIENT;
constexpr auto GUEST = ColoOpener::GUEST;

} // namespace

/** The world with askers and answerers on all nodes. */
struct Datagrams : World
{
    explicit Datagrams(bool ipv6 = false)
    {
        useIpv6 = ipv6;
        Build();
        nodeA = a->GetObject<Node>();
        nodeB = b->GetObject<Node>();
    }

    Address AddressOf(bool guest) const
    {
        return useIpv6 ? Address(Ipv6Address(guest ? "fd00::2" : "fd00::1"))
                       : Address(Ipv4Address(guest ? "10.0.0.2" : "10.0.0.1"));
    }

    Ptr<ColoDatagramAsker> AddAsker(Ptr<Node> node,
                                    std::shared_ptr<const ColoDialogue> dialogue,
                                    Time start = MilliSeconds(50))
    {
        const bool onGuest = node != client;
        auto added = AddSide<ColoDatagramAsker>(node, onGuest, dialogue, start);
        added->SetAttribute("RemoteAddress", AddressValue(AddressOf(!onGuest)));
        return added;
    }

    Ptr<ColoDatagramAnswerer> AddAnswerer(Ptr<Node> node,
                                          std::shared_ptr<const ColoDialogue> dialogue)
    {
        auto added = AddSide<ColoDatagramAnswerer>(node, node != client, dialogue);
        const Address any = useIpv6 ? Address(Ipv6Address::GetAny()) : Ipv4Address::GetAny();
        added->SetAttribute("LocalAddress", AddressValue(any));
        return added;
    }

    /** Both sides, on both guests. */
    void Add(std::shared_ptr<const ColoDialogue> dialogue)
    {
        clientAsks = AddAsker(client, dialogue);
        clientAnswers = AddAnswerer(client, dialogue);
        asksA = AddAsker(nodeA, dialogue);
        asksB = AddAsker(nodeB, dialogue);
        answersA = AddAnswerer(nodeA, dialogue);
        answersB = AddAnswerer(nodeB, dialogue);
    }

    void CheckpointAt(Time when)
    {
        At(when, [this] { Checkpoint(); });
    }

    /** Make what is random differ between the guests. */
    void Diverge(const std::string& attribute, const AttributeValue& value)
    {
        int64_t stream = 500;
        for (const auto& node : {nodeA, nodeB})
        {
            auto divergence = CreateObject<ColoDivergence>();
            divergence->SetAttribute(attribute, value);
            stream += divergence->AssignStreams(stream);
            node->AggregateObject(divergence);
        }
    }

    void CheckFinished() const
    {
        BOOST_TEST(clientAsks->IsFinished());
        BOOST_TEST(asksA->IsFinished());
        BOOST_TEST(asksB->IsFinished());
        BOOST_TEST(clientAsks->GetFailures() + asksA->GetFailures() == 0U);
        BOOST_TEST(clientAsks->GetDataErrors() == 0U);
        BOOST_TEST(clientAnswers->GetDataErrors() == 0U);
        BOOST_TEST(answersA->GetDataErrors() == 0U);
        BOOST_TEST(asksA->GetDataErrors() == 0U);
    }

    Ptr<Node> nodeA;
    Ptr<Node> nodeB;
    Ptr<ColoDatagramAsker> clientAsks;
    Ptr<ColoDatagramAsker> asksA;
    Ptr<ColoDatagramAsker> asksB;
    Ptr<ColoDatagramAnswerer> clientAnswers;
    Ptr<ColoDatagramAnswerer> answersA;
    Ptr<ColoDatagramAnswerer> answersB;
};

/** Conversations that overlap, each way, with pauses of all lengths. */
static std::shared_ptr<const ColoDialogue>
Busy()
{
    std::vector<ColoConversation> all;
    for (int i = 0; i < 40; i++)
    {
        const ColoOpener opener = i % 2 ? GUEST : CLIENT;
        const Time pause = MicroSeconds(i % 5 * 3700);
        const Time between = MicroSeconds(i % 3 * 4100);
        all.push_back(Queries(opener, 4, pause, between));
        all.back().start = MilliSeconds(i * 3);
        all.back().clientPort = i % 4 ? 20000 + i : 0;
        if (i >= 20)
        {
            all.back().start = MilliSeconds(i % 2);
            all.back().after = i - 20;
        }
    }
    return Share(std::move(all));
}

BOOST_DATA_TEST_CASE(a_clone_goes_on_anywhere,
                     data::make({false, true}) * data::make({51, 58, 61, 75, 83, 97, 120, 400}),
                     useIpv6,
                     checkpointMs)
{
    for (bool deaf : {false, true})
    {
        Datagrams world(useIpv6);
        world.deafB = deaf; // so nothing of it is like A
        world.Add(Busy());
        world.CheckpointAt(MilliSeconds(checkpointMs));
        world.Run(Seconds(20));
        BOOST_TEST_CONTEXT((deaf ? "deaf" : "hearing"))
        {
            BOOST_TEST(world.Difference() == "");
            world.CheckFinished();
            BOOST_TEST(
                (checkpointMs == 400 || world.sentByA.size() > 30U)); // by then all may be over
            BOOST_TEST(world.asksB->GetRequestsCompleted() == 80U);
        }
    }
}

BOOST_DATA_TEST_CASE(a_clone_goes_on_while_datagrams_are_lost, data::xrange(10), seed)
{
    Datagrams world(seed % 2);
    world.lossToGuests = 0.1;
    world.lossToB = 0.3;
    world.lossToClient = 0.1;
    world.Add(Busy());
    for (auto& asker : {world.clientAsks, world.asksA})
    {
        asker->SetAttribute("RetryAfter", TimeValue(MilliSeconds(60)));
        asker->SetAttribute("Retries", UintegerValue(20));
    }
    world.CheckpointAt(MilliSeconds(60 + 17 * seed));
    world.Run(Seconds(20));
    BOOST_TEST(world.Difference() == "");
    world.CheckFinished();
    BOOST_TEST(world.asksA->GetRepeats() > 0U);
    BOOST_TEST(world.asksA->GetRepeats() == world.asksB->GetRepeats());
}

BOOST_FIXTURE_TEST_CASE(a_pending_answer_has_the_delay_that_is_left, Datagrams)
{
    Add(Share({Queries(CLIENT, 1, MilliSeconds(40)), Queries(CLIENT, 1, MilliSeconds(40))}));
    CheckpointAt(MilliSeconds(80));
    At(MilliSeconds(79), [this] { BOOST_TEST(answersA->GetPending() == 2U); });
    Run(Seconds(2));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST(sentByA.size() == 1U + 2U); // with an ARP request
}

BOOST_FIXTURE_TEST_CASE(pending_answers_keep_their_order, Datagrams)
{
    std::vector<ColoConversation> all{Queries(CLIENT),
                                      Queries(CLIENT, 1, MilliSeconds(200)),
                                      Queries(CLIENT, 1, MilliSeconds(100))};
    all[1].start = MilliSeconds(200);
    all[2].start = MilliSeconds(100);
    std::swap(all[1].turns, all[2].turns);
    Add(Share(all));
    CheckpointAt(MilliSeconds(280));
    Run(Seconds(2));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST_REQUIRE(sentByA.size() == 2U);
    BOOST_TEST(sentByA[0].first == sentByA[1].first);
}

// A clone numbers its turns as its twin would.
BOOST_FIXTURE_TEST_CASE(a_clone_counts_on, Datagrams)
{
    Diverge("SharedCounter", BooleanValue(true));
    deafB = true;
    Add(Share({Queries(CLIENT, 10, MilliSeconds(20)), Queries(GUEST, 10, MilliSeconds(20))}));
    clientAsks->SetAttribute("AcceptsTokens", BooleanValue(true));
    clientAnswers->SetAttribute("AcceptsTokens", BooleanValue(true));
    CheckpointAt(MilliSeconds(150));
    Run(Seconds(5));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST(answersB->GetTurnsDiverged() > 3U);
    BOOST_TEST(asksB->GetTurnsDiverged() > 3U);
}

// Who asks again, the clone of the guest that answered, gets the same answer.
BOOST_FIXTURE_TEST_CASE(a_clone_repeats_an_answer_with_its_token, Datagrams)
{
    Diverge("RandomQueryIds", BooleanValue(false));
    deafB = true;
    const std::vector<ColoTurn> turns{{false, 40, Time()}, {true, 300, Time(), true}};
    std::vector<ColoConversation> all{Queries(CLIENT), Converse(CLIENT, turns)};
    all[1].start = MilliSeconds(100); // by then addresses are known
    Add(Share(all));
    At(MilliSeconds(100), [this] { deafClient = true; });
    CheckpointAt(MilliSeconds(500));
    Run(Seconds(20));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST(sentByA.size() == 1U);
    BOOST_TEST(answersA->GetTurnsDiverged() == 1U);
    BOOST_TEST(answersB->GetTurnsDiverged() == 0U);
    BOOST_TEST(clientAsks->GetRepeats() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_clone_repeats_a_question_with_its_id_and_token, Datagrams)
{
    Diverge("RandomQueryIds", BooleanValue(true));
    std::vector<ColoConversation> all(
        10,
        Converse(GUEST, {{true, 40, Time(), true}, {false, 300, Time()}}));
    for (std::size_t i = 0; i < all.size(); i++)
    {
        all[i].start = MilliSeconds(10 * i);
    }
    Add(Share(all));
    lossToClient = 1;
    CheckpointAt(MilliSeconds(600));
    At(MilliSeconds(700), [this] { lossToClient = 0; });
    Run(Seconds(20));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST(sentByA.size() >= 10U);
    BOOST_TEST(asksB->GetRepeats() == 10U);
}

// Two applications of the secondary have the ports that the primary's have the other way round.
BOOST_DATA_TEST_CASE(a_clone_takes_ports_from_its_neighbour, data::make({false, true}), useIpv6)
{
    Datagrams world(useIpv6);
    world.deafClient = true;
    const auto first = Share({Queries(GUEST), Queries(GUEST)}, 100);
    const auto second = Share({Queries(GUEST), Queries(GUEST)}, 200);
    std::vector<Ptr<ColoDatagramAsker>> askers;
    for (const auto& node : {world.nodeA, world.nodeB})
    {
        const bool isB = node == world.nodeB;
        askers.push_back(world.AddAsker(node, first, MilliSeconds(isB ? 60 : 50)));
        askers.push_back(world.AddAsker(node, second, MilliSeconds(isB ? 50 : 60)));
    }
    world.clientAnswers = world.AddAnswerer(world.client, first);
    world.CheckpointAt(MilliSeconds(500));
    world.Run(Seconds(20));
    BOOST_TEST(world.Difference() == "");
    for (const auto& asker : askers)
    {
        BOOST_TEST(asker->GetRepeats() > 0U);
    }
    BOOST_TEST(askers[0]->GetRequestsCompleted() == 2U);
}

// What only the secondary had is gone: nothing listens on that port any more.
BOOST_FIXTURE_TEST_CASE(a_clone_forgets_its_own_conversations, Datagrams)
{
    ColoConversation follower = Queries(GUEST, 3);
    follower.after = 0;
    deafB = true;
    Add(Share({Queries(GUEST, 2), follower}));
    std::set<uint16_t> bound;
    CheckpointAt(MilliSeconds(500));
    At(MilliSeconds(600), [&] {
        BOOST_TEST(asksA->IsFinished());
        BOOST_TEST(asksB->IsFinished());
        for (uint16_t port = 49152; port < 49160; port++)
        {
            Ptr<Socket> socket = Socket::CreateSocket(nodeB, UdpSocketFactory::GetTypeId());
            if (socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), port)) == 0)
            {
                bound.insert(port);
            }
            socket->Close();
        }
    });
    Run(Seconds(5));
    BOOST_TEST(bound.size() == 8U);
    BOOST_TEST(Difference() == "");
    BOOST_TEST(sentByB.empty());
    BOOST_TEST(asksB->GetRequestsCompleted() == 5U);
    BOOST_TEST(asksB->GetRepeats() == 0U);
}

// A clone of a guest that runs for a while, on one whose applications have not started.
BOOST_FIXTURE_TEST_CASE(a_clone_may_start_later_than_its_twin, Datagrams)
{
    Add(Busy());
    asksB->SetStartTime(Seconds(1));
    answersB->SetStartTime(Seconds(1));
    CheckpointAt(MilliSeconds(90));
    Run(Seconds(5));
    BOOST_TEST(Difference() == "");
    CheckFinished();
    BOOST_TEST(asksB->GetRequestsCompleted() == 80U);
}

// ns-3 stops if a packet is to wait for an ARP reply that is overdue, and a pause made it overdue.
BOOST_FIXTURE_TEST_CASE(a_pause_does_not_age_arp_requests, Datagrams)
{
    std::vector<ColoConversation> all(50, Queries(GUEST));
    for (std::size_t i = 0; i < all.size(); i++)
    {
        all[i].start = MilliSeconds(2 * i);
    }
    Add(Share(all));
    for (auto& asker : {asksA, asksB})
    {
        asker->SetAttribute("RetryAfter", TimeValue(MilliSeconds(970)));
    }
    deafClient = true; // so it does not reply
    CheckpointAt(MilliSeconds(500));
    Run(Seconds(20));
    BOOST_TEST(Difference() == "");
    CheckFinished();
}
