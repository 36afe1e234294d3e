/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Many connections at once, through one pair: what the simulation costs, and what clients feel.
 */
#include "colo-example.h"
#include "colo-players.h"

#include "ns3/colo-testbed.h"
#include "ns3/colo-workload.h"
#include "ns3/config.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <algorithm>
#include <ctime>

using namespace ns3;

namespace
{

int
Run(uint32_t connections, uint32_t clients, uint32_t seed)
{
    ColoTestbed::SetDefaults(seed, false);
    // All of them say something at once; with shorter queues most of that is lost at first.
    Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue("100000p"));

    ColoTestbedOptions options;
    options.clients = clients;
    ColoTestbed testbed(options);
    testbed.AssignStreams(0);

    ColoWorkloadOptions shape;
    shape.clients = clients;
    shape.connections = connections;
    shape.requests = 2 * connections;
    shape.responseBytes = 1000;
    auto dialogue =
        std::make_shared<const ColoDialogue>(ColoMakeWorkload("request-response", shape));

    std::vector<double> latencyMs;
    bool isFinished = false;
    ColoPlayers players(
        testbed,
        0,
        dialogue,
        MilliSeconds(1),
        [&](Time latency) { latencyMs.push_back(latency.ToDouble(Time::MS)); },
        [&] {
            isFinished = true;
            Simulator::Stop();
        });
    Simulator::Stop(Hours(1));
    const std::clock_t begin = std::clock();
    Simulator::Run();
    const double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;

    std::sort(latencyMs.begin(), latencyMs.end());
    const auto percentile = [&](double share) {
        return latencyMs.empty() ? 0 : latencyMs[share * (latencyMs.size() - 1)];
    };
    const colo_node_stats& stats = testbed.GetPairs().front().primaryProxy->GetNode().stats;
    fmt::print("connections {}, clients {}\n", connections, clients);
    fmt::print("simulated   {:.3f} s, which took {:.2f} s of CPU\n",
               Simulator::Now().ToDouble(Time::S),
               seconds);
    fmt::print("released    {} packets, {} bytes\n", stats.released_packets, stats.released_bytes);
    fmt::print("latency     {:.3f} ms median, {:.3f} ms for 99 of 100, {:.3f} ms at most\n",
               percentile(0.5),
               percentile(0.99),
               percentile(1));
    const ColoPlayers::Counts counts = players.Count();
    Simulator::Destroy();
    return isFinished && !counts.resets && !counts.wrong ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
Main(int argc, char* argv[])
{
    const auto options =
        ColoReadExampleOptions(argc,
                               argv,
                               "Requests on many connections at once, through one pair.",
                               {{"connections", "10000", "at once, 1 to 40000", 1, 40000},
                                {"clients", "10", "who share them, 1 to 1000", 1, 1000}});
    const uint32_t clients = std::min(options.at("clients"), options.at("connections"));
    return Run(options.at("connections"), clients, options.at("seed"));
}

} // namespace

int
main(int argc, char* argv[])
{
    return ColoRunExample("many-connections", [&] { return Main(argc, argv); });
}
