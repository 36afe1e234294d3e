/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Where the TCP of two guests differs, and that a clone goes on with what its original has drawn.
#define BOOST_TEST_MODULE model_guest_divergence

#include "model-abort.h"
#include "model-guest-world.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace data = boost::unit_test::data;

namespace
{

const uint64_t PIECE_BYTES = 900;
const uint64_t TALK_BYTES = 35 * PIECE_BYTES;

using Settings = std::vector<std::pair<std::string, std::string>>;

/** A source of divergence. */
struct Source
{
    std::string name;
    Settings attributes; //!< of ColoGuest
    bool guestConnects{false};
};

std::ostream&
operator<<(std::ostream& os, const Source& source)
{
    return os << source.name;
}

const std::vector<Source> SOURCES = {
    {"segment size", {{"SegmentSize", "ns3::UniformRandomVariable[Min=300|Max=800]"}}},
    {"announced segment size",
     {{"SegmentSize", "ns3::UniformRandomVariable[Min=300|Max=800]"},
      {"AnnounceSegmentSize", "true"}}},
    {"delayed ACK count", {{"DelAckCount", "ns3::UniformRandomVariable[Min=1|Max=9]"}}},
    {"delayed ACK timeout",
     {{"DelAckTimeout", "ns3::UniformRandomVariable[Min=0.001|Max=0.3]"}},
     true},
    {"Nagle", {{"Nagle", "0.5"}}},
    {"timestamps", {{"TimestampOffset", "ns3::UniformRandomVariable[Min=0|Max=4294900000]"}}},
    {"ephemeral ports",
     {{"EphemeralPort", "ns3::UniformRandomVariable[Min=32768|Max=60999]"}},
     true},
};

std::string
Constant(const std::string& value)
{
    return "ns3::ConstantRandomVariable[Constant=" + value + "]";
}

void
Set(const Settings& attributes)
{
    for (const auto& [name, value] : attributes)
    {
        Config::SetDefault("ns3::ColoGuest::" + name, StringValue(value));
    }
}

void
AssignStreams(World& world, int64_t stream = 7000)
{
    stream += world.a->AssignStreams(stream);
    stream += world.b->AssignStreams(stream);
    InternetStackHelper().AssignStreams(NodeContainer(world.client), stream);
}

/** The clients' ends of several connections. */
using Peers = std::vector<Peer>;

bool
AreRight(const Peers& peers)
{
    return std::all_of(peers.begin(), peers.end(), [](const Peer& peer) {
        return peer.received == TALK_BYTES && peer.wrong == 0 && !peer.failed;
    });
}

/** Let a client send small pieces, faster than they are acknowledged. */
void
Drip(World& world, Peer& peer, Time first)
{
    for (uint64_t sent = PIECE_BYTES; sent <= TALK_BYTES; sent += PIECE_BYTES)
    {
        world.AtClient(first, [&peer, sent] {
            peer.toSend = sent;
            peer.Write(peer.socket, 0);
        });
        first += MilliSeconds(3);
    }
}

/** Not all at once: ARP holds few packets back. */
void
ConnectOneByOne(World& world, Peers& peers, Time first = MilliSeconds(50))
{
    for (Peer& peer : peers)
    {
        peer.toReceive = TALK_BYTES;
        peer.closeDelay = Seconds(5);
        world.Connect(peer, first);
        Drip(world, peer, first + MilliSeconds(50));
        first += MilliSeconds(10);
    }
}

/** Transfers both ways, and everything the guests send is kept. */
void
SetTalk(World& world, Peers& peers, const Source& source)
{
    world.sameIsn = true;
    Set(source.attributes);
    world.Build();
    AssignStreams(world);
    world.cloned = true;
    if (source.guestConnects)
    {
        peers.resize(1);
        world.ForBothApps([&world](EchoApp& app) {
            app.remote = world.ClientAddress(1234);
            app.toSend = TALK_BYTES;
        });
        world.Listen(peers[0], 1234);
        Drip(world, peers[0], MilliSeconds(100));
    }
    else
    {
        ConnectOneByOne(world, peers);
    }
}

/** The end of a frame's fixed TCP header, and of its options; nothing if it is none of IPv4. */
std::optional<std::pair<std::size_t, std::size_t>>
FindOptions(const std::string& frame)
{
    if (frame.size() < 54 || frame[12] != 8 || frame[13] != 0 || frame[23] != 6)
    {
        return {};
    }
    return std::pair<std::size_t, std::size_t>{54, 34 + (uint8_t(frame[46]) >> 4) * 4};
}

std::size_t
PayloadSize(const std::string& frame)
{
    const auto options = FindOptions(frame);
    return options ? frame.size() - options->second : 0;
}

/** What an option of a frame begins with, in so many bytes. */
std::optional<uint32_t>
ReadOption(const std::string& frame, uint8_t kind, int bytes)
{
    const auto options = FindOptions(frame);
    for (std::size_t i = options ? options->first : 0; options && i < options->second;)
    {
        if (uint8_t(frame[i]) == kind)
        {
            uint32_t value = 0;
            for (int k = 0; k < bytes; k++)
            {
                value = value << 8 | uint8_t(frame[i + 2 + k]);
            }
            return value;
        }
        if (frame[i] == 0)
        {
            break;
        }
        i += frame[i] == 1 ? 1 : uint8_t(frame[i + 1]);
    }
    return {};
}

std::size_t
LargestPayload(const std::vector<World::Sent>& sent)
{
    std::size_t largest = 0;
    for (const auto& [when, frame] : sent)
    {
        largest = std::max(largest, PayloadSize(frame));
    }
    return largest;
}

template <typename Value>
auto
GetOfLastSocket(Ptr<ColoGuest> guest, const std::string& attribute)
{
    Value value;
    World::Sockets(guest).back()->GetAttribute(attribute, value);
    return value.Get();
}

uint16_t
ConnectFrom(World& world, Ptr<ColoGuest> guest)
{
    ColoPause::InContext inContext(guest->GetObject<Node>()->GetId());
    Ptr<Socket> socket =
        Socket::CreateSocket(guest->GetObject<Node>(), ColoTcpSocketFactory::GetTypeId());
    socket->Connect(world.ClientAddress(1234));
    Address name;
    socket->GetSockName(name);
    return world.useIpv6 ? Inet6SocketAddress::ConvertFrom(name).GetPort()
                         : InetSocketAddress::ConvertFrom(name).GetPort();
}

} // namespace

