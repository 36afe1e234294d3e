/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-datagram-answerer.h"

#include "ns3/abort.h"
#include "ns3/ipv4-address.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

#include <set>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDatagramAnswerer");

NS_OBJECT_ENSURE_REGISTERED(ColoDatagramAnswerer);

TypeId
ColoDatagramAnswerer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDatagramAnswerer")
            .SetParent<ColoDatagramApplication>()
            .SetGroupName("Colo")
            .AddConstructor<ColoDatagramAnswerer>()
            .AddAttribute("LocalAddress",
                          "Address to listen on, without a port.",
                          AddressValue(Ipv4Address::GetAny()),
                          MakeAddressAccessor(&ColoDatagramAnswerer::m_localAddress),
                          MakeAddressChecker());
    return tid;
}

ColoDatagramAnswerer::ColoDatagramAnswerer()
    : ColoDatagramApplication(false)
{
}

std::size_t
ColoDatagramAnswerer::GetPending() const
{
    return m_pending.size();
}

void
ColoDatagramAnswerer::CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf)
{
    ForgetAnswers();
    auto original = DynamicCast<ColoDatagramAnswerer>(twin);
    NS_ABORT_MSG_UNLESS(original, "the twin must be another datagram answerer");
    m_localAddress = original->m_localAddress;
    ColoDatagramApplication::CloneFrom(twin, twinOf);
    m_memory = original->m_memory;
    m_pending = original->m_pending;

    // Of events at the same instant, the first scheduled runs first: keep the order.
    std::map<uint32_t, uint32_t> timers;
    for (const auto& [index, answer] : m_pending)
    {
        timers[answer.timer.GetUid()] = index;
    }
    for (const auto& [uid, index] : timers)
    {
        EventId& timer = m_pending.at(index).timer;
        timer = Simulator::Schedule(Simulator::GetDelayLeft(timer),
                                    &ColoDatagramAnswerer::PauseOver,
                                    this,
                                    index);
    }
}

void
ColoDatagramAnswerer::DoDispose()
{
    ForgetAnswers();
    ColoDatagramApplication::DoDispose();
}

void
ColoDatagramAnswerer::StartApplication()
{
    NS_LOG_FUNCTION(this);
    if (m_isRunning)
    {
        return; // as a clone of one that was started before
    }
    std::set<uint16_t> ports;
    const std::vector<uint32_t> all = ListConversations();
    for (uint32_t index : all)
    {
        ports.insert(GetConversation(index).serverPort);
    }
    for (uint16_t port : ports)
    {
        NS_ABORT_MSG_IF(Open(port) == 0, "cannot listen on UDP port " << port);
    }
    m_memory.resize(all.empty() ? 0 : all.back() + 1);
    m_isRunning = true;
}

void
ColoDatagramAnswerer::StopApplication()
{
    ForgetAnswers();
    ColoDatagramApplication::StopApplication();
}

Address
ColoDatagramAnswerer::GetLocal(uint16_t port) const
{
    return AddPort(m_localAddress, port, "LocalAddress");
}

bool
ColoDatagramAnswerer::Expects(uint32_t index, const ColoDatagramHeader& header) const
{
    return header.turn + 1 >= m_memory[index].heard;
}

void
ColoDatagramAnswerer::Take(uint32_t index, const ColoDatagramHeader& header, const Address& from)
{
    Memory& memory = m_memory[index];
    if (header.turn + 1 != memory.heard)
    {
        memory = {0, static_cast<uint16_t>(header.turn + 1), false};
        if (const auto late = m_pending.find(index); late != m_pending.end())
        {
            late->second.timer.Cancel();
            m_pending.erase(late);
        }
    }
    const auto& turns = GetConversation(index).turns;
    const bool asks = memory.heard < turns.size() &&
                      turns[memory.heard].fromServer != turns[header.turn].fromServer;
    if (!asks || m_pending.count(index) != 0)
    {
        return;
    }
    const Time delay = GetDelay(turns[memory.heard].pause);
    if (delay.IsStrictlyPositive())
    {
        const EventId timer =
            Simulator::Schedule(delay, &ColoDatagramAnswerer::PauseOver, this, index);
        m_pending[index] = {timer, header.query, from};
        return;
    }
    Say(index, header.query, from);
}

void
ColoDatagramAnswerer::ForgetAnswers()
{
    for (auto& [index, answer] : m_pending)
    {
        answer.timer.Cancel();
    }
    m_pending.clear();
}

void
ColoDatagramAnswerer::PauseOver(uint32_t index)
{
    const Answer answer = m_pending.at(index);
    m_pending.erase(index);
    Say(index, answer.query, answer.asker);
}

void
ColoDatagramAnswerer::Say(uint32_t index, uint16_t query, const Address& asker)
{
    Memory& memory = m_memory[index];
    const uint16_t turn = memory.heard;
    if (!memory.isAnswered)
    {
        memory.token = BeginTurn(index, turn);
        memory.isAnswered = true;
    }
    Send(index, {0, turn, query}, memory.token, GetConversation(index).serverPort, asker);
}

} // namespace ns3
