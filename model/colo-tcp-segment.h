/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TCP_SEGMENT_H
#define COLO_TCP_SEGMENT_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace ns3
{

/** One end of a TCP connection; IPv4 addresses fill the first four bytes. */
struct ColoTcpEnd
{
    std::array<uint8_t, 16> address{};
    uint16_t port{0};

    bool operator<(const ColoTcpEnd& other) const
    {
        return port != other.port ? port < other.port : address < other.address;
    }

    bool operator==(const ColoTcpEnd& other) const
    {
        return port == other.port && address == other.address;
    }
};

/** What the reader of captures needs to know of one TCP segment. */
struct ColoTcpSegment
{
    static constexpr uint8_t FIN = 0x01;
    static constexpr uint8_t SYN = 0x02;
    static constexpr uint8_t RST = 0x04;
    static constexpr uint8_t ACK = 0x10;

    ColoTcpEnd source;
    ColoTcpEnd destination;
    uint32_t seq{0};
    uint32_t ack{0};
    uint8_t flags{0};
    uint32_t payload{0}; //!< bytes on the wire, which a short capture need not hold
};

/** What became of a captured packet. */
enum class ColoParse
{
    TCP,
    OTHER,    //!< sound as far as looked at, but no whole TCP segment: ARP, UDP, a fragment
    MALFORMED //!< contradicts itself, or was captured too short to tell
};

/**
 * \ingroup colo
 * \param linkType libpcap's DLT_ value.
 * \return true if ColoParseSegment() knows it.
 */
bool ColoIsLinkTypeKnown(int linkType);

/**
 * \ingroup colo
 * \brief Find the TCP segment in a captured packet; checksums are not looked at.
 *
 * \param linkType a DLT_ value that ColoIsLinkTypeKnown() accepts.
 * \param data the captured bytes.
 * \param captured how many there are.
 * \param wire how many the packet had; at least captured.
 * \param segment is set if the result is TCP.
 * \return what the packet is.
 */
ColoParse ColoParseSegment(int linkType,
                           const uint8_t* data,
                           std::size_t captured,
                           std::size_t wire,
                           ColoTcpSegment& segment);

} // namespace ns3

#endif /* COLO_TCP_SEGMENT_H */
