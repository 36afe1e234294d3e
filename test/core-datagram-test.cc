/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Datagrams of both guests: matched in whatever order, let go in the primary's.
#define BOOST_TEST_MODULE core_datagram
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

struct DatagramCore : FlowCore
{
    static std::string Udp(const std::string& payload)
    {
        return "udp data \"" + payload + "\"";
    }

    // A datagram of one byte for each letter.
    void PrimarySends(const std::string& letters)
    {
        for (char letter : letters)
        {
            Primary(Udp(std::string(1, letter)));
        }
    }

    void SecondarySends(const std::string& letters)
    {
        for (char letter : letters)
        {
            Secondary(Udp(std::string(1, letter)));
        }
    }
};

// Only the headers are in the head, the payload comes in pieces of seven bytes.
struct SplitDatagrams : DatagramCore
{
    SplitDatagrams()
    {
        m_headLength = 42;
    }
};

struct SmallLimits : DatagramCore
{
    SmallLimits()
    {
        m_node.config.flow_held_max = 4;
        m_node.config.node_held_max = 100;
    }
};

struct SmallWindow : DatagramCore
{
    SmallWindow()
    {
        m_node.config.reorder_window = 4;
    }
};

} // namespace

// It leaves when the secondary has sent the same payload, and not before.
BOOST_FIXTURE_TEST_CASE(udp_waits_for_the_secondarys, DatagramCore)
{
    Primary("udp data \"hello\"");
    BOOST_TEST(Released() == "");
    Secondary("udp data \"hello\"");
    BOOST_TEST(Released() == "'hello'");
    BOOST_TEST(Dropped() == "'hello'");
    BOOST_TEST(m_node.held_count + m_node.extra_count == 0U);
    BOOST_TEST(colo_node_deadline(&m_node) == COLO_NEVER_NS);
}

BOOST_FIXTURE_TEST_CASE(udp_secondary_ahead, DatagramCore)
{
    SecondarySends("ab");
    BOOST_TEST(Dropped() == "");
    PrimarySends("a");
    BOOST_TEST(Released() == "'a'");
    PrimarySends("b");
    BOOST_TEST(Released() == "'b'");
    BOOST_TEST(m_node.extra_count == 0U);
}

// The order is the primary's, whatever the secondary's is (order).
BOOST_FIXTURE_TEST_CASE(udp_leaves_in_the_primarys_order, DatagramCore)
{
    PrimarySends("abc");
    SecondarySends("ca");
    BOOST_TEST(Released() == "'a'");
    SecondarySends("b");
    BOOST_TEST(Released() == "'b', 'c'");
}

BOOST_FIXTURE_TEST_CASE(udp_secondary_ahead_in_another_order, DatagramCore)
{
    SecondarySends("cba");
    PrimarySends("a");
    BOOST_TEST(Released() == "'a'");
    PrimarySends("bc");
    BOOST_TEST(Released() == "'b', 'c'");
    BOOST_TEST(Mismatch() == "");
}

// Each is matched with its own partner: no checkpoint, and the order stays (udp, order).
BOOST_FIXTURE_TEST_CASE(case_udp_secondary_one_datagram_behind, DatagramCore)
{
    PrimarySends("a");
    for (char next = 'b'; next <= 'z'; next++)
    {
        PrimarySends(std::string(1, next));
        BOOST_TEST(Released() == "");
        SecondarySends(std::string(1, char(next - 1)));
        BOOST_TEST(Released() == "'" + std::string(1, char(next - 1)) + "'");
    }
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Actions() == "");
}

// Equal payloads are as many as were sent: one of the secondary lets one of the primary go.
BOOST_FIXTURE_TEST_CASE(udp_one_matches_one, DatagramCore)
{
    PrimarySends("aaa");
    SecondarySends("a");
    BOOST_TEST(Released() == "'a'");
    SecondarySends("a");
    BOOST_TEST(Released() == "'a'");
    BOOST_TEST(m_node.held_count == 1U);
    SecondarySends("aa");
    BOOST_TEST(Released() == "'a'");
    BOOST_TEST(m_node.extra_count == 1U);
    PrimarySends("aa");
    BOOST_TEST(Released() == "'a'");
    BOOST_TEST(m_node.held_count == 1U);
}

// Of equal ones each still has its place in the order.
BOOST_FIXTURE_TEST_CASE(udp_equal_ones_keep_their_places, DatagramCore)
{
    PrimarySends("aba");
    SecondarySends("aa");
    BOOST_TEST(Released() == "'a'");
    SecondarySends("b");
    BOOST_TEST(Released() == "'b', 'a'");
}

