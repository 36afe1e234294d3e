/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_FRAME_H
#define COLO_FRAME_H

#include "colo_packet.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace ns3
{

/** What the core links, in a base class of its own so that the way back is a cast. */
struct ColoLinked
{
    mutable colo_packet m_packet;
};

/**
 * \ingroup colo
 *
 * A frame on its way through the engine. Rooms derive their own from it, to find again what they
 * know of it besides its bytes, which belong to the derived class.
 */
class ColoFrame : private ColoLinked
{
  public:
    /**
     * \param side whose frame it is.
     * \param bytes the Ethernet frame, without a checksum behind it; writable, and there as long
     *              as this object is.
     * \param size of the frame.
     * \param gsoSize payload bytes of each TCP segment that it stands for; 0 if it is only one.
     */
    ColoFrame(colo_side side, uint8_t* bytes, uint32_t size, uint16_t gsoSize = 0);
    virtual ~ColoFrame() = default;

    ColoFrame(const ColoFrame&) = delete;
    ColoFrame& operator=(const ColoFrame&) = delete;

    /** \return the frame as it came, or as it leaves once the engine released it. */
    const uint8_t* GetBytes() const;
    /** \return how many bytes that is. */
    uint32_t GetSize() const;
    /** \return a copy with the engine's edits. */
    std::vector<uint8_t> GetEditedBytes() const;
    /**
     * Change some bytes, but no header: what is known of the frame stays.
     * \param offset from the start of the frame.
     * \param bytes to be written there.
     * \param size how many.
     */
    void Overwrite(uint32_t offset, const uint8_t* bytes, uint32_t size);
    /** \return whether the engine changed a header. */
    bool IsEdited() const;
    /** \return what the core knows of it. */
    const colo_packet& GetPacket() const;
    /** \return whose frame it is. */
    colo_side GetSide() const;
    /** \return the connection it belongs to, in the guest's direction; made when asked for. */
    colo_key GetKey() const;
    /** \return whether it opens a TCP connection: a SYN or SYN-ACK. */
    bool IsSyn() const;

  private:
    friend class ColoEngine;

    static constexpr uint8_t UNPARSED = 0xff; // no colo_kind

    static ColoFrame* From(colo_packet* packet);
    void Parse(colo_key& key) const;
    uint8_t* GetWritableBytes();
    void MakeLeave();
};

static_assert(sizeof(void*) != 8 || sizeof(ColoFrame) <= 120,
              "a held packet costs its frame and little more");

/**
 * \ingroup colo
 *
 * A frame for rooms that just have bytes.
 */
class ColoBytesFrame : public ColoFrame
{
  public:
    /**
     * \param side whose frame it is.
     * \param bytes the Ethernet frame.
     * \param gsoSize as ColoFrame's.
     */
    ColoBytesFrame(colo_side side, std::vector<uint8_t> bytes, uint16_t gsoSize = 0);

  private:
    std::vector<uint8_t> m_bytes;
};

/**
 * \ingroup colo
 *
 * A frame whose bytes lie behind the object, in one block of a ColoFramePool. A class derived from
 * it takes what ColoFrame's constructor takes, then what it likes; ColoFramePool::Make() makes it.
 */
class ColoPooledFrame : public ColoFrame
{
  public:
    using ColoFrame::ColoFrame;

    static void operator delete(void* block);
};

/**
 * \ingroup colo
 *
 * Memory for frames that come and go. Blocks of like size share a slab, which knows its pool, so
 * that a block needs no header. What is given back is kept for the next frame of that size; the
 * pool is as large as the most that was in use at one time. It must outlive its frames.
 */
class ColoFramePool
{
  public:
    ColoFramePool() = default;
    ~ColoFramePool();

    ColoFramePool(const ColoFramePool&) = delete;
    ColoFramePool& operator=(const ColoFramePool&) = delete;

    /**
     * \tparam Frame ColoPooledFrame or a class derived from it.
     * \param side whose frame it is.
     * \param bytes the Ethernet frame; copied.
     * \param size of the frame.
     * \param gsoSize as ColoFrame's.
     * \param args what the derived class wants to know besides.
     * \return the frame.
     */
    template <typename Frame = ColoPooledFrame, typename... Args>
    std::unique_ptr<Frame> Make(colo_side side,
                                const uint8_t* bytes,
                                uint32_t size,
                                uint16_t gsoSize = 0,
                                Args&&... args);

    /** \return blocks in use. */
    std::size_t GetBlocks() const;
    /** \return bytes taken from the system. */
    std::size_t GetBytes() const;

  private:
    friend class ColoPooledFrame;

    static constexpr std::size_t SLAB_LEN = 1 << 19; //!< and alignment: leads from block to slab
    static constexpr std::size_t GRAIN = 8;          //!< sizes are rounded up to a multiple
    static constexpr std::size_t BLOCK_MAX = 2048;   //!< larger ones get a slab of their own

    struct Slab
    {
        ColoFramePool* pool;
        std::size_t blockLen;
    };

    /**
     * A free block, which lists others besides: what is taken next need not be read before, as it
     * may have left the caches.
     */
    struct Free
    {
        Free* next;
        std::size_t count;

        void** GetBlocks()
        {
            return reinterpret_cast<void**>(this + 1);
        }
    };

    struct Class
    {
        Free* free;     //!< given back
        uint8_t* fresh; //!< never used yet, up to the end of the newest slab
        uint8_t* end;
    };

    void* Take(std::size_t len);
    static void Return(void* block);
    uint8_t* NewSlab(std::size_t slabLen, std::size_t blockLen);
    void* TakeFresh(Class& sizeClass, std::size_t blockLen);

    std::array<Class, BLOCK_MAX / GRAIN + 1> m_classes{};
    std::vector<void*> m_slabs; //!< of classes
    std::size_t m_blocks{0};
    std::size_t m_bytes{0};
};

inline const uint8_t*
ColoFrame::GetBytes() const
{
    return m_packet.head;
}

inline uint32_t
ColoFrame::GetSize() const
{
    return m_packet.frame_len;
}

inline const colo_packet&
ColoFrame::GetPacket() const
{
    if (m_packet.kind == UNPARSED)
    {
        colo_key key;
        Parse(key);
    }
    return m_packet;
}

inline uint8_t*
ColoFrame::GetWritableBytes()
{
    return const_cast<uint8_t*>(m_packet.head); // as the constructor got it
}

inline ColoFrame*
ColoFrame::From(colo_packet* packet)
{
    return static_cast<ColoFrame*>(reinterpret_cast<ColoLinked*>(packet));
}

inline void
ColoFrame::Parse(colo_key& key) const
{
    colo_packet_parse(&m_packet, static_cast<colo_side>(m_packet.side), &key);
}

inline ColoFrame::ColoFrame(colo_side side, uint8_t* bytes, uint32_t size, uint16_t gsoSize)
{
    m_packet.head = bytes;
    m_packet.head_len = size;
    m_packet.frame_len = size;
    m_packet.gso_size = gsoSize;
    m_packet.side = side;
    m_packet.kind = UNPARSED; // the engine parses, unless somebody asks before
}

inline void*
ColoFramePool::Take(std::size_t len)
{
    m_blocks++;
    const std::size_t blockLen = (len + GRAIN - 1) / GRAIN * GRAIN;
    if (blockLen > BLOCK_MAX)
    {
        return NewSlab(sizeof(Slab) + blockLen, blockLen);
    }
    Class& sizeClass = m_classes[blockLen / GRAIN];
    if (Free* free = sizeClass.free)
    {
        if (free->count)
        {
            return free->GetBlocks()[--free->count];
        }
        sizeClass.free = free->next;
        return free;
    }
    return TakeFresh(sizeClass, blockLen);
}

template <typename Frame, typename... Args>
std::unique_ptr<Frame>
ColoFramePool::Make(colo_side side,
                    const uint8_t* bytes,
                    uint32_t size,
                    uint16_t gsoSize,
                    Args&&... args)
{
    static_assert(alignof(Frame) <= GRAIN);
    void* block = Take(sizeof(Frame) + size);
    uint8_t* own = static_cast<uint8_t*>(block) + sizeof(Frame);
    if (size)
    {
        std::memcpy(own, bytes, size);
    }
    return std::unique_ptr<Frame>(::new (block)
                                      Frame(side, own, size, gsoSize, std::forward<Args>(args)...));
}

} // namespace ns3

#endif /* COLO_FRAME_H */
