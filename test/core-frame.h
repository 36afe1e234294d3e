/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Frames from packetdrill's notation: "S. 0:0(0) ack 1 win 257 <mss 1460,wscale 7>".
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include <cstdint>
#include <string>
#include <vector>

namespace colo_test
{

/** Whose numbers a line is in, and between whom its frame travels. */
struct Numbering
{
    uint32_t seq = 0;      //!< what position 0 of the line's seq stands for
    uint32_t ack = 0;      //!< likewise of its ack and SACK blocks
    bool inbound = false;  //!< from the client to the guest
    int family = 4;        //!< 4 or 6
    uint16_t port = 40000; //!< the client's; the guest's is 80
};

using Bytes = std::vector<uint8_t>;

/**
 * The byte at a position, where a line does not say otherwise. Its period is a prime, so that
 * a comparison at a wrong offset fails.
 */
uint8_t StreamByte(uint32_t position);

/**
 * An Ethernet frame with right checksums.
 *
 * A line of TCP is: flags (S F R P E C U and "." for ACK), start:end(length), then in any order
 * "ack N", "win N", "urg N", "<mss N,wscale N,sackOK,ts VAL ECR,sack FROM:TO FROM:TO,nop,md5,ao,
 * mpcapable KEY,mpjoin>". Options are padded with NOPs. The window is 1000 unless it says
 * otherwise.
 *
 * Any other line begins with "udp", "icmp" (ICMPv6 in family 6), "igmp", "gre" or "sctp", then
 * has "len N" or data; ICMP also "type N", "code N", "ident N" and "nr N", or "mtu N", and
 * "quote [LINE]", of what the other end sent.
 *
 * Both may have `data "text"`, "fill 'x'", "pad N" (bytes behind the IP length), "id N",
 * "ttl N", "tos N".
 */
Bytes BuildFrame(const std::string& line, const Numbering& numbering);

/** A frame with one VLAN tag more, outside of those that it has. */
Bytes Tagged(Bytes frame, uint16_t tag, uint16_t ethertype = 0x8100);

/**
 * An IPv6 frame with one extension header more, before those that it has.
 * \param kind of the extension.
 * \param extension all its bytes; the first is set to what follows it.
 */
Bytes Extended(Bytes frame, uint8_t kind, Bytes extension);

/** Is the TCP, UDP or ICMP checksum of an Ethernet frame right? True if there is none. */
bool IsChecksumRight(const Bytes& frame);

/** Write the right checksum into a frame whose bytes were changed by hand. */
void SetChecksum(Bytes& frame);

} // namespace colo_test

#endif // CORE_FRAME_H
