/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// A program of two guests, their client and the clock, in the fuzzer's bytes. Guests mostly say
// what stacks would say next, so that little input leads deep; the oracle trusts them in nothing.
#include "compare-oracle.h"
#include "fuzz-input.h"

namespace colo_test
{
namespace
{

const uint64_t MILLISECOND_NS = 1000000;
const int FLOWS = 4;
const int STEPS_MAX = 600;
const uint8_t FLAGS[] = {0x10, 0x10, 0x18, 0x11, 0x12, 0x02, 0x04, 0x14};
const uint32_t JUMPS[] = {0, 1, 2, 40, 0U - 1, 0U - 40, 0x7fffff00, 0x80000000};

struct Guest
{
    uint32_t next = 0; //!< position of the next byte
    uint32_t ack = 0;
};

struct Flow
{
    uint32_t isn = 0;
    uint32_t clientIsn = 0;
    Guest guests[2];
    uint32_t clientAck = 0;
};

class Program
{
  public:
    explicit Program(FuzzInput input);

    void Run();

  private:
    static colo_config ReadConfig(FuzzInput& input);
    void Step();
    void Say(colo_side side, uint8_t what);
    void Reply(uint8_t what);
    void SayDatagram(colo_side side, uint8_t what);
    void SayAnything();
    void Open();
    void LetTimePass();
    void Drive();
    void Answer();
    Segment Begin(colo_side side);
    Bytes ReadOptions(bool syn);
    Bytes ReadPayload(uint32_t position, bool differs);
    void Give(colo_side side, const Segment& segment, uint16_t gso = 0);

