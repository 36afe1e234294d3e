/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue-client.h"

#include "colo-socket.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/ipv4-address.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoDialogueClient");

NS_OBJECT_ENSURE_REGISTERED(ColoDialogueClient);

namespace
{

/** How soon a client looks again whether a port that it uses once more is free; then it doubles. */
const Time PORT_WAIT_MIN = MilliSeconds(10);
const Time PORT_WAIT_MAX = Seconds(1);
/** Longer than TIME_WAIT lasts with ns-3's segment lifetime, which is RFC 9293's. */
const Time PORT_WAIT_LIMIT = Seconds(300);

} // namespace

TypeId
ColoDialogueClient::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDialogueClient")
            .SetParent<Application>()
            .SetGroupName("Colo")
            .AddConstructor<ColoDialogueClient>()
            .AddAttribute("Protocol",
                          "Factory of the sockets.",
                          TypeIdValue(TypeId::LookupByName("ns3::TcpSocketFactory")),
                          MakeTypeIdAccessor(&ColoDialogueClient::m_protocol),
                          MakeTypeIdChecker())
            .AddAttribute("ClientIndex",
                          "Which of the script's clients this is.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&ColoDialogueClient::m_clientIndex),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("RemoteAddress",
                          "Address of the guest, without a port; IPv4 or IPv6.",
                          AddressValue(Ipv4Address::GetLoopback()),
                          MakeAddressAccessor(&ColoDialogueClient::m_remoteAddress),
                          MakeAddressChecker())
            .AddAttribute("AcceptsTokens",
                          "Whether any turn of the guest may have a token (see "
                          "ns3::ColoDivergence); else only those that are random in the script.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDialogueClient::m_acceptsTokens),
                          MakeBooleanChecker())
            .AddAttribute("MaxPause",
                          "No pause of the script, nor the gap from the start of a conversation to "
                          "that of the next, lasts longer than this.",
                          TimeValue(MilliSeconds(200)),
                          MakeTimeAccessor(&ColoDialogueClient::m_maxPause),
                          MakeTimeChecker(Time(0)))
            .AddTraceSource("Latency",
                            "A response is complete: time since the first byte of the request was "
                            "handed to the socket.",
                            MakeTraceSourceAccessor(&ColoDialogueClient::m_latencyTrace),
                            "ns3::ColoDialogueClient::LatencyTracedCallback")
            .AddTraceSource("Finished",
                            "All conversations of this client are over.",
                            MakeTraceSourceAccessor(&ColoDialogueClient::m_finishedTrace),
                            "ns3::TracedCallback::Void");
    return tid;
}

void
ColoDialogueClient::SetDialogue(std::shared_ptr<const ColoDialogue> dialogue)
{
    NS_ABORT_MSG_IF(m_isStarted, "the script of running conversations is fixed");
    m_dialogue = std::move(dialogue);
}

uint64_t
ColoDialogueClient::GetDataErrors() const
{
    return m_dataErrors;
}

std::optional<ColoDialogueClient::Place>
ColoDialogueClient::GetFirstDataError() const
{
    return m_firstDataError;
}

uint32_t
ColoDialogueClient::GetConversationsCompleted() const
{
    return m_completed;
}

std::vector<ColoDialogueClient::Standing>
ColoDialogueClient::GetStandings() const
{
    std::vector<Standing> standings;
    for (const auto& [index, listener] : m_listeners)
    {
        standings.push_back({index, false, 0, 0});
    }
    for (const auto& [index, conversation] : m_conversations)
    {
        const ColoDialogueCursor& cursor = conversation.cursor;
        standings.push_back({index,
                             conversation.phase != Phase::CONNECTING,
                             cursor.GetTurn(),
                             cursor.IsOver() ? 0 : cursor.GetLeft()});
    }
    return standings;
}

bool
ColoDialogueClient::IsFinished() const
{
    return m_isStarted && m_over == m_own;
}

void
ColoDialogueClient::DoDispose()
{
    Quit();
    m_listeners.clear();
    m_conversations.clear();
    m_lastOfPort.clear();
    m_dialogue.reset();
    Application::DoDispose();
}

