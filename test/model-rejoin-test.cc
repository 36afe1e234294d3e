/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A host that was lost comes back as the new secondary, however often and whichever it was: the
// clients go on, and the pair is compared and protected as before.
#define BOOST_TEST_MODULE model_rejoin

#include "colo-divergence.h"
#include "colo-testbed.h"
#include "model-pair-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <random>
#include <utility>

namespace bdata = boost::unit_test::data;

namespace
{

constexpr uint32_t CLIENTS = 2;

const Time SETTLING = MilliSeconds(200);
/** From a death to the revival; and until all is as before. */
const Time DOWN = MilliSeconds(150);
const Time CYCLE = DOWN + SETTLING + MilliSeconds(70);

enum class Traffic
{
    REQUESTS,
    UPLOAD,
    DOWNLOAD
};

/** So long that it goes on until several hosts have died and come back. */
std::shared_ptr<const ColoDialogue>
MakeDialogue(Traffic traffic, uint16_t port, uint32_t length)
{
    ColoDialogue dialogue;
    ColoWorkloadOptions requests;
    switch (traffic)
    {
    case Traffic::REQUESTS:
        requests.requests = 80 * length;
        requests.connections = 4;
        requests.requestsPerConnection = 5;
        requests.responseBytes = 3000;
        requests.thinkTime = MilliSeconds(10);
        dialogue = ColoMakeWorkload("request-response", requests);
        break;
    case Traffic::UPLOAD:
        dialogue = *LongTalk(2, 2 * length, 60000, 100);
        break;
    case Traffic::DOWNLOAD:
        dialogue = *LongTalk(2, 2 * length, 100, 60000);
        break;
    }
    for (auto& conversation : dialogue.conversations)
    {
        conversation.serverPort = port;
    }
    return std::make_shared<ColoDialogue>(dialogue);
}

struct Options
{
    Traffic traffic{Traffic::REQUESTS};
    bool isIpv6{false};
    double divergence{0};
    uint32_t seed{1};
    uint32_t length{4};
};

/** Whether on the primary's host, and what its core wants done: COLO_ACTION_*. */
using Step = std::pair<bool, uint32_t>;

/** Of a join, in order. */
const Step STEPS[] = {{true, COLO_ACTION_PAUSE},
                      {false, COLO_ACTION_PAUSE},
                      {false, COLO_ACTION_SEND_REPLY},
                      {true, COLO_ACTION_SEND_STATE},
                      {false, COLO_ACTION_SEND_RECEIVED},
                      {false, COLO_ACTION_LOAD},
                      {false, COLO_ACTION_SEND_LOADED}};

/** Two clients and a pair whose hosts come and go. */
class RejoinWorld
{
  public:
    explicit RejoinWorld(const Options& options)
        : m_options(options)
    {
        ColoTestbed::SetDefaults(options.seed, options.isIpv6);
        Config::SetDefault("ns3::ColoProxy::Lease", TimeValue(MilliSeconds(40)));
        Config::SetDefault("ns3::ColoProxy::Takeover", TimeValue(MilliSeconds(60)));
        Config::SetDefault("ns3::ColoProxy::HeartbeatInterval", TimeValue(MilliSeconds(10)));
        Config::SetDefault("ns3::ColoMemory::Size", UintegerValue(16 << 20));
        Config::SetDefault("ns3::ColoRejoin::Timeout", TimeValue(MilliSeconds(50)));
        Config::SetDefault("ns3::ColoRejoin::Settling", TimeValue(SETTLING));
        Config::SetDefault("ns3::ColoRejoin::RetryInterval", TimeValue(MilliSeconds(100)));
        ColoTestbedOptions testbedOptions;
        testbedOptions.clients = CLIENTS;
        testbedOptions.isIpv6 = options.isIpv6;
        testbedOptions.lan.rate = DataRate("5Mbps");
        testbed = std::make_unique<ColoTestbed>(testbedOptions);
        testbed->AssignStreams(0);
        for (uint32_t i = 0; i < CLIENTS; i++)
        {
            m_dialogues.push_back(MakeDialogue(options.traffic, 80 + i, options.length));
            AddServer(i, GetPair().primary);
            AddServer(i, GetPair().secondary);
            AddClient(i);
        }
        Watch();
    }

    ~RejoinWorld()
    {
        m_apps.clear();
        testbed.reset();
        Simulator::Destroy();
    }

    const ColoPair& GetPair() const
    {
        return testbed->GetPairs()[0];
    }

