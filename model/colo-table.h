/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TABLE_H
#define COLO_TABLE_H

#include "colo_node.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <sys/mman.h>
#include <type_traits>
#include <vector>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ns3
{

/**
 * \ingroup colo
 *
 * A connection's key in registers. Parsing has only just written the key field by field; a load of
 * several fields at once, as compilers like to make of such code, would have to wait until all of
 * them have reached the cache.
 */
class ColoKeyWords
{
  public:
    /** \param key a connection. */
    explicit ColoKeyWords(const colo_key& key)
        : m_key(key),
          m_isIpv4(key.family == 4),
          m_addresses(m_isIpv4 ? GetIpv4Addresses(key) : 0),
          m_ports(Alone(key.guest_port) | Alone(key.peer_port) << 16 | Alone(key.vlan) << 32 |
                  Alone(key.inner_vlan) << 48),
          m_protocol(Alone(key.family) | Alone(key.protocol) << 8)
    {
    }

    /**
     * \param key another connection, written some time ago.
     * \return whether it is the same.
     */
    bool IsSame(const colo_key& key) const
    {
        static_assert(sizeof(key) == 42 && offsetof(colo_key, guest_port) == 32);
        if (!m_isIpv4)
        {
            return std::memcmp(&m_key, &key, sizeof(key)) == 0;
        }
        uint64_t ports;
        uint16_t protocol;
        std::memcpy(&ports, &key.guest_port, sizeof(ports));
        std::memcpy(&protocol, &key.family, sizeof(protocol));
        return ((GetIpv4Addresses(key) ^ m_addresses) | (ports ^ m_ports) |
                (protocol ^ m_protocol)) == 0;
    }

  private:
    friend class ColoHash;

    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

    template <typename Field>
    static uint64_t Alone(Field field)
    {
        uint64_t value = field;
        __asm__("" : "+r"(value)); // not to be merged with its neighbours
        return value;
    }

    /** What is behind them is zero. */
    static uint64_t GetIpv4Addresses(const colo_key& key)
    {
        uint32_t guest;
        uint32_t peer;
        std::memcpy(&guest, key.guest, sizeof(guest));
        std::memcpy(&peer, key.peer, sizeof(peer));
        return Alone(guest) | Alone(peer) << 32;
    }

    const colo_key& m_key;
    const bool m_isIpv4;
    const uint64_t m_addresses;
    const uint64_t m_ports;
    const uint64_t m_protocol;
};

/**
 * \ingroup colo
 *
 * A keyed hash of connections. Without the key nobody can choose connections that collide.
 */
class ColoHash
{
  public:
    ColoHash()
    {
        std::random_device random;
        for (uint64_t& word : m_key)
        {
            word = static_cast<uint64_t>(random()) << 32 | random();
        }
    }

    /**
     * \param key a connection.
     * \return 64 bits that all depend on all of it.
     */
    uint64_t operator()(const ColoKeyWords& key) const
    {
        const uint64_t addresses = key.m_isIpv4 ? key.m_addresses : MixAddresses(key.m_key);
        const uint64_t all = Mix(addresses ^ m_key[0], key.m_ports ^ m_key[1]);
        return Mix(all ^ m_key[2], key.m_protocol ^ m_key[3]);
    }

  private:
    __extension__ typedef unsigned __int128 Wide;

    [[gnu::noinline]] uint64_t MixAddresses(const colo_key& key) const
    {
        static_assert(offsetof(colo_key, guest) == 0 && offsetof(colo_key, peer) == 16);
        uint64_t words[4];
        std::memcpy(words, &key, sizeof(words));
        return Mix(words[0] ^ m_key[4], words[1] ^ m_key[5]) ^
               Mix(words[2] ^ m_key[6], words[3] ^ m_key[7]);
    }

    static uint64_t Mix(uint64_t a, uint64_t b)
    {
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    }

    uint64_t m_key[8];
};

/**
 * \ingroup colo
 *
 * Memory that is used in no order, so of large pages if it is large: else finding the page costs as
 * much as fetching what is there.
 * \param size bytes.
 * \return the memory, to be given to std::free().
 */
inline void*
ColoAllocateScattered(std::size_t size)
{
    constexpr std::size_t LINE_LEN = 64;
    constexpr std::size_t LARGE_PAGE_LEN = 1 << 21;
    const std::size_t alignment = size < LARGE_PAGE_LEN ? LINE_LEN : LARGE_PAGE_LEN;
    size = (size + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, size);
    if (!memory)
    {
        throw std::bad_alloc();
    }
    if (alignment == LARGE_PAGE_LEN)
    {
        madvise(memory, size, MADV_HUGEPAGE); // without it only slower
    }
    return memory;
}

/**
 * \ingroup colo
 *
 * Connections by key. Entries lie in slabs and never move; what finds them is a slot of four bytes
 * each: 24 bits of the entry's number, and 8 of its hash, its tag. A line of the cache has 15
 * slots, and counts the entries that found it full and went on to the next line: a search goes on
 * only where there are some, and erasing leaves nothing behind. Nothing depends on the order of
 * entries, as the hash is another in every run.
 *
 * \tparam Entry begins with a colo_conn, whose key is its own.
 */
template <typename Entry>
class ColoTable
{
  public:
    /** Entries that fit at all. */
    static constexpr std::size_t SIZE_MAX_ALL = (1 << 24) - 1;

    /** \param hash may be that of several tables, so that a key's serves for all. */
    explicit ColoTable(const ColoHash& hash = ColoHash())
        : m_hash(hash)
    {
    }

    ~ColoTable();

    ColoTable(const ColoTable&) = delete;
    ColoTable& operator=(const ColoTable&) = delete;

    /**
     * \param key a connection.
     * \return what its place follows from.
     */
    uint64_t GetHash(const colo_key& key) const;
    /** \param hash of a connection that is soon looked for: fetches its line. */
    void PrefetchLine(uint64_t hash) const;
    /** \param hash of one whose line is there by now: fetches its entry. */
    void PrefetchEntry(uint64_t hash) const;
    /**
     * \param key a connection.
     * \param hash of it; 0 if it is not known yet.
     * \return its entry, null if there is none.
     */
    Entry* Find(const colo_key& key, uint64_t hash) const;

    /**
     * \param key a connection.
     * \return whether it is the one that was found last. Both guests' packets often come one after
     *         the other, and a transfer's many at once: then neither hash nor line are looked at.
     */
    bool IsLast(const ColoKeyWords& key) const
    {
        return m_last && key.IsSame(m_last->conn.key);
    }

    Entry* Find(const colo_key& key) const;
    /**
     * \param key a connection that has no entry.
     * \return memory for one; its conn.key is set, the rest is up to the caller.
     */
    Entry* Insert(const colo_key& key);
    /** \param entry of this table; its memory is reused. */
    void Erase(Entry* entry);
    /** \return entries. */
    std::size_t GetSize() const;
    /** \return bytes of memory: lines, and slabs that were in use once. */
    std::size_t GetBytes() const;

  private:
    static_assert(std::is_trivially_destructible_v<Entry>);
    static_assert(offsetof(Entry, conn) == 0);

    static constexpr uint32_t SLOTS = 15;
    static constexpr uint32_t NUMBER_LEN = 3;
    static constexpr uint32_t NUMBER_MASK = (1 << 8 * NUMBER_LEN) - 1;
    static constexpr uint32_t NONE = NUMBER_MASK; //!< number of no entry
    static constexpr uint32_t SLAB_SHIFT = 10;
    static constexpr std::size_t SLAB_ENTRIES = 1 << SLAB_SHIFT;
    static constexpr std::size_t SLAB_LEN = SLAB_ENTRIES * sizeof(Entry);
    /** Beyond so many slabs they are allocated some at once, of large pages. */
    static constexpr std::size_t SLABS_ALONE = 64;
    /** Two large pages; 17 slabs of TCP flows leave little of them unused. */
    static constexpr std::size_t SLABS_AT_ONCE = (1 << 22) / SLAB_LEN;

    class alignas(64) Line
    {
      public:
        /** \return slots of this tag as bits. */
        uint32_t Match(uint8_t tag) const
        {
#ifdef __SSE2__
            const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(m_tags));
            return _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag)));