// ---- on and off ----

BOOST_DATA_TEST_CASE(off_the_guests_send_the_same_frames, data::make({false, true}), guestConnects)
{
    World world;
    Peers peers(6);
    SetTalk(world, peers, {"", {}, guestConnects});
    world.Run(Seconds(20));
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(world.sentByA.size() > 20);
}

BOOST_DATA_TEST_CASE(on_the_guests_send_different_frames, data::make(SOURCES), source)
{
    World world;
    Peers peers(6);
    SetTalk(world, peers, source);
    world.Run(Seconds(20));
    BOOST_TEST(world.Difference() != "");
    BOOST_TEST(AreRight(peers));
}

// A default is one object for both guests, but each draws from streams of its own.
BOOST_DATA_TEST_CASE(what_a_guest_draws_does_not_depend_on_the_other, data::make(SOURCES), source)
{
    std::vector<World::Sent> ofA[2];
    std::vector<World::Sent> ofB[2];
    for (int i : {0, 1})
    {
        World world;
        Peers peers(6);
        SetTalk(world, peers, source);
        world.b->AssignStreams(6000 + 100 * i);
        world.Run(Seconds(20));
        ofA[i] = world.sentByA;
        ofB[i] = world.sentByB;
    }
    BOOST_TEST(ofA[0].size() > 20);
    BOOST_TEST((ofA[0] == ofA[1]));
    BOOST_TEST((ofB[0] != ofB[1]));
}

// ---- each does what it says ----

BOOST_DATA_TEST_CASE(segments_have_the_size_drawn, data::make({false, true}), announce)
{
    World world;
    Peers peers(6);
    SetTalk(
        world,
        peers,
        {"",
         {{"SegmentSize", Constant("700")}, {"AnnounceSegmentSize", announce ? "true" : "false"}}});
    world.Run(Seconds(20));
    BOOST_TEST(AreRight(peers));
    BOOST_TEST(LargestPayload(world.sentByA) == 700);
    int announcements = 0;
    for (const auto& [when, frame] : world.sentByA)
    {
        const auto size = ReadOption(frame, 2, 2);
        announcements += size.has_value();
        BOOST_TEST(size.value_or(700) == 700);
    }
    BOOST_TEST(announcements == (announce ? 6 : 0)); // in SYN-ACKs only
}

