/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_STUCK_H
#define COLO_STUCK_H

#include "ns3/colo-dialogue-client.h"
#include "ns3/colo-dialogue.h"
#include "ns3/colo-proxy.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/** Where a conversation stands that is not over, as its client knows. */
struct ColoOpenConversation
{
    uint32_t client{0};
    uint16_t port{0};       //!< the client's
    bool isConnected{true}; //!< the rest is meaningless before
    std::size_t turn{0};    //!< from 0
    std::size_t turns{0};   //!< in all; a script that is over waits for its connection's end
    bool fromServer{false}; //!< whose turn it is
    uint64_t bytes{0};      //!< of the turn that have come, or were handed to the socket
    uint64_t bytesAll{0};   //!< of the turn
};

/**
 * \param index of the client.
 * \param client who holds them.
 * \param dialogue the script that it plays.
 * \return its conversations that were begun and are not over.
 */
std::vector<ColoOpenConversation> ColoFindOpen(uint32_t index,
                                               const ColoDialogueClient& client,
                                               const ColoDialogue& dialogue);

/** \param open conversations. \return the first few of them in words. */
std::string ColoDescribeOpen(const std::vector<ColoOpenConversation>& open);

/**
 * \param index of the pair.
 * \param primary node on the primary host.
 * \param secondary node on the secondary host.
 * \return what waits in it: packets by flow, the checkpoint; empty if nothing does.
 */
std::string ColoDescribeWaiting(uint32_t index,
                                const colo_node& primary,
                                const colo_node& secondary);

/** \return whether the primary's oldest packet should have asked for a checkpoint by now. */
bool ColoIsOverdue(const colo_node& primary, Time now);

/** \return the longest time for which nobody says anything in a dialogue that goes well. */
Time ColoLongestSilence(const ColoDialogue& dialogue);

/**
 * Ends a run at its limit, or before, once it cannot get on: if nothing is left to happen, if no
 * byte came or went for a long time, or if a packet is held beyond its time. Looks every second.
 *
 * What goes on for ever, as FlowMonitor does, or checkpoints at intervals, counts as happening.
 */
class ColoStuckWatch
{
  public:
    /**
     * How long no byte may come or go. ns-3's TCP gives up a connection that it cannot open after
     * 189 s and one that does not answer after 127 s or so, which should come first: it is a reset.
     */
    static const Time QUIET;

    /** What it asks. */
    struct Room
    {
        std::function<uint64_t()> progress; //!< grows with all that clients send and receive
        std::function<std::vector<ColoOpenConversation>()> open;
    };

    /**
     * \param limit of the simulated time.
     * \param quiet how long no byte may come or go.
     * \param room what it asks.
     */
    ColoStuckWatch(Time limit, Time quiet, Room room);
    ~ColoStuckWatch();

    ColoStuckWatch(const ColoStuckWatch&) = delete;
    ColoStuckWatch& operator=(const ColoStuckWatch&) = delete;

    /** \param primary proxy of the next pair. \param secondary proxy of it. */
    void AddPair(Ptr<ColoProxy> primary, Ptr<ColoProxy> secondary);
    /** From now on; before the simulation runs. */
    void Start();
    /** All conversations are over: it ends nothing any more. */
    void Stop();
    /** \return why it ended the run, on one line; empty if it did not. */
    const std::string& GetWords() const;
    /** \return whether that was before the limit. */
    bool IsStuck() const;

  private:
    void Look();
    std::string FindReason();
    std::string Describe(const std::string& reason) const;

    Time m_limit;
    Time m_quiet;
    Room m_room;
    std::vector<std::pair<Ptr<ColoProxy>, Ptr<ColoProxy>>> m_pairs;
    EventId m_event;
    uint64_t m_progress{0};
    Time m_progressAt;
    bool m_isStuck{false};
    std::string m_words;
};

} // namespace ns3

#endif /* COLO_STUCK_H */