#else
            uint32_t found = 0;
            for (uint32_t slot = 0; slot < SLOTS; slot++)
            {
                found |= static_cast<uint32_t>(m_tags[slot] == tag) << slot;
            }
            return found;
#endif
        }

        uint8_t GetTag(uint32_t slot) const
        {
            return m_tags[slot];
        }

        uint32_t GetNumber(uint32_t slot) const
        {
            uint32_t number; // and a byte of what is behind it
            std::memcpy(&number, m_numbers + NUMBER_LEN * slot, sizeof(number));
            return number & NUMBER_MASK;
        }

        void Set(uint32_t slot, uint8_t tag, uint32_t number)
        {
            m_tags[slot] = tag;
            std::memcpy(m_numbers + NUMBER_LEN * slot, &number, NUMBER_LEN);
        }

      private:
        uint8_t m_tags[SLOTS + 1]; //!< 0 where there is no entry, and behind the last

      public:
        uint16_t overflow; //!< entries that would be here if there were room

      private:
        uint8_t m_numbers[NUMBER_LEN * SLOTS + 1]; //!< and one that may be read
    };

    static_assert(sizeof(Line) == 64);

    Entry* GetEntry(uint32_t number) const;
    Entry* FindFurther(const colo_key& key, uint64_t hash) const;
    static uint8_t GetTag(uint64_t hash);
    Line& GetLine(uint64_t number) const;
    uint32_t TakeEntry();
    void SetSlot(const colo_key& key, uint32_t number);
    void Grow();

    const ColoHash m_hash;
    Line* m_lines{nullptr};
    std::size_t m_lineMask{0};
    std::size_t m_sizeMax{0}; //!< grows beyond it
    std::size_t m_size{0};
    mutable Entry* m_last{nullptr};
    std::vector<Entry*> m_slabs;
    std::vector<void*> m_allocated;
    uint32_t m_used{0};    //!< entries of the slabs that were in use once
    uint32_t m_free{NONE}; //!< number of the first free one; its first bytes have the next
};

