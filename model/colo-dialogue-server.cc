/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue-server.h"

#include "colo-socket.h"
#include "colo-tcp-socket.h"

#include "ns3/abort.h"
#include "ns3/ipv4-address.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDialogueServer");

NS_OBJECT_ENSURE_REGISTERED(ColoDialogueServer);

namespace
{

/** A system call's time. TCP sends after a nanosecond, so it would take writes at once for one. */
const Time WRITE_TIME = MicroSeconds(1);

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
                          "Factory of the sockets.",
                          TypeIdValue(TypeId::LookupByName("ns3::TcpSocketFactory")),
                          MakeTypeIdAccessor(&ColoDialogueServer::m_protocol),
                          MakeTypeIdChecker())
            .AddAttribute("LocalAddress",
                          "Address to listen on, without a port.",
                          AddressValue(Ipv4Address::GetAny()),
                          MakeAddressAccessor(&ColoDialogueServer::m_localAddress),
                          MakeAddressChecker())
            .AddAttribute("MaxPause",
                          "No pause of the script, nor the gap from the start of a conversation to "
                          "that of the next, lasts longer than this.",
                          TimeValue(MilliSeconds(200)),
                          MakeTimeAccessor(&ColoDialogueServer::m_maxPause),
                          MakeTimeChecker(Time(0)))
            .AddTraceSource("TurnSent",
                            "A turn was handed whole to its socket.",
                            MakeTraceSourceAccessor(&ColoDialogueServer::m_turnSentTrace),
                            "ns3::ColoDialogueServer::TurnTracedCallback")
            .AddTraceSource("Diverged",
                            "A turn begins that has a token, so another telling differs.",
                            MakeTraceSourceAccessor(&ColoDialogueServer::m_divergedTrace),
                            "ns3::ColoDialogueServer::TurnTracedCallback");
    return tid;
}

void
ColoDialogueServer::SetDialogue(std::shared_ptr<const ColoDialogue> dialogue)
{
    NS_ABORT_MSG_UNLESS(m_connections.empty(), "the script of running conversations is fixed");
    m_dialogue = std::move(dialogue);
    IndexDialogue();
}

/** Among ten thousand conversations, a connection must not look for its own. */
void
ColoDialogueServer::IndexDialogue()
{
    m_byClientPort.clear();
    const auto& all = m_dialogue->conversations;
    for (uint32_t index = 0; index < all.size(); index++)
    {
        const ColoConversation& conversation = all[index];
        if (conversation.transport == ColoTransport::TCP &&
            conversation.opener == ColoOpener::CLIENT)
        {
            NS_ABORT_MSG_IF(conversation.clientPort == 0,
                            "conversation " << index << " has no client port");
            m_byClientPort.emplace_back(conversation.clientPort, index);
        }
    }
    std::sort(m_byClientPort.begin(), m_byClientPort.end());
}

void
ColoDialogueServer::SetBackends(std::vector<Address> addresses)
{
    m_backends = std::move(addresses);
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
    Forget();
    if (m_dialogue != original->m_dialogue)
    {
        m_dialogue = original->m_dialogue;
        IndexDialogue();
    }
    m_protocol = original->m_protocol;
    m_localAddress = original->m_localAddress;
    m_backends = original->m_backends;
    m_maxPause = original->m_maxPause;
    m_divergence = GetNode()->GetObject<ColoDivergence>();
    m_openings = original->m_openings;
    m_accepted = original->m_accepted;
    m_turnsBegun = original->m_turnsBegun;

    for (const auto& [port, listener] : original->m_listeners)
    {
        // A room that leaves listeners uncloned relies on this guest's own.
        if (Ptr<Socket> clone = twinOf(listener))
        {
            auto own = m_listeners.find(port);
            if (own != m_listeners.end())
            {
                ColoUnhookSocket(own->second);
            }
            m_listeners[port] = clone;
            HookListener(clone);
        }
    }
    ColoTwinTimers timers;
    for (const auto& [index, open] : original->m_opens)
    {
        timers.Add(open, [this, index = index](Time left) {
            m_opens[index] = Simulator::Schedule(left, &ColoDialogueServer::Open, this, index);
        });
    }
    for (const auto& [index, connection] : original->m_connections)
    {
        Ptr<Socket> socket = twinOf(connection.socket);
        NS_ABORT_MSG_UNLESS(socket, "a socket of an open conversation was not cloned");
        Connection& copy = m_connections[index];
        copy = connection;
        copy.socket = socket;
        copy.pause = EventId();
        Hook(index, socket);
        timers.Add(connection.pause, [this, index = index, &copy](Time left) {
            copy.pause = Simulator::Schedule(left, &ColoDialogueServer::PauseOver, this, index);
        });
    }
    timers.Start();
}

