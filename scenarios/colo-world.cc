/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-world.h"

#include "colo-animation.h"
#include "colo-stuck.h"
#include "colo-timeline.h"
#include "colo-workload-options.h"

#include "ns3/boolean.h"
#include "ns3/bridge-net-device.h"
#include "ns3/colo-dialogue-client.h"
#include "ns3/colo-dialogue-server.h"
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
    void ObserveClient();
    void ObservePair();
    void Draw();
    void WatchProgress();
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
    Ptr<Node> m_switch;
    ColoLinkDevice::Ends m_clientLink;
    ColoLinkDevice::Ends m_primaryLink;
    ColoPair m_pair;
    Ptr<ColoDialogueClient> m_clientApplication;
    std::vector<Ptr<ColoDialogueServer>> m_servers;
    std::map<std::string, Ptr<PcapFileWrapper>> m_pcaps; //!< by name of the file
    Time m_finishedAt;
    int64_t m_stream{0};
    std::optional<ColoTimeline> m_timeline;
    std::optional<ColoAnimation> m_animation;
    std::optional<ColoFlowMonitor> m_flowMonitor;
    std::optional<ColoStuckWatch> m_stuckWatch;
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
    m_switch = CreateObject<Node>();
    auto primaryHost = CreateObject<Node>();
    auto secondaryHost = CreateObject<Node>();

    m_clientLink = ColoLinkDevice::Connect(m_client, m_switch, LAN_RATE, LAN_DELAY);
    m_primaryLink = ColoLinkDevice::Connect(primaryHost, m_switch, LAN_RATE, LAN_DELAY);
    auto lanSwitch = CreateObject<BridgeNetDevice>();
    m_switch->AddDevice(lanSwitch);
    lanSwitch->AddBridgePort(m_clientLink.second);
    lanSwitch->AddBridgePort(m_primaryLink.second);

    InternetStackHelper stack;
    stack.SetIpv6StackInstall(false);
    stack.Install(m_client);
    m_stream += stack.AssignStreams(NodeContainer(m_client), m_stream);
    Ptr<Ipv4> ipv4 = m_client->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(m_clientLink.first);
    ipv4->AddAddress(interface, CLIENT_ADDRESS);
    ipv4->SetUp(interface);

    ColoHelper helper;
    m_pair = isProtected
                 ? helper.Install(primaryHost, m_primaryLink.first, secondaryHost, GUEST_ADDRESS)
                 : helper.InstallUnprotected(primaryHost, m_primaryLink.first, GUEST_ADDRESS);
    m_stream += m_pair.AssignStreams(m_stream);
}

void
World::AddServer(const ColoGuestPlace& place)
{
    auto server = CreateObject<ColoDialogueServer>();
    server->SetDialogue(m_dialogue);
    server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    server->SetAttribute("Diverges", BooleanValue(!place.guest->IsPrimary()));
    m_stream += server->AssignStreams(m_stream);
    place.node->AddApplication(server);
    server->SetStartTime(Time());
    m_servers.push_back(server);
}

void
World::AddClient()
{
    m_clientApplication = CreateObject<ColoDialogueClient>();
    m_clientApplication->SetDialogue(m_dialogue);
    m_clientApplication->SetAttribute("RemoteAddress", AddressValue(GUEST_ADDRESS.GetLocal()));
    m_client->AddApplication(m_clientApplication);
    m_clientApplication->SetStartTime(CLIENT_START);
}

void
World::Observe()
{
    m_result.pairs.emplace_back();
    ObserveClient();
    ObservePair();
    if (m_notes.timeline)
    {
        m_timeline.emplace(m_notes.timeline);
        m_timeline->Watch(0, m_pair);
    }
    if (m_notes.animation)
    {
        Draw();
    }
    if (m_options.flowMonitor)
    {
        m_flowMonitor.emplace(NodeContainer(m_client, m_pair.primary.node));
    }
    WatchProgress();
}

void
World::ObserveClient()
{
    m_clientApplication->TraceConnectWithoutContext("Latency",
                                                    MakeCallback(&World::NoteLatency, this));
    m_clientApplication->TraceConnectWithoutContext("Finished",
                                                    MakeCallback(&World::NoteFinished, this));
}

void
World::ObservePair()
{
    if (!m_pair.primaryProxy)
    {
        return;
    }
    m_pair.primaryProxy->TraceConnectWithoutContext("Verdict",
                                                    MakeCallback(&World::NoteVerdict, this));
    m_pair.checkpointer->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this](const ColoCheckpoint& checkpoint) {
            m_result.pairs.front().checkpoints.push_back(checkpoint);
        }));
}

