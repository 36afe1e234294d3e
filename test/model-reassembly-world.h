/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_REASSEMBLY_WORLD_H
#define COLO_TEST_MODEL_REASSEMBLY_WORLD_H

#include "colo-reassembly.h"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <memory>
#include <vector>

using namespace ns3;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t SECOND = 1'000'000'000;

/** \return a copy. */
inline Bytes
BytesOf(const ColoFrame& frame)
{
    return {frame.GetBytes(), frame.GetBytes() + frame.GetSize()};
}

/** Tells which frames came out, and that none was lost. */
struct World
{
    struct Counted : ColoBytesFrame
    {
        Counted(World& world, colo_side side, Bytes bytes)
            : ColoBytesFrame(side, std::move(bytes)),
              world(world)
        {
            world.alive++;
        }

        ~Counted() override
        {
            world.alive--;
        }

        World& world;
    };

    ~World()
    {
        wholes.clear();
        const int kept = alive;
        reassembly.reset();
        BOOST_TEST(alive == 0, kept << " were kept");
    }

    /** \return how many came back as lost. */
    std::size_t Add(Bytes bytes, colo_side side = COLO_PRIMARY)
    {
        auto frame = std::make_unique<Counted>(*this, side, std::move(bytes));
        BOOST_REQUIRE(frame->GetPacket().kind == COLO_KIND_FRAGMENT);
        ColoReassembly::Result result = reassembly->Add(std::move(frame), now);
        if (result.whole)
        {
            wholes.push_back(std::move(result.whole));
        }
        return result.lost.size();
    }

    std::size_t GetKept(colo_side side = COLO_PRIMARY) const
    {
        return reassembly->GetDatagrams(side);
    }

    const ColoReassembly::Stats& GetStats() const
    {
        return reassembly->GetStats();
    }

    int alive{0};
    uint64_t now{SECOND};
    std::unique_ptr<ColoReassembly> reassembly{std::make_unique<ColoReassembly>()};
    std::vector<std::unique_ptr<ColoWholeFrame>> wholes;
};

#endif /* COLO_TEST_MODEL_REASSEMBLY_WORLD_H */
