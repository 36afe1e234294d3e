/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-world.h"

#include "colo-animation.h"
#include "colo-players.h"
#include "colo-stuck.h"
#include "colo-timeline.h"
#include "colo-workload-options.h"

#include "ns3/colo-pause.h"
#include "ns3/colo-testbed.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/node-container.h"
#include "ns3/pcap-file-wrapper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <algorithm>
#include <chrono>

namespace ns3
{

namespace
{

const Time CLIENT_START = MilliSeconds(1);
/** For the last segments of a connection, once the client has said and heard everything. */
const Time GRACE = MilliSeconds(100);

ColoTestbedOptions
MakeTestbedOptions(const ColoScenarioOptions& options, ColoProtection protection)
{
    ColoTestbedOptions testbed;
    testbed.clients = options.shape.clients;
    testbed.pairs = options.pairs;
    testbed.isIpv6 = options.isIpv6;
    testbed.protection = protection;
    testbed.lan = options.lan;
    testbed.uplink = options.lan;
    testbed.secDev = options.secDev;
    testbed.checkpointLink = options.checkpointLink;
    return testbed;
}

/** The name of a link without the index that tells it from others of its kind. */
std::string
KindOf(const std::string& link)
{
    return link == "eth2" ? link : link.substr(0, link.find_last_not_of("0123456789") + 1);
}

/** The network, as in README's drawing, and who speaks in it. */
class World
{
  public:
    World(const ColoScenarioOptions& options,
          std::shared_ptr<const ColoDialogue> dialogue,
          ColoProtection protection,
          const ColoRunNotes& notes);

    ColoRunResult Run();

  private:
    void AddPlayers(std::shared_ptr<const ColoDialogue> dialogue);
    void Observe();
    void ObservePair(std::size_t index);
    void ObserveFailover(std::size_t index, Ptr<ColoProxy> proxy, const char* host);
    void NoteFailover(std::size_t pair, const char* step, const char* host);
    void MonitorFlows();
    void Draw();
    void WatchProgress();
    uint64_t GetProgress() const;
    std::vector<ColoOpenConversation> FindOpen() const;
    void EnablePcaps();
    void ClosePcaps();
    void NoteVerdict(std::size_t pair, const ColoVerdict& verdict);
    void NoteLatency(Time latency);
    void NoteFinished();
    void Collect();
    void CollectPair(std::size_t index);

    const ColoScenarioOptions& m_options;
    const ColoRunNotes& m_notes;
    ColoTestbed m_testbed;
    std::vector<std::unique_ptr<ColoPlayers>> m_players; //!< by pair
    std::map<std::string, Ptr<PcapFileWrapper>> m_pcaps; //!< by name of the file
    std::size_t m_pairsFinished{0};
    Time m_finishedAt;
    bool m_isCancelled{false};
    int64_t m_stream{0};
    std::optional<ColoTimeline> m_timeline;
    std::optional<ColoAnimation> m_animation;
    std::optional<ColoFlowMonitor> m_flowMonitor;
    std::optional<ColoStuckWatch> m_stuckWatch;
    ColoRunResult m_result;
};

World::World(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             ColoProtection protection,
             const ColoRunNotes& notes)
    : m_options(options),
      m_notes(notes),
      m_testbed(MakeTestbedOptions(options, protection))
{
    m_stream += m_testbed.AssignStreams(m_stream);
    AddPlayers(std::move(dialogue));
    Observe();
    if (!notes.pcapFolder.empty())
    {
        EnablePcaps();
    }
    if (protection == ColoProtection::COLO)
    {
        ColoScheduleFaults(options.faults, m_testbed);
    }
}

void
World::AddPlayers(std::shared_ptr<const ColoDialogue> dialogue)
{
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
}

void
World::Observe()
{
    m_result.pairs.resize(m_testbed.GetPairs().size());
    if (m_notes.timeline)
    {
        m_timeline.emplace(m_notes.timeline);
    }
    for (std::size_t i = 0; i < m_testbed.GetPairs().size(); i++)
    {
        ObservePair(i);
    }
    if (m_notes.animation)
    {
        Draw();
    }
    if (m_options.flowMonitor)
    {
        MonitorFlows();
    }
    WatchProgress();
}

void
World::ObservePair(std::size_t index)
{
    const ColoPair& pair = m_testbed.GetPairs()[index];
    if (m_timeline)
    {
        m_timeline->Watch(index, pair);
    }
    if (!ColoHasSecondHost(pair.protection))
    {
        return;
    }
    Ptr<Object> judge = pair.remus;
    Ptr<Object> checkpointer = pair.remus;
    if (!pair.remus)
    {
        judge = pair.primaryProxy;
        checkpointer = pair.checkpointer;
    }
    judge->TraceConnectWithoutContext(
        "Verdict",
        Callback<void, const ColoVerdict&>(
            [this, index](const ColoVerdict& verdict) { NoteVerdict(index, verdict); }));
    checkpointer->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this, index](const ColoCheckpoint& checkpoint) {
            m_result.pairs[index].checkpoints.push_back(checkpoint);
        }));
    if (pair.remus)
    {
        return;
    }
    ObserveFailover(index, pair.primaryProxy, "primary");
    ObserveFailover(index, pair.secondaryProxy, "secondary");
    pair.secondaryProxy->TraceConnectWithoutContext(
        "TakeOver",
        Callback<void>([this, index] { NoteFailover(index, "take-over", "secondary"); }));
}

