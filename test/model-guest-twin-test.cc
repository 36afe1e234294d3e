/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_guest_twin

#include "model-guest-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace
{

// Moments all over such a transfer, at odd places.
Time
Moment(int i)
{
    return MilliSeconds(111) + MicroSeconds(41137) * i;
}

// Run it through a checkpoint: every later frame must be equal to the bit, IP identification and
// timestamps included, and leave at the same time; and the client must not notice.
void
CheckTransfer(World& world, Peer& peer, Time moment)
{
    world.At(moment, [&] { world.Checkpoint(); });
    world.Run(Seconds(60));
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(world.sentByA.size() > 10);
    BOOST_TEST(peer.received == TRANSFER_BYTES);
    BOOST_TEST(peer.wrong == 0);
    BOOST_TEST(!peer.failed);
}

} // namespace

// ---- checkpoints in a transfer ----

// B has kept up, but for what it lost.
BOOST_DATA_TEST_CASE(twin_that_kept_up_sends_the_same_frames, data::xrange(24), i)
{
    World world;
    Peer peer;
    world.sameIsn = true;
    world.lossToB = 0.02;
    SetTransfer(world, peer);
    CheckTransfer(world, peer, Moment(i));
    BOOST_TEST(world.report.reused == 2); // the listening socket as well
}

// B has another ISN, and has given up the connection when the client's acknowledgements did not
// fit: it is made anew.
BOOST_DATA_TEST_CASE(twin_without_the_connection_sends_the_same_frames, data::xrange(24), i)
{
    World world;
    Peer peer;
    SetTransfer(world, peer);
    CheckTransfer(world, peer, Moment(i));
    BOOST_TEST(world.report.created == 1);
}

// Cubic has a state of its own, clock times included.
BOOST_DATA_TEST_CASE(twin_with_cubic_sends_the_same_frames, data::xrange(24), i)
{
    World world;
    Peer peer;
    world.sameIsn = i % 2 == 0;
    world.congestionControl = "ns3::TcpCubic";
    SetTransfer(world, peer);
    CheckTransfer(world, peer, Moment(i));
}

// The parts of TCP that are switched on or off by attributes have state, too.
const std::vector<std::pair<std::string, std::string>> VARIANTS = {
    {"ns3::TcpSocketBase::Sack", "false"},
    {"ns3::TcpSocketBase::Timestamp", "false"},
    {"ns3::TcpSocketBase::WindowScaling", "false"},
    {"ns3::TcpSocketState::EnablePacing", "true"},
    {"ns3::TcpSocketBase::UseEcn", "On"},
    {"ns3::TcpSocket::DelAckCount", "5"},
    {"ns3::TcpSocket::DelAckTimeout", "3ms"},
    {"ns3::TcpSocketBase::LimitedTransmit", "false"},
    {"ns3::TcpL4Protocol::RecoveryType", "ns3::TcpClassicRecovery"},
};

BOOST_DATA_TEST_CASE(twin_has_all_of_tcp,
                     data::xrange(VARIANTS.size()) * data::xrange(4),
                     variant,
                     i)
{
    World world;
    Peer peer;
    Config::SetDefault(VARIANTS[variant].first, StringValue(VARIANTS[variant].second));
    BOOST_TEST_CONTEXT(VARIANTS[variant].first)
    {
        world.sameIsn = i % 2 == 0;
        SetTransfer(world, peer);
        CheckTransfer(world, peer, Moment(4 * i + 1));
    }
}

BOOST_DATA_TEST_CASE(twin_sends_the_same_frames_over_ipv6, data::xrange(6), i)
{
    World world;
    Peer peer;
    world.sameIsn = i % 2 == 0;
    world.useIpv6 = true;
    SetTransfer(world, peer);
    CheckTransfer(world, peer, Moment(4 * i));
}

// The client does not read for a while, so the guest probes its closed window.
BOOST_DATA_TEST_CASE(twin_probes_a_closed_window, data::xrange(4), i)
{
    World world;
    Peer peer;
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(14000));
    peer.readPause = Seconds(20);
    SetTransfer(world, peer);
    world.lossToGuests = 0; // with losses, ns-3's own persist timer makes the client crash
    world.lossToClient = 0;
    CheckTransfer(world, peer, Seconds(2 + 4 * i));
}

