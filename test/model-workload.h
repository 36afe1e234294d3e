/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_WORKLOAD_H
#define COLO_TEST_MODEL_WORKLOAD_H

#include "colo-workload.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

using namespace ns3;

inline constexpr uint32_t NONE = ColoConversation::NONE;

/** What every dialogue must keep. */
inline void
CheckInvariants(const ColoDialogue& dialogue, uint32_t clients)
{
    const auto& all = dialogue.conversations;
    std::vector<uint32_t> chainOf; //!< index of the first of those that follow each other
    std::map<uint16_t, uint32_t> chainOfPort;
    std::set<uint16_t> backends;
    std::set<uint32_t> followed;
    Time lastStart;
    bool isFollowing = false;
    for (uint32_t i = 0; i < all.size(); i++)
    {
        // Boost's own checks take too long for millions of them.
        auto require = [i](bool holds, const char* what) {
            if (!holds)
            {
                BOOST_FAIL("conversation " << i << ": " << what);
            }
        };
        const ColoConversation& one = all[i];
        const bool isTcp = one.transport == ColoTransport::TCP;
        require(one.client < clients, "a client that is not there");
        require(one.serverPort != 0, "no server port");
        require(!one.turns.empty(), "no turns");
        require(!one.start.IsStrictlyNegative(), "starts before the start");
        for (const ColoTurn& turn : one.turns)
        {
            require(turn.bytes >= 1, "an empty turn");
            require(isTcp || turn.bytes <= ColoDialogue::MAX_DATAGRAM, "a datagram too large");
            require(!turn.pause.IsStrictlyNegative(), "a pause below zero");
            require(turn.fromServer || !turn.isRandom, "a random client");
        }
        if (one.after == NONE)
        {
            require(!isFollowing, "comes late");
            require(one.start >= lastStart, "starts before the one before");
            lastStart = one.start;
            chainOf.push_back(i);
        }
        else
        {
            isFollowing = true;
            require(one.after < i, "follows a later one");
            require(all[one.after].client == one.client, "follows another client's");
            require(followed.insert(one.after).second, "follows what another one follows");
            chainOf.push_back(chainOf[one.after]);
        }
        if (one.opener == ColoOpener::GUEST)
        {
            require(one.clientPort == 0, "opened by nobody");
            require(one.turns[0].fromServer, "a question that does not ask");
            require(!isTcp || backends.insert(one.serverPort).second, "its port is another's");
            require(one.serverPort < ColoDialogue::FIRST_CLIENT_PORT, "a port clients open from");
            continue;
        }
        const uint16_t port = one.clientPort;
        require(port >= ColoDialogue::FIRST_CLIENT_PORT &&
                    port < ColoDialogue::FIRST_CLIENT_PORT + ColoDialogue::MAX_OPEN,
                "no port of clients");
        // One after the other in one chain, of which each is followed by one only.
        const auto [last, isNew] = chainOfPort.emplace(port, chainOf[i]);
        require(isNew || last->second == chainOf[i], "has a port that may still be in use");
    }
}

inline bool
AreEqual(const ColoDialogue& a, const ColoDialogue& b)
{
    return std::equal(a.conversations.begin(),
                      a.conversations.end(),
                      b.conversations.begin(),
                      b.conversations.end(),
                      [](const ColoConversation& one, const ColoConversation& other) {
                          return one.start == other.start && one.after == other.after &&
                                 one.transport == other.transport && one.opener == other.opener &&
                                 one.client == other.client && one.clientPort == other.clientPort &&
                                 one.serverPort == other.serverPort && one.closer == other.closer &&
                                 std::equal(one.turns.begin(),
                                            one.turns.end(),
                                            other.turns.begin(),
                                            other.turns.end(),
                                            [](const ColoTurn& x, const ColoTurn& y) {
                                                return x.fromServer == y.fromServer &&
                                                       x.bytes == y.bytes && x.pause == y.pause &&
                                                       x.isRandom == y.isRandom;
                                            });
                      });
}

#endif /* COLO_TEST_MODEL_WORKLOAD_H */
