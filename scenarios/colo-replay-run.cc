/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-replay-run.h"

#include <algorithm>

namespace ns3
{

namespace
{

/** Ethernet, IPv4 and TCP. */
constexpr std::size_t HEADER_BYTES_MIN = 14 + 20 + 20;

} // namespace

/** A packet on its way through the engines; tells how far it has come while they have it. */
class ColoReplayRun::Frame : public ColoPooledFrame
{
  public:
    Frame(colo_side side,
          uint8_t* bytes,
          uint32_t size,
          uint16_t gsoSize,
          uint64_t number,
          uint64_t arrivedNs)
        : ColoPooledFrame(side, bytes, size, gsoSize),
          number(number),
          arrivedNs(arrivedNs)
    {
        INIT_LIST_HEAD(&m_link);
        m_link.frame = this;
    }

    ~Frame() override
    {
        list_del_init(&m_link);
    }

    void LinkInto(list_head& list)
    {
        list_move_tail(&m_link, &list);
    }

    static Frame* From(list_head* link)
    {
        return static_cast<Link*>(link)->frame;
    }

    const uint64_t number; //!< in its capture
    const uint64_t arrivedNs;
    mutable bool hasLeft{false}; //!< as a copy
    bool isFixed{true};          //!< its positions are the primary's

  private:
    struct Link : list_head
    {
        Frame* frame;
    };

    Link m_link;
};

/** The secondary host: what its proxy lets out is what the primary host compares. */
class ColoReplayRun::FixRoom : public ColoEngineRoom
{
  public:
    explicit FixRoom(ColoReplayRun& run)
        : m_run(run)
    {
    }

    void Release(std::unique_ptr<ColoFrame> frame) override
    {
        // What it lets in is nobody's here: the captured guest has had its own.
        if (frame->GetSide() == COLO_INBOUND)
        {
            return;
        }
        const Frame& fixed = static_cast<const Frame&>(*frame);
        auto compared = m_run.m_pool.Make<Frame>(COLO_SECONDARY,
                                                 fixed.GetBytes(),
                                                 fixed.GetSize(),
                                                 fixed.GetPacket().gso_size,
                                                 fixed.number,
                                                 fixed.arrivedNs);
        frame.reset();
        compared->LinkInto(m_run.m_held);
        m_run.m_compare->Input(std::move(compared), m_run.m_nowNs);
    }

    void Emit(const ColoFrame&, std::vector<uint8_t>) override
    {
    }

    void Remirror(std::vector<uint8_t>) override
    {
    }

    void Drop(std::unique_ptr<ColoFrame> frame) override
    {
        if (frame->GetSide() == COLO_SECONDARY)
        {
            m_run.Drop(std::move(frame));
        }
    }

    void Mismatch(const colo_mismatch&) override
    {
    }

    void Act(const ColoActions&) override
    {
    }

