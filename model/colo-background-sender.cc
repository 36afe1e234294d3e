/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-background-sender.h"

#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{

ColoBackgroundSender::~ColoBackgroundSender()
{
    Stop();
}

void
ColoBackgroundSender::Start(DataRate rate,
                            Time period,
                            uint32_t hostId,
                            Ptr<ColoMemory> memory,
                            Ptr<ColoCheckpointEnd> end,
                            std::function<bool()> mayRun)
{
    if (rate.GetBitRate() == 0)
    {
        return;
    }
    m_rate = rate;
    m_period = period;
    m_memory = memory;
    m_end = end;
    m_mayRun = std::move(mayRun);
    Simulator::ScheduleWithContext(hostId, Time(), [this] {
        if (m_end)
        {
            m_event = Simulator::Schedule(m_period, &ColoBackgroundSender::SendBatch, this);
        }
    });
}

void
ColoBackgroundSender::Stop()
{
    m_event.Cancel();
    m_memory = nullptr;
    m_end = nullptr;
    m_mayRun = nullptr;
}

void
ColoBackgroundSender::SendBatch()
{
    m_event = Simulator::Schedule(m_period, &ColoBackgroundSender::SendBatch, this);
    const uint32_t size = m_memory->GetPageSize() + PAGE_HEADER;
    const double batch = static_cast<double>(m_rate.GetBitRate()) / 8 * m_period.GetSeconds();
    // What one batch had no pages for is not made up for later; what is less than a page is.
    m_allowance = std::min(m_allowance + batch, batch + size);
    if (!m_mayRun() || !m_end->IsIdle())
    {
        return;
    }
    const uint64_t pages = m_memory->TakeDirty(static_cast<uint64_t>(m_allowance / size));
    if (pages > 0)
    {
        ColoCheckpointMessage message;
        message.type = MESSAGE;
        message.bytes = pages * size;
        m_allowance -= static_cast<double>(message.bytes);
        m_end->Send(message);
    }
}

} // namespace ns3
