/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-host-message.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoHostMessage);

namespace
{

constexpr uint8_t VERSION = 1;
/** Version, kind, role, nothing, pair, term, stamp. */
constexpr uint32_t SIZE = 1 + 1 + 1 + 1 + 2 + 4 + 8;

} // namespace

TypeId
ColoHostMessage::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoHostMessage")
                            .SetParent<Header>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoHostMessage>();
    return tid;
}

ColoHostMessage::ColoHostMessage(Kind kind,
                                 uint16_t pair,
                                 colo_role role,
                                 uint32_t term,
                                 uint64_t stampNs)
    : kind(kind),
      pair(pair),
      role(role),
      term(term),
      stampNs(stampNs)
{
}

bool
ColoHostMessage::IsValid() const
{
    return kind < KINDS;
}

TypeId
ColoHostMessage::GetInstanceTypeId() const
{
    return GetTypeId();
}

void
ColoHostMessage::Print(std::ostream& os) const
{
    static const char* const names[] =
        {"heartbeat", "heard", "ask", "granted", "denied", "tell-term", "term-known", "invalid"};
    os << names[kind] << " pair=" << pair << " term=" << term;
    if (kind == HEARTBEAT || kind == HEARD)
    {
        os << " stamp=" << stampNs;
    }
}

uint32_t
ColoHostMessage::GetSerializedSize() const
{
    return SIZE;
}

void
ColoHostMessage::Serialize(Buffer::Iterator start) const
{
    start.WriteU8(VERSION);
    start.WriteU8(kind);
    start.WriteU8(role);
    start.WriteU8(0);
    start.WriteHtonU16(pair);
    start.WriteHtonU32(term);
    start.WriteHtonU64(stampNs);
}

uint32_t
ColoHostMessage::Deserialize(Buffer::Iterator start)
{
    kind = KINDS;
    if (start.GetRemainingSize() < SIZE)
    {
        return 0;
    }
    const bool isOurs = start.ReadU8() == VERSION;
    const uint8_t said = start.ReadU8();
    role = start.ReadU8() == COLO_ROLE_PRIMARY ? COLO_ROLE_PRIMARY : COLO_ROLE_SECONDARY;
    start.ReadU8();
    pair = start.ReadNtohU16();
    term = start.ReadNtohU32();
    stampNs = start.ReadNtohU64();
    kind = isOurs && said < KINDS ? static_cast<Kind>(said) : KINDS;
    return SIZE;
}

} // namespace ns3
