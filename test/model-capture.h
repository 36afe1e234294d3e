/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_CAPTURE_H
#define COLO_TEST_MODEL_CAPTURE_H

#include "colo-capture.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <pcap/pcap.h>
#include <string>
#include <unistd.h>
#include <vector>

using Bytes = std::vector<uint8_t>;

inline Bytes&
operator+=(Bytes& bytes, const Bytes& more)
{
    bytes.insert(bytes.end(), more.begin(), more.end());
    return bytes;
}

inline Bytes
Big16(uint32_t value)
{
    return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

inline Bytes
Big32(uint32_t value)
{
    Bytes bytes = Big16(value >> 16);
    bytes += Big16(value & 0xffff);
    return bytes;
}

/** A TCP segment between client 10.0.0.1:40000 and server 10.0.0.2:80, or as told. */
struct Segment
{
    static constexpr uint8_t FIN = 0x01;
    static constexpr uint8_t SYN = 0x02;
    static constexpr uint8_t RST = 0x04;
    static constexpr uint8_t ACK = 0x10;

    bool fromServer{false};
    uint8_t flags{ACK};
    uint32_t seq{0};
    uint32_t ack{0};
    uint32_t payload{0};
    uint16_t clientPort{40000};
    uint16_t serverPort{80};

    Bytes Tcp() const
    {
        Bytes tcp = Big16(fromServer ? serverPort : clientPort);
        tcp += Big16(fromServer ? clientPort : serverPort);
        tcp += Big32(seq);
        tcp += Big32(ack);
        tcp += {0x50, flags, 0xff, 0xff, 0, 0, 0, 0};
        tcp.resize(20 + payload, 'x');
        return tcp;
    }

    Bytes Ipv4() const
    {
        Bytes tcp = Tcp();
        Bytes ip = {0x45, 0};
        ip += Big16(static_cast<uint32_t>(20 + tcp.size()));
        ip += {0, 0, 0, 0, 64, 6, 0, 0};
        ip += {10, 0, 0, static_cast<uint8_t>(fromServer ? 2 : 1)};
        ip += {10, 0, 0, static_cast<uint8_t>(fromServer ? 1 : 2)};
        ip += tcp;
        return ip;
    }

    /** \param extensions stand between the header and TCP; the first is of type next. */
    Bytes Ipv6(const Bytes& extensions = {}, uint8_t next = 6) const
    {
        Bytes tcp = Tcp();
        Bytes ip = {0x60, 0, 0, 0};
        ip += Big16(static_cast<uint32_t>(extensions.size() + tcp.size()));
        ip += {next, 64};
        for (bool server : {fromServer, !fromServer})
        {
            Bytes address(16, 0xfd);
            address.back() = server ? 2 : 1;
            ip += address;
        }
        ip += extensions;
        ip += tcp;
        return ip;
    }

    Bytes Ethernet() const
    {
        Bytes frame(12, 2);
        frame += {0x08, 0x00};
        frame += Ipv4();
        return frame;
    }
};

/** A folder that goes away with the test. */
class Folder
{
  public:
    Folder()
        : m_path(std::filesystem::temp_directory_path() /
                 ("model-capture-test-" + std::to_string(getpid())))
    {
        std::filesystem::create_directory(m_path);
    }

    ~Folder()
    {
        std::filesystem::remove_all(m_path);
    }

    std::string operator/(const std::string& name) const
    {
        return (m_path / name).string();
    }

  private:
    std::filesystem::path m_path;
};

/** Writes packets through libpcap, 1 ms apart unless told. */
class CaptureWriter
{
  public:
    CaptureWriter(const std::string& path, int linkType = DLT_EN10MB, bool nanoseconds = false)
        : m_pcap(pcap_open_dead_with_tstamp_precision(linkType,
                                                      262144,
                                                      nanoseconds ? PCAP_TSTAMP_PRECISION_NANO
                                                                  : PCAP_TSTAMP_PRECISION_MICRO)),
          m_dumper(pcap_dump_open(m_pcap, path.c_str())),
          m_perSecond(nanoseconds ? 1000000000 : 1000000)
    {
    }

    ~CaptureWriter()
    {
        pcap_dump_close(m_dumper);
        pcap_close(m_pcap);
    }

    CaptureWriter(const CaptureWriter&) = delete;
    CaptureWriter& operator=(const CaptureWriter&) = delete;

    /** The next packet's stamp, in the file's units. */
    void At(int64_t stamp)
    {
        m_stamp = stamp;
    }

    void Add(const Bytes& packet, uint32_t captured = UINT32_MAX)
    {
        pcap_pkthdr header = {};
        header.ts.tv_sec = m_stamp / m_perSecond;
        header.ts.tv_usec = m_stamp % m_perSecond;
        header.len = static_cast<uint32_t>(packet.size());
        header.caplen = std::min(header.len, captured);
        pcap_dump(reinterpret_cast<u_char*>(m_dumper), &header, packet.data());
        m_stamp += m_perSecond / 1000;
    }

    void Add(const Segment& segment)
    {
        Add(segment.Ethernet());
    }

    void Add(std::initializer_list<Segment> segments)
    {
        for (const Segment& segment : segments)
        {
            Add(segment);
        }
    }

  private:
    pcap_t* m_pcap;
    pcap_dumper_t* m_dumper;
    int64_t m_perSecond;
    int64_t m_stamp{1000000};
};

inline std::string
ReadAll(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void
WriteAll(const std::string& path, const std::string& content)
{
    std::ofstream(path, std::ios::binary) << content;
}

/** A capture of a test, and what becomes of it. */
struct Files
{
    Folder folder;
    ns3::ColoCaptureCounts counts;

    std::string Path() const
    {
        return folder / "test.pcap";
    }

    /** What ColoReadCapture() complains about, without the file's name before it. */
    std::string Complaint(const std::string& path)
    {
        try
        {
            ns3::ColoReadCapture(path);
        }
        catch (const ns3::ColoCaptureError& error)
        {
            std::string what = error.what();
            BOOST_TEST(what.find('\n') == std::string::npos);
            BOOST_TEST(what.rfind(path + ": ", 0) == 0U);
            return what.substr(std::min(what.size(), path.size() + 2));
        }
        return "";
    }

    /** The script as text: "C10+0 S20+3" are 10 bytes at once and 20 after 3 ms; " | " between. */
    std::string Read()
    {
        std::string text;
        for (const auto& conversation : ns3::ColoReadCapture(Path(), &counts).conversations)
        {
            text += text.empty() ? "" : " | ";
            for (std::size_t i = 0; i < conversation.turns.size(); i++)
            {
                const ns3::ColoTurn& turn = conversation.turns[i];
                text += fmt::format("{}{}{}+{}",
                                    i ? " " : "",
                                    turn.fromServer ? "S" : "C",
                                    turn.bytes,
                                    turn.pause.GetMilliSeconds());
            }
            const char* closers[] = {"", " C", " S"};
            text += closers[static_cast<int>(conversation.closer)];
            text += conversation.reset ? " reset" : "";
        }
        return text;
    }

    std::string Read(std::initializer_list<Segment> segments)
    {
        CaptureWriter(Path()).Add(segments);
        return Read();
    }
};

#endif /* COLO_TEST_MODEL_CAPTURE_H */