void
ColoDialogueServer::DoDispose()
{
    Forget();
    for (const auto& [port, listener] : m_listeners)
    {
        ColoUnhookSocket(listener);
    }
    m_listeners.clear();
    m_dialogue.reset();
    m_divergence = nullptr;
    ColoGuestApplication::DoDispose();
}

void
ColoDialogueServer::StartApplication()
{
    NS_LOG_FUNCTION(this);
    NS_ABORT_MSG_UNLESS(m_dialogue, "a dialogue server needs SetDialogue() before its start");
    m_divergence = GetNode()->GetObject<ColoDivergence>();
    for (uint16_t port : m_dialogue->GetServerPorts())
    {
        // A clone of a running server listens already.
        if (m_listeners.count(port) == 0)
        {
            Listen(port);
        }
    }
    if (m_openings)
    {
        return; // so what it opens is under way
    }
    m_openings = std::make_shared<const ColoOpenings>(
        *m_dialogue,
        m_maxPause,
        [](const ColoConversation& conversation) {
            return conversation.transport == ColoTransport::TCP &&
                   conversation.opener == ColoOpener::GUEST;
        });
    ScheduleOpens(m_openings->GetFirsts());
}

void
ColoDialogueServer::StopApplication()
{
    NS_LOG_FUNCTION(this);
    while (!m_connections.empty())
    {
        Close(m_connections.begin()->first);
    }
    Forget();
    for (const auto& [port, listener] : m_listeners)
    {
        ColoUnhookSocket(listener);
        listener->Close();
    }
    m_listeners.clear();
}

