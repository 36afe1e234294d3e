/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-end-point-table.h"

#include "colo-member-access.h"

#include "ns3/abort.h"
#include "ns3/callback.h"
#include "ns3/net-device.h"

#include <algorithm>
#include <iterator>
#include <memory>

namespace ns3
{

using ColoEndPointList = std::list<Ipv4EndPoint*>;
using ColoEndPointList6 = std::list<Ipv6EndPoint*>;

COLO_MEMBER_ACCESS(ColoEndPoints, Ipv4EndPointDemux, m_endPoints, ColoEndPointList);
COLO_MEMBER_ACCESS(ColoEndPoints6, Ipv6EndPointDemux, m_endPoints, ColoEndPointList6);
COLO_MEMBER_ACCESS(ColoLastPort, Ipv4EndPointDemux, m_ephemeral, uint16_t);
COLO_MEMBER_ACCESS(ColoLastPort6, Ipv6EndPointDemux, m_ephemeral, uint16_t);
COLO_MEMBER_ACCESS(ColoPortMin, Ipv4EndPointDemux, m_portFirst, uint16_t);
COLO_MEMBER_ACCESS(ColoPortMin6, Ipv6EndPointDemux, m_portFirst, uint16_t);
COLO_MEMBER_ACCESS(ColoPortMax, Ipv4EndPointDemux, m_portLast, uint16_t);
COLO_MEMBER_ACCESS(ColoPortMax6, Ipv6EndPointDemux, m_portLast, uint16_t);
COLO_MEMBER_ACCESS(ColoEndPointGone, Ipv4EndPoint, m_destroyCallback, Callback<void>);
COLO_MEMBER_ACCESS(ColoEndPointGone6, Ipv6EndPoint, m_destroyCallback, Callback<void>);

namespace
{

/** The private members of ns-3's classes for IPv4 and, below, IPv6. */
template <typename Ip>
struct Private
{
    using EndPoints = ColoEndPoints;
    using LastPort = ColoLastPort;
    using PortMin = ColoPortMin;
    using PortMax = ColoPortMax;
    using Gone = ColoEndPointGone;
};

template <>
struct Private<ColoEndPointsOfIpv6>
{
    using EndPoints = ColoEndPoints6;
    using LastPort = ColoLastPort6;
    using PortMin = ColoPortMin6;
    using PortMax = ColoPortMax6;
    using Gone = ColoEndPointGone6;
};

} // namespace

/** Lives as long as an end point is its table's to find. */
template <typename Ip>
class ColoEndPointTable<Ip>::Guard
{
  public:
    Guard(ColoEndPointTable& table, const Key& key, EndPoint* end)
        : m_table(table),
          m_key(key),
          m_end(end)
    {
    }

    ~Guard()
    {
        m_table.Return(m_key, m_end);
    }

    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

