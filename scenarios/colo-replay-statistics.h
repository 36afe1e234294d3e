/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_STATISTICS_H
#define COLO_REPLAY_STATISTICS_H

#include "ns3/colo-engine.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace ns3
{

/** Something that a replay decided. */
struct ColoReplayVerdict
{
    enum Event
    {
        RELEASE,
        DROP,
        MISMATCH,
        COMMIT,
        HELD_AT_END,
        HOLD, //!< only told by colo.Comparator, whose packets have no end
        EVENT_COUNT
    };

    Event event{RELEASE};
    uint64_t ns{0}; //!< since the first packet of both captures
    std::optional<colo_side> side;
    uint64_t packet{0}; //!< its number in its capture, 0 for none
    std::optional<colo_key> key;
    colo_reason reason{COLO_REASON_NONE};
    std::optional<uint32_t> position; //!< in the primary's numbering
    const colo_mismatch* mismatch{nullptr};
    bool isAgain{false}; //!< a copy of a packet that left before
    bool isPart{false};  //!< some segments of a packet, whose rest is held
    /** \return whether it is a packet's last one. */
    bool IsFinal() const;
    uint64_t heldNs{0};

    /** \return "release", "held-at-end" ... */
    const char* GetEventName() const;
    /** \return "primary" or "secondary"; nullptr for none. */
    const char* GetSideName() const;
    /** \return which flow; empty for none. */
    std::string GetFlowName() const;
    /**
     * \param of which side.
     * \return of a mismatch, hexadecimal digits of the first bytes that differ.
     */
    std::string GetBytes(colo_side of) const;
};

/** Times in buckets, so that any number of them takes the same memory. */
class ColoReplayTimes
{
  public:
    /** \param ns a time. */
    void Add(uint64_t ns);
    /** \return how many. */
    uint64_t GetCount() const;
    /** \return milliseconds, exactly. */
    double GetMeanMs() const;
    /** \return milliseconds, exactly. */
    double GetMaxMs() const;
    /**
     * \param share of all times.
     * \return milliseconds that this share does not exceed, to within 1/2048.
     */
    double GetPercentileMs(double share) const;

  private:
    static constexpr unsigned PRECISION_BITS = 10;

    std::array<uint64_t, (64 - PRECISION_BITS + 1) << PRECISION_BITS> m_buckets{};
    uint64_t m_count{0};
    double m_sumNs{0};
    uint64_t m_maxNs{0};
};

/** What became of one flow. */
struct ColoReplayFlow
{
    uint64_t packets[2]{}; //!< of either guest
    uint64_t released{0};
    uint64_t heldAtEnd{0};
    uint64_t mismatches{0};
    uint64_t heldNsMax{0};
    bool hasSyn[2]{}; //!< of either guest
};

/** What became of all. */
class ColoReplayStatistics
{
  public:
    /** Flows that are told apart; what is beyond them only counts in the sums. */
    static constexpr std::size_t FLOWS_MAX = 100000;

    struct Hash
    {
        std::size_t operator()(const colo_key& key) const;
    };

    struct Equal
    {
        bool operator()(const colo_key& a, const colo_key& b) const;
    };

    using Flows = std::unordered_map<colo_key, ColoReplayFlow, Hash, Equal>;

    /**
     * \param frame of a guest, about to be judged.
     * \param side whose.
     */
    void NotePacket(const ColoFrame& frame, colo_side side);
    /** \param verdict a verdict. */
    void NoteVerdict(const ColoReplayVerdict& verdict);

    /** \return how many verdicts of a kind. */
    uint64_t GetCount(ColoReplayVerdict::Event event, colo_side side, colo_reason reason) const;
    /** \return checkpoints. */
    uint64_t GetCommits() const;
    /** \return mismatches, or commits, for a reason. */
    uint64_t GetCount(ColoReplayVerdict::Event event, colo_reason reason) const;
    /** \return how long the primary's released packets were held. */
    const ColoReplayTimes& GetHeld() const;
    /** \return the flows with most packets, at most so many. */
    std::vector<const Flows::value_type*> GetBusiest(std::size_t count) const;
    /** \return how many flows are told apart. */
    std::size_t GetFlows() const;
    /** \return packets of flows beyond FLOWS_MAX. */
    uint64_t GetUntrackedPackets() const;
    /** \return TCP flows with packets of the secondary, but without a SYN of both guests. */
    std::size_t GetFlowsWithoutOffset() const;

  private:
    ColoReplayFlow* Find(const colo_key& key);

    /** Without a side behind those of both. */
    uint64_t m_counts[ColoReplayVerdict::EVENT_COUNT][3][COLO_REASON_COUNT]{};
    ColoReplayTimes m_held;
    Flows m_flows;
    uint64_t m_untrackedPackets{0};
    uint64_t m_commits{0};
};

} // namespace ns3

#endif /* COLO_REPLAY_STATISTICS_H */
