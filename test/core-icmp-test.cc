/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// ICMP and ICMPv6: what of a message counts, and what an incoming error tells the secondary.
#define BOOST_TEST_MODULE core_icmp
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

const auto FAMILIES = data::make({4, 6});

// An ICMP message begins there, and what it quotes eight bytes further on.
size_t
IcmpAt(int family)
{
    return family == 6 ? 54 : 34;
}

struct IcmpCore : FlowCore
{
    // Both guests send a message, the secondary's with one bit flipped, counted from ICMP's start.
    bool IsMatchedWithBitFlippedAt(const std::string& line, size_t offset)
    {
        Bytes frame = BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port});
        Input(COLO_PRIMARY, frame);
        BOOST_TEST(m_node.held_count == 1U);
        frame[IcmpAt(m_family) + offset] ^= 0x10;
        Input(COLO_SECONDARY, frame);
        return m_node.held_count == 0;
    }

    std::string Reply(int identifier, int number, const std::string& payload) const
    {
        return "icmp type " + std::to_string(m_family == 6 ? 129 : 0) + " ident " +
               std::to_string(identifier) + " nr " + std::to_string(number) + " data \"" + payload +
               "\"";
    }

    std::string Unreachable(const std::string& quoted) const
    {
        return "icmp type " + std::to_string(m_family == 6 ? 1 : 3) + " code 3 quote [" + quoted +
               "]";
    }

    std::string TooBig(const std::string& quoted) const
    {
        return "icmp " + std::string(m_family == 6 ? "type 2" : "type 3 code 4") +
               " mtu 1400 quote [" + quoted + "]";
    }
};

// An incoming error about what the guest sent, in the secondary's numbering.
struct QuotingFix : EstablishedFix
{
    Bytes Expected(const std::string& line) const
    {
        return BuildFrame(line, {m_clientIsn, m_secondaryIsn, true, m_family, m_port});
    }
};

} // namespace

// Each identifier is a flow: one program's echo does not wait for another's (flow key).
BOOST_DATA_TEST_CASE_F(IcmpCore, case_icmp_echoes_of_several_programs, FAMILIES, family)
{
    m_family = family;
    Primary(Reply(7, 1, "seven"));
    Primary(Reply(8, 1, "eight"));
    Secondary(Reply(8, 1, "eight"));
    BOOST_TEST(Released() == "'eight'");
    Secondary(Reply(7, 1, "seven"));
    BOOST_TEST(Released() == "'seven'");
}

// Replies and requests of the guest itself.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_echo_is_matched, FAMILIES, family)
{
    m_family = family;
    Primary(Reply(7, 1, "a"));
    Primary(Reply(7, 2, "b"));
    Secondary(Reply(7, 2, "b"));
    BOOST_TEST(Released() == "");
    Secondary(Reply(7, 1, "a"));
    BOOST_TEST(Released() == "'a', 'b'");
    std::string request = family == 6 ? "icmp type 128" : "icmp type 8";
    Primary(request + " ident 7 nr 1 data \"c\" id 1 ttl 1");
    Secondary(request + " ident 7 nr 1 data \"c\" id 2 ttl 2 pad 5");
    BOOST_TEST(Released() == "'c'");
}

// Type, code, sequence and payload count.
BOOST_DATA_TEST_CASE_F(IcmpCore,
                       icmp_echo_fields_that_count,
                       FAMILIES* data::make({0, 1, 6, 7, 8, 9}),
                       family,
                       offset)
{
    m_family = family;
    BOOST_TEST(!IsMatchedWithBitFlippedAt(Reply(7, 1, "ab"), size_t(offset)));
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
}

// The checksum follows from the rest, and hardware may not have filled it in yet.
BOOST_DATA_TEST_CASE_F(IcmpCore,
                       icmp_echo_checksum_does_not_count,
                       FAMILIES* data::make({2, 3}),
                       family,
                       offset)
{
    m_family = family;
    BOOST_TEST(IsMatchedWithBitFlippedAt(Reply(7, 1, "ab"), size_t(offset)));
}

// Two guests' errors about one packet of the client, quoted as each of them got it.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_error_is_matched, FAMILIES, family)
{
    m_family = family;
    Primary(Unreachable("udp len 100 id 5 ttl 9 tos 1"));
    BOOST_TEST(Released() == "");
    Secondary(Unreachable("udp len 100 id 6 ttl 8"));
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(Released() != "");
}

namespace
{

// Offsets from where ICMP begins, of an error that quotes TCP.
const size_t IGNORED_IPV4[] = {2, 3, 9, 12, 13, 16, 18, 19};
const size_t COUNTED_IPV4[] = {0, 1, 4, 5, 6, 7, 17, 20, 23, 24, 27, 28, 29, 30, 31, 32, 35};
const size_t IGNORED_IPV6[] = {2, 3, 9, 11, 15};
const size_t COUNTED_IPV6[] = {0, 1, 4, 7, 14, 16, 31, 32, 47, 48, 49, 50, 51, 52, 55};

} // namespace

// How the quoted packet travelled: its TOS, identification, TTL and header checksum.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_error_fields_ignored, data::make(IGNORED_IPV4), offset)
{
    BOOST_TEST(IsMatchedWithBitFlippedAt(TooBig(". 1:101(100) ack 1"), offset));
}

BOOST_DATA_TEST_CASE_F(IcmpCore,
                       icmp_error_fields_ignored_in_ipv6,
                       data::make(IGNORED_IPV6),
                       offset)
{
    m_family = 6;
    BOOST_TEST(IsMatchedWithBitFlippedAt(TooBig(". 1:101(100) ack 1"), offset));
}

