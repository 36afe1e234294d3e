/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue-server.h"

#include "ns3/abort.h"
#include "ns3/address-utils.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/inet6-socket-address.h"
#include "ns3/ipv4-address.h"
#include "ns3/ipv6-address.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDialogueServer");

NS_OBJECT_ENSURE_REGISTERED(ColoDialogueServer);

namespace
{

/** Bytes that are handed to a socket at once. */
constexpr uint64_t CHUNK = 4096;

} // namespace

TypeId
ColoDialogueServer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDialogueServer")
            .SetParent<ColoGuestApplication>()
            .SetGroupName("Colo")
            .AddConstructor<ColoDialogueServer>()
            .AddAttribute("Protocol",
                          "Factory of the listening sockets.",
                          TypeIdValue(TypeId::LookupByName("ns3::TcpSocketFactory")),
                          MakeTypeIdAccessor(&ColoDialogueServer::m_protocol),
                          MakeTypeIdChecker())
            .AddAttribute("LocalAddress",
                          "Address to listen on, without a port.",
                          AddressValue(Ipv4Address::GetAny()),
                          MakeAddressAccessor(&ColoDialogueServer::m_localAddress),
                          MakeAddressChecker())
            .AddAttribute("ClientPortBase",
                          "Source port of the client in the first conversation; each further "
                          "conversation has the next.",
                          UintegerValue(20000),
                          MakeUintegerAccessor(&ColoDialogueServer::m_clientPortBase),
                          MakeUintegerChecker<uint16_t>(1))
            .AddAttribute("MaxPause",
                          "No pause of the script lasts longer than this.",
                          TimeValue(MilliSeconds(200)),
                          MakeTimeAccessor(&ColoDialogueServer::m_maxPause),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("Diverges",
                          "Whether this server's turns may differ from the script.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDialogueServer::m_diverges),
                          MakeBooleanChecker())
            .AddAttribute("Divergence",
                          "Probability that a turn differs, in one to three bytes.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoDialogueServer::m_divergence),
                          MakeDoubleChecker<double>(0, 1))
            .AddTraceSource("TurnSent",
                            "A turn was handed whole to its socket.",
                            MakeTraceSourceAccessor(&ColoDialogueServer::m_turnSentTrace),
                            "ns3::ColoDialogueServer::TurnTracedCallback")
            .AddTraceSource("Diverged",
                            "A turn that begins will differ from the script.",
                            MakeTraceSourceAccessor(&ColoDialogueServer::m_divergedTrace),
                            "ns3::ColoDialogueServer::TurnTracedCallback");
    return tid;
}

ColoDialogueServer::ColoDialogueServer()
    : m_random(CreateObject<UniformRandomVariable>())
{
}

void
ColoDialogueServer::SetDialogue(std::shared_ptr<const ColoDialogue> dialogue)
{
    NS_ABORT_MSG_UNLESS(m_connections.empty(), "the script of running conversations is fixed");
    m_dialogue = std::move(dialogue);
}

int64_t
ColoDialogueServer::AssignStreams(int64_t stream)
{
    m_random->SetStream(stream);
    return 1;
}

uint32_t
ColoDialogueServer::GetConversationsOpen() const
{
    return m_connections.size();
}

uint64_t
ColoDialogueServer::GetDataErrors() const
{
    return m_dataErrors;
}

uint64_t
ColoDialogueServer::GetTurnsSent() const
{
    return m_turnsSent;
}

uint64_t
ColoDialogueServer::GetTurnsDiverged() const
{
    return m_turnsDiverged;
}

void
ColoDialogueServer::CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf)
{
    NS_LOG_FUNCTION(this << twin);
    auto original = DynamicCast<ColoDialogueServer>(twin);
    NS_ABORT_MSG_UNLESS(original && original != this, "the twin must be another dialogue server");
    ForgetConnections();
    m_dialogue = original->m_dialogue;
    m_protocol = original->m_protocol;
    m_localAddress = original->m_localAddress;
    m_clientPortBase = original->m_clientPortBase;
    m_maxPause = original->m_maxPause;

    for (const auto& [port, listener] : original->m_listeners)
    {
        // A room that leaves listeners uncloned relies on this guest's own.
        if (Ptr<Socket> clone = twinOf(listener))
        {
            auto own = m_listeners.find(port);
            if (own != m_listeners.end())
            {
                Unhook(own->second);
            }
            m_listeners[port] = clone;
            HookListener(clone);
        }
    }
    // Of events at the same instant, the first scheduled runs first: keep the order.
    std::map<uint32_t, uint32_t> pauses;
    for (const auto& [index, connection] : original->m_connections)
    {
        Ptr<Socket> socket = twinOf(connection.socket);
        NS_ABORT_MSG_UNLESS(socket, "a socket of an open conversation was not cloned");
        Connection& copy = m_connections[index];
        copy = connection;
        copy.socket = socket;
        copy.pause = EventId();
        m_conversationOf[socket] = index;
        HookConnection(socket);
        if (copy.phase == Phase::PAUSING)
        {
            pauses[connection.pause.GetUid()] = index;
        }
    }
    for (auto [uid, index] : pauses)
    {
        Time left = Simulator::GetDelayLeft(original->m_connections[index].pause);
        m_connections[index].pause =
            Simulator::Schedule(left, &ColoDialogueServer::PauseOver, this, index);
    }
}

