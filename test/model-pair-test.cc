/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A whole pair, judged from outside: by what is on its links.
#define BOOST_TEST_MODULE model_pair
#include "model-pair-oracle.h"
#include "model-pair-world.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <deque>
#include <map>
#include <set>

namespace bdata = boost::unit_test::data;

namespace
{

/** ISNs of the SYN-ACKs seen, by the client's port. */
struct IsnWatch
{
    std::map<Tap, std::map<uint16_t, uint32_t>> seen;

    explicit IsnWatch(PairWorld& world)
    {
        world.OnFrame([this](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
            auto tcp = Tcp::Parse(bytes);
            if (tcp && tcp->source == 80 && tcp->flags & Tcp::SYN)
            {
                seen[tap][tcp->destination] = tcp->seq;
            }
        });
    }
};

/**
 * Compares what both guests send from the end of each checkpoint until they may differ: at a
 * divergence, a new connection, whose ISNs differ, or the next checkpoint.
 */
class TwinWatch
{
  public:
    uint64_t compared{0};
    uint64_t sameTime{0};
    uint64_t checkpointsCompared{0};
    uint64_t lag{0};        //!< frames that the primary was ahead by at the end of a comparison
    std::string difference; //!< the first

    TwinWatch(PairWorld& world, uint32_t stampDifferenceMax)
        : m_stampDifferenceMax(stampDifferenceMax)
    {
        world.OnFrame([this](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
            auto tcp = Tcp::Parse(bytes);
            if (tap == Tap::TO_PRIMARY && tcp && tcp->flags & Tcp::SYN)
            {
                m_synAt = Simulator::Now();
                Stop();
            }
            if (m_isOn && (tap == Tap::FROM_PRIMARY || tap == Tap::FROM_SECONDARY))
            {
                m_sent[tap == Tap::FROM_SECONDARY].emplace_back(Simulator::Now(), bytes);
                Compare();
            }
        });
        world.OnCheckpoint([this](const ColoCheckpoint&) {
            Stop();
            m_isOn = m_synAt != Simulator::Now(); // else one came in the pause
            m_isFirst = true;
        });
        world.servers[1]->TraceConnectWithoutContext(
            "Diverged",
            Callback<void, uint32_t, uint32_t>([this](uint32_t, uint32_t) { Stop(); }));
        world.pair.primary.guest->TraceConnectWithoutContext("Paused",
                                                             Callback<void>([this] { Stop(); }));
    }

    void Stop()
    {
        lag = std::max<uint64_t>(lag, m_isOn ? m_sent[0].size() : 0);
        m_isOn = false;
        m_sent[0].clear();
        m_sent[1].clear();
    }

  private:
    bool IsSame(const Bytes& a, const Bytes& b) const
    {
        auto tcp = Tcp::Parse(a);
        if (a == b || !tcp || !tcp->stamp || a.size() != b.size() || !m_stampDifferenceMax)
        {
            return a == b;
        }
        // The stamp counts milliseconds, one of which may have begun on the way to the secondary;
        // the checksum covers it.
        Bytes same = b;
        std::copy_n(a.begin() + tcp->stamp, 4, same.begin() + tcp->stamp);
        std::copy_n(a.begin() + 14 + 20 + 16, 2, same.begin() + 14 + 20 + 16);
        const uint32_t later = StampOf(b, tcp->stamp) - StampOf(a, tcp->stamp);
        return same == a && later <= m_stampDifferenceMax;
    }

    static uint32_t StampOf(const Bytes& frame, std::size_t at)
    {
        return uint32_t(frame[at]) << 24 | frame[at + 1] << 16 | frame[at + 2] << 8 | frame[at + 3];
    }

    void Compare()
    {
        while (!m_sent[0].empty() && !m_sent[1].empty())
        {
            const auto& [pTime, p] = m_sent[0].front();
            const auto& [sTime, s] = m_sent[1].front();
            compared++;
            checkpointsCompared += m_isFirst;
            m_isFirst = false;
            sameTime += pTime == sTime;
            if (!IsSame(p, s) && difference.empty())
            {
                std::ostringstream text;
                text << "frame " << compared << ", " << pTime.As(Time::MS) << " and "
                     << sTime.As(Time::MS) << ": " << p.size() << " and " << s.size() << " bytes";
                for (std::size_t i = 0; i < std::min(p.size(), s.size()); i++)
                {
                    if (p[i] != s[i])
                    {
                        text << ", " << i << ": " << +p[i] << " " << +s[i];
                    }
                }
                difference = text.str();
            }
            m_sent[0].pop_front();
            m_sent[1].pop_front();
        }
    }

