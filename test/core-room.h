/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A room for random and hostile input: it owns the packets, finds their connections as a real
// room does, and throws as soon as the core breaks a promise that holds whatever comes in.
#ifndef CORE_ROOM_H
#define CORE_ROOM_H

#include "colo_datagram.h"
#include "colo_flow.h"
#include "colo_remirror.h"
#include "colo_seqfix.h"
#include "core-segment.h"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace colo_test
{

/** A promise of the core was broken. */
struct Violation : std::runtime_error
{
    using std::runtime_error::runtime_error;
};

/** Throws what is not so. */
void Require(bool so, const char* what);

/** One frame in memory of exactly its size, so that ASan sees every byte read beyond it. */
struct RoomPacket
{
    RoomPacket(const Bytes& bytes, size_t headLength, uint16_t gsoSize);

    Bytes Frame() const;

    colo_packet core{};
    colo_key key{};
    std::unique_ptr<uint8_t[]> head;
    std::unique_ptr<uint8_t[]> rest;
    size_t pieceLength = 7; //!< what the room reads at once beyond the head
    uint64_t number = 0;    //!< counts the frames given
};

using FlowKey = std::string; //!< the bytes of a colo_key

FlowKey ToFlowKey(const colo_key& key);

/** How a frame comes to leave. */
enum class Exit
{
    RELEASE,
    PART,
    RESEND,
};

class Room
{
  public:
    Room(colo_role role, const colo_config& config);
    virtual ~Room();

    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    /** What a room that reads frames in pieces would configure. */
    static colo_config DefaultConfig();

    /**
     * A frame for the core, at the time m_now.
     * \return false if it is nothing for the core: a fragment, or inbound and no TCP.
     */
    bool Give(colo_side side, const Bytes& frame, size_t headLength = SIZE_MAX, uint16_t gso = 0);
    /** To the secondary's node: the primary guest sent this. */
    void Hint(const Bytes& frame);
    /** A heartbeat, or its answer, has come. */
    bool Heartbeat(uint32_t term, uint64_t stamp_ns);
    void FailOver();
    bool NodeEvent(enum colo_node_event event, uint32_t epoch);
    /** Drive a checkpoint to its commit, and until the node runs again. */
    void Checkpoint();
    /** Let time pass, and poll whenever the core wants to be polled. */
    void Wait(uint64_t nanoseconds);
    void Poll();
    /** Forget connections that are done with. */
    void Collect();
    void Evict();

    const colo_node& Node() const;
    size_t Held() const;
    size_t Connections() const;

    uint64_t m_now = 1000000000;
    size_t m_pieceLength = 7; //!< of the packets to come

  protected:
    /** A frame as it leaves, edits applied; of a part, only the payload that leaves now. */
    struct Sent
    {
        const RoomPacket& packet;
        Bytes frame;
        colo_packet parsed; //!< of frame; its head points into it
        Exit exit;
        uint32_t seq;     //!< of its first byte of payload, or of its SYN, FIN or reset
        uint32_t payload; //!< bytes of payload that leave now, of frame from here on
        uint32_t length;
    };

    virtual void OnGiven(const RoomPacket&, bool /* isKnown */)
    {
    }

    virtual void OnSent(const Sent&)
    {
    }

    virtual void OnDropped(const RoomPacket&)
    {
    }

    virtual void OnMismatch(const colo_mismatch&)
    {
    }

    virtual void OnActions(const colo_out& /* decided */)
    {
    }

    virtual void OnRemirror(const RoomPacket&, const Bytes&, const colo_packet&)
    {
    }

    /** Called when the node has begun another epoch, before what that releases comes out. */
    virtual void OnCommit()
    {
    }

    /** The whole decision of one call has been told. */
    virtual void OnDone()
    {
    }

    const std::map<const colo_packet*, std::unique_ptr<RoomPacket>>& InCore() const;
    bool IsKept(const colo_packet& packet) const;

    colo_node m_node;

  private:
    struct Connection
    {
        colo_conn_type type;
        colo_flow flow;
        colo_datagrams datagrams;
        colo_seqfix fix;
    };

    struct Decision : colo_out
    {
        Decision()
        {
            colo_out_init(this);
        }
    };

    Connection* Find(const colo_key& key, colo_conn_type type);
    Connection& Make(const colo_key& key, colo_conn_type type);
    void Judge(RoomPacket& packet, colo_out& out);
    bool JudgeAsSecondary(RoomPacket& packet, colo_out& out);
    void Absorb(colo_out& out);
    void Send(const RoomPacket& packet, Exit exit, uint32_t from, uint32_t to);
    std::unique_ptr<RoomPacket> TakeOut(const colo_packet* packet);
    void Remirror(const colo_remirror& remirror);
    void CheckCounts();
    void CheckDeadline();
    void Forget(const colo_conn* conn);
    void Tell(const char* what, const std::string& text) const;

    std::map<std::pair<colo_conn_type, FlowKey>, std::unique_ptr<Connection>> m_connections;
    std::map<const colo_packet*, std::unique_ptr<RoomPacket>> m_inCore;
    std::map<const colo_conn*, std::pair<uint32_t, uint32_t>> m_counts;
    uint32_t m_epoch = 0;
    uint64_t m_given = 0;
    const bool m_isTold; //!< with COLO_TEST_TRACE all that goes in and out is printed
};

std::string Describe(const colo_packet& packet);

} // namespace colo_test

#endif // CORE_ROOM_H
