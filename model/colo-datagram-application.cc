/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-datagram-application.h"

#include "colo-udp-ports.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/ipv4-address.h"
#include "ns3/ipv6-address.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDatagramApplication");

NS_OBJECT_ENSURE_REGISTERED(ColoDatagramApplication);

namespace
{

constexpr uint32_t HEADER = ColoDatagramHeader::SIZE;

/**
 * Where a turn's content begins in the stream of its direction: each turn has a stretch of its
 * own, so that nobody has to add up the turns before it.
 */
uint64_t
GetPosition(uint16_t turn)
{
    constexpr uint64_t STRETCH = 2048;
    static_assert(STRETCH >= ColoDialogue::MAX_DATAGRAM + HEADER);
    return turn * STRETCH;
}

/** Bytes of a turn's datagram. */
uint32_t
GetSize(const ColoTurn& turn)
{
    return turn.bytes < HEADER ? turn.bytes + HEADER : turn.bytes;
}

uint16_t
GetPort(Ptr<Socket> socket)
{
    Address local;
    socket->GetSockName(local);
    return Inet6SocketAddress::IsMatchingType(local)
               ? Inet6SocketAddress::ConvertFrom(local).GetPort()
               : InetSocketAddress::ConvertFrom(local).GetPort();
}

} // namespace

void
ColoDatagramHeader::Write(uint8_t* bytes) const
{
    const uint64_t all = uint64_t{id} << 32 | uint64_t{turn} << 16 | query;
    for (uint32_t i = 0; i < SIZE; i++)
    {
        bytes[i] = all >> (8 * (SIZE - 1 - i));
    }
}

ColoDatagramHeader
ColoDatagramHeader::Read(const uint8_t* bytes)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < SIZE; i++)
    {
        all = all << 8 | bytes[i];
    }
    return {static_cast<uint32_t>(all >> 32),
            static_cast<uint16_t>(all >> 16),
            static_cast<uint16_t>(all)};
}

TypeId
ColoDatagramApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDatagramApplication")
            .SetParent<ColoGuestApplication>()
            .SetGroupName("Colo")
            .AddAttribute("OnGuest",
                          "Whether this plays the guest's side of its conversations, else the "
                          "client's.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDatagramApplication::m_isOnGuest),
                          MakeBooleanChecker())
            .AddAttribute("Client",
                          "Which of the dialogue's clients takes part in the conversations. A "
                          "guest needs an asker for each that it asks; it answers all.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&ColoDatagramApplication::m_client),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("AcceptsTokens",
                          "Whether any turn of the guest may say a token, so that what follows "
                          "differs from the script; those that are random always may. Off, such "
                          "turns are data errors.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDatagramApplication::m_acceptsTokens),
                          MakeBooleanChecker())
            .AddTraceSource("TurnSent",
                            "A turn was sent for the first time.",
                            MakeTraceSourceAccessor(&ColoDatagramApplication::m_turnSentTrace),
                            "ns3::ColoDatagramApplication::TurnTracedCallback")
            .AddTraceSource("Diverged",
                            "A turn that begins will differ from the script.",
                            MakeTraceSourceAccessor(&ColoDatagramApplication::m_divergedTrace),
                            "ns3::ColoDatagramApplication::TurnTracedCallback");
    return tid;
}

ColoDatagramApplication::ColoDatagramApplication(bool asks)
    : m_asks(asks)
{
}

void
ColoDatagramApplication::SetDialogue(std::shared_ptr<const ColoDialogue> dialogue)
{
    NS_ABORT_MSG_IF(m_isRunning, "the script of running conversations is fixed");
    m_dialogue = std::move(dialogue);
}

uint64_t
ColoDatagramApplication::GetBytesReceived() const
{
    return m_bytesReceived;
}

uint64_t
ColoDatagramApplication::GetBytesSent() const
{
    return m_bytesSent;
}

uint64_t
ColoDatagramApplication::GetDataErrors() const
{
    return m_dataErrors;
}

uint64_t
ColoDatagramApplication::GetUnexpected() const
{
    return m_unexpected;
}

uint64_t
ColoDatagramApplication::GetTurnsSent() const
{
    return m_turnsSent;
}

uint64_t
ColoDatagramApplication::GetTurnsDiverged() const
{
    return m_turnsDiverged;
}

void
ColoDatagramApplication::PrepareClone(Ptr<ColoGuestApplication> twin)
{
    auto original = DynamicCast<ColoDatagramApplication>(twin);
    NS_ABORT_MSG_UNLESS(original && original != this && original->m_asks == m_asks,
                        "the twin must be another datagram application of the same side");
    for (auto i = m_ports.begin(); i != m_ports.end();)
    {
        const auto next = std::next(i);
        if (original->m_ports.count(i->first) == 0)
        {
            ColoUdpPorts::Of(GetNode())->Close(i->second.socket);
            m_ports.erase(i);
        }
        i = next;
    }
}