void
ColoDialogueServer::DoDispose()
{
    ForgetConnections();
    for (const auto& [port, listener] : m_listeners)
    {
        Unhook(listener);
    }
    m_listeners.clear();
    m_dialogue.reset();
    ColoGuestApplication::DoDispose();
}

void
ColoDialogueServer::StartApplication()
{
    NS_LOG_FUNCTION(this);
    NS_ABORT_MSG_UNLESS(m_dialogue, "a dialogue server needs SetDialogue() before its start");
    for (uint16_t port : m_dialogue->GetServerPorts())
    {
        // A clone of a running server listens already.
        if (m_listeners.count(port) == 0)
        {
            Listen(port);
        }
    }
}

void
ColoDialogueServer::StopApplication()
{
    NS_LOG_FUNCTION(this);
    while (!m_connections.empty())
    {
        Close(m_connections.begin()->first);
    }
    for (const auto& [port, listener] : m_listeners)
    {
        Unhook(listener);
        listener->Close();
    }
    m_listeners.clear();
}

void
ColoDialogueServer::Listen(uint16_t port)
{
    Ptr<Socket> socket = Socket::CreateSocket(GetNode(), m_protocol);
    bool isIpv6 = Ipv6Address::IsMatchingType(m_localAddress);
    Address local =
        isIpv6 ? Address(Inet6SocketAddress(Ipv6Address::ConvertFrom(m_localAddress), port))
               : Address(InetSocketAddress(Ipv4Address::ConvertFrom(m_localAddress), port));
    NS_ABORT_MSG_IF(socket->Bind(local) != 0 || socket->Listen() != 0,
                    "cannot listen on port " << port);
    m_listeners[port] = socket;
    HookListener(socket);
}

void
ColoDialogueServer::HookListener(Ptr<Socket> socket)
{
    socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                              MakeCallback(&ColoDialogueServer::Accept, this));
}

void
ColoDialogueServer::HookConnection(Ptr<Socket> socket)
{
    socket->SetRecvCallback(MakeCallback(&ColoDialogueServer::Receive, this));
    socket->SetSendCallback(MakeCallback(&ColoDialogueServer::Writable, this));
    socket->SetCloseCallbacks(MakeCallback(&ColoDialogueServer::PeerClosed, this),
                              MakeCallback(&ColoDialogueServer::Failed, this));
}

void
ColoDialogueServer::Unhook(Ptr<Socket> socket)
{
    auto none = MakeNullCallback<void, Ptr<Socket>>();
    socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                              MakeNullCallback<void, Ptr<Socket>, const Address&>());
    socket->SetRecvCallback(none);
    socket->SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
    socket->SetCloseCallbacks(none, none);
}

void
ColoDialogueServer::ForgetConnections()
{
    for (auto& [index, connection] : m_connections)
    {
        connection.pause.Cancel();
        Unhook(connection.socket);
    }
    m_connections.clear();
    m_conversationOf.clear();
}

std::optional<uint32_t>
ColoDialogueServer::FindConversation(Ptr<Socket> socket) const
{
    auto found = m_conversationOf.find(socket);
    if (found == m_conversationOf.end())
    {
        return {}; // closed: TCP ends the connection by itself
    }
    return found->second;
}

void
ColoDialogueServer::Accept(Ptr<Socket> socket, const Address& from)
{
    Address local;
    socket->GetSockName(local);
    bool isIpv6 = Inet6SocketAddress::IsMatchingType(from);
    uint32_t clientPort = isIpv6 ? Inet6SocketAddress::ConvertFrom(from).GetPort()
                                 : InetSocketAddress::ConvertFrom(from).GetPort();
    uint16_t serverPort = isIpv6 ? Inet6SocketAddress::ConvertFrom(local).GetPort()
                                 : InetSocketAddress::ConvertFrom(local).GetPort();
    NS_LOG_FUNCTION(this << socket << clientPort << serverPort);
    uint32_t index = clientPort - m_clientPortBase;
    const auto& conversations = m_dialogue->conversations;
    if (clientPort < m_clientPortBase || index >= conversations.size() ||
        conversations[index].serverPort != serverPort)
    {
        NS_LOG_WARN("no conversation has client port " << clientPort << " and server port "
                                                       << serverPort);
        socket->Close();
        return;
    }
    if (m_connections.count(index) != 0)
    {
        Close(index);
    }
    Connection& connection = m_connections[index];
    connection.socket = socket;
    connection.cursor = ColoDialogueCursor(&conversations[index], true);
    connection.expected = conversations[index].GetBytes(false);
    m_conversationOf[socket] = index;
    HookConnection(socket);
    Drain(index, connection);
    Play(index, connection);
}

