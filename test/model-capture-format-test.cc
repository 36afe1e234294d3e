/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Kinds of captures, and packets that are damaged.
#define BOOST_TEST_MODULE model_capture_format
#include "colo-capture.h"
#include "model-capture.h"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace ns3;

namespace
{

constexpr uint8_t ACK = Segment::ACK;
constexpr bool CLIENT = false;
constexpr bool SERVER = true;

} // namespace

BOOST_FIXTURE_TEST_CASE(every_link_type, Files)
{
    Bytes ip = Segment{CLIENT, ACK, 1, 1, 33}.Ipv4();
    auto after = [](Bytes header, const Bytes& packet) {
        header += packet;
        return header;
    };
    Bytes ethernet(12, 2);
    const std::vector<std::pair<int, Bytes>> cases = {
        {DLT_EN10MB, after(after(ethernet, {0x08, 0x00}), ip)},
        {DLT_EN10MB, after(after(ethernet, {0x81, 0x00, 0x00, 0x05, 0x08, 0x00}), ip)},
        {DLT_EN10MB,
         after(after(ethernet, {0x88, 0xa8, 0, 7, 0x81, 0x00, 0x00, 0x05, 0x08, 0x00}), ip)},
        {DLT_LINUX_SLL, after({0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00}, ip)},
        {DLT_LINUX_SLL2,
         after({0x08, 0x00, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0}, ip)},
        {DLT_RAW, ip},
        {DLT_IPV4, ip},
        {DLT_NULL, after({2, 0, 0, 0}, ip)},
        {DLT_LOOP, after({0, 0, 0, 2}, ip)},
    };
    for (const auto& [linkType, packet] : cases)
    {
        BOOST_TEST_CONTEXT("link type " << linkType)
        {
            CaptureWriter(Path(), linkType).Add(packet);
            BOOST_TEST(Read() == "C33+0");
        }
    }
}

