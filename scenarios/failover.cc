/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What a failover costs the clients: the primary host dies, hangs or loses its link to them while
 * requests are under way, once for each length of the lease. A short lease notices soon, but takes
 * a host for dead that only was slow; the secondary may not speak before the primary's lease is
 * over.
 */
#include "colo-example.h"
#include "colo-faults.h"
#include "colo-players.h"

#include "ns3/colo-testbed.h"
#include "ns3/colo-workload.h"
#include "ns3/config.h"
#include "ns3/simulator.h"

#include <algorithm>

using namespace ns3;

namespace
{

/** All but the lease is left as it is, and that is half of what the secondary waits. */
void
SetLease(Time lease)
{
    Config::SetDefault("ns3::ColoProxy::Lease", TimeValue(lease));
    Config::SetDefault("ns3::ColoProxy::Takeover", TimeValue(2 * lease));
    Config::SetDefault("ns3::ColoProxy::HeartbeatInterval", TimeValue(lease / 4));
}

/** \return whether the clients got all that they should. */
bool
Run(const std::string& what, Time lease, uint64_t requests, uint32_t seed)
{
    ColoTestbed::SetDefaults(seed, false);
    SetLease(lease);
    ColoTestbed testbed{ColoTestbedOptions()};
    testbed.AssignStreams(0);
    const std::vector<ColoFault> faults = ColoParseFaults(what);
    ColoScheduleFaults(faults, testbed);
    const Time broken = faults.front().at;

    Time takenOver;
    testbed.GetPairs().front().secondaryProxy->TraceConnectWithoutContext(
        "TakeOver",
        Callback<void>([&] { takenOver = Simulator::Now(); }));

    ColoWorkloadOptions shape;
    shape.requests = requests;
    auto dialogue =
        std::make_shared<const ColoDialogue>(ColoMakeWorkload("request-response", shape));
    Time longest;
    Time finished;
    ColoPlayers players(
        testbed,
        0,
        dialogue,
        MilliSeconds(1),
        [&](Time latency) { longest = std::max(longest, latency); },
        [&] {
            finished = Simulator::Now();
            Simulator::Stop();
        });
    Simulator::Stop(Hours(1));
    Simulator::Run();

    const ColoPlayers::Counts counts = players.Count();
    fmt::print("{:<34} {:>8.0f} {:>12} {:>11.1f} {:>7} {:>7}\n",
               what,
               lease.ToDouble(Time::MS),
               takenOver.IsZero() ? "never"
                                  : fmt::format("{:.1f}", (takenOver - broken).ToDouble(Time::MS)),
               longest.ToDouble(Time::MS),
               counts.resets,
               counts.wrong);
    Simulator::Destroy();
    return !counts.resets && !counts.wrong && finished.IsStrictlyPositive();
}

int
Main(int argc, char* argv[])
{
    const auto options = ColoReadExampleOptions(
        argc,
        argv,
        "What a failover costs the clients, by what happens to the primary host and by its lease.",
        {{"requests", "2000", "in all, 500 to 1000000", 500, 1000000}});
    fmt::print("{:<34} {:>8} {:>12} {:>11} {:>7} {:>7}\n",
               "fault",
               "lease ms",
               "takeover ms",
               "longest ms",
               "resets",
               "wrong");
    bool isWell = true;
    for (const char* fault :
         {"kill-primary@20ms", "hang-primary@20ms+300ms", "cut-eth0-primary@20ms"})
    {
        for (const int64_t lease : {50, 100, 200, 400})
        {
            isWell = Run(fault, MilliSeconds(lease), options.at("requests"), options.at("seed")) &&
                     isWell;
        }
    }
    return isWell ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int
main(int argc, char* argv[])
{
    return ColoRunExample("failover", [&] { return Main(argc, argv); });
}
