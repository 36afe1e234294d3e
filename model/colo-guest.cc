/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-guest.h"

#include "colo-guest-application.h"
#include "colo-guest-stack.h"
#include "colo-own-random.h"
#include "colo-pause.h"
#include "colo-tcp-protocol.h"

#include "ns3/abort.h"
#include "ns3/arp-l3-protocol.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/icmpv6-l4-protocol.h"
#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/log.h"
#include "ns3/object-factory.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/tcp-congestion-ops.h"
#include "ns3/tcp-l4-protocol.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoGuest");

NS_OBJECT_ENSURE_REGISTERED(ColoGuest);

namespace
{

/**
 * Let a protocol send its requests at once, as real systems do. Each delayed request would be an
 * event that nothing else knows of, so it could not be copied.
 * \param protocol the protocol, or null
 * \param attribute its random delay
 */
void
RemoveJitter(Ptr<Object> protocol, const std::string& attribute)
{
    if (protocol)
    {
        protocol->SetAttribute(attribute, StringValue("ns3::ConstantRandomVariable[Constant=0]"));
    }
}

/**
 * \param address an address of a TCP end point
 * \return its port
 */
uint16_t
GetPort(const Address& address)
{
    return InetSocketAddress::IsMatchingType(address)
               ? InetSocketAddress::ConvertFrom(address).GetPort()
               : Inet6SocketAddress::ConvertFrom(address).GetPort();
}

} // namespace

TypeId
ColoGuest::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoGuest")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoGuest>()
            .AddAttribute("Primary",
                          "Whether this guest's output reaches the clients.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&ColoGuest::SetPrimary, &ColoGuest::IsPrimary),
                          MakeBooleanChecker())
            // ns-3's stock TCP clients compare some positions with 0, so by default no sequence
            // number of a transfer below 64 MiB reaches 2^31.
            .AddAttribute("Isn",
                          "Draws the initial sequence numbers of TCP connections.",
                          StringValue("ns3::UniformRandomVariable[Min=1|Max=2080374783]"),
                          MakePointerAccessor(&ColoGuest::m_isn),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("SegmentSize",
                          "Largest segments (MSS) that this guest sends, in bytes, drawn when its "
                          "first connection begins: another path MTU. It moves the borders of "
                          "segments only. 0: as ns3::TcpSocket::SegmentSize, like other nodes.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoGuest::m_segmentSize),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("AnnounceSegmentSize",
                          "Whether SYNs announce a SegmentSize that was drawn: another MTU of the "
                          "guest's device. Clients see it, so COLO must mind. Off, as ns-3's TCP "
                          "announces none (and heeds none).",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoGuest::m_announceSegmentSize),
                          MakeBooleanChecker())
            .AddAttribute("DelAckCount",
                          "Segments that a delayed ACK waits for, drawn for each connection: the "
                          "receiver's heuristics. 0: as ns3::TcpSocket::DelAckCount; 1: no delay.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoGuest::m_delAckCount),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("DelAckTimeout",
                          "Seconds that an ACK is delayed at most, drawn for each connection. 0: "
                          "as ns3::TcpSocket::DelAckTimeout.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoGuest::m_delAckTimeout),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("Nagle",
                          "Probability that a connection holds small segments back until all is "
                          "acknowledged (Nagle's algorithm). 0: nothing is drawn, it is as "
                          "ns3::TcpSocket::TcpNoDelay or the application says (ns-3: never).",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoGuest::m_nagle),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("TimestampOffset",
                          "Milliseconds added to the clock in TCP timestamps, drawn for each "
                          "connection: systems hide their uptime so. 0: ns-3's simulated time, "
                          "the same on both guests. ns-3's stock peers take no clock that wraps, "
                          "so stay below 2^32 by the simulated time.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoGuest::m_timestampOffset),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("EphemeralPort",
                          "Ports of the TCP connections that the guest opens, redrawn while in "
                          "use (Linux: Min=32768|Max=60999). 0, or a range with no free port "
                          "left: count up as ns-3 does, the same on both guests.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoGuest::m_ephemeralPort),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("CongestionControl",
                          "Congestion control of TCP connections.",
                          TypeIdValue(TcpNewReno::GetTypeId()),
                          MakeTypeIdAccessor(&ColoGuest::m_congestionControl),
                          MakeTypeIdChecker())
            .AddTraceSource("Paused",
                            "The guest stands still.",
                            MakeTraceSourceAccessor(&ColoGuest::m_pausedTrace),
                            "ns3::TracedCallback::Empty")
            .AddTraceSource("Resumed",
                            "The guest goes on.",
                            MakeTraceSourceAccessor(&ColoGuest::m_resumedTrace),
                            "ns3::ColoGuest::ResumedTracedCallback")
            .AddTraceSource("Cloned",
                            "The guest has become a copy of the other one.",
                            MakeTraceSourceAccessor(&ColoGuest::m_clonedTrace),
                            "ns3::ColoGuest::ClonedTracedCallback");
    return tid;
}

