/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What a pair costs: one packet of the primary, one of the secondary, one release, from raw bytes
// to the released frame. Prints nanoseconds a pair; --help has the options of Google Benchmark,
// --smoke runs every case shortly and fails if one is not right.
#include "colo-bench-world.h"

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <malloc.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

using namespace colo_test;

namespace
{

bool g_hasFailed = false;

void
Fail(benchmark::State& state, const char* what)
{
    g_hasFailed = true;
    state.SkipWithError(what);
}

/** Google Benchmark calls a case several times; establishing its connections takes longer. */
World&
WorldOf(const Case& what)
{
    static std::unique_ptr<World> world;
    static std::string name;
    if (!world || name != what.name)
    {
        world.reset();
        malloc_trim(0);
        world = std::make_unique<World>(what);
        name = what.name;
    }
    return *world;
}

void
RunPairs(benchmark::State& state, const Case& what)
{
    World& world = WorldOf(what);
    world.Begin();
    const benchmark::IterationCount pairs = world.GetPairsMax();
    while (state.KeepRunningBatch(pairs))
    {
        state.PauseTiming();
        for (benchmark::IterationCount i = 0; i < pairs; i++)
        {
            world.Step();
        }
        state.ResumeTiming();
        world.Flush();
    }
    if (!world.Finish())
    {
        Fail(state, "a packet was not released, or something else happened");
    }
}

std::size_t
ResidentBytes()
{
    std::size_t total = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

/** An idle TCP connection, its place in the table included. */
void
MeasureFlow(benchmark::State& state, uint32_t connections)
{
    Case what;
    what.connections = connections;
    for (auto _ : state)
    {
        WorldOf(Case()); // the last case's goes
        const std::size_t resident = ResidentBytes();
        World world(what);
        const double each = double(world.GetConnectionBytes()) / connections;
        state.counters["bytes_per_flow"] = each;
        state.counters["resident_per_flow"] = double(ResidentBytes() - resident) / connections;
        if (each > 256)
        {
            Fail(state, "an idle connection costs more than 256 bytes");
        }
    }
}

/** A held packet besides its frame, which takes whole words. */
void
MeasureHeld(benchmark::State& state, uint32_t payload, uint32_t count)
{
    Case what;
    what.payload = payload;
    what.lag = count;
    for (auto _ : state)
    {
        WorldOf(Case());
        World world(what);
        const std::size_t before = world.GetPoolBytes();
        const std::size_t resident = ResidentBytes();
        world.Begin();
        const double each = double(world.GetPoolBytes() - before) / count;
        const uint32_t frame = (world.GetFrameSize() + 7) / 8 * 8;
        state.counters["bytes_per_held"] = each;
        state.counters["resident_per_held"] = double(ResidentBytes() - resident) / count;
        state.counters["bytes_besides_frame"] = each - frame;
        if (world.GetHeld() != count || each > frame + 128)
        {
            Fail(state, "a held packet costs more than its frame and 128 bytes");
        }
        if (!world.Finish())
        {
            Fail(state, "a packet was not released");
        }
    }
}

std::vector<Case>
MakeCases(bool isSmoke)
{
    std::vector<Case> cases;
    auto add = [&cases](std::string name, const Case& what) {
        cases.push_back(what);
        cases.back().name = std::move(name);
    };
    const std::vector<uint32_t> connections =
        isSmoke ? std::vector<uint32_t>{1, 1000} : std::vector<uint32_t>{1, 1000, 10000, 1000000};
    for (uint32_t payload : {64, 512, 1460})
    {
        for (uint32_t count : connections)
        {
            Case what;
            what.payload = payload;
            what.connections = count;
            add(fmt::format("tcp/payload:{}/connections:{}", payload, count), what);
        }
        Case what;
        what.payload = payload;
        what.cut = 4;
        add(fmt::format("tcp/payload:{}/secondary_cut:4", payload), what);
    }
    for (uint32_t count : {1, 10000})
    {
        for (uint32_t lag : {100, 1000, 100000})
        {
            Case what;
            what.connections = count;
            what.lag = lag;
            add(fmt::format("tcp/payload:64/connections:{}/lag:{}", count, lag), what);
        }
    }
    for (uint32_t block : {10, 100, 1000, 10000})
    {
        Case what;
        what.lag = block; // so that no gap waits for the other side
        what.primaryReversed = block;
        add(fmt::format("tcp/payload:64/primary_reversed:{}", block), what);
        what.primaryReversed = 1;
        what.secondaryReversed = block;
        add(fmt::format("tcp/payload:64/secondary_reversed:{}", block), what);
    }
    Case timestamps;
    timestamps.hasTimestamps = true;
    add("tcp/payload:64/timestamps", timestamps);
    Case udp;
    udp.protocol = COLO_PROTOCOL_UDP;
    add("udp/payload:64", udp);
    for (uint32_t lag : {100, 100000})
    {
        udp.lag = lag;
        udp.isSecondaryAhead = false;
        add(fmt::format("udp/payload:64/secondary_behind:{}", lag), udp);
        udp.isSecondaryAhead = true;
        add(fmt::format("udp/payload:64/secondary_ahead:{}", lag), udp);
    }
    return cases;
}

} // namespace

int
main(int argc, char** argv)
{
    std::vector<char*> args(argv, argv + argc);
    bool isSmoke = false;
    for (auto arg = args.begin(); arg != args.end();)
    {
        const bool isIt = std::strcmp(*arg, "--smoke") == 0;
        isSmoke = isSmoke || isIt;
        arg = isIt ? args.erase(arg) : arg + 1;
    }
    std::string shortly = "--benchmark_min_time=0.001";
    if (isSmoke)
    {
        args.insert(args.begin() + 1, shortly.data());
    }
    int count = args.size();
    args.push_back(nullptr);
    benchmark::Initialize(&count, args.data());
    if (benchmark::ReportUnrecognizedArguments(count, args.data()))
    {
        return 2;
    }
    for (const Case& what : MakeCases(isSmoke))
    {
        benchmark::RegisterBenchmark(what.name.c_str(), RunPairs, what);
    }
    benchmark::RegisterBenchmark("memory/idle_flow", MeasureFlow, isSmoke ? 100000 : 1000000)
        ->Iterations(1);
    for (uint32_t payload : {64, 1460})
    {
        const std::string name = fmt::format("memory/held/payload:{}", payload);
        benchmark::RegisterBenchmark(name.c_str(), MeasureHeld, payload, 100000)->Iterations(1);
    }
    benchmark::RunSpecifiedBenchmarks();
    return g_hasFailed;
}
