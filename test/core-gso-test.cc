/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Packets of several segments (GSO): what matched of one does not wait for the rest.
#define BOOST_TEST_MODULE core_gso
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

// Segments of 1000 bytes.
struct GsoFlow : EstablishedFlow
{
    explicit GsoFlow(uint32_t primaryIsn = 1000000)
        : EstablishedFlow(primaryIsn)
    {
        m_gsoSize = 1000;
    }
};

struct ClampFlow : GsoFlow
{
    ClampFlow()
    {
        m_node.config.ack_policy = COLO_ACK_CLAMP;
    }
};

// The first packet's second segment crosses 2^32.
struct WrappingFlow : GsoFlow
{
    WrappingFlow()
        : GsoFlow(0U - 1500)
    {
    }
};

} // namespace

// As far as matched reaches, in whole segments; the rest follows.
BOOST_FIXTURE_TEST_CASE(tcp_gso_leaves_segment_by_segment, GsoFlow)
{
    Primary(". 1:3501(3500) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Secondary(". 1001:2000(999) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 2000:3001(1001) ack 1");
    BOOST_TEST(Released() == "part 1000:3000");
    Secondary(". 3001:3500(499) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 3500:3501(1) ack 1");
    BOOST_TEST(Released() == "1:3501 from 3000");
    BOOST_TEST(m_node.held_count == 0U);
}

// The secondary was ahead, but not by all of it.
BOOST_FIXTURE_TEST_CASE(tcp_gso_part_at_once, GsoFlow)
{
    Secondary(". 1:1501(1500) ack 1");
    Primary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    BOOST_TEST(m_node.held_count == 1U);
}

// Fully matched when it comes: whole.
BOOST_FIXTURE_TEST_CASE(tcp_gso_whole_at_once, GsoFlow)
{
    Secondary(". 1:3001(3000) ack 1");
    Primary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "1:3001");
}

// A FIN is in the last segment, which leaves with it or not at all.
BOOST_FIXTURE_TEST_CASE(tcp_gso_last_segment_waits_for_the_fin, GsoFlow)
{
    Primary("F. 1:3001(3000) ack 1");
    Secondary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "part 0:2000");
    Secondary("F. 3001:3001(0) ack 1");
    BOOST_TEST(Released() == "F 1:3001 from 2000");
}

// A packet of one segment has no parts.
BOOST_FIXTURE_TEST_CASE(tcp_gso_one_segment_leaves_whole, GsoFlow)
{
    Primary(". 1:1001(1000) ack 1");
    Secondary(". 1:1000(999) ack 1");
    BOOST_TEST(Released() == "");
    m_gsoSize = 0;
    Primary(". 1001:4001(3000) ack 1");
    Secondary(". 1000:3001(2001) ack 1");
    BOOST_TEST(Released() == "1:1001");
}

// What one segment tells was received, the secondary must have (tcp-release).
BOOST_FIXTURE_TEST_CASE(tcp_gso_parts_wait_for_the_ack, GsoFlow)
{
    Primary(". 1:3001(3000) ack 501");
    Secondary(". 1:2001(2000) ack 401");
    BOOST_TEST(Released() == "");
    Secondary(". 2001:2001(0) ack 501");
    BOOST_TEST(Released() == "part 0:2000");
}

// And promise no more than it can take (tcp-window).
BOOST_FIXTURE_TEST_CASE(tcp_gso_parts_have_the_smaller_window, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1 win 4000");
    Secondary(". 1:1001(1000) ack 1 win 1500");
    BOOST_TEST(Released() == "part 0:1000 -> win 1500");
    Secondary(". 1001:2001(1000) ack 1 win 2500");
    BOOST_TEST(Released() == "part 1000:2000 -> win 2500");
    Secondary(". 2001:3001(1000) ack 1 win 5000");
    BOOST_TEST(Released() == "1:3001 from 2000");
}

// Lowered acks, as far as they are news (tcp-pure-ack).
BOOST_FIXTURE_TEST_CASE(tcp_gso_parts_are_clamped, ClampFlow)
{
    Primary(". 1:3501(3500) ack 501");
    Secondary(". 1:1001(1000) ack 401");
    BOOST_TEST(Released() == "part 0:1000 -> ack 401");
    Secondary(". 1001:2001(1000) ack 401");
    BOOST_TEST(Released() == "");
    Secondary(". 2001:3001(1000) ack 451");
    BOOST_TEST(Released() == "part 1000:3000 -> ack 451");
    Secondary(". 3001:3501(500) ack 501");
    BOOST_TEST(Released() == "1:3501 from 3000");
}

