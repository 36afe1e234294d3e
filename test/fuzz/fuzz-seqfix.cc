/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The sequence fix on the secondary host under a program of its guest, the client, the hints and
// the clock. Whatever they say, one offset holds for both directions between two events that
// could teach another one.
#include "fuzz-input.h"

#include <vector>

namespace colo_test
{
namespace
{

const uint64_t MILLISECOND_NS = 1000000;
const int FLOWS = 4;
const int STEPS_MAX = 600;
const uint32_t WAITING_MAX = 64;
const uint32_t JUMPS[] = {0, 1, 2, 40, 0U - 1, 0U - 40, 0x7fffff00, 0x80000000};

class FixRoom : public Room
{
  public:
    explicit FixRoom(const colo_config& config)
        : Room(COLO_ROLE_SECONDARY, config)
    {
    }

    /** What was given may teach another offset. */
    void Unsettle(const FlowKey& key)
    {
        m_fixes[key].isSettled = false;
        m_fixes[key].isStamped = false;
    }

    void UnsettleAll()
    {
        for (auto& [key, fix] : m_fixes)
        {
            fix.isSettled = false;
            fix.isStamped = false;
        }
    }

    /** The primary host tells what its guest sent. */
    void TellHint(const Bytes& frame)
    {
        RoomPacket packet(frame, SIZE_MAX, 0);
        if (colo_packet_parse(&packet.core, COLO_PRIMARY, &packet.key) == COLO_KIND_TCP)
        {
            Learn(packet);
        }
        Hint(frame);
    }

  protected:
    void OnGiven(const RoomPacket& packet, bool) override
    {
        const colo_packet& core = packet.core;
        if (core.kind == COLO_KIND_TCP)
        {
            Learn(packet);
        }
        bool teaches = core.tcp_flags & (COLO_TCP_SYN | COLO_TCP_RST);
        bool client = core.side == COLO_INBOUND && core.tcp_flags & COLO_TCP_ACK;
        if (core.kind == COLO_KIND_TCP &&
            (teaches || (client && (m_node.config.plain || m_node.failed_over))))
        {
            Unsettle(ToFlowKey(packet.key));
        }
    }

    void OnSent(const Sent& sent) override
    {
        const colo_packet& core = sent.packet.core;
        const colo_packet& now = sent.parsed;
        if (core.kind != COLO_KIND_TCP)
        {
            return; // quotes a connection; the room has seen that only that changed
        }
        Fix& fix = m_fixes[ToFlowKey(sent.packet.key)];
        Require(now.window == core.window && now.tcp_flags == core.tcp_flags, "more is rewritten");
        if (core.side == COLO_SECONDARY)
        {
            Require(now.ack == core.ack, "the ack of what goes out is rewritten (fix-both-ways)");
            // Without hints a SYN leaves before anybody can tell.
            if (!(colo_packet_is_syn(&core) && m_node.config.plain))
            {
                Settle(fix, now.seq - core.seq);
                CheckStamp(fix, core, now.tsval - core.tsval);
            }
            return;
        }
        Require(now.seq == core.seq, "the position of what comes in is rewritten (fix-both-ways)");
        if (!(core.tcp_flags & COLO_TCP_ACK))
        {
            return;
        }
        Settle(fix, core.ack - now.ack);
        CheckSack(sent);
        if (core.options & COLO_OPT_TIMESTAMPS)
        {
            // The edit is in the frame only.
            uint32_t before = colo_packet_tsecr(&core);
            CheckStamp(fix, core, before - colo_packet_tsecr(&now));
        }
    }

    void OnDropped(const RoomPacket& packet) override
    {
        const colo_packet& core = packet.core;
        uint64_t waited_ns = m_now - core.arrived_ns;
        switch (core.reason)
        {
        case COLO_DROP_EXPIRED:
            Require(waited_ns >= m_node.config.compare_timeout_ns, "dropped before its time");
            break;
        case COLO_DROP_LIMIT:
            Require(core.conn->held >= std::min(WAITING_MAX,
                                                std::min(2 * m_node.config.flow_held_max,
                                                         2 * m_node.config.node_held_max)) ||
                        m_node.held_count >= 2 * m_node.config.node_held_max,
                    "dropped at a limit that is not reached");
            break;
        case COLO_DROP_COMMIT:
            break;
        default:
            throw Violation("dropped for no reason of the sequence fix");
        }
    }

    void OnCommit() override
    {
        m_fixes.clear(); // both number alike from now on (fix-checkpoint)
    }

    void OnDone() override
    {
        Require(m_node.held_count <= WAITING_MAX * Connections(), "too many wait (bounded)");
        Require(m_node.extra_count == 0, "extra packets on a secondary");
    }

  private:
    /** What a SYN or an ack said. */
    struct Said
    {
        bool acks;
        bool isSyn;
        uint32_t seq;
        uint32_t ack;
    };

    struct Fix
    {
        bool isSettled = false;
        uint32_t offset = 0;
        bool isStamped = false;
        uint32_t stampOffset = 0;
        std::vector<Said> hints;
        std::vector<Said> syns;   //!< of the secondary
        std::vector<Said> client; //!< acks, which may teach where there are no hints
    };