/** Clients left, hosts right, guests beyond their hosts. */
void
World::Draw()
{
    m_animation.emplace(m_notes.animation);
    m_animation->AddNode(m_client, "client", 10, 30);
    m_animation->AddNode(m_switch, "switch", 30, 30);
    m_animation->AddNode(m_pair.primary.bridge->GetNode(), "primary host", 50, 20);
    m_animation->AddNode(m_pair.primary.node, "primary guest", 70, 20);
    if (m_pair.primaryProxy)
    {
        m_animation->AddNode(m_pair.secondary.bridge->GetNode(), "secondary host", 50, 40);
        m_animation->AddNode(m_pair.secondary.node, "secondary guest", 70, 40);
        m_animation->AddLink(m_pair.secondary.tap);
        m_animation->AddLink(m_pair.secDev);
        m_animation->AddLink(m_pair.checkpointLink->GetDevices());
    }
    m_animation->AddLink(m_clientLink);
    m_animation->AddLink(m_primaryLink);
    m_animation->AddLink(m_pair.primary.tap);
    m_animation->Watch(m_pair);
}

void
World::WatchProgress()
{
    ColoStuckWatch::Room room;
    room.progress = [this]() {
        return m_clientApplication->GetBytesReceived() + m_clientApplication->GetBytesSent() +
               m_clientApplication->GetConversationsCompleted();
    };
    room.open = [this]() { return ColoFindOpen(0, *m_clientApplication, *m_dialogue); };
    const Time quiet = ColoStuckWatch::QUIET + ColoLongestSilence(*m_dialogue);
    m_stuckWatch.emplace(m_options.time, quiet, std::move(room));
    if (m_pair.primaryProxy)
    {
        m_stuckWatch->AddPair(m_pair.primaryProxy, m_pair.secondaryProxy);
    }
    m_stuckWatch->Start();
}

void
World::EnablePcaps()
{
    auto enable =
        [&](const ColoLinkDevice::Ends& link, const std::string& name, const std::string& file) {
            const auto& wanted = m_options.pcaps;
            if (std::find(wanted.begin(), wanted.end(), name) == wanted.end())
            {
                return;
            }
            if (m_notes.pcap)
            {
                m_notes.pcap(file);
            }
            m_pcaps[file] = ColoLinkDevice::EnablePcap(link, m_notes.pcapFolder + "/" + file);
        };
    enable(m_clientLink, "client", "client.pcap");
    enable(m_primaryLink, "eth0-primary", "eth0-primary.pcap");
    enable(m_pair.primary.tap, "primary-tap", "primary-tap0.pcap");
    if (m_pair.primaryProxy)
    {
        enable(m_pair.secondary.tap, "secondary-tap", "secondary-tap0.pcap");
        enable(m_pair.secDev, "sec_dev", "sec_dev.pcap");
        enable(m_pair.checkpointLink->GetDevices(), "eth2", "eth2.pcap");
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
        m_result.pairs.front().holdMs.push_back(verdict.held.GetNanoSeconds() / 1e6);
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
    m_stuckWatch->Stop();
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
    if (m_flowMonitor)
    {
        m_result.flowTotals = m_flowMonitor->GetTotals();
    }
    m_result.isStuck = m_stuckWatch->IsStuck();
    m_result.unfinished = m_stuckWatch->GetWords();
    ColoPairResult& pair = m_result.pairs.front();
    pair.divergedResponses = m_servers.back()->GetTurnsDiverged();
    if (!m_pair.primaryProxy)
    {
        return;
    }
    const colo_node_stats& stats = m_pair.primaryProxy->GetNode().stats;
    for (int reason = 0; reason < COLO_REASON_COUNT; reason++)
    {
        if (stats.mismatches[reason])
        {
            pair.mismatches[static_cast<colo_reason>(reason)] = stats.mismatches[reason];
        }
    }
    pair.coalesced = stats.coalesced;
    pair.releasedPackets = stats.released_packets;
    pair.releasedBytes = stats.released_bytes;
    pair.heldPackets = stats.held_packets;
}

ColoRunResult
World::Run()
{
    Simulator::Run(); // up to the limit, see ColoStuckWatch
    m_result.simSeconds = Simulator::Now().GetSeconds();
    m_result.events = Simulator::GetEventCount();
    Collect();
    ClosePcaps();
    if (m_animation)
    {
        m_animation->End();
    }
    return std::move(m_result);
}

} // namespace

void
SetColoWorldDefaults(const ColoScenarioOptions& options)
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
    Config::SetDefault("ns3::ColoSecondaryProxy::Lag", TimeValue(options.lag));
    Config::SetDefault("ns3::ColoDialogueServer::Divergence", DoubleValue(options.divergence));
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

ColoRunResult
RunColoWorld(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             bool isProtected,
             const ColoRunNotes& notes)
{
    const auto start = std::chrono::steady_clock::now();
    SetColoWorldDefaults(options);
    ColoRunResult result = World(options, std::move(dialogue), isProtected, notes).Run();
    Simulator::Destroy();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    result.wallSeconds = wall.count();
    return result;
}

} // namespace ns3