BOOST_FIXTURE_TEST_CASE(ipv6_and_its_extensions, Files)
{
    Segment segment{CLIENT, ACK, 1, 1, 33};
    const std::vector<Bytes> cases = {
        segment.Ipv6(),
        segment.Ipv6({6, 0, 1, 4, 0, 0, 0, 0}, 0),              // hop-by-hop options
        segment.Ipv6({6, 0, 0, 0, 1, 2, 3, 4}, 44),             // a fragment that is whole
        segment.Ipv6({6, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 51), // authentication
        segment.Ipv6({43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0}, 60),
    };
    for (const Bytes& packet : cases)
    {
        CaptureWriter(Path(), DLT_RAW).Add(packet);
        BOOST_TEST(Read() == "C33+0");
    }
}

BOOST_FIXTURE_TEST_CASE(nanosecond_stamps, Files)
{
    {
        CaptureWriter writer(Path(), DLT_EN10MB, true);
        writer.At(7000000001);
        writer.Add(Segment{CLIENT, ACK, 1, 1, 5});
        writer.At(7000000124);
        writer.Add(Segment{SERVER, ACK, 1, 6, 5});
    }
    auto dialogue = ColoReadCapture(Path());
    BOOST_TEST(dialogue.conversations[0].turns[1].pause.GetNanoSeconds() == 123);
}

BOOST_FIXTURE_TEST_CASE(pcapng, Files)
{
    auto little32 = [](uint32_t value) {
        std::string bytes;
        for (int shift = 0; shift < 32; shift += 8)
        {
            bytes += static_cast<char>(value >> shift);
        }
        return bytes;
    };
    auto block = [&](uint32_t type, std::string body) {
        body.resize((body.size() + 3) / 4 * 4);
        std::string length = little32(static_cast<uint32_t>(body.size() + 12));
        return little32(type) + length + body + length;
    };
    std::string file =
        block(0x0a0d0d0a, little32(0x1a2b3c4d) + little32(1) + std::string(8, '\xff'));
    file += block(1, little32(DLT_EN10MB) + little32(262144));
    uint32_t stamp = 1000;
    for (const Segment& segment : {Segment{CLIENT, ACK, 1, 1, 5}, Segment{SERVER, ACK, 1, 6, 9}})
    {
        Bytes frame = segment.Ethernet();
        std::string size = little32(static_cast<uint32_t>(frame.size()));
        file += block(6,
                      little32(0) + little32(0) + little32(stamp) + size + size +
                          std::string(frame.begin(), frame.end()));
        stamp += 4000;
    }
    WriteAll(Path(), file);
    BOOST_TEST(Read() == "C5+0 S9+4");
}

BOOST_FIXTURE_TEST_CASE(short_captures_keep_the_lengths, Files)
{
    {
        CaptureWriter writer(Path());
        writer.Add(Segment{CLIENT, ACK, 1, 1, 1000}.Ethernet(), 54);
        writer.Add(Segment{SERVER, ACK, 1, 1001, 500}.Ethernet(), 48);
        writer.Add(Segment{SERVER, ACK, 501, 1001, 500}.Ethernet(), 47); // no flags
    }
    BOOST_TEST(Read() == "C1000+0 S500+1");
    BOOST_TEST(counts.malformed == 1U);
}

BOOST_FIXTURE_TEST_CASE(padding_is_not_data, Files)
{
    {
        CaptureWriter writer(Path());
        Bytes frame = Segment{CLIENT, ACK, 1, 1, 2}.Ethernet();
        frame.resize(60);
        writer.Add(frame);
    }
    BOOST_TEST(Read() == "C2+0");
}

BOOST_FIXTURE_TEST_CASE(a_length_left_to_offload, Files)
{
    {
        CaptureWriter writer(Path());
        Bytes frame = Segment{CLIENT, ACK, 1, 1, 70}.Ethernet();
        frame[14 + 2] = frame[14 + 3] = 0;
        writer.Add(frame);
    }
    BOOST_TEST(Read() == "C70+0");
}

BOOST_FIXTURE_TEST_CASE(a_length_that_no_offload_makes, Files)
{
    CaptureWriter(Path()).Add({{CLIENT, ACK, 1, 1, 70}, {CLIENT, ACK, 71, 1, 70}});
    std::string file = ReadAll(Path());
    constexpr std::size_t SECOND = 24 + 16 + 54 + 70;
    file.replace(SECOND + 12, 4, "\xff\xff\xff\x7f");         // length on the wire
    file.replace(SECOND + 16 + 14 + 2, 2, std::string(2, 0)); // length in IP
    WriteAll(Path(), file);
    BOOST_TEST(Read() == "C70+0");
    BOOST_TEST(counts.malformed == 1U);
}

BOOST_FIXTURE_TEST_CASE(malformed_packets_are_skipped, Files)
{
    {
        CaptureWriter writer(Path());
        auto broken = [&](std::size_t offset, uint8_t value) {
            Bytes frame = Segment{CLIENT, ACK, 11, 1, 10}.Ethernet();
            frame[offset] = value;
            writer.Add(frame);
        };
        writer.Add(Segment{CLIENT, ACK, 1, 1, 10});
        broken(14, 0x55);      // IP version 5
        broken(14, 0x44);      // header of 16 bytes
        broken(14 + 3, 19);    // shorter than its header
        broken(14 + 2, 0x20);  // longer than the packet
        broken(34 + 12, 0x40); // TCP header of 16 bytes
        broken(34 + 12, 0xf0); // TCP header that does not fit
        Segment noPort{CLIENT, ACK, 11, 1, 10, 0};
        writer.Add(noPort);
        writer.Add(Bytes{}, 0);
        writer.Add(Bytes(13, 1));
        broken(12, 0x09);     // another ethertype
        broken(14 + 6, 0x20); // a fragment
        broken(14 + 7, 0x01); // the fragment's rest
        writer.Add(Segment{SERVER, ACK, 1, 11, 20});
    }
    BOOST_TEST(Read() == "C10+0 S20+13");
    BOOST_TEST(counts.malformed == 9U);
    BOOST_TEST(counts.others == 3U);
    BOOST_TEST(counts.packets == 14U);
    BOOST_TEST(counts.segments == 2U);
}

BOOST_FIXTURE_TEST_CASE(damaged_captures_end_in_a_script_or_an_error, Files)
{
    const std::string whole = ReadAll(std::string(COLO_TRACES_DIR) + "/ssh.pcap");
    constexpr uint32_t SEED = 1;
    BOOST_TEST_MESSAGE("seed " << SEED);
    std::mt19937 random(SEED);
    for (int round = 0; round < 300; round++)
    {
        std::string damaged = whole;
        for (uint32_t left = 1 + random() % 40; left > 0; left--)
        {
            damaged[24 + random() % (damaged.size() - 24)] = static_cast<char>(random());
        }
        WriteAll(Path(), damaged);
        try
        {
            auto dialogue = ColoReadCapture(Path(), &counts);
            for (const auto& conversation : dialogue.conversations)
            {
                BOOST_REQUIRE(!conversation.turns.empty());
                BOOST_REQUIRE(!conversation.start.IsStrictlyNegative());
                for (const ColoTurn& turn : conversation.turns)
                {
                    BOOST_REQUIRE(turn.bytes > 0);
                    BOOST_REQUIRE(!turn.pause.IsStrictlyNegative());
                }
            }
            BOOST_REQUIRE(counts.packets ==
                          counts.segments + counts.others + counts.malformed + counts.strays);
        }
        catch (const ColoCaptureError& error)
        {
            BOOST_TEST_MESSAGE(error.what());
        }
    }
}
