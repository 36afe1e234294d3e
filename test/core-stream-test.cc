/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What both guests sent, compared by position: bytes, order, SYN, FIN, RST.
#define BOOST_TEST_MODULE core_stream
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

// Every position of interest crosses 2^32.
struct WrappingFlow : EstablishedFlow
{
    WrappingFlow()
        : EstablishedFlow(0xffffff00, 0xffffff80)
    {
    }
};

struct SplitFlow : EstablishedFlow
{
    SplitFlow()
    {
        m_headLength = 54;
    }
};

} // namespace

// Same bytes, different cuts: not a mismatch (tcp-bytes).
BOOST_FIXTURE_TEST_CASE(tcp_bytes_releases_same_bytes_cut_differently, EstablishedFlow)
{
    Primary(". 1:1461(1460) ack 1");
    Secondary(". 1:701(700) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 701:1461(760) ack 1");
    BOOST_TEST(Released() == "1:1461");
}

// The secondary may be ahead, and its long segment cover several of the primary's.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_secondary_ahead, EstablishedFlow)
{
    Secondary(". 1:301(300) ack 1");
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(Dropped() == "");
    Primary(". 101:301(200) ack 1");
    BOOST_TEST(Released() == "101:301");
    BOOST_TEST(Dropped() == "1:301");
}

// The first byte that differs is a mismatch at once, and is named.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_differ, EstablishedFlow)
{
    Primary(". 1:7(6) ack 1 data \"abcdef\"");
    Secondary(". 1:7(6) ack 1 data \"abcxyz\"");
    BOOST_TEST(Mismatch() == "bytes at 4: 'def' not 'xyz'");
    BOOST_TEST(Released() == "");
}

// What matched before the difference is safe, even where a segment ends just there.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_before_a_difference_are_released, EstablishedFlow)
{
    Primary(". 1:4(3) ack 1 data \"abc\"");
    Primary(". 4:7(3) ack 1 data \"def\"");
    Secondary(". 1:7(6) ack 1 data \"abcxyz\"");
    BOOST_TEST(Released() == "1:4");
    BOOST_TEST(Mismatch() == "bytes at 4: 'def' not 'xyz'");
}

// Nothing new is compared until the checkpoint, so one divergence is one mismatch.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_after_a_difference_wait_for_the_checkpoint, EstablishedFlow)
{
    Primary(". 1:4(3) ack 1 data \"abc\"");
    Secondary(". 1:4(3) ack 1 data \"abx\"");
    BOOST_TEST(Mismatch() == "bytes at 3: 'c' not 'x'");
    Primary(". 4:7(3) ack 1 data \"def\"");
    Secondary(". 4:7(3) ack 1 data \"xyz\"");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "");
}

// Payload that the head does not hold is read piece by piece.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_in_pieces, SplitFlow)
{
    Primary(". 1:301(300) ack 1");
    Secondary(". 1:150(149) ack 1");
    Secondary(". 150:301(151) ack 1");
    BOOST_TEST(Released() == "1:301");
}

// A difference in the last byte of the last piece.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_differ_in_pieces, SplitFlow)
{
    Primary(". 1:16(15) ack 1 data \"abcdefghijklmno\"");
    Secondary(". 1:16(15) ack 1 data \"abcdefghijklmnx\"");
    BOOST_TEST(Mismatch() == "bytes at 15: 'o' not 'x'");
}

// A page that the room cannot read must not pass as equal.
BOOST_FIXTURE_TEST_CASE(tcp_bytes_unreadable_compare_as_different, SplitFlow)
{
    Primary(". 1:16(15) ack 1");
    m_held.back()->pieceLength = 0;
    Secondary(". 1:16(15) ack 1");
    BOOST_TEST(Mismatch() == "bytes at 1: '' not '\x1\x2\x3\x4\x5\x6\x7'");
}

// A gap of the secondary must not count as the bytes that it never sent.
BOOST_FIXTURE_TEST_CASE(case_secondary_gap_then_zero_bytes, EstablishedFlow)
{
    Primary(". 1:301(300) ack 1 fill '0'");
    Secondary(". 1:101(100) ack 1 fill '0'");
    Secondary(". 201:301(100) ack 1 fill '0'");
    BOOST_TEST(Released() == "");
    Secondary(". 101:201(100) ack 1 fill '1'");
    BOOST_TEST(Mismatch() == "bytes at 101: '00000000' not '11111111'");
    BOOST_TEST(Released() == "");
}