template <typename Entry>
ColoTable<Entry>::~ColoTable()
{
    std::free(m_lines);
    for (void* memory : m_allocated)
    {
        std::free(memory);
    }
}

template <typename Entry>
inline uint64_t
ColoTable<Entry>::GetHash(const colo_key& key) const
{
    return m_hash(ColoKeyWords(key));
}

/** No entry's is zero, as that is a free slot's. */
template <typename Entry>
inline uint8_t
ColoTable<Entry>::GetTag(uint64_t hash)
{
    return std::max<uint64_t>(hash >> 56, 1);
}

/** The hash is that of the first line to look at; others follow. */
template <typename Entry>
inline typename ColoTable<Entry>::Line&
ColoTable<Entry>::GetLine(uint64_t number) const
{
    return m_lines[number & m_lineMask];
}

template <typename Entry>
inline Entry*
ColoTable<Entry>::GetEntry(uint32_t number) const
{
    return m_slabs[number >> SLAB_SHIFT] + (number & (SLAB_ENTRIES - 1));
}

// Inline always: to GCC, a function that only prefetches does nothing, and its calls go.
template <typename Entry>
[[gnu::always_inline]] inline void
ColoTable<Entry>::PrefetchLine(uint64_t hash) const
{
    __builtin_prefetch(m_lines + (hash & m_lineMask));
}

template <typename Entry>
[[gnu::always_inline]] inline void
ColoTable<Entry>::PrefetchEntry(uint64_t hash) const
{
    const uint32_t found = m_size ? GetLine(hash).Match(GetTag(hash)) : 0;
    if (found)
    {
        auto entry =
            reinterpret_cast<char*>(GetEntry(GetLine(hash).GetNumber(__builtin_ctz(found))));
        for (std::size_t at = 0; at < sizeof(Entry); at += 64)
        {
            __builtin_prefetch(entry + at, 1);
        }
        __builtin_prefetch(entry + sizeof(Entry) - 1, 1);
    }
}

template <typename Entry>
inline Entry*
ColoTable<Entry>::Find(const colo_key& key) const
{
    return Find(key, GetHash(key));
}

template <typename Entry>
inline Entry*
ColoTable<Entry>::Find(const colo_key& key, uint64_t hash) const
{
    const ColoKeyWords words(key);
    if (IsLast(words))
    {
        return m_last;
    }
    if (!m_size)
    {
        return nullptr;
    }
    const uint64_t place = hash ? hash : m_hash(words);
    const Line& line = GetLine(place);
    const uint32_t found = line.Match(GetTag(place));
    if (found)
    {
        Entry* entry = GetEntry(line.GetNumber(__builtin_ctz(found)));
        if (words.IsSame(entry->conn.key))
        {
            m_last = entry;
            return entry;
        }
    }
    return !found && !line.overflow ? nullptr : FindFurther(key, place);
}

