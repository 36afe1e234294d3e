/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-link-channel.h"

#include "ns3/double.h"
#include "ns3/simulator.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoLinkChannel);

namespace
{

/** Draws only for what can happen, so that a perfect link costs nothing. */
bool
Happens(double probability, const Ptr<UniformRandomVariable>& random)
{
    return probability > 0 && random->GetValue() < probability;
}

} // namespace

TypeId
ColoLinkChannel::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoLinkChannel")
            .SetParent<SimpleChannel>()
            .SetGroupName("Colo")
            .AddConstructor<ColoLinkChannel>()
            .AddAttribute("Loss",
                          "Probability that a frame is lost. 0: a good cable loses none.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoLinkChannel::m_loss),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("Duplicate",
                          "Probability that a frame arrives twice, as from a switch whose "
                          "topology changes. 0: a good cable doubles none.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoLinkChannel::m_duplicate),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("Reorder",
                          "Probability that a frame (each copy of a doubled one) comes later by "
                          "ReorderDelay, as over bonded links. 0: a cable keeps the order.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoLinkChannel::m_reorder),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("ReorderDelay",
                          "How much later a reordered frame comes. 100 us: some eighty full "
                          "frames at 10 Gbps may overtake it.",
                          TimeValue(MicroSeconds(100)),
                          MakeTimeAccessor(&ColoLinkChannel::m_reorderDelay),
                          MakeTimeChecker(Time()))
            .AddTraceSource("Lost",
                            "A frame is lost, by chance or because the link is cut.",
                            MakeTraceSourceAccessor(&ColoLinkChannel::m_lostTrace),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("Duplicated",
                            "A frame will arrive twice.",
                            MakeTraceSourceAccessor(&ColoLinkChannel::m_duplicatedTrace),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("Reordered",
                            "A frame will come later.",
                            MakeTraceSourceAccessor(&ColoLinkChannel::m_reorderedTrace),
                            "ns3::Packet::TracedCallback");
    return tid;
}

void
ColoLinkChannel::Cut()
{
    m_isCut = true;
}

void
ColoLinkChannel::Mend()
{
    m_isCut = false;
}

bool
ColoLinkChannel::IsCut() const
{
    return m_isCut;
}

int64_t
ColoLinkChannel::AssignStreams(int64_t stream)
{
    m_lossRandom->SetStream(stream);
    m_duplicateRandom->SetStream(stream + 1);
    m_reorderRandom->SetStream(stream + 2);
    return 3;
}

void
ColoLinkChannel::Send(Ptr<Packet> packet,
                      uint16_t protocol,
                      Mac48Address to,
                      Mac48Address from,
                      Ptr<SimpleNetDevice> sender)
{
    if (m_isCut || Happens(m_loss, m_lossRandom))
    {
        m_lostTrace(packet);
        return;
    }
    if (Happens(m_duplicate, m_duplicateRandom))
    {
        m_duplicatedTrace(packet);
        SendOnce(packet->Copy(), protocol, to, from, sender);
    }
    SendOnce(packet, protocol, to, from, sender);
}

void
ColoLinkChannel::SendOnce(Ptr<Packet> packet,
                          uint16_t protocol,
                          Mac48Address to,
                          Mac48Address from,
                          Ptr<SimpleNetDevice> sender)
{
    if (!Happens(m_reorder, m_reorderRandom))
    {
        SimpleChannel::Send(packet, protocol, to, from, sender);
        return;
    }
    m_reorderedTrace(packet);
    // On the wire, and no event of a node: a guest that pauses does not stop what it has sent.
    Simulator::ScheduleWithContext(Simulator::NO_CONTEXT, m_reorderDelay, [=] {
        SimpleChannel::Send(packet, protocol, to, from, sender);
    });
}

} // namespace ns3
