/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-capture.h"

#include "colo-command-line.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <zlib.h>

namespace ns3
{

namespace
{

constexpr unsigned READ_BYTES = 1 << 16;
constexpr std::size_t ADDRESS_BYTES = 6;
constexpr std::size_t ETHERNET_BYTES = 14;
constexpr uint16_t ETHERTYPE_IPV4 = 0x0800;
constexpr uint16_t ETHERTYPE_IPV6 = 0x86dd;

/** Where packets of a link type have what an Ethernet header says. */
struct LinkHeader
{
    int type;
    std::size_t bytes;
    int protocolAt; //!< -1 if the packet's first half byte tells
    int addressAt;  //!< of the sender, -1 if there is none
    int addressBytesAt;
    int addressBytesSize;
};

constexpr LinkHeader LINK_HEADERS[] = {
    {DLT_EN10MB, 0, -1, -1, -1, 0},
    {DLT_RAW, 0, -1, -1, -1, 0},
    {DLT_IPV4, 0, -1, -1, -1, 0},
    {DLT_IPV6, 0, -1, -1, -1, 0},
    {DLT_NULL, 4, -1, -1, -1, 0},
    {DLT_LOOP, 4, -1, -1, -1, 0},
    {DLT_LINUX_SLL, 16, 14, 6, 4, 2},
    {DLT_LINUX_SLL2, 20, 0, 12, 11, 1},
};

[[noreturn]] void
Fail(const std::string& file, const std::string& what)
{
    throw ColoUsageError(ColoOneLine(file + ": " + what));
}

/** libpcap would tell apart neither a folder nor an empty file from damage. */
uint64_t
CheckFile(const std::string& file)
{
    struct stat status = {};
    if (stat(file.c_str(), &status) != 0)
    {
        Fail(file, errno == ENOENT ? "no such file" : std::strerror(errno));
    }
    if (S_ISDIR(status.st_mode))
    {
        Fail(file, "is a directory, not a capture");
    }
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
    {
        Fail(file, "is neither a file nor a pipe");
    }
    if (S_ISREG(status.st_mode) && status.st_size == 0)
    {
        Fail(file, "is empty");
    }
    return S_ISREG(status.st_mode) ? status.st_size : 0;
}

ssize_t
ReadUnpacked(void* cookie, char* buffer, std::size_t size)
{
    return gzread(static_cast<gzFile>(cookie), buffer, std::min<std::size_t>(size, READ_BYTES));
}

int
CloseUnpacked(void* cookie)
{
    gzclose_r(static_cast<gzFile>(cookie));
    return 0;
}

/** Damaged stamps must not overflow; pcap's own seconds have 32 bits. */
int64_t
GetStampNs(const pcap_pkthdr& header)
{
    const int64_t seconds = std::clamp<int64_t>(header.ts.tv_sec, 0, UINT32_MAX);
    const int64_t nanoseconds = std::clamp<int64_t>(header.ts.tv_usec, 0, 999999999);
    return seconds * 1000000000 + nanoseconds;
}

/** Invented addresses are local ones, so that nobody takes them for a device's. */
void
PutEthernetHeader(const LinkHeader& link, const u_char* data, std::size_t size, uint8_t* header)
{
    static const uint8_t INVENTED[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    std::copy(std::begin(INVENTED), std::end(INVENTED), header);
    uint16_t protocol = ETHERTYPE_IPV4;
    if (link.protocolAt >= 0)
    {
        protocol = data[link.protocolAt] << 8 | data[link.protocolAt + 1];
    }
    else if (size > link.bytes && data[link.bytes] >> 4 == 6)
    {
        protocol = ETHERTYPE_IPV6;
    }
    // The last byte of the length is the only one that can be other than zero.
    if (link.addressAt >= 0 &&
        data[link.addressBytesAt + link.addressBytesSize - 1] == ADDRESS_BYTES)
    {
        std::copy_n(data + link.addressAt, ADDRESS_BYTES, header + ADDRESS_BYTES);
    }
    header[12] = protocol >> 8;
    header[13] = protocol & 0xff;
}

} // namespace

/** What libpcap and zlib know of an open file. */
class ColoCaptureFile::Reader
{
  public:
    explicit Reader(const std::string& path)
        : m_unpacked(gzopen(path.c_str(), "rb"))
    {
        if (!m_unpacked)
        {
            Fail(path, fmt::format("cannot be read: {}", std::strerror(errno)));
        }
        gzbuffer(m_unpacked, READ_BYTES);
        cookie_io_functions_t functions = {};
        functions.read = ReadUnpacked;
        functions.close = CloseUnpacked;
        FILE* stream = fopencookie(m_unpacked, "rb", functions);
        if (!stream)
        {
            gzclose_r(m_unpacked);
            throw std::bad_alloc();
        }
        char reason[PCAP_ERRBUF_SIZE] = "";
        m_pcap =
            pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, reason);
        if (!m_pcap)
        {
            const std::string damage = GetDamage();
            std::fclose(stream);
            Fail(path, fmt::format("not a capture: {}", damage.empty() ? reason : damage));
        }
    }

