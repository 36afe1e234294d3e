/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A dialogue's server becomes a copy of another in the middle of everything.
#define BOOST_TEST_MODULE model_dialogue_twin
#include "colo-tcp-socket.h"
#include "model-dialogue.h"

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

BOOST_FIXTURE_TEST_CASE(a_copy_of_a_diverging_turn_diverges, Takeover)
{
    server->SetAttribute("Diverges", BooleanValue(true));
    server->SetAttribute("Divergence", DoubleValue(1));
    TakeOverEvery(MilliSeconds(20));
    Play(OneConversation({{false, 10, Time(0)}, {true, 900000, Time(0)}}, ColoCloser::CLIENT));
    BOOST_TEST(takeovers > 2U);
    BOOST_TEST(client->GetDataErrors() > 0U);
    // The first server had not handed that over when it was copied.
    BOOST_TEST(client->GetFirstDataError()->position > 150000U);
}

BOOST_FIXTURE_TEST_CASE(a_copy_does_not_diverge_because_its_twin_does, Takeover)
{
    server->SetAttribute("Diverges", BooleanValue(true));
    server->SetAttribute("Divergence", DoubleValue(1));
    TakeOverEvery(MilliSeconds(100));
    Play(OneConversation({{false, 10, Time(0)},
                          {true, 100, Time(0)},
                          {false, 10, MilliSeconds(200)},
                          {true, 100, Time(0)}},
                         ColoCloser::CLIENT));
    BOOST_TEST(diverged.size() == 1U);
    BOOST_TEST(server->GetTurnsDiverged() == 0U);
    BOOST_TEST(client->GetDataErrors() > 0U);
    BOOST_TEST(client->GetDataErrors() <= 3U);
    BOOST_TEST(client->GetFirstDataError()->position < 100U);
}
