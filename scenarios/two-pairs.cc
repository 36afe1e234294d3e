/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Two pairs on the same hosts and links: one diverges and is checkpointed again and again, the
 * other is not, and its clients should hardly notice.
 */
#include "colo-example.h"
#include "colo-players.h"

#include "ns3/colo-divergence.h"
#include "ns3/colo-testbed.h"
#include "ns3/colo-workload.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <numeric>

using namespace ns3;

namespace
{

int
Run(uint64_t requests, uint32_t seed)
{
    ColoTestbed::SetDefaults(seed, false);

    ColoTestbedOptions options;
    options.pairs = 2;
    ColoTestbed testbed(options);
    testbed.AssignStreams(0);
    for (const ColoGuestPlace* guest :
         {&testbed.GetPairs()[1].primary, &testbed.GetPairs()[1].secondary})
    {
        guest->node->GetObject<ColoDivergence>()->SetAttribute("Content", DoubleValue(0.1));
    }

    ColoWorkloadOptions shape;
    shape.requests = requests;
    auto dialogue = std::make_shared<const ColoDialogue>(ColoMakeWorkload("transactions", shape));

    std::vector<double> latencyMs[2];
    int left = 2;
    std::vector<std::unique_ptr<ColoPlayers>> players;
    for (uint32_t pair = 0; pair < 2; pair++)
    {
        players.push_back(std::make_unique<ColoPlayers>(
            testbed,
            pair,
            ColoPlayers::ForPair(dialogue, pair),
            MilliSeconds(1),
            [&latencyMs, pair](Time latency) {
                latencyMs[pair].push_back(latency.ToDouble(Time::MS));
            },
            [&left] {
                if (--left == 0)
                {
                    Simulator::Stop();
                }
            }));
    }
    Simulator::Stop(Hours(1));
    Simulator::Run();

    bool isWell = left == 0;
    fmt::print("{:>4} {:>12} {:>12} {:>16} {:>7} {:>7}\n",
               "pair",
               "checkpoints",
               "answers",
               "latency mean ms",
               "resets",
               "wrong");
    for (uint32_t pair = 0; pair < 2; pair++)
    {
        const ColoPlayers::Counts counts = players[pair]->Count();
        const auto& values = latencyMs[pair];
        fmt::print("{:>4} {:>12} {:>12} {:>16.3f} {:>7} {:>7}\n",
                   pair,
                   testbed.GetPairs()[pair].primaryProxy->GetNode().epoch,
                   counts.requests,
                   std::accumulate(values.begin(), values.end(), 0.0) /
                       std::max<std::size_t>(values.size(), 1),
                   counts.resets,
                   counts.wrong);
        isWell = isWell && !counts.resets && !counts.wrong;
    }
    players.clear();
    Simulator::Destroy();
    return isWell ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
Main(int argc, char* argv[])
{
    const auto options = ColoReadExampleOptions(
        argc,
        argv,
        "Two pairs on the same hosts and links, of which the second one diverges.",
        {{"requests", "200", "transactions of each pair, 1 to 100000", 1, 100000}});
    return Run(options.at("requests"), options.at("seed"));
}

} // namespace

int
main(int argc, char* argv[])
{
    return ColoRunExample("two-pairs", [&] { return Main(argc, argv); });
}
