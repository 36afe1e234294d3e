/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-datagram-asker.h"

#include "ns3/abort.h"
#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/ipv4-address.h"
#include "ns3/ipv6-address.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <utility>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDatagramAsker");

NS_OBJECT_ENSURE_REGISTERED(ColoDatagramAsker);

TypeId
ColoDatagramAsker::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDatagramAsker")
            .SetParent<ColoDatagramApplication>()
            .SetGroupName("Colo")
            .AddConstructor<ColoDatagramAsker>()
            .AddAttribute("RemoteAddress",
                          "Address of the side that answers, without a port.",
                          AddressValue(Ipv4Address::GetLoopback()),
                          MakeAddressAccessor(&ColoDatagramAsker::m_remoteAddress),
                          MakeAddressChecker())
            .AddAttribute("RetryAfter",
                          "A question is repeated if no answer came in that time; resolvers wait "
                          "about a second.",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&ColoDatagramAsker::m_retryAfter),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("Retries",
                          "How often a question is repeated before its conversation is given up.",
                          UintegerValue(5),
                          MakeUintegerAccessor(&ColoDatagramAsker::m_retries),
                          MakeUintegerChecker<uint32_t>())
            .AddTraceSource("Latency",
                            "A question was answered: time since it was first asked.",
                            MakeTraceSourceAccessor(&ColoDatagramAsker::m_latencyTrace),
                            "ns3::ColoDatagramAsker::LatencyTracedCallback")
            .AddTraceSource("Finished",
                            "Every conversation of this side is over.",
                            MakeTraceSourceAccessor(&ColoDatagramAsker::m_finishedTrace),
                            "ns3::TracedCallback::Void");
    return tid;
}

ColoDatagramAsker::ColoDatagramAsker()
    : ColoDatagramApplication(true)
{
}

uint64_t
ColoDatagramAsker::GetRequestsCompleted() const
{
    return m_completed;
}

uint64_t
ColoDatagramAsker::GetRepeats() const
{
    return m_repeats;
}

uint64_t
ColoDatagramAsker::GetFailures() const
{
    return m_failures;
}

bool
ColoDatagramAsker::IsFinished() const
{
    return m_isRunning && m_left == 0;
}

void
ColoDatagramAsker::CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf)
{
    CancelTimers();
    auto original = DynamicCast<ColoDatagramAsker>(twin);
    NS_ABORT_MSG_UNLESS(original, "the twin must be another datagram asker");
    m_remoteAddress = original->m_remoteAddress;
    ColoDatagramApplication::CloneFrom(twin, twinOf);
    m_retryAfter = original->m_retryAfter;
    m_retries = original->m_retries;
    m_firsts = original->m_firsts;
    m_nextFirst = original->m_nextFirst;
    m_followers = original->m_followers;
    m_open = original->m_open;
    m_left = original->m_left;
    m_completed = original->m_completed;
    m_repeats = original->m_repeats;
    m_failures = original->m_failures;

    // Of events at the same instant, the first scheduled runs first: keep the order.
    constexpr uint32_t START = ColoConversation::NONE;
    std::map<uint32_t, std::pair<Time, uint32_t>> timers;
    const auto note = [&timers](const EventId& timer, uint32_t whose) {
        timers[timer.GetUid()] = {Simulator::GetDelayLeft(timer), whose};
    };
    if (!original->m_startEvent.IsExpired())
    {
        note(original->m_startEvent, START);
    }
    for (const auto& [index, conversation] : m_open)
    {
        note(conversation.timer, index);
    }
    for (const auto& [uid, timer] : timers)
    {
        const auto [left, whose] = timer;
        if (whose == START)
        {
            m_startEvent = Simulator::Schedule(left, &ColoDatagramAsker::StartNext, this);
        }
        else
        {
            m_open[whose].timer =
                Simulator::Schedule(left, &ColoDatagramAsker::TimeOut, this, whose);
        }
    }
}

void
ColoDatagramAsker::DoDispose()
{
    CancelTimers();
    m_open.clear();
    ColoDatagramApplication::DoDispose();
}

void
ColoDatagramAsker::StartApplication()
{
    NS_LOG_FUNCTION(this);
    if (m_isRunning)
    {
        return; // as a clone of one that was started before
    }
    const std::vector<uint32_t> all = ListConversations();
    for (uint32_t index : all)
    {
        const ColoConversation& conversation = GetConversation(index);
        const uint32_t after = conversation.after;
        NS_ABORT_MSG_IF(conversation.start.IsStrictlyNegative(),
                        "conversation " << index << " by UDP starts before the dialogue");
        if (after == ColoConversation::NONE)
        {
            m_firsts.push_back(index);
            continue;
        }
        NS_ABORT_MSG_UNLESS(after < index && std::binary_search(all.begin(), all.end(), after),
                            "conversation " << index << " by UDP follows conversation " << after
                                            << ", which is no earlier one of the same side");
        m_followers.emplace(after, index);
    }
    std::stable_sort(m_firsts.begin(), m_firsts.end(), [this](uint32_t a, uint32_t b) {
        return GetConversation(a).start < GetConversation(b).start;
    });
    m_isRunning = true;
    m_left = all.size();
    if (m_left == 0)
    {
        m_finishedTrace();
        return;
    }
    const Time first = GetConversation(m_firsts[0]).start;
    m_startEvent = Simulator::Schedule(first, &ColoDatagramAsker::StartNext, this);
}

