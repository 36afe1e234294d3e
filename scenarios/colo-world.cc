/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-world.h"

#include "colo-workload-options.h"

#include "ns3/boolean.h"
#include "ns3/bridge-net-device.h"
#include "ns3/colo-dialogue-client.h"
#include "ns3/colo-dialogue-server.h"
#include "ns3/colo-divergence.h"
#include "ns3/colo-helper.h"
#include "ns3/colo-pause.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/global-value.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4.h"
#include "ns3/node-container.h"
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

const Ipv4InterfaceAddress CLIENT_ADDRESS("10.0.0.1", "255.255.255.0");
const Ipv4InterfaceAddress GUEST_ADDRESS("10.0.0.100", "255.255.255.0");
const DataRate LAN_RATE("1Gbps");
const Time LAN_DELAY = MicroSeconds(50);
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
    // queues of txqueuelen frames.
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue("1000p"));
    // As many as Linux keeps (unres_qlen): ns-3 would drop all but three SYNs of a burst.
    Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(101));
    // A port is free again after a second (tcp_tw_reuse), not four minutes.
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.5));
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

/** The network, as in README's drawing. */
class World
{
  public:
    World(const ColoScenarioOptions& options,
          std::shared_ptr<const ColoDialogue> dialogue,
          bool isProtected,
          const ColoRunNotes& notes);

    ColoRunResult Run();

  private:
    void Wire(bool isProtected);
    void AddServer(const ColoGuestPlace& place);
    void AddClient();
    void Observe();
    void EnablePcaps();
    void ClosePcaps();
    void NoteVerdict(const ColoVerdict& verdict);
    void NoteLatency(Time latency);
    void NoteFinished();
    void Collect();

    const ColoScenarioOptions& m_options;
    std::shared_ptr<const ColoDialogue> m_dialogue;
    const ColoRunNotes& m_notes;
    Ptr<Node> m_client;
    ColoLinkDevice::Ends m_clientLink;
    ColoPair m_pair;
    Ptr<ColoDialogueClient> m_clientApplication;
    std::vector<Ptr<ColoDialogueServer>> m_servers;
    std::map<std::string, Ptr<PcapFileWrapper>> m_pcaps; //!< by name of the file
    Time m_finishedAt;
    int64_t m_stream{0};
    ColoRunResult m_result;
};

World::World(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             bool isProtected,
             const ColoRunNotes& notes)
    : m_options(options),
      m_dialogue(std::move(dialogue)),
      m_notes(notes)
{
    Wire(isProtected);
    AddServer(m_pair.primary);
    if (isProtected)
    {
        AddServer(m_pair.secondary);
    }
    AddClient();
    if (isProtected)
    {
        m_stream += m_pair.checkpointLink->AssignStreams(m_stream);
    }
    Observe();
    if (!notes.pcapFolder.empty())
    {
        EnablePcaps();
    }
}

void
World::Wire(bool isProtected)
{
    m_client = CreateObject<Node>();
    auto lan = CreateObject<Node>();
    auto primaryHost = CreateObject<Node>();
    auto secondaryHost = CreateObject<Node>();

    m_clientLink = ColoLinkDevice::Connect(m_client, lan, LAN_RATE, LAN_DELAY);
    auto primaryLink = ColoLinkDevice::Connect(primaryHost, lan, LAN_RATE, LAN_DELAY);
    auto lanSwitch = CreateObject<BridgeNetDevice>();
    lan->AddDevice(lanSwitch);
    lanSwitch->AddBridgePort(m_clientLink.second);
    lanSwitch->AddBridgePort(primaryLink.second);

    InternetStackHelper stack;
    stack.SetTcp("ns3::ColoTcpL4Protocol");
    stack.SetIpv6StackInstall(false);
    stack.Install(m_client);
    m_stream += stack.AssignStreams(NodeContainer(m_client), m_stream);
    Ptr<Ipv4> ipv4 = m_client->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(m_clientLink.first);
    ipv4->AddAddress(interface, CLIENT_ADDRESS);
    ipv4->SetUp(interface);

    ColoHelper helper;
    m_pair = isProtected
                 ? helper.Install(primaryHost, primaryLink.first, secondaryHost, GUEST_ADDRESS)
                 : helper.InstallUnprotected(primaryHost, primaryLink.first, GUEST_ADDRESS);
    m_stream += m_pair.AssignStreams(m_stream);
}

