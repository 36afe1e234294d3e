/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Random lives of two guests, judged by a slow and obvious model: an array of what each sent.
// A failure prints its seed; COLO_TEST_SEED=<seed> runs that one alone.
#define BOOST_TEST_MODULE core_property
#include "core-harness.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <random>
#include <sstream>

using namespace colo_test;

namespace
{

const int FIN = 256;
const int NOTHING = -1;

struct Segment
{
    uint32_t begin; //!< from 0 on, where line positions are one more
    uint32_t end;   //!< the FIN included
    uint32_t ack;
    uint32_t window;
};

struct Guest
{
    std::vector<int> stream; //!< what it has to say, FIN at the end
    uint32_t sent = 0;
    uint32_t received = 0; //!< of the client's bytes
    std::vector<Segment> onTheWay;
    std::vector<int> seen; //!< by the core, in this epoch
    uint32_t ackSeen = 0;
    uint32_t edgeSeen = 0;
};

class Twins : public EstablishedFlow
{
  public:
    explicit Twins(uint32_t seed);

    void Live();

  private:
    uint32_t Below(uint32_t bound);
    bool OneIn(uint32_t chances);
    void Step();
    void SaySomething(Guest& guest);
    void Deliver(Guest& guest);
    void Give(Guest& guest, const Segment& segment);
    void Commit();
    void Finish();
    uint32_t CommonPrefix() const;
    void Judge(bool byCommit);