    ~Reader()
    {
        pcap_close(m_pcap);
    }

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /** \return how packets begin; nothing if that is not known. */
    const LinkHeader* GetLinkHeader() const
    {
        const int type = pcap_datalink(m_pcap);
        const auto* found = std::find_if(std::begin(LINK_HEADERS),
                                         std::end(LINK_HEADERS),
                                         [&](const auto& link) { return link.type == type; });
        return found == std::end(LINK_HEADERS) ? nullptr : found;
    }

    pcap_t* GetPcap() const
    {
        return m_pcap;
    }

    /** \return what zlib has against the file. */
    std::string GetDamage() const
    {
        int error = Z_OK;
        const char* text = gzerror(m_unpacked, &error);
        if (error == Z_BUF_ERROR)
        {
            return "the compressed file is cut short";
        }
        return error == Z_OK ? "" : error == Z_ERRNO ? std::strerror(errno) : text;
    }

    uint64_t GetOffset() const
    {
        return std::max<z_off_t>(gzoffset(m_unpacked), 0);
    }

  private:
    gzFile m_unpacked;
    pcap_t* m_pcap;
};

ColoCaptureFile::ColoCaptureFile(const std::string& path)
    : m_path(path),
      m_bytes(CheckFile(path)),
      m_reader(std::make_unique<Reader>(path))
{
    if (!m_reader->GetLinkHeader())
    {
        const int type = pcap_datalink(m_reader->GetPcap());
        const char* name = pcap_datalink_val_to_name(type);
        Fail(path,
             fmt::format("link type {}{} is not supported",
                         type,
                         name ? fmt::format(" ({})", name) : ""));
    }
}

ColoCaptureFile::~ColoCaptureFile() = default;

bool
ColoCaptureFile::Next(ColoCapturedPacket& packet)
{
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const int result = pcap_next_ex(m_reader->GetPcap(), &header, &data);
    if (result != 1)
    {
        std::string damage = m_reader->GetDamage();
        if (result != PCAP_ERROR_BREAK && damage.empty())
        {
            damage = pcap_geterr(m_reader->GetPcap());
        }
        if (damage.empty())
        {
            return false;
        }
        throw ColoCaptureBreak(
            ColoOneLine(fmt::format("{}: packet {}: {}", m_path, m_packets + 1, damage)));
    }
    m_packets++;
    packet.number = m_packets;
    packet.stampNs = GetStampNs(*header);
    const LinkHeader& link = *m_reader->GetLinkHeader();
    packet.hasLinkAddresses = link.type == DLT_EN10MB;
    const std::size_t wireBytes = std::max(header->len, header->caplen); // if it is damaged
    if (packet.hasLinkAddresses || header->caplen < link.bytes)
    {
        packet.frame.assign(data, data + header->caplen);
        packet.wireBytes = wireBytes;
        return true;
    }
    packet.frame.resize(ETHERNET_BYTES);
    PutEthernetHeader(link, data, header->caplen, packet.frame.data());
    packet.frame.insert(packet.frame.end(), data + link.bytes, data + header->caplen);
    packet.wireBytes = wireBytes - link.bytes + ETHERNET_BYTES;
    packet.hasLinkAddresses = link.addressAt >= 0;
    return true;
}

const std::string&
ColoCaptureFile::GetPath() const
{
    return m_path;
}

uint64_t
ColoCaptureFile::GetBytes() const
{
    return m_bytes;
}

uint64_t
ColoCaptureFile::GetBytesRead() const
{
    return m_reader->GetOffset();
}

std::vector<uint8_t>
ColoFrameOfIp(const uint8_t* packet, std::size_t size)
{
    static constexpr LinkHeader RAW = {DLT_RAW, 0, -1, -1, -1, 0};
    std::vector<uint8_t> frame(ETHERNET_BYTES);
    PutEthernetHeader(RAW, packet, size, frame.data());
    frame.insert(frame.end(), packet, packet + size);
    return frame;
}

} // namespace ns3
