/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What the model promises, for the test.py of an ns-3 tree: ./test.py -s colo. The suites of
 * Boost.Test, which the standalone build runs, are the whole of it.
 */
#include "colo-scenario-options.h"
#include "colo-world.h"

#include "ns3/test.h"

#include <memory>
#include <string>
#include <vector>

using namespace ns3;

namespace
{

using Words = std::vector<std::string>;

/** \param words options of colo-scenario. \return what the run came to. */
ColoRunResult
Simulate(Words words)
{
    words.insert(words.begin(), "colo");
    std::vector<char*> argv;
    for (std::string& word : words)
    {
        argv.push_back(word.data());
    }
    const auto options = ParseColoScenarioOptions(argv.size(), argv.data()).value();
    auto dialogue = std::make_shared<const ColoDialogue>(MakeColoDialogue(options));
    return RunColoWorld(options, std::move(dialogue), options.protection, {});
}

/** A client that must get the right bytes to the end, and how many checkpoints that may take. */
class ColoClientTestCase : public TestCase
{
  public:
    ColoClientTestCase(const std::string& name, Words words, bool hasCheckpoints)
        : TestCase(name),
          m_words(std::move(words)),
          m_hasCheckpoints(hasCheckpoints)
    {
    }

  private:
    void DoRun() override
    {
        const ColoRunResult result = Simulate(m_words);
        NS_TEST_ASSERT_MSG_EQ(result.isFinished, true, result.unfinished);
        NS_TEST_ASSERT_MSG_EQ(result.clientDataErrors, 0, "wrong bytes");
        NS_TEST_ASSERT_MSG_EQ(result.clientResets, 0, "a connection was reset");
        const ColoPairResult& pair = result.pairs.front();
        NS_TEST_ASSERT_MSG_EQ(pair.checkpoints.empty(), !m_hasCheckpoints, "checkpoints");
        NS_TEST_ASSERT_MSG_EQ(pair.mismatches.empty(), !m_hasCheckpoints, "mismatches");
    }

    const Words m_words;
    const bool m_hasCheckpoints;
};

/** The primary host dies in the middle: the secondary goes on, and no client notices. */
class ColoFailoverTestCase : public TestCase
{
  public:
    ColoFailoverTestCase()
        : TestCase("a host dies, the clients go on")
    {
    }

  private:
    void DoRun() override
    {
        const ColoRunResult result = Simulate({"--workload=chat",
                                               "--requests=400",
                                               "--divergence=0.01",
                                               "--fail=kill-primary@200ms"});
        NS_TEST_ASSERT_MSG_EQ(result.isFinished, true, result.unfinished);
        NS_TEST_ASSERT_MSG_EQ(result.clientDataErrors, 0, "wrong bytes");
        NS_TEST_ASSERT_MSG_EQ(result.clientResets, 0, "a connection was reset");
        bool isAlone = false;
        for (const ColoFailoverStep& step : result.pairs.front().failover)
        {
            NS_TEST_ASSERT_MSG_EQ(step.host, "secondary", "the dead host took part");
            isAlone = isAlone || step.step == "alone" || step.step == "take-over";
        }
        NS_TEST_ASSERT_MSG_EQ(isAlone, true, "nobody took over");
    }
};

/** The same seed gives the same run, another one another. */
class ColoSeedTestCase : public TestCase
{
  public:
    ColoSeedTestCase()
        : TestCase("a seed makes a run repeatable")
    {
    }

  private:
    void DoRun() override
    {
        const auto run = [](const char* seed) {
            return Simulate({"--workload=transactions", "--requests=300", seed});
        };
        const ColoRunResult first = run("--seed=7");
        const ColoRunResult again = run("--seed=7");
        const ColoRunResult other = run("--seed=8");
        NS_TEST_ASSERT_MSG_EQ(first.events, again.events, "events");
        NS_TEST_ASSERT_MSG_EQ((first.latencyMs == again.latencyMs), true, "latencies");
        NS_TEST_ASSERT_MSG_EQ((first.latencyMs == other.latencyMs), false, "of different seeds");
    }
};

class ColoTestSuite : public TestSuite
{
  public:
    ColoTestSuite()
        : TestSuite("colo", TestSuite::Type::UNIT)
    {
        for (const char* ip : {"--ip=4", "--ip=6"})
        {
            AddTestCase(
                new ColoClientTestCase(std::string("equal guests agree, ") + ip,
                                       {"--workload=request-response", "--divergence=0", ip},
                                       false));
            AddTestCase(
                new ColoClientTestCase(std::string("others are checkpointed, ") + ip,
                                       {"--workload=request-response", "--divergence=0.05", ip},
                                       true));
        }
        AddTestCase(new ColoClientTestCase("guests cut the same bytes differently",
                                           {"--workload=upload",
                                            "--requests=2",
                                            "--divergence=0",
                                            "--ns3::ColoGuest::DelAckCount="
                                            "ns3::UniformRandomVariable[Min=1|Max=4]",
                                            "--ns3::ColoSecondaryProxy::LagJitter="
                                            "ns3::UniformRandomVariable[Min=0|Max=0.001]"},
                                           false));
        AddTestCase(new ColoFailoverTestCase);
        AddTestCase(new ColoSeedTestCase);
    }
};

const ColoTestSuite g_coloTestSuite;

} // namespace