// Many at once, in many orders: each finds its partner, and nothing is left.
BOOST_DATA_TEST_CASE_F(DatagramCore, udp_many_in_any_order, data::make({1, 7, 31, 97, 113}), step)
{
    const int count = 128;
    m_node.config.reorder_window = count;
    std::string expected;
    for (int i = 0; i < count; i++)
    {
        std::string payload = "datagram " + std::to_string(i % 100);
        Primary(Udp(payload));
        expected += (i ? ", '" : "'") + payload + "'";
    }
    for (int i = 0; i < count; i++)
    {
        Secondary(Udp("datagram " + std::to_string(i * step % count % 100)));
    }
    BOOST_TEST(Released() == expected);
    BOOST_TEST(m_node.held_count + m_node.extra_count == 0U);
    BOOST_TEST(Mismatch() == "");
}

// So many of the secondary's have overtaken its partner that there will be none.
BOOST_FIXTURE_TEST_CASE(udp_reorder_window, SmallWindow)
{
    PrimarySends("x");
    SecondarySends("abcd");
    BOOST_TEST(Mismatch() == "");
    SecondarySends("e");
    BOOST_TEST(Mismatch() == "bytes at 0: 'x' not 'e'");
    BOOST_TEST(Actions() == "pause request");
    Checkpoint();
    BOOST_TEST(Released() == "'x'");
}

// The position is that of the first byte that differs.
BOOST_FIXTURE_TEST_CASE(udp_reorder_window_says_where, SmallWindow)
{
    m_node.config.reorder_window = 0;
    Primary(Udp("abcdef"));
    Secondary(Udp("abcxyz"));
    BOOST_TEST(Mismatch() == "bytes at 3: 'def' not 'xyz'");
}

// Those that were there before do not count, nor those that came while another was awaited.
BOOST_FIXTURE_TEST_CASE(udp_reorder_window_counts_later_ones, SmallWindow)
{
    SecondarySends("abcdefgh");
    PrimarySends("xy");
    SecondarySends("ijk");
    SecondarySends("x");
    BOOST_TEST(Released() == "'x'");
    SecondarySends("lmno");
    BOOST_TEST(Mismatch() == "");
    SecondarySends("y");
    BOOST_TEST(Released() == "'y'");
    SecondarySends("pqrstu");
    BOOST_TEST(Mismatch() == "");
}

// Those with a partner further back have overtaken it as well.
BOOST_FIXTURE_TEST_CASE(udp_reorder_window_counts_matched_ones, SmallWindow)
{
    PrimarySends("xabcde");
    SecondarySends("abcd");
    BOOST_TEST(Mismatch() == "");
    SecondarySends("e");
    BOOST_TEST(Mismatch() == "bytes at 0: 'x' not 'e'");
    Checkpoint();
    BOOST_TEST(Released() == "'x', 'a', 'b', 'c', 'd', 'e'");
}

// A payload that the secondary never sends (liveness).
BOOST_FIXTURE_TEST_CASE(udp_times_out, DatagramCore)
{
    PrimarySends("x");
    SecondarySends("a");
    Wait(2999);
    BOOST_TEST(Actions() == "");
    Wait(1);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
    BOOST_TEST(Actions() == "pause request");
}

// What only the secondary sends is lost on the way for all anybody knows: no mismatch.
BOOST_FIXTURE_TEST_CASE(udp_unmatched_of_the_secondary_expire, DatagramCore)
{
    SecondarySends("xyx");
    Wait(2999);
    BOOST_TEST(Dropped() == "");
    Wait(1);
    BOOST_TEST(Dropped() == "'x', 'y', 'x'");
    BOOST_TEST(Reason() == "expired");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(m_node.extra_count == 0U);
    PrimarySends("x");
    BOOST_TEST(Released() == "");
}

// Each at its own time, of equal ones the oldest first.
BOOST_FIXTURE_TEST_CASE(udp_unmatched_expire_one_by_one, DatagramCore)
{
    SecondarySends("xab");
    Wait(1000);
    SecondarySends("xcd");
    Wait(2000);
    BOOST_TEST(Dropped() == "'x', 'a', 'b'");
    PrimarySends("cx");
    BOOST_TEST(Released() == "'c', 'x'");
    Wait(1000);
    Dropped();
    BOOST_TEST(m_node.extra_count == 0U);
}

// A checkpoint covers all that the primary sent, and ends what the secondary did (ckpt-rebase).
BOOST_FIXTURE_TEST_CASE(udp_commit_releases_in_order, DatagramCore)
{
    PrimarySends("abc");
    SecondarySends("cz");
    BOOST_TEST(Released() == "");
    Dropped();
    Checkpoint();
    BOOST_TEST(Released() == "'a', 'b', 'c'");
    BOOST_TEST(Reason() == "rebased");
    BOOST_TEST(Dropped() == "'z'");
    PrimarySends("z");
    BOOST_TEST(Released() == "");
    SecondarySends("z");
    BOOST_TEST(Released() == "'z'");
}