void
World::AddServer(const ColoGuestPlace& place)
{
    auto server = CreateObject<ColoDialogueServer>();
    server->SetDialogue(m_dialogue);
    server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    server->SetBackends({CLIENT_ADDRESS.GetLocal()});
    place.node->AddApplication(server);
    server->SetStartTime(CLIENT_START);
    m_servers.push_back(server);
}

void
World::AddClient()
{
    m_clientApplication = CreateObject<ColoDialogueClient>();
    m_clientApplication->SetDialogue(m_dialogue);
    m_client->AggregateObject(CreateObject<ColoTcpSocketFactory>());
    m_clientApplication->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    m_clientApplication->SetAttribute("RemoteAddress", AddressValue(GUEST_ADDRESS.GetLocal()));
    m_clientApplication->SetAttribute(
        "AcceptsTokens",
        BooleanValue(m_pair.primary.node->GetObject<ColoDivergence>()->IsAnyTurnMarked()));
    m_client->AddApplication(m_clientApplication);
    m_clientApplication->SetStartTime(CLIENT_START);
}

void
World::Observe()
{
    m_clientApplication->TraceConnectWithoutContext("Latency",
                                                    MakeCallback(&World::NoteLatency, this));
    m_clientApplication->TraceConnectWithoutContext("Finished",
                                                    MakeCallback(&World::NoteFinished, this));
    if (!m_pair.primaryProxy)
    {
        return;
    }
    m_pair.primaryProxy->TraceConnectWithoutContext("Verdict",
                                                    MakeCallback(&World::NoteVerdict, this));
    m_pair.checkpointer->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this](const ColoCheckpoint& checkpoint) {
            m_result.checkpoints.push_back(checkpoint);
        }));
}

void
World::EnablePcaps()
{
    auto enable = [&](const ColoLinkDevice::Ends& link, const std::string& file) {
        m_pcaps[file] = ColoLinkDevice::EnablePcap(link, m_notes.pcapFolder + "/" + file);
    };
    enable(m_clientLink, "client.pcap");
    enable(m_pair.primary.tap, "primary-tap0.pcap");
    if (m_pair.primaryProxy)
    {
        enable(m_pair.secondary.tap, "secondary-tap0.pcap");
        enable(m_pair.secDev, "sec_dev.pcap");
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
    m_finishedAt = Simulator::Now();
    m_result.isFinished = true;
    Simulator::Stop(GRACE);
}

void
World::Collect()
{
    const Time end = m_result.isFinished ? m_finishedAt : Simulator::Now();
    m_result.durationSeconds = std::max(end - CLIENT_START, Time()).GetSeconds();
    m_result.requestsCompleted = m_clientApplication->GetRequestsCompleted();
    m_result.clientBytes = m_clientApplication->GetBytesReceived();
    m_result.clientResets = m_clientApplication->GetResets();
    m_result.clientDataErrors = m_clientApplication->GetDataErrors();
    m_result.divergedResponses = m_servers.back()->GetTurnsDiverged();
    if (!m_pair.primaryProxy)
    {
        return;
    }
    const colo_node_stats& stats = m_pair.primaryProxy->GetNode().stats;
    for (int reason = 0; reason < COLO_REASON_COUNT; reason++)
    {
        if (stats.mismatches[reason])
        {
            m_result.mismatches[static_cast<colo_reason>(reason)] = stats.mismatches[reason];
        }
    }
    m_result.coalesced = stats.coalesced;
    m_result.releasedPackets = stats.released_packets;
    m_result.releasedBytes = stats.released_bytes;
    m_result.heldPackets = stats.held_packets;
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
