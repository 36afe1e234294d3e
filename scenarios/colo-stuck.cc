/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-stuck.h"

#include "ns3/colo-key.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <map>

namespace ns3
{

namespace
{

const Time INTERVAL = Seconds(1);
/** Deadlines are kept to the nanosecond; this is for what may be due in the same instant. */
const Time SLACK = Seconds(1);
/** As many things of a kind are listed; a line with thousands says less. */
constexpr std::size_t LISTED_MAX = 4;

double
ToSeconds(uint64_t ns)
{
    return ns / 1e9;
}

void
Add(std::string& text, const std::string& part)
{
    text += (text.empty() || part.empty() ? "" : "; ") + part;
}

std::string
More(std::size_t count)
{
    return count > LISTED_MAX ? fmt::format(", and {} more", count - LISTED_MAX) : "";
}

std::string
Describe(const ColoOpenConversation& open)
{
    const std::string who = fmt::format("client {} port {}", open.client, open.port);
    if (!open.isConnected)
    {
        return who + " is not connected";
    }
    if (open.turn == open.turns)
    {
        return fmt::format("{} has said and heard all {} turns but is not closed", who, open.turns);
    }
    return fmt::format("{} is in turn {} of {}, {} {} of {} bytes",
                       who,
                       open.turn + 1,
                       open.turns,
                       open.fromServer ? "which brought" : "of which it sent",
                       open.bytes,
                       open.bytesAll);
}

const char*
GetName(colo_node_state state)
{
    static const char* const names[] = {"running", "requested", "paused", "transfer", "committed"};
    return names[state];
}

struct Waiting
{
    uint64_t packets{0};
    uint64_t sinceNs{COLO_NEVER_NS};
};

/** \return what the primary's packets wait in, by flow. */
std::map<std::string, Waiting>
GetWaiting(const colo_node& node)
{
    std::map<std::string, Waiting> flows;
    for (const list_head* link = node.held.next; link != &node.held; link = link->next)
    {
        const colo_packet* packet = container_of(link, colo_packet, held);
        Waiting& waiting = flows[packet->conn ? ColoKeyToString(packet->conn->key) : "no flow"];
        waiting.packets++;
        waiting.sinceNs = std::min<uint64_t>(waiting.sinceNs, packet->arrived_ns);
    }
    return flows;
}

std::string
DescribeHeld(const colo_node& node)
{
    const auto flows = GetWaiting(node);
    std::string text;
    std::size_t listed = 0;
    for (const auto& [flow, waiting] : flows)
    {
        if (listed++ == LISTED_MAX)
        {
            break;
        }
        text += fmt::format("{}{} of {} since {:.3f} s",
                            listed == 1 ? "" : ", ",
                            waiting.packets,
                            flow,
                            ToSeconds(waiting.sinceNs));
    }
    return text.empty() ? text : fmt::format("holds packets: {}{}", text, More(flows.size()));
}

std::string
DescribeCheckpoint(const colo_node& primary, const colo_node& secondary)
{
    if (primary.deferred)
    {
        return fmt::format("puts off a checkpoint ({})", colo_reason_name(primary.cause));
    }
    if (primary.state == COLO_NODE_RUNNING && secondary.state == COLO_NODE_RUNNING)
    {
        return "";
    }
    return fmt::format("is in a checkpoint ({}) to epoch {}: primary {}, secondary {}",
                       colo_reason_name(primary.cause),
                       primary.attempt,
                       GetName(primary.state),
                       GetName(secondary.state));
}

} // namespace

const Time ColoStuckWatch::QUIET = Seconds(300);

std::vector<ColoOpenConversation>
ColoFindOpen(uint32_t index, const ColoDialogueClient& client, const ColoDialogue& dialogue)
{
    std::vector<ColoOpenConversation> found;
    for (const auto& standing : client.GetStandings())
    {
        const ColoConversation& script = dialogue.conversations[standing.conversation];
        const auto& turns = script.turns;
        ColoOpenConversation open;
        open.client = index;
        const bool isAsked = script.opener == ColoOpener::GUEST;
        open.port = isAsked ? script.serverPort : script.clientPort;
        open.isConnected = standing.isConnected;
        open.turn = standing.turn;
        open.turns = turns.size();
        if (open.turn < open.turns)
        {
            open.fromServer = turns[open.turn].fromServer;
            open.bytesAll = turns[open.turn].bytes;
            open.bytes = open.bytesAll - standing.left;
        }
        found.push_back(open);
    }
    return found;
}

std::string
ColoDescribeOpen(const std::vector<ColoOpenConversation>& open)
{
    std::string text;
    for (std::size_t i = 0; i < std::min(open.size(), LISTED_MAX); i++)
    {
        text += (i ? ", " : "") + Describe(open[i]);
    }
    return text + More(open.size());
}

std::string
ColoDescribeWaiting(uint32_t index, const colo_node& primary, const colo_node& secondary)
{
    const std::string held = DescribeHeld(primary);
    const std::string checkpoint = DescribeCheckpoint(primary, secondary);
    if (held.empty() && checkpoint.empty())
    {
        return "";
    }
    return fmt::format("pair {} {}{}{}",
                       index,
                       held,
                       held.empty() || checkpoint.empty() ? "" : " and ",
                       checkpoint);
}

bool
ColoIsOverdue(const colo_node& primary, Time now)
{
    const bool mayAsk = primary.mode == COLO_MODE_PROTECTED && primary.state == COLO_NODE_RUNNING &&
                        !primary.deferred && colo_node_may_speak(&primary, now.GetNanoSeconds());
    if (!mayAsk || primary.held.next == &primary.held)
    {
        return false;
    }
    const colo_packet* oldest = container_of(primary.held.next, colo_packet, held);
    const uint64_t due = oldest->arrived_ns + primary.config.compare_timeout_ns;
    return due + SLACK.GetNanoSeconds() < static_cast<uint64_t>(now.GetNanoSeconds());
}

Time
ColoLongestSilence(const ColoDialogue& dialogue)
{
    Time longest;
    Time start;
    for (const ColoConversation& conversation : dialogue.conversations)
    {
        longest = std::max(longest, conversation.start - start);
        start = conversation.after == ColoConversation::NONE ? conversation.start : start;
        for (const ColoTurn& turn : conversation.turns)
        {
            longest = std::max(longest, turn.pause);
        }
    }
    return longest;
}

ColoStuckWatch::ColoStuckWatch(Time limit, Time quiet, Room room)
    : m_limit(limit),
      m_quiet(quiet),
      m_room(std::move(room))
{
}

ColoStuckWatch::~ColoStuckWatch()
{
    Stop();
}

void
ColoStuckWatch::AddPair(Ptr<ColoProxy> primary, Ptr<ColoProxy> secondary)
{
    m_pairs.emplace_back(primary, secondary);
}

void
ColoStuckWatch::Start()
{
    m_event = Simulator::Schedule(std::min(INTERVAL, m_limit), &ColoStuckWatch::Look, this);
}

void
ColoStuckWatch::Stop()
{
    m_event.Cancel();
}

const std::string&
ColoStuckWatch::GetWords() const
{
    return m_words;
}

bool
ColoStuckWatch::IsStuck() const
{
    return m_isStuck;
}

void
ColoStuckWatch::Look()
{
    const std::string reason = FindReason();
    m_isStuck = !reason.empty();
    if (m_isStuck || Simulator::Now() >= m_limit)
    {
        m_words = Describe(m_isStuck ? reason : "the time is over (--time)");
        Simulator::Stop();
        return;
    }
    const Time left = m_limit - Simulator::Now();
    m_event = Simulator::Schedule(std::min(INTERVAL, left), &ColoStuckWatch::Look, this);
}

std::string
ColoStuckWatch::FindReason()
{
    const Time now = Simulator::Now();
    const uint64_t progress = m_room.progress();
    if (progress != m_progress)
    {
        m_progress = progress;
        m_progressAt = now;
    }
    for (std::size_t i = 0; i < m_pairs.size(); i++)
    {
        if (ColoIsOverdue(m_pairs[i].first->GetNode(), now))
        {
            return fmt::format("pair {} holds a packet beyond its time, without a checkpoint", i);
        }
    }
    if (Simulator::IsFinished())
    {
        return "nothing is left to happen";
    }
    if (now - m_progressAt > m_quiet)
    {
        return fmt::format("no byte came or went for {:.0f} s", m_quiet.GetSeconds());
    }
    return "";
}

std::string
ColoStuckWatch::Describe(const std::string& reason) const
{
    std::string text = fmt::format("{} at {:.3f} s: {}",
                                   m_isStuck ? "stuck" : "not over",
                                   Simulator::Now().GetSeconds(),
                                   reason);
    Add(text, ColoDescribeOpen(m_room.open()));
    for (std::size_t i = 0; i < m_pairs.size(); i++)
    {
        const auto& [primary, secondary] = m_pairs[i];
        Add(text,
            ColoDescribeWaiting(static_cast<uint32_t>(i),
                                primary->GetNode(),
                                secondary->GetNode()));
    }
    return text;
}

} // namespace ns3