void
ColoGuest::DoDispose()
{
    m_node = nullptr;
    m_tcp = nullptr;
    m_variation = nullptr;
    for (auto* random : {&m_isn,
                         &m_segmentSize,
                         &m_delAckCount,
                         &m_delAckTimeout,
                         &m_timestampOffset,
                         &m_ephemeralPort})
    {
        *random = nullptr;
    }
    Object::DoDispose();
}

void
ColoGuest::Install(Ptr<Node> node)
{
    NS_ABORT_MSG_UNLESS(node->GetObject<TcpL4Protocol>(),
                        "ColoGuest: install the internet stack on node " << node->GetId()
                                                                         << " first");
    ObjectFactory factory; // TypeId::IsChildOf() is no help: TcpCubic names another parent
    factory.SetTypeId(m_congestionControl);
    NS_ABORT_MSG_UNLESS(DynamicCast<TcpCongestionOps>(factory.Create()),
                        "ColoGuest: " << m_congestionControl << " is no congestion control");
    m_node = node;
    m_tcp = CreateObject<ColoTcpSocketFactory>();
    RemoveJitter(node->GetObject<ArpL3Protocol>(), "RequestJitter");
    RemoveJitter(node->GetObject<Icmpv6L4Protocol>(), "SolicitationJitter");
    m_variation = MakeVariation();
    m_tcp->SetVariation(m_variation);
    m_tcp->SetCongestionControl(m_congestionControl);
    node->AggregateObject(m_tcp);
    node->AggregateObject(this);
}

Ptr<ColoTcpVariation>
ColoGuest::MakeVariation() const
{
    Ptr<ColoTcpVariation> variation = Create<ColoTcpVariation>();
    variation->isn = ColoOwnRandom(m_isn);
    variation->segmentSize = ColoOwnRandom(m_segmentSize);
    variation->announcesSegmentSize = m_announceSegmentSize;
    variation->delAckCount = ColoOwnRandom(m_delAckCount);
    variation->delAckTimeout = ColoOwnRandom(m_delAckTimeout);
    variation->nagle = m_nagle;
    variation->timestampOffset = ColoOwnRandom(m_timestampOffset);
    variation->ephemeralPort = ColoOwnRandom(m_ephemeralPort);
    return variation;
}

bool
ColoGuest::IsPrimary() const
{
    return m_isPrimary;
}

void
ColoGuest::SetPrimary(bool isPrimary)
{
    m_isPrimary = isPrimary;
}

int64_t
ColoGuest::AssignStreams(int64_t stream)
{
    NS_ABORT_MSG_UNLESS(m_variation, "ColoGuest: install it on a node before AssignStreams()");
    return m_variation->AssignStreams(stream);
}

void
ColoGuest::Pause()
{
    ColoPause::Pause(m_node->GetId());
    m_pausedAt = Simulator::Now();
    m_pausedTrace();
}

void
ColoGuest::Resume()
{
    ColoPause::Resume(m_node->GetId());
    ColoExcusePause(m_node);
    m_resumedTrace(Simulator::Now() - m_pausedAt);
}

bool
ColoGuest::IsPaused() const
{
    return ColoPause::IsPaused(m_node->GetId());
}

void
ColoGuest::CloneFrom(Ptr<ColoGuest> primary)
{
    NS_ABORT_MSG_IF(primary == this, "ColoGuest: a guest cannot be cloned from itself");
    for (const ColoGuest* guest : {PeekPointer(primary), this})
    {
        const uint32_t id = guest->m_node->GetId();
        NS_ABORT_MSG_UNLESS(guest->IsPaused(), "ColoGuest: node " << id << " is not paused");
        NS_ABORT_MSG_UNLESS(ColoPause::IsQuiet(id),
                            "ColoGuest: node " << id
                                               << " was paused at this very time and has events"
                                                  " left in it; clone at least 1 ns later");
    }

    ColoPause::InContext inContext(m_node->GetId());
    m_report = CloneReport();
    ColoCopyGuestStack(primary->m_node, m_node);
    CloneApplications(*primary, CloneSockets(*primary));
    m_clonedTrace(m_report);
}

std::vector<Ptr<ColoTcpSocket>>
ColoGuest::GetSockets() const
{
    std::vector<Ptr<ColoTcpSocket>> sockets;
    for (const auto& any : ColoTcpL4Protocol::GetSockets(m_node->GetObject<TcpL4Protocol>()))
    {
        Ptr<ColoTcpSocket> socket = DynamicCast<ColoTcpSocket>(any);
        NS_ABORT_MSG_UNLESS(socket,
                            "ColoGuest: node " << m_node->GetId()
                                               << " has a TCP socket that was not made by"
                                                  " ns3::ColoTcpSocketFactory");
        sockets.push_back(socket);
    }
    return sockets;
}

