/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_INPUT_H
#define COLO_REPLAY_INPUT_H

#include "colo-replay-direction.h"

#include <optional>

namespace ns3
{

/** One packet of either capture, at its place in time. */
struct ColoReplayPacket
{
    colo_side capture{COLO_PRIMARY}; //!< whose file it is from
    ColoDirection direction{ColoDirection::OUTBOUND};
    uint64_t ns{0}; //!< since the first packet of both files; never goes back
    ColoCapturedPacket captured;
};

/** What was in a file. */
struct ColoReplayCounts
{
    uint64_t packets{0};
    uint64_t outbound{0};
    uint64_t inbound{0};
    uint64_t strangers{0};
    uint64_t stampsBack{0}; //!< packets whose stamp is before an earlier one's
    int64_t firstNs{0};     //!< stamps, shifted
    int64_t lastNs{0};
};

/** Both captures, merged by time. */
class ColoReplayInput
{
  public:
    /**
     * \param options name the files.
     * \throws ColoUsageError if one of them is of no use.
     */
    explicit ColoReplayInput(const ColoReplayOptions& options);

    /**
     * \param packet is set.
     * \return false at the end of both.
     * \throws ColoCaptureBreak if one of them cannot be read, or judged, beyond here.
     * \throws ColoUsageError if the guest's addresses are needed, or are none of the captures'.
     */
    bool Next(ColoReplayPacket& packet);

    /** \return when time begins, since 1970. */
    int64_t GetOriginNs() const;
    /** \param capture whose. \return what was read of it until now. */
    const ColoReplayCounts& GetCounts(colo_side capture) const;
    /** \return size of both files, 0 if that is not known. */
    uint64_t GetBytes() const;
    /** \return how much of that has been read. */
    uint64_t GetBytesRead() const;

  private:
    /** A file and its next packet. */
    struct Source
    {
        Source(const std::string& path, const std::set<ColoAddress>& guest, int64_t shiftNs);

        void Fill();

        ColoCaptureFile file;
        ColoDirectionFinder finder;
        int64_t shiftNs;
        std::optional<ColoCapturedPacket> next;
        bool isOver{false};
        ColoReplayCounts counts;
    };

    void CheckWhole(const Source& source, ColoReplayPacket& packet) const;
    void CheckGuest(const Source& source) const;

    bool m_hasGuest;
    Source m_primary;
    Source m_secondary;
    std::optional<int64_t> m_originNs;
};

} // namespace ns3

#endif /* COLO_REPLAY_INPUT_H */
