/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-checkpoint-link.h"

#include "ns3/abort.h"
#include "ns3/arp-cache.h"
#include "ns3/boolean.h"
#include "ns3/channel.h"
#include "ns3/data-rate.h"
#include "ns3/inet-socket-address.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/node-container.h"
#include "ns3/nstime.h"
#include "ns3/queue-size.h"
#include "ns3/tcp-congestion-ops.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <limits>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoCheckpointLink);

namespace
{

/** Link-local, as only the two hosts use them. */
const Ipv4Address PRIMARY_ADDRESS("169.254.0.1");
const Ipv4Address SECONDARY_ADDRESS("169.254.0.2");
const Ipv4Mask NETMASK("255.255.0.0");

/** Segments are of any size up to this less their headers. */
constexpr uint16_t MTU = 65535;
constexpr uint32_t HEADERS_MAX = 20 + 60;

/** More than all sockets together have under way: a host waits for its own queue (TSQ). */
const QueueSize QUEUE_SIZE(QueueSizeUnit::PACKETS, 1u << 20);

constexpr uint64_t BUFFER_MIN = 1 << 20;
constexpr uint64_t BUFFER_MAX = 1 << 30; //!< what a scaled window can say

Ptr<Ipv4Interface>
AddInterface(Ptr<ColoLinkDevice> device, Ipv4Address address)
{
    Ptr<Node> host = device->GetNode();
    if (!host->GetObject<Ipv4>())
    {
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.Install(host);
    }
    Ptr<Ipv4L3Protocol> ipv4 = host->GetObject<Ipv4L3Protocol>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, NETMASK));
    ipv4->SetUp(interface);
    return ipv4->GetInterface(interface);
}

/** Asking for the address would be one more message to lose, and to wait for. */
void
AddNeighbour(Ptr<Ipv4Interface> interface, Ipv4Address address, Ptr<ColoLinkDevice> device)
{
    ArpCache::Entry* entry = interface->GetArpCache()->Add(address);
    entry->SetMacAddress(device->GetAddress());
    entry->MarkPermanent();
}

} // namespace

TypeId
ColoCheckpointLink::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoCheckpointLink")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoCheckpointLink>()
            .AddAttribute("SegmentSize",
                          "Bytes of a full segment. The default is what TSO and GRO let the TCP of "
                          "real hosts handle at a time; smaller ones cost more to simulate.",
                          UintegerValue(60 << 10),
                          MakeUintegerAccessor(&ColoCheckpointLink::m_segmentSize),
                          MakeUintegerChecker<uint32_t>(536, MTU - HEADERS_MAX))
            .AddAttribute("BufferSize",
                          "Bytes that a connection can have under way, and its receiver keep "
                          "behind a loss. 0 for four times rate x round trip, at least 1 MiB, so "
                          "that one pair alone fills the link.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&ColoCheckpointLink::m_bufferSize),
                          MakeUintegerChecker<uint32_t>(0, BUFFER_MAX))
            .AddAttribute("InitialCwnd",
                          "Segments that a connection can have under way at first. 0 for as many "
                          "as its buffer holds, as on one that has moved states before; with less, "
                          "the first checkpoints show TCP's slow start.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&ColoCheckpointLink::m_initialCwnd),
                          MakeUintegerChecker<uint32_t>(0, 65535))
            .AddAttribute("Port",
                          "TCP port of the first pair on the secondary host; the others follow.",
                          UintegerValue(9998),
                          MakeUintegerAccessor(&ColoCheckpointLink::m_port),
                          MakeUintegerChecker<uint16_t>(1));
    return tid;
}

void
ColoCheckpointLink::DoDispose()
{
    m_eth2 = {};
    Object::DoDispose();
}

void
ColoCheckpointLink::Install(const ColoLinkDevice::Ends& eth2)
{
    m_eth2 = eth2;
    for (const auto& device : {eth2.first, eth2.second})
    {
        device->SetMtu(MTU);
        device->GetQueue()->SetMaxSize(QUEUE_SIZE);
    }
    AddNeighbour(AddInterface(eth2.first, PRIMARY_ADDRESS), SECONDARY_ADDRESS, eth2.second);
    AddNeighbour(AddInterface(eth2.second, SECONDARY_ADDRESS), PRIMARY_ADDRESS, eth2.first);
}

