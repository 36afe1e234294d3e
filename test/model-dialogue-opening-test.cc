/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Who opens which connection when, and how the other side knows which it is.
#define BOOST_TEST_MODULE model_dialogue_opening
#include "colo-openings.h"
#include "model-dialogue.h"

#include "ns3/config.h"
#include "ns3/ipv6-address-helper.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace
{

namespace data = boost::unit_test::data;

constexpr uint32_t NONE = ColoConversation::NONE;

/** A request and its response. */
ColoConversation
Ask(uint16_t clientPort, ColoCloser closer = ColoCloser::CLIENT)
{
    ColoConversation conversation =
        Conversation({{false, 100, Time(0)}, {true, 1000, Time(0)}}, closer);
    conversation.clientPort = clientPort;
    return conversation;
}

/** The guest asks a backend. */
ColoConversation
AskBackend(uint16_t port, ColoCloser closer = ColoCloser::SERVER)
{
    ColoConversation conversation =
        Conversation({{true, 100, Time(0)}, {false, 1000, Time(0)}, {true, 10, Time(0)}}, closer);
    conversation.opener = ColoOpener::GUEST;
    conversation.clientPort = 0;
    conversation.serverPort = port;
    return conversation;
}

ColoConversation
After(uint32_t other, ColoConversation conversation, Time start = Time())
{
    conversation.after = other;
    conversation.start = start;
    return conversation;
}

/** Defaults are read when objects are made, and Link makes them at once. */
struct Defaults
{
    ~Defaults()
    {
        Config::Reset();
    }
};

struct OpeningLink : Defaults, Link
{
    OpeningLink()
    {
        server->TraceConnectWithoutContext("TurnSent", MakeCallback(&OpeningLink::NoteTurn, this));
    }

    void NoteTurn(uint32_t conversation, uint32_t turn)
    {
        turnsAt[{conversation, turn}] = Simulator::Now();
    }

    std::map<std::pair<uint32_t, uint32_t>, Time> turnsAt;
};

std::vector<std::pair<uint32_t, int64_t>>
List(const std::vector<ColoOpenings::Opening>& openings)
{
    std::vector<std::pair<uint32_t, int64_t>> list;
    for (const auto& [conversation, delay] : openings)
    {
        list.emplace_back(conversation, delay.GetMilliSeconds());
    }
    return list;
}

} // namespace

BOOST_AUTO_TEST_CASE(all_applications_cut_the_silences_alike)
{
    ColoDialogue dialogue;
    const auto add = [&](int startMs, uint32_t client, uint32_t after = NONE) {
        ColoConversation conversation = After(after, Ask(1), MilliSeconds(startMs));
        conversation.client = client;
        dialogue.conversations.push_back(conversation);
    };
    add(5, 0);
    add(50, 1, NONE);
    add(500, 0, 0);
    add(60, 0);
    add(7, 1, 1);
    add(8, 1, 1);
    add(70, 1);
    const auto openings = [&](uint32_t client) {
        return ColoOpenings(dialogue, MilliSeconds(20), [client](const auto& conversation) {
            return conversation.client == client;
        });
    };
    using Times = std::vector<std::pair<uint32_t, int64_t>>;
    BOOST_TEST((List(openings(0).GetFirsts()) == Times{{0, 5}, {3, 35}}));
    BOOST_TEST((List(openings(1).GetFirsts()) == Times{{1, 25}, {6, 45}}));
    BOOST_TEST((List(openings(0).GetAfter(0)) == Times{{2, 20}}));
    BOOST_TEST((List(openings(1).GetAfter(1)) == Times{{4, 7}, {5, 8}}));
    BOOST_TEST(openings(1).GetAfter(0).empty());
}

BOOST_DATA_TEST_CASE_F(OpeningLink, the_guest_opens, data::make({0, 1, 2}), closer)
{
    ColoDialogue dialogue{{AskBackend(5000, static_cast<ColoCloser>(closer))}};
    ColoConversation greeted = AskBackend(5001, static_cast<ColoCloser>(closer));
    greeted.turns.insert(greeted.turns.begin(), {false, 30000, MilliSeconds(4)});
    dialogue.conversations.push_back(greeted);
    Play(Share(dialogue));
    CheckAllRight(dialogue);
    BOOST_TEST(server->GetTurnsSent() == 4U);
    // These are no requests of a client.
    BOOST_TEST(latencies.empty());
    BOOST_TEST(server->GetConversationsOpen() == (closer == 0 ? 2U : 0U));
}

