/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_OUTPUT_H
#define COLO_REPLAY_OUTPUT_H

#include "colo-output-file.h"
#include "colo-replay-options.h"
#include "colo-replay-statistics.h"

#include <cstdint>
#include <optional>

namespace ns3
{

/** The files that a replay writes. */
class ColoReplayOutput
{
  public:
    /**
     * \param options name the files.
     * \throws ColoUsageError if they cannot be written, or are the captures that are read.
     */
    explicit ColoReplayOutput(const ColoReplayOptions& options);

    /**
     * A line of --verdicts.
     * \param verdict a verdict.
     */
    void WriteVerdict(const ColoReplayVerdict& verdict);
    /**
     * A packet of --released.
     * \param stampNs since 1970.
     * \param frame its bytes.
     * \param size how many there are.
     */
    void WriteReleased(int64_t stampNs, const uint8_t* frame, std::size_t size);
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
