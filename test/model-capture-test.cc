/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Captures, sound and broken, and the scripts that are read from them.
#define BOOST_TEST_MODULE model_capture
#include "colo-capture.h"
#include "model-capture.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace ns3;

namespace
{

namespace data = boost::unit_test::data;

constexpr uint8_t FIN = Segment::FIN;
constexpr uint8_t SYN = Segment::SYN;
constexpr uint8_t RST = Segment::RST;
constexpr uint8_t ACK = Segment::ACK;
constexpr bool CLIENT = false;
constexpr bool SERVER = true;

/** Handshake with ISNs 999 and 4999, so that data begins at 1000 and 5000. */
void
Handshake(CaptureWriter& writer, uint16_t clientPort = 40000)
{
    writer.Add({{CLIENT, SYN, 999, 0, 0, clientPort},
                {SERVER, SYN | ACK, 4999, 1000, 0, clientPort},
                {CLIENT, ACK, 1000, 5000, 0, clientPort}});
}

/** A handshake comes first. */
struct Connection : Files
{
    std::string ReadAfterHandshake(std::initializer_list<Segment> segments)
    {
        {
            CaptureWriter writer(Path());
            Handshake(writer);
            writer.Add(segments);
        }
        return Read();
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(errors)

BOOST_FIXTURE_TEST_CASE(a_missing_file, Files)
{
    BOOST_TEST(Complaint(folder / "none.pcap") == "no such file");
    WriteAll(folder / "file", "x");
    BOOST_TEST(Complaint(folder / "file/none.pcap") == "Not a directory");
}

BOOST_FIXTURE_TEST_CASE(a_directory, Files)
{
    std::filesystem::create_directory(folder / "sub");
    BOOST_TEST(Complaint(folder / "sub") == "is a directory, not a capture");
}

BOOST_AUTO_TEST_CASE(a_device)
{
    BOOST_TEST(Files().Complaint("/dev/null") == "is not a regular file");
}

BOOST_FIXTURE_TEST_CASE(an_unreadable_file, Files)
{
    WriteAll(Path(), "secret");
    std::filesystem::permissions(Path(), std::filesystem::perms::none);
    // Root may read everything.
    if (geteuid() != 0)
    {
        BOOST_TEST(Complaint(Path()) == "cannot be read: Permission denied");
    }
}

BOOST_FIXTURE_TEST_CASE(an_empty_file, Files)
{
    WriteAll(Path(), "");
    BOOST_TEST(Complaint(Path()) == "is empty");
}

BOOST_FIXTURE_TEST_CASE(not_a_capture, Files)
{
    WriteAll(Path(), "This is a text, and long enough for a header.\n");
    BOOST_TEST(Complaint(Path()) == "not a capture: unknown file format");
    WriteAll(Path(), "hi");
    BOOST_TEST(Complaint(Path()).rfind("not a capture: truncated dump file", 0) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_truncated_file_names_the_packet, Files)
{
    CaptureWriter(Path()).Add({{CLIENT, ACK, 1, 1, 10}, {SERVER, ACK, 1, 11, 10}});
    std::string whole = ReadAll(Path());
    constexpr std::size_t HEADER = 24;
    constexpr std::size_t PACKET = 16 + 64;
    BOOST_REQUIRE(whole.size() == HEADER + 2 * PACKET);
    // Wherever it is cut but between two packets.
    for (std::size_t size = 1; size < whole.size(); size++)
    {
        WriteAll(Path(), whole.substr(0, size));
        std::string complaint = Complaint(Path());
        if (size < HEADER)
        {
            BOOST_TEST(complaint.rfind("not a capture: ", 0) == 0U);
        }
        else if (size == HEADER)
        {
            BOOST_TEST(complaint == "no TCP session with data in 0 packets");
        }
        else if (size == HEADER + PACKET)
        {
            BOOST_TEST(complaint == "");
        }
        else
        {
            std::string packet = size < HEADER + PACKET ? "1" : "2";
            BOOST_TEST(complaint.rfind("packet " + packet + ": truncated dump file", 0) == 0U);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(an_unsupported_link_type, Files)
{
    CaptureWriter(Path(), DLT_IEEE802_11).Add(Segment{});
    BOOST_TEST(Complaint(Path()) == "link type 105 (IEEE802_11) is not supported");
}

BOOST_FIXTURE_TEST_CASE(no_tcp_session_with_data, Files)
{
    {
        CaptureWriter writer(Path());
        Handshake(writer);
        Bytes udp = Segment{}.Ethernet();
        udp[14 + 9] = 17;
        writer.Add(udp);
        writer.Add({{CLIENT, FIN | ACK, 1000, 5000}, {SERVER, FIN | ACK, 5000, 1001}});
    }
    BOOST_TEST(Complaint(Path()) == "no TCP session with data in 6 packets");
}

BOOST_FIXTURE_TEST_CASE(too_many_connections, Files)
{
    {
        CaptureWriter writer(Path());
        for (uint32_t i = 0; i < 40001; i++)
        {
            writer.Add(Segment{CLIENT, ACK, 1, 1, 1, static_cast<uint16_t>(20000 + i)});
        }
    }
    BOOST_TEST(Complaint(Path()) == "packet 40001: more than 40000 TCP connections");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(turns)

BOOST_FIXTURE_TEST_CASE(data_of_one_side_is_one_turn, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {SERVER, ACK, 5000, 1010},
                                   {CLIENT, ACK, 1010, 5000, 20},
                                   {SERVER, ACK, 5000, 1030, 300},
                                   {SERVER, ACK, 5300, 1030, 400},
                                   {CLIENT, ACK, 1030, 5700, 1}}) == "C30+2 S700+1 C1+1");
}

BOOST_FIXTURE_TEST_CASE(a_turn_may_be_the_servers_first, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{SERVER, ACK, 5000, 1000, 7}, {CLIENT, ACK, 1000, 5007, 8}}) ==
               "S7+2 C8+1");
}

BOOST_FIXTURE_TEST_CASE(data_may_cross, Connection)
{
    // Two requests under way at once; the second is sent before the first is answered whole.
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {SERVER, ACK, 5000, 1010, 100},
                                   {CLIENT, ACK, 1010, 5000, 20},
                                   {SERVER, ACK, 5100, 1010, 100},
                                   {SERVER, ACK, 5200, 1030, 50}}) == "C10+2 S100+1 C20+1 S150+1");
}