// Type, code, MTU; of the quoted packet protocol, addresses, ports and sequence number.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_error_fields_that_count, data::make(COUNTED_IPV4), offset)
{
    BOOST_TEST(!IsMatchedWithBitFlippedAt(TooBig(". 1:101(100) ack 1"), offset));
}

BOOST_DATA_TEST_CASE_F(IcmpCore,
                       icmp_error_fields_that_count_in_ipv6,
                       data::make(COUNTED_IPV6),
                       offset)
{
    m_family = 6;
    BOOST_TEST(!IsMatchedWithBitFlippedAt(TooBig(". 1:101(100) ack 1"), offset));
}

// Of a quoted UDP the ports are known to be meant, its length and checksum follow.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_error_about_udp, FAMILIES, family)
{
    m_family = family;
    size_t quoted = family == 6 ? 48 : 28;
    BOOST_TEST(!IsMatchedWithBitFlippedAt(Unreachable("udp data \"a\""), quoted + 3));
    Checkpoint();
    BOOST_TEST(IsMatchedWithBitFlippedAt(Unreachable("udp data \"a\""), quoted + 6));
}

// Of a quoted echo identifier and sequence.
BOOST_DATA_TEST_CASE_F(IcmpCore,
                       icmp_error_about_an_echo,
                       FAMILIES* data::make({4, 5, 6, 7}),
                       family,
                       field)
{
    m_family = family;
    size_t quoted = family == 6 ? 48 : 28;
    std::string line = Unreachable("icmp type 8 ident 5 nr 1 data \"a\"");
    BOOST_TEST(!IsMatchedWithBitFlippedAt(line, quoted + size_t(field)));
    Checkpoint();
    BOOST_TEST(IsMatchedWithBitFlippedAt(line, quoted + 2));
}

// What quotes too little is compared as it stands.
BOOST_DATA_TEST_CASE_F(IcmpCore, icmp_error_without_a_quote, FAMILIES, family)
{
    m_family = family;
    std::string line = family == 6 ? "icmp type 1 data \"abcd\"" : "icmp type 3 data \"abcd\"";
    BOOST_TEST(IsMatchedWithBitFlippedAt(line, 2));
    BOOST_TEST(!IsMatchedWithBitFlippedAt(line, 9));
}

// A quoted header that claims to be longer than what is quoted is read no further (bounded).
BOOST_DATA_TEST_CASE_F(IcmpCore, bounded_quotes, FAMILIES, family)
{
    m_family = family;
    Bytes frame = BuildFrame(TooBig(". 1:101(100) ack 1"), {0, 0, false, family, 40000});
    for (size_t cut = frame.size(); cut >= IcmpAt(family) + 8; cut--)
    {
        frame.resize(cut);
        size_t length = cut - IcmpAt(family);
        frame[family == 6 ? 19 : 17] = uint8_t(family == 6 ? length : length + 20);
        for (uint8_t first : {0x45, 0x4f, 0x40, 0x60})
        {
            if (cut > IcmpAt(family) + 8)
            {
                frame[IcmpAt(family) + 8] = first;
            }
            Input(COLO_PRIMARY, frame);
            Input(COLO_SECONDARY, frame);
        }
    }
    BOOST_TEST(m_node.held_count == 0U);
}

// The secondary's stack knows its own numbers only: it would ignore an error about others.
BOOST_DATA_TEST_CASE_F(QuotingFix,
                       icmp_incoming_error_is_translated,
                       data::make({"icmp type 3 code 1 quote [. 101:201(100) ack 1]",
                                   "icmp type 3 code 4 mtu 1400 quote [. 101:201(100) ack 1]",
                                   "icmp type 11 quote [F. 101:101(0) ack 1]"}),
                       line)
{
    Client(line);
    BOOST_TEST(Released().substr(0, 13) == "in quoted 101");
    BOOST_TEST(Reason() == "fixed");
    BOOST_TEST(m_sent.back().frame == Expected(line));
}

// In IPv6 the checksum covers the addresses as well.
BOOST_FIXTURE_TEST_CASE(icmp_incoming_error_of_ipv6_is_translated, QuotingFix)
{
    m_family = 6;
    m_port++;
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Released();
    const std::string line = "icmp type 2 mtu 1400 quote [. 101:201(100) ack 1]";
    Client(line);
    BOOST_TEST(Released() == "in quoted 101");
    BOOST_TEST(m_sent.back().frame == Expected(line));
}

// Echoes, and errors about anything else, are as they are.
BOOST_DATA_TEST_CASE_F(EstablishedFix,
                       icmp_incoming_others_are_left_alone,
                       data::make({"icmp type 8 ident 1 data \"aaaabbbbccccddddeeeeffff\"",
                                   "icmp type 3 code 3 quote [udp data \"a\"]",
                                   "icmp type 3 code 3 data \"a\""}),
                       line)
{
    Client(line);
    BOOST_TEST(Released() != "");
    BOOST_TEST(Reason() == "unfixed");
    BOOST_TEST((m_sent.back().frame == BuildFrame(line, {m_clientIsn, m_primaryIsn, true})));
}

// After a checkpoint both guests number alike (fix-checkpoint).
BOOST_FIXTURE_TEST_CASE(icmp_incoming_error_after_a_checkpoint, EstablishedFix)
{
    Checkpoint();
    const std::string line = "icmp type 3 code 1 quote [. 101:201(100) ack 1]";
    Client(line);
    BOOST_TEST(Reason() == "unfixed");
    BOOST_TEST((m_sent.back().frame == BuildFrame(line, {m_clientIsn, m_primaryIsn, true})));
}