// Released only as far as the secondary's bytes reach.
BOOST_FIXTURE_TEST_CASE(tcp_release_waits_for_the_last_byte, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:100(99) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 100:101(1) ack 1");
    BOOST_TEST(Released() == "1:101");
}

// Only one guest repeats: neither held for the other nor compared (tcp-retransmit).
BOOST_FIXTURE_TEST_CASE(case_retransmission_on_one_side_only, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Released();
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(Reason() == "repeat");
    Dropped();
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Dropped() == "1:101");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// Compared from what is matched on, not from the segment's start.
BOOST_FIXTURE_TEST_CASE(case_retransmission_that_begins_inside_compared_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Released();
    Primary(". 51:201(150) ack 1");
    Secondary(". 101:201(100) ack 1");
    BOOST_TEST(Released() == "51:201");
    Primary(". 201:301(100) ack 1");
    Secondary(". 151:301(150) ack 1");
    BOOST_TEST(Released() == "201:301");
    BOOST_TEST(Mismatch() == "");
}

// A repetition helps the client to what it lost, so it passes what is held.
BOOST_FIXTURE_TEST_CASE(tcp_retransmit_passes_held_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Primary(". 101:201(100) ack 1");
    Released();
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101");
    Secondary(". 101:201(100) ack 1");
    BOOST_TEST(Released() == "101:201");
}

// Its ack is news all the same, and must be the secondary's as well.
BOOST_FIXTURE_TEST_CASE(tcp_retransmit_is_subject_to_the_ack, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Released();
    Primary(". 1:101(100) ack 501");
    BOOST_TEST(Released() == "");
    Secondary(". 101:101(0) ack 501");
    BOOST_TEST(Released() == "1:101");
}

// Both repeat what neither matched yet: each copy of the primary's is let go once.
BOOST_FIXTURE_TEST_CASE(tcp_retransmit_before_the_match, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101, 1:101");
    Secondary(". 1:101(100) ack 1");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// A repeated byte is not compared again, so that garbage in a keepalive is no mismatch.
BOOST_FIXTURE_TEST_CASE(tcp_retransmit_bytes_are_not_compared_again, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Secondary(". 1:101(100) ack 1");
    Primary(". 100:101(1) ack 1 fill 'x'");
    Secondary(". 100:101(1) ack 1 fill 'y'");
    BOOST_TEST(Mismatch() == "");
}

// Its stamp is older than what the client has seen, and its PAWS would drop it.
BOOST_FIXTURE_TEST_CASE(tcp_retransmit_stamp_does_not_fall_behind, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1 <ts 100 0>");
    Primary(". 101:201(100) ack 1 <nop,ts 110 0>");
    Secondary(". 1:101(100) ack 1 <ts 5 0>");
    BOOST_TEST(Released() == "1:101");
    Primary(". 1:101(100) ack 1 <nop,ts 120 0>");
    BOOST_TEST(Released() == "1:101");
    Secondary(". 101:201(100) ack 1 <ts 6 0>");
    BOOST_TEST(Released() == "101:201 -> ts 120");
}

// Swapped on the way: kept until the gap fills (tcp-out-of-order).
BOOST_FIXTURE_TEST_CASE(case_secondary_segments_swapped, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary(". 101:201(100) ack 1");
    Secondary(". 101:201(100) ack 1");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Dropped() == "");
    BOOST_TEST(Released() == "");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101, 101:201");
    BOOST_TEST(Mismatch() == "");
}

// Several gaps, filled from behind.
BOOST_FIXTURE_TEST_CASE(tcp_out_of_order_secondary_in_reverse, EstablishedFlow)
{
    Primary(". 1:301(300) ack 1");
    Secondary(". 251:301(50) ack 1");
    Secondary(". 151:201(50) ack 1");
    Secondary(". 201:251(50) ack 1");
    BOOST_TEST(Dropped() == "");
    Secondary(". 1:151(150) ack 1");
    BOOST_TEST(Released() == "1:301");
}

// The primary's as well; and what both sent behind its gap does not leave before it.
BOOST_FIXTURE_TEST_CASE(tcp_out_of_order_primary_waits_for_its_gap, EstablishedFlow)
{
    Primary(". 201:301(100) ack 1");
    Primary(". 101:201(100) ack 1");
    Secondary(". 1:301(300) ack 1");
    BOOST_TEST(Released() == "");
    BOOST_TEST(Mismatch() == "");
    Primary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "1:101, 101:201, 201:301");
}