// A part's stamp is not older than what the client has seen either (tcp-retransmit).
BOOST_FIXTURE_TEST_CASE(tcp_gso_parts_do_not_fall_behind, GsoFlow)
{
    Primary(". 1:101(100) ack 1 <nop,nop,ts 100 0>");
    Primary(". 101:2101(2000) ack 1 <nop,nop,ts 110 0>");
    Secondary(". 1:101(100) ack 1");
    Primary(". 1:101(100) ack 1 <nop,nop,ts 120 0>");
    BOOST_TEST(Released() == "1:101, 1:101");
    Secondary(". 101:1101(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000 -> ts 120");
}

// Not before what was sent before it (order).
BOOST_FIXTURE_TEST_CASE(tcp_gso_parts_keep_the_order, GsoFlow)
{
    Primary(". 1:101(100) ack 501");
    Primary(". 101:3101(3000) ack 1");
    Secondary(". 1:2101(2100) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 2101:2101(0) ack 501");
    BOOST_TEST(Released() == "1:101, part 0:2000");
}

// A commit in the midst: what has left already does not leave again.
BOOST_FIXTURE_TEST_CASE(tcp_gso_commit_releases_the_rest, GsoFlow)
{
    Primary(". 1:3501(3500) ack 1");
    Secondary(". 1:2001(2000) ack 1");
    BOOST_TEST(Released() == "part 0:2000");
    Checkpoint();
    BOOST_TEST(Released() == "1:3501 from 2000");
    Primary(". 3501:5501(2000) ack 1");
    Secondary(". 3501:4501(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
}

// Sent again whole, it leaves again whole.
BOOST_FIXTURE_TEST_CASE(tcp_gso_retransmitted, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1");
    Secondary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "1:3001");
    Primary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "1:3001");
    BOOST_TEST(Reason() == "repeat");
}

// Also while the first copy waits for its rest.
BOOST_FIXTURE_TEST_CASE(tcp_gso_retransmitted_in_the_midst, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Primary(". 1:1001(1000) ack 1");
    BOOST_TEST(Released() == "1:1001");
    Primary(". 1:3001(3000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Secondary(". 1001:3001(2000) ack 1");
    BOOST_TEST(Released() == "1:3001 from 1000, 1:3001 from 1000");
}

// Its segments that matched before are repetitions, and pass what is held (tcp-retransmit).
BOOST_FIXTURE_TEST_CASE(tcp_gso_repeated_segments_pass, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Primary(". 1:2001(2000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Secondary(". 1001:3001(2000) ack 1");
    BOOST_TEST(Released() == "1:3001 from 1000, 1:2001 from 1000");
}

// It begins inside of what matched: its segments count from its own start.
BOOST_FIXTURE_TEST_CASE(tcp_gso_begins_inside_matched_data, GsoFlow)
{
    Primary(". 1:1001(1000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    Released();
    Primary(". 501:3501(3000) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 1001:1500(499) ack 1");
    BOOST_TEST(Released() == "");
    Secondary(". 1500:1501(1) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
}

// The secondary's segments behind a gap do not count before it is filled (tcp-out-of-order).
BOOST_FIXTURE_TEST_CASE(tcp_gso_secondary_lost_a_segment, GsoFlow)
{
    Primary(". 1:4001(4000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    Secondary(". 2001:3001(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    BOOST_TEST(Mismatch() == "");
    Secondary(". 1001:2001(1000) ack 1");
    BOOST_TEST(Released() == "part 1000:3000");
    Secondary(". 3001:4001(1000) ack 1");
    BOOST_TEST(Released() == "1:4001 from 3000");
}

// The segments before a difference were equal.
BOOST_FIXTURE_TEST_CASE(tcp_gso_before_a_difference, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1 fill 'p'");
    Secondary(". 1:1501(1500) ack 1 fill 'p'");
    Secondary(". 1501:3001(1500) ack 1 fill 's'");
    BOOST_TEST(Released() == "part 0:1000");
    BOOST_TEST(Mismatch() == "bytes at 1501: 'pppppppp' not 'ssssssss'");
}

// The rest times out as any held packet (liveness).
BOOST_FIXTURE_TEST_CASE(tcp_gso_rest_times_out, GsoFlow)
{
    Primary(". 1:3001(3000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    Wait(3000);
    BOOST_TEST(Mismatch() == "timeout-data at 1001");
}

// Positions of a packet on both sides of 2^32 (tcp-serial).
BOOST_FIXTURE_TEST_CASE(tcp_gso_across_the_wrap, WrappingFlow)
{
    Primary(". 1:3001(3000) ack 1");
    Secondary(". 1:1001(1000) ack 1");
    BOOST_TEST(Released() == "part 0:1000");
    Secondary(". 1001:2001(1000) ack 1");
    BOOST_TEST(Released() == "part 1000:2000");
    Secondary(". 2001:3001(1000) ack 1");
    BOOST_TEST(Released() == "1:3001 from 2000");
}