    void Learn(const RoomPacket& packet)
    {
        Fix& fix = m_fixes[ToFlowKey(packet.key)];
        const colo_packet& core = packet.core;
        bool acks = core.tcp_flags & COLO_TCP_ACK;
        bool syn = core.tcp_flags & COLO_TCP_SYN;
        Said said{acks, syn, core.seq, core.ack};
        if (core.side == COLO_INBOUND && acks && !(core.payload_len && !syn))
        {
            fix.client.push_back(said);
        }
        else if (core.side != COLO_INBOUND && syn)
        {
            (core.side == COLO_PRIMARY ? fix.hints : fix.syns).push_back(said);
        }
    }

    // Of what the primary sent for the same SYN, or what the client said to exactly that.
    bool IsTaught(const Fix& fix, uint32_t offset) const
    {
        bool fromClient = m_node.config.plain || m_node.failed_over;
        for (const Said& own : fix.syns)
        {
            for (const Said& hint : fix.hints)
            {
                bool same = hint.acks == own.acks && (!own.acks || hint.ack == own.ack);
                if (same && offset == hint.seq - own.seq)
                {
                    return true;
                }
            }
            for (const Said& client : fix.client)
            {
                bool same = own.acks ? !client.isSyn && client.seq == own.ack : client.isSyn;
                if (fromClient && same && offset == client.ack - 1 - own.seq)
                {
                    return true;
                }
            }
        }
        return offset == 0;
    }

    void Settle(Fix& fix, uint32_t offset) const
    {
        Require(IsTaught(fix, offset), "an offset that nobody taught (fix-hint)");
        // What waited for a hint may teach several in turn once nobody is left to give one.
        Require(m_node.failed_over || !fix.isSettled || fix.offset == offset,
                "two offsets in one connection (fix-both-ways)");
        fix.isSettled = true;
        fix.offset = offset;
    }

    void CheckStamp(Fix& fix, const colo_packet& core, uint32_t offset)
    {
        if (!(core.options & COLO_OPT_TIMESTAMPS) || m_node.failed_over ||
            !(core.tcp_flags & COLO_TCP_ACK))
        {
            return; // at takeover it never falls behind the client's, whatever the offset is
        }
        Require(!fix.isStamped || fix.stampOffset == offset,
                "two offsets of stamps in one connection (fix-timestamps)");
        fix.isStamped = true;
        fix.stampOffset = offset;
    }

    static void CheckSack(const Sent& sent)
    {
        const colo_packet& core = sent.packet.core;
        if (!(core.options & COLO_OPT_SACK))
        {
            return;
        }
        for (uint32_t i = 0; i < 2U * core.sack_count; i++)
        {
            size_t at = core.l4_offset + core.sack_offset + 4 * i;
            Require(colo_get32(core.head + at) - colo_get32(sent.frame.data() + at) ==
                        core.ack - sent.parsed.ack,
                    "SACK moves otherwise than the ack (fix-both-ways)");
        }
    }

    std::map<FlowKey, Fix> m_fixes;
};

class Program
{
  public:
    explicit Program(FuzzInput input)
        : m_input(input),
          m_room(ReadConfig(m_input))
    {
    }

    void Run()
    {
        for (int step = 0; step < STEPS_MAX && !m_input.IsEmpty(); step++)
        {
            Step();
        }
        // Nothing waits for ever.
        m_room.Wait(10000 * MILLISECOND_NS);
        Require(m_room.Held() == 0, "something waits for ever (bounded)");
    }

  private:
    static colo_config ReadConfig(FuzzInput& input)
    {
        colo_config config = Room::DefaultConfig();
        uint8_t bits = input.Byte();
        config.plain = bits & 1;
        config.compare_timeout_ns = (bits & 2 ? 10 : 3000) * MILLISECOND_NS;
        config.flow_held_max = bits & 4 ? 4 : 1000;
        config.node_held_max = bits & 8 ? 6 : 1000;
        config.closed_timeout_ns = 1000 * MILLISECOND_NS;
        config.idle_timeout_ns = 5000 * MILLISECOND_NS;
        return config;
    }

    Segment Begin(bool inbound)
    {
        Segment segment;
        segment.inbound = inbound;
        segment.family = m_flow == 3 ? 6 : 4;
        segment.vlan = m_flow == 2 ? 5 : 0;
        segment.port = uint16_t(40000 + m_flow);
        return segment;
    }

    uint32_t Jump(bool jumps)
    {
        return jumps ? JUMPS[m_input.Below(8)] : 0;
    }

    Bytes Options(uint8_t what)
    {
        Bytes options;
        if (what & 1)
        {
            options = {1, 1, 8, 10, 0, 0, m_input.Byte(), 0, 0, 0, 0, m_input.Byte()};
        }
        if (what & 2)
        {
            options.insert(options.end(), {5, 10, 1, 2, 3, m_input.Byte(), 5, 6, 7, 8});
        }
        if (what & 4)
        {
            options.insert(options.begin(), 1);
        }
        return options;
    }

