/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ENGINE_H
#define COLO_ENGINE_H

// clang-format off
#include "colo_flow.h"
#include "colo_seqfix.h"
// clang-format on

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 *
 * A frame on its way through the engine. Rooms derive their own from it, to find again what they
 * know of it besides its bytes.
 */
class ColoFrame
{
  public:
    /**
     * \param side whose frame it is.
     * \param bytes the Ethernet frame, without a checksum behind it.
     */
    ColoFrame(colo_side side, std::vector<uint8_t> bytes);
    virtual ~ColoFrame() = default;

    ColoFrame(const ColoFrame&) = delete;
    ColoFrame& operator=(const ColoFrame&) = delete;

    /** \return the frame as it came, or as it leaves once the engine released it. */
    const std::vector<uint8_t>& GetBytes() const;
    /** \return a copy with the engine's edits. */
    std::vector<uint8_t> GetEditedBytes() const;
    /** \return whether the engine changed a header. */
    bool IsEdited() const;
    /** \return what the core knows of it. */
    const colo_packet& GetPacket() const;
    /** \return whose frame it is. */
    colo_side GetSide() const;
    /** \return the connection it belongs to, in the guest's direction. */
    const colo_key& GetKey() const;
    /** \return whether it is a TCP SYN or SYN-ACK. */
    bool IsSyn() const;

  private:
    friend class ColoEngine;

    /** What the core links; finds the way back to the frame. */
    struct Linked : colo_packet
    {
        ColoFrame* frame;
    };

    static ColoFrame* From(colo_packet* packet);

    Linked m_packet;
    colo_key m_key;
    std::vector<uint8_t> m_bytes;
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

    /** \param frame may leave; its bytes are as they should. */
    virtual void Release(std::unique_ptr<ColoFrame> frame) = 0;
    /** \param frame stays in the engine; a copy of it with GetEditedBytes() is to leave. */
    virtual void Resend(const ColoFrame& frame) = 0;
    /** \param frame is done with. */
    virtual void Drop(std::unique_ptr<ColoFrame> frame) = 0;
    /** \param mismatch why a checkpoint is needed. */
    virtual void Mismatch(const colo_mismatch& mismatch) = 0;
    /**
     * \param actions bits COLO_ACTION_*.
     * \param epoch of the messages among them.
     */
    virtual void Act(uint32_t actions, uint32_t epoch) = 0;
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
     * \param config limits and intervals.
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
    /** \param nowNs the time; from now on this secondary speaks for itself. */
    void FailOver(uint64_t nowNs);

    /** \return the node, to read its statistics and state. */
    const colo_node& GetNode() const;
    /** \return connections in the table. */
    std::size_t GetConnections() const;

  private:
    struct Hash
    {
        std::size_t operator()(const colo_key& key) const;
    };

    struct Equal
    {
        bool operator()(const colo_key& a, const colo_key& b) const;
    };

    template <typename Entry>
    using Table = std::unordered_map<colo_key, std::unique_ptr<Entry>, Hash, Equal>;

    template <typename Entry>
    Entry* Find(Table<Entry>& table, const colo_key& key, uint64_t nowNs, bool make);
    static void InitEntry(colo_flow* flow, colo_node* node, const colo_key& key, uint64_t nowNs);
    static void InitEntry(colo_seqfix* fix, colo_node* node, const colo_key& key, uint64_t nowNs);

    void Compare(ColoFrame& frame, uint64_t nowNs, colo_out& out);
    void Fix(ColoFrame& frame, uint64_t nowNs, colo_out& out);
    bool MakeSpace();
    void Forget(const colo_conn& conn);
    void Collect(uint64_t nowNs);
    void Deliver(colo_out& out);

    colo_node m_node;
    ColoEngineRoom& m_room;
    const std::size_t m_connectionsMax;
    Table<colo_flow> m_flows;
    Table<colo_seqfix> m_fixes;
};

/**
 * \ingroup colo
 * \param key a connection.
 * \return "10.0.0.2:80 > 10.0.0.1:40000", the guest's end first.
 */
std::string ColoKeyToString(const colo_key& key);

} // namespace ns3

#endif /* COLO_ENGINE_H */