const ColoLinkDevice::Ends&
ColoCheckpointLink::GetDevices() const
{
    return m_eth2;
}

int64_t
ColoCheckpointLink::AssignStreams(int64_t stream) const
{
    InternetStackHelper stack;
    const NodeContainer hosts(m_eth2.first->GetNode(), m_eth2.second->GetNode());
    return stack.AssignStreams(hosts, stream);
}

uint32_t
ColoCheckpointLink::GetBufferSize() const
{
    if (m_bufferSize > 0)
    {
        return m_bufferSize;
    }
    DataRateValue rate;
    m_eth2.first->GetAttribute("DataRate", rate);
    TimeValue delay;
    m_eth2.first->GetChannel()->GetAttribute("Delay", delay);
    const double onLink = rate.Get().GetBitRate() / 8.0 * 2 * delay.Get().GetSeconds();
    return static_cast<uint32_t>(std::clamp<double>(4 * onLink, BUFFER_MIN, BUFFER_MAX));
}

Ptr<Socket>
ColoCheckpointLink::MakeSocket(Ptr<ColoLinkDevice> device) const
{
    const uint32_t buffer = GetBufferSize();
    const uint32_t segments = m_initialCwnd > 0 ? m_initialCwnd : buffer / m_segmentSize + 1;
    // NewReno waits out an idle time as it is; Cubic's window would grow with the time that passed.
    Ptr<Socket> socket =
        device->GetNode()->GetObject<TcpL4Protocol>()->CreateSocket(TcpNewReno::GetTypeId());
    socket->SetAttribute("SegmentSize", UintegerValue(m_segmentSize));
    socket->SetAttribute("SndBufSize", UintegerValue(buffer));
    socket->SetAttribute("RcvBufSize", UintegerValue(buffer));
    socket->SetAttribute("InitialCwnd", UintegerValue(segments));
    // In slow start, ns-3 also opens a window that is never full, by all that is acknowledged:
    // after 4 GiB it would begin at zero again.
    socket->SetAttribute("InitialSlowStartThreshold", UintegerValue(buffer));
    // Messages are small and waited for.
    socket->SetAttribute("TcpNoDelay", BooleanValue(true));
    socket->SetAttribute("DelAckCount", UintegerValue(1));
    // As Linux has them; ns-3's are of RFC 6298, and give up after six losses.
    socket->SetAttribute("MinRto", TimeValue(MilliSeconds(200)));
    socket->SetAttribute("ConnTimeout", TimeValue(Seconds(1)));
    socket->SetAttribute("DataRetries", UintegerValue(15));
    return socket;
}

ColoCheckpointLink::Ends
ColoCheckpointLink::Open(uint16_t pair, bool isReversed) const
{
    NS_ABORT_MSG_UNLESS(m_eth2.first, "ColoCheckpointLink: Open() before Install()");
    NS_ABORT_MSG_IF(m_bufferSize > 0 && m_bufferSize < 2 * m_segmentSize,
                    "ColoCheckpointLink: a BufferSize of " << m_bufferSize
                                                           << " does not hold two segments");
    const uint32_t port = uint32_t{m_port} + pair;
    NS_ABORT_MSG_IF(port > std::numeric_limits<uint16_t>::max(),
                    "ColoCheckpointLink: there is no port " << port << " for pair " << pair);
    const InetSocketAddress remote(isReversed ? PRIMARY_ADDRESS : SECONDARY_ADDRESS,
                                   static_cast<uint16_t>(port));

    Ptr<Socket> listener = MakeSocket(isReversed ? m_eth2.first : m_eth2.second);
    NS_ABORT_MSG_IF(listener->Bind(remote) != 0,
                    "ColoCheckpointLink: pair " << pair << " has a connection already");
    auto secondary = CreateObject<ColoCheckpointEnd>(pair, m_segmentSize);
    secondary->Listen(listener);
    auto primary = CreateObject<ColoCheckpointEnd>(pair, m_segmentSize);
    primary->Connect(MakeSocket(isReversed ? m_eth2.second : m_eth2.first), remote);
    return {primary, secondary};
}

} // namespace ns3