void
ColoDialogueClient::StartApplication()
{
    NS_LOG_FUNCTION(this);
    NS_ABORT_MSG_UNLESS(m_dialogue, "a dialogue client needs SetDialogue() before its start");
    m_isStarted = true;
    const auto isOwn = [client = m_clientIndex](const ColoConversation& conversation) {
        return conversation.transport == ColoTransport::TCP && conversation.client == client;
    };
    const auto& all = m_dialogue->conversations;
    std::unordered_map<uint16_t, uint32_t> usesOfPort;
    for (uint32_t index = 0; index < all.size(); index++)
    {
        const ColoConversation& conversation = all[index];
        if (!isOwn(conversation))
        {
            continue;
        }
        m_own++;
        if (conversation.opener == ColoOpener::GUEST)
        {
            Listen(index);
        }
        else if (++usesOfPort[conversation.clientPort] == 2)
        {
            m_lastOfPort[conversation.clientPort] = nullptr;
        }
        NS_ABORT_MSG_IF(conversation.opener == ColoOpener::CLIENT && conversation.clientPort == 0,
                        "conversation " << index << " has no client port");
    }
    m_openings = ColoOpenings(*m_dialogue, m_maxPause, [&](const ColoConversation& conversation) {
        return isOwn(conversation) && conversation.opener == ColoOpener::CLIENT;
    });
    ScheduleOpens(m_openings.GetFirsts());
    if (m_own == 0)
    {
        Simulator::ScheduleNow([this] { m_finishedTrace(); });
    }
}

void
ColoDialogueClient::StopApplication()
{
    NS_LOG_FUNCTION(this);
    Quit();
    for (auto& [index, listener] : m_listeners)
    {
        listener->Close();
    }
    for (auto& [index, conversation] : m_conversations)
    {
        conversation.socket->Close();
    }
}

/** Open nothing more, and listen to no socket. */
void
ColoDialogueClient::Quit()
{
    for (auto& [index, open] : m_opens)
    {
        open.Cancel();
    }
    for (auto& [index, listener] : m_listeners)
    {
        ColoUnhookSocket(listener);
    }
    for (auto& [index, conversation] : m_conversations)
    {
        conversation.pause.Cancel();
        ColoUnhookSocket(conversation.socket);
    }
}

void
ColoDialogueClient::ScheduleOpens(const std::vector<ColoOpenings::Opening>& openings)
{
    for (const auto& [index, delay] : openings)
    {
        m_opens[index] = Simulator::Schedule(delay,
                                             &ColoDialogueClient::WaitForPort,
                                             this,
                                             index,
                                             PORT_WAIT_MIN,
                                             Time());
    }
}

/** The connection that had the port before may be in TIME_WAIT, as long as TCP wants it to. */
void
ColoDialogueClient::WaitForPort(uint32_t index, Time wait, Time waited)
{
    if (IsPortFree(index) || waited >= PORT_WAIT_LIMIT)
    {
        m_opens.erase(index);
        Open(index);
        return;
    }
    m_opens[index] = Simulator::Schedule(wait,
                                         &ColoDialogueClient::WaitForPort,
                                         this,
                                         index,
                                         Min(wait * 2, PORT_WAIT_MAX),
                                         waited + wait);
}

/** Bind() would not notice: it compares with the address that the other one is connected from. */
bool
ColoDialogueClient::IsPortFree(uint32_t index) const
{
    auto last = m_lastOfPort.find(m_dialogue->conversations[index].clientPort);
    if (last == m_lastOfPort.end() || !last->second)
    {
        return true;
    }
    Address name;
    last->second->GetSockName(name);
    return ColoGetPort(name) == 0;
}

void
ColoDialogueClient::Open(uint32_t index)
{
    const ColoConversation& script = m_dialogue->conversations[index];
    NS_LOG_FUNCTION(this << index << script.clientPort << script.serverPort);
    const bool isPortFree = IsPortFree(index);
    Ptr<Socket> socket = Socket::CreateSocket(GetNode(), m_protocol);
    Conversation& conversation = Add(index, socket);
    auto last = m_lastOfPort.find(script.clientPort);
    if (isPortFree && last != m_lastOfPort.end())
    {
        last->second = socket;
    }
    if (!isPortFree ||
        socket->Bind(ColoMakeAnySocketAddress(m_remoteAddress, script.clientPort)) != 0 ||
        socket->Connect(ColoMakeSocketAddress(m_remoteAddress, script.serverPort)) != 0)
    {
        Fail(index, conversation);
    }
}

/** The port says which conversation it is, so each has a listener of its own. */
void
ColoDialogueClient::Listen(uint32_t index)
{
    const uint16_t port = m_dialogue->conversations[index].serverPort;
    Ptr<Socket> socket = Socket::CreateSocket(GetNode(), m_protocol);
    NS_ABORT_MSG_IF(socket->Bind(ColoMakeAnySocketAddress(m_remoteAddress, port)) != 0 ||
                        socket->Listen() != 0,
                    "cannot listen on port " << port << ", for conversation " << index);
    socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                              MakeCallback(&ColoDialogueClient::Accept, this).Bind(index));
    m_listeners[index] = socket;
}

