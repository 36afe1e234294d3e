/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The secondary's numbering rewritten into the primary's, and back.
#define BOOST_TEST_MODULE core_seqfix
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

struct WrappingFix : FixCore
{
    WrappingFix()
    {
        m_primaryIsn = 0xffffff00;
        m_secondaryIsn = 0x7fffffff;
    }
};

} // namespace

// The client opens: the offset is P's ISN, which the hint tells, less S's (fix-passive).
BOOST_FIXTURE_TEST_CASE(fix_passive_offset_from_the_hint, FixCore)
{
    Client("S 0:0(0)");
    BOOST_TEST(Released() == "in S 0:0");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1");
    Client(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "in 1:1 ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "out 1:101 ack 1");
}

// Without a hint the first ack of exactly the SYN tells.
BOOST_FIXTURE_TEST_CASE(fix_passive_offset_from_the_clients_ack, PlainFix)
{
    Client("S 0:0(0)");
    Released();
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 1000000:1000000 ack 1"); // still the secondary's number
    Client(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "in 1:1 ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "out 1:101 ack 1");
}

// Behind data it may acknowledge more than the SYN, so it waits for one that is sure.
BOOST_FIXTURE_TEST_CASE(fix_passive_ack_with_data_does_not_teach, PlainFix)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Client(". 1:51(50) ack 21");
    Client(". 51:51(0) ack 21");
    BOOST_TEST(Released() == "");
    Client(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "in 1:51 ack 21, in 51:51 ack 21, in 1:1 ack 1");
}

// What needs an unknown offset waits, in both directions.
BOOST_FIXTURE_TEST_CASE(fix_passive_waits_for_the_offset, FixCore)
{
    Client("S 0:0(0)");
    Released();
    Secondary("S. 0:0(0) ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "");
    Hint("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1, out 1:11 ack 1");
}

// Bounded in number ...
BOOST_FIXTURE_TEST_CASE(fix_passive_waiting_is_bounded, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    for (int i = 0; i < 63; i++)
    {
        Secondary(". 1:11(10) ack 1");
    }
    BOOST_TEST(Dropped() == "");
    Secondary(". 1:12(11) ack 1");
    BOOST_TEST(Reason() == "limit");
    Dropped();
    Released();
    Hint("S. 0:0(0) ack 1");
    BOOST_TEST(Dropped() == "");
    BOOST_TEST(Released().substr(0, 16) == "out S 0:0 ack 1,");
}

// ... and in time.
BOOST_FIXTURE_TEST_CASE(fix_passive_waiting_ends, FixCore)
{
    Client("S 0:0(0)");
    Released();
    Secondary("S. 0:0(0) ack 1");
    Wait(1000);
    Secondary(". 1:11(10) ack 1");
    Wait(1999);
    BOOST_TEST(Dropped() == "");
    Wait(1);
    BOOST_TEST(Dropped() == "out S 1000000:1000000 ack 1");
    BOOST_TEST(Reason() == "expired");
    Wait(1000);
    BOOST_TEST(Dropped() == "out 1000001:1000011 ack 1");
    BOOST_TEST(Actions() == "");
}

// The primary's handshake is faster than the secondary's: its ack must wait, not teach.
BOOST_FIXTURE_TEST_CASE(case_clients_ack_before_secondarys_syn_ack, PlainFix)
{
    Client("S 0:0(0)");
    Released();
    Client(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 1000000:1000000 ack 1, in 1:1 ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "out 1:101 ack 1");
}

BOOST_FIXTURE_TEST_CASE(fix_passive_early_ack_waits_with_a_hint_too, FixCore)
{
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Released();
    Client(". 1:1(0) ack 1");
    Client(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1, in 1:1 ack 1, in 1:11 ack 1");
}

// Numbers on both sides of 2^32.
BOOST_FIXTURE_TEST_CASE(fix_passive_offset_across_the_wrap, WrappingFix)
{
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Secondary(". 1:501(500) ack 1");
    BOOST_TEST(Released() == "out 1:501 ack 1");
    Client(". 1:1(0) ack 501 <nop,nop,sack 600:700>");
    BOOST_TEST(Released() == "in 1:1 ack 501");
}

// The guest opens: P's ISN is in the answer to it (fix-active).
BOOST_FIXTURE_TEST_CASE(case_guest_initiated_connection, PlainFix)
{
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "out S 1000000:1000000");
    Client("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "in S 0:0 ack 1");
    Secondary(". 1:1(0) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Released() == "out 1:1 ack 1, out 1:101 ack 1");
    Client(". 1:1(0) ack 101");
    BOOST_TEST(Released() == "in 1:1 ack 101");
}

// A SYN-ACK that overtakes S's SYN waits.
BOOST_FIXTURE_TEST_CASE(fix_active_answer_overtakes_the_secondarys_syn, PlainFix)
{
    Client("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "out S 1000000:1000000, in S 0:0 ack 1");
}

BOOST_FIXTURE_TEST_CASE(fix_active_offset_from_the_hint, FixCore)
{
    Secondary("S 0:0(0)");
    Client("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    Hint("S 0:0(0)");
    BOOST_TEST(Released() == "out S 0:0, in S 0:0 ack 1");
    Secondary(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "out 1:1 ack 1");
}

// Outgoing seq, incoming ack and SACK blocks (fix-both-ways).
BOOST_FIXTURE_TEST_CASE(case_sack_blocks, EstablishedFix)
{
    Client(". 1:1(0) ack 101 <nop,nop,sack 201:301 401:501>");
    BOOST_TEST(Released() == "in 1:1 ack 101");
    Packet packet(m_sent.back().frame, SIZE_MAX);
    colo_packet_parse(&packet.core, COLO_INBOUND, &packet.key);
    BOOST_REQUIRE(packet.core.sack_count == 2);
    const uint8_t* block = packet.head.get() + packet.core.l4_offset + packet.core.sack_offset;
    BOOST_TEST(colo_get32(block) == m_secondaryIsn + 201);
    BOOST_TEST(colo_get32(block + 4) == m_secondaryIsn + 301);
    BOOST_TEST(colo_get32(block + 8) == m_secondaryIsn + 401);
    BOOST_TEST(colo_get32(block + 12) == m_secondaryIsn + 501);
}

// RSTs, with ACK and without, both ways; a number of the client's own is not touched.
BOOST_FIXTURE_TEST_CASE(case_rst_without_ack, EstablishedFix)
{
    Secondary("R 1:1(0)");
    BOOST_TEST(Released() == "out R 1:1");
    Secondary("R. 1:1(0) ack 1");
    BOOST_TEST(Released() == "out R 1:1 ack 1");
    Client("R 1:1(0)");
    BOOST_TEST(Released() == "in R 1:1");
    Client("R. 1:1(0) ack 101");
    BOOST_TEST(Released() == "in R 1:1 ack 101");
}

BOOST_FIXTURE_TEST_CASE(fix_both_ways_seq_and_ack, EstablishedFix)
{
    Secondary("F. 1:101(100) ack 11");
    BOOST_TEST(Released() == "out F 1:101 ack 11");
    BOOST_TEST(Reason() == "fixed");
    Client(". 11:21(10) ack 102");
    BOOST_TEST(Released() == "in 11:21 ack 102");
}

// Both guests by chance with the same ISN: nothing to write.
BOOST_FIXTURE_TEST_CASE(fix_both_ways_offset_zero, FixCore)
{
    m_secondaryIsn = m_primaryIsn;
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Secondary(". 1:101(100) ack 1");
    BOOST_TEST(Reason() == "unfixed");
    BOOST_TEST(Released() == "in S 0:0, out S 0:0 ack 1, in 1:1 ack 1, out 1:101 ack 1");
}

// A closed port's refusal is numbered from zero by both guests, whatever was before on the tuple.
BOOST_FIXTURE_TEST_CASE(fix_both_ways_refusal_keeps_its_zero, EstablishedFix)
{
    m_clientIsn += 90000;
    Client("S 0:0(0)");
    Released();
    m_primaryIsn = 0;
    m_secondaryIsn = 0;
    Secondary("R. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out R 0:0 ack 1");
}

// Stamps as the client knows them, so that its PAWS goes on after a failover (fix-timestamps).
BOOST_FIXTURE_TEST_CASE(fix_timestamps_both_ways, EstablishedFix)
{
    Secondary(". 1:101(100) ack 1 <nop,nop,ts 50 9>");
    BOOST_TEST(Released() == "out 1:101 ack 1 ts 1010 9");
    Client(". 1:1(0) ack 101 <nop,ts 12 1010>");
    BOOST_TEST(Released() == "in 1:1 ack 101 ts 12 50");
}

// In plain mode the client's echo teaches them.
BOOST_FIXTURE_TEST_CASE(fix_timestamps_from_the_clients_echo, PlainFix)
{
    Client("S 0:0(0) <ts 7 0>");
    Secondary("S. 0:0(0) ack 1 <ts 40 7>");
    Client(". 1:1(0) ack 1 <ts 8 1000>");
    Released();
    Secondary(". 1:1(0) ack 1 <ts 50 8>");
    BOOST_TEST(Released() == "out 1:1 ack 1 ts 1010 8");
}

// At takeover the secondary's clock may be behind what the client echoed last.
BOOST_FIXTURE_TEST_CASE(fix_timestamps_do_not_fall_behind_at_takeover, EstablishedFix)
{
    Client(". 1:1(0) ack 101 <ts 12 1500>");
    Client(". 1:1(0) ack 101 <ts 13 1400>");
    Released();
    Secondary(". 101:102(1) ack 1 <ts 60 12>");
    BOOST_TEST(Released() == "out 101:102 ack 1 ts 1020 12");
    FailOver();
    Secondary(". 101:102(1) ack 1 <ts 60 12>");
    BOOST_TEST(Released() == "out 101:102 ack 1 ts 1500 12");
    Secondary(". 101:102(1) ack 1 <ts 600 12>");
    BOOST_TEST(Released() == "out 101:102 ack 1 ts 1560 12");
}

// Without stamps in both SYNs there is no offset to shift by.
BOOST_FIXTURE_TEST_CASE(fix_timestamps_not_negotiated, FixCore)
{
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Secondary(". 1:1(0) ack 1 <ts 50 8>");
    BOOST_TEST(Released() == "out 1:1 ack 1 ts 50 8");
}

// With the shim the hint is the only teacher: the client's first ack may be lost, and a later
// one acknowledge more than the SYN (fix-hint).
BOOST_FIXTURE_TEST_CASE(fix_hint_is_the_only_teacher, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Client(". 1:1(0) ack 301");
    BOOST_TEST(Released() == "");
    Hint("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1, in 1:1 ack 301");
    Secondary(". 301:401(100) ack 1");
    BOOST_TEST(Released() == "out 301:401 ack 1");
}

// The hint of another handshake of the same tuple says nothing about this one.
BOOST_FIXTURE_TEST_CASE(fix_hint_of_another_client_syn, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Hint("S. 0:0(0) ack 9");
    Hint("S 0:0(0)");
    BOOST_TEST(Released() == "");
    Hint("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "out S 0:0 ack 1");
}

// Only a SYN has an ISN.
BOOST_FIXTURE_TEST_CASE(fix_hint_without_a_syn, FixCore)
{
    Client("S 0:0(0)");
    Secondary("S. 0:0(0) ack 1");
    Released();
    Hint(". 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
}

// The primary's repetition of a SYN-ACK after the handshake changes nothing.
BOOST_FIXTURE_TEST_CASE(fix_hint_repeated, EstablishedFix)
{
    Hint("S. 0:0(0) ack 1 <ts 1100 7>");
    Secondary(". 1:1(0) ack 1 <ts 50 8>");
    BOOST_TEST(Released() == "out 1:1 ack 1 ts 1010 8");
}

// A hint for the guest's next connection must not be that of its last (fix-hint, fix-active).
BOOST_FIXTURE_TEST_CASE(fix_hint_is_used_for_one_connection, FixCore)
{
    Hint("S 0:0(0)");
    Secondary("S 0:0(0)");
    Client("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Released();
    m_primaryIsn += 5000;
    m_secondaryIsn += 333;
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "");
    Hint("S 0:0(0)");
    BOOST_TEST(Released() == "out S 0:0");
}

// The next one's hint may be ahead of the secondary's SYN.
BOOST_FIXTURE_TEST_CASE(fix_hint_ahead_of_the_next_connection, FixCore)
{
    Hint("S 0:0(0)");
    Secondary("S 0:0(0)");
    Client("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Released();
    Secondary(". 1:2(1) ack 1");
    BOOST_TEST(Released() == "out 1:2 ack 1");
    m_primaryIsn += 5000;
    m_secondaryIsn += 333;
    Hint("S 0:0(0)");
    Secondary("S 0:0(0)");
    BOOST_TEST(Released() == "out S 0:0");
}

// Until the handshake completes S's latest ISN replaces the earlier one (fix-duplicate-syn).
BOOST_FIXTURE_TEST_CASE(fix_duplicate_syn_latest_isn_counts, FixCore)
{
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    m_secondaryIsn += 4444;
    Secondary("S. 0:0(0) ack 1");
    Released();
    Client(". 1:1(0) ack 1");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "in 1:1 ack 1, out 1:11 ack 1");
}

// Afterwards it disturbs nothing.
BOOST_FIXTURE_TEST_CASE(case_duplicate_syn, EstablishedFix)
{
    uint32_t isn = m_secondaryIsn;
    m_secondaryIsn += 4444;
    Secondary("S. 0:0(0) ack 1");
    Released();
    m_secondaryIsn = isn;
    Client("S 0:0(0)");
    BOOST_TEST(Released() == "in S 0:0");
    Client(". 1:1(0) ack 11");
    BOOST_TEST(Released() == "in 1:1 ack 11");
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "out 1:11 ack 1");
}

BOOST_FIXTURE_TEST_CASE(fix_duplicate_syn_when_the_guest_opens, PlainFix)
{
    Secondary("S 0:0(0)");
    m_secondaryIsn += 4444;
    Secondary("S 0:0(0)");
    Client("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    Secondary("S 0:0(0)");
    Released();
    Secondary(". 1:11(10) ack 1");
    BOOST_TEST(Released() == "out 1:11 ack 1");
}

// A new SYN of the client begins anew on the same tuple.
BOOST_FIXTURE_TEST_CASE(fix_duplicate_syn_of_a_new_connection, EstablishedFix)
{
    m_clientIsn += 7000;
    m_primaryIsn += 1234;
    m_secondaryIsn += 99;
    Client("S 0:0(0)");
    Hint("S. 0:0(0) ack 1");
    Secondary("S. 0:0(0) ack 1");
    Client(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "in S 0:0, out S 0:0 ack 1, in 1:1 ack 1");
}
