/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What the client is told was received and may be sent: acks and windows.
#define BOOST_TEST_MODULE core_stream_ack
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

struct ClampFlow : EstablishedFlow
{
    ClampFlow()
    {
        m_node.config.ack_policy = COLO_ACK_CLAMP;
    }
};

// The client's 500 bytes end at position 0.
struct WrappingAcks : EstablishedFlow
{
    WrappingAcks()
        : EstablishedFlow(1000000, 0U - 501)
    {
    }
};

struct ScaledFlow : EstablishedFlow
{
    ScaledFlow()
    {
        m_primaryIsn += 100000;
        m_clientIsn += 100000;
        Open("S 0:0(0) win 100 <wscale 2>",
             "S. 0:0(0) ack 1 win 1000 <wscale 4>",
             "S. 0:0(0) ack 1 win 1000 <wscale 4>");
    }
};

} // namespace

// Its data matched, but its ack covers what the secondary may never get (tcp-release).
BOOST_FIXTURE_TEST_CASE(case_equal_data_primarys_ack_ahead, EstablishedFlow)
{
    Primary(". 1:101(100) ack 501");
    Secondary(". 1:101(100) ack 401");
    BOOST_TEST(Released() == "");
    Secondary(". 101:101(0) ack 501");
    BOOST_TEST(Released() == "1:101");
}

// The other order of events: the bytes match last.
BOOST_FIXTURE_TEST_CASE(tcp_release_waits_for_the_secondarys_ack, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 401");
    Primary(". 1:101(100) ack 402");
    Secondary(". 1:101(100) ack 401");
    BOOST_TEST(Released() == "");
    Primary(". 101:201(100) ack 402");
    Secondary(". 101:201(100) ack 402");
    BOOST_TEST(Released() == "1:101, 101:201");
}

// The secondary is ahead with bytes and behind with its ack: wait, nothing is wrong yet.
BOOST_FIXTURE_TEST_CASE(case_primary_covers_less_and_secondarys_ack_behind, EstablishedFlow)
{
    Secondary(". 1:301(300) ack 1");
    Primary(". 1:101(100) ack 501");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "");
    Secondary(". 301:301(0) ack 501");
    BOOST_TEST(Released() == "1:101");
}

// Of two acks that overtook each other the highest counts.
BOOST_FIXTURE_TEST_CASE(case_older_secondary_ack_after_a_newer_one, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 501");
    Secondary(". 1:1(0) ack 101");
    Primary(". 1:101(100) ack 501");
    Secondary(". 1:101(100) ack 101");
    BOOST_TEST(Released() == "1:101");
}

// Never heard of the secondary: it acknowledged nothing, also nothing before position 0.
BOOST_FIXTURE_TEST_CASE(tcp_release_without_any_secondary_ack, FlowCore)
{
    m_clientIsn = 0xfffff000;
    Primary(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 1:1(0) ack 1");
    BOOST_TEST(Released() == "ack 1 win 1000");
}

// Whatever S packet is queued, the ack is compared (tcp-pure-ack).
BOOST_FIXTURE_TEST_CASE(case_primary_acks_9000_where_secondary_acked_500, EstablishedFlow)
{
    Secondary(". 1:101(100) ack 500");
    Primary(". 1:1(0) ack 9000");
    BOOST_TEST(Released() == "");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-ack at 1");
    BOOST_TEST(Released() == "");
}

// The secondary's own data packet acknowledges as well.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_waits_for_the_secondarys, EstablishedFlow)
{
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() == "");
    Secondary(". 1:101(100) ack 501");
    BOOST_TEST(Released() == "ack 501 win 1000");
    BOOST_TEST(Reason() == "ack");
}

// The secondary acked more by far: no reason to wait.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_behind_the_secondarys_leaves_at_once, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 901");
    Primary(". 1:1(0) ack 501 win 900");
    BOOST_TEST(Released() == "ack 501 win 900");
}

// It has no bytes that the client could take out of order.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_passes_held_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1");
    Primary(". 101:101(0) ack 501");
    Secondary(". 1:1(0) ack 501");
    BOOST_TEST(Released() == "ack 501 win 1000");
}

