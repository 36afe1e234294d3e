/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-testbed.h"

#include "colo-arbiter.h"
#include "colo-pause.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/global-value.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/node-container.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

namespace ns3
{

namespace
{

/**
 * Client i is 10.0.0.1 to .50, then 10.0.1.1 and so on; guest i 10.0.0.100 to .199. In IPv6 the
 * last two bytes are the same: 2001:db8::1, 2001:db8::64.
 */
ColoStationAddress
MakeAddress(uint32_t subnet, uint32_t station, bool isIpv6)
{
    const uint32_t low = subnet << 8 | station;
    ColoStationAddress address;
    address.ipv4 = Ipv4InterfaceAddress(Ipv4Address(0x0a000000 | low), Ipv4Mask("255.255.0.0"));
    if (isIpv6)
    {
        uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
        bytes[14] = static_cast<uint8_t>(subnet);
        bytes[15] = static_cast<uint8_t>(station);
        address.ipv6 = Ipv6InterfaceAddress(Ipv6Address(bytes), Ipv6Prefix(64));
    }
    return address;
}

ColoStationAddress
ClientAddress(uint32_t client, bool isIpv6)
{
    return MakeAddress(client / 50, 1 + client % 50, isIpv6);
}

ColoStationAddress
GuestAddress(uint32_t pair, bool isIpv6)
{
    return MakeAddress(0, 100 + pair, isIpv6);
}

Address
GetUsed(const ColoStationAddress& address)
{
    return address.ipv6 ? Address(address.ipv6->GetAddress()) : Address(address.ipv4->GetLocal());
}

} // namespace

ColoTestbed::ColoTestbed(const ColoTestbedOptions& options, ColoHelper helper)
    : m_options(options)
{
    NS_ABORT_MSG_UNLESS(options.clients >= 1 && options.clients <= options.CLIENTS_MAX,
                        "ColoTestbed: clients must be 1 to " << +options.CLIENTS_MAX);
    NS_ABORT_MSG_UNLESS(options.pairs >= 1 && options.pairs <= options.PAIRS_MAX,
                        "ColoTestbed: pairs must be 1 to " << +options.PAIRS_MAX);
    m_lan = CreateObject<Node>();
    m_switch = CreateObject<ColoBridge>();
    m_lan->AddDevice(m_switch);

    auto primaryHost = CreateObject<Node>();
    Ptr<NetDevice> primaryUplink = AddUplink(primaryHost, "eth0-primary");
    Ptr<Node> secondaryHost;
    Ptr<NetDevice> secondaryUplink;
    const bool hasSecondHost = ColoHasSecondHost(options.protection);
    if (hasSecondHost)
    {
        helper.SetProtection(options.protection);
        secondaryHost = CreateObject<Node>();
        secondaryUplink = AddUplink(secondaryHost, "eth0-secondary");
    }
    helper.SetSecDev(options.secDev);
    helper.SetCheckpointLink(options.checkpointLink);
    m_hosts = helper.MakeHosts(primaryHost, primaryUplink, secondaryHost, secondaryUplink);
    if (hasSecondHost)
    {
        AddArbiter();
        m_links["sec_dev"] = m_hosts.secDev;
        m_links["eth2"] = m_hosts.checkpointLink->GetDevices();
    }
    for (uint32_t i = 0; i < options.pairs; i++)
    {
        m_pairs.push_back(helper.Install(m_hosts, GuestAddress(i, options.isIpv6)));
        m_links["primary-tap" + std::to_string(i)] = m_pairs.back().primary.tap;
        if (ColoHasSecondGuest(options.protection))
        {
            m_links["secondary-tap" + std::to_string(i)] = m_pairs.back().secondary.tap;
        }
    }
    for (uint32_t i = 0; i < options.clients; i++)
    {
        AddClient(i);
    }
}

void
ColoTestbed::AddArbiter()
{
    m_arbiter = CreateObject<Node>();
    const auto link = ColoLinkDevice::Connect(m_lan, m_arbiter, m_options.uplink);
    m_switch->AddHookedPort(link.first);
    m_links["arbiter"] = link;
    CreateObject<ColoArbiter>()->Install(link.second);
    m_hosts.primary->SetArbiter(link.second->GetAddress());
    m_hosts.secondary->SetArbiter(link.second->GetAddress());
}

void
ColoTestbed::AddClient(uint32_t index)
{
    auto client = CreateObject<Node>();
    const auto link = ColoLinkDevice::Connect(client, m_lan, m_options.lan);
    m_switch->AddHookedPort(link.second);
    ClientAddress(index, m_options.isIpv6).Install(link.first);
    m_links["client" + std::to_string(index)] = link;
    m_clients.push_back(client);
}

Ptr<NetDevice>
ColoTestbed::AddUplink(Ptr<Node> host, const std::string& name)
{
    const auto link = ColoLinkDevice::Connect(m_lan, host, m_options.uplink);
    m_switch->AddHookedPort(link.first);
    m_links[name] = link;
    return link.second;
}

const std::vector<Ptr<Node>>&
ColoTestbed::GetClients() const
{
    return m_clients;
}

Ptr<Node>
ColoTestbed::GetSwitch() const
{
    return m_lan;
}

const ColoHosts&
ColoTestbed::GetHosts() const
{
    return m_hosts;
}

const std::vector<ColoPair>&
ColoTestbed::GetPairs() const
{
    return m_pairs;
}

Address
ColoTestbed::GetClientAddress(uint32_t client) const
{
    return GetUsed(ClientAddress(client, m_options.isIpv6));
}

Address
ColoTestbed::GetGuestAddress(uint32_t pair) const
{
    return GetUsed(GuestAddress(pair, m_options.isIpv6));
}

const std::map<std::string, ColoLinkDevice::Ends>&
ColoTestbed::GetLinks() const
{
    return m_links;
}

void
ColoTestbed::LoseHost(bool isPrimary, Time detection) const
{
    KillHost(isPrimary);
    for (const auto& pair : m_pairs)
    {
        pair.LosePeer(!isPrimary, detection);
    }
}

void
ColoTestbed::KillHost(bool isPrimary) const
{
    NS_ABORT_MSG_UNLESS(ColoHasSecondGuest(m_options.protection),
                        "ColoTestbed: there is no other host to go on");
    for (const char* name : {isPrimary ? "eth0-primary" : "eth0-secondary", "sec_dev", "eth2"})
    {
        CutLink(name);
    }
    GetHost(isPrimary)->SetAlive(false);
    for (const auto& pair : m_pairs)
    {
        pair.rejoin->Kill(isPrimary);
    }
}

Ptr<ColoHost>
ColoTestbed::GetHost(bool isPrimary) const
{
    return isPrimary ? m_hosts.primary : m_hosts.secondary;
}

void
ColoTestbed::ReviveHost(bool isPrimary) const
{
    NS_ABORT_MSG_UNLESS(m_options.protection == ColoProtection::COLO,
                        "ColoTestbed: hosts come back under COLO only");
    NS_ABORT_MSG_UNLESS(GetHost(!isPrimary)->IsAlive(),
                        "ColoTestbed: both hosts are lost, and with them the guests");
    TimeValue lease;
    m_pairs.front().primaryProxy->GetAttribute("Lease", lease);
    NS_ABORT_MSG_IF(lease.Get().IsZero(),
                    "ColoTestbed: a host that comes back needs ns3::ColoProxy::Lease");
    if (GetHost(isPrimary)->IsAlive())
    {
        KillHost(isPrimary); // it was fenced: the power is cut first
    }
    GetHost(isPrimary)->SetAlive(true);
    for (const char* name : {isPrimary ? "eth0-primary" : "eth0-secondary", "sec_dev", "eth2"})
    {
        CutLink(name, false);
    }
    for (const auto& pair : m_pairs)
    {
        pair.rejoin->Revive(isPrimary);
    }
}

void
ColoTestbed::CutLink(const std::string& name, bool isCut) const
{
    const auto link = m_links.find(name);
    NS_ABORT_MSG_IF(link == m_links.end(), "ColoTestbed: there is no link " << name);
    const Ptr<ColoLinkChannel> cable = ColoLinkDevice::GetCable(link->second);
    isCut ? cable->Cut() : cable->Mend();
}

void
ColoTestbed::HangHost(bool isPrimary, Time duration) const
{
    const Ptr<ColoHost> host = isPrimary ? m_hosts.primary : m_hosts.secondary;
    NS_ABORT_MSG_UNLESS(host, "ColoTestbed: there is no such host");
    const uint32_t id = host->GetNode()->GetId();
    ColoPause::Pause(id);
    std::vector<Ptr<ColoGuest>> guests; // but those that stand still for a checkpoint
    for (const auto& pair : m_pairs)
    {
        const Ptr<ColoGuest> guest = isPrimary ? pair.primary.guest : pair.secondary.guest;
        if (!guest->IsPaused())
        {
            guest->Pause();
            guests.push_back(guest);
        }
    }
    Simulator::ScheduleWithContext(Simulator::NO_CONTEXT, duration, [id, guests] {
        ColoPause::Resume(id);
        for (const auto& guest : guests)
        {
            guest->Resume();
        }
    });
}

Ptr<Node>
ColoTestbed::GetArbiter() const
{
    return m_arbiter;
}

void
ColoTestbed::SetDefaults(uint32_t seed, bool isIpv6)
{
    Config::Reset(); // before the seed, which it resets as well
    // ns-3 has no seed 0, with which counting begins elsewhere: it is another run of seed 1.
    RngSeedManager::SetSeed(seed > 0 ? seed : 1);
    RngSeedManager::SetRun(seed > 0 ? 1 : 0);
    ColoPause::Enable();
    GlobalValue::Bind("ChecksumEnabled", BooleanValue(true)); // the proxies update checksums

    // As Linux has it today: segments that fill Ethernet frames, buffers that fill a fast link,
    // timers (TCP_RTO_MIN, TCP_TIMEOUT_INIT, TCP_DELACK_MIN), queues of txqueuelen frames.
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(isIpv6 ? 1428 : 1448));
    Config::SetDefault("ns3::TcpSocketBase::MinRto", TimeValue(MilliSeconds(200)));
    Config::SetDefault("ns3::TcpSocket::ConnTimeout", TimeValue(Seconds(1)));
    Config::SetDefault("ns3::TcpSocket::DelAckTimeout", TimeValue(MilliSeconds(40)));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue("1000p"));
    // As many as Linux keeps (unres_qlen): ns-3 would drop all but three SYNs of a burst.
    Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(101));
    // A port is free again after a second (tcp_tw_reuse), not four minutes.
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.5));
    Config::SetDefault("ns3::NdiscCache::UnresolvedQueueSize", UintegerValue(101));
    // Who asks late, while the other side asks as well, loses in ns-3 what waits for the answer.
    const StringValue atOnce("ns3::ConstantRandomVariable[Constant=0]");
    Config::SetDefault("ns3::ArpL3Protocol::RequestJitter", atOnce);
    Config::SetDefault("ns3::Icmpv6L4Protocol::SolicitationJitter", atOnce);
}

int64_t
ColoTestbed::AssignStreams(int64_t stream) const
{
    const int64_t first = stream;
    for (const auto& pair : m_pairs)
    {
        stream += pair.AssignStreams(stream);
    }
    if (m_hosts.checkpointLink)
    {
        stream += m_hosts.checkpointLink->AssignStreams(stream);
    }
    const auto isClient = [](const std::string& name) { return name.rfind("client", 0) == 0; };
    for (const auto& [name, link] : m_links)
    {
        if (!isClient(name))
        {
            stream += ColoLinkDevice::GetCable(link)->AssignStreams(stream);
        }
    }
    InternetStackHelper stack;
    for (uint32_t i = 0; i < m_clients.size(); i++)
    {
        const auto& link = m_links.at("client" + std::to_string(i));
        stream += ColoLinkDevice::GetCable(link)->AssignStreams(stream);
        stream += stack.AssignStreams(NodeContainer(m_clients[i]), stream);
    }
    for (const auto& client : m_clients)
    {
        stream += ColoHelper::InstallClientTcp(client, stream);
    }
    for (const auto& pair : m_pairs)
    {
        stream += pair.AssignMemoryStreams(stream);
    }
    return stream - first;
}

} // namespace ns3
