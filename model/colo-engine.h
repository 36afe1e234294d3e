/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ENGINE_H
#define COLO_ENGINE_H

// clang-format off
#include "colo_datagram.h"
#include "colo_failover.h"
#include "colo_flow.h"
#include "colo_seqfix.h"
// clang-format on

#include "colo-frame.h"
#include "colo-key.h"
#include "colo-reassembly.h"
#include "colo-table.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{

/** \ingroup colo What the core wants done, and what the messages among it carry. */
struct ColoActions
{
    uint32_t bits{0};    //!< COLO_ACTION_*
    uint32_t epoch{0};   //!< of the messages of a checkpoint
    uint32_t term{0};    //!< of heartbeats and of messages to the arbiter
    uint64_t stampNs{0}; //!< of heartbeats
};

/** \ingroup colo The packets of a mismatch, there until the engine is called again. */
struct ColoDiffering
{
    const ColoFrame* primary{nullptr};   //!< null if it has none
    const ColoFrame* secondary{nullptr}; //!< likewise; in the primary's numbers
};

/**
 * \ingroup colo
 *
 * What the engine tells the room it runs in.
 */
class ColoEngineRoom
{
  public:
    virtual ~ColoEngineRoom() = default;

    /**
     * Fragments come in the order of their offsets, when their datagram may leave.
     * \param frame may leave; its bytes are as they should, without what has left already.
     */
    virtual void Release(std::unique_ptr<ColoFrame> frame) = 0;
    /**
     * \param frame stays in the engine.
     * \param bytes leave on its behalf: a kept ack sent again, or some segments of a GSO frame,
     *              which leave ahead of the rest (rule tcp-gso). Its packet has the reason. If
     *              the frame is a fragment, they are the whole datagram.
     */
    virtual void Emit(const ColoFrame& frame, std::vector<uint8_t> bytes) = 0;
    /** \param bytes a frame for the secondary guest (rule tcp-remirror). */
    virtual void Remirror(std::vector<uint8_t> bytes) = 0;
    /** \param frame is done with. */
    virtual void Drop(std::unique_ptr<ColoFrame> frame) = 0;
    /** \param mismatch why a checkpoint is needed. */
    virtual void Mismatch(const colo_mismatch& mismatch) = 0;
    /** \param actions to carry out. */
    virtual void Act(const ColoActions& actions) = 0;
};

/**
 * \ingroup colo
 *
 * The core in user space: one node of either role, its connection table and its frames. No clock
 * and no ns-3 in it. Times are nanoseconds of the room's clock and never go back.
 */
class ColoEngine
{
  public:
    /** Connections that fit; the longest idle one makes room for the next. */
    static constexpr std::size_t CONNECTIONS_MAX = 1 << 20;

    /**
     * \param id the node's index.
     * \param role whether it compares or fixes sequence numbers.
     * \param config limits and intervals; without a digest key the engine draws one.
     * \param nowNs the time.
     * \param room is told what to do; must outlive the engine.
     * \param connectionsMax connections that fit.
     */
    ColoEngine(uint16_t id,
               colo_role role,
               const colo_config& config,
               uint64_t nowNs,
               ColoEngineRoom& room,
               std::size_t connectionsMax = CONNECTIONS_MAX);
    ~ColoEngine();

    ColoEngine(const ColoEngine&) = delete;
    ColoEngine& operator=(const ColoEngine&) = delete;

    /**
     * A frame to judge: of either guest for the primary role, between the secondary guest and the
     * world for the secondary role. It comes back by Release() or Drop(), now or later.
     * \param frame the frame.
     * \param nowNs the time.
     */
    void Input(std::unique_ptr<ColoFrame> frame, uint64_t nowNs);
    /**
     * Several frames one after the other. With very many connections this is quicker, as what is
     * known of one is fetched while another is judged.
     * \param frames the frames, taken away.
     * \param count how many.
     * \param nowNs the time.
     */
    void Input(std::unique_ptr<ColoFrame>* frames, std::size_t count, uint64_t nowNs);
    /**
     * A frame to learn from, which the room keeps. Primary role: inbound, drives the state of its
     * flow. Secondary role: the primary guest's SYN or SYN-ACK (rule fix-hint).
     * \param frame the frame.
     * \param nowNs the time.
     */
    void Observe(ColoFrame& frame, uint64_t nowNs);
    /**
     * \param event what happened to the checkpoint.
     * \param epoch of the message that told, if one did.
     * \param nowNs the time.
     * \return false if it does not fit; nothing changed then.
     */
    bool Event(enum colo_node_event event, uint32_t epoch, uint64_t nowNs);
    /** \return when Poll() has something to do, COLO_NEVER_NS if nothing. */
    uint64_t GetDeadline() const;
    /** \param nowNs the time; does all that is due by then. */
    void Poll(uint64_t nowNs);
    /**
     * A heartbeat of the other host has come, or its answer (rule fail-fence).
     * \param term that it carried.
     * \param stampNs that it carried.
     * \param nowNs the time.
     * \return false if it is of another term, or older than one before.
     */
    bool Heartbeat(uint32_t term, uint64_t stampNs, uint64_t nowNs);
    /**
     * The other host is lost; who may speak alone is then to be asked of the arbiter.
     * \param nowNs the time.
     * \return false if there is nothing to ask, as this node is no part of a pair.
     */
    bool LosePeer(uint64_t nowNs);