    std::mt19937 m_random;
    Guest m_primary;
    Guest m_secondary;
    uint32_t m_clientSent = 0;
    uint32_t m_scale = 0;
    bool m_diverges = false;
    bool m_mismatched = false;
    size_t m_judged = 0;
    uint32_t m_releasedEnd = 0;
    uint32_t m_releasedEdge = 0;
};

uint32_t
RandomIsn(uint32_t seed)
{
    std::mt19937 random(seed);
    return random() % 2 ? random() : 0U - random() % 2000;
}

Twins::Twins(uint32_t seed)
    : EstablishedFlow(RandomIsn(seed), RandomIsn(seed + 1)),
      m_random(seed)
{
    m_node.config.ack_policy = OneIn(2) ? COLO_ACK_CLAMP : COLO_ACK_HOLD;
    if (OneIn(2))
    {
        m_scale = 3;
        m_primaryIsn += 1000000;
        m_clientIsn += 1000000;
        Open("S 0:0(0) win 100 <wscale 2>",
             "S. 0:0(0) ack 1 win 1000 <wscale 3>",
             "S. 0:0(0) ack 1 win 1000 <wscale 3>");
    }
    m_headLength = OneIn(2) ? SIZE_MAX : 54;
    m_sent.clear();
    m_releasedEdge = 1000;

    uint32_t length = 1 + Below(1000);
    for (uint32_t at = 0; at < length; at++)
    {
        m_primary.stream.push_back(StreamByte(at + 1));
    }
    m_primary.stream.push_back(FIN);
    m_secondary.stream = m_primary.stream;
    m_diverges = OneIn(2);
    uint32_t at = Below(length);
    if (m_diverges && OneIn(3))
    {
        m_secondary.stream[at] = FIN;
        m_secondary.stream.resize(at + 1);
    }
    else if (m_diverges)
    {
        m_secondary.stream[at] ^= 1;
    }
    for (Guest* guest : {&m_primary, &m_secondary})
    {
        guest->seen.assign(m_primary.stream.size(), NOTHING);
        guest->edgeSeen = 1000;
    }
}

uint32_t
Twins::Below(uint32_t bound)
{
    return uint32_t(m_random() % bound);
}

bool
Twins::OneIn(uint32_t chances)
{
    return Below(chances) == 0;
}

// New data, a repetition, or an ack, cut and acknowledged as this guest likes.
void
Twins::SaySomething(Guest& guest)
{
    uint32_t longest = 1 + Below(200);
    Segment segment{guest.sent, guest.sent, 0, 100 + Below(30)};
    guest.received = std::max(guest.received, Below(m_clientSent + 1));
    segment.ack = guest.received;
    auto size = uint32_t(guest.stream.size());
    if (OneIn(4) && guest.sent)
    {
        segment.begin = Below(guest.sent);
        segment.end = std::min(segment.begin + longest, OneIn(2) ? guest.sent : size);
    }
    else if (!OneIn(3))
    {
        segment.end = std::min(segment.begin + longest, size);
    }
    guest.sent = std::max(guest.sent, segment.end);
    guest.onTheWay.push_back(segment);
}

// The wire: reorders, and on sec_dev loses and doubles.
void
Twins::Deliver(Guest& guest)
{
    if (guest.onTheWay.empty())
    {
        return;
    }
    auto at = guest.onTheWay.begin() + Below(uint32_t(std::min<size_t>(guest.onTheWay.size(), 4)));
    Segment segment = *at;
    bool onSecDev = &guest == &m_secondary;
    if (!onSecDev || !OneIn(10))
    {
        guest.onTheWay.erase(at);
    }
    if (!onSecDev || !OneIn(10))
    {
        Give(guest, segment);
    }
}

void
Twins::Give(Guest& guest, const Segment& segment)
{
    auto fin = segment.end > segment.begin && guest.stream[segment.end - 1] == FIN;
    uint32_t bytes = segment.end - segment.begin - (fin ? 1 : 0);
    std::ostringstream line;
    line << (fin ? "F. " : ". ") << segment.begin + 1 << ":" << segment.begin + 1 + bytes << "("
         << bytes << ") ack " << segment.ack + 1 << " win " << segment.window;
    Bytes frame = BuildFrame(line.str(), {m_primaryIsn, m_clientIsn, false, 4, m_port});
    for (uint32_t i = 0; i < bytes; i++)
    {
        frame[frame.size() - bytes + i] = uint8_t(guest.stream[segment.begin + i]);
    }
    SetChecksum(frame);
    for (uint32_t at = segment.begin; at < segment.end; at++)
    {
        guest.seen[at] = guest.stream[at];
    }
    guest.ackSeen = std::max(guest.ackSeen, segment.ack);
    guest.edgeSeen = std::max(guest.edgeSeen, segment.ack + (segment.window << m_scale));
    Input(&guest == &m_primary ? COLO_PRIMARY : COLO_SECONDARY, frame);
    Judge(false);
}

// The secondary becomes a copy; what it sent before is of another epoch.
void
Twins::Commit()
{
    while (!m_primary.onTheWay.empty())
    {
        Deliver(m_primary);
    }
    Checkpoint();
    m_secondary = m_primary;
    m_diverges = false;
    m_mismatched = false;
    Judge(true);
    BOOST_REQUIRE(m_node.held_count + m_node.extra_count == 0U);
}

uint32_t
Twins::CommonPrefix() const
{
    uint32_t at = 0;
    while (at < m_primary.seen.size() && m_primary.seen[at] != NOTHING &&
           m_primary.seen[at] == m_secondary.seen[at])
    {
        at++;
    }
    return at;
}

void
Twins::Judge(bool byCommit)
{
    uint32_t common = CommonPrefix();
    for (; m_judged < m_sent.size(); m_judged++)
    {
        const colo_packet& packet = m_sent[m_judged].parsed;
        uint32_t begin = packet.seq - m_primaryIsn - 1;
        uint32_t units = colo_packet_units(&packet);
        uint32_t ack = packet.ack - m_clientIsn - 1;
        const Bytes& frame = m_sent[m_judged].frame;

        // Not beyond what both sent, and the primary's bytes.
        BOOST_REQUIRE((units == 0 || begin + units <= common));
        for (uint32_t i = 0; i < packet.payload_len; i++)
        {
            BOOST_REQUIRE(frame[packet.payload_offset + i] == m_primary.stream[begin + i]);
        }
        // New data in the stream's order; only what repeats matched bytes may pass it.
        if (units && !byCommit && m_sent[m_judged].reason != COLO_RELEASE_REPEAT)
        {
            BOOST_REQUIRE(begin <= m_releasedEnd);
        }
        m_releasedEnd = units ? std::max(m_releasedEnd, begin + units) : m_releasedEnd;
        // No promise that the secondary would not keep.
        BOOST_REQUIRE(ack <= m_secondary.ackSeen);
        uint32_t edge = ack + (uint32_t(packet.window) << m_scale);
        BOOST_REQUIRE(edge <= std::max(m_secondary.edgeSeen, m_releasedEdge));
        m_releasedEdge = std::max(m_releasedEdge, edge);
    }

    bool differ = common < m_primary.seen.size() && m_primary.seen[common] != NOTHING &&
                  m_secondary.seen[common] != NOTHING;
    BOOST_REQUIRE((m_node.state != COLO_NODE_RUNNING) == differ);
    m_mismatched = m_mismatched || !Mismatch().empty();
    BOOST_REQUIRE(m_mismatched == differ);
    // Nothing waits that has nothing to wait for, be it its turn.
    if (!differ && m_secondary.ackSeen >= m_primary.ackSeen)
    {
        bool waits = false;
        size_t others = 0;
        for (const auto& packet : m_held)
        {
            uint32_t end = colo_packet_end(&packet->core) - m_primaryIsn - 1;
            bool ofPrimary = packet->core.side == COLO_PRIMARY;
            bool isKept = &packet->core == Flow().stream.kept;
            waits = waits || (ofPrimary && end > common && colo_packet_units(&packet->core));
            others += ofPrimary && !isKept ? 1 : 0;
        }
        BOOST_REQUIRE((others == 0 || waits));
    }
}

void
Twins::Step()
{
    m_now += 1000;
    switch (Below(8))
    {
    case 0:
        SaySomething(m_primary);
        break;
    case 1:
        SaySomething(m_secondary);
        break;
    case 2:
        m_clientSent += Below(100);
        Client(". 1:1(0) ack " + std::to_string(m_releasedEnd + 1));
        break;
    case 3:
        if (OneIn(10))
        {
            Commit();
        }
        break;
    default:
        Deliver(OneIn(2) ? m_primary : m_secondary);
    }
    // From here on only a checkpoint helps.
    if (m_mismatched && OneIn(5))
    {
        Commit();
    }
}

// Whatever was lost is sent again, and then nothing may be left.
void
Twins::Finish()
{
    if (m_node.state != COLO_NODE_RUNNING)
    {
        Commit();
    }
    for (Guest* guest : {&m_primary, &m_secondary})
    {
        while (!guest->onTheWay.empty() && m_node.state == COLO_NODE_RUNNING)
        {
            Deliver(*guest);
        }
        if (m_node.state == COLO_NODE_RUNNING)
        {
            auto size = uint32_t(guest->stream.size());
            Give(*guest, {0, size, m_clientSent, 200});
            Give(*guest, {size, size, m_clientSent, 200});
        }
    }
    BOOST_REQUIRE((m_node.state != COLO_NODE_RUNNING) == m_diverges);
    if (m_diverges)
    {
        Commit();
    }
    BOOST_REQUIRE(m_held.empty());
    Wait(10000);
    BOOST_REQUIRE(m_node.state == COLO_NODE_RUNNING);
}

void
Twins::Live()
{
    int steps = 50 + int(Below(200));
    for (int step = 0; step < steps; step++)
    {
        Step();
    }
    Finish();
}

// Runs one seed, or so many from a fixed one on: the same in every run of the tests.
template <typename Run>
void
ForSeeds(uint32_t count, Run run)
{
    const char* wanted = std::getenv("COLO_TEST_SEED");
    uint32_t first = wanted ? uint32_t(std::strtoul(wanted, nullptr, 0)) : 1;
    for (uint32_t seed = first; seed < first + (wanted ? 1 : count); seed++)
    {
        BOOST_TEST_CONTEXT("COLO_TEST_SEED=" << seed)
        {
            run(seed);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(no_loss_and_output_commit_in_random_lives)
{
    ForSeeds(1500, [](uint32_t seed) { Twins(seed).Live(); });
}

// Segments that no stack would send: the harness watches that each comes out once, ASan that
// nothing is read beyond its frame (bounded).
BOOST_AUTO_TEST_CASE(bounded_whatever_hostile_guests_send)
{
    ForSeeds(300, [](uint32_t seed) {
        std::mt19937 random(seed);
        EstablishedFlow flow(RandomIsn(seed), 500000);
        flow.m_headLength = 54;
        flow.m_node.config.flow_held_max = 20;
        flow.m_node.config.ack_policy = random() % 2 ? COLO_ACK_CLAMP : COLO_ACK_HOLD;
        for (int step = 0; step < 200; step++)
        {
            const uint8_t flags[] = {0x10, 0x10, 0x10, 0x11, 0x04, 0x14, 0x02, 0x12, 0x06, 0x17};
            const uint32_t jumps[] = {0, 1, 5, 30, 0U - 30, 0x7fffffff, 0x80000000, 0x80000001};
            auto jump = [&] { return jumps[random() % 8] + uint32_t(random() % 20); };
            uint32_t length = random() % 40;
            auto side = colo_side(random() % 3);
            Numbering numbers{flow.m_primaryIsn + jump(),
                              flow.m_clientIsn + jump(),
                              side == COLO_INBOUND,
                              4,
                              flow.m_port};
            std::string line = ". 0:" + std::to_string(length) + "(" + std::to_string(length) + ")";
            Bytes frame = BuildFrame(line + (random() % 2 ? " fill 'x'" : ""), numbers);
            frame[47] = flags[random() % 10];
            SetChecksum(frame);
            flow.Input(side, frame);
            if (random() % 50 == 0)
            {
                flow.Checkpoint();
            }
        }
        flow.Checkpoint();
        BOOST_REQUIRE(flow.m_node.held_count + flow.m_node.extra_count == 0U);
    });
}
