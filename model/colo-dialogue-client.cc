/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue-client.h"

#include "ns3/abort.h"
#include "ns3/address-utils.h"
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

NS_LOG_COMPONENT_DEFINE("ColoDialogueClient");

NS_OBJECT_ENSURE_REGISTERED(ColoDialogueClient);

namespace
{

/** Bytes that are handed to a socket at once. */
constexpr uint64_t CHUNK = 4096;

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
            .AddAttribute("RemoteAddress",
                          "Address of the server, without a port.",
                          AddressValue(Ipv4Address::GetLoopback()),
                          MakeAddressAccessor(&ColoDialogueClient::m_remoteAddress),
                          MakeAddressChecker())
            .AddAttribute("ClientPortBase",
                          "Source port of the first conversation; each further one has the next.",
                          UintegerValue(20000),
                          MakeUintegerAccessor(&ColoDialogueClient::m_clientPortBase),
                          MakeUintegerChecker<uint16_t>(1))
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
                            "Every conversation is over.",
                            MakeTraceSourceAccessor(&ColoDialogueClient::m_finishedTrace),
                            "ns3::TracedCallback::Void");
    return tid;
}

void
ColoDialogueClient::SetDialogue(std::shared_ptr<const ColoDialogue> dialogue)
{
    NS_ABORT_MSG_UNLESS(m_conversations.empty(), "the script of running conversations is fixed");
    m_dialogue = std::move(dialogue);
}

uint64_t
ColoDialogueClient::GetBytesReceived() const
{
    return m_bytesReceived;
}

uint64_t
ColoDialogueClient::GetBytesSent() const
{
    return m_bytesSent;
}

uint64_t
ColoDialogueClient::GetRequestsCompleted() const
{
    return m_requestsCompleted;
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

uint64_t
ColoDialogueClient::GetResets() const
{
    return m_resets;
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
    for (uint32_t i = 0; i < m_conversations.size(); i++)
    {
        const Conversation& conversation = m_conversations[i];
        if (conversation.phase != Phase::OVER)
        {
            const ColoDialogueCursor& cursor = conversation.cursor;
            standings.push_back({i,
                                 conversation.phase != Phase::CONNECTING,
                                 cursor.GetTurn(),
                                 cursor.IsOver() ? 0 : cursor.GetLeft()});
        }
    }
    return standings;
}

bool
ColoDialogueClient::IsFinished() const
{
    return m_dialogue && m_over == m_dialogue->conversations.size();
}

void
ColoDialogueClient::DoDispose()
{
    m_openEvent.Cancel();
    for (Conversation& conversation : m_conversations)
    {
        conversation.pause.Cancel();
        Unhook(conversation.socket);
    }
    m_conversations.clear();
    m_conversationOf.clear();
    m_dialogue.reset();
    Application::DoDispose();
}

void
ColoDialogueClient::StartApplication()
{
    NS_LOG_FUNCTION(this);
    NS_ABORT_MSG_UNLESS(m_dialogue && !m_dialogue->conversations.empty(),
                        "a dialogue client needs SetDialogue() before its start");
    NS_ABORT_MSG_IF(m_clientPortBase + m_dialogue->conversations.size() > 65536,
                    "more conversations than client ports from " << m_clientPortBase << " up");
    m_conversations.reserve(m_dialogue->conversations.size());
    OpenNext();
}

void
ColoDialogueClient::StopApplication()
{
    NS_LOG_FUNCTION(this);
    m_openEvent.Cancel();
    for (Conversation& conversation : m_conversations)
    {
        conversation.pause.Cancel();
        Unhook(conversation.socket);
        if (conversation.phase != Phase::OVER)
        {
            conversation.socket->Close();
        }
    }
}

void
ColoDialogueClient::OpenNext()
{
    const auto& all = m_dialogue->conversations;
    uint32_t index = m_conversations.size();
    if (index + 1 < all.size())
    {
        Time gap = all[index + 1].start - all[index].start;
        gap = std::clamp(gap, Time(0), m_maxPause);
        m_openEvent = Simulator::Schedule(gap, &ColoDialogueClient::OpenNext, this);
    }
    Conversation& conversation = m_conversations.emplace_back();
    conversation.cursor = ColoDialogueCursor(&all[index], false);
    conversation.socket = Socket::CreateSocket(GetNode(), m_protocol);
    m_conversationOf[conversation.socket] = index;
    if (!Open(index))
    {
        Failed(conversation.socket);
    }
}

bool
ColoDialogueClient::Open(uint32_t index)
{
    Ptr<Socket> socket = m_conversations[index].socket;
    uint16_t serverPort = m_dialogue->conversations[index].serverPort;
    auto localPort = static_cast<uint16_t>(m_clientPortBase + index);
    NS_LOG_FUNCTION(this << index << localPort << serverPort);
    Hook(socket);
    if (Ipv6Address::IsMatchingType(m_remoteAddress))
    {
        Ipv6Address remote = Ipv6Address::ConvertFrom(m_remoteAddress);
        return socket->Bind(Inet6SocketAddress(Ipv6Address::GetAny(), localPort)) == 0 &&
               socket->Connect(Inet6SocketAddress(remote, serverPort)) == 0;
    }
    Ipv4Address remote = Ipv4Address::ConvertFrom(m_remoteAddress);
    return socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), localPort)) == 0 &&
           socket->Connect(InetSocketAddress(remote, serverPort)) == 0;
}