// A packet that fills a gap twice over leaves twice: it was sent twice.
BOOST_FIXTURE_TEST_CASE(tcp_out_of_order_repetition_behind_a_gap, EstablishedFlow)
{
    Primary(". 101:201(100) ack 1");
    Primary(". 101:201(100) ack 1");
    Secondary(". 1:201(200) ack 1");
    Primary(". 1:201(200) ack 1");
    BOOST_TEST(Released() == "1:201, 101:201, 101:201");
    Wait(10000);
    BOOST_TEST(Mismatch() == "");
}

// New data leaves in the order in which the primary sent it (order).
BOOST_FIXTURE_TEST_CASE(order_is_the_streams, EstablishedFlow)
{
    Primary(". 1:101(100) ack 501");
    Primary(". 101:201(100) ack 1");
    Secondary(". 1:201(200) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 201:201(0) ack 501");
    BOOST_TEST(Released() == "1:101, 101:201");
}

// Also after a checkpoint.
BOOST_FIXTURE_TEST_CASE(order_is_kept_by_a_checkpoint, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary(". 101:201(100) ack 501");
    Primary(". 201:201(0) ack 601");
    Primary("F. 201:201(0) ack 601");
    Checkpoint();
    BOOST_TEST(Released() == "1:101, 101:201, ack 601 win 1000, F 201:201");
}

// The whole conversation around 2^32 (tcp-serial).
BOOST_FIXTURE_TEST_CASE(tcp_serial_bytes_across_the_wrap, WrappingFlow)
{
    Primary(". 1:201(200) ack 1");
    Primary(". 201:401(200) ack 1");
    Secondary(". 201:401(200) ack 1");
    Secondary(". 1:301(300) ack 1");
    BOOST_TEST(Released() == "1:201, 201:401");
    Primary(". 301:501(200) ack 1");
    Secondary(". 401:601(200) ack 1");
    BOOST_TEST(Released() == "301:501");
    BOOST_TEST(Mismatch() == "");
}

// 0xffffff00 + 256 is position 0 (tcp-serial).
BOOST_FIXTURE_TEST_CASE(case_matched_position_exactly_zero, WrappingFlow)
{
    Primary(". 1:256(255) ack 1");
    Secondary(". 1:256(255) ack 1");
    BOOST_TEST(Flow().stream.matched == 0U);
    BOOST_TEST(Released() == "1:256");
    Primary(". 1:256(255) ack 1");
    BOOST_TEST(Released() == "1:256");
    Primary(". 256:300(44) ack 1 fill 'x'");
    BOOST_TEST(Released() == "");
    Secondary(". 256:300(44) ack 1 fill 'y'");
    BOOST_TEST(Mismatch() == "bytes at 256: 'xxxxxxxx' not 'yyyyyyyy'");
}

// An ISN of 0 is no more "unset" than any other.
BOOST_AUTO_TEST_CASE(tcp_serial_isn_zero)
{
    EstablishedFlow flow(0, 0);
    flow.Primary(". 1:101(100) ack 1");
    BOOST_TEST(flow.Released() == "");
    flow.Secondary(". 1:101(100) ack 1");
    BOOST_TEST(flow.Released() == "1:101");
}

// Adoption at exactly 0.
BOOST_AUTO_TEST_CASE(tcp_serial_adopted_at_zero)
{
    FlowCore flow;
    flow.m_primaryIsn = 0;
    flow.Primary(". 0:100(100) ack 1");
    flow.Secondary(". 0:50(50) ack 1");
    BOOST_TEST(flow.Released() == "");
    flow.Secondary(". 50:100(50) ack 1");
    BOOST_TEST(flow.Released() == "0:100");
}

// Protection began in mid-stream: from where the primary sends (tcp-adopt).
BOOST_FIXTURE_TEST_CASE(tcp_adopt_starts_where_the_primary_sends, FlowCore)
{
    Primary(". 5000:5100(100) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 5000:5100(100) ack 1");
    BOOST_TEST(Released() == "5000:5100");
}

// The secondary may be first, but does not say where the stream starts.
BOOST_FIXTURE_TEST_CASE(tcp_adopt_secondary_first, FlowCore)
{
    Secondary(". 5000:5100(100) ack 1");
    BOOST_TEST(Dropped() == "");
    Primary(". 5050:5150(100) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 5100:5150(50) ack 1");
    BOOST_TEST(Released() == "5050:5150");
}