    // What: 1 elsewhere, 2 other ack, 4 options, 8 data, 16 FIN, 32 reset, 64 no ACK.
    void Say(bool inbound, uint8_t what)
    {
        Segment segment = Begin(inbound);
        uint32_t seqBase = inbound ? 500000 : 2000000;
        uint32_t ackBase = inbound ? 1000000 : 500000;
        segment.seq = m_isn[m_flow] + seqBase + 1 + Jump(what & 1);
        segment.flags = uint8_t((what & 64 ? 0 : 0x10) | (what & 16 ? 1 : 0) | (what & 32 ? 4 : 0));
        segment.ack = what & 64 ? 0 : m_isn[m_flow] + ackBase + 1 + Jump(what & 2);
        segment.options = what & 4 ? Options(m_input.Byte()) : Bytes();
        segment.payload = Bytes(what & 8 ? m_input.Below(40) : 0, 'x');
        m_room.Give(inbound ? COLO_INBOUND : COLO_SECONDARY, MakeFrame(segment));
    }

    // Of the client, the primary or the secondary. What: 1 an answer, 2 another ISN, 4 options.
    Bytes Syn(colo_side side, uint8_t what)
    {
        Segment segment = Begin(side == COLO_INBOUND);
        const uint32_t bases[] = {1000000, 2000000, 500000};
        segment.flags = what & 1 ? 0x12 : 0x02;
        segment.seq = m_isn[m_flow] + bases[side] + Jump(what & 2);
        uint32_t peer = side == COLO_INBOUND ? bases[COLO_PRIMARY] : bases[COLO_INBOUND];
        segment.ack = what & 1 ? m_isn[m_flow] + peer + 1 + Jump(what & 8) : 0;
        segment.options = what & 4 ? Options(m_input.Byte() & 5) : Bytes();
        return MakeFrame(segment);
    }

    // An error of a router about what the client's side has seen of the guest.
    void Refuse()
    {
        Segment quoted = Begin(false);
        quoted.family = 4;
        quoted.vlan = 0;
        quoted.seq = m_isn[m_flow] + 1000000 + m_input.Byte();
        Bytes quote = MakeFrame(quoted);
        Segment error = Begin(true);
        error.family = 4;
        error.protocol = 1;
        error.vlan = 0;
        error.payload.assign(quote.begin() + 14, quote.end());
        Bytes frame = MakeFrame(error);
        frame[34] = uint8_t(m_input.Bit() ? 3 : 11);
        m_room.Give(COLO_INBOUND, frame);
    }

    void Step()
    {
        uint8_t step = m_input.Byte();
        m_flow = step >> 6;
        m_room.m_now += 1000;
        switch (step % 16)
        {
        case 0:
        case 1:
        case 2:
            Say(false, m_input.Byte());
            break;
        case 3:
        case 4:
        case 5:
            Say(true, m_input.Byte());
            break;
        case 6:
            m_room.Give(COLO_SECONDARY, Syn(COLO_SECONDARY, m_input.Byte()));
            break;
        case 7:
            m_room.Give(COLO_INBOUND, Syn(COLO_INBOUND, m_input.Byte()));
            break;
        case 8:
        case 9:
            m_room.UnsettleAll();
            m_room.TellHint(Syn(COLO_PRIMARY, m_input.Byte()));
            break;
        case 10:
            m_room.Wait(MILLISECOND_NS << m_input.Below(13));
            break;
        case 11:
            LetGo(m_input.Byte());
            break;
        case 12:
            Refuse();
            break;
        case 13:
            m_isn[m_flow] = m_input.Number32();
            break;
        case 14:
            m_room.Poll();
            break;
        default:
            SayAnything();
        }
    }

    void LetGo(uint8_t what)
    {
        switch (what % 8)
        {
        case 0:
            m_room.UnsettleAll();
            m_room.FailOver();
            break;
        case 1:
            if (!m_room.Node().failed_over && m_room.Node().state == COLO_NODE_RUNNING)
            {
                m_room.Checkpoint();
            }
            break;
        case 2:
            m_room.UnsettleAll();
            m_room.Collect();
            break;
        case 3:
            m_room.UnsettleAll();
            m_room.Evict();
            break;
        default:
            m_room.NodeEvent(static_cast<enum colo_node_event>(what % 7),
                             m_room.Node().attempt + what / 64);
        }
    }

    void SayAnything()
    {
        auto side = m_input.Bit() ? COLO_SECONDARY : COLO_INBOUND;
        Bytes frame = m_input.Take(m_input.Byte());
        m_room.UnsettleAll();
        m_room.Give(side, frame);
    }

    FuzzInput m_input;
    FixRoom m_room;
    uint32_t m_isn[FLOWS] = {0, 0U - 1000000, 0x7fffffff, 0U - 2000000};
    int m_flow = 0;
};

} // namespace
} // namespace colo_test

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length)
{
    return colo_test::FuzzOne(bytes, length, [](colo_test::FuzzInput input) {
        colo_test::Program(input).Run();
    });
}
