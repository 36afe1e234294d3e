/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-stages.h"

#include "ns3/fatal-error.h"
#include "ns3/log.h"
#include "ns3/simulator.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("ColoStages");

namespace
{

uint64_t
NowNs()
{
    return Simulator::Now().GetNanoSeconds();
}

} // namespace

/** One engine, and the room that it works in. */
class ColoStages::Stage : private ColoEngineRoom
{
  public:
    Stage(ColoStages& stages, std::size_t index, std::unique_ptr<ColoEngine> engine)
        : m_stages(stages),
          m_index(index),
          m_engine(std::move(engine))
    {
        m_engine->SetRoom(*this);
    }

    Stage(ColoStages& stages, std::size_t index, const Stage& original)
        : m_stages(stages),
          m_index(index)
    {
        const colo_node& node = original.m_engine->GetNode();
        colo_config config = node.config;
        config.lease_ns = 0; // nobody sends it heartbeats
        m_engine = std::make_unique<ColoEngine>(node.id,
                                                COLO_ROLE_SECONDARY,
                                                config,
                                                NowNs(),
                                                static_cast<ColoEngineRoom&>(*this));
        m_engine->FixLike(*original.m_engine, NowNs());
    }

    std::unique_ptr<ColoEngine> TakeEngine()
    {
        return std::move(m_engine);
    }

    /** What has waited too long is looked for when somebody comes by: nothing follows from it. */
    void Input(std::unique_ptr<ColoFrame> frame)
    {
        m_engine->Poll(NowNs());
        m_engine->Input(std::move(frame), NowNs());
    }

  private:
    void Release(std::unique_ptr<ColoFrame> frame) override
    {
        m_stages.Released(m_index, static_cast<const ColoHeldFrame&>(*frame));
    }

    void Emit(const ColoFrame&, std::vector<uint8_t>) override
    {
        NS_FATAL_ERROR("the sequence fix keeps no packets to send again");
    }

    void Remirror(std::vector<uint8_t>) override
    {
        NS_FATAL_ERROR("the sequence fix has no client to speak for");
    }

    void Drop(std::unique_ptr<ColoFrame> frame) override
    {
        NS_LOG_INFO(
            "stage " << m_index << ": "
                     << colo_reason_text(static_cast<colo_reason>(frame->GetPacket().reason)));
    }

    void Mismatch(const colo_mismatch&) override
    {
    }

    void Act(const ColoActions&) override
    {
    }

    ColoStages& m_stages;
    const std::size_t m_index;
    std::unique_ptr<ColoEngine> m_engine;
};

ColoStages::ColoStages() = default;
ColoStages::~ColoStages() = default;

void
ColoStages::SetEnds(Way toProxy, Way toGuest)
{
    m_toProxy = std::move(toProxy);
    m_toGuest = std::move(toGuest);
}

bool
ColoStages::IsEmpty() const
{
    return m_stages.empty();
}

void
ColoStages::Clear()
{
    m_stages.clear();
}

void
ColoStages::Add(std::unique_ptr<ColoEngine> engine)
{
    m_stages.push_back(std::make_unique<Stage>(*this, m_stages.size(), std::move(engine)));
}

void
ColoStages::Succeed(ColoStages& survivor, std::unique_ptr<ColoEngine> engine)
{
    Clear();
    for (const auto& stage : survivor.m_stages)
    {
        Add(stage->TakeEngine());
    }
    survivor.Clear();
    Add(std::move(engine));
}

void
ColoStages::CopyFrom(const ColoStages& original)
{
    Clear();
    for (const auto& stage : original.m_stages)
    {
        m_stages.push_back(std::make_unique<Stage>(*this, m_stages.size(), *stage));
    }
}

void
ColoStages::FromGuest(Ptr<const Packet> packet,
                      uint16_t protocol,
                      const Address& source,
                      const Address& destination)
{
    if (IsEmpty())
    {
        m_toProxy(packet, protocol, source, destination);
        return;
    }
    m_stages.front()->Input(
        std::make_unique<ColoHeldFrame>(COLO_SECONDARY, packet, protocol, source, destination));
}

void
ColoStages::ToGuest(Ptr<const Packet> packet,
                    uint16_t protocol,
                    const Address& source,
                    const Address& destination)
{
    if (IsEmpty())
    {
        m_toGuest(packet, protocol, source, destination);
        return;
    }
    m_stages.back()->Input(
        std::make_unique<ColoHeldFrame>(COLO_INBOUND, packet, protocol, source, destination));
}

/** A stage has let a frame go: on to the next one on its way. */
void
ColoStages::Released(std::size_t index, const ColoHeldFrame& frame)
{
    const bool isInbound = frame.GetSide() == COLO_INBOUND;
    Ptr<Packet> packet = frame.GetPacketOut(frame.GetBytes(), frame.GetSize());
    if (index == (isInbound ? 0 : m_stages.size() - 1))
    {
        const Way& way = isInbound ? m_toGuest : m_toProxy;
        way(packet, frame.protocol, frame.source, frame.destination);
        return;
    }
    m_stages[isInbound ? index - 1 : index + 1]->Input(
        std::make_unique<ColoHeldFrame>(frame.GetSide(),
                                        packet,
                                        frame.protocol,
                                        frame.source,
                                        frame.destination));
}

} // namespace ns3