// Nor does position zero, before there is a start.
BOOST_FIXTURE_TEST_CASE(tcp_adopt_secondary_first_across_zero, FlowCore)
{
    m_primaryIsn = 0U - 20;
    Secondary(". 1:51(50) ack 1");
    Primary(". 1001:1101(100) ack 1");
    BOOST_TEST(Dropped() == "1:51");
    Secondary(". 1001:1101(100) ack 1");
    BOOST_TEST(Released() == "1001:1101");
    BOOST_TEST(Mismatch() == "");
}

// What is below the start does not count, whenever it comes.
BOOST_FIXTURE_TEST_CASE(tcp_adopt_smaller_positions_do_not_count, FlowCore)
{
    Primary(". 5000:5100(100) ack 1");
    Primary(". 4000:4100(100) ack 1 fill 'x'");
    BOOST_TEST(Released() == "");
    Secondary(". 4000:4100(100) ack 1 fill 'y'");
    BOOST_TEST(Dropped() == "4000:4100");
    BOOST_TEST(Released() == "4000:4100");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Flow().stream.matched == m_primaryIsn + 5000);
}

// A retransmission of what the client has: only the rest counts.
BOOST_FIXTURE_TEST_CASE(tcp_adopt_starts_at_the_clients_ack_if_higher, FlowCore)
{
    Client(". 1:1(0) ack 5050");
    Primary(". 5000:5100(100) ack 1");
    Secondary(". 5050:5100(50) ack 1");
    BOOST_TEST(Released() == "5000:5100");
}

// An older ack of the client does not move the start back.
BOOST_FIXTURE_TEST_CASE(tcp_adopt_clients_ack_below, FlowCore)
{
    Client(". 1:1(0) ack 4000");
    Primary(". 5000:5100(100) ack 1");
    Secondary(". 5000:5100(100) ack 1");
    BOOST_TEST(Released() == "5000:5100");
}

// Fields that two guests need not have alike (tcp-ignore).
BOOST_FIXTURE_TEST_CASE(tcp_ignore_headers, EstablishedFlow)
{
    Primary("P.E 1:101(100) ack 1 id 5 ttl 64 tos 1 urg 7 <nop,nop,ts 100 5>");
    Secondary(".UC 1:101(100) ack 1 id 9 ttl 63 tos 2 urg 0 <ts 9000 4>");
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(Mismatch() == "");
}

// SACK blocks are advisory.
BOOST_FIXTURE_TEST_CASE(tcp_ignore_sack_blocks, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1 <nop,nop,sack 100:200 300:400>");
    Secondary(". 1:101(100) ack 1 <nop,nop,sack 100:150>");
    BOOST_TEST(Released() == "1:101");
}

// A 60-byte frame of an ack has padding, which is no payload.
BOOST_FIXTURE_TEST_CASE(case_padded_60_byte_acks, EstablishedFlow)
{
    Primary(". 1:1(0) ack 1 pad 6");
    BOOST_TEST(Released() == "ack 1 win 1000");
    Secondary(". 1:1(0) ack 1 pad 6");
    Primary(". 1:11(10) ack 1");
    Secondary(". 1:11(10) ack 1 pad 6");
    BOOST_TEST(Released() == "1:11");
    BOOST_TEST(Mismatch() == "");
}

// Fully matched, however it was cut: nothing is left that could time out (tcp-idle).
BOOST_FIXTURE_TEST_CASE(case_idle_flow_after_equal_bytes_cut_differently, EstablishedFlow)
{
    Primary(". 1:1461(1460) ack 1");
    Secondary(". 1:701(700) ack 1");
    Secondary(". 701:1461(760) ack 1");
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(m_node.extra_count == 0U);
    Wait(3600 * 1000);
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(colo_node_deadline(&m_node) == COLO_NEVER_NS);
}

BOOST_FIXTURE_TEST_CASE(tcp_idle_holds_nothing, EstablishedFlow)
{
    Secondary(". 1:101(100) ack 101");
    Primary(". 1:51(50) ack 101");
    Primary(". 51:101(50) ack 101");
    Primary(". 101:101(0) ack 101");
    BOOST_TEST(m_node.held_count == 0U);
    BOOST_TEST(m_node.extra_count == 0U);
    BOOST_TEST(colo_node_deadline(&m_node) == COLO_NEVER_NS);
}