    uint32_t m_stampDifferenceMax;
    Time m_synAt;
    bool m_isOn{false};
    bool m_isFirst{false};
    std::deque<std::pair<Time, Bytes>> m_sent[2];
};

void
RequestCheckpoints(PairWorld& world, int count, Time until)
{
    auto random = CreateObject<UniformRandomVariable>();
    random->SetStream(9999);
    for (int i = 0; i < count; i++)
    {
        const double when = random->GetValue(0.008, until.GetSeconds());
        world.RequestCheckpointAt(Seconds(when));
    }
}

} // namespace

BOOST_DATA_TEST_CASE(guests_choose_isns_of_their_own_and_the_client_sees_the_primarys,
                     bdata::xrange(1, 6),
                     seed)
{
    PairOptions options;
    options.seed = seed;
    options.dialogue = RequestResponse(20, 10, 3000);
    PairWorld world(options);
    IsnWatch watch(world);
    std::set<uint32_t> toClient;
    std::set<uint32_t> fromSecondary;
    world.OnFrame([&](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
        auto tcp = Tcp::Parse(bytes);
        if (tcp && tap == Tap::TO_CLIENT)
        {
            toClient.insert(tcp->seq);
        }
        if (tcp && tap == Tap::FROM_SECONDARY)
        {
            fromSecondary.insert(tcp->seq);
        }
    });
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(watch.seen[Tap::FROM_PRIMARY].size() == 10);
    BOOST_TEST(watch.seen[Tap::FROM_SECONDARY].size() == 10);
    BOOST_TEST((watch.seen[Tap::TO_CLIENT] == watch.seen[Tap::FROM_PRIMARY]));
    for (const auto& [port, isn] : watch.seen[Tap::FROM_PRIMARY])
    {
        BOOST_TEST(isn != watch.seen[Tap::FROM_SECONDARY][port]);
    }
    for (uint32_t seq : toClient)
    {
        BOOST_TEST(fromSecondary.count(seq) == 0);
    }
    static std::set<uint32_t> isnsOfAllRuns;
    for (const auto& isns : {watch.seen[Tap::FROM_PRIMARY], watch.seen[Tap::FROM_SECONDARY]})
    {
        for (const auto& [port, isn] : isns)
        {
            BOOST_TEST(isnsOfAllRuns.insert(isn).second, "seed " << seed << " repeats an ISN");
        }
    }
}

// What reaches both guests at the same time lets both send the same, to the byte and nanosecond.
BOOST_DATA_TEST_CASE(secondary_sends_the_primarys_bytes_after_a_checkpoint,
                     bdata::xrange(1, 5) * bdata::make({0.0, 0.01}),
                     seed,
                     loss)
{
    PairOptions options;
    options.seed = seed;
    options.lag = Time();
    options.isSecDevInstant = true;
    options.clientLoss = loss;
    options.dialogue = LongTalk(4, 6, 60000, 90000);
    PairWorld world(options);
    TwinWatch watch(world, 0);
    RequestCheckpoints(world, 12, MilliSeconds(80));
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(watch.difference == "", "seed " << seed << ": " << watch.difference);
    BOOST_TEST(watch.sameTime == watch.compared);
    BOOST_TEST(watch.lag == 0);
    BOOST_TEST(watch.compared > 300);
    BOOST_TEST(watch.checkpointsCompared >= 2);
    BOOST_TEST_MESSAGE(watch.compared << " frames after " << watch.checkpointsCompared);
}

// Over a link the secondary hears all a little later, so its stamps may be of the next millisecond.
// One connection: of several, a timer of one may come before or after a frame of another.
BOOST_DATA_TEST_CASE(secondary_sends_the_primarys_bytes_after_a_checkpoint_over_a_link,
                     bdata::xrange(1, 7),
                     seed)
{
    PairOptions options;
    options.seed = seed;
    options.lag = Time();
    options.dialogue = LongTalk(1, 16, 60000, 90000);
    PairWorld world(options);
    TwinWatch watch(world, 1);
    RequestCheckpoints(world, 12, MilliSeconds(80));
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(watch.difference == "", "seed " << seed << ": " << watch.difference);
    BOOST_TEST(watch.compared > 300);
}

BOOST_DATA_TEST_CASE(secondary_sends_the_primarys_bytes_after_a_mismatch, bdata::xrange(1, 5), seed)
{
    PairOptions options;
    options.seed = seed;
    options.lag = Time();
    options.isSecDevInstant = true;
    options.divergence = 0.1;
    options.clientLoss = 0.002;
    options.dialogue = LongTalk(3, 20, 2000, 20000);
    PairWorld world(options);
    TwinWatch watch(world, 0);
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.CountMismatches() > 0);
    BOOST_TEST(watch.difference == "", "seed " << seed << ": " << watch.difference);
    BOOST_TEST(watch.compared > 100);
}