void
ColoDialogueClient::Hook(Ptr<Socket> socket)
{
    socket->SetConnectCallback(MakeCallback(&ColoDialogueClient::Connected, this),
                               MakeCallback(&ColoDialogueClient::Failed, this));
    socket->SetRecvCallback(MakeCallback(&ColoDialogueClient::Receive, this));
    socket->SetSendCallback(MakeCallback(&ColoDialogueClient::Writable, this));
    socket->SetCloseCallbacks(MakeCallback(&ColoDialogueClient::PeerClosed, this),
                              MakeCallback(&ColoDialogueClient::Failed, this));
}

void
ColoDialogueClient::Unhook(Ptr<Socket> socket)
{
    auto none = MakeNullCallback<void, Ptr<Socket>>();
    socket->SetConnectCallback(none, none);
    socket->SetRecvCallback(none);
    socket->SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
    socket->SetCloseCallbacks(none, none);
}

void
ColoDialogueClient::Connected(Ptr<Socket> socket)
{
    uint32_t index = m_conversationOf.at(socket);
    Conversation& conversation = m_conversations[index];
    conversation.phase = Phase::WAITING;
    Play(index, conversation);
}

void
ColoDialogueClient::Failed(Ptr<Socket> socket)
{
    uint32_t index = m_conversationOf.at(socket);
    NS_LOG_WARN("conversation " << index << " failed or was reset");
    Conversation& conversation = m_conversations[index];
    m_resets++;
    conversation.pause.Cancel();
    NoteOver(conversation);
}

void
ColoDialogueClient::Receive(Ptr<Socket> socket)
{
    uint32_t index = m_conversationOf.at(socket);
    Conversation& conversation = m_conversations[index];
    Drain(index, conversation);
    Play(index, conversation);
}

void
ColoDialogueClient::Writable(Ptr<Socket> socket, uint32_t)
{
    uint32_t index = m_conversationOf.at(socket);
    Play(index, m_conversations[index]);
}

void
ColoDialogueClient::PeerClosed(Ptr<Socket> socket)
{
    uint32_t index = m_conversationOf.at(socket);
    NS_LOG_FUNCTION(this << index);
    Conversation& conversation = m_conversations[index];
    Drain(index, conversation);
    conversation.pause.Cancel();
    if (conversation.phase == Phase::OVER)
    {
        return;
    }
    if (conversation.cursor.IsOver())
    {
        m_completed++;
    }
    else
    {
        NS_LOG_WARN("conversation " << index << " was closed by the server too early");
        m_resets++;
    }
    socket->Close();
    NoteOver(conversation);
}

void
ColoDialogueClient::PauseOver(uint32_t index)
{
    Conversation& conversation = m_conversations[index];
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
ColoDialogueClient::Take(uint32_t index,
                         Conversation& conversation,
                         const uint8_t* data,
                         uint64_t size)
{
    ColoDialogueCursor& cursor = conversation.cursor;
    while (size > 0)
    {
        bool isExpected = !cursor.IsOver() && !cursor.IsMine();
        uint64_t part = isExpected ? std::min(size, cursor.GetLeft()) : size;
        uint64_t first = cursor.GetReceived();
        uint64_t wrong =
            isExpected ? ColoDialogueCheck(index, true, first, data, part, &first) : part;
        if (wrong != 0)
        {
            NS_LOG_WARN("conversation " << index << ": " << wrong << " wrong bytes from " << first);
            m_dataErrors += wrong;
            m_firstDataError = m_firstDataError.value_or(Place{index, first});
        }
        std::size_t turn = cursor.GetTurn();
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
    const auto& turns = m_dialogue->conversations[index].turns;
    if (turn > 0 && !turns[turn - 1].fromServer)
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
    for (bool isEnd = false; !isEnd;)
    {
        auto size = static_cast<uint32_t>(std::min<uint64_t>(
            {conversation.cursor.GetLeft(), conversation.socket->GetTxAvailable(), CHUNK}));
        if (size == 0)
        {
            return false;
        }
        m_buffer.resize(size);
        ColoDialogueFill(index, false, conversation.cursor.GetSent(), m_buffer.data(), size);
        int sent = conversation.socket->Send(Create<Packet>(m_buffer.data(), size));
        if (sent <= 0)
        {
            return false;
        }
        m_bytesSent += sent;
        isEnd = conversation.cursor.Send(sent);
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
    NoteOver(conversation);
}

void
ColoDialogueClient::NoteOver(Conversation& conversation)
{
    if (conversation.phase == Phase::OVER)
    {
        return;
    }
    conversation.phase = Phase::OVER;
    if (++m_over == m_dialogue->conversations.size())
    {
        m_finishedTrace();
    }
}

} // namespace ns3
