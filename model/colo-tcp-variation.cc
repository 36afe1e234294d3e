/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-tcp-variation.h"

#include "colo-member-access.h"
#include "colo-tcp-protocol.h"

#include "ns3/abort.h"
#include "ns3/ipv4-end-point-demux.h"
#include "ns3/ipv6-end-point-demux.h"
#include "ns3/tcp-option-rfc793.h"
#include "ns3/tcp-option-ts.h"

#include <algorithm>

namespace ns3
{

COLO_MEMBER_ACCESS(ColoVariedPorts, TcpL4Protocol, m_endPoints, Ipv4EndPointDemux*);
COLO_MEMBER_ACCESS(ColoVariedPorts6, TcpL4Protocol, m_endPoints6, Ipv6EndPointDemux*);

namespace
{

/** Draws of a port before giving up: what is left of a range may be hard to hit. */
constexpr int PORT_DRAWS = 64;

/**
 * \param random draws a number
 * \param max the largest one allowed
 * \param attribute its name
 * \return the number
 */
uint32_t
DrawUpTo(RandomVariableStream& random, uint32_t max, const char* attribute)
{
    const uint32_t value = random.GetInteger(); // which includes a uniform one's Max
    NS_ABORT_MSG_UNLESS(value <= max,
                        "ColoGuest: " << attribute << " drew " << value << ", more than " << max);
    return value;
}

} // namespace

ColoTcpVariation::ColoTcpVariation()
    : isn(CreateObject<ConstantRandomVariable>()),
      segmentSize(CreateObject<ConstantRandomVariable>()),
      delAckCount(CreateObject<ConstantRandomVariable>()),
      delAckTimeout(CreateObject<ConstantRandomVariable>()),
      coin(CreateObject<UniformRandomVariable>()),
      timestampOffset(CreateObject<ConstantRandomVariable>()),
      ephemeralPort(CreateObject<ConstantRandomVariable>())
{
}

int64_t
ColoTcpVariation::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (Ptr<RandomVariableStream> random : {isn,
                                             segmentSize,
                                             delAckCount,
                                             delAckTimeout,
                                             Ptr<RandomVariableStream>(coin),
                                             timestampOffset,
                                             ephemeralPort})
    {
        random->SetStream(stream++);
    }
    return stream - first;
}

ColoTcpDraw
ColoTcpVariation::Draw()
{
    if (!m_segmentSize)
    {
        m_segmentSize = DrawUpTo(*segmentSize, MAX_SEGMENT_SIZE, "SegmentSize");
    }
    ColoTcpDraw draw;
    draw.isn = isn->GetInteger();
    draw.segmentSize = *m_segmentSize;
    draw.delAckCount = DrawUpTo(*delAckCount, 0xffff, "DelAckCount");
    draw.delAckTimeout = Max(Seconds(delAckTimeout->GetValue()), Time());
    if (nagle > 0)
    {
        draw.noDelay = coin->GetValue(0, 1) >= nagle;
    }
    draw.timestampOffset = timestampOffset->GetInteger();
    return draw;
}

uint16_t
ColoTcpVariation::DrawPort(Ptr<TcpL4Protocol> tcp, bool isIpv6) const
{
    for (int i = 0; i < PORT_DRAWS; i++)
    {
        const uint16_t port = DrawUpTo(*ephemeralPort, 0xffff, "EphemeralPort");
        bool isUsed = isIpv6 ? ((*tcp).*Member(ColoVariedPorts6()))->LookupPortLocal(port)
                             : ((*tcp).*Member(ColoVariedPorts()))->LookupPortLocal(port);
        if (const auto hashed = DynamicCast<ColoTcpL4Protocol>(tcp))
        {
            isUsed = isUsed || (isIpv6 ? hashed->GetTable6().HasPort(port)
                                       : hashed->GetTable().HasPort(port));
        }
        if (port == 0 || !isUsed)
        {
            return port;
        }
    }
    return 0;
}

// A header's options are read-only once they are in it, but it holds the only pointer to those of
// a segment that has just been made or read.

void
ColoShiftTimestamp(TcpHeader& header, uint32_t offset)
{
    if (auto stamp = DynamicCast<const TcpOptionTS>(header.GetOption(TcpOption::TS)))
    {
        ConstCast<TcpOptionTS>(stamp)->SetTimestamp(stamp->GetTimestamp() + offset);
    }
}

void
ColoShiftTimestampEcho(TcpHeader& header, uint32_t offset)
{
    auto stamp = DynamicCast<const TcpOptionTS>(header.GetOption(TcpOption::TS));
    if (stamp && stamp->GetEcho() != 0)
    {
        ConstCast<TcpOptionTS>(stamp)->SetEcho(stamp->GetEcho() + offset);
    }
}

void
ColoAnnounceSegmentSize(TcpHeader& header, uint16_t size)
{
    Ptr<TcpOptionMSS> option = CreateObject<TcpOptionMSS>();
    option->SetMSS(size);
    header.AppendOption(option);
}

} // namespace ns3