BOOST_DATA_TEST_CASE(agreeing_guests_need_no_checkpoint_at_any_lag,
                     bdata::make({0, 1, 20, 300, 1500}) * bdata::make({1, 2}),
                     lagMs,
                     seed)
{
    PairOptions options;
    options.seed = seed;
    options.lag = MilliSeconds(lagMs);
    options.dialogue = LongTalk(3, 3, 5000, 20000);
    PairWorld world(options);
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.CountMismatches() == 0);
    BOOST_TEST(world.pair.primaryProxy->GetNode().epoch == 0);
}

// Its ephemeral ports are the same on both guests, its ISNs are not.
BOOST_DATA_TEST_CASE(the_guest_opens_connections_of_its_own,
                     bdata::make({0, 1, 20}) * bdata::make({0.0, 0.3}) * bdata::xrange(1, 4),
                     lagMs,
                     divergence,
                     seed)
{
    auto dialogue = std::make_shared<ColoDialogue>(*LongTalk(2, 3, 2000, 20000));
    for (uint16_t i = 0; i < 8; i++)
    {
        ColoConversation question;
        question.opener = ColoOpener::GUEST;
        question.serverPort = 5000 + i;
        question.start = MilliSeconds(7 * i);
        question.turns = {{true, 300, Time()}, {false, 9000, MilliSeconds(3)}, {true, 20, Time()}};
        question.closer = i % 2 ? ColoCloser::CLIENT : ColoCloser::SERVER;
        if (i >= 4)
        {
            question.after = dialogue->conversations.size() - 4;
        }
        dialogue->conversations.push_back(question);
    }
    PairOptions options;
    options.seed = seed;
    options.lag = MilliSeconds(lagMs);
    options.divergence = divergence;
    options.clientLoss = seed == 3 ? 0.01 : 0;
    options.dialogue = dialogue;
    PairWorld world(options);
    world.Run();
    BOOST_TEST(world.IsRight(), "seed " << seed);
    BOOST_TEST((world.CountMismatches() > 0) == (divergence > 0), "seed " << seed);
}

BOOST_AUTO_TEST_CASE(mismatches_follow_the_divergence)
{
    const double p = 0.15;
    const int perRun = 150;
    int mismatches = 0;
    int responses = 0;
    for (uint32_t seed = 1; seed <= 4; seed++)
    {
        PairOptions options;
        options.seed = seed;
        options.divergence = p;
        options.dialogue = RequestResponse(perRun, 1, 1000);
        PairWorld world(options);
        world.Run();
        BOOST_TEST(world.IsRight(), "seed " << seed);
        BOOST_TEST(world.CountMismatches() == world.servers[1]->GetTurnsDiverged());
        BOOST_TEST(world.pair.primaryProxy->GetNode().epoch == world.CountMismatches());
        mismatches += world.CountMismatches();
        responses += perRun;
    }
    const double deviation = std::sqrt(responses * p * (1 - p));
    BOOST_TEST(std::abs(mismatches - responses * p) < 4 * deviation, mismatches << " mismatches");
}

// Rule output-commit, from outside: what the client sees, the secondary could go on from.
BOOST_DATA_TEST_CASE(client_sees_nothing_that_the_secondary_could_not_go_on_from,
                     bdata::xrange(1, 5) * bdata::make({0, 5, 40}) * bdata::make({0.0, 0.02}),
                     seed,
                     lagMs,
                     loss)
{
    PairOptions options;
    options.seed = seed;
    options.lag = MilliSeconds(lagMs);
    options.divergence = seed % 2 ? 0.1 : 0;
    options.clientLoss = loss;
    options.secDevLoss = loss / 2;
    options.secDevJitter = seed > 2 ? MicroSeconds(100) : Time();
    options.dialogue = LongTalk(3, 5, 8000, 20000);
    options.configure = [&](ColoHelper& helper) {
        helper.SetPrimaryProxyAttribute("AckPolicy", StringValue(seed == 4 ? "Clamp" : "Hold"));
        helper.SetPrimaryProxyAttribute("CompareTimeout", TimeValue(MilliSeconds(500)));
    };
    PairWorld world(options);
    OutputCommitOracle oracle(world);
    world.Run();
    BOOST_TEST(world.IsRight(), "seed " << seed);
    BOOST_TEST(oracle.violation == "", "seed " << seed << ": " << oracle.violation);
    BOOST_TEST(oracle.bytesChecked >= options.dialogue->GetBytes(true));
    BOOST_TEST(oracle.acksChecked > 50);
}