BOOST_FIXTURE_TEST_CASE(what_comes_after_waits_for_the_end, OpeningLink)
{
    const Time gap = MilliSeconds(30);
    ColoDialogue dialogue{{Ask(20000),
                           AskBackend(5000),
                           After(0, Ask(20001), gap),
                           After(1, AskBackend(5001, ColoCloser::NOBODY), gap),
                           After(0, Ask(20002, ColoCloser::SERVER)),
                           After(2, Ask(20003)),
                           After(3, AskBackend(5002, ColoCloser::CLIENT), gap),
                           After(6, AskBackend(5003), gap)}};
    Play(Share(dialogue));
    CheckAllRight(dialogue);
    // From the last turn of one on: 3 ms are the way there, and the handshake; a guest that is not
    // the one to close hears of the end first, and a backend's first turn comes before that.
    const auto from = [&](uint32_t one, uint32_t turn, uint32_t other, uint32_t first) {
        return (turnsAt.at({other, first}) - turnsAt.at({one, turn})).GetMilliSeconds();
    };
    BOOST_TEST(from(0, 1, 2, 1) == 1 + 30 + 3);
    BOOST_TEST(from(0, 1, 4, 1) == 1 + 3);
    BOOST_TEST(from(2, 1, 5, 1) == 1 + 3);
    BOOST_TEST(from(1, 2, 3, 0) == 30 + 2);
    BOOST_TEST(from(3, 2, 6, 0) == 30 + 2);
    BOOST_TEST(from(6, 2, 7, 0) == 2 + 30 + 2);
}

BOOST_FIXTURE_TEST_CASE(a_failure_does_not_stall_what_comes_after, Defaults)
{
    Config::SetDefault("ns3::TcpSocket::ConnTimeout", TimeValue(MilliSeconds(50)));
    Config::SetDefault("ns3::TcpSocket::ConnCount", UintegerValue(2));
    OpeningLink link;
    ColoDialogue dialogue{
        {Ask(20000), AskBackend(5000), After(0, Ask(20001)), After(1, AskBackend(5001))}};
    ColoDialogue deaf = dialogue; // to the first of each
    deaf.conversations[0].serverPort = 81;
    ColoDialogue heard = dialogue;
    heard.conversations[1].serverPort = 81;
    link.server->SetDialogue(Share(deaf));
    link.client->SetDialogue(Share(heard));
    link.server->SetStartTime(MilliSeconds(10));
    link.client->SetStartTime(MilliSeconds(10));
    Simulator::Stop(Seconds(5));
    Simulator::Run();
    BOOST_TEST(link.client->GetResets() == 1U);
    BOOST_TEST(link.client->GetConversationsCompleted() == 2U);
    BOOST_TEST(link.client->GetDataErrors() == 0U);
    BOOST_TEST(link.turnsAt.count({2, 1}) == 1U);
    BOOST_TEST(link.turnsAt.count({3, 2}) == 1U);
    BOOST_TEST(!link.client->IsFinished()); // a backend waits for the guest
}

BOOST_DATA_TEST_CASE_F(Defaults, a_client_port_is_used_again, data::make({1, 2}), whoCloses)
{
    const auto closer = static_cast<ColoCloser>(whoCloses);
    // TIME_WAIT of 100 ms, where a socket hears no SYN.
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.05));
    Config::SetDefault("ns3::TcpSocket::ConnTimeout", TimeValue(MilliSeconds(50)));
    OpeningLink link;
    ColoDialogue dialogue{{Ask(20000, closer),
                           Ask(20007, closer),
                           After(0, Ask(20000, closer), MilliSeconds(1)),
                           After(2, Ask(20000, closer)),
                           After(1, Ask(20007, closer))}};
    link.Play(Share(dialogue));
    link.CheckAllRight(dialogue);
    BOOST_TEST(link.finishedAt >= MilliSeconds(200));
    BOOST_TEST(link.finishedAt <= MilliSeconds(600));
}

BOOST_FIXTURE_TEST_CASE(a_client_port_that_is_never_free_counts_as_reset, OpeningLink)
{
    ColoDialogue dialogue{
        {Ask(20000, ColoCloser::NOBODY), After(0, Ask(20000)), After(1, Ask(20001))}};
    Play(Share(dialogue), Seconds(1000));
    BOOST_TEST(client->GetConversationsCompleted() == 2U);
    BOOST_TEST(client->GetResets() == 1U);
    BOOST_TEST(finished == 1U);
    BOOST_TEST(finishedAt > Seconds(300));
    BOOST_TEST(finishedAt < Seconds(302));
}