/** What is neither its line's first of that tag nor unknown, about one in twenty. */
template <typename Entry>
[[gnu::noinline]] Entry*
ColoTable<Entry>::FindFurther(const colo_key& key, uint64_t hash) const
{
    const ColoKeyWords words(key);
    for (uint64_t at = hash;; at++)
    {
        const Line& line = GetLine(at);
        for (uint32_t found = line.Match(GetTag(hash)); found; found &= found - 1)
        {
            Entry* entry = GetEntry(line.GetNumber(__builtin_ctz(found)));
            if (words.IsSame(entry->conn.key))
            {
                return entry;
            }
        }
        if (!line.overflow)
        {
            return nullptr;
        }
    }
}

template <typename Entry>
Entry*
ColoTable<Entry>::Insert(const colo_key& key)
{
    assert(m_size < SIZE_MAX_ALL);
    if (m_size == m_sizeMax)
    {
        Grow();
    }
    const uint32_t number = TakeEntry();
    SetSlot(key, number);
    m_size++;
    Entry* entry = GetEntry(number);
    entry->conn.key = key;
    return entry;
}

template <typename Entry>
uint32_t
ColoTable<Entry>::TakeEntry()
{
    if (m_free != NONE)
    {
        const uint32_t number = m_free;
        std::memcpy(&m_free, static_cast<void*>(GetEntry(number)), sizeof(m_free));
        return number;
    }
    if (m_used == m_slabs.size() * SLAB_ENTRIES)
    {
        const std::size_t slabs = m_slabs.size() < SLABS_ALONE ? 1 : SLABS_AT_ONCE;
        void* memory = ColoAllocateScattered(slabs * SLAB_LEN);
        m_allocated.push_back(memory);
        for (std::size_t i = 0; i < slabs; i++)
        {
            m_slabs.push_back(static_cast<Entry*>(memory) + i * SLAB_ENTRIES);
        }
    }
    return m_used++;
}

template <typename Entry>
void
ColoTable<Entry>::SetSlot(const colo_key& key, uint32_t number)
{
    const uint64_t hash = GetHash(key);
    for (uint64_t at = hash;; at++)
    {
        Line& line = GetLine(at);
        for (uint32_t slot = 0; slot < SLOTS; slot++)
        {
            if (!line.GetTag(slot))
            {
                line.Set(slot, GetTag(hash), number);
                return;
            }
        }
        line.overflow++;
    }
}

template <typename Entry>
void
ColoTable<Entry>::Erase(Entry* entry)
{
    m_last = entry == m_last ? nullptr : m_last;
    const uint64_t hash = GetHash(entry->conn.key);
    for (uint64_t at = hash;; at++)
    {
        Line& line = GetLine(at);
        for (uint32_t found = line.Match(GetTag(hash)); found; found &= found - 1)
        {
            const uint32_t slot = __builtin_ctz(found);
            const uint32_t number = line.GetNumber(slot);
            if (GetEntry(number) == entry)
            {
                std::memcpy(static_cast<void*>(entry), &m_free, sizeof(m_free));
                m_free = number;
                line.Set(slot, 0, 0);
                m_size--;
                return;
            }
        }
        assert(line.overflow);
        line.overflow--;
    }
}

/** Twice as many lines. Their slots lack most of the hash, so it is computed again. */
template <typename Entry>
void
ColoTable<Entry>::Grow()
{
    const std::size_t oldLines = m_lines ? m_lineMask + 1 : 0;
    const std::size_t lines = std::max<std::size_t>(2 * oldLines, 1);
    auto memory = static_cast<Line*>(ColoAllocateScattered(lines * sizeof(Line)));
    std::memset(static_cast<void*>(memory), 0, lines * sizeof(Line));
    std::unique_ptr<Line, decltype(&std::free)> old(m_lines, &std::free);
    m_lines = memory;
    m_lineMask = lines - 1;
    m_sizeMax = lines * SLOTS * 7 / 8;
    for (std::size_t i = 0; i < oldLines; i++)
    {
        const Line& line = old.get()[i];
        for (uint32_t slot = 0; slot < SLOTS; slot++)
        {
            if (line.GetTag(slot))
            {
                const uint32_t number = line.GetNumber(slot);
                SetSlot(GetEntry(number)->conn.key, number);
            }
        }
    }
}

template <typename Entry>
std::size_t
ColoTable<Entry>::GetSize() const
{
    return m_size;
}

template <typename Entry>
std::size_t
ColoTable<Entry>::GetBytes() const
{
    const std::size_t lines = m_lines ? m_lineMask + 1 : 0;
    const std::size_t slabs = (m_used + SLAB_ENTRIES - 1) / SLAB_ENTRIES;
    return lines * sizeof(Line) + slabs * SLAB_LEN;
}

} // namespace ns3

#endif /* COLO_TABLE_H */