// ack=clamp: as much as the secondary acknowledged is news, and may be told.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_clamped_to_the_secondarys, ClampFlow)
{
    Secondary(". 1:1(0) ack 301 win 900");
    Primary(". 1:1(0) ack 501 win 1000");
    BOOST_TEST(Resent() == "ack 301 win 900");
    BOOST_TEST(Released() == "");
    Secondary(". 1:1(0) ack 501 win 1000");
    BOOST_TEST(Released() == "ack 501 win 1000");
    BOOST_TEST(Resent() == "");
}

// Nothing new to tell: held, not sent as a duplicate ack.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_clamped_without_news_is_held, ClampFlow)
{
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() + Resent() == "");
    Secondary(". 1:1(0) ack 201");
    BOOST_TEST(Resent() == "ack 201 win 1000");
    Primary(". 1:1(0) ack 601");
    BOOST_TEST(Released() + Resent() == "");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-ack at 1");
}

// Each rise of the secondary's ack is told once, until all is.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_clamped_rises_with_the_secondarys, ClampFlow)
{
    Secondary(". 1:1(0) ack 101 win 2000");
    Primary(". 1:1(0) ack 501 win 1000");
    BOOST_TEST(Resent() == "ack 101 win 1400");
    Secondary(". 1:1(0) ack 301 win 1800");
    BOOST_TEST(Resent() == "ack 301 win 1200");
    Secondary(". 1:1(0) ack 301 win 1800");
    BOOST_TEST(Resent() == "");
    Secondary(". 1:1(0) ack 501 win 1600");
    BOOST_TEST(Released() == "ack 501 win 1000");
    BOOST_TEST(m_node.held_count == 0U);
}

// Data likewise, whose bytes matched.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_clamped_on_data, ClampFlow)
{
    Primary(". 1:101(100) ack 501");
    Secondary(". 1:101(100) ack 301");
    BOOST_TEST(Released() == "1:101 -> ack 301");
    Primary(". 101:201(100) ack 501");
    Secondary(". 101:201(100) ack 301");
    BOOST_TEST(Released() == "");
}

// Policy hold never lowers an ack.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_held_is_not_lowered, EstablishedFlow)
{
    Primary(". 1:1(0) ack 501");
    Secondary(". 1:1(0) ack 301");
    BOOST_TEST(Released() + Resent() == "");
}

// The client is sent the position that the secondary waits at, or it would repeat what both have.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_repeated_is_lowered, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 301");
    Primary(". 1:1(0) ack 401");
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() + Resent() == "");
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() + Resent() == "ack 301 win 1000");
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() + Resent() == "");
    Secondary(". 1:1(0) ack 501");
    BOOST_TEST(Released() == "ack 401 win 1000, ack 501 win 1000, ack 501 win 1000");
}

// What has data is no repetition, and waits.
BOOST_FIXTURE_TEST_CASE(tcp_pure_ack_repeated_with_data_is_held, EstablishedFlow)
{
    Secondary(". 1:101(100) ack 301");
    Primary(". 1:1(0) ack 501");
    Primary(". 1:101(100) ack 501");
    BOOST_TEST(Released() + Resent() == "");
    Primary(". 1:101(100) ack 501");
    BOOST_TEST(Released() + Resent() == "");
}

// Acks on both sides of 2^32, and exactly 0 (tcp-serial).
BOOST_FIXTURE_TEST_CASE(case_acks_on_both_sides_of_the_wrap, WrappingAcks)
{
    Secondary(". 1:1(0) ack 401");
    Primary(". 1:1(0) ack 601");
    BOOST_TEST(Released() == "");
    Secondary(". 1:1(0) ack 501");
    BOOST_TEST(Flow().stream.s_ack == 0U);
    BOOST_TEST(Released() == "");
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() == "ack 501 win 1000");
    Secondary(". 1:1(0) ack 601");
    BOOST_TEST(Released() == "ack 601 win 1000");
}

