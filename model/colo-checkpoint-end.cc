/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-checkpoint-end.h"

#include "colo-member-access.h"
#include "colo-tcp-protocol.h"

#include "ns3/header.h"
#include "ns3/inet-socket-address.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-socket-base.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoCheckpointEnd");

NS_OBJECT_ENSURE_REGISTERED(ColoCheckpointEnd);

COLO_MEMBER_ACCESS(ColoEndDeallocate, TcpSocketBase, DeallocateEndPoint, void());

namespace
{

/** What stands before the state of a message. */
class MessageHeader : public Header
{
  public:
    static constexpr uint32_t SIZE = 16;

    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::ColoCheckpointMessageHeader")
                                .SetParent<Header>()
                                .SetGroupName("Colo")
                                .AddConstructor<MessageHeader>();
        return tid;
    }

    TypeId GetInstanceTypeId() const override
    {
        return GetTypeId();
    }

    void Print(std::ostream& os) const override
    {
        os << "type=" << +message.type << " greeting=" << isGreeting << " pair=" << pair
           << " epoch=" << message.epoch << " bytes=" << message.bytes;
    }

    uint32_t GetSerializedSize() const override
    {
        return SIZE;
    }

    void Serialize(Buffer::Iterator start) const override
    {
        start.WriteU8(message.type);
        start.WriteU8(isGreeting);
        start.WriteHtonU16(pair);
        start.WriteHtonU32(message.epoch);
        start.WriteHtonU64(message.bytes);
    }

    uint32_t Deserialize(Buffer::Iterator start) override
    {
        message.type = start.ReadU8();
        isGreeting = start.ReadU8() != 0;
        pair = start.ReadNtohU16();
        message.epoch = start.ReadNtohU32();
        message.bytes = start.ReadNtohU64();
        return SIZE;
    }

    uint16_t pair{0};
    bool isGreeting{false}; //!< no message: what a connection begins with
    ColoCheckpointMessage message;
};

NS_OBJECT_ENSURE_REGISTERED(MessageHeader);

/** With those that a listener has forked and not told of yet: all have its port. */
void
RemoveSockets(const TcpSocketBase& socket)
{
    const auto portOf = [](const TcpSocketBase& any) {
        Address address;
        any.GetSockName(address);
        return InetSocketAddress::ConvertFrom(address).GetPort();
    };
    const uint16_t port = portOf(socket);
    for (const auto& any :
         ColoTcpL4Protocol::GetSockets(socket.GetNode()->GetObject<TcpL4Protocol>()))
    {
        if (portOf(*any) == port)
        {
            (*any.*Member(ColoEndDeallocate()))();
        }
    }
}

} // namespace

TypeId
ColoCheckpointEnd::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoCheckpointEnd")
                            .SetParent<Object>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoCheckpointEnd>();
    return tid;
}

ColoCheckpointEnd::ColoCheckpointEnd(uint16_t pair, uint32_t chunkSize)
    : m_pair(pair),
      m_chunkSize(chunkSize)
{
}

ColoCheckpointEnd::~ColoCheckpointEnd()
{
    Detach(); // the sockets may live on in their node
}

void
ColoCheckpointEnd::DoDispose()
{
    Detach();
    m_receiver = nullptr;
    m_outgoing.clear();
    Object::DoDispose();
}

void
ColoCheckpointEnd::SetReceiver(Receiver receiver)
{
    m_receiver = std::move(receiver);
}

void
ColoCheckpointEnd::Connect(Ptr<Socket> socket, const Address& remote)
{
    m_connecting = socket;
    socket->SetConnectCallback(MakeCallback(&ColoCheckpointEnd::Connected, this),
                               MakeCallback(&ColoCheckpointEnd::Refused, this));
    // Not now: the hosts' protocol stacks begin at time zero, and the timers are to be this host's.
    Simulator::ScheduleWithContext(socket->GetNode()->GetId(),
                                   Time(),
                                   &Socket::Connect,
                                   socket,
                                   remote);
}

void
ColoCheckpointEnd::Listen(Ptr<Socket> socket)
{
    m_listener = socket;
    socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                              MakeCallback(&ColoCheckpointEnd::Accepted, this));
    socket->Listen();
}

void
ColoCheckpointEnd::Connected(Ptr<Socket> socket)
{
    m_connecting = nullptr;
    // The window in a SYN has no scale (RFC 7323, 2.2), so the first state would wait for a round
    // trip behind 64 KiB; the answer to a greeting says it in full.
    MessageHeader greeting;
    greeting.pair = m_pair;
    greeting.isGreeting = true;
    Ptr<Packet> packet = Create<Packet>();
    packet->AddHeader(greeting);
    socket->Send(packet);
    Attach(socket);
}

void
ColoCheckpointEnd::Refused(Ptr<Socket>)
{
    NS_LOG_WARN("pair " << m_pair << ": the other host does not answer");
}

void
ColoCheckpointEnd::Accepted(Ptr<Socket> socket, const Address&)
{
    Attach(socket);
}

