/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Hosts under leases: a heartbeat each 10 ms, a lease of 50 ms, a takeover after 60 ms.
#ifndef CORE_FAILOVER_H
#define CORE_FAILOVER_H

#include "colo_failover.h"
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

namespace colo_test
{

const uint64_t MILLISECOND_NS = 1000000;

inline void
UseLeases(colo_node& node)
{
    node.config.heartbeat_interval_ns = 10 * MILLISECOND_NS;
    node.config.lease_ns = 50 * MILLISECOND_NS;
    node.config.takeover_ns = 60 * MILLISECOND_NS;
}

// The primary's host. Its connection was there before; nobody has answered a heartbeat yet.
struct FreshPrimary : EstablishedFlow
{
    FreshPrimary()
    {
        UseLeases(m_node);
        m_node.renewed_ns = m_now;
        m_node.beat_ns = m_now;
    }

    // The answer to the heartbeat that was sent so long ago.
    bool Answer(uint64_t agoMs = 0, uint32_t term = 0)
    {
        colo_out out;
        colo_out_init(&out);
        bool fits = colo_node_heartbeat(&m_node, term, m_now - agoMs * MILLISECOND_NS, m_now, &out);
        Absorb(out);
        return fits;
    }

    // Time in which nobody polls, as the host hangs.
    void Hang(uint64_t milliseconds)
    {
        m_now += milliseconds * MILLISECOND_NS;
    }

    void Both(const std::string& line)
    {
        Primary(line);
        Secondary(line);
    }

    void Isolate()
    {
        Wait(51);
        BOOST_REQUIRE(m_node.mode == COLO_MODE_ISOLATED);
        Actions();
    }

    void GoAlone()
    {
        Isolate();
        BOOST_REQUIRE(Event(COLO_EVENT_GRANTED, m_node.term));
        Actions();
    }
};

struct LeasedPrimary : FreshPrimary
{
    LeasedPrimary()
    {
        Answer();
    }

    void To(colo_node_state state)
    {
        if (state >= COLO_NODE_REQUESTED)
        {
            Event(COLO_EVENT_REQUEST);
        }
        if (state >= COLO_NODE_PAUSED)
        {
            Event(COLO_EVENT_PAUSED);
        }
        if (state >= COLO_NODE_TRANSFER)
        {
            Event(COLO_EVENT_REPLY, m_node.attempt);
        }
        if (state >= COLO_NODE_COMMITTED)
        {
            Event(COLO_EVENT_RECEIVED, m_node.attempt);
        }
        BOOST_REQUIRE(m_node.state == state);
        Actions();
    }
};

struct LeasedSecondary : FixCore
{
    LeasedSecondary()
    {
        UseLeases(m_node);
    }

    bool Heartbeat(uint64_t stampNs, uint32_t term = 0)
    {
        colo_out out;
        colo_out_init(&out);
        bool fits = colo_node_heartbeat(&m_node, term, stampNs, m_now, &out);
        Absorb(out);
        return fits;
    }

    void To(colo_node_state state)
    {
        if (state >= COLO_NODE_REQUESTED)
        {
            Event(COLO_EVENT_REQUEST, m_node.attempt + 1);
        }
        if (state >= COLO_NODE_PAUSED)
        {
            Event(COLO_EVENT_PAUSED);
        }
        if (state >= COLO_NODE_COMMITTED)
        {
            Event(COLO_EVENT_STATE, m_node.attempt);
        }
        BOOST_REQUIRE(m_node.state == state);
        Actions();
    }

    void Isolate()
    {
        Wait(60);
        BOOST_REQUIRE(m_node.mode == COLO_MODE_ISOLATED);
    }
};

// An address request.
inline Bytes
ArpFrame()
{
    Bytes frame(60);
    frame[12] = 0x08;
    frame[13] = 0x06;
    const uint8_t arp[] = {0, 1, 0x08, 0, 6, 4, 0, 1};
    std::copy(std::begin(arp), std::end(arp), frame.begin() + 14);
    return frame;
}

} // namespace colo_test

#endif // CORE_FAILOVER_H