ColoDialogueClient::Conversation&
ColoDialogueClient::Add(uint32_t index, Ptr<Socket> socket)
{
    Conversation& conversation = m_conversations[index];
    conversation.cursor = ColoDialogueCursor(&m_dialogue->conversations[index], false);
    conversation.socket = socket;
    Hook(index, socket);
    return conversation;
}

void
ColoDialogueClient::Hook(uint32_t index, Ptr<Socket> socket)
{
    socket->SetConnectCallback(MakeCallback(&ColoDialogueClient::Connected, this).Bind(index),
                               MakeCallback(&ColoDialogueClient::Failed, this).Bind(index));
    socket->SetRecvCallback(MakeCallback(&ColoDialogueClient::Receive, this).Bind(index));
    socket->SetSendCallback(MakeCallback(&ColoDialogueClient::Writable, this).Bind(index));
    socket->SetCloseCallbacks(MakeCallback(&ColoDialogueClient::PeerClosed, this).Bind(index),
                              MakeCallback(&ColoDialogueClient::Failed, this).Bind(index));
}

/** Null once both sides have closed. */
ColoDialogueClient::Conversation*
ColoDialogueClient::Find(uint32_t index, Ptr<Socket> socket)
{
    auto found = m_conversations.find(index);
    return found != m_conversations.end() && found->second.socket == socket ? &found->second
                                                                            : nullptr;
}

void
ColoDialogueClient::Accept(uint32_t index, Ptr<Socket> socket, const Address&)
{
    NS_LOG_FUNCTION(this << index);
    auto listener = m_listeners.find(index);
    if (listener == m_listeners.end())
    {
        NS_LOG_WARN("conversation " << index << " was opened once more");
        socket->Close();
        return;
    }
    listener->second->Close();
    m_listeners.erase(listener);
    Conversation& conversation = Add(index, socket);
    conversation.phase = Phase::WAITING;
    Drain(index, conversation);
    Play(index, conversation);
}

void
ColoDialogueClient::Connected(uint32_t index, Ptr<Socket> socket)
{
    if (Conversation* conversation = Find(index, socket))
    {
        conversation->phase = Phase::WAITING;
        Play(index, *conversation);
    }
}

void
ColoDialogueClient::Failed(uint32_t index, Ptr<Socket> socket)
{
    if (Conversation* conversation = Find(index, socket))
    {
        Fail(index, *conversation);
    }
}

void
ColoDialogueClient::Receive(uint32_t index, Ptr<Socket> socket)
{
    if (Conversation* conversation = Find(index, socket))
    {
        Drain(index, *conversation);
        Play(index, *conversation);
    }
}

void
ColoDialogueClient::Writable(uint32_t index, Ptr<Socket> socket, uint32_t)
{
    if (Conversation* conversation = Find(index, socket))
    {
        Play(index, *conversation);
    }
}

void
ColoDialogueClient::PeerClosed(uint32_t index, Ptr<Socket> socket)
{
    NS_LOG_FUNCTION(this << index);
    Conversation* conversation = Find(index, socket);
    if (!conversation)
    {
        return;
    }
    Drain(index, *conversation);
    if (conversation->phase != Phase::OVER && !conversation->cursor.IsOver())
    {
        Fail(index, *conversation);
        return;
    }
    if (conversation->phase != Phase::OVER)
    {
        m_completed++;
    }
    conversation->pause.Cancel();
    socket->Close();
    NoteOver(index, *conversation);
    m_conversations.erase(index);
}

void
ColoDialogueClient::PauseOver(uint32_t index)
{
    Conversation& conversation = m_conversations.at(index);
    conversation.phase = Phase::SENDING;
    conversation.requestStart = Simulator::Now();
    Play(index, conversation);
}

void
ColoDialogueClient::Drain(uint32_t index, Conversation& conversation)
{
    while (Ptr<Packet> packet = conversation.socket->Recv())
    {
        uint32_t size = packet->GetSize();
        if (size == 0)
        {
            break;
        }
        m_buffer.resize(size);
        packet->CopyData(m_buffer.data(), size);
        m_bytesReceived += size;
        Take(index, conversation, m_buffer.data(), size);
    }
}

