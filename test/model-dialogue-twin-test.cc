/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A dialogue's server becomes a copy of another in the middle of everything.
#define BOOST_TEST_MODULE model_dialogue_twin
#include "colo-tcp-socket.h"
#include "model-dialogue.h"

#include "ns3/config.h"
#include "ns3/object-vector.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-socket-factory.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>

namespace
{

namespace data = boost::unit_test::data;

/**
 * Every few milliseconds another server on the node becomes a copy of the present one, which dies,
 * and goes on with the same sockets. What a copy lacks or does not hook up shows as a conversation
 * that stalls, or as bytes that come twice or not at all.
 */
struct Takeover : Link
{
    /** A conversation that stalls must not keep the test going. */
    static constexpr uint32_t TAKEOVERS_MAX = 2000;

    Takeover()
    {
        auto factory = CreateObject<ColoTcpSocketFactory>();
        nodes.Get(1)->AggregateObject(factory);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    }

    void TakeOverEvery(Time interval)
    {
        m_interval = interval;
        Simulator::ScheduleWithContext(nodes.Get(1)->GetId(), interval, &Takeover::TakeOver, this);
    }

    /** A connection that is being accepted still belongs to the server that dies. */
    bool IsAccepting() const
    {
        ObjectVectorValue sockets;
        nodes.Get(1)->GetObject<TcpL4Protocol>()->GetAttribute("SocketList", sockets);
        for (auto i = sockets.Begin(); i != sockets.End(); ++i)
        {
            auto socket = DynamicCast<ColoTcpSocket>(i->second);
            if (socket && socket->GetState() == TcpSocket::SYN_RCVD)
            {
                return true;
            }
        }
        return false;
    }

    void TakeOver()
    {
        if (IsAccepting())
        {
            Simulator::Schedule(MicroSeconds(500), &Takeover::TakeOver, this);
            return;
        }
        // A server that dies lets go of its sockets, so it is parked on others first.
        std::map<Ptr<Socket>, Ptr<Socket>> realOf;
        auto parked = AddServer();
        parked->SetStartTime(Seconds(1000));
        parked->CloneFrom(server, [&](Ptr<Socket> socket) {
            auto dummy = Socket::CreateSocket(nodes.Get(1), TcpSocketFactory::GetTypeId());
            realOf[dummy] = socket;
            return dummy;
        });
        turnsSent += server->GetTurnsSent();
        turnsDiverged += server->GetTurnsDiverged();
        server->Dispose();
        server = AddServer();
        server->CloneFrom(parked, [&](Ptr<Socket> dummy) { return realOf.at(dummy); });
        parked->Dispose();
        takeovers++;
        if (!client->IsFinished() && takeovers < TAKEOVERS_MAX)
        {
            TakeOverEvery(m_interval);
        }
    }

    uint32_t takeovers{0};
    uint64_t turnsSent{0};
    uint64_t turnsDiverged{0};

  private:
    Time m_interval;
};

} // namespace

BOOST_DATA_TEST_CASE_F(Takeover, a_copy_goes_on_anywhere, data::make(TRACES), trace)
{
    auto dialogue = Share(ColoReadCapture(std::string(COLO_TRACES_DIR) + "/" + trace + ".pcap"));
    TakeOverEvery(MicroSeconds(1700));
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(takeovers > 5U);
    std::size_t serverTurns = 0;
    for (const auto& conversation : dialogue->conversations)
    {
        for (const auto& turn : conversation.turns)
        {
            serverTurns += turn.fromServer;
        }
    }
    BOOST_TEST(turnsSent + server->GetTurnsSent() == serverTurns);
}

BOOST_FIXTURE_TEST_CASE(a_copy_goes_on_in_the_middle_of_turns, Takeover)
{
    auto dialogue = Share(ColoMakeRequestResponse({8, 2, 300000, 400000, Time(0), 80}));
    TakeOverEvery(MilliSeconds(5));
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(takeovers > 20U);
}

BOOST_FIXTURE_TEST_CASE(a_copy_has_its_twins_pauses, Takeover)
{
    server->SetAttribute("MaxPause", TimeValue(MilliSeconds(12)));
    TakeOverEvery(MilliSeconds(5));
    Play(OneConversation({{true, 9, Seconds(1)},
                          {false, 9, Time(0)},
                          {true, 9, Seconds(1)},
                          {false, 9, Time(0)},
                          {true, 9, Seconds(1)}},
                         ColoCloser::SERVER));
    // Start, three pauses, three round trips of 2 ms, and ARP's jitter of up to 10 ms twice.
    BOOST_TEST(finishedAt.GetMilliSeconds() >= 10 + 36 + 6);
    BOOST_TEST(finishedAt.GetMilliSeconds() <= 10 + 36 + 6 + 25);
}