    /** Begin as the secondary of a survivor that protects itself again, before any frame. */
    void Join();
    /**
     * Begin as what a survivor that took over compares with, before any frame. It then lives on
     * as a stage: what its guest sends comes here behind it, in the numbers that clients know.
     * \param survivor of role secondary, took over.
     * \param before counted for the pair until now.
     * \param nowNs the time.
     */
    void Succeed(const ColoEngine& survivor, const colo_node_stats& before, uint64_t nowNs);
    /**
     * Fix from now on what a survivor that took over fixes, before any frame: for a copy of its
     * guest.
     * \param survivor of role secondary, as this one.
     * \param nowNs the time.
     */
    void FixLike(const ColoEngine& survivor, uint64_t nowNs);
    /** \param room is told from now on what to do; must outlive the engine. */
    void SetRoom(ColoEngineRoom& room);

    /**
     * What a mismatch is about, to be asked while the room is told of it. Decides nothing: reads
     * where the core has stopped.
     * \param mismatch the one told.
     * \return each guest's packet; null where there is none, or none alone is to blame.
     */
    ColoDiffering FindDiffering(const colo_mismatch& mismatch) const;

    /** \return the node, to read its statistics and state. */
    const colo_node& GetNode() const;
    /** \return connections in the table. */
    std::size_t GetConnections() const;
    /** \return bytes that the table takes. */
    std::size_t GetConnectionBytes() const;
    /** \return fragments that are not whole yet, and counters of them. */
    const ColoReassembly& GetReassembly() const;

  private:
    static constexpr uint64_t COLLECT_INTERVAL_NS = 10'000'000;

    static constexpr std::size_t BURST_MAX = 32; // large enough to hide the way to memory

    /** So many are in the cache of a core anyway. */
    static constexpr std::size_t CACHED_CONNECTIONS = 2048;

    /** What is known of a frame on its arrival. */
    struct Arrived
    {
        colo_key key;
        uint64_t hash{0}; //!< 0 if it is not known yet
    };

    void Prefetch(const std::unique_ptr<ColoFrame>* frames,
                  std::size_t count,
                  Arrived* arrived) const;
    colo_conn_type GetTable(const ColoFrame& frame) const;
    void Judge(std::unique_ptr<ColoFrame> frame, Arrived& arrived, uint64_t nowNs);

    template <typename Entry>
    Entry* Find(ColoTable<Entry>& table, const Arrived& arrived, uint64_t nowNs);
    template <typename Entry>
    Entry* Make(ColoTable<Entry>& table, const colo_key& key, uint64_t nowNs);
    void InitEntry(colo_flow& flow, const colo_key& key, uint64_t nowNs);
    void InitEntry(colo_datagrams& datagrams, const colo_key& key, uint64_t nowNs);
    void InitEntry(colo_seqfix& fix, const colo_key& key, uint64_t nowNs);

    void Compare(colo_packet* packet, const Arrived& arrived, uint64_t nowNs, colo_out& out);
    void Fix(colo_packet* packet, const Arrived& arrived, uint64_t nowNs, colo_out& out);
    std::unique_ptr<ColoFrame> PutTogether(std::unique_ptr<ColoFrame> fragment,
                                           uint64_t nowNs,
                                           colo_out& out);
    void Discard(ColoReassembly::Fragments fragments, colo_reason reason, colo_out& out);
    bool MakeSpace();
    void Forget(colo_conn* conn);
    void Collect(uint64_t nowNs);
    void Deliver(colo_out& out, uint64_t nowNs);
    void Hand(colo_out& out);
    void Tell(colo_out& out);
    void TellCopies(const colo_out& out);
    ColoWholeFrame* FindWhole(ColoFrame& frame);
    bool TellFragments(ColoFrame& frame, void (ColoEngineRoom::*tell)(std::unique_ptr<ColoFrame>));
    void Emit(colo_packet* packet, std::vector<uint8_t> bytes);

    colo_node m_node;
    ColoEngineRoom* m_room;
    const std::size_t m_connectionsMax;
    uint64_t m_collectNs{0}; //!< forgotten connections are looked for then
    ColoHash m_hash;
    ColoTable<colo_flow> m_flows{m_hash};
    ColoTable<colo_datagrams> m_datagrams{m_hash};
    ColoTable<colo_seqfix> m_fixes{m_hash};
    ColoReassembly m_reassembly;
    std::size_t m_wholes{0}; //!< datagrams in the core that came as fragments
    bool m_isTelling{false};
    std::deque<colo_out> m_untold; //!< decided while the room was being told something
};

} // namespace ns3

#endif /* COLO_ENGINE_H */
