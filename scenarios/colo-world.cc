/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-world.h"

#include "colo-players.h"
#include "colo-workload-options.h"

#include "ns3/boolean.h"
#include "ns3/colo-pause.h"
#include "ns3/colo-testbed.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/global-value.h"
#include "ns3/ipv6-address.h"
#include "ns3/pcap-file-wrapper.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <chrono>

namespace ns3
{

namespace
{

const Time CLIENT_START = MilliSeconds(1);
/** For the last segments of a connection, once the client has said and heard everything. */
const Time GRACE = MilliSeconds(100);

void
SetDefaults(const ColoScenarioOptions& options)
{
    Config::Reset(); // before the seed, which it resets as well
    RngSeedManager::SetSeed(options.seed);
    RngSeedManager::SetRun(1);
    ColoPause::Enable();
    GlobalValue::Bind("ChecksumEnabled", BooleanValue(true)); // the proxies update checksums

    // As Linux has it today: segments that fill Ethernet frames, buffers that fill a fast link,
    // timers (TCP_RTO_MIN, TCP_TIMEOUT_INIT, TCP_DELACK_MIN), queues of txqueuelen frames.
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(options.isIpv6 ? 1428 : 1448));
    Config::SetDefault("ns3::TcpSocketBase::MinRto", TimeValue(MilliSeconds(200)));
    Config::SetDefault("ns3::TcpSocket::ConnTimeout", TimeValue(Seconds(1)));
    Config::SetDefault("ns3::TcpSocket::DelAckTimeout", TimeValue(MilliSeconds(40)));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue("1000p"));
    // As many as Linux keeps (unres_qlen): ns-3 would drop all but three SYNs of a burst.
    Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(101));
    // A port is free again after a second (tcp_tw_reuse), not four minutes.
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.5));
    Config::SetDefault("ns3::NdiscCache::UnresolvedQueueSize", UintegerValue(101));
    // Who asks late, while the other side asks as well, loses in ns-3 what waits for the answer.
    const StringValue atOnce("ns3::ConstantRandomVariable[Constant=0]");
    Config::SetDefault("ns3::ArpL3Protocol::RequestJitter", atOnce);
    Config::SetDefault("ns3::Icmpv6L4Protocol::SolicitationJitter", atOnce);
    Config::SetDefault("ns3::ColoSecondaryProxy::Lag", TimeValue(options.lag));
    Config::SetDefault("ns3::ColoDivergence::Content", DoubleValue(options.divergence));
    if (!ColoIsCapture(options.workload))
    {
        // Captures are played without their long silences; other pauses are meant as they are.
        const TimeValue pause(Hours(24));
        Config::SetDefault("ns3::ColoDialogueClient::MaxPause", pause);
        Config::SetDefault("ns3::ColoDialogueServer::MaxPause", pause);
    }
    for (const auto& [name, value] : options.attributes)
    {
        Config::SetDefault(name, StringValue(value));
    }
}

ColoTestbedOptions
MakeTestbedOptions(const ColoScenarioOptions& options, bool isProtected)
{
    ColoTestbedOptions testbed;
    testbed.clients = options.shape.clients;
    testbed.pairs = options.pairs;
    testbed.isIpv6 = options.isIpv6;
    testbed.isProtected = isProtected;
    testbed.lan = options.lan;
    testbed.uplink = options.lan;
    testbed.secDev = options.secDev;
    testbed.checkpointLink = options.checkpointLink;
    return testbed;
}

/** The network, as in README's drawing, and who speaks in it. */
class World
{
  public:
    World(const ColoScenarioOptions& options,
          std::shared_ptr<const ColoDialogue> dialogue,
          bool isProtected,
          const ColoRunNotes& notes);

    ColoRunResult Run();

  private:
    void Observe();
    void EnablePcaps();
    void ClosePcaps();
    void NoteVerdict(const ColoVerdict& verdict);
    void NoteLatency(Time latency);
    void NoteFinished();
    void Collect();
    void Collect(const colo_node_stats& stats);

    const ColoScenarioOptions& m_options;
    const ColoRunNotes& m_notes;
    ColoTestbed m_testbed;
    std::vector<std::unique_ptr<ColoPlayers>> m_players; //!< by pair
    std::map<std::string, Ptr<PcapFileWrapper>> m_pcaps; //!< by name of the file
    std::size_t m_pairsFinished{0};
    Time m_finishedAt;
    int64_t m_stream{0};
    ColoRunResult m_result;
};

World::World(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             bool isProtected,
             const ColoRunNotes& notes)
    : m_options(options),
      m_notes(notes),
      m_testbed(MakeTestbedOptions(options, isProtected))
{
    m_stream += m_testbed.AssignStreams(m_stream);
    for (const auto& client : m_testbed.GetClients())
    {
        m_stream += ColoHelper::InstallClientTcp(client, m_stream);
    }
    for (uint32_t pair = 0; pair < m_testbed.GetPairs().size(); pair++)
    {
        m_players.push_back(std::make_unique<ColoPlayers>(
            m_testbed,
            pair,
            ColoPlayers::ForPair(dialogue, pair),
            CLIENT_START,
            [this](Time latency) { NoteLatency(latency); },
            [this] { NoteFinished(); }));
    }
    Observe();
    if (!notes.pcapFolder.empty())
    {
        EnablePcaps();
    }
}