// One draw for the guest, and the first window has as many segments as ever.
BOOST_AUTO_TEST_CASE(all_connections_have_one_segment_size)
{
    World world;
    Peers peers(5);
    Set(SOURCES[0].attributes);
    world.Build();
    ConnectOneByOne(world, peers);
    world.Run(Seconds(1));
    std::set<uint32_t> sizes;
    for (const auto& socket : World::Sockets(world.a))
    {
        if (socket->GetState() == TcpSocket::ESTABLISHED)
        {
            UintegerValue size;
            socket->GetAttribute("SegmentSize", size);
            sizes.insert(size.Get());
        }
    }
    BOOST_TEST(World::Sockets(world.a).size() == 6);
    BOOST_TEST(sizes.size() == 1);
    BOOST_TEST(*sizes.begin() != 1400);
}

BOOST_AUTO_TEST_CASE(acks_are_delayed_as_drawn)
{
    World world;
    Peers peers(6);
    SetTalk(world,
            peers,
            {"", {{"DelAckCount", Constant("7")}, {"DelAckTimeout", Constant("0.123")}}});
    world.Run(MilliSeconds(100));
    BOOST_TEST(GetOfLastSocket<UintegerValue>(world.a, "DelAckCount") == 7);
    BOOST_TEST(GetOfLastSocket<TimeValue>(world.a, "DelAckTimeout") == MilliSeconds(123));
}

BOOST_DATA_TEST_CASE(nagle_is_on_for_a_share_of_the_connections,
                     data::make({0.0, 0.5, 1.0}),
                     probability)
{
    World world;
    Peers peers(60);
    Set({{"Nagle", std::to_string(probability)}});
    world.Build();
    AssignStreams(world);
    ConnectOneByOne(world, peers);
    world.Run(Seconds(1));
    int on = 0;
    for (const auto& socket : World::Sockets(world.a))
    {
        BooleanValue noDelay;
        socket->GetAttribute("TcpNoDelay", noDelay);
        on += socket->GetState() == TcpSocket::ESTABLISHED && !noDelay.Get();
    }
    // 60 * 0.5 with 4 standard deviations
    BOOST_TEST(on >= (probability == 1 ? 60 : probability * 30));
    BOOST_TEST(on <= (probability == 0 ? 0 : 30 + probability * 30));
}

// The peer sees another clock; the guest's own round-trip times, and so all it does, are the same.
BOOST_DATA_TEST_CASE(timestamps_are_shifted_both_ways,
                     data::make({"5", "2147483648", "4294900000"}),
                     offset)
{
    std::vector<World::Sent> sent[2];
    for (bool isOn : {false, true})
    {
        World world;
        Peer peer;
        Set({{"TimestampOffset", Constant(isOn ? offset : "0")}});
        world.sameIsn = true;
        Config::SetDefault("ns3::TcpSocketBase::MinRto", TimeValue(MilliSeconds(1)));
        Config::SetDefault("ns3::TcpSocketBase::ClockGranularity", TimeValue(MilliSeconds(1)));
        SetTransfer(world, peer);
        AssignStreams(world);
        world.cloned = true;
        world.Run(Seconds(60));
        BOOST_TEST(peer.received == TRANSFER_BYTES);
        BOOST_TEST(peer.wrong == 0);
        sent[isOn] = world.sentByA;
    }
    BOOST_REQUIRE(sent[0].size() == sent[1].size());
    int stamped = 0;
    for (std::size_t i = 0; i < sent[0].size(); i++)
    {
        BOOST_REQUIRE(sent[0][i].first == sent[1][i].first);
        const auto stamp = ReadOption(sent[1][i].second, 8, 4);
        if (stamp)
        {
            stamped++;
            const uint32_t clock = *ReadOption(sent[0][i].second, 8, 4);
            BOOST_REQUIRE(*stamp - clock == std::stoul(offset));
        }
    }
    BOOST_TEST(stamped > 500);
}