BOOST_FIXTURE_TEST_CASE(what_is_sent_twice_counts_once, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {CLIENT, ACK, 1000, 5000, 10},
                                   {CLIENT, ACK, 1005, 5000, 10}, // five are new
                                   {SERVER, ACK, 5000, 1015, 40},
                                   {CLIENT, ACK, 1000, 5000, 15},
                                   {SERVER, ACK, 5039, 1015, 1}, // keep-alive
                                   {SERVER, ACK, 5040, 1015, 2}}) == "C15+2 S42+1");
    BOOST_TEST(counts.missingBytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_is_out_of_order_is_put_right, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {SERVER, ACK, 5200, 1010, 100},
                                   {SERVER, ACK, 5100, 1010, 100},
                                   {SERVER, ACK, 5150, 1010, 250}, // covers both and more
                                   {CLIENT, ACK, 1010, 5000, 30},
                                   {SERVER, ACK, 5000, 1010, 100},
                                   {CLIENT, ACK, 1040, 5400, 1}}) == "C40+2 S400+1 C1+1");
    BOOST_TEST(counts.missingBytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(numbers_wrap, Files)
{
    BOOST_TEST(Read({{CLIENT, SYN, 0xfffffff0, 0},
                     {SERVER, SYN | ACK, 0xffffffff, 0xfffffff1},
                     {CLIENT, ACK, 0xfffffff1, 0, 10},
                     {SERVER, ACK, 0, 0xfffffffb, 5},
                     {CLIENT, ACK, 5, 5, 10}, // behind the hole
                     {CLIENT, ACK, 0xfffffffb, 5, 10},
                     {SERVER, ACK, 5, 15, 5}}) == "C10+1 S5+1 C20+2 S5+1");
    BOOST_TEST(counts.missingBytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(an_acknowledged_hole_was_said, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {SERVER, ACK, 5100, 1010, 100}, // the first 100 are missing
                                   {CLIENT, ACK, 1010, 5200, 10},
                                   {SERVER, ACK, 5200, 1050, 10}}) == // 30 of the client's are
               "C10+2 S200+2 C40+0 S10+0");
    BOOST_TEST(counts.missingBytes == 130U);
}

BOOST_FIXTURE_TEST_CASE(a_hole_at_the_end_was_said, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10}, {SERVER, ACK, 5100, 1010, 50}}) ==
               "C10+2 S150+0");
    BOOST_TEST(counts.missingBytes == 100U);
}