    const colo_node& GetPrimaryNode() const
    {
        return GetPair().primaryProxy->GetNode();
    }

    /** \return whether the host that was primary at first is it now. */
    bool IsFirstPrimary() const
    {
        return GetPair().rejoin->GetProxy(true) == GetPair().primaryProxy;
    }

    /** The host with this role now dies. */
    void Kill(bool isPrimary)
    {
        m_dead = isPrimary == IsFirstPrimary();
        testbed->KillHost(m_dead);
    }

    /** The one that died last comes back. */
    void Revive()
    {
        revived++;
        testbed->ReviveHost(m_dead);
    }

    void At(Time time, std::function<void()> what)
    {
        Simulator::Schedule(time, what);
    }

    /** One dies, comes back, and is protected for a while; from a time on. */
    void DieAndRejoin(Time time, bool isPrimary)
    {
        At(time, [this, isPrimary] {
            busy += !IsFinished();
            Kill(isPrimary);
        });
        At(time + DOWN, [this] { Revive(); });
    }

    /** As soon as the core of a role's host wants this done in a join, and a little later; once. */
    void DoInJoin(Step step, Time later, std::function<void()> what)
    {
        Ptr<ColoProxy> proxy = GetPair().secondaryProxy;
        if (step.first)
        {
            proxy = GetPair().primaryProxy;
        }
        const auto note = [this, action = step.second, later, what](uint32_t actions, uint32_t) {
            if ((actions & action) && revived == 1 && !m_isDone)
            {
                m_isDone = true;
                At(later, what);
            }
        };
        proxy->TraceConnectWithoutContext("Action", Callback<void, uint32_t, uint32_t>(note));
    }

    /** The host that joins dies at a step of that, and comes back. */
    void DieInJoin(Step step, Time later)
    {
        DoInJoin(step, later, [this] {
            Kill(false);
            At(DOWN, [this] { Revive(); });
        });
    }

    /** The checkpoint link is cut at a step of a join, and mended. */
    void CutInJoin(Step step)
    {
        DoInJoin(step, MicroSeconds(10), [this] {
            testbed->CutLink("eth2");
            At(MilliSeconds(120), [this] { testbed->CutLink("eth2", false); });
        });
    }

    /** The primary hangs until the other one has taken over, and is fenced. */
    void FenceAndRejoin(Time time)
    {
        At(time, [this] { testbed->HangHost(true, DOWN); });
        At(time + DOWN + MilliSeconds(50), [this] {
            BOOST_TEST((GetPrimaryNode().mode == COLO_MODE_FENCED));
            testbed->ReviveHost(true);
        });
    }

    bool IsFinished() const
    {
        for (const auto& app : m_apps)
        {
            if (!app->IsFinished())
            {
                return false;
            }
        }
        return true;
    }

    void Run()
    {
        Simulator::Stop(Seconds(20));
        StopWhenFinished();
        Simulator::Run();
    }

    bool IsRight() const
    {
        for (std::size_t i = 0; i < m_apps.size(); i++)
        {
            if (!m_apps[i]->IsFinished() || m_apps[i]->GetDataErrors() || m_apps[i]->GetResets() ||
                m_apps[i]->GetBytesReceived() != m_dialogues[i]->GetBytes(true))
            {
                return false;
            }
        }
        return true;
    }

    std::unique_ptr<ColoTestbed> testbed;
    int busy{0}; //!< times that a host died while something was left to do
    int revived{0};
    int takeOvers{0};
    int rejoined{0};                     //!< times that the pair was one again
    int checkpoints{0};                  //!< since then
    int timeouts{0};                     //!< packets that were held in vain, since then
    std::map<colo_reason, int> released; //!< of the primary's that were held, since then
    std::map<colo_reason, int> mismatches;

  private:
    void StopWhenFinished()
    {
        if (IsFinished())
        {
            Simulator::Stop(CYCLE); // what was begun, comes to an end
            return;
        }
        Simulator::Schedule(MilliSeconds(50), &RejoinWorld::StopWhenFinished, this);
    }

    void AddServer(uint32_t index, const ColoGuestPlace& place)
    {
        auto server = CreateObject<ColoDialogueServer>();
        server->SetDialogue(m_dialogues[index]);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        place.node->GetObject<ColoDivergence>()->SetAttribute("Content",
                                                              DoubleValue(m_options.divergence));
        if (m_options.isIpv6)
        {
            server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
        }
        place.node->AddApplication(server);
        server->SetStartTime(Time());
    }