void
ColoDatagramApplication::CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf&)
{
    NS_LOG_FUNCTION(this << twin);
    PrepareClone(twin);
    auto original = DynamicCast<ColoDatagramApplication>(twin);
    m_isRunning = original->m_isRunning;
    m_isOnGuest = original->m_isOnGuest;
    m_client = original->m_client;
    m_acceptsTokens = original->m_acceptsTokens;
    m_dialogue = original->m_dialogue;
    m_turnsBegun = original->m_turnsBegun;
    for (const auto& [port, theirs] : original->m_ports)
    {
        Port& own = m_ports[port];
        NS_ABORT_MSG_UNLESS(own.socket || Bind(port, own.socket),
                            "the primary's UDP port " << port << " is taken in the secondary");
        own.users = theirs.users;
    }
}

void
ColoDatagramApplication::DoDispose()
{
    // The protocol, which may be gone already, disposes of the end points.
    for (const auto& [number, port] : m_ports)
    {
        port.socket->SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
    }
    m_ports.clear();
    m_dialogue.reset();
    ColoGuestApplication::DoDispose();
}

void
ColoDatagramApplication::StopApplication()
{
    NS_LOG_FUNCTION(this);
    for (const auto& [number, port] : m_ports)
    {
        ColoUdpPorts::Of(GetNode())->Close(port.socket);
    }
    m_ports.clear();
}

std::vector<uint32_t>
ColoDatagramApplication::ListConversations() const
{
    NS_ABORT_MSG_UNLESS(m_dialogue, "a datagram application needs SetDialogue() before its start");
    std::vector<uint32_t> mine;
    for (uint32_t index = 0; index < m_dialogue->conversations.size(); index++)
    {
        const ColoConversation& conversation = m_dialogue->conversations[index];
        if (!Plays(conversation))
        {
            continue;
        }
        mine.push_back(index);
        const auto& turns = conversation.turns;
        const std::string where = "conversation " + std::to_string(index) + " by UDP";
        NS_ABORT_MSG_IF(conversation.serverPort == 0, where << " has no server port");
        NS_ABORT_MSG_IF(turns.size() > std::numeric_limits<uint16_t>::max(),
                        where << " has " << turns.size() << " turns, more than can be numbered");
        const bool openerIsGuest = conversation.opener == ColoOpener::GUEST;
        bool canAnswer = false;
        for (const ColoTurn& turn : turns)
        {
            NS_ABORT_MSG_IF(turn.bytes == 0 || turn.bytes > ColoDialogue::MAX_DATAGRAM,
                            where << " has a turn of " << turn.bytes
                                  << " bytes; a datagram takes 1 to "
                                  << uint32_t{ColoDialogue::MAX_DATAGRAM});
            const bool asks = turn.fromServer == openerIsGuest;
            NS_ABORT_MSG_UNLESS(asks || canAnswer, where << " has an answer to no question");
            canAnswer = asks;
        }
    }
    return mine;
}

const ColoConversation&
ColoDatagramApplication::GetConversation(uint32_t index) const
{
    return m_dialogue->conversations[index];
}

Address
ColoDatagramApplication::AddPort(const Address& bare, uint16_t port, const char* attribute)
{
    if (Ipv6Address::IsMatchingType(bare))
    {
        return Inet6SocketAddress(Ipv6Address::ConvertFrom(bare), port);
    }
    NS_ABORT_MSG_UNLESS(Ipv4Address::IsMatchingType(bare),
                        attribute << " of a datagram application must be an IPv4 or IPv6 address "
                                     "without a port, not "
                                  << bare);
    return InetSocketAddress(Ipv4Address::ConvertFrom(bare), port);
}

uint16_t
ColoDatagramApplication::Open(uint16_t port)
{
    if (const auto shared = m_ports.find(port); shared != m_ports.end())
    {
        shared->second.users++;
        return port;
    }
    Ptr<Socket> socket;
    if (!Bind(port, socket))
    {
        return 0;
    }
    const uint16_t bound = GetPort(socket);
    m_ports[bound] = {socket, 1};
    return bound;
}

void
ColoDatagramApplication::Close(uint16_t port)
{
    const auto found = m_ports.find(port);
    if (found != m_ports.end() && --found->second.users == 0)
    {
        ColoUdpPorts::Of(GetNode())->Close(found->second.socket);
        m_ports.erase(found);
    }
}

Time
ColoDatagramApplication::GetDelay(Time pause) const
{
    const auto divergence = GetDivergence();
    return divergence ? divergence->GetDelay(pause) : pause;
}

uint16_t
ColoDatagramApplication::DrawQueryId() const
{
    const auto divergence = GetDivergence();
    return divergence ? divergence->DrawQueryId() : 0;
}

uint32_t
ColoDatagramApplication::BeginTurn(uint32_t index, uint16_t turn)
{
    uint32_t token = 0;
    if (const auto divergence = GetDivergence())
    {
        const bool isRandom = GetConversation(index).turns[turn].isRandom;
        const uint32_t id = m_dialogue->firstId + index;
        token = divergence->DrawToken(id, turn, isRandom, m_turnsBegun);
    }
    m_turnsBegun++;
    m_turnsSent++;
    m_turnSentTrace(index, turn);
    if (token != 0)
    {
        m_turnsDiverged++;
        m_divergedTrace(index, turn);
    }
    return token;
}