// A flow that nothing touched since several epochs begins anew just the same.
BOOST_FIXTURE_TEST_CASE(udp_commit_of_long_ago, DatagramCore)
{
    PrimarySends("a");
    Checkpoint();
    Checkpoint();
    Released();
    SecondarySends("ab");
    PrimarySends("b");
    BOOST_TEST(Released() == "'b'");
}

BOOST_DATA_TEST_CASE_F(SplitDatagrams,
                       udp_of_any_length,
                       data::make({0, 1, 7, 8, 9, 63, 64, 65, 1472, 65507}),
                       length)
{
    std::string line = "udp len " + std::to_string(length);
    Primary(line);
    BOOST_TEST(Released() == "");
    Secondary(line + " pad 9");
    BOOST_TEST(Released() != "");
    BOOST_TEST(m_node.held_count == 0U);
}

// However little differs.
BOOST_DATA_TEST_CASE_F(SplitDatagrams,
                       udp_differs,
                       data::make({"abcdefghijklmnopqr",
                                   "abcdefghijklmnopqrst",
                                   "abcdefghijklmnopqrt",
                                   "bbcdefghijklmnopqrs",
                                   "ijklmnopabcdefghqrs",
                                   ""}),
                       other)
{
    Primary("udp data \"abcdefghijklmnopqrs\"");
    Secondary(Udp(other));
    BOOST_TEST(Released() == "");
    BOOST_TEST(m_node.extra_count == 1U);
    Secondary("udp data \"abcdefghijklmnopqrs\"");
    BOOST_TEST(Released() == "'abcdefghijklmnopqrs'");
}

// An empty one is one (tcp-idle knows no such thing).
BOOST_FIXTURE_TEST_CASE(udp_empty, DatagramCore)
{
    Primary("udp");
    Primary("udp");
    Secondary("udp");
    BOOST_TEST(Released() == "''");
    BOOST_TEST(m_node.held_count == 1U);
}

// The cuts of the pieces are the room's, on each side its own.
BOOST_FIXTURE_TEST_CASE(udp_in_pieces, SplitDatagrams)
{
    Primary("udp len 1000");
    m_headLength = 100;
    Secondary("udp len 1000");
    BOOST_TEST(Released() != "");
}

// A page that the room cannot read any more must not pass as equal, whatever the digest says.
BOOST_FIXTURE_TEST_CASE(udp_unreadable_compares_as_different, SplitDatagrams)
{
    Primary("udp len 100");
    m_held.back()->pieceLength = 0;
    Secondary("udp len 100");
    BOOST_TEST(Released() == "");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
}

// A digest of one multiplication a word had such pairs, whatever its key; a client may choose them.
BOOST_FIXTURE_TEST_CASE(udp_chosen_to_have_equal_digests, DatagramCore)
{
    Bytes plain = BuildFrame("udp data \"aaaaaaaaaaaaaaaa\"", {});
    Bytes other = plain;
    other[42] ^= 0x80;
    other[50] ^= 0x80;
    other[53] ^= 0x04;
    Input(COLO_PRIMARY, plain);
    Input(COLO_PRIMARY, other);
    Input(COLO_SECONDARY, other);
    BOOST_TEST(Reason() == "compared");
    Input(COLO_SECONDARY, plain);
    BOOST_TEST(m_node.held_count == 0U);
}

// How it travelled does not count, nor what is behind its length.
BOOST_FIXTURE_TEST_CASE(udp_ignores_headers, DatagramCore)
{
    Primary("udp data \"a\" id 1 ttl 64 tos 0");
    Secondary("udp data \"a\" id 2 ttl 63 tos 8 pad 17");
    BOOST_TEST(Released() == "'a'");
}

// Ports are a flow: what one waits for, another does not.
BOOST_FIXTURE_TEST_CASE(udp_flows_are_apart, DatagramCore)
{
    PrimarySends("a");
    m_port++;
    PrimarySends("ba");
    SecondarySends("ba");
    BOOST_TEST(Released() == "'b', 'a'");
    m_port--;
    SecondarySends("a");
    BOOST_TEST(Released() == "'a'");
}

// The IP header is not of the other protocol (other-ip).
BOOST_FIXTURE_TEST_CASE(case_gre_that_differs_in_the_ip_id, DatagramCore)
{
    Primary("gre data \"abc\" id 1");
    Secondary("gre data \"abc\" id 2");
    BOOST_TEST(Released() == "'abc'");
    BOOST_TEST(Mismatch() == "");
}

