/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-tcp-socket.h"

#include "colo-tcp-protocol.h"

#include "ns3/abort.h"
#include "ns3/ipv4-end-point.h"
#include "ns3/ipv6-end-point.h"
#include "ns3/log.h"
#include "ns3/node.h"
#include "ns3/rtt-estimator.h"
#include "ns3/simulator.h"
#include "ns3/tcp-congestion-ops.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-recovery-ops.h"
#include "ns3/tcp-tx-buffer.h"

#include <algorithm>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoTcpSocket");

NS_OBJECT_ENSURE_REGISTERED(ColoTcpSocket);
NS_OBJECT_ENSURE_REGISTERED(ColoTcpSocketFactory);

// ---- ColoTcpSocket: opening ----

TypeId
ColoTcpSocket::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoTcpSocket")
                            .SetParent<TcpSocketBase>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoTcpSocket>();
    return tid;
}

ColoTcpSocket::ColoTcpSocket(const ColoTcpSocket& listener)
    : TcpSocketBase(listener),
      m_variation(listener.m_variation)
{
}

void
ColoTcpSocket::SetVariation(Ptr<ColoTcpVariation> variation)
{
    m_variation = variation;
}

uint32_t
ColoTcpSocket::GetIsn() const
{
    return m_isn;
}

TcpSocket::TcpStates_t
ColoTcpSocket::GetState() const
{
    return m_state;
}

void
ColoTcpSocket::DrawConnection()
{
    if (!m_variation)
    {
        return;
    }
    const ColoTcpDraw draw = m_variation->Draw();
    SetIsn(draw.isn);
    if (draw.segmentSize > 0)
    {
        m_tcb->m_segmentSize = draw.segmentSize;
        m_txBuffer->SetSegmentSize(draw.segmentSize);
        m_tcb->m_cWnd = m_tcb->m_initialCWnd * draw.segmentSize; // a listener's had its own
        m_tcb->m_cWndInfl = m_tcb->m_cWnd;
        m_announcesSize = m_variation->announcesSegmentSize;
    }
    if (draw.delAckCount > 0)
    {
        m_delAckMaxCount = draw.delAckCount;
    }
    if (draw.delAckTimeout.IsStrictlyPositive())
    {
        m_delAckTimeout = draw.delAckTimeout;
    }
    m_noDelay = draw.noDelay.value_or(m_noDelay);
    m_timestampOffset = draw.timestampOffset;
    HookOutput();
}

void
ColoTcpSocket::SetIsn(uint32_t number)
{
    m_isn = number;
    const SequenceNumber32 isn(number);
    m_tcb->m_nextTxSequence = isn;
    m_tcb->m_highTxMark = isn;
    m_tcb->m_lastAckedSeq = isn;
    m_txBuffer->SetHeadSequence(isn);
    m_highRxAckMark = isn;
    m_recover = isn;
}

void
ColoTcpSocket::BindToDrawnPort(const Address& remote)
{
    const bool isIpv6 = Inet6SocketAddress::IsMatchingType(remote);
    const uint16_t port = m_variation ? m_variation->DrawPort(m_tcp, isIpv6) : 0;
    if (port == 0)
    {
        return;
    }
    if (isIpv6)
    {
        Bind(Inet6SocketAddress(Ipv6Address::GetAny(), port));
    }
    else
    {
        Bind(InetSocketAddress(Ipv4Address::GetAny(), port));
    }
}

void
ColoTcpSocket::HookOutput()
{
    const auto sink = MakeCallback(&ColoTcpSocket::ShapeHeader);
    m_txTrace.DisconnectWithoutContext(sink);
    if (m_timestampOffset != 0 || m_announcesSize)
    {
        m_txTrace.ConnectWithoutContext(sink);
    }
}

void
ColoTcpSocket::ShapeHeader(Ptr<const Packet>,
                           const TcpHeader& header,
                           Ptr<const TcpSocketBase> socket)
{
    const auto& self = static_cast<const ColoTcpSocket&>(*socket);
    auto& toSend = const_cast<TcpHeader&>(header);
    ColoShiftTimestamp(toSend, self.m_timestampOffset);
    if (self.m_announcesSize && (header.GetFlags() & TcpHeader::SYN))
    {
        ColoAnnounceSegmentSize(toSend, self.m_tcb->m_segmentSize);
    }
}

void
ColoTcpSocket::LearnPeerIsn(SequenceNumber32 isn)
{
    m_highRxMark = isn;
    m_highTxAck = isn;
}

int
ColoTcpSocket::Connect(const Address& address)
{
    if (m_state == CLOSED)
    {
        DrawConnection();
        if (!IsBound())
        {
            BindToDrawnPort(address);
        }
    }
    LeaveTable();
    const int result = TcpSocketBase::Connect(address);
    EnterTable();
    return result;
}

