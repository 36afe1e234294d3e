/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The room that the core's tests play: it owns the packets, has a clock, and checks after every
// call that the core has neither lost nor doubled one.
#ifndef CORE_HARNESS_H
#define CORE_HARNESS_H

#include "colo_datagram.h"
#include "colo_flow.h"
#include "colo_remirror.h"
#include "colo_seqfix.h"
#include "core-frame.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace colo_test
{

/** One frame in memory of exactly its size, so that ASan sees every byte read beyond it. */
struct Packet
{
    Packet(const Bytes& bytes, size_t headLength);

    Bytes Frame() const;

    colo_packet core{};
    colo_key key{};
    std::unique_ptr<uint8_t[]> head;
    std::unique_ptr<uint8_t[]> rest;
    size_t pieceLength =
        7; //!< of the chunk callback, prime so that it never divides evenly; 0 fails
    bool isOut = false;
};

/** A frame that the core let go, with its edits applied. */
struct Sent
{
    Bytes frame;
    colo_packet parsed;
    colo_reason reason;
    uint32_t tsecr; //!< 0 without time stamps
};

/**
 * One node with its flows or fix entries.
 *
 * What came out is told as text, once: "1:101" is data, "S 0:0" a SYN, "F 101:101" a FIN,
 * "R 101:101" a RST, "ack 5 win 9" a packet without data. "->" begins what was edited. Of a packet
 * of several segments "part 0:2000" are payload bytes that leave before the rest, which is
 * "1:3001 from 2000". What is no segment is told by its payload, "'abc'".
 */
class Core
{
  public:
    virtual ~Core() = default;

    std::string Released();
    std::string Dropped();
    std::string Resent();
    /** The mismatch reported first since last asked: "bytes at 5: 'abc' not 'abd'", or "". */
    std::string Mismatch();
    /** Names of what the room has to do: "pause request". */
    std::string Actions();
    /** Why the last packet came out. */
    std::string Reason() const;

    /** Let time pass, and poll whenever the core wants to be polled. */
    void Wait(uint64_t milliseconds);
    bool Event(enum colo_node_event event, uint32_t epoch = 0);
    /** Drive a checkpoint from where the node is to its commit, and until it runs again. */
    void Checkpoint();
    /** Go on with what a call left unfinished, as happens by itself if m_goesOn. */
    void GoOn();

    uint64_t m_now = 1000000000;
    uint32_t m_primaryIsn = 1000000;
    uint32_t m_secondaryIsn = 1000000;
    uint32_t m_clientIsn = 500000;
    int m_family = 4;
    uint16_t m_port = 40000;        //!< chooses the flow
    size_t m_headLength = SIZE_MAX; //!< bytes of a frame that lie in the packet's head, if less
    colo_node m_node;
    bool m_goesOn = true;
    uint16_t m_gsoSize = 0;   //!< of the frames to come
    std::vector<Sent> m_sent; //!< every frame let go, resent ones and parts included
    std::vector<Bytes> m_remirrored;

  protected:
    explicit Core(colo_role role);

    Packet& Keep(const Bytes& frame);
    void Absorb(colo_out& out);
    void Check();
    virtual std::string Describe(const colo_packet& packet, const Sent& sent) const = 0;
    /** What the edits changed: " -> ack 5 win 9", or "". */
    virtual std::string Edits(const colo_packet& packet, const Sent& sent) const;

    std::vector<std::unique_ptr<Packet>> m_held; //!< in the core
    std::vector<std::unique_ptr<Packet>> m_done; //!< came out of it

  private:
    Packet* TakeOut(colo_packet* packet);
    Sent Send(const colo_packet* packet);
    static void Append(std::string& list, const std::string& text);
    static std::string Take(std::string& text);

    std::string m_released;
    std::string m_dropped;
    std::string m_resent;
    std::string m_mismatch;
    std::string m_reason;
    uint32_t m_actions = 0;
};

/** The comparison on the primary host. Both guests' numbers are relative to the primary's ISN. */
class FlowCore : public Core
{
  public:
    FlowCore();

    void Primary(const std::string& line);
    /** A SYN's own number is relative to the secondary's ISN: nobody has rewritten it. */
    void Secondary(const std::string& line);
    void Client(const std::string& line);
    void Input(colo_side side, const Bytes& frame);

    /** The flow of m_port. */
    colo_flow& Flow();
    /** Forget connections whose time is over; how many. */
    int Collect();

  protected:
    std::string Describe(const colo_packet& packet, const Sent& sent) const override;
    std::string Edits(const colo_packet& packet, const Sent& sent) const override;

  private:
    colo_flow& FlowOf(const colo_key& key);
    colo_datagrams& DatagramsOf(const colo_key& key);

    std::map<Bytes, std::unique_ptr<colo_flow>> m_flows;
    std::map<Bytes, std::unique_ptr<colo_datagrams>> m_datagrams;
};

/** A connection that the client opened, without options; each side has acknowledged 1. */
class EstablishedFlow : public FlowCore
{
  public:
    explicit EstablishedFlow(uint32_t primaryIsn = 1000000, uint32_t clientIsn = 500000);

  protected:
    void Open(const std::string& client, const std::string& primary, const std::string& secondary);
};

/** The sequence fix on the secondary host: "out" is what its guest sent, "in" what it gets. */
class FixCore : public Core
{
  public:
    FixCore();

    /** In the secondary's own numbers. */
    void Secondary(const std::string& line);
    /** In the primary's, which the client knows. */
    void Client(const std::string& line);
    /** What the primary guest sent, as its host tells. */
    void Hint(const std::string& line);
    void FailOver();
    int Collect();
    colo_seqfix& Fix();
    bool HasFix() const;

  protected:
    std::string Describe(const colo_packet& packet, const Sent& sent) const override;

  private:
    void Input(colo_side side, const Bytes& frame);

    std::map<uint16_t, std::unique_ptr<colo_seqfix>> m_fixes;
};

// Without shim and hints, as in 2015 and in replay.
struct PlainFix : FixCore
{
    PlainFix()
    {
        m_node.config.plain = true;
    }
};

// The client opened; the handshake is over. Stamps: the primary's 1000 is the secondary's 40.
struct EstablishedFix : FixCore
{
    EstablishedFix()
    {
        Client("S 0:0(0) <ts 7 0>");
        Hint("S. 0:0(0) ack 1 <ts 1000 7>");
        Secondary("S. 0:0(0) ack 1 <ts 40 7>");
        Client(". 1:1(0) ack 1 <ts 8 1000>");
        Released();
    }
};

} // namespace colo_test

#endif // CORE_HARNESS_H
