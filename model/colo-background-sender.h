/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_BACKGROUND_SENDER_H
#define COLO_BACKGROUND_SENDER_H

#include "colo-checkpoint-end.h"
#include "colo-memory.h"

#include "ns3/data-rate.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"

#include <functional>

namespace ns3
{

/**
 * \ingroup colo
 *
 * Sends a running guest's dirty pages ahead of the next checkpoint, in small messages on the pair's
 * connection, so that less is left to send while the guests stand still. What the guest writes
 * again goes again.
 */
class ColoBackgroundSender
{
  public:
    /** Type of the messages; no event of the core. */
    static constexpr uint8_t MESSAGE = 0xff;
    /** Bytes that say which page follows. */
    static constexpr uint32_t PAGE_HEADER = 8;

    ColoBackgroundSender() = default;
    ~ColoBackgroundSender();
    ColoBackgroundSender(const ColoBackgroundSender&) = delete;
    ColoBackgroundSender& operator=(const ColoBackgroundSender&) = delete;

    /**
     * Begin. Pages go one batch a period, none while the messages before wait for the socket.
     * \param rate at most, of pages with their headers; 0 for nothing at all.
     * \param period from batch to batch: a checkpoint's messages wait behind at most one.
     * \param hostId node whose events these are.
     * \param memory of the guest.
     * \param end of the connection.
     * \param mayRun whether the guest runs, protected.
     */
    void Start(DataRate rate,
               Time period,
               uint32_t hostId,
               Ptr<ColoMemory> memory,
               Ptr<ColoCheckpointEnd> end,
               std::function<bool()> mayRun);
    /** End for good. */
    void Stop();

  private:
    void SendBatch();

    DataRate m_rate{0};
    Time m_period;
    Ptr<ColoMemory> m_memory;
    Ptr<ColoCheckpointEnd> m_end;
    std::function<bool()> m_mayRun;
    double m_allowance{0}; //!< bytes, left of the batches before
    EventId m_event;
};

} // namespace ns3

#endif /* COLO_BACKGROUND_SENDER_H */
