/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Client and server of a dialogue over a plain link, without protection: what the client checks
// here is what it checks when a guest pair answers it.
#define BOOST_TEST_MODULE model_dialogue
#include "model-dialogue.h"

#include "ns3/tcp-socket-factory.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace ns3;

namespace
{

namespace data = boost::unit_test::data;

} // namespace

BOOST_AUTO_TEST_SUITE(content)

BOOST_AUTO_TEST_CASE(fill_and_check_agree_at_any_alignment)
{
    for (uint64_t first : {0UL, 1UL, 7UL, 8UL, 1000003UL, 1UL << 40})
    {
        std::vector<uint8_t> bytes(37);
        ColoDialogueFill(3, true, first, bytes.data(), bytes.size());
        for (std::size_t i = 0; i < bytes.size(); i++)
        {
            BOOST_TEST(bytes[i] == ColoDialogueByte(3, true, first + i));
        }
        BOOST_TEST(ColoDialogueCheck(3, true, first, bytes.data(), bytes.size()) == 0U);
    }
}

BOOST_AUTO_TEST_CASE(another_offset_direction_or_conversation_is_noticed)
{
    constexpr std::size_t SIZE = 4096;
    std::vector<uint8_t> bytes(SIZE);
    ColoDialogueFill(3, true, 100, bytes.data(), SIZE);
    uint64_t first = 0;
    // A random byte is right once in 256: 16 are expected, 64 would be 12 standard deviations off.
    for (uint64_t offset : {0UL, 99UL, 101UL, 108UL, 4196UL, 65636UL})
    {
        BOOST_TEST(ColoDialogueCheck(3, true, offset, bytes.data(), SIZE, &first) > SIZE - 64);
        BOOST_TEST(first < offset + 8);
    }
    BOOST_TEST(ColoDialogueCheck(3, false, 100, bytes.data(), SIZE) > SIZE - 64);
    BOOST_TEST(ColoDialogueCheck(2, true, 100, bytes.data(), SIZE) > SIZE - 64);
    BOOST_TEST(ColoDialogueCheck(4, true, 100, bytes.data(), SIZE) > SIZE - 64);
}