BOOST_FIXTURE_TEST_CASE(tcp_serial_ack_zero_of_the_secondary_counts, WrappingAcks)
{
    Secondary(". 1:1(0) ack 501");
    Primary(". 1:1(0) ack 501");
    BOOST_TEST(Released() == "ack 501 win 1000");
    Primary(". 1:1(0) ack 401 win 1100");
    BOOST_TEST(Released() == "ack 401 win 1100");
}

// Edges across the wrap are compared on the circle.
BOOST_FIXTURE_TEST_CASE(tcp_serial_window_across_the_wrap, WrappingAcks)
{
    Secondary(". 1:1(0) ack 301 win 1100");
    Primary(". 1:1(0) ack 301 win 2000");
    BOOST_TEST(Resent() == "ack 301 win 1100");
}

// The edge that leaves is one that both can take (tcp-window).
BOOST_FIXTURE_TEST_CASE(tcp_window_smaller_of_both_edges, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1400");
    Primary(". 1:1(0) ack 101 win 2000");
    BOOST_TEST(Resent() == "ack 101 win 1400");
    BOOST_TEST(Released() == "");
}

BOOST_FIXTURE_TEST_CASE(tcp_window_of_the_primary_if_smaller, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 2000");
    Primary(". 1:1(0) ack 101 win 1400");
    BOOST_TEST(Released() == "ack 101 win 1400");
}

// Edges count, not windows: the secondary's smaller window starts further on.
BOOST_FIXTURE_TEST_CASE(tcp_window_is_about_edges, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 901 win 600");
    Primary(". 1:1(0) ack 101 win 1400");
    BOOST_TEST(Released() == "ack 101 win 1400");
}

// Data packets promise as well.
BOOST_FIXTURE_TEST_CASE(tcp_window_on_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 101 win 2000");
    Secondary(". 1:101(100) ack 101 win 1400");
    BOOST_TEST(Released() == "1:101 -> win 1400");
}

// The secondary takes back what it could take, but the client was promised it.
BOOST_FIXTURE_TEST_CASE(tcp_window_promise_is_not_taken_back, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1400");
    Primary(". 1:1(0) ack 101 win 1400");
    BOOST_TEST(Released() == "ack 101 win 1400");
    Secondary(". 1:1(0) ack 201 win 800");
    Primary(". 1:1(0) ack 201 win 1300");
    BOOST_TEST(Released() == "ack 201 win 1300");
}

// What the primary itself takes back is its own business.
BOOST_FIXTURE_TEST_CASE(tcp_window_shrunk_by_the_primary, EstablishedFlow)
{
    Primary(". 1:1(0) ack 1 win 500");
    BOOST_TEST(Released() == "ack 1 win 500");
}

// A closed window says "stop", and the secondary has no say in that.
BOOST_FIXTURE_TEST_CASE(tcp_window_zero_passes, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 10");
    Primary(". 1:1(0) ack 101 win 0");
    BOOST_TEST(Released() == "ack 101 win 0");
}

// With a scale, the edge is in units of it.
BOOST_FIXTURE_TEST_CASE(tcp_window_scaled, ScaledFlow)
{
    Secondary(". 1:1(0) ack 1001 win 200");
    Primary(". 1:1(0) ack 521 win 300");
    BOOST_TEST(Resent() == "ack 521 win 230");
    Secondary(". 1:1(0) ack 2001 win 300");
    Primary(". 1:1(0) ack 1501 win 300");
    BOOST_TEST(Released() == "ack 521 win 300, ack 1501 win 300");
}

// Down, so that not even a part of a unit is promised beyond the secondary's edge.
BOOST_FIXTURE_TEST_CASE(tcp_window_rounded_down_to_the_scale, ScaledFlow)
{
    Secondary(". 1:1(0) ack 1001 win 200");
    Primary(". 1:1(0) ack 1000 win 300");
    BOOST_TEST(Resent() == "ack 1000 win 200");
    Primary(". 1:1(0) ack 1001 win 300");
    Resent();
    Primary(". 1:1(0) ack 996 win 300");
    BOOST_TEST(Resent() == "ack 996 win 200");
}