  private:
    ColoReplayRun& m_run;
};

ColoReplayRun::ColoReplayRun(const ColoReplayOptions& options,
                             ColoReplayStatistics& statistics,
                             ColoReplayListener& listener)
    : m_commitAfterNs(options.commitAfterNs),
      m_gsoBytes(options.gsoBytes),
      m_statistics(statistics),
      m_listener(listener)
{
    INIT_LIST_HEAD(&m_held);
    colo_config config;
    colo_config_default(&config);
    config.compare_timeout_ns = options.compareTimeoutNs;
    config.ack_policy = options.ackPolicy;
    if (options.guest.empty())
    {
        // Nobody acknowledges anything here, which is no sign of a connection that never opened.
        config.closed_timeout_ns = config.idle_timeout_ns;
    }
    ColoEngineRoom& room = *this;
    m_compare = std::make_unique<ColoEngine>(0, COLO_ROLE_PRIMARY, config, 0, room);
    if (options.isIsnFixed)
    {
        m_fixRoom = std::make_unique<FixRoom>(*this);
        m_fix = std::make_unique<ColoEngine>(0, COLO_ROLE_SECONDARY, config, 0, *m_fixRoom);
    }
}

ColoReplayRun::~ColoReplayRun() = default;

std::unique_ptr<ColoReplayRun::Frame>
ColoReplayRun::MakeFrame(colo_side side, const ColoReplayPacket& packet)
{
    const std::vector<uint8_t>& bytes = packet.captured.frame;
    const bool isLarge = m_gsoBytes && bytes.size() > m_gsoBytes + HEADER_BYTES_MIN;
    return m_pool.Make<Frame>(side,
                              bytes.data(),
                              bytes.size(),
                              isLarge ? m_gsoBytes : 0,
                              packet.captured.number,
                              packet.ns);
}

void
ColoReplayRun::Take(const ColoReplayPacket& packet, int64_t originNs)
{
    m_originNs = originNs;
    AdvanceTo(packet.ns);
    m_judged = &packet;
    switch (packet.direction)
    {
    case ColoDirection::OUTBOUND:
        Outbound(packet);
        break;
    case ColoDirection::INBOUND:
        Inbound(packet);
        break;
    case ColoDirection::STRANGER:
        break;
    }
    m_judged = nullptr;
}

void
ColoReplayRun::Outbound(const ColoReplayPacket& packet)
{
    std::unique_ptr<Frame> frame = MakeFrame(packet.capture, packet);
    m_statistics.NotePacket(*frame, packet.capture);
    if (m_fix && packet.capture == COLO_PRIMARY && frame->IsSyn())
    {
        m_fix->Observe(*frame, m_nowNs); // as the primary host tells (rule fix-hint)
    }
    frame->LinkInto(m_held);
    if (m_fix && packet.capture == COLO_SECONDARY)
    {
        frame->isFixed = false;
        m_fix->Input(std::move(frame), m_nowNs);
    }
    else
    {
        m_compare->Input(std::move(frame), m_nowNs);
    }
}

/**
 * The client's packets are the same in both captures but for their acks, which are in the numbering
 * of the guest that they are for. So only the primary's are for the comparison. The fix looks at
 * whether there is an ack, and not at its value, as the primary's SYN is what teaches it; so both
 * will do.
 */
void
ColoReplayRun::Inbound(const ColoReplayPacket& packet)
{
    if (packet.capture == COLO_PRIMARY)
    {
        m_compare->Observe(*MakeFrame(COLO_INBOUND, packet), m_nowNs);
    }
    if (m_fix)
    {
        m_fix->Input(MakeFrame(COLO_INBOUND, packet), m_nowNs);
    }
}

/** Everything due until then happens at its own time. */
void
ColoReplayRun::AdvanceTo(uint64_t ns)
{
    while (true)
    {
        const uint64_t fixNs = m_fix ? m_fix->GetDeadline() : COLO_NEVER_NS;
        const uint64_t dueNs = std::min({m_commitNs, m_compare->GetDeadline(), fixNs});
        if (dueNs > ns)
        {
            break;
        }
        m_nowNs = std::max(m_nowNs, dueNs);
        if (m_commitNs <= m_nowNs)
        {
            Commit();
            continue;
        }
        if (m_fix)
        {
            m_fix->Poll(m_nowNs);
        }
        m_compare->Poll(m_nowNs);
    }
    m_nowNs = std::max(m_nowNs, ns);
}

/**
 * Both guests stand still, the state is there and is loaded, all at once. The secondary host's
 * engine is not told: its guest goes on in the numbering that it has had (see --help).
 */
void
ColoReplayRun::Commit()
{
    const uint32_t epoch = m_commitEpoch;
    m_commitNs = COLO_NEVER_NS;
    m_compare->Event(COLO_EVENT_PAUSED, epoch, m_nowNs);
    m_compare->Event(COLO_EVENT_REPLY, epoch, m_nowNs);
    ColoReplayVerdict verdict;
    verdict.event = ColoReplayVerdict::COMMIT;
    verdict.reason = GetNode().cause;
    Note(verdict);
    m_compare->Event(COLO_EVENT_RECEIVED, epoch, m_nowNs);
    m_compare->Event(COLO_EVENT_LOADED, epoch, m_nowNs);
}

void
ColoReplayRun::CommitNow()
{
    if (GetNode().state == COLO_NODE_RUNNING)
    {
        m_compare->Event(COLO_EVENT_REQUEST, 0, m_nowNs);
    }
    Commit();
}

std::vector<ColoReplayVerdict>
ColoReplayRun::GetHeld() const
{
    std::vector<ColoReplayVerdict> held;
    for (list_head* link = m_held.next; link != &m_held; link = link->next)
    {
        const Frame& frame = *Frame::From(link);
        if (!frame.hasLeft)
        {
            held.push_back(MakeHeld(frame));
        }
    }
    return held;
}

std::optional<ColoReplayVerdict>
ColoReplayRun::FindHeld(colo_side side, uint64_t number) const
{
    for (list_head* link = m_held.prev; link != &m_held; link = link->prev)
    {
        const Frame& frame = *Frame::From(link);
        if (frame.GetSide() == side && frame.number == number)
        {
            return frame.hasLeft ? std::nullopt : std::optional(MakeHeld(frame));
        }
    }
    return std::nullopt;
}

void
ColoReplayRun::Finish()
{
    if (m_commitNs != COLO_NEVER_NS)
    {
        m_nowNs = m_commitNs;
        Commit();
    }
    for (const ColoReplayVerdict& verdict : GetHeld())
    {
        Note(verdict);
    }
}

std::string
ColoReplayRun::TakeAll(ColoReplayInput& input, const std::function<bool()>& goesOn)
{
    std::string stopped;
    ColoReplayPacket packet;
    try
    {
        while (goesOn() && input.Next(packet))
        {
            Take(packet, input.GetOriginNs());
        }
    }
    catch (const ColoCaptureBreak& damage)
    {
        stopped = damage.what();
    }
    Finish();
    return stopped;
}

const colo_node&
ColoReplayRun::GetNode() const
{
    return m_compare->GetNode();
}

void
ColoReplayRun::Note(const ColoReplayVerdict& verdict)
{
    ColoReplayVerdict timed = verdict;
    timed.ns = m_nowNs;
    m_statistics.NoteVerdict(timed);
    m_listener.WriteVerdict(timed);
}

ColoReplayVerdict
ColoReplayRun::MakeVerdict(ColoReplayVerdict::Event event, const Frame& frame) const
{
    ColoReplayVerdict verdict;
    verdict.event = event;
    verdict.side = frame.GetSide();
    verdict.packet = frame.number;
    verdict.key = frame.GetKey();
    verdict.heldNs = m_nowNs - frame.arrivedNs;
    if (event != ColoReplayVerdict::HELD_AT_END)
    {
        verdict.reason = static_cast<colo_reason>(frame.GetPacket().reason);
    }
    if (frame.GetPacket().kind == COLO_KIND_TCP && frame.isFixed)
    {
        verdict.position = frame.GetPacket().seq;
    }
    return verdict;
}

ColoReplayVerdict
ColoReplayRun::MakeHeld(const Frame& frame) const
{
    ColoReplayVerdict verdict = MakeVerdict(ColoReplayVerdict::HELD_AT_END, frame);
    verdict.ns = m_nowNs;
    return verdict;
}

void
ColoReplayRun::Leave(const Frame& frame, const uint8_t* bytes, std::size_t size, bool isPart)
{
    ColoReplayVerdict verdict = MakeVerdict(ColoReplayVerdict::RELEASE, frame);
    verdict.isAgain = frame.hasLeft;
    verdict.isPart = isPart;
    Note(verdict);
    m_listener.WriteReleased(m_originNs + m_nowNs, bytes, size);
}

void
ColoReplayRun::Release(std::unique_ptr<ColoFrame> frame)
{
    Leave(static_cast<const Frame&>(*frame), frame->GetBytes(), frame->GetSize(), false);
}

/** With a payload it is one of several segments (rule tcp-gso), else an ack that is kept. */
void
ColoReplayRun::Emit(const ColoFrame& frame, std::vector<uint8_t> bytes)
{
    const Frame& kept = static_cast<const Frame&>(frame);
    const bool isPart = kept.GetPacket().kind == COLO_KIND_TCP && kept.GetPacket().payload_len;
    Leave(kept, bytes.data(), bytes.size(), isPart);
    kept.hasLeft |= !isPart;
}

/** The captured guest has what it has. */
void
ColoReplayRun::Remirror(std::vector<uint8_t>)
{
}

void
ColoReplayRun::Drop(std::unique_ptr<ColoFrame> frame)
{
    const Frame& dropped = static_cast<const Frame&>(*frame);
    if (!dropped.hasLeft) // else its verdict was a release
    {
        Note(MakeVerdict(ColoReplayVerdict::DROP, dropped));
    }
}

void
ColoReplayRun::Mismatch(const colo_mismatch& mismatch)
{
    ColoReplayVerdict verdict;
    verdict.event = ColoReplayVerdict::MISMATCH;
    verdict.reason = mismatch.reason;
    verdict.key = mismatch.conn->key;
    verdict.mismatch = &mismatch;
    if (m_judged)
    {
        verdict.side = m_judged->capture;
        verdict.packet = m_judged->captured.number;
    }
    if (mismatch.conn->key.protocol == COLO_PROTOCOL_TCP && mismatch.reason != COLO_MISMATCH_LIMIT)
    {
        verdict.position = mismatch.position;
    }
    Note(verdict);
}

void
ColoReplayRun::Act(const ColoActions& actions)
{
    if (actions.bits & COLO_ACTION_SEND_REQUEST)
    {
        m_commitNs = m_commitAfterNs ? m_nowNs + *m_commitAfterNs : COLO_NEVER_NS;
        m_commitEpoch = actions.epoch;
    }
}

} // namespace ns3
