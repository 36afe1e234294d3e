/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_guest

#include "model-abort.h"
#include "model-guest-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

namespace data = boost::unit_test::data;

// ---- sockets that do not match ----

// What only B has vanishes without a word to the client; what only A has is made.
BOOST_AUTO_TEST_CASE(sockets_of_one_side_vanish_or_are_made)
{
    World world;
    world.Build();
    Peer peers[3];
    for (int i = 0; i < 3; ++i)
    {
        peers[i].toSend = 1000;
        world.Connect(peers[i], MilliSeconds(50 + 50 * i));
    }
    // B runs far ahead: it opens three connections that A does not have.
    Peer ahead[3];
    Ptr<Node> node = world.b->GetObject<Node>();
    Simulator::ScheduleWithContext(node->GetId(), MilliSeconds(300), [&] {
        for (int i = 0; i < 3; ++i)
        {
            ahead[i].Use(Socket::CreateSocket(node, ColoTcpSocketFactory::GetTypeId()));
            ahead[i].socket->Connect(world.ClientAddress(99));
        }
    });
    uint64_t sentByB = 0;
    world.At(MilliSeconds(400), [&] {
        sentByB = world.framesOfB;
        world.Checkpoint();
    });
    world.Run(MilliSeconds(410));
    BOOST_TEST(world.cloned);
    BOOST_TEST(world.report.vanished == 3);
    BOOST_TEST(world.report.created == 3);
    BOOST_TEST(world.framesOfB == sentByB);
    BOOST_TEST((World::State(world.a) == World::State(world.b)));
    for (Peer& peer : ahead)
    {
        BOOST_TEST(!peer.failed);
        BOOST_TEST(!DynamicCast<ColoTcpSocket>(peer.socket)->IsBound());
    }
}

// The same addresses and ports, but another connection: B still has the old one, in TIME_WAIT.
BOOST_AUTO_TEST_CASE(reused_port_becomes_the_new_connection)
{
    World world;
    world.sameIsn = true;
    world.Build();
    world.ForBothApps([](EchoApp& app) { app.closeAfter = 5000; });
    Peer first;
    Peer second;
    for (Peer* peer : {&first, &second})
    {
        peer->toSend = 5000;
        world.AtClient(peer == &first ? MilliSeconds(50) : MilliSeconds(500), [&, peer] {
            Ptr<Socket> socket = Socket::CreateSocket(world.client, TcpSocketFactory::GetTypeId());
            socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), 4000));
            peer->Use(socket);
            socket->Connect(world.GuestAddress());
        });
    }
    world.At(MilliSeconds(450), [&] {
        for (auto& socket : World::Sockets(world.a)) // A forgets its TIME_WAIT early
        {
            if (socket->GetState() == TcpSocket::TIME_WAIT)
            {
                socket->Vanish();
            }
        }
    });
    world.At(MilliSeconds(516), [&] {
        auto stateOfB = World::Sockets(world.b).back()->GetState();
        BOOST_TEST(stateOfB == TcpSocket::TIME_WAIT);
        world.Checkpoint();
    });
    world.Run(Seconds(300));
    BOOST_TEST(world.cloned);
    BOOST_TEST(world.report.reused == 2);
    BOOST_TEST(world.sentByA.size() == 3); // data, FIN, ACK of the client's FIN
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(second.received == 5000);
}

// Two connections whose timers expire together repeat their SYNs in the original's order, although
// B has opened them the other way round.
BOOST_AUTO_TEST_CASE(timers_of_the_same_time_expire_in_the_original_order)
{
    World world;
    world.sameIsn = true;
    world.Build();
    world.lossToGuests = 1; // no answer
    for (auto guest : {world.a, world.b})
    {
        Ptr<Node> node = guest->GetObject<Node>();
        Simulator::ScheduleWithContext(node->GetId(), MilliSeconds(300), [&, node, guest] {
            Ptr<Socket> sockets[2];
            for (int i = 0; i < 2; ++i)
            {
                sockets[i] = Socket::CreateSocket(node, ColoTcpSocketFactory::GetTypeId());
                sockets[i]->Bind(InetSocketAddress(Ipv4Address::GetAny(), 5000 + i));
            }
            const int first = guest == world.a ? 1 : 0;
            sockets[first]->Connect(world.ClientAddress(99));
            sockets[1 - first]->Connect(world.ClientAddress(99));
        });
    }
    world.At(MilliSeconds(400), [&] { world.Checkpoint(); });
    world.Run(Seconds(30));
    BOOST_TEST(world.sentByA.size() >= 6);
    BOOST_TEST(world.Difference() == "");
}

// ---- around the sockets ----

// B has never heard of the client: without A's ARP cache its first frame would wait for an answer.
BOOST_DATA_TEST_CASE(neighbours_are_known_at_once, data::make({false, true}), useIpv6)
{
    World world;
    Peer peer;
    world.useIpv6 = useIpv6;
    world.Build();
    world.deafB = true;
    peer.toSend = 300000;
    peer.toReceive = 300000;
    world.Connect(peer, MilliSeconds(50));
    world.At(MilliSeconds(151), [&] { world.Checkpoint(); });
    world.Run(Seconds(100)); // long enough for neighbours to be asked again
    BOOST_TEST(world.sentByA.size() > 10);
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(peer.received == 300000);
}