void
ColoCheckpointEnd::Attach(Ptr<Socket> socket)
{
    m_socket = socket;
    socket->SetRecvCallback(MakeCallback(&ColoCheckpointEnd::Readable, this));
    socket->SetSendCallback(MakeCallback(&ColoCheckpointEnd::Writable, this));
    Readable(socket);
    Feed();
}

void
ColoCheckpointEnd::Detach()
{
    for (const auto& socket : {m_listener, m_connecting, m_socket})
    {
        if (socket)
        {
            socket->SetConnectCallback(MakeNullCallback<void, Ptr<Socket>>(),
                                       MakeNullCallback<void, Ptr<Socket>>());
            socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                      MakeNullCallback<void, Ptr<Socket>, const Address&>());
            socket->SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
            socket->SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
        }
    }
    m_listener = nullptr;
    m_connecting = nullptr;
    m_socket = nullptr;
}

void
ColoCheckpointEnd::Break()
{
    m_outgoing.clear();
    m_receiver = nullptr;
    for (const auto& socket : {m_listener, m_connecting, m_socket})
    {
        if (socket)
        {
            RemoveSockets(*DynamicCast<TcpSocketBase>(socket));
        }
    }
    Detach();
}

uint64_t
ColoCheckpointEnd::GetProgress() const
{
    return m_received + m_given + (m_socket ? m_socket->GetTxAvailable() : 0);
}

void
ColoCheckpointEnd::Send(const ColoCheckpointMessage& message)
{
    Ptr<Socket> socket = m_socket ? m_socket : m_connecting ? m_connecting : m_listener;
    if (!socket)
    {
        return; // the simulation is being taken down
    }
    // The socket's timers are to be this host's, whoever asks.
    Simulator::ScheduleWithContext(socket->GetNode()->GetId(),
                                   Time(),
                                   &ColoCheckpointEnd::Enqueue,
                                   Ptr<ColoCheckpointEnd>(this),
                                   message);
}

void
ColoCheckpointEnd::Enqueue(ColoCheckpointMessage message)
{
    m_outgoing.push_back({message, message.bytes, true});
    Feed();
}

bool
ColoCheckpointEnd::IsIdle() const
{
    return m_outgoing.empty();
}

/** Chunks end where segments do: ns-3 would write zeros out to join two of them. */
void
ColoCheckpointEnd::Feed()
{
    while (m_socket && !m_outgoing.empty())
    {
        Outgoing& next = m_outgoing.front();
        const uint32_t headerSize = next.isFirst ? MessageHeader::SIZE : 0;
        const auto size =
            static_cast<uint32_t>(std::min<uint64_t>(next.stateLeft, m_chunkSize - headerSize));
        if (m_socket->GetTxAvailable() < headerSize + size)
        {
            return; // until the socket has room
        }
        Ptr<Packet> packet = Create<Packet>(size);
        if (next.isFirst)
        {
            MessageHeader header;
            header.pair = m_pair;
            header.message = next.message;
            packet->AddHeader(header);
        }
        if (m_socket->Send(packet) < 0)
        {
            NS_LOG_WARN("pair " << m_pair << ": the connection is broken");
            return;
        }
        m_given += headerSize + size;
        next.isFirst = false;
        next.stateLeft -= size;
        if (next.stateLeft == 0)
        {
            m_outgoing.pop_front();
        }
    }
}

void
ColoCheckpointEnd::Writable(Ptr<Socket>, uint32_t)
{
    Feed();
}

void
ColoCheckpointEnd::Readable(Ptr<Socket> socket)
{
    while (true)
    {
        // Several segments that have waited for a lost one are not joined, either.
        Ptr<Packet> packet = socket->Recv(m_chunkSize, 0);
        if (!packet || packet->GetSize() == 0)
        {
            return;
        }
        m_received += packet->GetSize();
        Take(packet);
    }
}

void
ColoCheckpointEnd::Take(Ptr<Packet> packet)
{
    while (packet->GetSize() > 0)
    {
        if (m_stateLeft > 0)
        {
            const uint64_t size = std::min<uint64_t>(m_stateLeft, packet->GetSize());
            packet->RemoveAtStart(static_cast<uint32_t>(size));
            m_stateLeft -= size;
        }
        else
        {
            const uint32_t size =
                std::min(MessageHeader::SIZE - m_head->GetSize(), packet->GetSize());
            m_head->AddAtEnd(packet->CreateFragment(0, size));
            packet->RemoveAtStart(size);
            if (m_head->GetSize() < MessageHeader::SIZE)
            {
                return;
            }
            MessageHeader header;
            m_head->RemoveHeader(header);
            if (header.isGreeting)
            {
                continue;
            }
            m_incoming = header.message;
            m_stateLeft = m_incoming.bytes;
        }
        if (m_stateLeft == 0 && m_receiver)
        {
            m_receiver(m_incoming);
        }
    }
}

} // namespace ns3