void
World::ObserveFailover(std::size_t index, Ptr<ColoProxy> proxy, const char* host)
{
    for (const auto& [trace, step] : {std::make_pair("PeerLost", "peer-lost"),
                                      std::make_pair("Alone", "alone"),
                                      std::make_pair("Fenced", "fenced"),
                                      std::make_pair("Protected", "protected")})
    {
        proxy->TraceConnectWithoutContext(trace, Callback<void>([=, name = step] {
                                              NoteFailover(index, name, host);
                                          }));
    }
}

void
World::NoteFailover(std::size_t pair, const char* step, const char* host)
{
    m_result.pairs[pair].failover.push_back({step, host, Simulator::Now()});
    if (m_timeline)
    {
        m_timeline->NoteFailover(pair, step, host);
    }
}

void
World::MonitorFlows()
{
    NodeContainer nodes;
    for (const auto& client : m_testbed.GetClients())
    {
        nodes.Add(client);
    }
    for (const auto& pair : m_testbed.GetPairs())
    {
        nodes.Add(pair.primary.node);
    }
    m_flowMonitor.emplace(nodes);
}

/** Clients left, hosts right, guests beyond their hosts. */
void
World::Draw()
{
    constexpr double STEP = 10;
    m_animation.emplace(m_notes.animation);
    const auto& clients = m_testbed.GetClients();
    for (std::size_t i = 0; i < clients.size(); i++)
    {
        const std::string name = clients.size() > 1 ? "client " + std::to_string(i) : "client";
        m_animation->AddNode(clients[i], name, 10, 30 + STEP * i);
    }
    m_animation->AddNode(m_testbed.GetSwitch(), "switch", 30, 30);
    const auto& pairs = m_testbed.GetPairs();
    const double below = 40 + STEP * (pairs.size() - 1);
    m_animation->AddNode(pairs.front().primary.bridge->GetNode(), "primary host", 50, 20);
    if (const auto& secondaryHost = m_testbed.GetHosts().secondary)
    {
        m_animation->AddNode(secondaryHost->GetNode(), "secondary host", 50, below);
        m_animation->AddNode(m_testbed.GetArbiter(), "arbiter", 30, 10);
    }
    for (std::size_t i = 0; i < pairs.size(); i++)
    {
        const std::string index = pairs.size() > 1 ? " " + std::to_string(i) : "";
        m_animation->AddNode(pairs[i].primary.node, "primary guest" + index, 70, 20 + STEP * i);
        if (pairs[i].secondary.node)
        {
            m_animation->AddNode(pairs[i].secondary.node,
                                 "secondary guest" + index,
                                 70,
                                 below + STEP * i);
        }
    }
    for (const auto& [name, ends] : m_testbed.GetLinks())
    {
        m_animation->AddLink(ends);
    }
    for (const auto& pair : pairs)
    {
        m_animation->Watch(pair);
    }
}

uint64_t
World::GetProgress() const
{
    uint64_t progress = 0;
    for (const auto& players : m_players)
    {
        progress += players->GetProgress();
    }
    return progress;
}

std::vector<ColoOpenConversation>
World::FindOpen() const
{
    std::vector<ColoOpenConversation> open;
    for (const auto& players : m_players)
    {
        const auto& clients = players->GetClients();
        for (std::size_t i = 0; i < clients.size(); i++)
        {
            const auto own = ColoFindOpen(i, *clients[i], players->GetDialogue());
            open.insert(open.end(), own.begin(), own.end());
        }
    }
    return open;
}

void
World::WatchProgress()
{
    ColoStuckWatch::Room room;
    room.progress = [this] { return GetProgress(); };
    room.open = [this] { return FindOpen(); };
    const Time quiet = ColoStuckWatch::QUIET + ColoLongestSilence(m_players.front()->GetDialogue());
    m_stuckWatch.emplace(m_options.time, quiet, std::move(room));
    for (const auto& pair : m_testbed.GetPairs())
    {
        if (pair.primaryProxy)
        {
            m_stuckWatch->AddPair(pair.primaryProxy, pair.secondaryProxy);
        }
    }
    m_stuckWatch->Start();
}

