/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-shim-header.h"

#include <algorithm>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoShimHeader);

TypeId
ColoShimHeader::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoShimHeader")
                            .SetParent<Header>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoShimHeader>();
    return tid;
}

ColoShimHeader::ColoShimHeader(const colo_shim& shim)
    : m_shim(shim),
      m_isValid(true)
{
}

bool
ColoShimHeader::IsValid() const
{
    return m_isValid;
}

const colo_shim&
ColoShimHeader::GetShim() const
{
    return m_shim;
}

TypeId
ColoShimHeader::GetInstanceTypeId() const
{
    return GetTypeId();
}

void
ColoShimHeader::Print(std::ostream& os) const
{
    os << "node=" << m_shim.node << " epoch=" << m_shim.epoch << " kind=" << +m_shim.kind
       << " ethertype=0x" << std::hex << m_shim.ethertype << std::dec;
}

uint32_t
ColoShimHeader::GetSerializedSize() const
{
    return COLO_SHIM_LEN;
}

void
ColoShimHeader::Serialize(Buffer::Iterator start) const
{
    uint8_t bytes[COLO_SHIM_LEN];
    colo_shim_write(&m_shim, bytes);
    start.Write(bytes, sizeof(bytes));
}

uint32_t
ColoShimHeader::Deserialize(Buffer::Iterator start)
{
    uint8_t bytes[COLO_SHIM_LEN];
    uint32_t size = std::min<uint32_t>(start.GetRemainingSize(), sizeof(bytes));
    start.Read(bytes, size);
    m_isValid = colo_shim_read(&m_shim, bytes, size);
    return size;
}

} // namespace ns3
