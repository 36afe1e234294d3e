/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The connection table against the standard library's.
#define BOOST_TEST_MODULE model_table
#include "colo-table.h"
#include "colo_flow.h"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

using namespace ns3;

namespace
{

/** A small entry, so that large tables are cheap. */
struct Entry
{
    struct
    {
        colo_key key;
    } conn;

    uint32_t value;
};

using Table = ColoTable<Entry>;

colo_key
KeyOf(uint32_t number)
{
    colo_key key{};
    key.family = 4;
    key.protocol = COLO_PROTOCOL_TCP;
    key.guest[0] = 10;
    key.guest_port = 80;
    std::memcpy(key.peer, &number, sizeof(number));
    return key;
}

Entry*
Add(Table& table, uint32_t number)
{
    Entry* entry = table.Insert(KeyOf(number));
    entry->value = number;
    return entry;
}

} // namespace

BOOST_AUTO_TEST_CASE(random_uses_agree_with_the_standard_librarys_table)
{
    const uint32_t seed = std::random_device()();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937 random(seed);
    for (uint32_t numbers : {3U, 40U, 700U, 20000U})
    {
        Table table;
        std::unordered_map<uint32_t, Entry*> expected;
        for (int i = 0; i < 200000; i++)
        {
            const uint32_t number = random() % numbers;
            auto found = expected.find(number);
            Entry* entry = table.Find(KeyOf(number));
            BOOST_REQUIRE_MESSAGE(entry == (found == expected.end() ? nullptr : found->second),
                                  "seed " << seed);
            if (!entry)
            {
                expected[number] = Add(table, number);
            }
            else if (random() % 2)
            {
                BOOST_REQUIRE(entry->value == number);
                table.Erase(entry);
                expected.erase(found);
            }
            BOOST_REQUIRE(table.GetSize() == expected.size());
        }
        for (const auto& [number, entry] : expected)
        {
            BOOST_REQUIRE(table.Find(KeyOf(number)) == entry);
        }
    }
}

BOOST_AUTO_TEST_CASE(entries_stay_where_they_are_while_the_table_grows)
{
    constexpr uint32_t COUNT = 300000; // tags are eight bits: most lines have equal ones
    Table table;
    std::vector<Entry*> entries;
    for (uint32_t i = 0; i < COUNT; i++)
    {
        entries.push_back(Add(table, i));
    }
    BOOST_TEST(table.GetSize() == COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
    {
        BOOST_REQUIRE(table.Find(KeyOf(i)) == entries[i]);
        BOOST_REQUIRE(entries[i]->value == i);
        BOOST_REQUIRE(!table.Find(KeyOf(COUNT + i)));
    }
}

// What was erased must not make searches longer, nor the table larger.
BOOST_AUTO_TEST_CASE(connections_that_come_and_go_leave_nothing_behind)
{
    constexpr uint32_t ALIVE = 1000;
    Table table;
    for (uint32_t i = 0; i < ALIVE; i++)
    {
        Add(table, i);
    }
    const std::size_t before = table.GetBytes();
    for (uint32_t i = 0; i < 1000 * ALIVE; i++)
    {
        table.Erase(table.Find(KeyOf(i)));
        Add(table, i + ALIVE);
    }
    BOOST_TEST(table.GetSize() == ALIVE);
    BOOST_TEST(table.GetBytes() == before);
    BOOST_TEST(!table.Find(KeyOf(0)));
}

BOOST_AUTO_TEST_CASE(every_byte_of_a_key_counts)
{
    Table table;
    const colo_key zero{};
    table.Insert(zero);
    for (std::size_t i = 0; i < sizeof(colo_key); i++)
    {
        colo_key key{};
        reinterpret_cast<uint8_t*>(&key)[i] = 1;
        BOOST_TEST(!table.Find(key), "byte " << i);
        Entry* entry = table.Insert(key);
        BOOST_TEST(table.Find(key) == entry, "byte " << i);
    }
    BOOST_TEST(table.GetSize() == sizeof(colo_key) + 1);
}

BOOST_AUTO_TEST_CASE(empty_table_finds_nothing_and_takes_no_memory)
{
    Table table;
    BOOST_TEST(!table.Find(KeyOf(1)));
    BOOST_TEST(table.GetBytes() == 0);
    table.Erase(Add(table, 1));
    BOOST_TEST(!table.Find(KeyOf(1)));
    BOOST_TEST(table.GetSize() == 0);
}

// An idle connection costs 256 bytes, however many there are; below some thousands, slabs that
// are not full yet would hide it.
BOOST_AUTO_TEST_CASE(idle_tcp_connection_costs_256_bytes_at_most)
{
    ColoTable<colo_flow> table;
    std::size_t size = 0;
    for (std::size_t count : {20000, 50000, 100000, 150000, 200000, 250000})
    {
        for (; size < count; size++)
        {
            table.Insert(KeyOf(size));
        }
        BOOST_TEST(table.GetBytes() <= 256 * count, count << " connections");
    }
}
