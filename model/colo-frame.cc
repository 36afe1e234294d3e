/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-frame.h"

#include "colo-segment.h"

#include <cassert>
#include <cstdlib>

namespace ns3
{

std::vector<uint8_t>
ColoFrame::GetEditedBytes() const
{
    std::vector<uint8_t> bytes(GetBytes(), GetBytes() + GetSize());
    if (IsEdited())
    {
        colo_edit_apply(&m_packet, bytes.data(), COLO_CHECKSUM_FULL);
    }
    return bytes;
}

void
ColoFrame::Overwrite(uint32_t offset, const uint8_t* bytes, uint32_t size)
{
    assert(offset <= GetSize() && size <= GetSize() - offset);
    if (size)
    {
        std::memcpy(GetWritableBytes() + offset, bytes, size);
    }
}

bool
ColoFrame::IsEdited() const
{
    return GetPacket().edit.mask != 0;
}

colo_side
ColoFrame::GetSide() const
{
    return static_cast<colo_side>(m_packet.side);
}

// The connection that it belonged to may be forgotten by now.
colo_key
ColoFrame::GetKey() const
{
    colo_packet again = m_packet;
    colo_key key;
    colo_packet_parse(&again, GetSide(), &key);
    return key;
}

bool
ColoFrame::IsSyn() const
{
    return colo_packet_is_syn(&GetPacket());
}

// Hardware was to compute the checksum of a GSO frame, so there is none to update.
void
ColoFrame::MakeLeave()
{
    const bool isEdited = m_packet.edit.mask != 0;
    const bool isGso = m_packet.gso_size && m_packet.kind == COLO_KIND_TCP;
    if (isEdited)
    {
        colo_edit_apply(&m_packet,
                        GetWritableBytes(),
                        isGso ? COLO_CHECKSUM_NONE : COLO_CHECKSUM_FULL);
    }
    if (isGso && (isEdited || m_packet.left))
    {
        ColoCutToRest(m_packet, GetWritableBytes());
    }
}

ColoBytesFrame::ColoBytesFrame(colo_side side, std::vector<uint8_t> bytes, uint16_t gsoSize)
    : ColoFrame(side, bytes.data(), bytes.size(), gsoSize),
      m_bytes(std::move(bytes)) // the bytes stay where they are
{
}

void
ColoPooledFrame::operator delete(void* block)
{
    ColoFramePool::Return(block);
}

ColoFramePool::~ColoFramePool()
{
    assert(!m_blocks);
    for (void* slab : m_slabs)
    {
        std::free(slab);
    }
}

std::size_t
ColoFramePool::GetBlocks() const
{
    return m_blocks;
}

std::size_t
ColoFramePool::GetBytes() const
{
    return m_bytes;
}

/** \return its first block. */
uint8_t*
ColoFramePool::NewSlab(std::size_t slabLen, std::size_t blockLen)
{
    slabLen = (slabLen + SLAB_LEN - 1) / SLAB_LEN * SLAB_LEN;
    void* memory = std::aligned_alloc(SLAB_LEN, slabLen);
    if (!memory)
    {
        throw std::bad_alloc();
    }
    m_bytes += slabLen;
    Slab* slab = ::new (memory) Slab{this, blockLen};
    return reinterpret_cast<uint8_t*>(slab + 1);
}

void*
ColoFramePool::TakeFresh(Class& sizeClass, std::size_t blockLen)
{
    if (static_cast<std::size_t>(sizeClass.end - sizeClass.fresh) < blockLen)
    {
        uint8_t* first = NewSlab(SLAB_LEN, blockLen);
        m_slabs.push_back(first - sizeof(Slab));
        sizeClass.fresh = first;
        sizeClass.end = first - sizeof(Slab) + SLAB_LEN;
    }
    void* block = sizeClass.fresh;
    sizeClass.fresh += blockLen;
    return block;
}

void
ColoFramePool::Return(void* block)
{
    const auto address = reinterpret_cast<uintptr_t>(block);
    auto slab = reinterpret_cast<Slab*>(address & ~(SLAB_LEN - 1));
    ColoFramePool& pool = *slab->pool;
    pool.m_blocks--;
    if (slab->blockLen > BLOCK_MAX)
    {
        pool.m_bytes -= (sizeof(Slab) + slab->blockLen + SLAB_LEN - 1) / SLAB_LEN * SLAB_LEN;
        std::free(slab);
        return;
    }
    Class& sizeClass = pool.m_classes[slab->blockLen / GRAIN];
    Free* free = sizeClass.free;
    if (free && sizeof(Free) + (free->count + 1) * sizeof(void*) <= slab->blockLen)
    {
        free->GetBlocks()[free->count++] = block;
        return;
    }
    sizeClass.free = ::new (block) Free{free, 0};
}

} // namespace ns3
