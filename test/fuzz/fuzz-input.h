/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Numbers out of a fuzzer's bytes, and what all fuzz targets do with a broken promise.
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "core-room.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace colo_test
{

/** Reads from the front; beyond the end all is zero. */
class FuzzInput
{
  public:
    FuzzInput(const uint8_t* bytes, size_t length)
        : m_at(bytes),
          m_left(length)
    {
    }

    bool IsEmpty() const
    {
        return m_left == 0;
    }

    uint8_t Byte()
    {
        if (!m_left)
        {
            return 0;
        }
        m_left--;
        return *m_at++;
    }

    uint16_t Number16()
    {
        uint16_t high = Byte();
        return uint16_t(high << 8 | Byte());
    }

    uint32_t Number32()
    {
        uint32_t high = Number16();
        return high << 16 | Number16();
    }

    uint32_t Below(uint32_t bound)
    {
        return Byte() % bound;
    }

    bool Bit()
    {
        return Byte() & 1;
    }

    Bytes Take(size_t length)
    {
        length = std::min(length, m_left);
        Bytes taken(m_at, m_at + length);
        m_at += length;
        m_left -= length;
        return taken;
    }

    Bytes TakeRest()
    {
        return Take(m_left);
    }

  private:
    const uint8_t* m_at;
    size_t m_left;
};

/** Runs one input; libFuzzer keeps what makes it abort. */
template <typename Run>
int
FuzzOne(const uint8_t* bytes, size_t length, Run run)
{
    try
    {
        run(FuzzInput(bytes, length));
    }
    catch (const Violation& violation)
    {
        std::fprintf(stderr, "broken promise: %s\n", violation.what());
        std::abort();
    }
    return 0;
}

} // namespace colo_test

#endif // FUZZ_INPUT_H