// Less than a unit is lost to rounding, which is not taking back.
BOOST_FIXTURE_TEST_CASE(tcp_window_rounding_takes_back_less_than_a_unit, ScaledFlow)
{
    Secondary(". 1:1(0) ack 1001 win 200");
    Primary(". 1:1(0) ack 1001 win 300");
    BOOST_TEST(Resent() == "ack 1001 win 200");
    Secondary(". 1:1(0) ack 1010 win 199");
    Primary(". 1:1(0) ack 1010 win 300");
    BOOST_TEST(Resent() == "ack 1010 win 199");
}

// A SYN's own window is never scaled.
BOOST_FIXTURE_TEST_CASE(tcp_window_of_a_syn_is_unscaled, FlowCore)
{
    Client("S 0:0(0) win 100 <wscale 2>");
    Primary("S. 0:0(0) ack 1 win 5000 <wscale 4>");
    Secondary("S. 0:0(0) ack 1 win 4000 <wscale 4>");
    BOOST_TEST(Released() == "S 0:0 -> win 4000");
    Secondary(". 1:1(0) ack 1 win 300");
    Primary(". 1:1(0) ack 1 win 251");
    BOOST_TEST(Released() == "ack 1 win 251");
    Primary(". 1:1(0) ack 1 win 301");
    BOOST_TEST(Resent() == "ack 1 win 300");
}

// Only the guests' SYNs had a scale: none counts (RFC 7323, 2.2).
BOOST_FIXTURE_TEST_CASE(tcp_window_scale_of_one_side_only, EstablishedFlow)
{
    m_primaryIsn += 100000;
    m_clientIsn += 100000;
    Open("S 0:0(0) win 100",
         "S. 0:0(0) ack 1 win 1000 <wscale 4>",
         "S. 0:0(0) ack 1 win 1000 <wscale 4>");
    Secondary(". 1:1(0) ack 901 win 400");
    Primary(". 1:1(0) ack 401 win 1000");
    BOOST_TEST(Resent() == "ack 401 win 900");
}

// The guest opens: the client's answer says whether its scale counts.
BOOST_FIXTURE_TEST_CASE(tcp_window_scale_when_the_guest_opens, FlowCore)
{
    Primary("S 0:0(0) win 1000 <wscale 4>");
    Secondary("S 0:0(0) win 1000 <wscale 4>");
    Client("S. 0:0(0) ack 1 win 100 <wscale 2>");
    Released();
    Secondary(". 1:1(0) ack 1 win 200");
    Primary(". 1:1(0) ack 1 win 300");
    BOOST_TEST(Resent() == "ack 1 win 200");
    Secondary(". 1:1(0) ack 161 win 200");
    BOOST_TEST(Resent() == "ack 1 win 210");
}

// Met in mid-stream: nobody knows the scale, so the raw fields are compared.
BOOST_FIXTURE_TEST_CASE(tcp_window_unknown_scale_compares_raw_fields, FlowCore)
{
    Secondary(". 1:1(0) ack 901 win 200");
    Primary(". 1:1(0) ack 101 win 900");
    BOOST_TEST(Resent() == "ack 101 win 200");
    Primary(". 1:1(0) ack 101 win 150");
    BOOST_TEST(Released() == "ack 101 win 150");
}

// An older window of the secondary says nothing about what it can take now.
BOOST_FIXTURE_TEST_CASE(tcp_window_unknown_scale_latest_field_counts, FlowCore)
{
    Secondary(". 1:1(0) ack 901 win 200");
    Secondary(". 1:1(0) ack 101 win 900");
    Primary(". 1:1(0) ack 101 win 500");
    BOOST_TEST(Resent() == "ack 101 win 200");
}

// The secondary has caught up and the primary has nothing to say: somebody must tell.
BOOST_FIXTURE_TEST_CASE(tcp_window_resent_when_the_secondarys_edge_rises, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1000");
    Primary(". 1:1(0) ack 101 win 2000 <ts 50 0>");
    BOOST_TEST(Resent() == "ack 101 win 1000");
    Secondary(". 1:1(0) ack 101 win 1500");
    BOOST_TEST(Resent() == "ack 101 win 1500");
    Secondary(". 1:1(0) ack 101 win 2500");
    BOOST_TEST(Released() == "ack 101 win 2000");
    BOOST_TEST(m_sent.back().reason == COLO_RELEASE_WINDOW);
    BOOST_TEST(m_node.held_count == 0U);
}