BOOST_DATA_TEST_CASE(ports_are_drawn_from_those_that_are_free, data::make({false, true}), useIpv6)
{
    World world;
    world.useIpv6 = useIpv6;
    Set({{"EphemeralPort", "ns3::UniformRandomVariable[Min=50000|Max=50003]"}});
    world.Build();
    AssignStreams(world);
    std::vector<uint16_t> ports;
    world.At(MilliSeconds(50), [&] {
        for (int i = 0; i < 6; i++)
        {
            ports.push_back(ConnectFrom(world, world.a));
        }
    });
    world.Run(MilliSeconds(60));
    BOOST_REQUIRE(ports.size() == 6);
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    BOOST_TEST(ports.size() == 6); // the last two count up
    BOOST_TEST(std::count_if(ports.begin(), ports.end(), [](uint16_t port) {
                   return port >= 50000 && port <= 50003;
               }) >= 4);
}

BOOST_AUTO_TEST_CASE(draws_out_of_range_are_named)
{
    for (const auto& [attribute, value, text] :
         std::vector<std::tuple<std::string, std::string, std::string>>{
             {"SegmentSize", "65456", "ColoGuest: SegmentSize drew 65456, more than 65455"},
             {"DelAckCount", "65536", "ColoGuest: DelAckCount drew 65536, more than 65535"},
             {"EphemeralPort", "65536", "ColoGuest: EphemeralPort drew 65536, more than 65535"}})
    {
        World world;
        Set({{attribute, Constant(value)}});
        world.Build();
        const std::string message = AbortMessage([&] { ConnectFrom(world, world.a); });
        BOOST_TEST(message.find(text) != std::string::npos, attribute << ": " << message);
    }
}

// ---- clones ----

BOOST_DATA_TEST_CASE(clone_goes_on_with_what_was_drawn,
                     data::make(SOURCES) * data::xrange(3),
                     source,
                     i)
{
    World world;
    Peer peer;
    world.sameIsn = i % 2 == 0;
    Set(source.attributes);
    if (source.guestConnects)
    {
        world.lossToGuests = 0.01;
        world.lossToClient = 0.01;
        world.lossAfterFrames = 5;
        world.Build();
        peer.toSend = TRANSFER_BYTES;
        world.ForBothApps([&](EchoApp& app) {
            app.remote = world.ClientAddress(1234);
            app.toSend = TRANSFER_BYTES;
        });
        world.Listen(peer, 1234);
    }
    else
    {
        SetTransfer(world, peer);
    }
    AssignStreams(world);
    world.At(MilliSeconds(111) + MicroSeconds(241137) * i, [&] { world.Checkpoint(); });
    world.Run(Seconds(60));
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(world.sentByA.size() > 10);
    BOOST_TEST(peer.received == TRANSFER_BYTES);
    BOOST_TEST(peer.wrong == 0);
    BOOST_TEST(!peer.failed);
}

// It may still have to repeat what says so.
BOOST_DATA_TEST_CASE(clone_repeats_its_syn, data::make(SOURCES), source)
{
    World world;
    Peer peer;
    Set(source.attributes);
    world.lossAfterFrames = 1; // A's ARP reply
    world.deafB = true;        // it has no connection of its own
    world.lossToClient = 1;
    world.Build();
    AssignStreams(world);
    if (source.guestConnects)
    {
        world.ForBothApps([&](EchoApp& app) { app.remote = world.ClientAddress(1234); });
        world.Listen(peer, 1234);
    }
    else
    {
        world.Connect(peer, MilliSeconds(50));
    }
    world.CheckpointInState(source.guestConnects ? TcpSocket::SYN_SENT : TcpSocket::SYN_RCVD);
    world.Run(Seconds(30));
    BOOST_TEST(world.cloned);
    BOOST_TEST(world.Difference() == "");
    BOOST_TEST(world.sentByA.size() >= 2);
}

// The listening socket is cloned as well, but what it accepts then draws again.
BOOST_DATA_TEST_CASE(later_connections_of_a_clone_draw_again, data::make(SOURCES), source)
{
    World world;
    Peers peers(6);
    world.sameIsn = true;
    Set(source.attributes);
    world.Build();
    AssignStreams(world);
    world.At(MilliSeconds(100), [&] { world.Checkpoint(); });
    ConnectOneByOne(world, peers, MilliSeconds(200));
    world.Run(Seconds(20));
    BOOST_TEST(AreRight(peers));
    BOOST_TEST((world.Difference() == "") == source.guestConnects);
}
