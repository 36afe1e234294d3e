/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REASSEMBLY_H
#define COLO_REASSEMBLY_H

#include "colo-frame.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * A datagram that came as fragments. It goes through the core like any frame; its fragments, the
 * rooms' own, come and go in its stead.
 */
class ColoWholeFrame : public ColoBytesFrame
{
  public:
    using Fragments = std::vector<std::unique_ptr<ColoFrame>>;

    /**
     * \param side whose frame it is.
     * \param bytes the frame as it would be unfragmented.
     * \param dataOffset where in it the data of the fragments begins.
     * \param fragments all of them, in the order of their offsets.
     */
    ColoWholeFrame(colo_side side,
                   std::vector<uint8_t> bytes,
                   std::size_t dataOffset,
                   Fragments fragments);

    /** \return the fragment that the datagram begins with. */
    const ColoFrame& GetFirst() const;
    /**
     * Give the fragments away, in the order of their offsets. They have got this frame's data, so
     * the engine's edits, wherever these fall.
     */
    Fragments Split();

  private:
    const std::size_t m_dataOffset;
    Fragments m_fragments;
};

/**
 * \ingroup colo
 *
 * Puts IP fragments together, so that a flow never sees one (rule flow key): IPv4 by RFC 791,
 * IPv6 by RFC 8200, 4.5. Exact repeats do no harm; what overlaps otherwise is discarded with its
 * whole datagram (RFC 5722), in IPv4 as well.
 *
 * Sides do not share limits, as what arrives from outside must not cost a guest its datagrams. Of
 * a side's share no pair of addresses gets more than a part. At a limit the oldest makes room:
 * of the pair that is beyond its own, else of the side. A sender that invents addresses can thus
 * still push out others of its side, but neither those of other sides nor more memory.
 */
class ColoReassembly
{
  public:
    using Fragments = ColoWholeFrame::Fragments;

    /** From the first fragment on; RFC 8200 has 60 s, Linux this. */
    static constexpr uint64_t TIMEOUT_NS = 30'000'000'000;
    /** Datagrams in progress of one side. */
    static constexpr std::size_t DATAGRAMS_MAX = 1024;
    /** Their frames' bytes, with FRAGMENT_COST_BYTES for each frame. */
    static constexpr std::size_t BYTES_MAX = 4 << 20;
    /** What a frame costs besides its bytes, about; else tiny fragments would cost nothing. */
    static constexpr std::size_t FRAGMENT_COST_BYTES = 256;
    /** A pair of addresses gets this part of either limit. */
    static constexpr std::size_t PAIR_PART = 4;

    /** What became of fragments. */
    struct Stats
    {
        uint64_t wholes;      //!< datagrams put together
        uint64_t repeats;     //!< fragments that were there already
        uint64_t overlapping; //!< datagrams discarded for it
        uint64_t malformed;   //!< datagrams whose lengths contradict each other or the protocol
        uint64_t evicted;     //!< datagrams that made room
        uint64_t expired;     //!< datagrams of which something never came
    };

    /** What one fragment led to. */
    struct Result
    {
        std::unique_ptr<ColoWholeFrame> whole; //!< null if it is not whole yet
        Fragments lost;                        //!< part of no whole datagram
    };

    /**
     * \param fragment a frame of COLO_KIND_FRAGMENT.
     * \param nowNs the time, never before an earlier call's.
     * \return what is no longer kept here.
     */
    Result Add(std::unique_ptr<ColoFrame> fragment, uint64_t nowNs);
    /** \return when Expire() has something to do, COLO_NEVER_NS if never. */
    uint64_t GetDeadline() const;
    /** \return the fragments whose time is over at \p nowNs. */
    Fragments Expire(uint64_t nowNs);
    /** \return all that is kept of one side. */
    Fragments Forget(colo_side side);

    /** \return datagrams in progress of a side. */
    std::size_t GetDatagrams(colo_side side) const;
    /** \return what they cost, see BYTES_MAX. */
    std::size_t GetBytes(colo_side side) const;
    /** \return counters. */
    const Stats& GetStats() const;

  private:
    /** Of a datagram within its side. Those between the same addresses are neighbours. */
    struct Id
    {
        explicit Id(const ColoFrame& fragment);
        bool operator<(const Id& other) const;
        bool IsOfSamePair(const Id& other) const;

        colo_key pair;    //!< the flow's, without the protocol
        uint8_t protocol; //!< 0 in IPv6, where fragments may differ in it (RFC 8200, 4.5)
        uint32_t number;
    };

    struct Datagram
    {
        std::map<uint32_t, std::unique_ptr<ColoFrame>> fragments; //!< by offset
        uint32_t received{0};                                     //!< bytes of data
        uint32_t total{0}; //!< bytes of data that it has, 0 until the last fragment tells
        std::size_t cost{0};
        uint64_t age{0}; //!< larger is younger
        uint64_t deadlineNs{0};
    };

    using Datagrams = std::map<Id, Datagram>;

    struct Side
    {
        Datagrams datagrams;
        std::map<uint64_t, Datagrams::iterator> byAge; //!< all wait equally long: by deadline, too
        std::size_t bytes{0};
    };

    enum class Fit
    {
        RIGHT,
        REPEAT,
        OVERLAP,
        MALFORMED,
    };

    static Fit Check(const Datagram& datagram, const ColoFrame& fragment);
    static std::unique_ptr<ColoWholeFrame> Build(Datagram& datagram);
    static void Remove(Side& side, Datagrams::iterator at, Fragments& lost);
    void MakeRoom(Side& side, const Id& id, Fragments& lost);

    std::array<Side, COLO_INBOUND + 1> m_sides;
    uint64_t m_age{0};
    Stats m_stats{};
};

} // namespace ns3

#endif /* COLO_REASSEMBLY_H */
