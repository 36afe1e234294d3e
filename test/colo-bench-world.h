/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What colo-bench measures: an engine, and packets of both guests in the order of a case.
#ifndef COLO_TEST_COLO_BENCH_WORLD_H
#define COLO_TEST_COLO_BENCH_WORLD_H

#include "colo-engine.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace colo_test
{

using namespace ns3;

constexpr uint32_t PRIMARY_ISN = 0x10000000;
constexpr uint32_t CLIENT_ISN = 0x20000000;
constexpr uint64_t PACKET_NS = 100; // between two packets, on the engine's clock
constexpr uint32_t LIMIT = 1 << 24;

/** What arrives, and in which order. */
struct Case
{
    std::string name;
    uint8_t protocol{COLO_PROTOCOL_TCP};
    uint32_t payload{64};
    uint32_t connections{1};
    uint32_t lag{0};               //!< packets that one side is behind the other
    bool isSecondaryAhead{false};  //!< the primary is the one behind
    uint32_t primaryReversed{1};   //!< arrives in blocks of so many, the last first
    uint32_t secondaryReversed{1}; //!< likewise
    uint32_t cut{1};               //!< frames that the secondary needs for a payload
    bool hasTimestamps{false};
};

/** A frame in cache, of which a few fields are written before each use. */
class Template
{
  public:
    Template() = default;

    explicit Template(const Case& what)
        : m_isTcp(what.protocol == COLO_PROTOCOL_TCP),
          m_payload(what.payload),
          m_l4Len(m_isTcp ? (what.hasTimestamps ? 32 : 20) : 8)
    {
        m_bytes.resize(PayloadAt() + m_payload);
        colo_put16(&m_bytes[12], COLO_ETHERTYPE_IPV4);
        m_bytes[IP_AT] = 0x45;
        m_bytes[IP_AT + 8] = 64;
        m_bytes[IP_AT + 9] = what.protocol;
        for (uint32_t i = 0; i < m_payload; i++)
        {
            m_bytes[PayloadAt() + i] = i % 251;
        }
        SetLen(m_payload);
        if (m_isTcp)
        {
            m_bytes[L4_AT + 12] = m_l4Len / 4 << 4;
            colo_put16(&m_bytes[L4_AT + 14], 1000);
        }
        if (what.hasTimestamps)
        {
            const uint8_t option[] = {1, 1, COLO_TCPOPT_TIMESTAMPS, 10, 0, 0, 0, 1, 0, 0, 0, 1};
            std::memcpy(&m_bytes[L4_AT + 20], option, sizeof(option));
        }
    }

    /** Of a guest that serves, to a client. */
    void SetConnection(uint32_t number, bool isInbound)
    {
        const uint32_t guest = 0x0a000001;
        const uint32_t client = 0xc0000000 + number / 16384;
        const uint16_t port = 40000 + number % 16384;
        colo_put32(&m_bytes[IP_AT + 12], isInbound ? client : guest);
        colo_put32(&m_bytes[IP_AT + 16], isInbound ? guest : client);
        colo_put16(&m_bytes[L4_AT], isInbound ? port : 80);
        colo_put16(&m_bytes[L4_AT + 2], isInbound ? 80 : port);
    }

    void SetTcp(uint8_t flags, uint32_t seq, uint32_t ack)
    {
        colo_put32(&m_bytes[L4_AT + 4], seq);
        colo_put32(&m_bytes[L4_AT + 8], ack);
        m_bytes[L4_AT + 13] = flags;
    }

    /** Make the payload one of its own. */
    void Mark(uint64_t number)
    {
        std::memcpy(&m_bytes[PayloadAt()], &number, sizeof(number));
    }

    /** The frame with \p len bytes of payload, those from \p from on. */
    const uint8_t* Cut(const Template& whole, uint32_t from, uint32_t len)
    {
        std::memcpy(&m_bytes[PayloadAt()], &whole.m_bytes[PayloadAt() + from], len);
        SetLen(len);
        return m_bytes.data();
    }

    void SetLen(uint32_t payload)
    {
        m_size = PayloadAt() + payload;
        colo_put16(&m_bytes[IP_AT + 2], m_size - IP_AT);
        if (!m_isTcp)
        {
            colo_put16(&m_bytes[L4_AT + 4], 8 + payload);
        }
    }

    const uint8_t* GetBytes() const
    {
        return m_bytes.data();
    }

    uint32_t GetSize() const
    {
        return m_size;
    }

  private:
    static constexpr uint32_t IP_AT = 14;
    static constexpr uint32_t L4_AT = IP_AT + 20;

    uint32_t PayloadAt() const
    {
        return L4_AT + m_l4Len;
    }

    bool m_isTcp{true};
    uint32_t m_payload{0};
    uint32_t m_l4Len{0};
    uint32_t m_size{0};
    std::vector<uint8_t> m_bytes;
};

/** Which packet comes next on one side; without a division, as those would be measured. */
class Next
{
  public:
    Next(uint32_t connections, uint32_t block)
        : m_connections(connections),
          m_stride(STRIDE % connections),
          m_block(block)
    {
    }

    void Advance()
    {
        m_count++;
        if (++m_inBlock == m_block)
        {
            m_inBlock = 0;
        }
        // Neighbours in time are none in memory.
        m_connection += m_stride;
        if (m_connection >= m_connections)
        {
            m_connection -= m_connections;
        }
        if (++m_inTurn == m_connections)
        {
            m_inTurn = 0;
            m_turn++;
        }
    }

    uint64_t GetCount() const
    {
        return m_count;
    }

    bool IsInBlock() const
    {
        return m_inBlock;
    }

    /** \return its place in the order of sending. */
    uint64_t GetNumber() const
    {
        return m_count - m_inBlock + (m_block - 1 - m_inBlock);
    }

    uint32_t GetConnection() const
    {
        return m_connection;
    }

    /** \return packets of its connection before it; blocks are of one connection. */
    uint32_t GetTurn() const
    {
        return m_connections == 1 ? GetNumber() : m_turn;
    }

  private:
    static constexpr uint32_t STRIDE = 7919; // a prime that divides no power of ten

    uint32_t m_connections;
    uint32_t m_stride;
    uint32_t m_block;
    uint64_t m_count{0};
    uint32_t m_inBlock{0};
    uint32_t m_connection{0};
    uint32_t m_inTurn{0};
    uint32_t m_turn{0};
};

/** An engine with all connections of a case established, and the packets to come. */
class World : public ColoEngineRoom
{
  public:
    explicit World(const Case& what)
        : m_case(what),
          m_whole(what),
          m_raw(RAW_BYTES / (sizeof(Template) + 54 + what.payload)),
          m_sides(m_raw.size()),
          m_primaryNext(what.connections, what.primaryReversed),
          m_secondaryNext(what.connections, what.secondaryReversed),
          m_engine(7, COLO_ROLE_PRIMARY, Config(), m_now, *this)
    {
        Case bare = what;
        bare.payload = 0;
        Template frame(bare);
        for (uint32_t i = 0; i < what.connections && what.protocol == COLO_PROTOCOL_TCP; i++)
        {
            Open(frame, i);
        }
        Flush();
        m_openingReleases = m_released;
        m_whole.SetConnection(0, false);
        m_raw.assign(m_raw.size(), m_whole);
    }

    void Open(Template& frame, uint32_t connection)
    {
        frame.SetConnection(connection, true);
        frame.SetTcp(COLO_TCP_SYN, CLIENT_ISN, 0);
        Observe(frame);
        frame.SetConnection(connection, false);
        frame.SetTcp(COLO_TCP_SYN | COLO_TCP_ACK, PRIMARY_ISN, CLIENT_ISN + 1);
        Input(COLO_PRIMARY, frame);
        Input(COLO_SECONDARY, frame);
        frame.SetConnection(connection, true);
        frame.SetTcp(COLO_TCP_ACK, CLIENT_ISN + 1, PRIMARY_ISN + 1);
        Observe(frame);
    }

    /** Let one side come as far ahead as it is to be. */
    void Begin()
    {
        for (uint32_t i = 0; i < m_case.lag; i++)
        {
            m_case.isSecondaryAhead ? Secondary() : Primary();
        }
        Flush();
    }

    /** \return pairs whose raw frames fit into the ring. */
    uint64_t GetPairsMax() const
    {
        return (m_raw.size() - 1) / (1 + m_case.cut);
    }

    /** What is measured: the raw frames that are ready go through the engine, in bursts. */
    void Flush()
    {
        for (std::size_t done = 0; done < m_rawCount;)
        {
            std::size_t count = 0;
            for (; count < BURST && done < m_rawCount; count++, done++)
            {
                m_burst[count] =
                    m_pool.Make(m_sides[done], m_raw[done].GetBytes(), m_raw[done].GetSize());
            }
            m_now += count * PACKET_NS;
            m_engine.Input(m_burst.data(), count, m_now);
        }
        m_rawCount = 0;
    }

    /** Make a pair's raw frames ready. */
    void Step()
    {
        if (m_case.isSecondaryAhead)
        {
            Secondary();
            Primary();
        }
        else
        {
            Primary();
            Secondary();
        }
    }

    void Primary()
    {
        m_expectedSeq += Set(m_raw[m_rawCount], m_primaryNext);
        m_primaryNext.Advance();
        Input(COLO_PRIMARY);
    }

    void Secondary()
    {
        if (m_case.cut == 1)
        {
            Set(m_raw[m_rawCount], m_secondaryNext);
            m_secondaryNext.Advance();
            Input(COLO_SECONDARY);
            return;
        }
        const uint32_t seq = Set(m_whole, m_secondaryNext);
        m_secondaryNext.Advance();
        const uint32_t len = m_case.payload / m_case.cut;
        for (uint32_t i = 0; i < m_case.cut; i++)
        {
            const bool isLast = i + 1 == m_case.cut;
            Template& frame = m_raw[m_rawCount];
            frame.SetTcp(COLO_TCP_ACK, seq + i * len, CLIENT_ISN + 1);
            frame.Cut(m_whole, i * len, isLast ? m_case.payload - i * len : len);
            Input(COLO_SECONDARY);
        }
    }

    /** Complete what was begun. \return whether everything left, and nothing else happened. */
    bool Finish()
    {
        while (m_primaryNext.IsInBlock() || m_secondaryNext.IsInBlock())
        {
            Step();
        }
        while (m_secondaryNext.GetCount() < m_primaryNext.GetCount())
        {
            Secondary();
        }
        while (m_primaryNext.GetCount() < m_secondaryNext.GetCount())
        {
            Primary();
        }
        Flush();
        return m_mismatches == 0 && m_released - m_openingReleases == m_primaryNext.GetCount() &&
               m_releasedSeq == m_expectedSeq && m_engine.GetNode().held_count == 0 &&
               m_engine.GetNode().extra_count == 0;
    }

    std::size_t GetHeld() const
    {
        return m_engine.GetNode().held_count;
    }

    std::size_t GetConnectionBytes() const
    {
        return m_engine.GetConnectionBytes();
    }

    std::size_t GetPoolBytes() const
    {
        return m_pool.GetBytes();
    }

    uint32_t GetFrameSize() const
    {
        return m_whole.GetSize();
    }

    void Release(std::unique_ptr<ColoFrame> frame) override
    {
        m_released++;
        const colo_packet& packet = frame->GetPacket();
        const bool hasData = packet.kind == COLO_KIND_TCP && packet.payload_len;
        m_releasedSeq += hasData ? packet.seq : 0;
    }

    void Emit(const ColoFrame&, std::vector<uint8_t>) override
    {
        m_mismatches++;
    }

    void Remirror(std::vector<uint8_t>) override
    {
        m_mismatches++;
    }

    void Drop(std::unique_ptr<ColoFrame>) override
    {
    }

    void Mismatch(const colo_mismatch&) override
    {
        m_mismatches++;
    }

    void Act(const ColoActions&) override
    {
        m_mismatches++;
    }

  private:
    static colo_config Config()
    {
        colo_config config;
        colo_config_default(&config);
        config.flow_held_max = LIMIT;
        config.node_held_max = LIMIT;
        return config;
    }

    /** \return the sequence number, 0 for datagrams. */
    uint32_t Set(Template& frame, const Next& next)
    {
        if (m_case.connections > 1)
        {
            frame.SetConnection(next.GetConnection(), false);
        }
        frame.Mark(next.GetNumber());
        if (m_case.protocol != COLO_PROTOCOL_TCP)
        {
            return 0;
        }
        const uint32_t seq = PRIMARY_ISN + 1 + next.GetTurn() * m_case.payload;
        frame.SetTcp(COLO_TCP_ACK, seq, CLIENT_ISN + 1);
        return seq;
    }

    /** The next raw frame is ready, as in a driver's ring. */
    void Input(colo_side side)
    {
        m_sides[m_rawCount++] = side;
        if (m_rawCount == m_raw.size())
        {
            Flush();
        }
    }

    void Input(colo_side side, const Template& frame)
    {
        m_raw[m_rawCount] = frame;
        Input(side);
    }

    void Observe(const Template& frame)
    {
        Flush();
        m_now += PACKET_NS;
        m_engine.Observe(*m_pool.Make(COLO_INBOUND, frame.GetBytes(), frame.GetSize()), m_now);
    }

    const Case m_case;
    static constexpr std::size_t BURST = 32;
    static constexpr std::size_t RAW_BYTES = 1 << 17; //!< of the ring, less than a core's cache

    Template m_whole; //!< what the secondary cuts
    std::vector<Template> m_raw;
    std::vector<colo_side> m_sides;
    ColoFramePool m_pool;
    uint64_t m_now{1000000000};
    Next m_primaryNext;
    Next m_secondaryNext;
    uint64_t m_released{0};
    uint64_t m_openingReleases{0};
    uint64_t m_releasedSeq{0};
    uint64_t m_expectedSeq{0};
    uint64_t m_mismatches{0};
    ColoEngine m_engine;
    std::array<std::unique_ptr<ColoFrame>, BURST> m_burst;
    std::size_t m_rawCount{0};
};

} // namespace colo_test

#endif /* COLO_TEST_COLO_BENCH_WORLD_H */
