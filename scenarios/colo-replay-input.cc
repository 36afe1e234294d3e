/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-input.h"

#include "colo-command-line.h"

#include <algorithm>

namespace ns3
{

namespace
{

/** More than any IP packet has. */
constexpr std::size_t FRAME_BYTES_MAX = 1 << 17;

} // namespace

ColoReplayInput::Source::Source(const std::string& path,
                                const std::set<ColoAddress>& guest,
                                int64_t shiftNs)
    : file(path),
      finder(guest),
      shiftNs(shiftNs)
{
}

/** A stamp that goes back counts as the latest before: the order of the file is what was seen. */
void
ColoReplayInput::Source::Fill()
{
    if (next || isOver)
    {
        return;
    }
    ColoCapturedPacket packet;
    if (!file.Next(packet))
    {
        isOver = true;
        return;
    }
    packet.stampNs += shiftNs;
    if (packet.number == 1)
    {
        counts.firstNs = packet.stampNs;
        counts.lastNs = packet.stampNs;
    }
    counts.stampsBack += packet.stampNs < counts.lastNs;
    packet.stampNs = std::max(packet.stampNs, counts.lastNs);
    counts.lastNs = packet.stampNs;
    next = std::move(packet);
}

ColoReplayInput::ColoReplayInput(const ColoReplayOptions& options)
    : m_hasGuest(!options.guest.empty()),
      m_primary(options.primary, options.guest, 0),
      m_secondary(options.secondary, options.guest, options.shiftSecondaryNs)
{
}

/** What goes to the guest only has to have its headers: nobody compares its payload. */
void
ColoReplayInput::CheckWhole(const Source& source, ColoReplayPacket& packet) const
{
    ColoCapturedPacket& captured = packet.captured;
    if (captured.frame.size() >= captured.wireBytes)
    {
        return;
    }
    if (packet.direction == ColoDirection::OUTBOUND)
    {
        throw ColoCaptureBreak(fmt::format("{}: packet {} was captured with {} of its {} bytes, so "
                                           "it cannot be compared; capture with -s 0",
                                           source.file.GetPath(),
                                           captured.number,
                                           captured.frame.size(),
                                           captured.wireBytes));
    }
    captured.frame.resize(std::min<std::size_t>(captured.wireBytes, FRAME_BYTES_MAX));
}

void
ColoReplayInput::CheckGuest(const Source& source) const
{
    const ColoReplayCounts& counts = source.counts;
    if (m_hasGuest && counts.packets && !counts.outbound)
    {
        throw ColoUsageError(fmt::format("option --guest: {}: none of its {} packets is from there",
                                         source.file.GetPath(),
                                         counts.packets));
    }
}

bool
ColoReplayInput::Next(ColoReplayPacket& packet)
{
    m_primary.Fill();
    m_secondary.Fill();
    if (!m_primary.next && !m_secondary.next)
    {
        CheckGuest(m_primary);
        CheckGuest(m_secondary);
        return false;
    }
    const bool isPrimary = m_primary.next && (!m_secondary.next ||
                                              m_primary.next->stampNs <= m_secondary.next->stampNs);
    Source& source = isPrimary ? m_primary : m_secondary;
    packet.capture = isPrimary ? COLO_PRIMARY : COLO_SECONDARY;
    packet.captured = std::move(*source.next);
    source.next.reset();
    if (!m_originNs)
    {
        m_originNs = packet.captured.stampNs;
    }
    packet.ns = packet.captured.stampNs - *m_originNs;
    try
    {
        packet.direction = source.finder.Find(packet.captured);
    }
    catch (const ColoUsageError& error)
    {
        throw ColoUsageError(fmt::format("{}: {}", source.file.GetPath(), error.what()));
    }
    CheckWhole(source, packet);
    source.counts.packets++;
    switch (packet.direction)
    {
    case ColoDirection::OUTBOUND:
        source.counts.outbound++;
        break;
    case ColoDirection::INBOUND:
        source.counts.inbound++;
        break;
    case ColoDirection::STRANGER:
        source.counts.strangers++;
        break;
    }
    return true;
}

int64_t
ColoReplayInput::GetOriginNs() const
{
    return m_originNs.value_or(0);
}

const ColoReplayCounts&
ColoReplayInput::GetCounts(colo_side capture) const
{
    return capture == COLO_PRIMARY ? m_primary.counts : m_secondary.counts;
}

uint64_t
ColoReplayInput::GetBytes() const
{
    const uint64_t primary = m_primary.file.GetBytes();
    const uint64_t secondary = m_secondary.file.GetBytes();
    return primary && secondary ? primary + secondary : 0;
}

uint64_t
ColoReplayInput::GetBytesRead() const
{
    return m_primary.file.GetBytesRead() + m_secondary.file.GetBytesRead();
}

} // namespace ns3