BOOST_FIXTURE_TEST_CASE(a_jump_of_the_numbers_is_not_data, Connection)
{
    // 512 MiB ahead is within the largest window, 2 GiB is not; neither counts.
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {CLIENT, ACK, 1000 + (1U << 29), 5000, 20},
                                   {CLIENT, ACK, 1000 + (1U << 31), 5000, 40},
                                   {SERVER, ACK, 5000, 1000 + (1U << 28)}}) == "C30+2");
    BOOST_TEST(counts.strays == 1U);
    BOOST_TEST(counts.missingBytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(many_holes_are_bounded, Files)
{
    {
        CaptureWriter writer(Path());
        writer.Add(Segment{CLIENT, ACK, 0, 0, 1});
        for (uint32_t i = 1; i <= 5000; i++)
        {
            writer.Add(Segment{CLIENT, ACK, 2 * i, 0, 1});
        }
        writer.Add(Segment{SERVER, 0, 0, 0, 7});
    }
    // What no longer had room was said before the server spoke.
    BOOST_TEST(Read() == "C7953+0 S7+1 C2048+0");
    BOOST_TEST(counts.missingBytes == 5000U);
}

BOOST_FIXTURE_TEST_CASE(stamps_may_go_back, Files)
{
    {
        CaptureWriter writer(Path());
        writer.At(5000000);
        writer.Add(Segment{CLIENT, ACK, 1, 1, 10});
        writer.At(4000000);
        writer.Add(Segment{SERVER, ACK, 1, 11, 10});
        writer.Add(Segment{CLIENT, ACK, 1, 1, 5, 40001});
    }
    BOOST_TEST(Read() == "C5+0 | C10+0 S10+0");
    auto conversations = ColoReadCapture(Path()).conversations;
    BOOST_TEST(conversations[0].start.IsZero());
    BOOST_TEST(conversations[1].start.GetMilliSeconds() == 999);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(connections)

BOOST_FIXTURE_TEST_CASE(the_first_fin_closes, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10},
                                   {SERVER, FIN | ACK, 5000, 1010, 20}, // with data
                                   {CLIENT, FIN | ACK, 1010, 5021},
                                   {SERVER, ACK, 5021, 1011}}) == "C10+2 S20+1 S");
    BOOST_TEST(ReadAfterHandshake({{CLIENT, FIN | ACK, 1000, 5000, 10},
                                   {SERVER, ACK, 5000, 1011, 20},
                                   {SERVER, FIN | ACK, 5020, 1011}}) == "C10+2 S20+1 C");
    BOOST_TEST(counts.missingBytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_reset_closes, Connection)
{
    BOOST_TEST(ReadAfterHandshake({{CLIENT, ACK, 1000, 5000, 10}, {SERVER, RST | ACK, 5000, 0}}) ==
               "C10+2 S reset");
    BOOST_TEST(ReadAfterHandshake({{CLIENT, FIN | ACK, 1000, 5000, 10}, {SERVER, RST, 5000, 0}}) ==
               "C10+2 C");
}

BOOST_FIXTURE_TEST_CASE(the_receiver_of_the_syn_is_the_server, Files)
{
    // Its port is the higher one.
    BOOST_TEST(Read({{CLIENT, SYN, 9, 0, 0, 1024, 50000},
                     {SERVER, SYN | ACK, 9, 10, 0, 1024, 50000},
                     {CLIENT, ACK, 10, 10, 5, 1024, 50000}}) == "C5+1");
    BOOST_TEST(ColoReadCapture(Path()).conversations[0].serverPort == 50000);
    // The SYN itself was missed.
    BOOST_TEST(Read({{SERVER, SYN | ACK, 9, 10, 0, 1024, 50000},
                     {CLIENT, ACK, 10, 10, 5, 1024, 50000}}) == "C5+1");
}

BOOST_FIXTURE_TEST_CASE(without_a_syn_the_lower_port_is_the_servers, Files)
{
    BOOST_TEST(Read({{SERVER, ACK, 70000, 300, 10},
                     {CLIENT, ACK, 300, 70010, 20},
                     {CLIENT, ACK, 290, 70010, 30}, // begins before what was seen
                     {SERVER, ACK, 70010, 320, 30}}) == "S10+0 C20+1 S30+2");
    BOOST_TEST(ColoReadCapture(Path()).conversations[0].serverPort == 80);
    // The acknowledgement says where the other side stands.
    BOOST_TEST(Read({{SERVER, ACK, 70000, 300, 10}, {CLIENT, ACK, 305, 70010, 20}}) ==
               "S10+0 C25+0");
}