// A frame that waits for the answer to an ARP request is state as well.
BOOST_DATA_TEST_CASE(frames_that_wait_for_a_neighbour_are_copied,
                     data::make({false, true}),
                     useIpv6)
{
    World world;
    Peer peer;
    world.useIpv6 = useIpv6;
    world.sameIsn = true;
    world.Build();
    world.deafClient = true; // so that nobody answers before the checkpoint
    world.ForBothApps([&](EchoApp& app) {
        app.remote = world.ClientAddress(1234);
        app.toSend = 20000;
    });
    world.Listen(peer, 1234);
    world.At(MilliSeconds(500), [&] { world.Checkpoint(); });
    world.Run(Seconds(300));
    BOOST_TEST(world.sentByA.size() > 10);
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(peer.received == 20000);
}

// The next connection that each guest opens must have the same port.
BOOST_AUTO_TEST_CASE(next_ephemeral_port_is_copied)
{
    World world;
    world.Build();
    auto open = [](Ptr<ColoGuest> guest) {
        auto socket =
            Socket::CreateSocket(guest->GetObject<Node>(), ColoTcpSocketFactory::GetTypeId());
        socket->Bind();
        Address name;
        socket->GetSockName(name);
        return InetSocketAddress::ConvertFrom(name).GetPort();
    };
    for (int i = 0; i < 5; ++i)
    {
        open(world.a);
        World::Sockets(world.a).back()->Vanish();
    }
    world.At(MilliSeconds(100), [&] { world.Checkpoint(); });
    world.Run(MilliSeconds(200));
    BOOST_TEST(open(world.a) == open(world.b));
}

// ---- initial sequence numbers ----

// What ISN the guest's first connection has.
struct IsnRun
{
    uint32_t a{0};
    uint32_t b{0};

    IsnRun(uint32_t seed, uint64_t run, bool guestConnects, bool assign)
    {
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(run);
        World world;
        Peer peer;
        world.Build();
        if (assign)
        {
            const int64_t used = world.a->AssignStreams(1000);
            BOOST_TEST(used > 0);
            BOOST_TEST(world.b->AssignStreams(1000 + used) == used);
        }
        if (guestConnects)
        {
            world.ForBothApps([&](EchoApp& app) { app.remote = world.ClientAddress(1234); });
            world.Listen(peer, 1234);
        }
        else
        {
            world.Connect(peer, MilliSeconds(50));
        }
        world.lossToClient = 1; // the handshakes shall go no further
        world.Run(MilliSeconds(150));
        a = World::Sockets(world.a).back()->GetIsn();
        b = World::Sockets(world.b).back()->GetIsn();
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
    }
};

BOOST_DATA_TEST_CASE(isn_is_random_and_reproducible, data::make({false, true}), guestConnects)
{
    const IsnRun one(1, 1, guestConnects, true);
    const IsnRun again(1, 1, guestConnects, true);
    BOOST_TEST(one.a == again.a);
    BOOST_TEST(one.b == again.b);
    std::set<uint32_t> all{one.a, one.b};
    for (const IsnRun& other : {IsnRun(1, 2, guestConnects, true),
                                IsnRun(2, 1, guestConnects, true),
                                IsnRun(1, 1, guestConnects, false)})
    {
        all.insert(other.a);
        all.insert(other.b);
    }
    BOOST_TEST(all.size() == 8);
    for (uint32_t isn : all)
    {
        BOOST_TEST(isn > 0);
        BOOST_TEST(isn < 0x7c000000);
    }
}

// ---- what cannot be cloned ----

// Their Fork() loses state; a twin that is not quite one must not go unnoticed.
BOOST_DATA_TEST_CASE(other_congestion_controls_are_refused,
                     data::make({"ns3::TcpBbr", "ns3::TcpVegas", "ns3::TcpDctcp"}),
                     name)
{
    World world;
    Peer peer;
    world.congestionControl = name;
    SetTransfer(world, peer);
    world.At(MilliSeconds(100), [&] { world.Checkpoint(); });
    const std::string message = AbortMessage([&] { world.Run(MilliSeconds(200)); });
    const std::string reason = std::string("a connection with ") + name +
                               " cannot be cloned exactly; use ns3::TcpNewReno or ns3::TcpCubic";
    BOOST_TEST(message.find(reason) != std::string::npos);
    BOOST_TEST(ColoTcpSocket::WhyNotCloneable(TypeId::LookupByName(name)) == reason);
}

BOOST_AUTO_TEST_CASE(sockets_of_other_factories_are_refused)
{
    World world;
    world.Build();
    Socket::CreateSocket(world.a->GetObject<Node>(), TcpSocketFactory::GetTypeId());
    world.At(MilliSeconds(100), [&] { world.Checkpoint(); });
    const std::string message = AbortMessage([&] { world.Run(MilliSeconds(200)); });
    BOOST_TEST(message.find("not made by ns3::ColoTcpSocketFactory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(running_guests_are_refused)
{
    World world;
    world.Build();
    const std::string message = AbortMessage([&] { world.b->CloneFrom(world.a); });
    BOOST_TEST(message.find("node 2 is not paused") != std::string::npos);
}
