/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_OUTPUT_H
#define COLO_REPLAY_OUTPUT_H

#include "colo-output-file.h"
#include "colo-replay-listener.h"
#include "colo-replay-options.h"

#include <cstdint>
#include <optional>

namespace ns3
{

/** The files that a replay writes. */
class ColoReplayOutput : public ColoReplayListener
{
  public:
    /**
     * \param options name the files.
     * \throws ColoUsageError if they cannot be written, or are the captures that are read.
     */
    explicit ColoReplayOutput(const ColoReplayOptions& options);

    // ColoReplayListener: a line of --verdicts, and a packet of --released.
    void WriteVerdict(const ColoReplayVerdict& verdict) override;
    void WriteReleased(int64_t stampNs, const uint8_t* frame, std::size_t size) override;
    /**
     * What is written while an engine speaks must not throw through it, so it is asked here.
     * \throws ColoUsageError if something could not be written.
     */
    void Check() const;
    /** The files get their places. */
    void Commit();

  private:
    std::optional<ColoOutputFile> m_verdicts;
    std::optional<ColoOutputFile> m_released;
};

} // namespace ns3

#endif /* COLO_REPLAY_OUTPUT_H */
