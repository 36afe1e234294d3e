/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Frames, and the pool that their memory comes from.
#define BOOST_TEST_MODULE model_frame
#include "colo-frame.h"
#include "core-frame.h"

#include <boost/test/unit_test.hpp>
#include <list>
#include <random>

using namespace ns3;
using colo_test::BuildFrame;
using colo_test::Bytes;
using colo_test::Numbering;

namespace
{

/** As a room derives it. */
struct Numbered : ColoPooledFrame
{
    Numbered(colo_side side,
             uint8_t* bytes,
             uint32_t size,
             uint16_t gsoSize,
             int& alive,
             int number)
        : ColoPooledFrame(side, bytes, size, gsoSize),
          alive(alive),
          number(number)
    {
        alive++;
    }

    ~Numbered() override
    {
        alive--;
    }

    int& alive;
    int number;
};

Bytes
BytesOf(const ColoFrame& frame)
{
    return Bytes(frame.GetBytes(), frame.GetBytes() + frame.GetSize());
}

} // namespace

BOOST_AUTO_TEST_CASE(frames_know_themselves_before_the_engine_has_seen_them)
{
    const ColoBytesFrame syn(COLO_INBOUND, BuildFrame("S 5:5(0)", {1000, 0, true, 4, 40001}));
    BOOST_TEST(syn.IsSyn());
    BOOST_TEST(!syn.IsEdited());
    BOOST_TEST(syn.GetPacket().seq == 1005U);
    BOOST_TEST(syn.GetKey().guest_port == 80);
    BOOST_TEST(syn.GetKey().peer_port == 40001);
    BOOST_TEST(syn.GetSide() == COLO_INBOUND);
    const ColoBytesFrame rst(COLO_PRIMARY, BuildFrame("SR 5:5(0)", {}));
    BOOST_TEST(!rst.IsSyn(), "it resets");
    const ColoBytesFrame nothing(COLO_PRIMARY, Bytes());
    BOOST_TEST(nothing.GetPacket().kind == COLO_KIND_MALFORMED);
    BOOST_TEST(nothing.GetKey().family == 0);
}

BOOST_AUTO_TEST_CASE(pooled_frames_keep_their_bytes_and_their_memory_is_used_again)
{
    const uint32_t seed = std::random_device()();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937 random(seed);
    ColoFramePool pool;
    int alive = 0;
    std::list<std::pair<Bytes, std::unique_ptr<ColoFrame>>> frames;
    std::size_t afterFirst = 0;
    for (int round = 0; round < 20; round++)
    {
        for (int i = 0; i < 500; i++)
        {
            const uint32_t sizes[] = {0, 1, 60, uint32_t(i * 3), 1514, 2048, 66000};
            Bytes bytes(sizes[i % 7], round + i);
            auto frame = pool.Make<Numbered>(COLO_PRIMARY, bytes.data(), bytes.size(), 0, alive, i);
            BOOST_TEST(frame->number == i);
            frames.emplace_back(std::move(bytes), std::move(frame));
        }
        BOOST_TEST(alive == 500);
        BOOST_TEST(pool.GetBlocks() == 500U);
        afterFirst = afterFirst ? afterFirst : pool.GetBytes();
        while (!frames.empty())
        {
            auto at = std::next(frames.begin(), random() % frames.size());
            BOOST_TEST((BytesOf(*at->second) == at->first), "seed " << seed);
            frames.erase(at);
        }
        BOOST_TEST(alive == 0);
        BOOST_TEST(pool.GetBlocks() == 0U);
    }
    // Another round takes no more than the first.
    BOOST_TEST(pool.GetBytes() <= afterFirst);
}

// A held packet costs its frame and 128 bytes: the object, and no header of the allocator's.
BOOST_AUTO_TEST_CASE(pooled_frame_costs_128_bytes_besides_its_own)
{
    constexpr std::size_t COUNT = 100000;
    for (uint32_t size : {64U, 120U, 568U, 1514U})
    {
        ColoFramePool pool;
        const Bytes bytes(size);
        std::vector<std::unique_ptr<ColoFrame>> frames;
        for (std::size_t i = 0; i < COUNT; i++)
        {
            frames.push_back(pool.Make(COLO_PRIMARY, bytes.data(), bytes.size()));
        }
        const std::size_t rounded = (size + 7) / 8 * 8;
        const std::size_t slabs = 1 << 19; // the last one is not full
        BOOST_TEST(pool.GetBytes() <= COUNT * (rounded + 128) * 1.005 + slabs, size << " bytes");
    }
}
