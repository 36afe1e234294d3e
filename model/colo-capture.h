/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CAPTURE_H
#define COLO_CAPTURE_H

#include "colo-dialogue.h"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ns3
{

/** \ingroup colo A capture that cannot be used; what() is one line that names the file. */
class ColoCaptureError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/** \ingroup colo What ColoReadCapture() came across. */
struct ColoCaptureCounts
{
    uint64_t packets{0};      //!< in the file
    uint64_t segments{0};     //!< TCP segments that were used
    uint64_t others{0};       //!< packets that are no whole TCP segment
    uint64_t malformed{0};    //!< packets that contradict themselves, or are captured too short
    uint64_t strays{0};       //!< segments that fit no place of their connection
    uint64_t silent{0};       //!< connections without data, which the dialogue leaves out
    uint64_t missingBytes{0}; //!< counted as said although the capture lacks them
};

/**
 * \ingroup colo
 * \brief Read who said how much, in which order, after which pause.
 *
 * Reads pcap and pcapng; Ethernet (also 802.1Q), Linux cooked, raw IP and loopback; IPv4 and IPv6.
 * Contents are not kept. Data of one side that follows on its own data is one turn. What was sent
 * twice counts once, at the place where the stream first reaches it. A connection without a
 * handshake counts from its first packet on, and its lower port is the server's. All are of client
 * 0, each from a port of its own.
 *
 * \param file path of the capture.
 * \param counts if not null, is set.
 * \return the script; has at least one turn.
 * \throws ColoCaptureError with the file and, where one is to blame, the number of the packet.
 */
ColoDialogue ColoReadCapture(const std::string& file, ColoCaptureCounts* counts = nullptr);

} // namespace ns3

#endif /* COLO_CAPTURE_H */