void
ColoDatagramAsker::StopApplication()
{
    CancelTimers();
    m_open.clear();
    ColoDatagramApplication::StopApplication();
}

Address
ColoDatagramAsker::GetLocal(uint16_t port) const
{
    if (Ipv6Address::IsMatchingType(m_remoteAddress))
    {
        return Inet6SocketAddress(Ipv6Address::GetAny(), port);
    }
    return InetSocketAddress(Ipv4Address::GetAny(), port);
}

void
ColoDatagramAsker::CancelTimers()
{
    m_startEvent.Cancel();
    for (auto& [index, conversation] : m_open)
    {
        conversation.timer.Cancel();
    }
}

void
ColoDatagramAsker::StartNext()
{
    const uint32_t index = m_firsts[m_nextFirst++];
    if (m_nextFirst < m_firsts.size())
    {
        const Time gap =
            GetConversation(m_firsts[m_nextFirst]).start - GetConversation(index).start;
        m_startEvent = Simulator::Schedule(gap, &ColoDatagramAsker::StartNext, this);
    }
    m_open[index];
    Play(index);
}

void
ColoDatagramAsker::TimeOut(uint32_t index)
{
    Conversation& conversation = m_open.at(index);
    switch (conversation.phase)
    {
    case Phase::STARTING:
        Play(index);
        break;
    case Phase::PAUSING:
        if (BeginQuestion(index, conversation))
        {
            Play(index);
        }
        break;
    case Phase::WAITING:
        if (conversation.repeats == m_retries)
        {
            NS_LOG_WARN("conversation " << index << " got no answer");
            m_failures++;
            End(index);
            break;
        }
        conversation.repeats++;
        m_repeats++;
        Ask(index, conversation);
        break;
    }
}

/** Go on with the turn that is due, which is this side's, if any is left. */
void
ColoDatagramAsker::Play(uint32_t index)
{
    Conversation& conversation = m_open.at(index);
    const auto& turns = GetConversation(index).turns;
    while (conversation.turn < turns.size())
    {
        const Time delay = GetDelay(turns[conversation.turn].pause);
        if (delay.IsStrictlyPositive())
        {
            conversation.phase = Phase::PAUSING;
            conversation.timer =
                Simulator::Schedule(delay, &ColoDatagramAsker::TimeOut, this, index);
            return;
        }
        if (!BeginQuestion(index, conversation))
        {
            return;
        }
    }
    End(index);
}

/** Ask for the first time; true if no answer follows. */
bool
ColoDatagramAsker::BeginQuestion(uint32_t index, Conversation& conversation)
{
    const ColoConversation& script = GetConversation(index);
    if (conversation.port == 0)
    {
        const bool isClient = script.opener == ColoOpener::CLIENT;
        conversation.port = Open(isClient ? script.clientPort : 0);
        if (conversation.port == 0)
        {
            NS_LOG_WARN("conversation " << index << " has no port to ask from");
            m_failures++;
            End(index);
            return false;
        }
    }
    conversation.questions++;
    const uint16_t drawn = DrawQueryId();
    conversation.query = drawn != 0 ? drawn : conversation.questions;
    conversation.token = BeginTurn(index, conversation.turn);
    conversation.repeats = 0;
    conversation.asked = Simulator::Now();
    Ask(index, conversation);
    return conversation.phase != Phase::WAITING;
}

/** Send the question, and wait for the answer if there is to be one. */
void
ColoDatagramAsker::Ask(uint32_t index, Conversation& conversation)
{
    const ColoConversation& script = GetConversation(index);
    const uint16_t turn = conversation.turn;
    const bool isAnswered = turn + 1U < script.turns.size() &&
                            script.turns[turn + 1].fromServer != script.turns[turn].fromServer;
    if (isAnswered)
    {
        conversation.phase = Phase::WAITING;
        conversation.timer =
            Simulator::Schedule(m_retryAfter, &ColoDatagramAsker::TimeOut, this, index);
    }
    else
    {
        conversation.phase = Phase::PAUSING;
        conversation.turn++;
    }
    Send(index,
         {0, turn, conversation.query},
         conversation.token,
         conversation.port,
         AddPort(m_remoteAddress, script.serverPort, "RemoteAddress"));
}

bool
ColoDatagramAsker::Expects(uint32_t index, const ColoDatagramHeader& header) const
{
    const auto found = m_open.find(index);
    return found != m_open.end() && found->second.phase == Phase::WAITING &&
           header.turn == found->second.turn + 1 && header.query == found->second.query;
}

void
ColoDatagramAsker::Take(uint32_t index, const ColoDatagramHeader& header, const Address&)
{
    Conversation& conversation = m_open.at(index);
    conversation.timer.Cancel();
    conversation.turn = header.turn + 1;
    m_completed++;
    m_latencyTrace(Simulator::Now() - conversation.asked);
    Play(index);
}

void
ColoDatagramAsker::End(uint32_t index)
{
    Conversation& conversation = m_open.at(index);
    if (conversation.port != 0)
    {
        Close(conversation.port);
    }
    m_open.erase(index);
    const auto [first, last] = m_followers.equal_range(index);
    for (auto follower = first; follower != last; ++follower)
    {
        const uint32_t next = follower->second;
        m_open[next].timer = Simulator::Schedule(GetConversation(next).start,
                                                 &ColoDatagramAsker::TimeOut,
                                                 this,
                                                 next);
    }
    if (--m_left == 0)
    {
        m_finishedTrace();
    }
}

} // namespace ns3