void
ColoDialogueClient::Take(uint32_t index, Conversation& conversation, uint8_t* data, uint64_t size)
{
    const uint32_t id = m_dialogue->firstId + index;
    ColoDialogueCursor& cursor = conversation.cursor;
    while (size > 0)
    {
        const bool isExpected = !cursor.IsOver() && !cursor.IsMine();
        const uint64_t part = isExpected ? std::min(size, cursor.GetLeft()) : size;
        uint64_t first = cursor.GetReceived();
        if (isExpected && (m_acceptsTokens || cursor.GetCurrent().isRandom))
        {
            const uint64_t offset = cursor.GetCurrent().bytes - cursor.GetLeft();
            ColoDialogueUnmask(id, first, conversation.mask, offset, data, part);
        }
        const uint64_t wrong =
            isExpected ? ColoDialogueCheck(id, true, first, data, part, &first) : part;
        if (wrong != 0)
        {
            NS_LOG_WARN("conversation " << index << ": " << wrong << " wrong bytes from " << first);
            m_dataErrors += wrong;
            m_firstDataError = m_firstDataError.value_or(Place{index, first});
        }
        const std::size_t turn = cursor.GetTurn();
        if (cursor.Receive(part) && isExpected)
        {
            EndServerTurn(index, conversation, turn);
        }
        data += part;
        size -= part;
    }
}

void
ColoDialogueClient::EndServerTurn(uint32_t index, Conversation& conversation, std::size_t turn)
{
    conversation.mask = ColoMask();
    const ColoConversation& script = m_dialogue->conversations[index];
    const bool isResponse = turn > 0 && !script.turns[turn - 1].fromServer;
    if (isResponse && script.opener == ColoOpener::CLIENT)
    {
        m_requestsCompleted++;
        m_latencyTrace(Simulator::Now() - conversation.requestStart);
    }
}

void
ColoDialogueClient::Play(uint32_t index, Conversation& conversation)
{
    if (conversation.phase == Phase::CONNECTING)
    {
        return;
    }
    while (conversation.phase != Phase::OVER && conversation.cursor.IsMine())
    {
        if (conversation.phase == Phase::WAITING)
        {
            Time pause = std::min(conversation.cursor.GetCurrent().pause, m_maxPause);
            if (pause.IsStrictlyPositive())
            {
                conversation.phase = Phase::PAUSING;
                conversation.pause =
                    Simulator::Schedule(pause, &ColoDialogueClient::PauseOver, this, index);
                return;
            }
            conversation.phase = Phase::SENDING;
            conversation.requestStart = Simulator::Now();
        }
        if (conversation.phase == Phase::PAUSING || !SendTurn(index, conversation))
        {
            return;
        }
        conversation.phase = Phase::WAITING;
    }
    if (conversation.phase != Phase::OVER && conversation.cursor.IsOver())
    {
        EndScript(index, conversation);
    }
}

bool
ColoDialogueClient::SendTurn(uint32_t index, Conversation& conversation)
{
    ColoDialogueCursor& cursor = conversation.cursor;
    for (bool isEnd = false; !isEnd;)
    {
        const auto size = static_cast<uint32_t>(
            std::min<uint64_t>(cursor.GetLeft(), conversation.socket->GetTxAvailable()));
        if (size == 0)
        {
            return false;
        }
        m_buffer.resize(size);
        ColoDialogueFill(m_dialogue->firstId + index,
                         false,
                         cursor.GetSent(),
                         m_buffer.data(),
                         size);
        int sent = conversation.socket->Send(Create<Packet>(m_buffer.data(), size));
        if (sent <= 0)
        {
            return false;
        }
        m_bytesSent += sent;
        isEnd = cursor.Send(sent);
    }
    return true;
}

void
ColoDialogueClient::EndScript(uint32_t index, Conversation& conversation)
{
    ColoCloser closer = m_dialogue->conversations[index].closer;
    if (closer == ColoCloser::SERVER)
    {
        return;
    }
    if (closer == ColoCloser::CLIENT)
    {
        conversation.socket->Close();
    }
    m_completed++;
    NoteOver(index, conversation);
}

/** The conversation ends here and now; one that was over already did not end well. */
void
ColoDialogueClient::Fail(uint32_t index, Conversation& conversation)
{
    NS_LOG_WARN("conversation " << index << " failed, was reset, or was closed too early");
    m_resets++;
    conversation.pause.Cancel();
    NoteOver(index, conversation);
    Ptr<Socket> socket = conversation.socket;
    m_conversations.erase(index);
    socket->Close();
    // It may be the one that called: let it live until it is through with that.
    Simulator::ScheduleNow([socket] {});
}

void
ColoDialogueClient::NoteOver(uint32_t index, Conversation& conversation)
{
    if (conversation.phase == Phase::OVER)
    {
        return;
    }
    conversation.phase = Phase::OVER;
    ScheduleOpens(m_openings.GetAfter(index));
    if (++m_over == m_own)
    {
        m_finishedTrace();
    }
}

} // namespace ns3