ColoGuest::TwinMap
ColoGuest::CloneSockets(const ColoGuest& primary)
{
    std::vector<Ptr<ColoTcpSocket>> originals = primary.GetSockets();
    originals.erase(std::remove_if(originals.begin(),
                                   originals.end(),
                                   [](const auto& socket) { return !socket->IsBound(); }),
                    originals.end());

    TwinMap twins = MatchSockets(originals);
    // Collected once: to search all sockets for each would take the square of their number.
    ListenerMap listeners;
    const auto noteListener = [&listeners](const Ptr<ColoTcpSocket>& own) {
        if (own->GetState() == TcpSocket::LISTEN)
        {
            listeners.emplace(GetPort(own->GetEndPoints().first), own);
        }
    };
    for (const auto& own : GetSockets())
    {
        noteListener(own);
    }
    ColoTwinTimers timers;
    for (const auto& original : originals)
    {
        const std::string reason = original->WhyNotCloneable();
        NS_ABORT_MSG_UNLESS(reason.empty(), "ColoGuest: " << reason);
        Ptr<ColoTcpSocket>& twin = twins[original];
        if (!twin)
        {
            twin = MakeTwin(*original, listeners);
            twin->BindLike(*original);
            m_report.created++;
        }
        twin->CloneFrom(*original, timers);
        noteListener(twin);
    }
    timers.Start();
    return twins;
}

ColoGuest::TwinMap
ColoGuest::MatchSockets(const std::vector<Ptr<ColoTcpSocket>>& originals)
{
    std::map<std::pair<Address, Address>, Ptr<ColoTcpSocket>> wanted;
    for (const auto& original : originals)
    {
        wanted[original->GetEndPoints()] = original;
    }

    TwinMap twins;
    for (const auto& own : GetSockets())
    {
        auto match = own->IsBound() ? wanted.find(own->GetEndPoints()) : wanted.end();
        // A connection that is not established yet will be announced to the application, so it
        // must not be one that the application has already set its callbacks on.
        if (match != wanted.end() && (match->second->GetState() != TcpSocket::SYN_RCVD ||
                                      own->GetState() == TcpSocket::SYN_RCVD))
        {
            twins[match->second] = own;
            m_report.reused++;
        }
        else
        {
            own->Vanish();
            m_report.vanished++;
        }
    }
    return twins;
}

Ptr<ColoTcpSocket>
ColoGuest::MakeTwin(const ColoTcpSocket& original, const ListenerMap& listeners) const
{
    const auto listener = listeners.find(GetPort(original.GetEndPoints().first));
    return listener == listeners.end() ? DynamicCast<ColoTcpSocket>(m_tcp->CreateSocket())
                                       : listener->second->ForkForTwin();
}

void
ColoGuest::CloneApplications(const ColoGuest& primary, TwinMap twins)
{
    // Applications may also hold sockets that are not bound yet or closed, of which TCP need not
    // know.
    const auto twinOf = [this, &twins](Ptr<Socket> socket) -> Ptr<Socket> {
        Ptr<ColoTcpSocket> original = DynamicCast<ColoTcpSocket>(socket);
        if (!original)
        {
            NS_ABORT_MSG_IF(socket,
                            "ColoGuest: only the sockets of ColoTcpSocketFactory have twins");
            return nullptr;
        }
        Ptr<ColoTcpSocket>& twin = twins[original];
        if (!twin)
        {
            twin = DynamicCast<ColoTcpSocket>(m_tcp->CreateSocket());
            ColoTwinTimers timers;
            twin->CloneFrom(*original, timers);
            timers.Start();
            m_node->GetObject<TcpL4Protocol>()->RemoveSocket(twin);
        }
        return twin;
    };

    const uint32_t count = primary.m_node->GetNApplications();
    NS_ABORT_MSG_UNLESS(m_node->GetNApplications() == count,
                        "ColoGuest: the guests' applications differ");
    std::vector<std::pair<Ptr<ColoGuestApplication>, Ptr<ColoGuestApplication>>> pairs;
    for (uint32_t i = 0; i < count; ++i)
    {
        auto original = DynamicCast<ColoGuestApplication>(primary.m_node->GetApplication(i));
        auto copy = DynamicCast<ColoGuestApplication>(m_node->GetApplication(i));
        NS_ABORT_MSG_UNLESS(original && copy,
                            "ColoGuest: application " << i << " of node " << m_node->GetId()
                                                      << " is no ColoGuestApplication");
        copy->PrepareClone(original);
        pairs.emplace_back(copy, original);
    }
    for (const auto& [copy, original] : pairs)
    {
        copy->CloneFrom(original, twinOf);
    }
}

} // namespace ns3