// Each telling of the turn has a token of its own, so the copies must not begin one.
BOOST_FIXTURE_TEST_CASE(a_copy_goes_on_in_its_twins_telling, Takeover)
{
    Diverge("Content", "1");
    TakeOverEvery(MilliSeconds(5));
    auto dialogue = OneConversation(
        {{false, 10, Time(0)}, {true, 900000, Time(0)}, {false, 1, Time(0)}, {true, 5, Time(0)}},
        ColoCloser::CLIENT);
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(takeovers > 10U);
    BOOST_TEST(turnsDiverged + server->GetTurnsDiverged() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_copy_goes_on_between_two_writes, Takeover)
{
    Diverge("WriteSize", "ns3::UniformRandomVariable[Min=1|Max=40]");
    nodes.Get(1)->GetObject<ColoDivergence>()->SetAttribute("Content", DoubleValue(1));
    client->SetAttribute("AcceptsTokens", BooleanValue(true));
    TakeOverEvery(NanoSeconds(17300));
    auto dialogue = Share(ColoMakeRequestResponse({4, 2, 10, 20000, Time(0), 80}));
    Play(dialogue);
    CheckAllRight(*dialogue);
    BOOST_TEST(takeovers > 100U);
}

BOOST_AUTO_TEST_CASE(a_copy_counts_turns_like_its_twin)
{
    auto dialogue = Share(ColoMakeRequestResponse({20, 2, 10, 20, MilliSeconds(3), 80}));
    const auto hear = [&](Link& link) {
        link.Diverge("SharedCounter", "true");
        link.Hear();
        link.Play(dialogue);
        link.CheckAllRight(*dialogue);
        return link.heard;
    };
    std::map<uint16_t, std::vector<uint8_t>> withCopies;
    {
        Takeover takeover;
        takeover.TakeOverEvery(MilliSeconds(2));
        withCopies = hear(takeover);
        BOOST_TEST(takeover.takeovers > 5U);
    }
    Link undisturbed;
    BOOST_TEST((hear(undisturbed) == withCopies));
}

BOOST_AUTO_TEST_CASE(a_copy_knows_who_comes_next_from_a_port)
{
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.01));
    Takeover takeover;
    ColoDialogue dialogue;
    for (uint32_t i = 0; i < 4; i++)
    {
        dialogue.conversations.push_back(
            Conversation({{false, 300, MilliSeconds(9)}, {true, 500, Time(0)}},
                         ColoCloser::CLIENT));
        dialogue.conversations[i].after = i ? i - 1 : ColoConversation::NONE;
    }
    takeover.TakeOverEvery(MilliSeconds(3));
    takeover.Play(Share(dialogue));
    takeover.CheckAllRight(dialogue);
    BOOST_TEST(takeover.takeovers > 20U);
    Config::Reset();
}

BOOST_FIXTURE_TEST_CASE(a_copy_opens_what_its_twin_would_have, Takeover)
{
    auto guestOpens = [](int startMs, uint16_t port) {
        ColoConversation conversation =
            Conversation({{true, 300, Time(0)}, {false, 200, MilliSeconds(3)}, {true, 5, Time(0)}},
                         ColoCloser::SERVER);
        conversation.opener = ColoOpener::GUEST;
        conversation.start = MilliSeconds(startMs);
        conversation.serverPort = port;
        return conversation;
    };
    ColoDialogue dialogue{{guestOpens(0, 5000), guestOpens(40, 5001), guestOpens(100, 5002)}};
    dialogue.conversations.push_back(guestOpens(20, 5003));
    dialogue.conversations.back().after = 1;
    server->SetAttribute("MaxPause", TimeValue(Seconds(1)));
    // Not before the start, which a copy does not wait for.
    Simulator::Schedule(MilliSeconds(11), &Takeover::TakeOverEvery, this, MicroSeconds(1700));
    Play(Share(dialogue));
    CheckAllRight(dialogue);
    BOOST_TEST(takeovers > 50U);
    BOOST_TEST(turnsSent + server->GetTurnsSent() == 8U);
    // Start, the last one's start, a pause, and five times the way.
    BOOST_TEST(finishedAt.GetMilliSeconds() == 10 + 100 + 3 + 5);
}
