/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-capture-connection.h"

#include <algorithm>

namespace ns3
{

namespace
{

/** The largest window that TCP can offer (RFC 7323, section 2.3): data beyond it is damage. */
constexpr int32_t WINDOW_MAX = 1 << 30;
/** A hole above this is a jump of damaged numbers rather than data that the capture lost. */
constexpr uint64_t HOLE_MAX = 1 << 20;
/** How many pieces may wait behind holes of one stream. */
constexpr std::size_t AHEAD_MAX = 1024;

} // namespace

ColoCaptureConnection::ColoCaptureConnection(const ColoTcpSegment& first, Time stamp)
{
    bool fromServer;
    if (first.flags & ColoTcpSegment::SYN)
    {
        fromServer = first.flags & ColoTcpSegment::ACK;
    }
    else
    {
        fromServer = first.source.port < first.destination.port;
    }
    m_server = fromServer ? first.source : first.destination;
    m_conversation.serverPort = m_server.port;
    m_conversation.start = stamp;
    m_turnEnd = stamp;
}

bool
ColoCaptureConnection::IsSucceededBy(const ColoTcpSegment& segment) const
{
    bool isOpening = (segment.flags & ColoTcpSegment::SYN) &&
                     !(segment.flags & (ColoTcpSegment::ACK | ColoTcpSegment::RST));
    if (!isOpening)
    {
        return false;
    }
    const Stream& stream = m_streams[segment.source == m_server];
    bool isRepeated = stream.hasSyn && stream.isn == segment.seq;
    return !isRepeated && (m_isClosed || stream.isKnown);
}

bool
ColoCaptureConnection::Add(const ColoTcpSegment& segment, Time stamp)
{
    bool fromServer = segment.source == m_server;
    Stream& stream = m_streams[fromServer];
    uint32_t seq = segment.seq;
    if (segment.flags & ColoTcpSegment::RST)
    {
        Close(fromServer, true);
        return true;
    }
    if (segment.flags & ColoTcpSegment::SYN)
    {
        seq++;
        if (!stream.isKnown)
        {
            Start(stream, seq);
            stream.hasSyn = true;
            stream.isn = segment.seq;
            m_turnEnd = std::max(m_turnEnd, stamp);
        }
    }
    if (segment.flags & ColoTcpSegment::ACK)
    {
        AddAck(!fromServer, segment.ack, stamp);
    }
    bool fits = AddData(fromServer, seq, segment.payload, stamp);
    if (fits && (segment.flags & ColoTcpSegment::FIN))
    {
        Close(fromServer, false);
    }
    return fits;
}

ColoConversation
ColoCaptureConnection::Finish()
{
    for (bool fromServer : {false, true})
    {
        while (!m_streams[fromServer].ahead.empty())
        {
            FillFirstHole(fromServer, m_turnEnd);
        }
    }
    return std::move(m_conversation);
}

uint64_t
ColoCaptureConnection::GetMissingBytes() const
{
    return m_missingBytes;
}

void
ColoCaptureConnection::Start(Stream& stream, uint32_t seq)
{
    stream.isKnown = true;
    stream.nextSeq = seq;
}

bool
ColoCaptureConnection::AddData(bool fromServer, uint32_t seq, uint32_t bytes, Time stamp)
{
    Stream& stream = m_streams[fromServer];
    if (!stream.isKnown)
    {
        Start(stream, seq);
    }
    auto distance = static_cast<int32_t>(seq - stream.nextSeq);
    if (distance > WINDOW_MAX || distance < -WINDOW_MAX)
    {
        return false;
    }
    int64_t end = static_cast<int64_t>(stream.next) + distance + bytes;
    if (bytes == 0 || end <= static_cast<int64_t>(stream.next))
    {
        return true;
    }
    if (distance > 0)
    {
        uint64_t& known = stream.ahead[stream.next + distance];
        known = std::max(known, static_cast<uint64_t>(end));
        if (stream.ahead.size() > AHEAD_MAX)
        {
            FillFirstHole(fromServer, stamp);
        }
        return true;
    }
    AdvanceTo(fromServer, end, stamp);
    TakeAhead(fromServer, stamp);
    return true;
}

void
ColoCaptureConnection::AddAck(bool toServer, uint32_t ack, Time stamp)
{
    Stream& stream = m_streams[toServer];
    if (!stream.isKnown)
    {
        Start(stream, ack);
        return;
    }
    auto distance = static_cast<int32_t>(ack - stream.nextSeq);
    // One beyond is most often a FIN.
    if (distance <= 1 || distance > static_cast<int32_t>(HOLE_MAX))
    {
        return;
    }
    // Received, so it was said, even if the capture shows it later or never.
    uint64_t end = stream.next + distance;
    uint64_t seen = 0;
    for (auto [from, to] : stream.ahead)
    {
        seen += std::min(to, end) > from ? std::min(to, end) - from : 0;
    }
    m_missingBytes += distance - std::min<uint64_t>(seen, distance);
    AdvanceTo(toServer, end, stamp);
    TakeAhead(toServer, stamp);
}

void
ColoCaptureConnection::AdvanceTo(bool fromServer, uint64_t position, Time stamp)
{
    Stream& stream = m_streams[fromServer];
    uint64_t bytes = position - stream.next;
    stream.next = position;
    stream.nextSeq += static_cast<uint32_t>(bytes);
    Say(fromServer, bytes, stamp);
}

void
ColoCaptureConnection::TakeAhead(bool fromServer, Time stamp)
{
    Stream& stream = m_streams[fromServer];
    while (!stream.ahead.empty() && stream.ahead.begin()->first <= stream.next)
    {
        uint64_t end = stream.ahead.begin()->second;
        stream.ahead.erase(stream.ahead.begin());
        if (end > stream.next)
        {
            AdvanceTo(fromServer, end, stamp);
        }
    }
}

void
ColoCaptureConnection::FillFirstHole(bool fromServer, Time stamp)
{
    Stream& stream = m_streams[fromServer];
    uint64_t hole = stream.ahead.begin()->first - stream.next;
    if (hole <= HOLE_MAX)
    {
        m_missingBytes += hole;
        AdvanceTo(fromServer, stream.next + hole, stamp);
    }
    else
    {
        stream.next += hole;
        stream.nextSeq += static_cast<uint32_t>(hole);
    }
    TakeAhead(fromServer, stamp);
}

void
ColoCaptureConnection::Say(bool fromServer, uint64_t bytes, Time stamp)
{
    auto& turns = m_conversation.turns;
    if (turns.empty() || turns.back().fromServer != fromServer)
    {
        turns.push_back({fromServer, 0, std::max(stamp - m_turnEnd, Time(0))});
    }
    turns.back().bytes += bytes;
    m_turnEnd = std::max(m_turnEnd, stamp);
}

void
ColoCaptureConnection::Close(bool fromServer, bool reset)
{
    if (m_isClosed)
    {
        return;
    }
    m_isClosed = true;
    m_conversation.closer = fromServer ? ColoCloser::SERVER : ColoCloser::CLIENT;
    m_conversation.reset = reset;
}

} // namespace ns3