// At its old place the client would not look at its ack and window (RFC 9293, 3.10.7.4), and at
// its old time not at all.
BOOST_FIXTURE_TEST_CASE(tcp_window_resent_behind_the_data_of_now, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1000");
    Primary(". 1:1(0) ack 101 win 2000 <ts 50 0>");
    Primary(". 1:201(200) ack 101 win 2000 <ts 60 0>");
    Secondary(". 1:201(200) ack 101 win 1000");
    BOOST_TEST(Released() == "1:201 -> win 1000");
    Resent();
    Secondary(". 201:201(0) ack 101 win 2000");
    BOOST_TEST(Released() == "ack 101 win 2000 -> seq 201 ts 60");
}

// The secondary's edge alone does not wake anybody.
BOOST_FIXTURE_TEST_CASE(tcp_window_not_resent_without_a_clamp, EstablishedFlow)
{
    Primary(". 1:1(0) ack 1 win 1000");
    Secondary(". 1:1(0) ack 1 win 3000");
    BOOST_TEST(Resent() == "");
    BOOST_TEST(Released() == "ack 1 win 1000");
}

// The primary said it all itself in the meantime.
BOOST_FIXTURE_TEST_CASE(tcp_window_clamped_ack_is_superseded, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1000");
    Primary(". 1:1(0) ack 101 win 2000");
    Secondary(". 1:1(0) ack 101 win 1000");
    Resent();
    Primary(". 1:1(0) ack 201 win 1900");
    Dropped();
    Secondary(". 1:1(0) ack 201 win 1900");
    BOOST_TEST(Released() == "ack 201 win 1900");
    BOOST_TEST(m_node.held_count == 0U);
}

// What leaves late and promises less says nothing about the ack that was clamped before.
BOOST_FIXTURE_TEST_CASE(tcp_window_clamped_ack_outlives_older_data, EstablishedFlow)
{
    Primary(". 1:101(100) ack 1 win 1000");
    Primary(". 101:101(0) ack 101 win 2000");
    Secondary(". 1:1(0) ack 101 win 1000");
    BOOST_TEST(Resent() == "ack 101 win 1000");
    Secondary(". 1:101(100) ack 101 win 1000");
    BOOST_TEST(Released() == "1:101");
    Secondary(". 101:101(0) ack 101 win 2000");
    BOOST_TEST(Released() == "ack 101 win 2000");
}

// Behind the client's FIN no window is of use, and nothing must keep a closed flow.
BOOST_FIXTURE_TEST_CASE(tcp_window_not_kept_after_the_clients_fin, EstablishedFlow)
{
    Client("F. 1:1(0) ack 1");
    Secondary("F. 1:1(0) ack 2 win 900");
    Primary("F. 1:1(0) ack 2 win 1000");
    BOOST_TEST(Released() == "F 1:1 -> win 999");
    Primary(". 2:2(0) ack 2 win 2000");
    BOOST_TEST(Released() == "ack 2 win 999");
    Wait(60000);
    BOOST_TEST(Collect() == 1);
}

// Kept, it is no held packet that something could time out for.
BOOST_FIXTURE_TEST_CASE(tcp_window_clamped_ack_does_not_time_out, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 101 win 1000");
    Primary(". 1:1(0) ack 101 win 2000");
    Wait(100000);
    BOOST_TEST(Mismatch() == "");
    Checkpoint();
    BOOST_TEST(Released() == "ack 101 win 2000");
    BOOST_TEST(m_node.held_count == 0U);
}

// Nothing of the secondary: neither ack, nor edge, nor window may be promised.
BOOST_FIXTURE_TEST_CASE(tcp_release_needs_the_ack_of_this_generation, EstablishedFlow)
{
    Secondary(". 1:1(0) ack 901");
    m_primaryIsn += 5000;
    Primary("S. 0:0(0) ack 1");
    BOOST_TEST(Released() == "");
    BOOST_TEST((Flow().stream.flags & COLO_STREAM_S_ACK) == 0U);
}
