/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_RUN_H
#define COLO_REPLAY_RUN_H

#include "colo-replay-input.h"
#include "colo-replay-listener.h"
#include "colo-replay-options.h"
#include "colo-replay-statistics.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace ns3
{

/**
 * The proxy of a primary host, given captured packets in place of guests. With --fix-isn also the
 * one of the secondary host, whose output goes to the first.
 */
class ColoReplayRun : private ColoEngineRoom
{
  public:
    /**
     * \param options what is asked for.
     * \param statistics is told what happens; must outlive this.
     * \param listener likewise.
     */
    ColoReplayRun(const ColoReplayOptions& options,
                  ColoReplayStatistics& statistics,
                  ColoReplayListener& listener);
    ~ColoReplayRun() override;

    /**
     * \param packet the next one.
     * \param originNs when its time begins, since 1970.
     */
    void Take(const ColoReplayPacket& packet, int64_t originNs);
    /** The captures are over: what is still held is reported. */
    void Finish();
    /**
     * Take() each packet, and Finish().
     * \param input the captures.
     * \param goesOn is asked before each packet.
     * \return why it ended before the captures did, if they are damaged; else empty.
     * \throws ColoUsageError as the input does.
     */
    std::string TakeAll(ColoReplayInput& input, const std::function<bool()>& goesOn);

    /**
     * Everything that is due until then happens.
     * \param ns since the first packet; never goes back.
     */
    void AdvanceTo(uint64_t ns);
    /** A checkpoint, now: the one that was asked for, or else one that an operator wants. */
    void CommitNow();
    /** \return a verdict that says so, for each packet that is held, in the order of arrival. */
    std::vector<ColoReplayVerdict> GetHeld() const;
    /**
     * \param side whose packet.
     * \param number its number; found soon if it has just come.
     * \return the same for it; nothing if it is not held.
     */
    std::optional<ColoReplayVerdict> FindHeld(colo_side side, uint64_t number) const;

    /** \return the node of the primary host, to read its statistics. */
    const colo_node& GetNode() const;

  private:
    class Frame;
    class FixRoom;

    // ColoEngineRoom
    void Release(std::unique_ptr<ColoFrame> frame) override;
    void Emit(const ColoFrame& frame, std::vector<uint8_t> bytes) override;
    void Remirror(std::vector<uint8_t> bytes) override;
    void Drop(std::unique_ptr<ColoFrame> frame) override;
    void Mismatch(const colo_mismatch& mismatch) override;
    void Act(const ColoActions& actions) override;

    void Outbound(const ColoReplayPacket& packet);
    void Inbound(const ColoReplayPacket& packet);
    std::unique_ptr<Frame> MakeFrame(colo_side side, const ColoReplayPacket& packet);
    void Leave(const Frame& frame, const uint8_t* bytes, std::size_t size, bool isPart);
    void Commit();
    void Note(const ColoReplayVerdict& verdict);
    ColoReplayVerdict MakeVerdict(ColoReplayVerdict::Event event, const Frame& frame) const;
    ColoReplayVerdict MakeHeld(const Frame& frame) const;

    const std::optional<uint64_t> m_commitAfterNs;
    const uint16_t m_gsoBytes;
    ColoReplayStatistics& m_statistics;
    ColoReplayListener& m_listener;
    int64_t m_originNs{0};
    uint64_t m_nowNs{0};
    uint64_t m_commitNs{COLO_NEVER_NS};
    uint32_t m_commitEpoch{0};
    ColoFramePool m_pool;
    const ColoReplayPacket* m_judged{nullptr}; //!< whose arrival brings on what is noted
    list_head m_held; //!< frames that the engines have, in the order of their arrival
    std::unique_ptr<FixRoom> m_fixRoom;
    std::unique_ptr<ColoEngine> m_fix; //!< only with --fix-isn
    std::unique_ptr<ColoEngine> m_compare;
};

} // namespace ns3

#endif /* COLO_REPLAY_RUN_H */
