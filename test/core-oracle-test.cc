/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What must hold whatever the rules make of it, in a dialogue that both guests cut differently.
#define BOOST_TEST_MODULE core_oracle
#include "core-harness.h"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

// Both guests say the same, in segments and with acks and windows of their own.
struct Dialogue : EstablishedFlow
{
    struct Guest
    {
        uint32_t end = 1; //!< of what it said
        uint32_t ack = 1; //!< of what it heard
        uint32_t edge = 1001;
    };

    explicit Dialogue(uint32_t seed)
        : m_random(seed)
    {
    }

    uint32_t Below(uint32_t bound)
    {
        m_random = m_random * 1664525 + 1013904223;
        return (m_random >> 8) % bound;
    }

    std::string Next(Guest& guest, uint32_t bytes)
    {
        guest.ack += Below(3) * 50;
        uint32_t window = 500 + Below(1000);
        guest.edge = std::max(guest.edge, guest.ack + window);
        std::string line = ". " + std::to_string(guest.end) + ":";
        guest.end += bytes;
        return line + std::to_string(guest.end) + "(" + std::to_string(bytes) + ") ack " +
               std::to_string(guest.ack) + " win " + std::to_string(window);
    }

    void Step()
    {
        uint32_t dice = Below(20);
        if (dice < 9)
        {
            m_gsoSize = uint16_t(Below(2) * 50);
            Primary(Next(m_primary, Below(3) * 90));
        }
        else if (dice < 18)
        {
            Secondary(Next(m_secondary, Below(3) * 70));
        }
        else if (dice < 19)
        {
            Wait(Below(2000));
        }
        else if (m_node.state != COLO_NODE_RUNNING)
        {
            Checkpoint();
            m_secondary = m_primary;
        }
    }

    // Has the secondary, or a checkpoint, all that the client was shown?
    void CheckNothingIsForgotten()
    {
        for (; m_checked < m_sent.size(); m_checked++)
        {
            const Sent& sent = m_sent[m_checked];
            bool says = colo_packet_units(&sent.parsed);
            uint32_t end = says ? colo_packet_end(&sent.parsed) - m_primaryIsn : 0;
            uint32_t ack = sent.parsed.ack - m_clientIsn;
            BOOST_TEST(end <= m_secondary.end);
            BOOST_TEST(ack <= m_secondary.ack);
            BOOST_TEST(ack + sent.parsed.window <= m_secondary.edge);
        }
    }

    std::string Told()
    {
        return Released() + "; " + Resent() + "; " + Dropped() + "; " + Mismatch() + "; " +
               Actions() + "; " + std::to_string(colo_node_deadline(&m_node)) + "\n";
    }

    uint32_t m_random;
    Guest m_primary;
    Guest m_secondary;
    size_t m_checked = 0;
};

} // namespace

// Should the primary die now, the secondary can go on from all that the client has seen.
BOOST_DATA_TEST_CASE(output_commit_at_any_instant, data::xrange(20), seed)
{
    Dialogue dialogue{uint32_t(seed)};
    dialogue.m_sent.clear();
    dialogue.m_node.config.ack_policy = seed % 2 ? COLO_ACK_CLAMP : COLO_ACK_HOLD;
    for (int i = 0; i < 500; i++)
    {
        dialogue.Step();
        dialogue.CheckNothingIsForgotten();
    }
    BOOST_TEST(dialogue.m_checked > 100U);
}

// Same inputs at same times, same outputs and deadlines, wherever in memory it happens.
BOOST_DATA_TEST_CASE(deterministic_in_any_place, data::xrange(5), seed)
{
    Dialogue first{uint32_t(seed)};
    std::vector<std::unique_ptr<int>> between(100);
    Dialogue second{uint32_t(seed)};
    for (int i = 0; i < 500; i++)
    {
        first.Step();
        between[size_t(i % 100)] = std::make_unique<int>(i);
        second.Step();
        BOOST_REQUIRE(first.Told() == second.Told());
    }
}