// Matched as UDP is, in any order; all behind the IP header counts.
BOOST_DATA_TEST_CASE_F(DatagramCore, other_ip_is_matched, data::make({4, 6}), family)
{
    m_family = family;
    Primary("gre data \"abc\" pad 3");
    Primary("gre data \"def\"");
    Secondary("gre data \"def\"");
    Secondary("gre data \"abx\"");
    BOOST_TEST(Released() == "");
    Secondary("gre data \"abc\"");
    BOOST_TEST(Released() == "'abc', 'def'");
    Primary("gre data \"ghi\"");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 0");
}

// SCTP has ports, and an association does not wait for another.
BOOST_FIXTURE_TEST_CASE(other_ip_sctp_has_ports, DatagramCore)
{
    Primary("sctp data \"a\"");
    m_port++;
    Primary("sctp data \"b\"");
    Secondary("sctp data \"b\"");
    BOOST_TEST(Released().find('b') != std::string::npos);
    BOOST_TEST(m_node.held_count == 1U);
}

// At the limit a checkpoint, beyond the hard limit a loss that is counted (no-loss).
BOOST_FIXTURE_TEST_CASE(no_loss_of_datagrams, SmallLimits)
{
    PrimarySends("abcd");
    BOOST_TEST(Actions() == "");
    PrimarySends("e");
    BOOST_TEST(Mismatch() == "held-limit at 0");
    BOOST_TEST(Actions() == "pause request");
    PrimarySends("fgh");
    BOOST_TEST(Dropped() == "");
    PrimarySends("i");
    BOOST_TEST(Dropped() == "'i'");
    BOOST_TEST(Reason() == "limit");
    BOOST_TEST(m_node.stats.dropped_at_limit == 1U);
    SecondarySends("ha");
    BOOST_TEST(Released() == "'a'");
    Checkpoint();
    BOOST_TEST(Released() == "'b', 'c', 'd', 'e', 'f', 'g', 'h'");
}

// The secondary's are bounded as well (bounded).
BOOST_FIXTURE_TEST_CASE(bounded_datagrams_of_the_secondary, SmallLimits)
{
    SecondarySends("abcdefgh");
    BOOST_TEST(Mismatch() == "held-limit at 0");
    BOOST_TEST(Dropped() == "");
    SecondarySends("ij");
    BOOST_TEST(Dropped() == "'i', 'j'");
    BOOST_TEST(m_node.extra_count == 8U);
    PrimarySends("h");
    BOOST_TEST(Released() == "'h'");
}

// A flood in one flow neither drops another's packets nor holds them up.
BOOST_FIXTURE_TEST_CASE(no_loss_by_a_flood_of_datagrams, SmallLimits)
{
    for (int i = 0; i < 20; i++)
    {
        Primary(Udp(std::to_string(i)));
        Secondary(Udp("s" + std::to_string(i)));
    }
    Dropped();
    m_port++;
    PrimarySends("a");
    SecondarySends("a");
    BOOST_TEST(Released() == "'a'");
    Client("S 0:0(0)");
    Primary("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "S 0:0");
    BOOST_TEST(Dropped() == "'a', S 0:0");
}

// A full table gives up flows of datagrams before connections, but none that holds something.
BOOST_FIXTURE_TEST_CASE(no_loss_by_eviction_of_datagrams, EstablishedFlow)
{
    Primary("udp data \"a\""); // the oldest, but it holds this
    m_port++;
    Secondary("udp data \"b\"");
    m_port++;
    Primary("udp data \"c\"");
    Secondary("udp data \"c\"");
    colo_conn* evicted = colo_node_evict(&m_node);
    BOOST_REQUIRE(evicted);
    BOOST_TEST(evicted->key.peer_port == 40002);
    evicted = colo_node_evict(&m_node);
    BOOST_REQUIRE(evicted);
    BOOST_TEST(evicted->type == COLO_CONN_STREAM);
    BOOST_TEST(!colo_node_evict(&m_node));
}

// A flow of datagrams never closes, so it is forgotten as soon as a closed connection.
BOOST_FIXTURE_TEST_CASE(bounded_idle_datagrams_are_collected, DatagramCore)
{
    PrimarySends("a");
    SecondarySends("a");
    Wait(59999);
    BOOST_TEST(Collect() == 0);
    Wait(1);
    BOOST_TEST(Collect() == 1);
    PrimarySends("b");
    SecondarySends("b");
    BOOST_TEST(Released() == "'a', 'b'");
}
