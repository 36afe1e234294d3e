/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-arbiter.h"

#include "ns3/log.h"
#include "ns3/node.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoArbiter");

NS_OBJECT_ENSURE_REGISTERED(ColoArbiter);

TypeId
ColoArbiter::GetTypeId()
{
    static TypeId tid = TypeId("ns3::ColoArbiter")
                            .SetParent<Object>()
                            .SetGroupName("Colo")
                            .AddConstructor<ColoArbiter>()
                            .AddTraceSource("Answered",
                                            "A host's question was answered.",
                                            MakeTraceSourceAccessor(&ColoArbiter::m_answeredTrace),
                                            "ns3::ColoArbiter::AnsweredTracedCallback");
    return tid;
}

void
ColoArbiter::Install(Ptr<NetDevice> device)
{
    device->GetNode()->RegisterProtocolHandler(MakeCallback(&ColoArbiter::Receive, this),
                                               COLO_HOST_MESSAGE_ETHERTYPE,
                                               device);
    device->GetNode()->AggregateObject(this);
}

void
ColoArbiter::DoDispose()
{
    m_pairs.clear();
    Object::DoDispose();
}

void
ColoArbiter::Receive(Ptr<NetDevice> device,
                     Ptr<const Packet> packet,
                     uint16_t,
                     const Address& source,
                     const Address&,
                     NetDevice::PacketType)
{
    ColoHostMessage message;
    packet->Copy()->RemoveHeader(message);
    const std::optional<ColoHostMessage::Kind> decided = Decide(message);
    if (!decided)
    {
        return;
    }
    message.kind = *decided;
    NS_LOG_INFO(message);
    m_answeredTrace(message);
    Ptr<Packet> answer = Create<Packet>();
    answer->AddHeader(message);
    device->Send(answer, source, COLO_HOST_MESSAGE_ETHERTYPE);
}

/** \return nothing if it is no question, or one whose answer is none: the host will ask again. */
std::optional<ColoHostMessage::Kind>
ColoArbiter::Decide(const ColoHostMessage& question)
{
    if (question.kind != ColoHostMessage::ASK && question.kind != ColoHostMessage::TELL_TERM)
    {
        return {};
    }
    const auto [place, isNew] = m_pairs.try_emplace(question.pair);
    colo_arbiter* arbiter = &place->second;
    if (isNew)
    {
        colo_arbiter_init(arbiter, 0); // the nodes of a simulation begin in this term
    }
    if (question.kind == ColoHostMessage::TELL_TERM)
    {
        const bool isKnown = colo_arbiter_protect(arbiter, question.term);
        return isKnown ? std::optional(ColoHostMessage::TERM_KNOWN) : std::nullopt;
    }
    return colo_arbiter_ask(arbiter, question.role, question.term) ? ColoHostMessage::GRANTED
                                                                   : ColoHostMessage::DENIED;
}

} // namespace ns3