    void AddClient(uint32_t index)
    {
        auto app = CreateObject<ColoDialogueClient>();
        app->SetDialogue(m_dialogues[index]);
        app->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        app->SetAttribute("AcceptsTokens", BooleanValue(m_options.divergence > 0));
        app->SetAttribute("RemoteAddress", AddressValue(testbed->GetGuestAddress(0)));
        testbed->GetClients()[index]->AddApplication(app);
        app->SetStartTime(MilliSeconds(1) + MicroSeconds(37) * index);
        m_apps.push_back(app);
    }

    void Watch()
    {
        GetPair().secondaryProxy->TraceConnectWithoutContext("TakeOver", Callback<void>([this] {
                                                                 takeOvers++;
                                                             }));
        GetPair().primaryProxy->TraceConnectWithoutContext("Protected", Callback<void>([this] {
                                                               rejoined++;
                                                               checkpoints = 0;
                                                               released.clear();
                                                               mismatches.clear();
                                                           }));
        GetPair().checkpointer->TraceConnectWithoutContext(
            "Checkpoint",
            Callback<void, const ColoCheckpoint&>(
                [this](const ColoCheckpoint&) { checkpoints++; }));
        GetPair().primaryProxy->TraceConnectWithoutContext(
            "Verdict",
            Callback<void, const ColoVerdict&>([this](const ColoVerdict& verdict) {
                if (verdict.event == ColoVerdict::MISMATCH)
                {
                    mismatches[verdict.reason]++;
                }
                if (verdict.event == ColoVerdict::RELEASE && verdict.side == COLO_PRIMARY)
                {
                    released[verdict.reason]++;
                }
            }));
    }

    Options m_options;
    std::vector<std::shared_ptr<const ColoDialogue>> m_dialogues;
    std::vector<Ptr<ColoDialogueClient>> m_apps;
    bool m_dead{false};   //!< whether the host that died last was primary at first
    bool m_isDone{false}; //!< what was to be done in a join
};

const auto TRAFFICS = bdata::make({Traffic::REQUESTS, Traffic::UPLOAD, Traffic::DOWNLOAD});
const auto VERSIONS = bdata::make({false, true});
const auto CONTENTS = bdata::make({0.0, 0.2});
const auto ROLES = bdata::make({true, false});

std::ostream&
operator<<(std::ostream& os, Traffic traffic)
{
    return os << static_cast<int>(traffic);
}

} // namespace

// Case by case: who dies first, and who when both hosts are a pair again.
BOOST_DATA_TEST_CASE(clients_go_on_when_a_host_dies_after_a_rejoin,
                     TRAFFICS* CONTENTS* ROLES* ROLES,
                     traffic,
                     content,
                     isFirst,
                     isSecond)
{
    const bool isIpv6 = (isFirst == isSecond) == (content > 0);
    const uint32_t seed = 1 + 2 * isFirst + isSecond;
    RejoinWorld world({traffic, isIpv6, content, seed, 3});
    const Time first = MicroSeconds(20000 + 1777 * seed + (isIpv6 ? 3571 : 0));
    world.DieAndRejoin(first, isFirst);
    world.DieAndRejoin(first + CYCLE, isSecond);
    world.Run();
    BOOST_TEST(world.busy == 2, "seed " << seed << ": nothing was left to do");
    BOOST_TEST(world.IsRight(), "seed " << seed << ": a client got wrong bytes, or not all");
    BOOST_TEST(world.takeOvers == isFirst + isSecond, "seed " << seed);
    BOOST_TEST(world.rejoined == 2, "seed " << seed);
    BOOST_TEST((world.GetPrimaryNode().mode == COLO_MODE_PROTECTED), "seed " << seed);
}

// Each takeover puts one more stage between the guest and its proxy.
BOOST_DATA_TEST_CASE(any_number_of_hosts_may_die_one_after_the_other, bdata::xrange(1, 7), seed)
{
    std::mt19937 random(seed);
    const auto traffic = static_cast<Traffic>(random() % 3);
    const bool isIpv6 = random() % 2;
    RejoinWorld world({traffic, isIpv6, random() % 2 * 0.2, uint32_t(seed), 7});
    constexpr int DEATHS = 5;
    int takeOvers = 0;
    for (int i = 0; i < DEATHS; i++)
    {
        const bool isPrimary = random() % 4;
        takeOvers += isPrimary;
        world.DieAndRejoin(MilliSeconds(20) + CYCLE * i + MicroSeconds(random() % 40000),
                           isPrimary);
    }
    world.Run();
    BOOST_TEST(world.busy == DEATHS, "seed " << seed << ": nothing was left to do");
    BOOST_TEST(world.IsRight(), "seed " << seed << ": a client got wrong bytes, or not all");
    BOOST_TEST(world.takeOvers == takeOvers, "seed " << seed);
    BOOST_TEST(world.rejoined == DEATHS, "seed " << seed);
}