BOOST_AUTO_TEST_CASE(check_names_the_first_wrong_byte)
{
    std::vector<uint8_t> bytes(100);
    ColoDialogueFill(0, false, 50, bytes.data(), bytes.size());
    bytes[20] ^= 1;
    bytes[30] ^= 0x80;
    uint64_t first = 0;
    BOOST_TEST(ColoDialogueCheck(0, false, 50, bytes.data(), bytes.size(), &first) == 2U);
    BOOST_TEST(first == 70U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(script)

BOOST_AUTO_TEST_CASE(early_bytes_count_for_the_turn_they_belong_to)
{
    ColoConversation conversation;
    conversation.turns = {{false, 10, Time(0)}, {true, 5, Time(0)}, {false, 20, Time(0)}};
    ColoDialogueCursor server(&conversation, true);
    BOOST_TEST(!server.Receive(9));
    BOOST_TEST(server.Receive(6)); // five of them are of turn 2
    BOOST_TEST(server.IsMine());
    BOOST_TEST(server.Send(5));
    BOOST_TEST(server.GetTurn() == 2U);
    BOOST_TEST(server.GetLeft() == 15U);
    BOOST_TEST(server.Receive(15));
    BOOST_TEST(server.IsOver());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(play)

BOOST_DATA_TEST_CASE_F(Link, a_capture_is_played_to_its_end, data::make(TRACES), trace)
{
    auto dialogue = Share(ColoReadCapture(std::string(COLO_TRACES_DIR) + "/" + trace + ".pcap"));
    Play(dialogue);
    CheckAllRight(*dialogue);
}

BOOST_FIXTURE_TEST_CASE(many_connections_at_once, Link)
{
    auto dialogue = Share(ColoMakeRequestResponse({1000, 250, 300, 5000, MilliSeconds(2), 80}));
    Play(dialogue);
    CheckAllRight(*dialogue);
}

BOOST_FIXTURE_TEST_CASE(turns_larger_than_the_socket_buffers, Link)
{
    auto dialogue = Share(ColoMakeRequestResponse({2, 1, 700000, 900000, Time(0), 80}));
    Play(dialogue);
    CheckAllRight(*dialogue);
}

BOOST_FIXTURE_TEST_CASE(conversations_with_several_server_ports, Link)
{
    ColoDialogue dialogue = ColoMakeRequestResponse({6, 3, 10, 10, Time(0), 80});
    dialogue.conversations[1].serverPort = 8080;
    auto shared = Share(dialogue);
    Play(shared);
    CheckAllRight(dialogue);
}

BOOST_DATA_TEST_CASE_F(Link, either_side_closes_or_none, data::make({0, 1, 2}), closer)
{
    // The server has the first word, the client the last.
    auto dialogue = OneConversation(
        {{true, 500, Time(0)}, {false, 20, Time(0)}, {true, 5, Time(0)}, {false, 3000, Time(0)}},
        static_cast<ColoCloser>(closer));
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(server->GetConversationsOpen() ==
               (dialogue->conversations[0].closer == ColoCloser::NOBODY ? 1U : 0U));
    // The client's last turn follows a response at once; a server's close takes a round trip.
    BOOST_TEST((finishedAt - lastLatencyAt >= MilliSeconds(2)) ==
               (dialogue->conversations[0].closer == ColoCloser::SERVER));
}

BOOST_FIXTURE_TEST_CASE(latency_is_from_first_byte_to_last, Link)
{
    auto dialogue = OneConversation({{false, 100, MilliSeconds(20)},
                                     {true, 100, MilliSeconds(30)},
                                     {false, 100, Time(0)},
                                     {true, 100, Time(0)}},
                                    ColoCloser::CLIENT);
    Play(dialogue);
    BOOST_REQUIRE(latencies.size() == 2U);
    // The server's pause and twice the way, whose frames of some 160 bytes take 13 µs each.
    BOOST_TEST(latencies[0].GetMicroSeconds() >= 32000);
    BOOST_TEST(latencies[0].GetMicroSeconds() <= 32040);
    BOOST_TEST(latencies[1].GetMicroSeconds() >= 2000);
    BOOST_TEST(latencies[1].GetMicroSeconds() <= 2040);
}

BOOST_FIXTURE_TEST_CASE(long_pauses_are_capped, Link)
{
    ColoDialogue dialogue =
        *OneConversation({{false, 100, Seconds(500)}, {true, 100, Seconds(700)}},
                         ColoCloser::CLIENT);
    dialogue.conversations.push_back(dialogue.conversations[0]);
    dialogue.conversations[1].start = Seconds(900);
    dialogue.conversations[1].clientPort++;
    client->SetAttribute("MaxPause", TimeValue(MilliSeconds(100)));
    server->SetAttribute("MaxPause", TimeValue(MilliSeconds(300)));
    auto shared = Share(dialogue);
    Play(shared);
    CheckAllRight(dialogue);
    // Start, gap, pause, pause, two round trips of 2 ms, and ARP's jitter of up to 10 ms twice.
    BOOST_TEST(finishedAt.GetMilliSeconds() >= 514);
    BOOST_TEST(finishedAt.GetMilliSeconds() <= 540);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(faults)

BOOST_FIXTURE_TEST_CASE(a_server_with_another_script_is_noticed, Link)
{
    // Its response is 5 bytes longer than the client's script has it.
    auto heard = OneConversation({{false, 10, Time(0)}, {true, 100, Time(0)}}, ColoCloser::NOBODY);
    auto spoken = OneConversation({{false, 10, Time(0)}, {true, 105, Time(0)}}, ColoCloser::NOBODY);
    server->SetDialogue(spoken);
    client->SetDialogue(heard);
    Simulator::Stop(Seconds(2));
    Simulator::Run();
    BOOST_TEST(client->GetDataErrors() == 5U);
    BOOST_REQUIRE(client->GetFirstDataError().has_value());
    BOOST_TEST(client->GetFirstDataError()->position == 100U);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_speaks_out_of_turn_is_noticed, Link)
{
    server->SetDialogue(
        OneConversation({{true, 50, Time(0)}, {false, 10, Time(0)}}, ColoCloser::NOBODY));
    client->SetDialogue(
        OneConversation({{false, 10, MilliSeconds(100)}, {true, 50, Time(0)}}, ColoCloser::NOBODY));
    Simulator::Stop(Seconds(2));
    Simulator::Run();
    BOOST_TEST(client->GetDataErrors() == 50U);
    BOOST_TEST(client->GetRequestsCompleted() == 0U);
}

BOOST_FIXTURE_TEST_CASE(the_server_notices_wrong_requests, Link)
{
    // Each conversation comes from the client port of the other.
    ColoDialogue spoken = ColoMakeRequestResponse({2, 2, 400, 10, Time(0), 80});
    ColoDialogue heard = spoken;
    std::swap(heard.conversations[0].clientPort, heard.conversations[1].clientPort);
    server->SetDialogue(Share(heard));
    client->SetDialogue(Share(spoken));
    Simulator::Stop(Seconds(5));
    Simulator::Run();
    BOOST_TEST(server->GetDataErrors() > 780U);
    BOOST_TEST(client->GetDataErrors() > 15U);
}

BOOST_FIXTURE_TEST_CASE(the_server_notices_bytes_beyond_its_script, Link)
{
    std::vector<ColoTurn> turns = {{false, 10, Time(0)}, {true, 1, Time(0)}};
    server->SetDialogue(OneConversation(turns, ColoCloser::NOBODY));
    turns.push_back({false, 5, Time(0)});
    client->SetDialogue(OneConversation(turns, ColoCloser::NOBODY));
    Simulator::Stop(Seconds(2));
    Simulator::Run();
    BOOST_TEST(server->GetDataErrors() == 5U);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_the_script_does_not_know_is_turned_away, Link)
{
    // Two come to the port of the other conversation, one from a source port beyond the last.
    ColoDialogue extended = ColoMakeRequestResponse({3, 3, 10, 10, Time(0), 80});
    extended.conversations[1].serverPort = 81;
    ColoDialogue known = ColoMakeRequestResponse({2, 2, 10, 10, Time(0), 80});
    known.conversations[0].serverPort = 81;
    server->SetDialogue(Share(known));
    client->SetDialogue(Share(extended));
    Simulator::Stop(Seconds(5));
    Simulator::Run();
    BOOST_TEST(client->GetResets() == 3U);
    BOOST_TEST(client->GetConversationsCompleted() == 0U);
    BOOST_TEST(server->GetConversationsOpen() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_closes_too_early_counts_as_reset, Link)
{
    server->SetDialogue(
        OneConversation({{false, 10, Time(0)}, {true, 50, Time(0)}}, ColoCloser::SERVER));
    client->SetDialogue(
        OneConversation({{false, 10, Time(0)}, {true, 60, Time(0)}}, ColoCloser::CLIENT));
    Simulator::Stop(Seconds(2));
    Simulator::Run();
    BOOST_TEST(client->GetResets() == 1U);
    BOOST_TEST(client->GetDataErrors() == 0U);
    BOOST_TEST(client->GetConversationsCompleted() == 0U);
    BOOST_TEST(finished == 1U);
}

/** A server of which the dialogue knows nothing: it reads no byte, so that its close is a RST. */
struct Rude : Link
{
    Rude()
    {
        auto elsewhere = *OneConversation({{false, 10, Time(0)}}, ColoCloser::CLIENT);
        elsewhere.conversations[0].serverPort = 81;
        server->SetDialogue(Share(elsewhere));
        client->SetDialogue(
            OneConversation({{false, 10, Time(0)}, {true, 10, Time(0)}}, ColoCloser::CLIENT));
    }

    void Listen()
    {
        listener = Socket::CreateSocket(nodes.Get(1), TcpSocketFactory::GetTypeId());
        listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 80));
        listener->Listen();
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                    MakeCallback(&Rude::Accept, this));
    }

    void Accept(Ptr<Socket> socket, const Address&)
    {
        Simulator::Schedule(MilliSeconds(50), &Socket::Close, socket);
    }

    Ptr<Socket> listener;
};

BOOST_FIXTURE_TEST_CASE(a_reset_connection_counts_as_reset, Rude)
{
    Listen();
    Simulator::Stop(Seconds(2));
    Simulator::Run();
    BOOST_TEST(client->GetResets() == 1U);
    BOOST_TEST(client->GetConversationsCompleted() == 0U);
    BOOST_TEST(finished == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_nobody_accepts_counts_as_reset, Rude)
{
    // ns-3 does not take a RST for an answer to a SYN, and repeats it to the last.
    Simulator::Stop(Seconds(1000));
    Simulator::Run();
    BOOST_TEST(client->GetResets() == 1U);
    BOOST_TEST(finished == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