void
ColoDialogueServer::Receive(Ptr<Socket> socket)
{
    if (auto index = FindConversation(socket))
    {
        Connection& connection = m_connections.at(*index);
        Drain(*index, connection);
        Play(*index, connection);
    }
}

void
ColoDialogueServer::Writable(Ptr<Socket> socket, uint32_t)
{
    if (auto index = FindConversation(socket))
    {
        Play(*index, m_connections.at(*index));
    }
}

void
ColoDialogueServer::PeerClosed(Ptr<Socket> socket)
{
    NS_LOG_FUNCTION(this << socket);
    if (auto index = FindConversation(socket))
    {
        Drain(*index, m_connections.at(*index));
        Close(*index);
    }
}

void
ColoDialogueServer::Failed(Ptr<Socket> socket)
{
    NS_LOG_FUNCTION(this << socket);
    if (auto index = FindConversation(socket))
    {
        Close(*index);
    }
}

void
ColoDialogueServer::PauseOver(uint32_t index)
{
    Connection& connection = m_connections.at(index);
    BeginTurn(index, connection);
    Play(index, connection);
}

void
ColoDialogueServer::Drain(uint32_t index, Connection& connection)
{
    while (Ptr<Packet> packet = connection.socket->Recv())
    {
        uint32_t size = packet->GetSize();
        if (size == 0)
        {
            break;
        }
        m_buffer.resize(size);
        packet->CopyData(m_buffer.data(), size);
        uint64_t position = connection.cursor.GetReceived();
        uint64_t scripted =
            std::min<uint64_t>(size, connection.expected - std::min(connection.expected, position));
        uint64_t wrong =
            ColoDialogueCheck(index, false, position, m_buffer.data(), scripted) + size - scripted;
        if (wrong != 0)
        {
            NS_LOG_WARN("conversation " << index << ": " << wrong << " of " << size
                                        << " bytes from " << position << " are wrong");
            m_dataErrors += wrong;
        }
        connection.cursor.Receive(size);
    }
}

void
ColoDialogueServer::Play(uint32_t index, Connection& connection)
{
    while (connection.cursor.IsMine())
    {
        if (connection.phase == Phase::WAITING)
        {
            Time pause = std::min(connection.cursor.GetCurrent().pause, m_maxPause);
            if (pause.IsStrictlyPositive())
            {
                connection.phase = Phase::PAUSING;
                connection.pause =
                    Simulator::Schedule(pause, &ColoDialogueServer::PauseOver, this, index);
                return;
            }
            BeginTurn(index, connection);
        }
        if (connection.phase == Phase::PAUSING || !SendTurn(index, connection))
        {
            return;
        }
        connection.phase = Phase::WAITING;
    }
    if (connection.cursor.IsOver() && m_dialogue->conversations[index].closer == ColoCloser::SERVER)
    {
        Close(index);
    }
}

void
ColoDialogueServer::BeginTurn(uint32_t index, Connection& connection)
{
    connection.phase = Phase::SENDING;
    connection.flips.clear();
    if (!m_diverges || m_random->GetValue(0, 1) >= m_divergence)
    {
        return;
    }
    const ColoTurn& turn = connection.cursor.GetCurrent();
    uint64_t first = connection.cursor.GetSent();
    for (uint32_t left = m_random->GetInteger(1, 3); left > 0; left--)
    {
        auto offset = static_cast<uint64_t>(m_random->GetValue(0, turn.bytes));
        auto bits = static_cast<uint8_t>(m_random->GetInteger(1, 255));
        connection.flips[first + std::min(offset, turn.bytes - 1)] = bits;
    }
    m_turnsDiverged++;
    m_divergedTrace(index, connection.cursor.GetTurn());
}

bool
ColoDialogueServer::SendTurn(uint32_t index, Connection& connection)
{
    uint32_t turn = connection.cursor.GetTurn();
    for (bool isEnd = false; !isEnd;)
    {
        uint64_t position = connection.cursor.GetSent();
        auto size = static_cast<uint32_t>(std::min<uint64_t>(
            {connection.cursor.GetLeft(), connection.socket->GetTxAvailable(), CHUNK}));
        if (size == 0)
        {
            return false;
        }
        m_buffer.resize(size);
        ColoDialogueFill(index, true, position, m_buffer.data(), size);
        for (auto flip = connection.flips.lower_bound(position);
             flip != connection.flips.end() && flip->first < position + size;
             ++flip)
        {
            m_buffer[flip->first - position] ^= flip->second;
        }
        int sent = connection.socket->Send(Create<Packet>(m_buffer.data(), size));
        if (sent <= 0)
        {
            return false;
        }
        isEnd = connection.cursor.Send(sent);
    }
    m_turnsSent++;
    m_turnSentTrace(index, turn);
    return true;
}

void
ColoDialogueServer::Close(uint32_t index)
{
    auto place = m_connections.find(index);
    Ptr<Socket> socket = place->second.socket;
    place->second.pause.Cancel();
    m_conversationOf.erase(socket);
    m_connections.erase(place);
    socket->Close();
}

} // namespace ns3
