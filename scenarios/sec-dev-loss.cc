/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What losses on the forwarding link cost: downloads and uploads by one pair, once for each share
 * of lost frames. Nothing is corrupted, but what the secondary lacks or repeats is waited for.
 */
#include "colo-example.h"
#include "colo-players.h"

#include "ns3/colo-testbed.h"
#include "ns3/colo-workload.h"
#include "ns3/simulator.h"

using namespace ns3;

namespace
{

/** \return whether the clients got all that they should. */
bool
Run(double loss, uint64_t requests, uint32_t seed)
{
    ColoTestbed::SetDefaults(seed, false);

    ColoTestbedOptions options;
    options.secDev.loss = loss;
    ColoTestbed testbed(options);
    testbed.AssignStreams(0);

    ColoWorkloadOptions shape;
    shape.requests = requests;
    auto dialogue =
        std::make_shared<const ColoDialogue>(ColoMakeWorkload("mixed:download=1,upload=1", shape));

    Time finished;
    ColoPlayers players(
        testbed,
        0,
        dialogue,
        MilliSeconds(1),
        [](Time) {},
        [&] {
            finished = Simulator::Now();
            Simulator::Stop();
        });
    Simulator::Stop(Hours(1));
    Simulator::Run();

    const colo_node_stats& stats = testbed.GetPairs().front().primaryProxy->GetNode().stats;
    std::string reasons;
    for (int reason = 0; reason < COLO_REASON_COUNT; reason++)
    {
        if (stats.mismatches[reason])
        {
            reasons += fmt::format("  {} {}",
                                   colo_reason_name(static_cast<colo_reason>(reason)),
                                   stats.mismatches[reason]);
        }
    }
    const ColoPlayers::Counts counts = players.Count();
    fmt::print("{:>6.1f} {:>9.2f} {:>12} {:>7} {:>7}{}\n",
               loss * 100,
               finished.ToDouble(Time::S),
               testbed.GetPairs().front().primaryProxy->GetNode().epoch,
               counts.resets,
               counts.wrong,
               reasons);
    Simulator::Destroy();
    return !counts.resets && !counts.wrong && finished.IsStrictlyPositive();
}

int
Main(int argc, char* argv[])
{
    const auto options = ColoReadExampleOptions(
        argc,
        argv,
        "Downloads and uploads by one pair, for each share of frames lost on sec_dev.",
        {{"requests", "4", "transfers in all, 2 to 1000", 2, 1000}});
    fmt::print("{:>6} {:>9} {:>12} {:>7} {:>7}  {}\n",
               "loss %",
               "seconds",
               "checkpoints",
               "resets",
               "wrong",
               "mismatches");
    bool isWell = true;
    for (const double loss : {0.0, 0.001, 0.005, 0.01, 0.02})
    {
        isWell = Run(loss, options.at("requests"), options.at("seed")) && isWell;
    }
    return isWell ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int
main(int argc, char* argv[])
{
    return ColoRunExample("sec-dev-loss", [&] { return Main(argc, argv); });
}
