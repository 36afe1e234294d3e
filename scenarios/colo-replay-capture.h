/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_REPLAY_CAPTURE_H
#define COLO_REPLAY_CAPTURE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace ns3
{

/** A capture is of use up to a packet, and no further; what() is one line for the user. */
class ColoCaptureBreak : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/** One packet of a file. */
struct ColoCapturedPacket
{
    uint64_t number{0};         //!< in its file, from 1 on
    int64_t stampNs{0};         //!< since 1970
    std::vector<uint8_t> frame; //!< Ethernet, as far as it was captured
    std::size_t wireBytes{0};   //!< of the frame on the wire; larger if it was captured in part
    bool hasLinkAddresses{false};
};

/**
 * A capture, read packet by packet: pcap or pcapng, compressed by gzip or not. Packets without an
 * Ethernet header are given one.
 */
class ColoCaptureFile
{
  public:
    /**
     * \param path the file.
     * \throws ColoUsageError if it is of no use at all.
     */
    explicit ColoCaptureFile(const std::string& path);
    ~ColoCaptureFile();

    ColoCaptureFile(const ColoCaptureFile&) = delete;
    ColoCaptureFile& operator=(const ColoCaptureFile&) = delete;

    /**
     * \param packet is set.
     * \return false at the end.
     * \throws ColoCaptureBreak if the file is damaged from here on.
     */
    bool Next(ColoCapturedPacket& packet);

    /** \return its name, as it was given. */
    const std::string& GetPath() const;
    /** \return its size, 0 if it has none, as a pipe. */
    uint64_t GetBytes() const;
    /** \return how much of that has been read. */
    uint64_t GetBytesRead() const;

  private:
    class Reader;

    std::string m_path;
    uint64_t m_bytes{0};
    uint64_t m_packets{0};
    std::unique_ptr<Reader> m_reader;
};

/**
 * \param packet of IP, without a link header; or anything.
 * \param size of that, in bytes.
 * \return a frame that holds it, as of a capture of raw IP.
 */
std::vector<uint8_t> ColoFrameOfIp(const uint8_t* packet, std::size_t size);

} // namespace ns3

#endif /* COLO_REPLAY_CAPTURE_H */