BOOST_DATA_TEST_CASE(loss_and_reordering_on_sec_dev_cost_time_only, bdata::xrange(1, 6), seed)
{
    PairOptions options;
    options.seed = seed;
    options.secDevLoss = 0.02;
    options.secDevJitter = MicroSeconds(200);
    options.divergence = 0.02;
    options.dialogue = LongTalk(3, 5, 20000, 40000);
    options.configure = [](ColoHelper& helper) {
        helper.SetPrimaryProxyAttribute("CompareTimeout", TimeValue(MilliSeconds(500)));
    };
    PairWorld world(options);
    world.Run();
    BOOST_TEST(world.IsRight(), "seed " << seed);
}

BOOST_AUTO_TEST_CASE(reordering_alone_is_no_mismatch)
{
    PairOptions options;
    options.secDevJitter = MicroSeconds(300);
    options.dialogue = LongTalk(3, 5, 20000, 40000);
    PairWorld world(options);
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.CountMismatches() == 0);
}

BOOST_AUTO_TEST_CASE(same_seed_same_frames_at_the_same_times)
{
    auto run = [](uint32_t seed) {
        PairOptions options;
        options.seed = seed;
        options.divergence = 0.5;
        options.clientLoss = 0.01;
        options.secDevLoss = 0.01;
        options.secDevJitter = MicroSeconds(50);
        options.dialogue = LongTalk(3, 4, 5000, 20000);
        PairWorld world(options);
        uint64_t hash = 14695981039346656037u;
        auto add = [&](uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
        world.OnFrame([&](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
            add(static_cast<uint64_t>(tap));
            add(Simulator::Now().GetNanoSeconds());
            std::for_each(bytes.begin(), bytes.end(), add);
        });
        world.Run();
        BOOST_TEST(world.IsRight(), "seed " << seed);
        BOOST_TEST(world.pair.primaryProxy->GetNode().epoch > 0);
        return hash;
    };
    const uint64_t first = run(1);
    const uint64_t other = run(2);
    BOOST_TEST(run(1) == first);
    BOOST_TEST(other != first);
}

BOOST_AUTO_TEST_CASE(unprotected_guest_serves_the_client_alone)
{
    PairOptions options;
    options.isProtected = false;
    options.dialogue = LongTalk(3, 3, 5000, 20000);
    PairWorld world(options);
    std::map<Tap, int> frames;
    world.OnFrame([&](Tap tap, const Bytes&, Ptr<const Packet>) { frames[tap]++; });
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(!world.pair.primaryProxy);
    BOOST_TEST(!world.pair.secondaryProxy);
    BOOST_TEST(!world.pair.checkpointer);
    BOOST_TEST(!world.pair.secondary.node);
    BOOST_TEST(frames[Tap::FROM_PRIMARY] == frames[Tap::TO_CLIENT]);
    BOOST_TEST(frames[Tap::FROM_CLIENT] == frames[Tap::TO_PRIMARY]);
}

// Rule neighbour: the secondary, too, must learn the client's address before it can answer.
BOOST_AUTO_TEST_CASE(secondary_asks_for_the_clients_address_itself)
{
    PairOptions options;
    options.dialogue = RequestResponse(1, 1, 100);
    PairWorld world(options);
    std::map<Tap, int> requests;
    std::map<Tap, int> answers;
    std::optional<Time> firstResponse;
    world.OnFrame([&](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
        const bool isArp = bytes[12] == 8 && bytes[13] == 6;
        requests[tap] += isArp && bytes[21] == 1;
        answers[tap] += isArp && bytes[21] == 2;
        auto tcp = Tcp::Parse(bytes);
        if (tap == Tap::TO_CLIENT && tcp && !tcp->payload.empty() && !firstResponse)
        {
            firstResponse = Simulator::Now();
        }
    });
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(requests[Tap::FROM_SECONDARY] == 1);
    BOOST_TEST(requests[Tap::TO_CLIENT] == requests[Tap::FROM_PRIMARY] + 1);
    BOOST_TEST(answers[Tap::TO_SECONDARY] >= 1);
    BOOST_TEST(answers[Tap::TO_CLIENT] == answers[Tap::FROM_PRIMARY], "S's answers go nowhere");
    BOOST_REQUIRE(firstResponse.has_value());
    BOOST_TEST(firstResponse->GetMilliSeconds() < 10);
}
