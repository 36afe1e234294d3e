/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Any bytes as one frame, in memory that ends where the frame's head does, so that ASan sees every
// read beyond it. The first bytes choose the side, where the head ends, and the edits.
#include "colo_icmp.h"
#include "colo_shim.h"
#include "fuzz-input.h"

#include <cstring>

namespace colo_test
{
namespace
{

struct Parsed
{
    Parsed(const Bytes& frame, size_t headLength, colo_side side)
        : packet(frame, headLength, 0)
    {
        kind = colo_packet_parse(&packet.core, side, &packet.key);
    }

    RoomPacket packet;
    colo_kind kind;
};

// Headers lie within the head, all else within the frame.
void
CheckPlaces(const colo_packet& packet)
{
    Require(packet.kind <= COLO_KIND_MALFORMED, "no such kind");
    Require(uint64_t(packet.payload_offset) + packet.payload_len <= packet.frame_len,
            "the payload is not in the frame");
    bool ip = packet.kind == COLO_KIND_TCP || packet.kind == COLO_KIND_DATAGRAM ||
              packet.kind == COLO_KIND_FRAGMENT;
    if (!ip)
    {
        return;
    }
    Require(packet.l3_offset >= 14 && packet.l3_offset < packet.l4_offset, "layers out of order");
    Require(packet.l4_offset <= packet.payload_offset, "layers out of order");
    Require(packet.payload_offset <= packet.head_len, "the headers are not in the head");
    if (packet.kind != COLO_KIND_TCP)
    {
        return;
    }
    uint32_t header = packet.payload_offset - packet.l4_offset;
    Require(header >= 20 && header <= 60, "a TCP header of no such length");
    Require(!packet.ts_offset == !(packet.options & COLO_OPT_TIMESTAMPS), "stamps, or none");
    Require(!packet.ts_offset || packet.ts_offset + 8U <= header, "stamps beyond the header");
    if (packet.options & COLO_OPT_SACK)
    {
        Require(packet.sack_offset + 8U * packet.sack_count <= header, "SACK beyond the header");
    }
    else if (packet.options & COLO_OPT_MP_CAPABLE)
    {
        Require(packet.mp_capable_offset + packet.mp_capable_len + 0U <= header,
                "MP_CAPABLE beyond the header");
    }
    Require(packet.wscale <= 14, "no such window scale (RFC 7323)");
}

void
CheckSame(const Parsed& a, const Parsed& b)
{
    const colo_packet& x = a.packet.core;
    const colo_packet& y = b.packet.core;
    Require(a.kind == b.kind && !memcmp(&a.packet.key, &b.packet.key, sizeof(colo_key)),
            "the same frame is parsed differently");
    Require(x.payload_offset == y.payload_offset && x.payload_len == y.payload_len &&
                x.l4_offset == y.l4_offset && x.l3_offset == y.l3_offset,
            "the same frame is laid out differently");
    Require(a.kind != COLO_KIND_TCP ||
                (x.seq == y.seq && x.ack == y.ack && x.options == y.options &&
                 x.tcp_flags == y.tcp_flags && x.window == y.window && x.mss == y.mss &&
                 x.ts_offset == y.ts_offset && x.wscale == y.wscale),
            "the same segment says different things");
}

void
CheckIcmp(Parsed& parsed)
{
    const colo_packet& packet = parsed.packet.core;
    const colo_key& key = parsed.packet.key;
    bool icmp = packet.kind == COLO_KIND_DATAGRAM &&
                key.protocol == (key.family == 6 ? COLO_PROTOCOL_ICMPV6 : COLO_PROTOCOL_ICMP);
    if (icmp)
    {
        colo_parts parts;
        colo_icmp_parts(&packet, &parts);
        Require(parts.count <= COLO_PARTS_MAX, "too many parts");
        for (uint32_t i = 0; i < parts.count; i++)
        {
            Require(parts.offset[i] >= packet.l4_offset && parts.len[i] > 0, "a part of nothing");
            Require(uint64_t(parts.offset[i]) + parts.len[i] <= packet.frame_len,
                    "a part beyond the frame");
        }
    }
    colo_key quoted = key;
    if (packet.side == COLO_INBOUND && colo_icmp_quoted_key(&packet, &quoted))
    {
        Require(icmp, "something else than ICMP quotes a connection");
        uint32_t at = colo_icmp_quoted_seq(&packet);
        Require(at > packet.l4_offset && at + 4 <= packet.head_len, "a quote beyond the head");
        Require(quoted.protocol == COLO_PROTOCOL_TCP && quoted.family == key.family,
                "a quote of another family");
    }
}

// Right before, right after; and what it says is what the edits say.
void
CheckEdits(const Parsed& parsed, const Bytes& frame, FuzzInput& input)
{
    if (parsed.kind != COLO_KIND_TCP)
    {
        return;
    }
    colo_packet packet = parsed.packet.core;
    uint8_t wanted = input.Byte();
    packet.edit.mask = wanted & (COLO_EDIT_SEQ | COLO_EDIT_ACK | COLO_EDIT_WINDOW);
    packet.edit.seq = input.Number32();
    packet.edit.ack = input.Number32();
    packet.edit.window = input.Number16();
    packet.edit.timestamp = input.Number32();
    if (packet.options & COLO_OPT_SACK && packet.edit.mask & COLO_EDIT_ACK)
    {
        packet.edit.mask |= COLO_EDIT_SACK;
    }
    if (packet.options & COLO_OPT_TIMESTAMPS)
    {
        packet.edit.mask |= wanted & COLO_EDIT_TSVAL ? COLO_EDIT_TSVAL : wanted & COLO_EDIT_TSECR;
    }
    if (packet.options & COLO_OPT_MP_CAPABLE)
    {
        packet.edit.mask |= wanted & COLO_EDIT_MP_CAPABLE;
    }
    // Exactly the headers, so that ASan sees a write beyond them.
    RoomPacket edited(frame, packet.payload_offset, 0);
    size_t length = size_t(packet.payload_offset - packet.l4_offset) + packet.payload_len;
    bool wasRight = IsL4ChecksumRight(frame, packet.l3_offset, packet.l4_offset, length);
    colo_edit_apply(&packet, edited.head.get(), COLO_CHECKSUM_FULL);
    Bytes after = edited.Frame();
    bool isRight = IsL4ChecksumRight(after, packet.l3_offset, packet.l4_offset, length);
    Require(wasRight == isRight, "an edit breaks a right checksum, or heals a wrong one");

    Parsed again(after, SIZE_MAX, colo_side(packet.side));
    const colo_packet& now = again.packet.core;
    Require(again.kind == COLO_KIND_TCP, "an edit changes what a packet is");
    Require(now.seq == (packet.edit.mask & COLO_EDIT_SEQ ? packet.edit.seq : packet.seq) &&
                now.ack == (packet.edit.mask & COLO_EDIT_ACK ? packet.edit.ack : packet.ack),
            "an edit is not written");
    Require(!(packet.edit.mask & COLO_EDIT_MP_CAPABLE) || !(now.options & COLO_OPT_MP_CAPABLE) ||
                packet.options & COLO_OPT_MP_CAPABLE,
            "MP_CAPABLE stays");
    Require(now.payload_len == packet.payload_len, "an edit changes the length");
}

void
CheckRemirror(const Parsed& parsed, FuzzInput& input)
{
    if (parsed.kind != COLO_KIND_TCP || parsed.packet.core.side != COLO_SECONDARY)
    {
        return;
    }
    colo_remirror remirror{};
    remirror.packet = const_cast<colo_packet*>(&parsed.packet.core);
    remirror.ack = input.Number32();
    remirror.window = input.Number16();
    std::unique_ptr<uint8_t[]> memory(new uint8_t[COLO_REMIRROR_MAX]);
    uint32_t length = colo_remirror_build(&remirror, memory.get());
    Require(length <= COLO_REMIRROR_MAX, "a remirrored frame is too long");
    Parsed built(Bytes(memory.get(), memory.get() + length), SIZE_MAX, COLO_INBOUND);
    Require(built.kind == COLO_KIND_TCP, "a remirrored frame cannot be parsed");
    Require(!memcmp(&built.packet.key, &parsed.packet.key, sizeof(colo_key)),
            "remirrored to another flow");
    Require(built.packet.core.ack == remirror.ack && built.packet.core.payload_len == 0,
            "a remirrored frame says something else");
}

void
CheckShim(const Bytes& frame)
{
    std::unique_ptr<uint8_t[]> memory(new uint8_t[frame.size()]);
    std::copy(frame.begin(), frame.end(), memory.get());
    colo_shim shim{};
    if (colo_shim_read(&shim, memory.get(), uint32_t(frame.size())))
    {
        uint8_t written[COLO_SHIM_LEN];
        colo_shim_write(&shim, written);
        Require(!memcmp(written, memory.get(), COLO_SHIM_LEN), "a shim changes when copied");
    }
}

void
Run(FuzzInput input)
{
    auto side = colo_side(input.Below(3));
    size_t cut = input.Number16();
    Bytes choices = input.Take(16);
    Bytes frame = input.TakeRest();
    size_t headLength = cut >= 0x8000 ? frame.size() : cut;

    Parsed parsed(frame, headLength, side);
    CheckPlaces(parsed.packet.core);
    CheckSame(parsed, Parsed(frame, headLength, side));
    Parsed whole(frame, frame.size(), side);
    CheckPlaces(whole.packet.core);
    if (parsed.kind == COLO_KIND_TCP)
    {
        CheckSame(parsed, whole);
    }
    // Memory behind the frame is padding, which says nothing.
    Bytes padded = frame;
    padded.insert(padded.end(), 7, 0xee);
    if (whole.kind == COLO_KIND_TCP || whole.kind == COLO_KIND_DATAGRAM)
    {
        CheckSame(whole, Parsed(padded, padded.size(), side));
    }
    colo_node node;
    colo_config config = Room::DefaultConfig();
    colo_node_init(&node, 7, COLO_ROLE_PRIMARY, &config, 0);
    colo_class judge = colo_node_class(&node, &parsed.packet.core);
    Require((judge == COLO_CLASS_STREAM) == (parsed.kind == COLO_KIND_TCP), "judged by another");

    CheckIcmp(parsed);
    FuzzInput edits(choices.data(), choices.size());
    CheckEdits(parsed, frame, edits);
    CheckRemirror(parsed, edits);
    CheckShim(frame);
}

} // namespace
} // namespace colo_test

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length)
{
    return colo_test::FuzzOne(bytes, length, colo_test::Run);
}
