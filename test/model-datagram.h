/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_DATAGRAM_H
#define COLO_TEST_MODEL_DATAGRAM_H

#include "colo-datagram-answerer.h"
#include "colo-datagram-asker.h"
#include "colo-dialogue.h"
#include "colo-divergence.h"

#include "ns3/core-module.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

using namespace ns3;

inline std::shared_ptr<const ColoDialogue>
Share(std::vector<ColoConversation> conversations, uint32_t firstId = 0)
{
    return std::make_shared<const ColoDialogue>(ColoDialogue{std::move(conversations), firstId});
}

inline ColoConversation
Converse(ColoOpener opener, std::vector<ColoTurn> turns)
{
    ColoConversation conversation;
    conversation.transport = ColoTransport::UDP;
    conversation.opener = opener;
    conversation.serverPort = 53;
    conversation.turns = std::move(turns);
    return conversation;
}

/** The side that opens asks so often, and is answered after a pause each time. */
inline ColoConversation
Queries(ColoOpener opener, int questions = 1, Time pause = Time(), Time between = Time())
{
    const bool guestAsks = opener == ColoOpener::GUEST;
    std::vector<ColoTurn> turns;
    for (int i = 0; i < questions; i++)
    {
        turns.push_back({guestAsks, 40, i ? between : Time(), false});
        turns.push_back({!guestAsks, 300, pause, false});
    }
    return Converse(opener, turns);
}

/** What it takes to play one side. */
template <typename Side>
Ptr<Side>
AddSide(Ptr<Node> node,
        bool isOnGuest,
        std::shared_ptr<const ColoDialogue> dialogue,
        Time start = MilliSeconds(10))
{
    auto side = CreateObject<Side>();
    side->SetAttribute("OnGuest", BooleanValue(isOnGuest));
    side->SetDialogue(std::move(dialogue));
    side->SetStartTime(start);
    node->AddApplication(side);
    return side;
}

#endif /* COLO_TEST_MODEL_DATAGRAM_H */