/** A link's file has its name; the only client needs no index. */
void
World::EnablePcaps()
{
    const auto isWanted = [this](const std::string& name) {
        const auto& wanted = m_options.pcaps;
        return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
    };
    for (const auto& [name, ends] : m_testbed.GetLinks())
    {
        const std::string kind = KindOf(name);
        const bool isOfLan = kind == "client" || kind.rfind("eth0", 0) == 0;
        if (!isWanted(kind) && !(isOfLan && isWanted("lan")))
        {
            continue;
        }
        const bool isOnlyClient = kind == "client" && m_testbed.GetClients().size() == 1;
        const std::string file = (isOnlyClient ? kind : name) + ".pcap";
        if (m_notes.pcap)
        {
            m_notes.pcap(file);
        }
        m_pcaps[file] = ColoLinkDevice::EnablePcap(ends, m_notes.pcapFolder + "/" + file);
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
World::NoteVerdict(std::size_t pair, const ColoVerdict& verdict)
{
    const bool leaves =
        verdict.event == ColoVerdict::RELEASE || verdict.event == ColoVerdict::RESEND;
    if (leaves && verdict.side == COLO_PRIMARY && verdict.flow)
    {
        m_result.pairs[pair].holdMs.push_back(verdict.held.GetNanoSeconds() / 1e6);
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
    m_stuckWatch->Stop();
    Simulator::Stop(GRACE);
}

void
World::Collect()
{
    const Time end = m_result.isFinished ? m_finishedAt : Simulator::Now();
    m_result.durationSeconds = std::max(end - CLIENT_START, Time()).GetSeconds();
    if (m_flowMonitor)
    {
        m_result.flowTotals = m_flowMonitor->GetTotals();
    }
    m_result.isStuck = m_stuckWatch->IsStuck();
    m_result.unfinished = m_stuckWatch->GetWords();
    std::size_t checkpoints = 0;
    for (std::size_t i = 0; i < m_players.size(); i++)
    {
        CollectPair(i);
        for (const ColoCheckpoint& checkpoint : m_result.pairs[i].checkpoints)
        {
            checkpoints += checkpoint.requested >= CLIENT_START && checkpoint.requested <= end;
        }
    }
    if (m_result.durationSeconds > 0)
    {
        m_result.checkpointsPerSecond = checkpoints / m_result.durationSeconds;
    }
}

void
World::CollectPair(std::size_t index)
{
    ColoPairResult& pair = m_result.pairs[index];
    const ColoPlayers::Counts counts = m_players[index]->Count();
    m_result.requestsCompleted += counts.requests;
    m_result.clientBytes += counts.bytes;
    m_result.clientResets += counts.resets;
    m_result.clientDataErrors += counts.wrong;
    pair.divergedResponses = counts.diverged;
    const ColoPair& made = m_testbed.GetPairs()[index];
    if (!ColoHasSecondHost(made.protection))
    {
        return;
    }
    const colo_node_stats& stats =
        made.remus ? made.remus->GetStatistics() : made.primaryProxy->GetStatistics();
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
    ColoScheduler::SetPoll([this] {
        m_isCancelled = m_notes.isCancelled && m_notes.isCancelled();
        if (m_isCancelled)
        {
            Simulator::Stop();
        }
    });
    Simulator::Run(); // up to the limit, see ColoStuckWatch
    if (m_isCancelled)
    {
        throw ColoCancelled();
    }
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

/** However it ends, the process is ready for the next one. */
class Simulation
{
  public:
    Simulation() = default;

    ~Simulation()
    {
        ColoScheduler::SetPoll({});
        Simulator::Destroy();
    }

    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
};

} // namespace

ColoCancelled::ColoCancelled()
    : std::runtime_error("cancelled")
{
}

void
SetColoWorldDefaults(const ColoScenarioOptions& options)
{
    ColoTestbed::SetDefaults(options.seed, options.isIpv6);
    Config::SetDefault("ns3::ColoSecondaryProxy::Lag", TimeValue(options.lag));
    if (options.interval)
    {
        const bool isRemus = options.protection == ColoProtection::REMUS || options.compare;
        Config::SetDefault(isRemus ? "ns3::ColoRemus::Interval"
                                   : "ns3::ColoPrimaryProxy::CheckpointIntervalMax",
                           TimeValue(*options.interval));
    }
    Config::SetDefault("ns3::ColoDivergence::Content", DoubleValue(options.divergence));
    if (!ColoIsCapture(options.workload))
    {
        // Captures are played without their long silences; other pauses are meant as they are.
        const TimeValue pause(Hours(24));
        Config::SetDefault("ns3::ColoDialogueClient::MaxPause", pause);
        Config::SetDefault("ns3::ColoDialogueServer::MaxPause", pause);
    }
    if (!options.faults.empty())
    {
        Config::SetDefault("ns3::ColoProxy::Lease", TimeValue(ColoFault::LEASE));
    }
    if (options.calibration)
    {
        for (const ColoCalibrationFigure& figure : options.calibration->GetFigures())
        {
            Config::SetDefault(figure.attribute, StringValue(figure.GetText()));
        }
    }
    for (const auto& [name, value] : options.attributes)
    {
        Config::SetDefault(name, StringValue(value));
    }
}

ColoRunResult
RunColoWorld(const ColoScenarioOptions& options,
             std::shared_ptr<const ColoDialogue> dialogue,
             ColoProtection protection,
             const ColoRunNotes& notes)
{
    const auto start = std::chrono::steady_clock::now();
    SetColoWorldDefaults(options);
    ColoRunResult result;
    {
        const Simulation simulation; // goes after the world
        result = World(options, std::move(dialogue), protection, notes).Run();
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    result.wallSeconds = wall.count();
    return result;
}

} // namespace ns3
