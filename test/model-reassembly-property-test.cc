/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Random fragments put together. A failure prints its seed; COLO_TEST_SEED=<seed> runs that one
// alone.
#define BOOST_TEST_MODULE model_reassembly_property
#include "model-fragments.h"
#include "model-reassembly-world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

using namespace colo_test;

namespace
{

using Random = std::mt19937;

uint32_t
Below(Random& random, uint32_t limit)
{
    return random() % limit;
}

Datagram
RandomDatagram(Random& random, uint32_t id)
{
    Datagram datagram;
    datagram.family = Below(random, 2) ? 4 : 6;
    datagram.id = id;
    datagram.source = 2 + Below(random, 2);
    datagram.extraLen = 8 * Below(random, 3);
    datagram.vlans.assign(Below(random, 3), 1 + Below(random, 2));
    datagram.protocol = Below(random, 2) ? UDP : 47;
    datagram.data.resize(16 + Below(random, Below(random, 8) ? 300 : 20000));
    for (uint8_t& byte : datagram.data)
    {
        byte = random();
    }
    return datagram;
}

std::vector<uint32_t>
RandomCuts(Random& random, uint32_t length)
{
    std::set<uint32_t> cuts;
    for (uint32_t left = 1 + Below(random, 12); left > 0; left--)
    {
        cuts.insert(8 + Below(random, (length - 9) / 8 + 1) * 8);
    }
    cuts.erase(cuts.lower_bound(length), cuts.end());
    return {cuts.begin(), cuts.end()};
}

/** Some datagrams, their fragments shuffled among each other, some of these repeated. */
void
PutRandomDatagramsTogether(Random& random)
{
    World world;
    std::multiset<Bytes> expected;
    std::vector<Bytes> fragments;
    std::size_t repeats = 0;
    const uint32_t count = 1 + Below(random, 8);
    for (uint32_t id = 0; id < count; id++)
    {
        const Datagram datagram = RandomDatagram(random, id);
        expected.insert(BuildWhole(datagram));
        for (const Bytes& fragment : Cut(datagram, RandomCuts(random, datagram.data.size())))
        {
            fragments.push_back(fragment);
        }
    }
    std::shuffle(fragments.begin(), fragments.end(), random);
    std::vector<Bytes> expectedBack = fragments;
    for (const Bytes& fragment : fragments)
    {
        const std::size_t before = world.wholes.size();
        BOOST_TEST(world.Add(fragment) == 0);
        if (world.wholes.size() == before && Below(random, 4) == 0)
        {
            BOOST_TEST(world.Add(fragment) == 1);
            repeats++;
        }
    }
    std::multiset<Bytes> wholes;
    std::vector<Bytes> back;
    for (auto& whole : world.wholes)
    {
        wholes.insert(BytesOf(*whole));
        uint32_t offset = 0;
        for (const auto& fragment : whole->Split())
        {
            BOOST_TEST(fragment->GetPacket().fragment_offset == offset);
            offset += fragment->GetPacket().payload_len;
            back.push_back(BytesOf(*fragment));
        }
    }
    std::sort(back.begin(), back.end());
    std::sort(expectedBack.begin(), expectedBack.end());
    BOOST_TEST((wholes == expected));
    BOOST_TEST((back == expectedBack));
    BOOST_TEST(world.GetStats().repeats == repeats);
    BOOST_TEST(world.GetKept() == 0);
}

/**
 * Fragments of few ids and short ranges, which contradict each other most of the time. What they
 * may become is told by a model: what is there by byte.
 */
void
BelieveNoContradiction(Random& random)
{
    World world;
    std::map<uint32_t, std::map<uint32_t, Bytes>> there; // by id and offset
    std::map<uint32_t, uint32_t> ends;
    for (int step = 0; step < 200; step++)
    {
        Datagram datagram;
        datagram.family = 4 + 2 * Below(random, 2);
        datagram.id = Below(random, 2);
        const uint32_t key = datagram.family << 1 | datagram.id;
        const uint32_t begin = 8 * Below(random, 4);
        const bool more = begin == 0 || Below(random, 4) > 0;
        const uint32_t length = more ? 8 * (1 + Below(random, 2)) : 1 + Below(random, 12);
        const Bytes data = Pattern(length, begin + (Below(random, 8) == 0));
        const uint32_t end = begin + length;

        auto& pieces = there[key];
        bool fits = !ends.count(key) || end <= ends[key];
        bool repeats = false;
        uint32_t highest = 0;
        for (const auto& [at, piece] : pieces)
        {
            const uint32_t pieceEnd = at + piece.size();
            fits = fits && (end <= at || begin >= pieceEnd);
            repeats = repeats || (at == begin && piece == data &&
                                  more == !(ends.count(key) && ends[key] == pieceEnd));
            highest = std::max(highest, pieceEnd);
        }
        fits = fits && (more || (highest <= end && !ends.count(key)));

        const std::size_t before = world.wholes.size();
        const std::size_t lost = world.Add(BuildFragment(datagram, begin, more, data));
        if (repeats)
        {
            BOOST_TEST(lost == 1);
            continue;
        }
        if (!fits)
        {
            BOOST_TEST(lost == pieces.size() + 1);
            pieces.clear();
            ends.erase(key);
            continue;
        }
        BOOST_TEST(lost == 0);
        pieces[begin] = data;
        if (!more)
        {
            ends[key] = end;
        }
        for (const auto& [at, piece] : pieces)
        {
            if (at != datagram.data.size())
            {
                break;
            }
            Put(datagram.data, piece);
        }
        const bool isWhole = ends.count(key) && datagram.data.size() == ends[key];
        BOOST_REQUIRE(world.wholes.size() == before + isWhole);
        if (isWhole)
        {
            BOOST_TEST(BytesOf(*world.wholes.back()) == BuildWhole(datagram));
            pieces.clear();
            ends.erase(key);
        }
    }
}

/** Rule bounded: bytes that nobody would send. */
void
SurviveGarbage(Random& random)
{
    World world;
    std::size_t given = 0;
    std::size_t out = 0;
    for (int step = 0; step < 300; step++)
    {
        Datagram datagram = RandomDatagram(random, Below(random, 3));
        datagram.data.resize(16 + Below(random, 64));
        Bytes bytes = BuildFragment(datagram,
                                    8 * Below(random, 3),
                                    Below(random, 2),
                                    datagram.data,
                                    Below(random, 3));
        for (uint32_t left = Below(random, 6); left > 0; left--)
        {
            bytes[12 + Below(random, bytes.size() - 12)] = Below(random, 2) ? random() : 44;
        }
        const auto side = static_cast<colo_side>(Below(random, 3));
        auto frame = std::make_unique<World::Counted>(world, side, bytes);
        if (frame->GetPacket().kind != COLO_KIND_FRAGMENT)
        {
            continue;
        }
        given++;
        world.now += Below(random, 2 * SECOND);
        ColoReassembly::Result result = world.reassembly->Add(std::move(frame), world.now);
        out += result.lost.size();
        if (result.whole)
        {
            BOOST_TEST(result.whole->GetPacket().kind != COLO_KIND_FRAGMENT);
            out += result.whole->Split().size();
        }
    }
    out += world.reassembly->Expire(COLO_NEVER_NS).size();
    BOOST_TEST(given > 100);
    BOOST_TEST(out == given);
}

void
ForSeeds(uint32_t count, void (*run)(Random&))
{
    const char* wanted = std::getenv("COLO_TEST_SEED");
    const uint32_t first = wanted ? std::strtoul(wanted, nullptr, 10) : 1;
    for (uint32_t seed = first; seed < first + (wanted ? 1 : count); seed++)
    {
        BOOST_TEST_CONTEXT("COLO_TEST_SEED=" << seed)
        {
            Random random(seed);
            run(random);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(random_datagrams_become_what_they_were)
{
    ForSeeds(300, PutRandomDatagramsTogether);
}

BOOST_AUTO_TEST_CASE(random_contradictions_are_not_believed)
{
    ForSeeds(200, BelieveNoContradiction);
}

BOOST_AUTO_TEST_CASE(bounded_whatever_the_bytes)
{
    ForSeeds(100, SurviveGarbage);
}