void
ColoDatagramApplication::Send(uint32_t index,
                              ColoDatagramHeader header,
                              uint32_t token,
                              uint16_t port,
                              const Address& to)
{
    NS_LOG_FUNCTION(this << index << header.turn << header.query << token << port << to);
    std::array<uint8_t, ColoDialogue::MAX_DATAGRAM> bytes;
    const ColoTurn& turn = GetConversation(index).turns[header.turn];
    const uint32_t size = GetSize(turn);
    header.id = m_dialogue->firstId + index;
    header.Write(bytes.data());
    uint8_t* content = bytes.data() + HEADER;
    ColoDialogueFill(header.id, turn.fromServer, GetPosition(header.turn), content, size - HEADER);
    ColoMask(token).Apply(0, content, size - HEADER);
    // One that cannot be sent, for want of a route or memory, is as good as lost on the way.
    if (m_ports.at(port).socket->SendTo(Create<Packet>(bytes.data(), size), 0, to) > 0)
    {
        m_bytesSent += size;
    }
}

bool
ColoDatagramApplication::Plays(const ColoConversation& conversation) const
{
    const auto opener = m_isOnGuest == m_asks ? ColoOpener::GUEST : ColoOpener::CLIENT;
    const bool anyClient = m_isOnGuest && !m_asks;
    return conversation.transport == ColoTransport::UDP && conversation.opener == opener &&
           (anyClient || conversation.client == m_client);
}

bool
ColoDatagramApplication::Bind(uint16_t port, Ptr<Socket>& socket)
{
    socket = ColoUdpPorts::Of(GetNode())->Bind(GetLocal(port));
    if (!socket)
    {
        NS_LOG_WARN("UDP port " << port << " of node " << GetNode()->GetId() << " is taken");
        return false;
    }
    socket->SetRecvCallback(MakeCallback(&ColoDatagramApplication::Receive, this));
    return true;
}

void
ColoDatagramApplication::Receive(Ptr<Socket> socket)
{
    Address from;
    const uint16_t port = GetPort(socket);
    while (Ptr<Packet> packet = socket->RecvFrom(from))
    {
        const uint32_t size = packet->GetSize();
        m_received.resize(size);
        packet->CopyData(m_received.data(), size);
        m_bytesReceived += size;
        if (size < HEADER)
        {
            NS_LOG_WARN("a datagram of " << size << " bytes is none of a dialogue's");
            m_dataErrors += HEADER - size;
            continue;
        }
        const ColoDatagramHeader header = ColoDatagramHeader::Read(m_received.data());
        const uint32_t index = header.id - m_dialogue->firstId;
        if (!IsPlayed(index, header, port) || !Expects(index, header))
        {
            NS_LOG_LOGIC("conversation " << index << " does not wait for turn " << header.turn);
            m_unexpected++;
            continue;
        }
        Examine(index, header.turn);
        Take(index, header, from);
    }
}

/** Whether a datagram belongs to a turn of the other side, at that port. */
bool
ColoDatagramApplication::IsPlayed(uint32_t index,
                                  const ColoDatagramHeader& header,
                                  uint16_t port) const
{
    if (index >= m_dialogue->conversations.size())
    {
        return false;
    }
    const ColoConversation& conversation = GetConversation(index);
    return Plays(conversation) && header.turn < conversation.turns.size() &&
           conversation.turns[header.turn].fromServer != m_isOnGuest &&
           (m_asks || conversation.serverPort == port);
}

void
ColoDatagramApplication::Examine(uint32_t index, uint16_t turn)
{
    const ColoTurn& expected = GetConversation(index).turns[turn];
    const uint64_t position = GetPosition(turn);
    const uint32_t id = m_dialogue->firstId + index;
    const std::size_t size = m_received.size();
    const std::size_t wanted = GetSize(expected);
    const std::size_t count = std::min(size, wanted) - HEADER;
    uint8_t* content = m_received.data() + HEADER;
    uint64_t errors = std::max(size, wanted) - std::min(size, wanted);
    if (expected.fromServer && (m_acceptsTokens || expected.isRandom))
    {
        uint8_t script[ColoMask::TOKEN_BYTES];
        const std::size_t shown = std::min<std::size_t>(count, ColoMask::TOKEN_BYTES);
        ColoDialogueFill(id, true, position, script, shown);
        ColoMask mask;
        mask.Learn(0, script, content, shown);
        if (mask.GetToken() & 0xff) // see ColoMask
        {
            mask.Apply(0, content, count);
        }
    }
    errors += ColoDialogueCheck(id, expected.fromServer, position, content, count);
    if (errors != 0)
    {
        NS_LOG_WARN("conversation " << index << ": turn " << turn << " has " << errors
                                    << " wrong bytes");
        m_dataErrors += errors;
    }
}

Ptr<ColoDivergence>
ColoDatagramApplication::GetDivergence() const
{
    return m_isOnGuest ? GetNode()->GetObject<ColoDivergence>() : nullptr;
}

} // namespace ns3
