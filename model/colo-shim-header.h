/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_SHIM_HEADER_H
#define COLO_SHIM_HEADER_H

// clang-format off
#include "colo_shim.h"
// clang-format on

#include "ns3/header.h"

namespace ns3
{

/**
 * \ingroup colo
 *
 * What every frame on sec_dev carries behind its addresses: node and epoch (rule ckpt-epoch). The
 * core encodes and decodes it.
 */
class ColoShimHeader : public Header
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoShimHeader() = default;
    /** \param shim what to carry. */
    explicit ColoShimHeader(const colo_shim& shim);

    /** \return whether what was deserialized is a shim of this version. */
    bool IsValid() const;
    /** \return what it carries. */
    const colo_shim& GetShim() const;

    TypeId GetInstanceTypeId() const override;
    void Print(std::ostream& os) const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(Buffer::Iterator start) const override;
    uint32_t Deserialize(Buffer::Iterator start) override;

  private:
    colo_shim m_shim{};
    bool m_isValid{false};
};

} // namespace ns3

#endif /* COLO_SHIM_HEADER_H */