BOOST_FIXTURE_TEST_CASE(each_client_plays_its_own, OpeningLink)
{
    ColoDialogue dialogue{{Ask(20000),
                           Ask(20001),
                           AskBackend(5000),
                           Ask(20002),
                           AskBackend(5001),
                           After(1, Ask(20003))}};
    for (uint32_t index : {1, 3, 4, 5})
    {
        dialogue.conversations[index].client = 1;
    }
    Ptr<ColoDialogueClient> others[] = {AddClient(1), AddClient(2)};
    uint32_t finishedOthers = 0;
    bool isStarting = true;
    auto shared = Share(dialogue);
    for (const auto& other : others)
    {
        other->SetDialogue(shared);
        other->SetStartTime(MilliSeconds(10));
        other->TraceConnectWithoutContext("Finished", Callback<void>([&] {
                                              finishedOthers++;
                                              BOOST_TEST(!isStarting);
                                          }));
    }
    Simulator::Schedule(MilliSeconds(10), [&] { isStarting = false; });
    Play(shared);
    BOOST_TEST(finished == 1U);
    BOOST_TEST(finishedOthers == 2U);
    BOOST_TEST(client->GetConversationsCompleted() == 2U);
    BOOST_TEST(client->GetRequestsCompleted() == 1U);
    BOOST_TEST(others[0]->GetConversationsCompleted() == 4U);
    BOOST_TEST(others[0]->GetRequestsCompleted() == 3U);
    BOOST_TEST(others[1]->GetConversationsCompleted() == 0U);
    BOOST_TEST(client->GetBytesReceived() + others[0]->GetBytesReceived() ==
               dialogue.GetBytes(true));
    BOOST_TEST(client->GetDataErrors() + others[0]->GetDataErrors() + server->GetDataErrors() ==
               0U);
    BOOST_TEST(client->GetResets() + others[0]->GetResets() == 0U);
    BOOST_TEST(server->GetTurnsSent() == 8U);
}

BOOST_FIXTURE_TEST_CASE(datagrams_are_left_to_others, OpeningLink)
{
    ColoDialogue dialogue{{Ask(20000), Ask(20000), AskBackend(5000)}};
    dialogue.conversations[0].transport = ColoTransport::UDP;
    dialogue.conversations[2].transport = ColoTransport::UDP;
    Play(Share(dialogue));
    BOOST_TEST(finished == 1U);
    BOOST_TEST(client->GetConversationsCompleted() == 1U);
    BOOST_TEST(client->GetDataErrors() == 0U);
    BOOST_TEST(client->GetResets() == 0U);
    BOOST_TEST(server->GetTurnsSent() == 1U);
    BOOST_TEST(dialogue.GetServerPorts() == std::vector<uint16_t>{80},
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(content_is_that_of_the_pair, OpeningLink)
{
    ColoDialogue dialogue{{Ask(20000), AskBackend(5000)}};
    dialogue.firstId = 7;
    Play(Share(dialogue));
    CheckAllRight(dialogue);
}

BOOST_FIXTURE_TEST_CASE(content_of_another_pair_is_noticed, OpeningLink)
{
    ColoDialogue dialogue{{Ask(20000)}};
    client->SetDialogue(Share(dialogue));
    dialogue.firstId = 7;
    server->SetDialogue(Share(dialogue));
    Simulator::Stop(Seconds(1));
    Simulator::Run();
    BOOST_TEST(server->GetDataErrors() > 80U);
    BOOST_TEST(client->GetDataErrors() > 900U);
}

BOOST_AUTO_TEST_CASE(all_works_over_ipv6)
{
    NodeContainer nodes(2);
    SimpleNetDeviceHelper helper;
    helper.SetChannelAttribute("Delay", TimeValue(MilliSeconds(1)));
    NetDeviceContainer devices = helper.Install(nodes);
    InternetStackHelper stack;
    stack.SetIpv4StackInstall(false);
    stack.Install(nodes);
    stack.AssignStreams(nodes, 100);
    Ipv6AddressHelper addresses("2001:db8::", Ipv6Prefix(64));
    auto interfaces = addresses.Assign(devices);
    auto client = CreateObject<ColoDialogueClient>();
    client->SetAttribute("RemoteAddress", AddressValue(interfaces.GetAddress(1, 1)));
    nodes.Get(0)->AddApplication(client);
    auto server = CreateObject<ColoDialogueServer>();
    server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
    server->SetBackends({interfaces.GetAddress(0, 1)});
    nodes.Get(1)->AddApplication(server);
    const auto dialogue = Share({{Ask(20000), AskBackend(5000), After(0, Ask(20001))}});
    client->SetDialogue(dialogue);
    server->SetDialogue(dialogue);
    client->SetStartTime(Seconds(2));
    server->SetStartTime(Seconds(2));
    Simulator::Stop(Seconds(10));
    Simulator::Run();
    BOOST_TEST(client->IsFinished());
    BOOST_TEST(client->GetConversationsCompleted() == 3U);
    BOOST_TEST(client->GetDataErrors() + server->GetDataErrors() == 0U);
    Simulator::Destroy();
}