  private:
    ColoEndPointTable& m_table; //!< outlives the end points of its protocol
    const Key m_key;
    EndPoint* const m_end;
};

template <typename Ip>
size_t
ColoEndPointTable<Ip>::Hash::operator()(const Key& key) const
{
    constexpr uint64_t GOLDEN = 0x9e3779b97f4a7c15;
    const typename Ip::AddressHash hash{};
    const uint64_t ports = uint64_t{key.localPort} << 16 | key.remotePort;
    uint64_t mixed = (hash(key.remote) + ports) * GOLDEN;
    mixed = (mixed ^ (mixed >> 32) ^ hash(key.local)) * GOLDEN;
    return mixed ^ (mixed >> 32);
}

template <typename Ip>
ColoEndPointTable<Ip>::ColoEndPointTable(TcpL4Protocol* protocol, typename Ip::Demux* demux)
    : m_protocol(protocol),
      m_demux(demux)
{
}

template <typename Ip>
typename ColoEndPointTable<Ip>::Key
ColoEndPointTable<Ip>::KeyOf(EndPoint& end)
{
    return {end.GetLocalAddress(), end.GetPeerAddress(), end.GetLocalPort(), end.GetPeerPort()};
}

template <typename Ip>
typename ColoEndPointTable<Ip>::EndPoint*
ColoEndPointTable<Ip>::Peek(const Key& key) const
{
    const auto found = m_entries.find(key);
    if (found == m_entries.end())
    {
        return nullptr;
    }
    EndPoint* end = found->second.place.front();
    return KeyOf(*end) == key ? end : nullptr; // its owner may have changed it
}

template <typename Ip>
typename ColoEndPointTable<Ip>::EndPoint*
ColoEndPointTable<Ip>::Find(const Key& key, Ptr<NetDevice> device) const
{
    EndPoint* end = Peek(key);
    // What else TcpL4Protocol would ask.
    const bool isIt = end && end->IsRxEnabled() &&
                      (!end->GetBoundNetDevice() || end->GetBoundNetDevice() == device);
    return isIt ? end : nullptr;
}

template <typename Ip>
void
ColoEndPointTable<Ip>::Adopt(Ptr<TcpSocketBase> socket, EndPoint* end)
{
    const Key key = KeyOf(*end);
    auto& list = m_demux->*Member(typename Private<Ip>::EndPoints());
    const auto place = std::find(list.rbegin(), list.rend(), end); // most often the last
    if (!key.remotePort || key.remote == IpAddress::GetAny() || key.local == IpAddress::GetAny() ||
        place == list.rend())
    {
        return;
    }
    const auto [entry, isNew] = m_entries.try_emplace(key);
    NS_ABORT_MSG_UNLESS(isNew,
                        "ColoTcpL4Protocol: two connections between "
                            << key.local << " port " << key.localPort << " and " << key.remote
                            << " port " << key.remotePort);
    entry->second.place.splice(entry->second.place.begin(), list, std::prev(place.base()));
    entry->second.socket = m_sockets.insert(m_sockets.end(), socket);
    m_ports[key.localPort]++;
    m_protocol->RemoveSocket(socket);

    // TcpSocketBase replaces this callback just before it deallocates the end point, and whoever
    // else deletes the end point deletes the callback.
    const auto guard = std::make_shared<Guard>(*this, key, end);
    const Callback<void> gone = end->*Member(typename Private<Ip>::Gone());
    end->SetDestroyCallback(Callback<void>([guard, gone]() {
        if (!gone.IsNull())
        {
            gone();
        }
    }));
}

template <typename Ip>
void
ColoEndPointTable<Ip>::Return(EndPoint* end)
{
    Return(KeyOf(*end), end);
}

template <typename Ip>
void
ColoEndPointTable<Ip>::Return(const Key& key, EndPoint* end)
{
    const auto entry = m_entries.find(key);
    if (entry == m_entries.end() || entry->second.place.front() != end)
    {
        return;
    }
    // At the front, as the next that happens is a search for it.
    auto& list = m_demux->*Member(typename Private<Ip>::EndPoints());
    list.splice(list.begin(), entry->second.place);
    m_protocol->AddSocket(*entry->second.socket);
    m_sockets.erase(entry->second.socket);
    const auto port = m_ports.find(key.localPort);
    if (--port->second == 0)
    {
        m_ports.erase(port);
    }
    m_entries.erase(entry);
}

template <typename Ip>
void
ColoEndPointTable<Ip>::ReturnAll()
{
    auto& list = m_demux->*Member(typename Private<Ip>::EndPoints());
    for (auto& entry : m_entries)
    {
        list.splice(list.end(), entry.second.place);
    }
    m_entries.clear();
    m_ports.clear();
    m_sockets.clear();
}

template <typename Ip>
bool
ColoEndPointTable<Ip>::PrepareEphemeralPort()
{
    uint16_t& last = m_demux->*Member(typename Private<Ip>::LastPort());
    const uint32_t min = m_demux->*Member(typename Private<Ip>::PortMin());
    const uint32_t max = m_demux->*Member(typename Private<Ip>::PortMax());
    for (uint32_t tries = min; tries <= max; tries++)
    {
        const uint16_t next = last >= min && last < max ? last + 1 : min;
        if (!HasPort(next) && !m_demux->LookupPortLocal(next))
        {
            return true;
        }
        last = next;
    }
    return false;
}

template <typename Ip>
bool
ColoEndPointTable<Ip>::IsTaken(Ptr<NetDevice> device, IpAddress address, uint16_t port) const
{
    return HasPort(port) && std::any_of(m_entries.begin(), m_entries.end(), [&](const auto& entry) {
               EndPoint* end = entry.second.place.front();
               return entry.first.localPort == port && entry.first.local == address &&
                      (!end->GetBoundNetDevice() || end->GetBoundNetDevice() == device);
           });
}

template <typename Ip>
bool
ColoEndPointTable<Ip>::HasPort(uint16_t port) const
{
    return m_ports.count(port);
}

template <typename Ip>
const std::list<Ptr<TcpSocketBase>>&
ColoEndPointTable<Ip>::GetSockets() const
{
    return m_sockets;
}

template class ColoEndPointTable<ColoEndPointsOfIpv4>;
template class ColoEndPointTable<ColoEndPointsOfIpv6>;

} // namespace ns3
