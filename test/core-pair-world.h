/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Two hosts, an arbiter, and a network that delays, doubles and loses; one host dies, hangs, or
// is cut off in some state of a checkpoint. Judged from outside, by what the client sees.
#ifndef CORE_PAIR_WORLD_H
#define CORE_PAIR_WORLD_H

#include "colo_arbiter.h"
#include "colo_datagram.h"
#include "colo_failover.h"

#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace colo_test
{

/** What a guest has sent, by number: nondeterminism makes it another variant. */
using History = std::vector<uint8_t>;

enum class Fault
{
    PRIMARY_DIES,
    SECONDARY_DIES,
    LINK_CUT,
    PRIMARY_HANGS,
    SECONDARY_HANGS,
    COUNT,
};

enum class Kind
{
    POLL,
    GUEST,     // has something to say
    EVENT,     // a: colo_node_event, b: epoch or term
    HEARTBEAT, // a: term, stamp
    FRAME,     // a: number, b: variant, stamp: epoch
    ASK,       // to the arbiter: a: role, b: term
    TELL,
    TIMER, // the room loses patience with an attempt
};

struct Happening
{
    uint64_t at;
    uint64_t order;
    int host; // its index; -1 is the arbiter
    Kind kind;
    uint32_t a;
    uint32_t b;
    uint64_t stamp;
    int from;

    bool operator<(const Happening& other) const
    {
        return at != other.at ? at > other.at : order > other.order;
    }
};

/** One host: its room, its guest, and its own clock. */
struct Host
{
    uint64_t Local(uint64_t at) const
    {
        return clock + at * rate / 1000;
    }

    uint64_t Global(uint64_t local) const
    {
        return local <= clock ? 0 : ((local - clock) * 1000 + rate - 1) / rate;
    }

    colo_node* Front()
    {
        return &nodes[1 - !hasSucceeded];
    }

    colo_node nodes[2]; // the survivor's own, and the one with which it compares
    colo_datagrams flow;
    bool hasSucceeded = false;
    uint64_t clock;
    uint64_t rate; // of its clock, per thousand
    uint64_t hangsUntil = 0;
    uint64_t pausedAt = 0;
    uint64_t pollAt = COLO_NEVER_NS;
    uint64_t guestAt = 0;
    bool isDead = false;
    bool isPaused = false;
    bool isFenced = false;
    int peer = -1;
    uint64_t given = 0;
    uint64_t done = 0;
    History history;
    History loading;
    std::map<uint32_t, History> states; // sent, by attempt
    std::set<uint32_t> broken;          // attempts whose state was discarded
    uint32_t arriving = 0;
};

/** How often what happened, so that a test can see that it did. */
using Tally = std::map<std::string, uint32_t>;

class World
{
  public:
    World(uint32_t seed, Tally& tally);
    ~World();

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /** Throws what went wrong. */
    void Live();

  private:
    uint32_t Below(uint32_t bound);
    bool OneIn(uint32_t chances);
    int AddHost(colo_role role, bool joins);
    void At(uint64_t at, int host, Kind kind, uint32_t a = 0, uint32_t b = 0, uint64_t stamp = 0);
    void Send(int from, int to, Kind kind, uint32_t a, uint32_t b, uint64_t stamp = 0);
    bool IsCut(int from, int to) const;
    void Handle(const Happening& what);
    void HandleAtArbiter(const Happening& what);
    void HandleAtHost(const Happening& what);
    void Speak(int index);
    void Give(int index, colo_side side, uint32_t number, uint8_t variant);
    void Absorb(int index, colo_out& out);
    void Act(int index, const colo_out& out);
    void Load(int index, uint32_t attempt);
    void TakeOver(int index);
    void ClientGets(uint32_t number, uint8_t variant);
    void Cover(const Host& host);
    void Strike();
    void MaybeJoin();
    void Rearm(int index);
    void CheckSpeakers();
    void CheckEnd();

    std::mt19937 m_random;
    Tally& m_tally;
    colo_config m_config;
    std::vector<std::unique_ptr<Host>> m_hosts;
    std::priority_queue<Happening> m_happenings;
    colo_arbiter m_arbiter;
    std::set<std::pair<uint32_t, int>> m_grants; // term and role
    std::vector<int> m_seen;                     // by the client: the variant, or -1
    uint64_t m_now = 0;
    uint64_t m_order = 0;
    Fault m_fault;
    colo_node_state m_faultState;
    int m_faultHost;
    uint64_t m_faultFrom;
    bool m_hasStruck = false;
    bool m_joins;
    uint64_t m_cutFrom = 0;
    uint64_t m_cutUntil = 0;
    int m_cutWays = 3;
    uint64_t m_arbiterGoneFrom;
    uint64_t m_arbiterGoneUntil;
    uint32_t m_lossIn;
};

} // namespace colo_test

#endif // CORE_PAIR_WORLD_H