    FuzzInput m_input;
    OracleRoom m_room;
    Flow m_flows[FLOWS];
    int m_flow = 0;
    size_t m_headLength;
};

colo_config
Program::ReadConfig(FuzzInput& input)
{
    colo_config config = Room::DefaultConfig();
    uint8_t bits = input.Byte();
    config.ack_policy = bits & 1 ? COLO_ACK_CLAMP : COLO_ACK_HOLD;
    config.malformed_hold = bits & 2;
    config.checkpoint_interval_min_ns = bits & 4 ? 50 * MILLISECOND_NS : 0;
    config.checkpoint_interval_max_ns = bits & 8 ? 200 * MILLISECOND_NS : 0;
    config.compare_timeout_ns = (bits & 16 ? 10 : 3000) * MILLISECOND_NS;
    config.closed_timeout_ns = 1000 * MILLISECOND_NS;
    config.idle_timeout_ns = 5000 * MILLISECOND_NS;
    config.reorder_window = 1 + input.Below(8);
    config.flow_held_max = bits & 32 ? 1 + input.Below(16) : 1000;
    config.node_held_max = bits & 64 ? 1 + input.Below(32) : 2000;
    if (bits & 128)
    {
        config.lease_ns = 30 * MILLISECOND_NS;
        config.takeover_ns = 50 * MILLISECOND_NS;
        config.heartbeat_interval_ns = 7 * MILLISECOND_NS;
    }
    return config;
}

Program::Program(FuzzInput input)
    : m_input(input),
      m_room(ReadConfig(m_input))
{
    uint8_t bits = m_input.Byte();
    m_headLength = bits & 1 ? 14 + 60 + 60 : SIZE_MAX;
    m_room.m_pieceLength = 1 + bits / 8;
    for (int i = 0; i < FLOWS; i++)
    {
        Flow& flow = m_flows[i];
        flow.isn = 1000U * uint32_t(i) - (bits & 2 ? 20 : 0x40000000);
        flow.clientIsn = 0U - uint32_t(bits & 4 ? 10 : 0x30000000);
        flow.guests[0] = flow.guests[1] = Guest{flow.isn + 1, flow.clientIsn + 1};
        flow.clientAck = flow.isn + 1;
    }
}

Segment
Program::Begin(colo_side side)
{
    Segment segment;
    segment.inbound = side == COLO_INBOUND;
    segment.family = m_flow == 3 ? 6 : 4;
    segment.vlan = m_flow == 2 ? 5 : 0;
    segment.port = uint16_t(40000 + m_flow);
    return segment;
}

void
Program::Give(colo_side side, const Segment& segment, uint16_t gso)
{
    m_room.Give(side, MakeFrame(segment), m_headLength, gso);
}

Bytes
Program::ReadOptions(bool syn)
{
    Bytes options;
    uint8_t bits = m_input.Byte();
    if (bits & 1)
    {
        options = {8, 10, 0, 0, 0, m_input.Byte(), 0, 0, 0, m_input.Byte()};
    }
    if (syn && bits & 2)
    {
        options.insert(options.end(), {3, 3, m_input.Byte()});
    }
    if (syn && bits & 4)
    {
        options.insert(options.end(), {30, 12, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8});
    }
    if (bits & 8)
    {
        Bytes own = m_input.Take(m_input.Below(16));
        options.insert(options.end(), own.begin(), own.end());
    }
    options.resize(std::min<size_t>(options.size(), 40));
    return options;
}

Bytes
Program::ReadPayload(uint32_t position, bool differs)
{
    uint32_t length = m_input.Below(80);
    Bytes payload;
    for (uint32_t i = 0; i < length; i++)
    {
        payload.push_back(uint8_t((position + i) % 251));
    }
    if (differs && length)
    {
        payload[m_input.Below(length)] ^= m_input.Byte();
    }
    return payload;
}

// What: 1 elsewhere than next, 2 other flags, 4 options, 8 no payload, 16 other ack and window,
// 32 differing bytes, 64 one packet of several segments.
void
Program::Say(colo_side side, uint8_t what)
{
    Flow& flow = m_flows[m_flow];
    Guest& guest = flow.guests[side];
    Segment segment = Begin(side);
    segment.seq = guest.next;
    if (what & 1)
    {
        uint8_t jump = m_input.Byte();
        segment.seq += JUMPS[jump % 8] + uint32_t(jump / 8);
    }
    if (what & 2)
    {
        segment.flags = FLAGS[m_input.Below(8)];
    }
    bool syn = segment.flags & COLO_TCP_SYN;
    if (syn)
    {
        segment.seq = flow.isn + (side == COLO_SECONDARY ? 77 : 0);
    }
    if (what & 4)
    {
        segment.options = ReadOptions(syn);
    }
    if (what & 16)
    {
        uint8_t ack = m_input.Byte();
        guest.ack += ack % 8 ? ack % 64 : JUMPS[ack / 8 % 8];
        segment.window = m_input.Number16();
    }
    segment.ack = segment.flags & COLO_TCP_ACK ? guest.ack : 0;
    if (!(what & 8))
    {
        segment.payload = ReadPayload(segment.seq + syn, what & 32);
    }
    uint32_t end = segment.seq + uint32_t(segment.payload.size()) + (segment.flags & 1);
    if (!syn && !(segment.flags & COLO_TCP_RST) && colo_after(end, guest.next) &&
        end - guest.next < 0x10000)
    {
        guest.next = end;
    }
    segment.padding = what & 128 ? 6 : 0;
    Give(side, segment, what & 64 ? uint16_t(1 + m_input.Below(40)) : uint16_t(0));
}

void
Program::Reply(uint8_t what)
{
    Flow& flow = m_flows[m_flow];
    Segment segment = Begin(COLO_INBOUND);
    segment.seq = flow.guests[0].ack + (what & 1 ? JUMPS[m_input.Below(8)] : 0);
    flow.clientAck = what & 2 ? flow.guests[m_input.Bit()].next : flow.clientAck;
    segment.ack = flow.clientAck + (what & 4 ? JUMPS[m_input.Below(8)] : 0);
    segment.flags = what & 8 ? FLAGS[m_input.Below(8)] : 0x10;
    if (what & 16)
    {
        segment.options = ReadOptions(segment.flags & COLO_TCP_SYN);
    }
    Give(COLO_INBOUND, segment);
}

void
Program::SayDatagram(colo_side side, uint8_t what)
{
    const uint8_t protocols[] = {17, 17, 1, 47};
    Segment segment = Begin(side);
    segment.protocol = protocols[what % 4];
    segment.protocol = segment.family == 6 && segment.protocol == 1 ? 58 : segment.protocol;
    segment.seq = what / 4 % 4;
    segment.payload = Bytes(what / 16 % 4 * 9, uint8_t(m_input.Below(4)));
    Give(side, segment);
}

void
Program::SayAnything()
{
    auto side = colo_side(m_input.Below(3));
    size_t length = m_input.Byte();
    Bytes frame = m_input.Take(length);
    if (!frame.empty())
    {
        m_room.Give(side, frame, frame.size(), uint16_t(m_input.Below(3)));
    }
}

// The handshake of a new generation, which all go through.
void
Program::Open()
{
    uint8_t what = m_input.Byte();
    Flow& flow = m_flows[m_flow];
    flow.isn += what & 1 ? 5000 : 0U - 3000;
    flow.clientIsn += what & 2 ? 7000 : 0U - 100;
    Segment syn = Begin(COLO_INBOUND);
    syn.seq = flow.clientIsn;
    syn.flags = 0x02;
    syn.options = ReadOptions(true);
    Give(COLO_INBOUND, syn);
    for (colo_side side : {COLO_PRIMARY, COLO_SECONDARY})
    {
        Segment answer = Begin(side);
        answer.flags = 0x12;
        answer.seq = flow.isn + (side == COLO_SECONDARY ? 77 : 0);
        answer.ack = flow.clientIsn + 1;
        answer.options = syn.options;
        flow.guests[side] = Guest{flow.isn + 1, answer.ack};
        if (!(what & (side == COLO_PRIMARY ? 16 : 32)))
        {
            Give(side, answer);
        }
    }
    flow.clientAck = flow.isn + 1;
}

void
Program::LetTimePass()
{
    uint8_t what = m_input.Byte();
    const uint64_t spans_ns[] = {1000, MILLISECOND_NS, 20 * MILLISECOND_NS, 4000 * MILLISECOND_NS};
    m_room.Wait(spans_ns[what % 4] * (1 + what / 16));
    if (what & 4)
    {
        m_room.Collect();
    }
    if (what & 8)
    {
        m_room.Evict();
    }
}

// One event, fitting or not, or a whole checkpoint.
void
Program::Drive()
{
    uint8_t what = m_input.Byte();
    const colo_node& node = m_room.Node();
    bool begun = node.state > COLO_NODE_REQUESTED || node.guest_paused || node.peer_paused;
    if (!node.config.lease_ns && !begun && what & 128)
    {
        m_room.Checkpoint();
        return;
    }
    if (what & 128)
    {
        bool paused = node.state == COLO_NODE_REQUESTED && node.guest_paused;

        const enum colo_node_event next[] = {COLO_EVENT_REQUEST,
                                             paused ? COLO_EVENT_REPLY : COLO_EVENT_PAUSED,
                                             COLO_EVENT_REPLY,
                                             COLO_EVENT_RECEIVED,
                                             COLO_EVENT_LOADED};

        m_room.NodeEvent(next[node.state], node.attempt);
        return;
    }

    // What the arbiter says, it says to a question.
    const enum colo_node_event events[] = {COLO_EVENT_REQUEST,
                                           COLO_EVENT_PAUSED,
                                           COLO_EVENT_REPLY,
                                           COLO_EVENT_STATE,
                                           COLO_EVENT_RECEIVED,
                                           COLO_EVENT_LOADED,
                                           COLO_EVENT_ABORT,
                                           COLO_EVENT_JOIN};

    m_room.NodeEvent(events[what % 8], node.attempt + (what / 8 % 4 == 3 ? 1 : 0));
}

// What the other host and the arbiter say about who may speak.
void
Program::Answer()
{
    uint8_t what = m_input.Byte();
    switch (what % 8)
    {
    case 6:
        m_room.AnswerQuestion(true);
        break;
    case 7:
        m_room.AnswerQuestion(what & 128);
        break;
    case 5:
        m_room.NodeEvent(COLO_EVENT_TERM, m_room.Node().term);
        break;
    default:
        m_room.AnswerHeartbeat(what / 8 % 4);
    }
    m_room.Poll();
}

void
Program::Step()
{
    uint8_t step = m_input.Byte();
    m_flow = step >> 6;
    m_room.m_now += 1000;
    switch (step % 16)
    {
    case 0:
    case 1:
    case 2:
        Say(COLO_PRIMARY, m_input.Byte());
        break;
    case 3:
    case 4:
    case 5:
        Say(COLO_SECONDARY, m_input.Byte());
        break;
    case 6:
        Say(COLO_PRIMARY, 0);
        break;
    case 7:
        Say(COLO_SECONDARY, 0);
        break;
    case 8:
        Reply(m_input.Byte());
        break;
    case 9:
        SayDatagram(COLO_PRIMARY, m_input.Byte());
        break;
    case 10:
        SayDatagram(COLO_SECONDARY, m_input.Byte());
        break;
    case 11:
        LetTimePass();
        break;
    case 12:
        Drive();
        break;
    case 13:
        SayAnything();
        break;
    case 14:
        Open();
        break;
    default:
        Answer();
    }
}

void
Program::Run()
{
    for (int step = 0; step < STEPS_MAX && !m_input.IsEmpty(); step++)
    {
        Step();
    }
    // A checkpoint lets everything go, if there is another host to take one.
    if (m_room.Node().mode != COLO_MODE_PROTECTED)
    {
        return;
    }
    while (m_room.Node().state != COLO_NODE_RUNNING &&
           (m_room.NodeEvent(COLO_EVENT_ABORT, 0) ||
            m_room.NodeEvent(COLO_EVENT_LOADED, m_room.Node().epoch)))
    {
    }
    if (m_room.Node().config.lease_ns)
    {
        return; // which may be over by now
    }
    m_room.Checkpoint();
    Require(m_room.Held() == 0, "a commit left something behind (no-loss)");
}

} // namespace
} // namespace colo_test

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length)
{
    return colo_test::FuzzOne(bytes, length, [](colo_test::FuzzInput input) {
        colo_test::Program(input).Run();
    });
}
