/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-output.h"

#include "colo-command-line.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace ns3
{

namespace
{

using Json = nlohmann::ordered_json;

/** Of a pcap file with nanoseconds, in this host's byte order (draft-ietf-opsawg-pcap). */
struct PcapHeader
{
    uint32_t magic{0xa1b23c4d};
    uint16_t major{2};
    uint16_t minor{4};
    uint32_t zone{0};
    uint32_t accuracy{0};
    uint32_t frameBytesMax{262144};
    uint32_t linkType{1};
};

struct PcapRecord
{
    uint32_t seconds;
    uint32_t nanoseconds;
    uint32_t capturedBytes;
    uint32_t wireBytes;
};

template <typename T>
Json
OrNull(bool isThere, const T& value)
{
    return isThere ? Json(value) : Json();
}

void
CheckFiles(const ColoReplayOptions& options)
{
    const std::pair<const char*, const std::string&> files[] = {{"primary", options.primary},
                                                                {"secondary", options.secondary},
                                                                {"verdicts", options.verdicts},
                                                                {"released", options.released}};
    for (std::size_t output = 2; output < std::size(files); output++)
    {
        for (std::size_t other = 0; other < output; other++)
        {
            if (!files[output].second.empty() && !files[other].second.empty() &&
                ColoIsSameFile(files[output].second, files[other].second))
            {
                throw ColoUsageError(fmt::format("option --{}: {}: is the file of --{}",
                                                 files[output].first,
                                                 files[output].second,
                                                 files[other].first));
            }
        }
    }
}

} // namespace

ColoReplayOutput::ColoReplayOutput(const ColoReplayOptions& options)
{
    CheckFiles(options);
    if (!options.verdicts.empty())
    {
        m_verdicts.emplace("verdicts", options.verdicts);
    }
    if (!options.released.empty())
    {
        m_released.emplace("released", options.released);
        const PcapHeader header;
        m_released->Write(&header, sizeof(header));
    }
}

void
ColoReplayOutput::WriteVerdict(const ColoReplayVerdict& verdict)
{
    if (!m_verdicts)
    {
        return;
    }
    const std::string flow = verdict.GetFlowName();
    Json json = {
        {"t_ns", verdict.ns},
        {"event", verdict.GetEventName()},
        {"side", verdict.side ? Json(verdict.GetSideName()) : Json()},
        {"packet", OrNull(verdict.packet, verdict.packet)},
        {"flow", OrNull(!flow.empty(), flow)},
        {"reason", colo_reason_name(verdict.reason)},
        {"position", OrNull(verdict.position.has_value(), verdict.position.value_or(0))},
    };
    if (verdict.mismatch)
    {
        json["primary"] = verdict.GetBytes(COLO_PRIMARY);
        json["secondary"] = verdict.GetBytes(COLO_SECONDARY);
    }
    if (verdict.isPart)
    {
        json["part"] = true;
    }
    if (verdict.isAgain)
    {
        json["again"] = true;
    }
    const std::string line = json.dump() + "\n";
    m_verdicts->Write(line.data(), line.size());
}

void
ColoReplayOutput::WriteReleased(int64_t stampNs, const uint8_t* frame, std::size_t size)
{
    constexpr int64_t SECOND_NS = 1000000000;
    if (!m_released)
    {
        return;
    }
    // A shift may have taken it before 1970, where the format ends.
    const int64_t stamp = std::max<int64_t>(stampNs, 0);
    const PcapRecord record = {static_cast<uint32_t>(stamp / SECOND_NS),
                               static_cast<uint32_t>(stamp % SECOND_NS),
                               static_cast<uint32_t>(size),
                               static_cast<uint32_t>(size)};
    m_released->Write(&record, sizeof(record));
    m_released->Write(frame, size);
}

void
ColoReplayOutput::Check() const
{
    for (const auto* file : {&m_verdicts, &m_released})
    {
        if (*file)
        {
            (*file)->Check();
        }
    }
}

void
ColoReplayOutput::Commit()
{
    for (auto* file : {&m_verdicts, &m_released})
    {
        if (*file)
        {
            (*file)->Commit();
        }
    }
}

} // namespace ns3
