/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PLAYERS_H
#define COLO_PLAYERS_H

#include "ns3/colo-datagram-answerer.h"
#include "ns3/colo-datagram-asker.h"
#include "ns3/colo-dialogue-client.h"
#include "ns3/colo-dialogue-server.h"
#include "ns3/colo-testbed.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace ns3
{

/** The applications that play one dialogue in a testbed: a pair's guests, and all clients. */
class ColoPlayers
{
  public:
    /** What clients have seen so far, of all their conversations. */
    struct Counts
    {
        uint64_t requests{0}; //!< answered
        uint64_t bytes{0};    //!< received
        uint64_t resets{0};   //!< connections that failed, and questions that nobody answered
        uint64_t wrong{0};    //!< bytes
        uint64_t diverged{0}; //!< turns of the primary that were random, dated or numbered
    };

    /** \param latency of a request. */
    using LatencyCallback = std::function<void(Time latency)>;

    /**
     * \param testbed where; both guests of the pair play, if it has two.
     * \param pair its index in the testbed.
     * \param dialogue the script.
     * \param start when they begin.
     * \param latency told whenever a client has its answer.
     * \param finished told once, when nothing is left to say.
     */
    ColoPlayers(const ColoTestbed& testbed,
                uint32_t pair,
                std::shared_ptr<const ColoDialogue> dialogue,
                Time start,
                LatencyCallback latency,
                std::function<void()> finished);

    ColoPlayers(const ColoPlayers&) = delete;
    ColoPlayers& operator=(const ColoPlayers&) = delete;

    /** \return the script. */
    const ColoDialogue& GetDialogue() const;
    /** \return what clients have seen so far. */
    Counts Count() const;
    /** \return a number that grows with all that is said and heard. */
    uint64_t GetProgress() const;
    /** \return those who play the TCP conversations, in the order of the clients. */
    const std::vector<Ptr<ColoDialogueClient>>& GetClients() const;

    /**
     * The script of another pair, which must neither say the same nor ask at the same ports of the
     * backends.
     * \param dialogue of the first pair.
     * \param pair its index.
     * \return its script.
     * \throws ColoUsageError if there are not ports enough.
     */
    static std::shared_ptr<const ColoDialogue> ForPair(std::shared_ptr<const ColoDialogue> dialogue,
                                                       uint32_t pair);

  private:
    bool Has(ColoTransport transport, ColoOpener opener) const;
    void AddGuest(const ColoGuestPlace& place);
    void AddClient(uint32_t client);
    void Add(Ptr<Node> node, Ptr<Application> application) const;
    Ptr<ColoDatagramAsker> AddAsker(Ptr<Node> node, bool isOnGuest, uint32_t client);
    void AddAnswerer(Ptr<Node> node, bool isOnGuest, uint32_t client);
    void Note(Ptr<Node> node, Ptr<ColoDatagramApplication> application);
    void Await(Ptr<Application> application);
    void Latency(Time latency);
    void Finished();
    void LookAtGuest();
    void TakeOver();

    const ColoTestbed& m_testbed;
    uint32_t m_pair;
    std::shared_ptr<const ColoDialogue> m_dialogue;
    Time m_start;
    LatencyCallback m_latency;
    std::function<void()> m_finished;
    bool m_acceptsTokens;
    Ptr<ColoDialogueServer> m_server; //!< the primary guest's
    std::vector<Ptr<ColoDialogueClient>> m_clients;

    /** One on each guest, that has the same to ask; the one whose guest speaks is waited for. */
    struct GuestAsker
    {
        Ptr<ColoDatagramAsker> speaking;
        Ptr<ColoDatagramAsker> secondary; //!< null without protection
        bool isOver{false};
    };

    std::vector<Ptr<ColoDatagramAsker>> m_askers; //!< of clients
    std::vector<GuestAsker> m_guestAskers;        //!< by client
    std::vector<Ptr<ColoDatagramApplication>> m_primaryDatagrams;
    std::vector<Ptr<ColoDatagramApplication>> m_clientDatagrams;
    uint32_t m_awaited{0};
};

} // namespace ns3

#endif /* COLO_PLAYERS_H */
