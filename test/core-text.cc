/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-text.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace colo_test
{

std::string
RangeText(const colo_packet& packet, uint32_t base)
{
    std::string text;
    text += packet.tcp_flags & COLO_TCP_SYN ? "S " : "";
    text += packet.tcp_flags & COLO_TCP_FIN ? "F " : "";
    text += packet.tcp_flags & COLO_TCP_RST ? "R " : "";
    uint32_t seq = packet.seq - base;
    return text + std::to_string(int32_t(seq)) + ":" +
           std::to_string(int32_t(seq + packet.payload_len));
}

std::string
AckText(const colo_packet& packet, uint32_t base)
{
    return " ack " + std::to_string(int32_t(packet.ack - base));
}

std::string
WindowText(const colo_packet& packet)
{
    return " win " + std::to_string(packet.window);
}

std::string
DatagramText(const colo_packet& packet, const Bytes& frame)
{
    bool icmp = false;
    if (packet.kind == COLO_KIND_DATAGRAM)
    {
        uint8_t version = frame[packet.l3_offset] >> 4;
        uint8_t protocol = frame[packet.l3_offset + (version == 6 ? 6 : 9)];
        icmp = protocol == (version == 6 ? COLO_PROTOCOL_ICMPV6 : COLO_PROTOCOL_ICMP);
    }
    auto begin = frame.begin() + packet.payload_offset + (icmp ? 8 : 0);
    auto end = frame.begin() + packet.payload_offset + packet.payload_len;
    std::string text;
    std::copy_if(begin, end, std::back_inserter(text), isprint);
    return "'" + text + "'";
}

std::string
MismatchText(const colo_mismatch& mismatch, uint32_t base)
{
    bool stream = mismatch.conn && mismatch.conn->type == COLO_CONN_STREAM;
    uint32_t position = mismatch.position - (stream ? base : 0);
    std::string text = colo_reason_name(mismatch.reason);
    text += " at " + std::to_string(int32_t(position));
    if (mismatch.primary_len || mismatch.secondary_len)
    {
        auto quoted = [](const uint8_t* bytes, uint8_t length) {
            return "'" + std::string(bytes, bytes + length) + "'";
        };
        text += ": " + quoted(mismatch.primary, mismatch.primary_len) + " not " +
                quoted(mismatch.secondary, mismatch.secondary_len);
    }
    return text;
}

std::string
ActionsText(uint32_t actions)
{
    const std::vector<std::string> names = {"pause",
                                            "request",
                                            "reply",
                                            "state",
                                            "received",
                                            "load",
                                            "loaded",
                                            "resume",
                                            "discard",
                                            "full",
                                            "heartbeat",
                                            "answer",
                                            "ask",
                                            "term",
                                            "take-over",
                                            "fence"};
    std::string text;
    for (size_t i = 0; i < names.size(); i++)
    {
        if (actions & 1U << i)
        {
            text += (text.empty() ? "" : " ") + names[i];
        }
    }
    return text;
}

} // namespace colo_test
