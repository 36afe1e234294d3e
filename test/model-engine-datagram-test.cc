/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What is not TCP on its way through the engine.
#define BOOST_TEST_MODULE model_engine_datagram
#include "model-engine-world.h"
#include "model-fragments.h"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

using colo_test::BuildWhole;
using colo_test::Datagram;
using colo_test::Pattern;
using colo_test::UdpOf;

namespace
{

constexpr std::size_t IP_AT = 14;
constexpr std::size_t IP_LEN = 20;
constexpr std::size_t L4_AT = IP_AT + IP_LEN;
constexpr std::size_t ICMP_LEN = 8;
constexpr uint8_t ICMP = 1;
constexpr uint8_t UNREACHABLE = 3;

Bytes
BuildUdp(std::size_t length, uint8_t peer = 9)
{
    Datagram datagram;
    datagram.destination = peer;
    datagram.data = UdpOf(length);
    return BuildWhole(datagram);
}

/** An error about a frame that the guest has sent, as the client's router tells it. */
Bytes
BuildError(const Bytes& about)
{
    Datagram datagram;
    datagram.protocol = ICMP;
    datagram.data = {UNREACHABLE, 1, 0, 0, 0, 0, 0, 0};
    datagram.data.insert(datagram.data.end(), about.begin() + IP_AT, about.begin() + L4_AT + 8);
    uint32_t sum = 0;
    for (std::size_t i = 0; i < datagram.data.size(); i += 2)
    {
        sum += colo_get16(&datagram.data[i]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    colo_put16(&datagram.data[2], ~((sum & 0xffff) + (sum >> 16)));
    Bytes frame = BuildWhole(datagram);
    std::copy_n(about.begin() + IP_AT + 16, 4, frame.begin() + IP_AT + 12);
    std::copy_n(about.begin() + IP_AT + 12, 4, frame.begin() + IP_AT + 16);
    return frame;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(udp_waits_for_the_same_payload, PrimaryHost)
{
    Input(COLO_PRIMARY, BuildUdp(100));
    Input(COLO_PRIMARY, BuildUdp(200));
    BOOST_TEST(room.Take().empty());
    Input(COLO_SECONDARY, BuildUdp(200));
    BOOST_TEST(room.left.empty());
    Input(COLO_SECONDARY, BuildUdp(100));
    BOOST_REQUIRE(room.left.size() == 2);
    BOOST_TEST((room.left[0] == BuildUdp(100)));
    BOOST_TEST((room.left[1] == BuildUdp(200)));
    BOOST_TEST(CountedFrame::alive == 0);
    BOOST_TEST(engine->GetConnections() == 1);
}

BOOST_AUTO_TEST_CASE(table_is_shared_by_streams_and_datagrams)
{
    World world(COLO_ROLE_PRIMARY, DefaultConfig(), 2);
    world.Open();
    world.now += SECOND;
    world.Input(COLO_PRIMARY, BuildUdp(1, 8));
    world.now += SECOND;
    BOOST_TEST(world.engine->GetConnections() == 2);
    world.Input(COLO_PRIMARY, BuildUdp(1, 9)); // the stream is idle longest
    BOOST_TEST(world.engine->GetConnections() == 2);
    world.room.Take();
    world.Primary("P. 1:101(100) ack 1"); // and now both datagrams hold something
    BOOST_TEST((world.room.Take() == Lines{"drop P limit 1"}));
}

BOOST_AUTO_TEST_CASE(datagrams_idle_too_long_are_forgotten)
{
    colo_config config = DefaultConfig();
    config.idle_timeout_ns = 10 * SECOND;
    config.closed_timeout_ns = 10 * SECOND;
    World world(COLO_ROLE_PRIMARY, config);
    for (uint8_t peer = 1; peer < 100; peer++)
    {
        world.Input(COLO_PRIMARY, BuildUdp(1, peer));
        world.Input(COLO_SECONDARY, BuildUdp(1, peer));
        world.now += SECOND;
    }
    BOOST_TEST(world.engine->GetConnections() <= 12);
}

BOOST_FIXTURE_TEST_CASE(icmp_errors_quote_the_secondarys_own_numbers, SecondaryHost)
{
    Input(COLO_INBOUND, Build(COLO_INBOUND, "S 0:0(0)"));
    Secondary("S. 0:0(0) ack 1");
    Observe(COLO_PRIMARY, "S. 0:0(0) ack 1");
    const Bytes about = Build(COLO_PRIMARY, "P. 1:101(100) ack 1");
    room.left.clear();
    Input(COLO_INBOUND, BuildError(about));
    BOOST_REQUIRE(room.left.size() == 1);
    const std::size_t quoted = L4_AT + ICMP_LEN + IP_LEN;
    BOOST_TEST(colo_get32(&room.left[0][quoted + 4]) == SECONDARY_ISN + 1);
    uint32_t sum = 0;
    for (std::size_t i = L4_AT; i < room.left[0].size(); i += 2)
    {
        sum += colo_get16(&room.left[0][i]);
    }
    BOOST_TEST((sum & 0xffff) + (sum >> 16) == 0xffffU);
}

BOOST_FIXTURE_TEST_CASE(other_datagrams_pass_the_secondary_as_they_are, SecondaryHost)
{
    const Bytes unknown = BuildError(Build(COLO_PRIMARY, "P. 1:101(100) ack 1"));
    for (const Bytes& frame : {BuildUdp(10), unknown})
    {
        for (colo_side side : {COLO_SECONDARY, COLO_INBOUND})
        {
            Input(side, frame);
            BOOST_TEST((room.left.back() == frame));
        }
    }
    BOOST_TEST(engine->GetConnections() == 0);
}

// What is decided does not depend on how frames are handed over.
BOOST_FIXTURE_TEST_CASE(bursts_are_judged_frame_by_frame, PrimaryHost)
{
    std::vector<std::unique_ptr<ColoFrame>> burst;
    auto add = [&](colo_side side, Bytes bytes) {
        burst.push_back(std::make_unique<CountedFrame>(side, std::move(bytes)));
    };
    for (uint16_t i = 0; i < 50; i++)
    {
        port = 40000 + i % 20;
        const std::string line =
            fmt::format("P. {}:{}(10) ack 1", 1 + i / 20 * 10, 11 + i / 20 * 10);
        add(COLO_PRIMARY, Build(COLO_PRIMARY, line));
        add(COLO_SECONDARY, Build(COLO_SECONDARY, line));
        add(COLO_SECONDARY, BuildUdp(i));
        add(COLO_PRIMARY, BuildUdp(i));
        add(COLO_PRIMARY, Bytes(13));
    }
    engine->Input(burst.data(), burst.size(), now);
    BOOST_TEST(room.left.size() == 150U);
    BOOST_TEST(engine->GetConnections() == 21);
    BOOST_TEST(CountedFrame::alive == 0);
    room.Take();
}
