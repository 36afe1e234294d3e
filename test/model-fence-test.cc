/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Rule fail-fence over simulated links: whatever fails, and whenever, the clients go on with right
 * bytes, none is reset, and never do both guests speak.
 */
#define BOOST_TEST_MODULE model_fence

#include "model-failover-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>

namespace bdata = boost::unit_test::data;

namespace
{

const Time LEASE = MilliSeconds(200);
const Time TAKEOVER = MilliSeconds(300); // the default

/** Who speaks to the clients in the end. */
enum class Survivor
{
    PRIMARY,
    SECONDARY,
    BOTH, //!< the pair is still one
};

struct FaultKind
{
    std::string name;
    std::function<void(const ColoTestbed&)> happen;
    Survivor survivor;
};

FaultKind
Kill(bool isPrimary)
{
    return {isPrimary ? "the primary host dies" : "the secondary host dies",
            [isPrimary](const ColoTestbed& testbed) { testbed.KillHost(isPrimary); },
            isPrimary ? Survivor::SECONDARY : Survivor::PRIMARY};
}

FaultKind
Hang(bool isPrimary, Time duration, Survivor survivor)
{
    return {std::string(isPrimary ? "the primary" : "the secondary") + " host hangs for " +
                std::to_string(duration.GetMilliSeconds()) + " ms",
            [=](const ColoTestbed& testbed) { testbed.HangHost(isPrimary, duration); },
            survivor};
}

FaultKind
Cut(const std::string& link, Survivor survivor)
{
    return {link + " is cut", [=](const ColoTestbed& testbed) { testbed.CutLink(link); }, survivor};
}

const FaultKind FAULTS[] = {Hang(true, MilliSeconds(900), Survivor::SECONDARY),
                            Cut("eth2", Survivor::PRIMARY),
                            Hang(false, MilliSeconds(900), Survivor::PRIMARY),
                            Cut("sec_dev", Survivor::PRIMARY),
                            Hang(true, MilliSeconds(100), Survivor::BOTH),
                            Cut("eth0-primary", Survivor::SECONDARY),
                            Hang(false, MilliSeconds(100), Survivor::BOTH),
                            Cut("eth0-secondary", Survivor::BOTH),
                            Cut("arbiter", Survivor::BOTH)};

/** At which of a host's actions a fault strikes, if it is to be inside a checkpoint. */
struct Step
{
    bool isPrimary;
    uint32_t action;
};

const Step STEPS[] = {{true, COLO_ACTION_PAUSE},
                      {false, COLO_ACTION_PAUSE},
                      {false, COLO_ACTION_SEND_REPLY},
                      {true, COLO_ACTION_SEND_STATE},
                      {false, COLO_ACTION_SEND_RECEIVED},
                      {false, COLO_ACTION_LOAD},
                      {false, COLO_ACTION_SEND_LOADED}};

/** All that a seed decides. */
struct Plan
{
    explicit Plan(uint32_t seed)
        : seed(seed),
          random(seed)
    {
        traffic = static_cast<Traffic>(Below(3));
        isIpv6 = Below(2);
        isInCheckpoint = Below(2);
        const double differs = traffic == Traffic::REQUESTS ? 0.2 : 0.9; // of few, long turns
        divergence = isInCheckpoint || Below(2) ? differs : 0;
        step = STEPS[Below(std::size(STEPS))];
        // In most steps of a checkpoint something happens within 5 ms.
        time = isInCheckpoint ? MicroSeconds(Below(5000)) : MicroSeconds(1100 + Below(40000));
    }

    uint32_t Below(uint32_t limit)
    {
        return static_cast<uint32_t>(random() % limit);
    }

    std::string Describe(const FaultKind& fault) const
    {
        return "seed " + std::to_string(seed) + ": " + fault.name + ", " +
               std::to_string(time.GetMicroSeconds()) + " us " +
               (isInCheckpoint ? "after action " + std::to_string(step.action) : "after the start");
    }

    uint32_t seed;
    std::mt19937 random;
    Traffic traffic;
    bool isIpv6;
    bool isInCheckpoint;
    double divergence;
    Step step;
    Time time;
};

void
Survive(uint32_t seed, const FaultKind& fault)
{
    const Plan plan(seed);
    const std::string what = plan.Describe(fault);
    FailoverWorld world(plan.traffic, plan.isIpv6, plan.divergence, seed, LEASE);
    const auto happen = [&] { fault.happen(*world.testbed); };
    if (plan.isInCheckpoint)
    {
        Ptr<ColoProxy> proxy = world.GetPair().secondaryProxy;
        if (plan.step.isPrimary)
        {
            proxy = world.GetPair().primaryProxy;
        }
        world.DoOn(proxy, plan.step.action, plan.time, happen);
    }
    else
    {
        world.DoAt(plan.time, happen);
    }
    world.Run();
    BOOST_TEST(world.wasBusy, what << ": nothing was left to do");
    BOOST_TEST(world.IsRight(), what << ":" << world.GetWrong());
    BOOST_TEST(world.spokenAfterTheOther == 0, what << ": both guests spoke");
    const bool isTakenOver = fault.survivor == Survivor::SECONDARY;
    BOOST_TEST(world.takeOvers == isTakenOver, what << ": " << world.takeOvers << " takeovers");
    BOOST_TEST(world.spoke[false].IsZero() != isTakenOver, what);
    const colo_node_mode mode = world.GetPair().primaryProxy->GetNode().mode;
    if (fault.survivor == Survivor::BOTH)
    {
        BOOST_TEST(mode == COLO_MODE_PROTECTED, what << ": the pair is no more");
    }
    if (fault.survivor == Survivor::PRIMARY)
    {
        BOOST_TEST(mode == COLO_MODE_ALONE, what << ": the primary does not speak alone");
    }
}

} // namespace

BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_primary_dies, bdata::xrange(1, 51), seed)
{
    Survive(seed, Kill(true));
}

BOOST_DATA_TEST_CASE(clients_do_not_notice_a_hang_or_a_cut_link, bdata::xrange(1, 91), seed)
{
    Survive(seed, FAULTS[seed % std::size(FAULTS)]);
}

BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_secondary_dies, bdata::xrange(1, 11), seed)
{
    Survive(seed, Kill(false));
}
