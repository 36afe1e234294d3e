/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-memory.h"

#include "colo-guest.h"

#include "ns3/abort.h"
#include "ns3/double.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/ipv6-l3-protocol.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoMemory");

NS_OBJECT_ENSURE_REGISTERED(ColoMemory);

TypeId
ColoMemory::GetTypeId()
{
    const uint32_t once = TypeId::ATTR_GET | TypeId::ATTR_CONSTRUCT; // the sets are made from them
    static TypeId tid =
        TypeId("ns3::ColoMemory")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoMemory>()
            .AddAttribute("Size",
                          "Bytes of the guest's memory: what a checkpoint without a base moves.",
                          once,
                          UintegerValue(1ULL << 30),
                          MakeUintegerAccessor(&ColoMemory::m_size),
                          MakeUintegerChecker<uint64_t>(1, 1ULL << 50))
            .AddAttribute("PageSize",
                          "Bytes of a page, the unit in which writes are noted and sent (x86: "
                          "4096).",
                          once,
                          UintegerValue(4096),
                          MakeUintegerAccessor(&ColoMemory::m_pageSize),
                          MakeUintegerChecker<uint32_t>(1, 1u << 30))
            .AddAttribute("WorkingSet",
                          "Pages that the guest writes again and again. An assumption: with "
                          "WriteRate and OtherRate, an idle guest has 1360 dirty pages after 600 "
                          "ms, which take 4.5 ms at 10 Gb/s, as QEMU published of an idle Windows "
                          "guest (commit dd67c149e2).",
                          once,
                          UintegerValue(1500),
                          MakeUintegerAccessor(&ColoMemory::m_workingSetSize),
                          MakeUintegerChecker<uint64_t>())
            .AddAttribute("WriteRate",
                          "Writes a second of the guest's running time to the working set, each "
                          "to a random page. An assumption, see WorkingSet.",
                          DoubleValue(5000),
                          MakeDoubleAccessor(&ColoMemory::m_writeRate),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("OtherRate",
                          "Writes a second of the guest's running time to random pages beyond the "
                          "working set. An assumption, see WorkingSet.",
                          DoubleValue(100),
                          MakeDoubleAccessor(&ColoMemory::m_otherRate),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("PagesPerKib",
                          "Writes to random pages beyond the working set for 1024 bytes of IP "
                          "packets that the guest sends or receives. An assumption: at 1 Gb/s, "
                          "6000 pages in 600 ms besides those of an idle guest; all take 24.3 ms "
                          "at 10 Gb/s, as QEMU published of a loaded guest (see WorkingSet).",
                          DoubleValue(0.082),
                          MakeDoubleAccessor(&ColoMemory::m_pagesPerKib),
                          MakeDoubleChecker<double>(0));
    return tid;
}

void
ColoMemory::NotifyConstructionCompleted()
{
    Object::NotifyConstructionCompleted();
    m_workingSet.size = std::min(m_workingSetSize, GetAllPages());
    m_others.size = GetAllPages() - m_workingSet.size;
}

void
ColoMemory::Install(Ptr<Node> node)
{
    Ptr<ColoGuest> guest = node->GetObject<ColoGuest>();
    NS_ABORT_MSG_UNLESS(guest, "ColoMemory: node " << node->GetId() << " is no ColoGuest");
    guest->TraceConnectWithoutContext("Paused", MakeCallback(&ColoMemory::Paused, this));
    guest->TraceConnectWithoutContext("Resumed", MakeCallback(&ColoMemory::Resumed, this));
    if (Ptr<Ipv4L3Protocol> ipv4 = node->GetObject<Ipv4L3Protocol>())
    {
        ipv4->TraceConnectWithoutContext("Tx", MakeCallback(&ColoMemory::NotePacket4, this));
        ipv4->TraceConnectWithoutContext("Rx", MakeCallback(&ColoMemory::NotePacket4, this));
    }
    if (Ptr<Ipv6L3Protocol> ipv6 = node->GetObject<Ipv6L3Protocol>())
    {
        ipv6->TraceConnectWithoutContext("Tx", MakeCallback(&ColoMemory::NotePacket6, this));
        ipv6->TraceConnectWithoutContext("Rx", MakeCallback(&ColoMemory::NotePacket6, this));
    }
    node->AggregateObject(this);
}

int64_t
ColoMemory::AssignStreams(int64_t stream)
{
    m_uniform->SetStream(stream);
    m_normal->SetStream(stream + 1);
    return 2;
}

uint64_t
ColoMemory::GetAllPages() const
{
    return (m_size + m_pageSize - 1) / m_pageSize;
}

uint32_t
ColoMemory::GetPageSize() const
{
    return m_pageSize;
}

uint64_t
ColoMemory::CountDirtyPages()
{
    Advance();
    return m_workingSet.dirty + m_others.dirty;
}

uint64_t
ColoMemory::CountSentPages()
{
    Advance();
    return m_workingSet.sent + m_others.sent;
}

/** The cold pages first: they are least likely to be written again. */
uint64_t
ColoMemory::TakeDirty(uint64_t most)
{
    Advance();
    uint64_t taken = 0;
    for (Set* set : {&m_others, &m_workingSet})
    {
        const uint64_t pages = std::min(set->dirty, most - taken);
        set->dirty -= pages;
        set->sent += pages;
        taken += pages;
    }
    return taken;
}

uint64_t
ColoMemory::TakeAll()
{
    Advance();
    for (Set* set : {&m_workingSet, &m_others})
    {
        set->dirty = 0;
        set->sent = set->size;
    }
    return GetAllPages();
}

void
ColoMemory::Confirm()
{
    Advance();
    m_workingSet.sent = 0;
    m_others.sent = 0;
}

void
ColoMemory::GiveBack()
{
    Advance();
    for (Set* set : {&m_workingSet, &m_others})
    {
        set->dirty += set->sent;
        set->sent = 0;
    }
}

void
ColoMemory::Clear()
{
    Advance();
    for (Set* set : {&m_workingSet, &m_others})
    {
        set->dirty = 0;
        set->sent = 0;
    }
}

void
ColoMemory::Advance()
{
    if (m_isRunning)
    {
        const double seconds = (Simulator::Now() - m_since).GetSeconds();
        m_since = Simulator::Now();
        Write(m_workingSet, m_writeRate * seconds);
        Write(m_others,
              m_otherRate * seconds + m_pagesPerKib * static_cast<double>(m_packets) / 1024);
        m_packets = 0;
    }
}

void
ColoMemory::Write(Set& set, double writes)
{
    if (set.size == 0 || writes <= 0)
    {
        return;
    }
    const double isWritten = -std::expm1(-writes / static_cast<double>(set.size));
    const uint64_t clean = DrawBinomial(set.size - set.dirty - set.sent, isWritten);
    const uint64_t sent = DrawBinomial(set.sent, isWritten);
    set.sent -= sent;
    set.dirty += clean + sent;
}

/**
 * Of so many tries, how many succeed? With many of both outcomes as the normal distribution has
 * it; else exactly, in as many steps as there are successes, from one to the next.
 */
uint64_t
ColoMemory::DrawBinomial(uint64_t count, double probability)
{
    if (probability > 0.5)
    {
        return count - DrawBinomial(count, 1 - probability);
    }
    const auto tries = static_cast<double>(count);
    const double mean = tries * probability;
    const double variance = mean * (1 - probability);
    if (variance > 100)
    {
        const double drawn = std::round(mean + std::sqrt(variance) * m_normal->GetValue(0, 1, 40));
        return static_cast<uint64_t>(std::clamp(drawn, 0.0, tries));
    }
    const double fails = std::log1p(-probability);
    uint64_t successes = 0;
    if (fails < 0)
    {
        double at = 0; // the tries up to the latest success
        while (true)
        {
            at += std::floor(std::log1p(-m_uniform->GetValue(0, 1)) / fails) + 1;
            if (at > tries)
            {
                break;
            }
            successes++;
        }
    }
    return successes;
}

void
ColoMemory::Paused()
{
    Advance();
    m_isRunning = false;
}

void
ColoMemory::Resumed(Time)
{
    m_since = Simulator::Now();
    m_isRunning = true;
}

void
ColoMemory::NotePacket4(Ptr<const Packet> packet, Ptr<Ipv4>, uint32_t)
{
    m_packets += packet->GetSize();
}

void
ColoMemory::NotePacket6(Ptr<const Packet> packet, Ptr<Ipv6>, uint32_t)
{
    m_packets += packet->GetSize();
}

} // namespace ns3
