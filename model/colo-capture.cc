/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-capture.h"

#include "colo-capture-connection.h"
#include "colo-tcp-segment.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <utility>

namespace ns3
{

namespace
{

[[noreturn]] void
Fail(const std::string& file, const std::string& what)
{
    std::string line = file + ": " + what;
    std::replace(line.begin(), line.end(), '\n', ' ');
    throw ColoCaptureError(line);
}

[[noreturn]] void
FailAt(const std::string& file, uint64_t packet, const std::string& what)
{
    Fail(file, "packet " + std::to_string(packet) + ": " + what);
}

/** libpcap would tell apart neither a folder nor an empty file from damage. */
void
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
    if (!S_ISREG(status.st_mode))
    {
        Fail(file, "is not a regular file");
    }
    if (status.st_size == 0)
    {
        Fail(file, "is empty");
    }
}

using Handle = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

Handle
Open(const std::string& file)
{
    CheckFile(file);
    FILE* stream = std::fopen(file.c_str(), "rb");
    if (!stream)
    {
        Fail(file, std::string("cannot be read: ") + std::strerror(errno));
    }
    char reason[PCAP_ERRBUF_SIZE] = "";
    pcap_t* pcap =
        pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, reason);
    if (!pcap)
    {
        std::fclose(stream);
        Fail(file, std::string("not a capture: ") + reason);
    }
    Handle handle(pcap, &pcap_close);
    int linkType = pcap_datalink(pcap);
    if (!ColoIsLinkTypeKnown(linkType))
    {
        const char* name = pcap_datalink_val_to_name(linkType);
        Fail(file,
             "link type " + std::to_string(linkType) +
                 (name ? std::string(" (") + name + ")" : "") + " is not supported");
    }
    return handle;
}

/** Damaged stamps must not overflow; pcap's own seconds have 32 bits. */
Time
GetStamp(const pcap_pkthdr& header)
{
    int64_t seconds = std::clamp<int64_t>(header.ts.tv_sec, 0, UINT32_MAX);
    int64_t nanoseconds = std::clamp<int64_t>(header.ts.tv_usec, 0, 999999999);
    return NanoSeconds(seconds * 1000000000 + nanoseconds);
}

/** Sorts segments into connections. */
class Reader
{
  public:
    Reader(const std::string& file, ColoCaptureCounts& counts)
        : m_file(file),
          m_counts(counts)
    {
    }

    void Add(const ColoTcpSegment& segment, Time stamp)
    {
        auto ends = std::minmax(segment.source, segment.destination);
        auto& place = m_current[{ends.first, ends.second}];
        if (!place || place->IsSucceededBy(segment))
        {
            if (m_connections.size() == ColoDialogue::MAX_OPEN)
            {
                FailAt(m_file,
                       m_counts.packets,
                       "more than " + std::to_string(ColoDialogue::MAX_OPEN) + " TCP connections");
            }
            m_connections.push_back(std::make_unique<ColoCaptureConnection>(segment, stamp));
            place = m_connections.back().get();
        }
        (place->Add(segment, stamp) ? m_counts.segments : m_counts.strays)++;
    }

    ColoDialogue Finish()
    {
        ColoDialogue dialogue;
        for (const auto& connection : m_connections)
        {
            ColoConversation conversation = connection->Finish();
            m_counts.missingBytes += connection->GetMissingBytes();
            if (conversation.turns.empty())
            {
                m_counts.silent++;
                continue;
            }
            dialogue.conversations.push_back(std::move(conversation));
        }
        if (dialogue.conversations.empty())
        {
            Fail(m_file,
                 "no TCP session with data in " + std::to_string(m_counts.packets) + " packets");
        }
        // Stamps of a capture need not rise.
        auto& all = dialogue.conversations;
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
            return a.start < b.start;
        });
        const Time first = all.front().start;
        uint16_t port = ColoDialogue::FIRST_CLIENT_PORT;
        for (ColoConversation& conversation : all)
        {
            conversation.start -= first;
            conversation.clientPort = port++;
        }
        return dialogue;
    }

  private:
    const std::string& m_file;
    ColoCaptureCounts& m_counts;
    std::vector<std::unique_ptr<ColoCaptureConnection>> m_connections;
    /** The latest connection between two ends; ports may be used again. */
    std::map<std::pair<ColoTcpEnd, ColoTcpEnd>, ColoCaptureConnection*> m_current;
};

} // namespace

ColoDialogue
ColoReadCapture(const std::string& file, ColoCaptureCounts* counts)
{
    Handle handle = Open(file);
    ColoCaptureCounts own;
    ColoCaptureCounts& count = counts ? *counts : own;
    count = {};
    Reader reader(file, count);
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    int result = 0;
    while ((result = pcap_next_ex(handle.get(), &header, &data)) == 1)
    {
        count.packets++;
        ColoTcpSegment segment;
        switch (ColoParseSegment(pcap_datalink(handle.get()),
                                 data,
                                 header->caplen,
                                 header->len,
                                 segment))
        {
        case ColoParse::TCP:
            reader.Add(segment, GetStamp(*header));
            break;
        case ColoParse::OTHER:
            count.others++;
            break;
        case ColoParse::MALFORMED:
            count.malformed++;
            break;
        }
    }
    if (result != PCAP_ERROR_BREAK)
    {
        FailAt(file, count.packets + 1, pcap_geterr(handle.get()));
    }
    return reader.Finish();
}

} // namespace ns3