// What differs is found as before; what does not differ leaves as it matches, and needs nobody.
BOOST_DATA_TEST_CASE(the_comparison_goes_on_after_a_rejoin,
                     TRAFFICS* VERSIONS* CONTENTS* ROLES,
                     traffic,
                     isIpv6,
                     content,
                     isPrimary)
{
    // Of few long turns most have to differ.
    const double divergence = content > 0 && traffic != Traffic::REQUESTS ? 0.9 : content;
    RejoinWorld world({traffic, isIpv6, divergence, 5, 2});
    world.DieAndRejoin(MicroSeconds(21777), isPrimary);
    world.Run();
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.rejoined == 1);
    int mismatches = 0;
    for (const auto& [reason, count] : world.mismatches)
    {
        BOOST_TEST((reason == COLO_MISMATCH_BYTES), colo_reason_text(reason));
        mismatches += count;
    }
    BOOST_TEST((mismatches > 0) == (content > 0));
    BOOST_TEST(world.checkpoints > (content > 0));
    BOOST_TEST(world.checkpoints <= 1 + mismatches);
    BOOST_TEST(world.released[COLO_RELEASE_UNPROTECTED] == 0);
    const int matched = world.released[COLO_RELEASE_MATCHED] + world.released[COLO_RELEASE_ACK];
    BOOST_TEST(matched > 20);
    BOOST_TEST((content > 0 || matched > 10 * world.released[COLO_RELEASE_COMMIT]));
}

// The host that joins dies again, in each step of that; it comes back; then the survivor dies.
BOOST_DATA_TEST_CASE(a_join_that_broke_off_may_be_tried_again,
                     bdata::xrange(std::size(STEPS)) * bdata::make({0, 2500}) * ROLES,
                     step,
                     laterUs,
                     isPrimary)
{
    const bool isIpv6 = step % 2;
    RejoinWorld world({static_cast<Traffic>(step % 3), isIpv6, 0.2, uint32_t(step + 1), 4});
    world.DieAndRejoin(MilliSeconds(30), isPrimary);
    world.DieInJoin(STEPS[step], MicroSeconds(laterUs));
    world.DieAndRejoin(MilliSeconds(30) + 2 * CYCLE + MilliSeconds(200), true);
    world.Run();
    BOOST_TEST(world.revived == 3);
    BOOST_TEST(world.busy == 2);
    BOOST_TEST(world.IsRight(), "step " << step << ", " << laterUs << " us after it");
    BOOST_TEST(world.takeOvers == 1 + isPrimary);
    BOOST_TEST((world.GetPrimaryNode().mode == COLO_MODE_PROTECTED));
}

// Nobody has to ask for it again if both hosts live.
BOOST_DATA_TEST_CASE(a_join_goes_on_when_a_cut_link_is_mended,
                     bdata::xrange(4) * ROLES,
                     step,
                     isPrimary)
{
    RejoinWorld world({static_cast<Traffic>(step % 3), false, 0.2, uint32_t(step + 1), 4});
    world.DieAndRejoin(MilliSeconds(30), isPrimary);
    world.CutInJoin(STEPS[step]);
    world.DieAndRejoin(MilliSeconds(30) + 2 * CYCLE + MilliSeconds(200), true);
    world.Run();
    BOOST_TEST(world.revived == 2);
    BOOST_TEST(world.rejoined == 2);
    BOOST_TEST(world.busy == 2);
    BOOST_TEST(world.IsRight(), "step " << step);
    BOOST_TEST(world.takeOvers == 1 + isPrimary);
}

// It lives, but must not speak any more until it has been a secondary.
BOOST_AUTO_TEST_CASE(a_fenced_host_may_come_back)
{
    RejoinWorld world({Traffic::REQUESTS, false, 0.2, 1, 4});
    world.FenceAndRejoin(MilliSeconds(30));
    world.DieAndRejoin(MilliSeconds(600), true);
    world.Run();
    BOOST_TEST(world.busy == 1);
    BOOST_TEST(world.IsRight());
    BOOST_TEST(world.takeOvers == 2);
    BOOST_TEST(world.rejoined == 2);
}