Ptr<TcpSocketBase>
ColoTcpSocket::Fork()
{
    return CopyObject<ColoTcpSocket>(this);
}

void
ColoTcpSocket::CompleteFork(Ptr<Packet> packet,
                            const TcpHeader& header,
                            const Address& from,
                            const Address& to)
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    if (tcp && tcp->IsConnected(to, from))
    {
        return; // a second copy of the SYN came before the first one's fork was complete
    }
    DrawConnection();
    LearnPeerIsn(header.GetSequenceNumber());
    TcpSocketBase::CompleteFork(packet, header, from, to);
    EnterTable();
}

void
ColoTcpSocket::DoForwardUp(Ptr<Packet> packet, const Address& from, const Address& to)
{
    if (m_state == SYN_SENT)
    {
        TcpHeader header;
        packet->PeekHeader(header);
        if (header.GetFlags() & TcpHeader::SYN)
        {
            LearnPeerIsn(header.GetSequenceNumber());
        }
    }
    if (m_timestampOffset != 0)
    {
        TcpHeader header;
        packet->RemoveHeader(header);
        ColoShiftTimestampEcho(header, -m_timestampOffset);
        packet->AddHeader(header);
    }
    TcpSocketBase::DoForwardUp(packet, from, to);
}

// An event does not tell what it will call, so the three places that start m_retxEvent note it.

void
ColoTcpSocket::SendEmptyPacket(uint8_t flags)
{
    const EventId before = m_retxEvent;
    TcpSocketBase::SendEmptyPacket(flags);
    if (m_retxEvent != before)
    {
        m_retxIsControl = true;
        m_retxFlags = flags;
    }
}

uint32_t
ColoTcpSocket::SendDataPacket(SequenceNumber32 seq, uint32_t maxSize, bool withAck)
{
    const EventId before = m_retxEvent;
    const uint32_t size = TcpSocketBase::SendDataPacket(seq, maxSize, withAck);
    if (m_retxEvent != before)
    {
        m_retxIsControl = false;
    }
    if (withAck && size > 0)
    {
        // Else a side that acks with its data would echo one timestamp for ever (RFC 7323, 4.3),
        // and its peer take the connection's age for the round trip time.
        m_highTxAck = std::max(m_highTxAck, m_tcb->m_rxBuffer->NextRxSequence());
    }
    return size;
}

void
ColoTcpSocket::NewAck(const SequenceNumber32& ack, bool resetRto)
{
    const EventId before = m_retxEvent;
    TcpSocketBase::NewAck(ack, resetRto);
    if (m_retxEvent != before && !m_retxEvent.IsExpired())
    {
        m_retxIsControl = false;
    }
}

void
ColoTcpSocket::PersistTimeout()
{
    if (m_txBuffer->SizeFromSequence(m_tcb->m_nextTxSequence) > 0)
    {
        TcpSocketBase::PersistTimeout();
        return;
    }
    // TcpSocketBase would use a null pointer, having no byte to probe the closed window with.
    m_persistEvent = Simulator::Schedule(m_persistTimeout, &ColoTcpSocket::PersistTimeout, this);
}

// ---- ColoTcpSocket: end points ----

// What is in ColoTcpL4Protocol's tables is not in ns-3's lists, which choose ports and refuse those
// that are taken.

int
ColoTcpSocket::Bind()
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    if (tcp && !tcp->GetTable().PrepareEphemeralPort())
    {
        m_errno = ERROR_ADDRNOTAVAIL;
        return -1;
    }
    return TcpSocketBase::Bind();
}

int
ColoTcpSocket::Bind6()
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    if (tcp && !tcp->GetTable6().PrepareEphemeralPort())
    {
        m_errno = ERROR_ADDRNOTAVAIL;
        return -1;
    }
    return TcpSocketBase::Bind6();
}

int
ColoTcpSocket::Bind(const Address& address)
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    const auto isFree = [this](auto& table, const auto& ip, uint16_t port) {
        const bool isPort =
            port ? !table.IsTaken(GetBoundNetDevice(), ip, port) : table.PrepareEphemeralPort();
        if (!isPort)
        {
            m_errno = port ? ERROR_ADDRINUSE : ERROR_ADDRNOTAVAIL;
        }
        return isPort;
    };
    if (tcp && InetSocketAddress::IsMatchingType(address))
    {
        const auto local = InetSocketAddress::ConvertFrom(address);
        if (!isFree(tcp->GetTable(), local.GetIpv4(), local.GetPort()))
        {
            return -1;
        }
    }
    else if (tcp && Inet6SocketAddress::IsMatchingType(address))
    {
        const auto local = Inet6SocketAddress::ConvertFrom(address);
        if (!isFree(tcp->GetTable6(), local.GetIpv6(), local.GetPort()))
        {
            return -1;
        }
    }
    return TcpSocketBase::Bind(address);
}