void
World::Observe()
{
    for (const auto& pair : m_testbed.GetPairs())
    {
        if (!pair.primaryProxy)
        {
            continue;
        }
        pair.primaryProxy->TraceConnectWithoutContext("Verdict",
                                                      MakeCallback(&World::NoteVerdict, this));
        pair.checkpointer->TraceConnectWithoutContext(
            "Checkpoint",
            Callback<void, const ColoCheckpoint&>([this](const ColoCheckpoint& checkpoint) {
                m_result.checkpoints.push_back(checkpoint);
            }));
    }
}

void
World::EnablePcaps()
{
    auto enable = [&](const std::string& link, const std::string& file) {
        m_pcaps[file] = ColoLinkDevice::EnablePcap(m_testbed.GetLinks().at(link),
                                                   m_notes.pcapFolder + "/" + file);
    };
    enable("client0", "client.pcap");
    enable("primary-tap0", "primary-tap0.pcap");
    if (m_testbed.GetHosts().secondary)
    {
        enable("secondary-tap0", "secondary-tap0.pcap");
        enable("sec_dev", "sec_dev.pcap");
    }
}

void
World::ClosePcaps()
{
    for (const auto& [file, pcap] : m_pcaps)
    {
        pcap->Close();
        if (pcap->Fail())
        {
            throw ColoUsageError("option --out: " + file + ": cannot be written");
        }
    }
}

void
World::NoteVerdict(const ColoVerdict& verdict)
{
    const bool leaves =
        verdict.event == ColoVerdict::RELEASE || verdict.event == ColoVerdict::RESEND;
    if (leaves && verdict.side == COLO_PRIMARY && !verdict.flow.empty())
    {
        m_result.holdMs.push_back(verdict.held.GetNanoSeconds() / 1e6);
    }
    if (m_notes.verdict)
    {
        m_notes.verdict(verdict);
    }
}

void
World::NoteLatency(Time latency)
{
    m_result.latencyMs.push_back(latency.GetNanoSeconds() / 1e6);
    if (m_notes.progress)
    {
        m_notes.progress(Simulator::Now(), m_result.latencyMs.size());
    }
}

void
World::NoteFinished()
{
    if (++m_pairsFinished < m_players.size())
    {
        return;
    }
    m_finishedAt = Simulator::Now();
    m_result.isFinished = true;
    Simulator::Stop(GRACE);
}

void
World::Collect()
{
    const Time end = m_result.isFinished ? m_finishedAt : Simulator::Now();
    m_result.durationSeconds = std::max(end - CLIENT_START, Time()).GetSeconds();
    for (const auto& players : m_players)
    {
        const ColoPlayers::Counts counts = players->Count();
        m_result.requestsCompleted += counts.requests;
        m_result.clientBytes += counts.bytes;
        m_result.clientResets += counts.resets;
        m_result.clientDataErrors += counts.wrong;
        m_result.divergedResponses += counts.diverged;
    }
    for (const auto& pair : m_testbed.GetPairs())
    {
        if (pair.primaryProxy)
        {
            Collect(pair.primaryProxy->GetNode().stats);
        }
    }
}

/** The core's counts of a pair. */
void
World::Collect(const colo_node_stats& stats)
{
    for (int reason = 0; reason < COLO_REASON_COUNT; reason++)
    {
        if (stats.mismatches[reason])
        {
            m_result.mismatches[static_cast<colo_reason>(reason)] += stats.mismatches[reason];
        }
    }
    m_result.coalesced += stats.coalesced;
    m_result.releasedPackets += stats.released_packets;
    m_result.releasedBytes += stats.released_bytes;
    m_result.heldPackets += stats.held_packets;
}

ColoRunResult
World::Run()
{
    Simulator::Stop(m_options.time);
    Simulator::Run();
    m_result.simSeconds = Simulator::Now().GetSeconds();
    m_result.events = Simulator::GetEventCount();
    Collect();
    ClosePcaps();
    return std::move(m_result);
}

} // namespace

double
ColoRunResult::GetThroughputMbps() const
{
    return durationSeconds > 0 ? clientBytes * 8 / durationSeconds / 1e6 : 0;
}

ColoRunResult
RunColoWorld(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             bool isProtected,
             const ColoRunNotes& notes)
{
    const auto start = std::chrono::steady_clock::now();
    SetDefaults(options);
    ColoRunResult result = World(options, std::move(dialogue), isProtected, notes).Run();
    Simulator::Destroy();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    result.wallSeconds = wall.count();
    return result;
}

} // namespace ns3