void
ColoDialogueServer::Listen(uint16_t port)
{
    Ptr<Socket> socket = Socket::CreateSocket(GetNode(), m_protocol);
    NS_ABORT_MSG_IF(socket->Bind(ColoMakeSocketAddress(m_localAddress, port)) != 0 ||
                        socket->Listen() != 0,
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
ColoDialogueServer::Hook(uint32_t index, Ptr<Socket> socket)
{
    socket->SetConnectCallback(MakeCallback(&ColoDialogueServer::Connected, this).Bind(index),
                               MakeCallback(&ColoDialogueServer::Failed, this).Bind(index));
    socket->SetRecvCallback(MakeCallback(&ColoDialogueServer::Receive, this).Bind(index));
    socket->SetSendCallback(MakeCallback(&ColoDialogueServer::Writable, this).Bind(index));
    socket->SetCloseCallbacks(MakeCallback(&ColoDialogueServer::PeerClosed, this).Bind(index),
                              MakeCallback(&ColoDialogueServer::Failed, this).Bind(index));
}

/** Drop all that is open or to be opened. */
void
ColoDialogueServer::Forget()
{
    for (auto& [index, open] : m_opens)
    {
        open.Cancel();
    }
    m_opens.clear();
    for (auto& [index, connection] : m_connections)
    {
        connection.pause.Cancel();
        ColoUnhookSocket(connection.socket);
    }
    m_connections.clear();
}

/** Null once closed: TCP ends the connection by itself. */
ColoDialogueServer::Connection*
ColoDialogueServer::Find(uint32_t index, Ptr<Socket> socket)
{
    auto found = m_connections.find(index);
    return found != m_connections.end() && found->second.socket == socket ? &found->second
                                                                          : nullptr;
}

std::optional<uint32_t>
ColoDialogueServer::FindNextOf(uint16_t clientPort, uint16_t serverPort) const
{
    auto accepted = m_accepted.find(clientPort);
    const std::size_t before = accepted == m_accepted.end() ? 0 : accepted->second;
    const auto first =
        std::lower_bound(m_byClientPort.begin(), m_byClientPort.end(), std::pair(clientPort, 0U));
    if (before >= static_cast<std::size_t>(m_byClientPort.end() - first))
    {
        return {};
    }
    const auto [port, index] = first[before];
    if (port != clientPort || m_dialogue->conversations[index].serverPort != serverPort)
    {
        return {};
    }
    return index;
}

void
ColoDialogueServer::Accept(Ptr<Socket> socket, const Address& from)
{
    Address local;
    socket->GetSockName(local);
    const uint16_t clientPort = ColoGetPort(from);
    const uint16_t serverPort = ColoGetPort(local);
    NS_LOG_FUNCTION(this << socket << clientPort << serverPort);
    const auto index = FindNextOf(clientPort, serverPort);
    if (!index)
    {
        NS_LOG_WARN("no conversation has client port " << clientPort << " and server port "
                                                       << serverPort);
        socket->Close();
        return;
    }
    m_accepted[clientPort]++;
    Connection& connection = Add(*index, socket);
    Drain(*index, connection);
    Play(*index, connection);
}

void
ColoDialogueServer::ScheduleOpens(const std::vector<ColoOpenings::Opening>& openings)
{
    for (const auto& [index, delay] : openings)
    {
        m_opens[index] = Simulator::Schedule(delay, &ColoDialogueServer::Open, this, index);
    }
}

void
ColoDialogueServer::Open(uint32_t index)
{
    NS_LOG_FUNCTION(this << index);
    m_opens.erase(index);
    Ptr<Socket> socket = Socket::CreateSocket(GetNode(), m_protocol);
    Add(index, socket).phase = Phase::CONNECTING;
    const ColoConversation& script = m_dialogue->conversations[index];
    NS_ABORT_MSG_IF(script.client >= m_backends.size(),
                    "the guest knows no address of client " << script.client);
    if (socket->Connect(ColoMakeSocketAddress(m_backends[script.client], script.serverPort)) != 0)
    {
        Failed(index, socket);
    }
}

ColoDialogueServer::Connection&
ColoDialogueServer::Add(uint32_t index, Ptr<Socket> socket)
{
    const ColoConversation& conversation = m_dialogue->conversations[index];
    Connection& connection = m_connections[index];
    connection.socket = socket;
    connection.cursor = ColoDialogueCursor(&conversation, true);
    connection.expected = conversation.GetBytes(false);
    Hook(index, socket);
    return connection;
}

void
ColoDialogueServer::Connected(uint32_t index, Ptr<Socket> socket)
{
    if (Connection* connection = Find(index, socket))
    {
        connection->phase = Phase::WAITING;
        Play(index, *connection);
    }
}

void
ColoDialogueServer::Receive(uint32_t index, Ptr<Socket> socket)
{
    if (Connection* connection = Find(index, socket))
    {
        Drain(index, *connection);
        Play(index, *connection);
    }
}

void
ColoDialogueServer::Writable(uint32_t index, Ptr<Socket> socket, uint32_t)
{
    if (Connection* connection = Find(index, socket))
    {
        Play(index, *connection);
    }
}

void
ColoDialogueServer::PeerClosed(uint32_t index, Ptr<Socket> socket)
{
    NS_LOG_FUNCTION(this << index << socket);
    if (Connection* connection = Find(index, socket))
    {
        Drain(index, *connection);
        Close(index);
    }
}

void
ColoDialogueServer::Failed(uint32_t index, Ptr<Socket> socket)
{
    NS_LOG_FUNCTION(this << index << socket);
    if (Find(index, socket))
    {
        Close(index);
    }
}

void
ColoDialogueServer::PauseOver(uint32_t index)
{
    Connection& connection = m_connections.at(index);
    if (connection.phase == Phase::PAUSING)
    {
        BeginTurn(index, connection);
    }
    connection.phase = Phase::SENDING;
    Play(index, connection);
}

void
ColoDialogueServer::Drain(uint32_t index, Connection& connection)
{
    const uint32_t id = m_dialogue->firstId + index;
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
            ColoDialogueCheck(id, false, position, m_buffer.data(), scripted) + size - scripted;
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
    if (connection.phase == Phase::CONNECTING)
    {
        return;
    }
    while (connection.cursor.IsMine())
    {
        if (connection.phase == Phase::WAITING)
        {
            Time delay = std::min(connection.cursor.GetCurrent().pause, m_maxPause);
            if (m_divergence)
            {
                delay = m_divergence->GetDelay(delay);
            }
            if (delay.IsStrictlyPositive())
            {
                connection.phase = Phase::PAUSING;
                connection.pause =
                    Simulator::Schedule(delay, &ColoDialogueServer::PauseOver, this, index);
                return;
            }
            BeginTurn(index, connection);
        }
        if (connection.phase != Phase::SENDING || !SendTurn(index, connection))
        {
            return;
        }
        connection.phase = Phase::WAITING;
    }
    if (!connection.cursor.IsOver())
    {
        return;
    }
    const ColoCloser closer = m_dialogue->conversations[index].closer;
    if (closer == ColoCloser::SERVER)
    {
        Close(index);
    }
    else if (closer == ColoCloser::NOBODY)
    {
        NoteOver(index, connection);
    }
}

void
ColoDialogueServer::BeginTurn(uint32_t index, Connection& connection)
{
    connection.phase = Phase::SENDING;
    connection.mask = ColoMask();
    const uint64_t served = m_turnsBegun++;
    const uint32_t turn = connection.cursor.GetTurn();
    const bool isRandom = connection.cursor.GetCurrent().isRandom;
    const uint32_t id = m_dialogue->firstId + index;
    const uint32_t token = m_divergence ? m_divergence->DrawToken(id, turn, isRandom, served) : 0;
    if (token != 0)
    {
        connection.mask = ColoMask(token);
        m_turnsDiverged++;
        m_divergedTrace(index, turn);
    }
}

bool
ColoDialogueServer::SendTurn(uint32_t index, Connection& connection)
{
    ColoDialogueCursor& cursor = connection.cursor;
    const uint32_t turn = cursor.GetTurn();
    for (bool isEnd = false; !isEnd;)
    {
        const uint64_t left =
            std::min<uint64_t>(cursor.GetLeft(), connection.socket->GetTxAvailable());
        if (left == 0)
        {
            return false;
        }
        const uint32_t limit = m_divergence ? m_divergence->DrawWriteSize() : ColoDivergence::WHOLE;
        const auto size = static_cast<uint32_t>(std::min<uint64_t>(left, limit));
        m_buffer.resize(size);
        ColoDialogueFill(m_dialogue->firstId + index,
                         true,
                         cursor.GetSent(),
                         m_buffer.data(),
                         size);
        connection.mask.Apply(cursor.GetCurrent().bytes - cursor.GetLeft(), m_buffer.data(), size);
        int sent = connection.socket->Send(Create<Packet>(m_buffer.data(), size));
        if (sent <= 0)
        {
            return false;
        }
        isEnd = cursor.Send(sent);
        if (!isEnd && size == limit)
        {
            connection.phase = Phase::BETWEEN;
            connection.pause =
                Simulator::Schedule(WRITE_TIME, &ColoDialogueServer::PauseOver, this, index);
            return false;
        }
    }
    m_turnsSent++;
    m_turnSentTrace(index, turn);
    return true;
}

/** Open those that were to wait for the end of this one. */
void
ColoDialogueServer::NoteOver(uint32_t index, Connection& connection)
{
    if (connection.isOver)
    {
        return;
    }
    connection.isOver = true;
    if (m_dialogue->conversations[index].opener == ColoOpener::GUEST)
    {
        ScheduleOpens(m_openings->GetAfter(index));
    }
}

void
ColoDialogueServer::Close(uint32_t index)
{
    auto place = m_connections.find(index);
    Ptr<Socket> socket = place->second.socket;
    place->second.pause.Cancel();
    NoteOver(index, place->second);
    m_connections.erase(place);
    socket->Close();
    // It may be the one that called: let it live until it is through with that.
    Simulator::ScheduleNow([socket] {});
}

} // namespace ns3
