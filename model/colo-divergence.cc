/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-divergence.h"

#include "colo-own-random.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/pointer.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(ColoDivergence);

namespace
{

constexpr uint64_t GOLDEN = 0x9e3779b97f4a7c15U;

/** Each bit of the input sways all of the output. */
uint64_t
Mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/** A random variable's next value in nanoseconds, at least 0. */
Time
DrawTime(RandomVariableStream& seconds)
{
    return Max(Seconds(seconds.GetValue()), Time());
}

} // namespace

TypeId
ColoDivergence::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::ColoDivergence")
            .SetParent<Object>()
            .SetGroupName("Colo")
            .AddConstructor<ColoDivergence>()
            .AddAttribute("Content",
                          "Share of the turns that have random content, such as a session token. "
                          "Which ones is the same on both guests, the token is not.",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ColoDivergence::m_content),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("DateGranularity",
                          "Every turn says the guest's time in this unit (1s: HTTP's Date), so it "
                          "differs if the unit ends between the guests' answers; 0 for no dates.",
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoDivergence::m_dateGranularity),
                          MakeTimeChecker(Time()))
            .AddAttribute("SharedCounter",
                          "Every turn says how many the guest began before (an id from a common "
                          "sequence), so it differs if threads served others in between.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDivergence::m_sharedCounter),
                          MakeBooleanChecker())
            .AddAttribute("SchedulingJitter",
                          "Seconds until the thread that serves a turn runs. By itself it moves "
                          "packets only; with SharedCounter it is threads interleaving.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoDivergence::m_schedulingJitter),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("TimerTick",
                          "The guest notices that a pause is over at its next timer tick, whose "
                          "phase is random (4ms: a kernel with HZ=250); 0 for at once.",
                          TimeValue(Time()),
                          MakeTimeAccessor(&ColoDivergence::m_timerTick),
                          MakeTimeChecker(Time()))
            .AddAttribute("WriteSize",
                          "Bytes that an application hands to its socket at once, 0 for all. The "
                          "next write follows after 1us. It moves the borders of segments, so "
                          "COLO must not mind.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&ColoDivergence::m_writeSize),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("RandomQueryIds",
                          "Whether the guest draws the ids of the datagrams by which it asks "
                          "others (DNS); else they count up, on both guests alike.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&ColoDivergence::m_randomQueryIds),
                          MakeBooleanChecker());
    return tid;
}

ColoDivergence::ColoDivergence()
    : m_random(CreateObject<UniformRandomVariable>())
{
}

int64_t
ColoDivergence::AssignStreams(int64_t stream)
{
    m_schedulingJitter = ColoOwnRandom(m_schedulingJitter);
    m_schedulingJitter->SetStream(stream);
    m_writeSize = ColoOwnRandom(m_writeSize);
    m_writeSize->SetStream(stream + 1);
    m_random->SetStream(stream + 2);
    m_timerPhase = m_timerTick * m_random->GetValue(0, 1);
    return 3;
}

Time
ColoDivergence::GetDelay(Time pause) const
{
    Time delay = pause;
    if (m_timerTick.IsStrictlyPositive() && pause.IsStrictlyPositive())
    {
        const Time late = Rem(Simulator::Now() + pause - m_timerPhase, m_timerTick);
        delay += (late.IsStrictlyPositive() ? m_timerTick : Time()) - late;
    }
    return delay + DrawTime(*m_schedulingJitter);
}

/** The same on both guests, whatever else they have drawn. */
bool
ColoDivergence::HasRandomContent(uint32_t id, uint32_t turn) const
{
    const uint64_t which = (uint64_t{id} << 32 | turn) + RngSeedManager::GetSeed() * GOLDEN;
    return std::ldexp(Mix(Mix(which) + GOLDEN) >> 11, -53) < m_content;
}

uint32_t
ColoDivergence::DrawToken(uint32_t id, uint32_t turn, bool isRandom, uint64_t served)
{
    uint64_t said = 0; // what the turn says besides the script, as one number
    if (isRandom || HasRandomContent(id, turn))
    {
        said = 1 + static_cast<uint64_t>(m_random->GetValue(0, 0x1p52));
    }
    if (m_dateGranularity.IsStrictlyPositive())
    {
        said = Mix(said) + 1 + Div(Simulator::Now(), m_dateGranularity);
    }
    if (m_sharedCounter)
    {
        said = Mix(said) + 1 + served;
    }
    if (said == 0)
    {
        return 0;
    }
    m_tokensDrawn++;
    const uint32_t token = Mix(said * GOLDEN);
    return token | !(token & 0xff); // see ColoMask
}

bool
ColoDivergence::IsAnyTurnMarked() const
{
    return m_content > 0 || m_dateGranularity.IsStrictlyPositive() || m_sharedCounter;
}

uint32_t
ColoDivergence::DrawWriteSize() const
{
    const double size = m_writeSize->GetValue();
    return size < 1 ? WHOLE : static_cast<uint32_t>(std::min<double>(size, WHOLE));
}

uint16_t
ColoDivergence::DrawQueryId() const
{
    return m_randomQueryIds ? m_random->GetInteger(1, 0xffff) : 0;
}

uint64_t
ColoDivergence::GetTokensDrawn() const
{
    return m_tokensDrawn;
}

} // namespace ns3