// The last frame that is let through arrives at the very time of the pause, and what TCP does about
// it takes another nanosecond.
BOOST_DATA_TEST_CASE(twin_is_copied_whole_when_a_frame_arrives_with_the_pause, data::xrange(8), i)
{
    World world;
    Peer peer;
    world.sameIsn = i % 2 == 0;
    SetTransfer(world, peer);
    world.At(Moment(2 * i), [&] { world.checkpointAtNextFrame = true; });
    world.Run(Seconds(60));
    BOOST_TEST(world.cloned);
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(peer.received == TRANSFER_BYTES);
    BOOST_TEST(peer.wrong == 0);
}

// Only this acknowledges a single segment to which the guest has no answer.
BOOST_AUTO_TEST_CASE(twin_sends_the_delayed_ack)
{
    World world;
    Peer peer;
    world.sameIsn = true;
    world.Build();
    world.ForBothApps([&](EchoApp& app) { app.remote = world.ClientAddress(1234); });
    peer.toSend = 1000;
    world.Listen(peer, 1234);
    world.AtClient(MilliSeconds(300), [&] {
        peer.toSend = 2000;
        peer.Write(peer.socket, 0);
    });
    world.At(MilliSeconds(400), [&] { world.Checkpoint(); });
    world.Run(Seconds(2));
    BOOST_TEST(world.sentByA.size() == 1);
    BOOST_TEST(world.Difference() == "");
}

// The client is gone: the intervals between the repetitions go on growing as before.
BOOST_DATA_TEST_CASE(twin_keeps_backing_off, data::xrange(4), i)
{
    World world;
    Peer peer;
    SetTransfer(world, peer);
    world.At(MilliSeconds(400), [&] {
        world.lossToGuests = 1;
        world.lossToClient = 1;
    });
    world.At(Seconds(2 + 3 * i), [&] { world.Checkpoint(); });
    world.Run(Seconds(200));
    BOOST_TEST(world.sentByA.size() >= 2);
    BOOST_TEST(world.Difference() == "");
}

// One checkpoint after the other, as in a real run.
BOOST_AUTO_TEST_CASE(twin_can_be_renewed_again_and_again)
{
    World world;
    Peer peer;
    SetTransfer(world, peer);
    for (int i = 0; i < 20; ++i)
    {
        world.At(Moment(i), [&] { world.Checkpoint(); });
    }
    CheckTransfer(world, peer, Moment(20));
    BOOST_TEST(world.report.reused == 2);
}

// ---- checkpoints in every state of a connection ----

// Who opens, who closes first, and the state of the primary's socket at the checkpoint. What B
// has at that time is sometimes the same connection with another ISN and sometimes none.
struct StateCase
{
    TcpSocket::TcpStates_t state;
    bool guestConnects;
    bool guestClosesFirst;
};

const std::vector<StateCase> STATES = {
    {TcpSocket::LISTEN, false, false},
    {TcpSocket::SYN_RCVD, false, false},
    {TcpSocket::SYN_SENT, true, true},
    {TcpSocket::ESTABLISHED, true, true},
    {TcpSocket::FIN_WAIT_1, false, true},
    {TcpSocket::FIN_WAIT_1, true, true},
    {TcpSocket::FIN_WAIT_2, false, true},
    {TcpSocket::FIN_WAIT_2, true, true},
    {TcpSocket::CLOSE_WAIT, false, false},
    {TcpSocket::CLOSE_WAIT, true, false},
    {TcpSocket::LAST_ACK, false, false},
    {TcpSocket::LAST_ACK, true, false},
    {TcpSocket::TIME_WAIT, false, true},
    {TcpSocket::TIME_WAIT, true, true},
};

