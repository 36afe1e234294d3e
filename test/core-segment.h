/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Frames from numbers rather than text, for the tests that make millions of them.
#ifndef CORE_SEGMENT_H
#define CORE_SEGMENT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace colo_test
{

using Bytes = std::vector<uint8_t>;

/** What one frame says; every field is put on the wire as it stands. */
struct Segment
{
    bool inbound = false;  //!< from the client to the guest
    int family = 4;        //!< 4 or 6
    uint8_t protocol = 6;  //!< TCP, UDP, ICMP (echo) of the family, or anything
    uint16_t vlan = 0;     //!< 0 without a tag
    uint16_t port = 40000; //!< the client's, or the identifier of an echo; the guest's is 80
    uint32_t seq = 0;
    uint32_t ack = 0;
    uint8_t flags = 0x10;
    uint16_t window = 1000;
    Bytes options; //!< padded with NOPs
    Bytes payload;
    uint32_t padding = 0; //!< bytes behind the IP length
};

/** An Ethernet frame with right checksums. */
Bytes MakeFrame(const Segment& segment);

/**
 * Is the TCP, UDP or ICMP checksum of a frame right?
 * \param l3 where the IP header begins.
 * \param l4 where the header behind it begins.
 * \param l4Length its bytes and those behind it, without padding.
 */
bool IsL4ChecksumRight(const Bytes& frame, size_t l3, size_t l4, size_t l4Length);

} // namespace colo_test

#endif // CORE_SEGMENT_H