BOOST_FIXTURE_TEST_CASE(data_on_a_syn_counts, Files)
{
    BOOST_TEST(Read({{CLIENT, SYN, 999, 0, 10},
                     {SERVER, SYN | ACK, 4999, 1010},
                     {CLIENT, ACK, 1010, 5000, 5}}) == "C15+0");
}

BOOST_FIXTURE_TEST_CASE(connections_are_told_apart, Files)
{
    {
        CaptureWriter writer(Path());
        Handshake(writer, 40000);
        Handshake(writer, 40001);
        Handshake(writer, 40002);
        writer.Add({{CLIENT, ACK, 1000, 5000, 2, 40001},
                    {CLIENT, ACK, 1000, 5000, 1, 40000},
                    {SERVER, ACK, 5000, 1002, 4, 40001},
                    {SERVER, ACK, 5000, 1001, 3, 40000}});
    }
    BOOST_TEST(Read() == "C1+9 S3+2 | C2+5 S4+2");
    BOOST_TEST(counts.silent == 1U);
    auto conversations = ColoReadCapture(Path()).conversations;
    BOOST_TEST(conversations[0].start.IsZero());
    BOOST_TEST(conversations[1].start.GetMilliSeconds() == 3);
}

BOOST_FIXTURE_TEST_CASE(ports_are_used_again, Files)
{
    {
        CaptureWriter writer(Path());
        Handshake(writer);
        writer.Add({{CLIENT, ACK, 1000, 5000, 10},
                    {CLIENT, FIN | ACK, 1010, 5000},
                    {SERVER, FIN | ACK, 5000, 1011},
                    {CLIENT, SYN, 70000, 0},
                    {CLIENT, SYN, 70000, 0}, // sent again
                    {SERVER, SYN | ACK, 80000, 70001},
                    {CLIENT, ACK, 70001, 80001, 20},
                    {SERVER, ACK, 80001, 70021, 30}});
    }
    BOOST_TEST(Read() == "C10+2 C | C20+1 S30+1");
    BOOST_TEST(counts.silent == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

namespace
{

struct Trace
{
    const char* name;
    std::size_t conversations;
    uint64_t clientBytes;
    uint64_t serverBytes;
    std::size_t turns;
    uint16_t serverPort;
    ColoCloser closer;

    friend std::ostream& operator<<(std::ostream& os, const Trace& trace)
    {
        return os << trace.name;
    }
};

// Counted with tshark 4.0: `tshark -r FILE -q -z follow,tcp,raw,N` for each stream N, whose lines
// were added up by side, and whose changes of side are the turns; the first FIN closes.
const std::vector<Trace> TRACES = {
    {"dns-tcp", 1, 58, 226, 2, 53, ColoCloser::CLIENT},
    {"http", 3, 531, 164412, 12, 80, ColoCloser::CLIENT},
    {"redis", 17, 56537, 37510, 482, 6379, ColoCloser::CLIENT},
    {"redis-benchmark", 15, 827, 13167, 30, 6379, ColoCloser::CLIENT},
    {"smtp", 2, 19451, 798, 32, 25, ColoCloser::SERVER},
    {"ssh", 1, 5281, 3311, 19, 22, ColoCloser::CLIENT},
    {"whois", 1, 13, 233, 2, 43, ColoCloser::SERVER},
};

} // namespace

BOOST_DATA_TEST_CASE(a_trace_is_what_tshark_says, data::make(TRACES), trace)
{
    ColoCaptureCounts counts;
    ColoDialogue dialogue =
        ColoReadCapture(std::string(COLO_TRACES_DIR) + "/" + trace.name + ".pcap", &counts);
    BOOST_TEST(dialogue.conversations.size() == trace.conversations);
    BOOST_TEST(dialogue.GetBytes(false) == trace.clientBytes);
    BOOST_TEST(dialogue.GetBytes(true) == trace.serverBytes);
    std::size_t turns = 0;
    for (const auto& conversation : dialogue.conversations)
    {
        turns += conversation.turns.size();
        BOOST_TEST(conversation.serverPort == trace.serverPort);
        BOOST_TEST((conversation.closer == trace.closer));
    }
    BOOST_TEST(turns == trace.turns);
    BOOST_TEST(counts.segments == counts.packets);
    BOOST_TEST(counts.missingBytes == 0U);
}