void
ColoTcpSocket::EnterTable()
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    if (tcp && m_endPoint)
    {
        tcp->GetTable().Adopt(this, m_endPoint);
    }
    else if (tcp && m_endPoint6)
    {
        tcp->GetTable6().Adopt(this, m_endPoint6);
    }
}

void
ColoTcpSocket::LeaveTable()
{
    const auto tcp = DynamicCast<ColoTcpL4Protocol>(m_tcp);
    if (tcp && m_endPoint)
    {
        tcp->GetTable().Return(m_endPoint);
    }
    else if (tcp && m_endPoint6)
    {
        tcp->GetTable6().Return(m_endPoint6);
    }
}

bool
ColoTcpSocket::IsBound() const
{
    return m_endPoint != nullptr || m_endPoint6 != nullptr;
}

std::pair<Address, Address>
ColoTcpSocket::GetEndPoints() const
{
    std::pair<Address, Address> endPoints;
    GetSockName(endPoints.first);
    GetPeerName(endPoints.second);
    return endPoints;
}

Ptr<NetDevice>
ColoTcpSocket::FindTwinDevice(Ptr<NetDevice> device) const
{
    return device ? m_node->GetDevice(device->GetIfIndex()) : nullptr;
}

void
ColoTcpSocket::BindLike(const ColoTcpSocket& original)
{
    NS_ABORT_MSG_IF(IsBound(), "ColoTcpSocket: the twin of a socket has an end point already");
    if (Ipv4EndPoint* end = original.m_endPoint)
    {
        m_endPoint = m_tcp->Allocate(FindTwinDevice(end->GetBoundNetDevice()),
                                     end->GetLocalAddress(),
                                     end->GetLocalPort(),
                                     end->GetPeerAddress(),
                                     end->GetPeerPort());
    }
    else if (Ipv6EndPoint* end6 = original.m_endPoint6)
    {
        m_endPoint6 = m_tcp->Allocate6(FindTwinDevice(end6->GetBoundNetDevice()),
                                       end6->GetLocalAddress(),
                                       end6->GetLocalPort(),
                                       end6->GetPeerAddress(),
                                       end6->GetPeerPort());
    }
    NS_ABORT_MSG_UNLESS(IsBound(), "ColoTcpSocket: no end point for the twin of a socket");
    m_tcp->AddSocket(this);
    SetupCallback();
    EnterTable();
}

Ptr<ColoTcpSocket>
ColoTcpSocket::ForkForTwin()
{
    return CopyObject<ColoTcpSocket>(this);
}

void
ColoTcpSocket::Vanish()
{
    CancelAllTimers();
    DeallocateEndPoint();
    m_tcp->RemoveSocket(this);
    m_state = CLOSED;
    SetConnectCallback(MakeNullCallback<void, Ptr<Socket>>(),
                       MakeNullCallback<void, Ptr<Socket>>());
    SetCloseCallbacks(MakeNullCallback<void, Ptr<Socket>>(), MakeNullCallback<void, Ptr<Socket>>());
    SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
    SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
    SetDataSentCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
}

// ---- ColoTcpSocketFactory ----

TypeId
ColoTcpSocketFactory::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoTcpSocketFactory")
                            .SetParent<SocketFactory>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoTcpSocketFactory>();
    return tid;
}

ColoTcpSocketFactory::ColoTcpSocketFactory()
    : m_congestionControl(TcpNewReno::GetTypeId())
{
}

void
ColoTcpSocketFactory::SetVariation(Ptr<ColoTcpVariation> variation)
{
    m_variation = variation;
}

void
ColoTcpSocketFactory::SetCongestionControl(TypeId congestionControl)
{
    m_congestionControl = congestionControl;
}

Ptr<Socket>
ColoTcpSocketFactory::CreateSocket()
{
    Ptr<TcpL4Protocol> tcp = GetObject<TcpL4Protocol>();
    NS_ABORT_MSG_UNLESS(tcp, "ColoTcpSocketFactory: the node has no TCP");
    TypeIdValue rttType;
    tcp->GetAttribute("RttEstimatorType", rttType);
    TypeIdValue recoveryType;
    tcp->GetAttribute("RecoveryType", recoveryType);

    Ptr<ColoTcpSocket> socket = CreateObject<ColoTcpSocket>();
    socket->SetNode(GetObject<Node>());
    socket->SetTcp(tcp);
    socket->SetRtt(ObjectFactory(rttType.Get().GetName()).Create<RttEstimator>());
    socket->SetCongestionControlAlgorithm(
        ObjectFactory(m_congestionControl.GetName()).Create<TcpCongestionOps>());
    socket->SetRecoveryAlgorithm(
        ObjectFactory(recoveryType.Get().GetName()).Create<TcpRecoveryOps>());
    socket->SetVariation(m_variation);
    tcp->AddSocket(socket);
    return socket;
}

} // namespace ns3
