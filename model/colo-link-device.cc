/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-link-device.h"

#include "colo-pause.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/ethernet-header.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/trace-helper.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoLinkDevice);

TypeId
ColoLinkDevice::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoLinkDevice")
            .SetParent<SimpleNetDevice>()
            .SetGroupName("Colo")
            .AddConstructor<ColoLinkDevice>()
            .AddTraceSource("Sniffer",
                            "What this end sends, as whole Ethernet frames.",
                            MakeTraceSourceAccessor(&ColoLinkDevice::m_snifferTrace),
                            "ns3::Packet::TracedCallback");
    return tid;
}

ColoLinkDevice::Ends
ColoLinkDevice::Connect(Ptr<Node> a, Ptr<Node> b, DataRate rate, Time delay)
{
    ColoLinkOptions options;
    options.rate = rate;
    options.delay = delay;
    return Connect(a, b, options);
}

ColoLinkDevice::Ends
ColoLinkDevice::Connect(Ptr<Node> a, Ptr<Node> b, const ColoLinkOptions& options)
{
    auto channel = CreateObject<ColoLinkChannel>();
    channel->SetAttribute("Delay", TimeValue(options.delay));
    channel->SetAttribute("Loss", DoubleValue(options.loss));
    channel->SetAttribute("Duplicate", DoubleValue(options.duplicate));
    channel->SetAttribute("Reorder", DoubleValue(options.reorder));
    channel->SetAttribute("ReorderDelay", TimeValue(options.reorderDelay));
    auto end = [&](Ptr<Node> node) {
        auto device = CreateObject<ColoLinkDevice>();
        device->SetAttribute("PointToPointMode", BooleanValue(false));
        device->SetAttribute("DataRate", DataRateValue(options.rate));
        device->SetAddress(Mac48Address::Allocate());
        device->SetMtu(1500);
        NS_ABORT_MSG_UNLESS(device->GetQueue(), "SimpleNetDevice: TxQueue is no queue");
        device->SetChannel(channel);
        device->m_isWire = options.rate > DataRate(0);
        node->AddDevice(device);
        return device;
    };
    Ptr<ColoLinkDevice> first = end(a);
    return {first, end(b)};
}

Ptr<ColoLinkChannel>
ColoLinkDevice::GetCable(const Ends& ends)
{
    return DynamicCast<ColoLinkChannel>(ends.first->GetChannel());
}

Ptr<PcapFileWrapper>
ColoLinkDevice::EnablePcap(const Ends& ends, const std::string& file)
{
    PcapHelper helper;
    Ptr<PcapFileWrapper> pcap =
        helper.CreateFile(file, std::ios::out, PcapHelper::DLT_EN10MB, 65535, 0);
    for (const auto& device : {ends.first, ends.second})
    {
        device->TraceConnectWithoutContext(
            "Sniffer",
            Callback<void, Ptr<const Packet>>(
                [pcap](Ptr<const Packet> frame) { pcap->Write(Simulator::Now(), frame); }));
    }
    return pcap;
}

bool
ColoLinkDevice::IsLinkUp() const
{
    return !DynamicCast<ColoLinkChannel>(GetChannel())->IsCut();
}

bool
ColoLinkDevice::Send(Ptr<Packet> packet, const Address& dest, uint16_t protocol)
{
    return SendFrom(packet, GetAddress(), dest, protocol);
}

bool
ColoLinkDevice::SendFrom(Ptr<Packet> packet,
                         const Address& source,
                         const Address& dest,
                         uint16_t protocol)
{
    if (!m_snifferTrace.IsEmpty())
    {
        Sniff(packet, source, dest, protocol);
    }
    if (!m_isWire)
    {
        return SimpleNetDevice::SendFrom(packet, source, dest, protocol);
    }
    // A network card empties its queue also while its host stands still.
    const ColoPause::InContext asCard(Simulator::NO_CONTEXT);
    return SimpleNetDevice::SendFrom(packet, source, dest, protocol);
}

void
ColoLinkDevice::Sniff(Ptr<const Packet> packet,
                      const Address& source,
                      const Address& dest,
                      uint16_t protocol)
{
    EthernetHeader header(false);
    header.SetSource(Mac48Address::ConvertFrom(source));
    header.SetDestination(Mac48Address::ConvertFrom(dest));
    header.SetLengthType(protocol);
    Ptr<Packet> frame = packet->Copy();
    frame->AddHeader(header);
    m_snifferTrace(frame);
}

} // namespace ns3
