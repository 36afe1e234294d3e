/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PAUSE_H
#define COLO_PAUSE_H

#include "ns3/default-simulator-impl.h"
#include "ns3/scheduler.h"

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ns3
{

class ColoSimulatorImpl;

/**
 * \ingroup colo
 *
 * Pauses guests exactly: between Pause() and Resume() no event of the guest's node runs, and
 * afterwards each has the delay that it had left. What other nodes schedule for the guest
 * meanwhile (frames) reaches it at the resume, or when it is due if that is later.
 *
 * A pause begins at the end of the present instant: events of the guest that are due at this
 * very time still run, so that none of its work is caught half done. See IsQuiet().
 *
 * Every call into a guest must come from an event of its node (ScheduleWithContext()); events of
 * other nodes are not held back.
 */
class ColoPause
{
  public:
    /**
     * Make the next simulation one that can pause nodes. To be called before the simulator is
     * first used (before the first node is made), and again for every further run of a process.
     * Aborts if another simulator than ns-3's default one was asked for, such as the realtime one.
     */
    static void Enable();

    /**
     * Pause a node. Aborts if Enable() was not called in time or the node is paused already.
     * \param nodeId the node
     */
    static void Pause(uint32_t nodeId);

    /**
     * Go on with a paused node.
     * \param nodeId the node
     */
    static void Resume(uint32_t nodeId);

    /**
     * \param nodeId a node
     * \return whether it is paused; false also without Enable()
     */
    static bool IsPaused(uint32_t nodeId);

    /**
     * \param nodeId a node
     * \return whether it has no more events at the present time. A paused guest that is not quiet
     *         has to be given another nanosecond before it is copied.
     */
    static bool IsQuiet(uint32_t nodeId);

    /**
     * While an object of this class lives, what is scheduled belongs to the given node, as if one
     * of its own events did it. In a paused node, such delays count from the resume.
     */
    class InContext
    {
      public:
        /**
         * \param nodeId the node to act for
         */
        explicit InContext(uint32_t nodeId);
        ~InContext();

        InContext(const InContext&) = delete;
        InContext& operator=(const InContext&) = delete;

      private:
        ColoSimulatorImpl* m_simulator;    //!< null if nothing can be paused
        std::pair<bool, uint32_t> m_outer; //!< what was in force before
    };
};

/**
 * \ingroup colo
 *
 * A map scheduler from which the events of one context can be taken out and put back later.
 * Use it through ColoPause.
 */
class ColoScheduler : public Scheduler
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ~ColoScheduler() override;

    /**
     * Have something called every few thousand events, which is a matter of milliseconds of real
     * time: who waits for a simulation can end it so. Of all simulators of the process.
     * \param poll what to call; it may call Simulator::Stop(), but schedule nothing. Or empty.
     */
    static void SetPoll(std::function<void()> poll);

    void Insert(const Event& ev) override;
    bool IsEmpty() const override;
    Event PeekNext() const override;
    Event RemoveNext() override;
    void Remove(const Event& ev) override;

    /**
     * Take out all later events of a context.
     * \param context the context
     * \param now the present time step
     */
    void Freeze(uint32_t context, uint64_t now);

    /**
     * Put them back, shifted by the time that they were out.
     * \param context the context
     * \param now the present time step
     * \param nextUid the simulator's counter of event ids
     */
    void Thaw(uint32_t context, uint64_t now, uint32_t& nextUid);

    /**
     * \param context a context
     * \return whether it is frozen
     */
    bool IsFrozen(uint32_t context) const;

    /**
     * \param context a context
     * \param now the present time step
     * \return the clock of the context: now, or the time at which it was frozen
     */
    uint64_t GetClock(uint32_t context, uint64_t now) const;

    /**
     * \param context a context
     * \param now the present time step
     * \return whether live events of this context are due right now
     */
    bool IsDue(uint32_t context, uint64_t now) const;

    /**
     * The time of an event that was moved, in its context's clock.
     * \param uid the event's id
     * \return the time step, or null if the event was never moved or has run
     */
    const uint64_t* FindMoved(uint32_t uid) const;

  private:
    /** Events in the order in which they run. */
    using EventMap = std::map<EventKey, EventImpl*>;

    /** What is held back of one context. */
    struct Frozen
    {
        uint64_t since;    //!< when it was frozen
        EventMap own;      //!< its own events, in its own clock
        EventMap arrivals; //!< what others scheduled for it since
    };

    /**
     * \param frozen where to keep the event
     * \param ev an event of this context
     */
    void Hold(Frozen& frozen, const Event& ev);

    /**
     * Note where an event is now, so that its EventId, which has the old time, still finds it.
     * \param key its present key
     */
    void NoteMoved(const EventKey& key);

    EventMap m_events;                              //!< the events that can run
    std::unordered_map<uint32_t, Frozen> m_frozen;  //!< by context
    std::unordered_map<uint32_t, uint64_t> m_moved; //!< event id to time, while it waits
    uint32_t m_movedUidMax{0};                      //!< no event with a greater id was moved
    uint32_t m_countdown{0};                        //!< events until the next poll
};

/**
 * \ingroup colo
 *
 * The default simulator, knowing where ColoScheduler has moved events to, so that cancelling
 * them and asking for the delay left stay exact. Use it through ColoPause.
 */
class ColoSimulatorImpl : public DefaultSimulatorImpl
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoSimulatorImpl();
    ~ColoSimulatorImpl() override;

    void SetScheduler(ObjectFactory schedulerFactory) override;
    bool IsExpired(const EventId& id) const override;
    Time GetDelayLeft(const EventId& id) const override;
    uint32_t GetContext() const override;

    /**
     * \param context the context to freeze
     */
    void Pause(uint32_t context);

    /**
     * \param context the context to go on with
     */
    void Resume(uint32_t context);

    /**
     * \return the scheduler in use
     */
    const ColoScheduler& GetScheduler() const;

    /**
     * Act for another context than that of the running event.
     * \param context whether to do so, and for which
     * \return what was in force before
     */
    std::pair<bool, uint32_t> ExchangeContext(std::pair<bool, uint32_t> context);

  private:
    Ptr<ColoScheduler> m_scheduler;               //!< also held by the base class
    std::pair<bool, uint32_t> m_actFor{false, 0}; //!< see ExchangeContext()
};

} // namespace ns3

#endif /* COLO_PAUSE_H */
