/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Packets behind a gap, lowest position first.
#define BOOST_TEST_MODULE core_heap
#include "colo_queue.h"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>
#include <vector>

namespace
{

namespace data = boost::unit_test::data;

// The positions in the order in which the heap gives them back.
std::vector<uint32_t>
Sorted(const std::vector<uint32_t>& positions)
{
    std::vector<colo_packet> packets(positions.size());
    colo_heap heap{};
    for (size_t i = 0; i < positions.size(); i++)
    {
        packets[i].seq = positions[i];
        colo_heap_insert(&heap, &packets[i]);
    }
    std::vector<uint32_t> popped;
    while (colo_packet* packet = colo_heap_pop(&heap))
    {
        BOOST_REQUIRE(popped.size() < positions.size());
        popped.push_back(packet->seq);
    }
    return popped;
}

std::vector<uint32_t>
Range(uint32_t first, uint32_t count)
{
    std::vector<uint32_t> positions(count);
    for (uint32_t i = 0; i < count; i++)
    {
        positions[i] = first + i;
    }
    return positions;
}

} // namespace

BOOST_AUTO_TEST_CASE(empty_heap_has_nothing)
{
    colo_heap heap{};
    BOOST_TEST(!colo_heap_pop(&heap));
}

// In any order of arrival; zero lies between its neighbours (tcp-serial).
BOOST_DATA_TEST_CASE(lowest_first, data::make({1000U, 0xffffffc0U}) * data::xrange(20), first, seed)
{
    std::vector<uint32_t> positions = Range(first, 128);
    std::vector<uint32_t> shuffled = positions;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(uint32_t(seed)));
    BOOST_TEST(Sorted(shuffled) == positions);
}

// Equal ones are all kept.
BOOST_AUTO_TEST_CASE(equal_positions_are_kept)
{
    BOOST_TEST(Sorted({5, 3, 5, 3, 5}) == std::vector<uint32_t>({3, 3, 5, 5, 5}));
}

// Insertion and removal taking turns, as gaps open and close.
BOOST_AUTO_TEST_CASE(mixed_with_removal)
{
    std::mt19937 random(3);
    std::vector<colo_packet> packets(2000);
    std::multiset<uint32_t> model;
    colo_heap heap{};
    for (auto& packet : packets)
    {
        packet.seq = random() % 5000;
        colo_heap_insert(&heap, &packet);
        model.insert(packet.seq);
        if (random() % 3 == 0)
        {
            BOOST_REQUIRE(colo_heap_pop(&heap)->seq == *model.begin());
            model.erase(model.begin());
        }
    }
    BOOST_REQUIRE(heap.root->seq == *model.begin());
}

// Quadratic cost would take minutes here, recursion would end the stack (bounded).
BOOST_AUTO_TEST_CASE(bounded_cost_of_many)
{
    std::vector<uint32_t> positions = Range(7, 300000);
    std::vector<uint32_t> mixed = positions;
    BOOST_TEST((Sorted(mixed) == positions));
    std::reverse(mixed.begin(), mixed.end());
    BOOST_TEST((Sorted(mixed) == positions));
    std::shuffle(mixed.begin(), mixed.end(), std::mt19937(4));
    BOOST_TEST((Sorted(mixed) == positions));
}

// Queues keep the order of arrival, also once they were empty.
BOOST_AUTO_TEST_CASE(queue_is_first_in_first_out)
{
    colo_packet packets[3] = {};
    colo_queue queue{};
    BOOST_TEST(!colo_queue_pop(&queue));
    for (int round = 0; round < 2; round++)
    {
        for (auto& packet : packets)
        {
            colo_queue_push(&queue, &packet);
        }
        BOOST_TEST(colo_queue_head(&queue) == &packets[0]);
        BOOST_TEST(colo_queue_after(&queue, &packets[1]) == &packets[2]);
        BOOST_TEST(!colo_queue_after(&queue, &packets[2]));
        for (auto& packet : packets)
        {
            BOOST_TEST(colo_queue_pop(&queue) == &packet);
        }
        BOOST_TEST(!colo_queue_head(&queue));
    }
}