// The connection goes on to its end in both guests, FINs, their repetition and all timeouts
// included.
BOOST_DATA_TEST_CASE(twin_takes_over_in_any_state,
                     data::xrange(STATES.size()) * data::xrange(4),
                     number,
                     variant)
{
    const StateCase& test = STATES[number];
    World world;
    Peer peer;
    world.sameIsn = variant == 0 || test.state == TcpSocket::LISTEN;
    world.deafB = variant == 3;                    // has no connection
    world.lossAfterClone = variant >= 2 ? 0.5 : 0; // so that SYNs and FINs are repeated
    world.lossToB = 0.3;
    world.Build();
    world.ForBothApps([&](EchoApp& app) {
        app.closeDelay = MilliSeconds(test.guestClosesFirst && variant == 2 ? 0 : 30);
        app.closeAfter = test.guestClosesFirst ? 20000 : 0;
        if (test.guestConnects)
        {
            app.remote = world.ClientAddress(1234);
            app.toSend = 20000;
        }
    });
    peer.closeDelay = MilliSeconds(40);
    peer.toReceive = test.guestClosesFirst ? UINT64_MAX : 20000;
    if (test.guestConnects)
    {
        world.Listen(peer, 1234);
    }
    else
    {
        peer.toSend = 20000;
        world.Connect(peer, MilliSeconds(50));
    }
    world.CheckpointInState(test.state);
    world.Run(Seconds(400));
    BOOST_TEST_CONTEXT(TcpSocket::TcpStateName[test.state])
    {
        BOOST_TEST(world.cloned);
        BOOST_TEST(world.Difference() == "");
        BOOST_TEST(peer.wrong == 0);
        if (world.lossAfterClone == 0) // else ns-3's own connections may come to a standstill
        {
            BOOST_TEST(peer.received == 20000);
            // Nothing is left but listening sockets: the clone's timers have all expired.
            BOOST_TEST(World::Sockets(world.b).size() == (test.guestConnects ? 0 : 1));
        }
    }
}

// B's sockets start with other settings than A's had.
BOOST_AUTO_TEST_CASE(twin_takes_over_the_settings)
{
    World world;
    Peer peer;
    for (const char* option : {"Sack", "Timestamp"})
    {
        Config::SetDefault(std::string("ns3::TcpSocketBase::") + option, BooleanValue(false));
    }
    SetTransfer(world, peer);
    world.lossToGuests = 0; // without SACK and with a small window, ns-3's own TCP crashes
    world.lossToClient = 0;
    world.appB->SetStartTime(MilliSeconds(30));
    world.At(MilliSeconds(20), [&] {
        world.appA->listener->SetIpTos(0x10);
        world.appA->listener->SetIpTtl(33);
        for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{
                 {"TcpSocket::DelAckCount", "9"},
                 {"TcpSocket::DelAckTimeout", "7ms"},
                 {"TcpSocket::SegmentSize", "700"},
                 {"TcpSocket::InitialCwnd", "3"},
                 {"TcpSocket::SndBufSize", "9000"},
                 {"TcpSocket::RcvBufSize", "9000"},
                 {"TcpSocketBase::MaxWindowSize", "9000"},
                 {"TcpSocketBase::MinRto", "9s"},
                 {"TcpSocketBase::ClockGranularity", "1s"},
                 {"TcpSocketBase::ReTxThreshold", "9"},
                 {"TcpSocketBase::LimitedTransmit", "false"},
                 {"TcpSocketBase::MaxSegLifetime", "1"},
                 {"TcpSocketBase::Sack", "true"},
                 {"TcpSocketBase::Timestamp", "true"}})
        {
            Config::SetDefault(std::string("ns3::") + name, StringValue(value));
        }
    });
    CheckTransfer(world, peer, MilliSeconds(150));
}

// Both ends count from far behind 0 and past 2^32; the transfer goes on, and so does its copy.
BOOST_AUTO_TEST_CASE(positions_may_wrap)
{
    World world;
    Peer peer;
    world.lossToGuests = 0.01;
    world.lossToClient = 0.01;
    world.lossAfterFrames = 5;
    world.Build();
    auto variation = Create<ColoTcpVariation>();
    variation->isn->SetAttribute("Constant", DoubleValue(4294900000.0));
    for (auto guest : {world.a, world.b})
    {
        guest->GetObject<ColoTcpSocketFactory>()->SetVariation(variation);
    }
    auto factory = CreateObject<ColoTcpSocketFactory>();
    factory->SetVariation(variation);
    world.client->AggregateObject(factory);
    peer.toSend = TRANSFER_BYTES;
    peer.toReceive = TRANSFER_BYTES;
    world.AtClient(MilliSeconds(50), [&] {
        peer.Use(Socket::CreateSocket(world.client, ColoTcpSocketFactory::GetTypeId()));
        peer.socket->Connect(world.GuestAddress());
    });
    CheckTransfer(world, peer, MilliSeconds(200));
}
