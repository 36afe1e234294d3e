/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-players.h"

#include "colo-command-line.h"

#include "ns3/boolean.h"
#include "ns3/colo-divergence.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <fmt/format.h>

namespace ns3
{

namespace
{

bool
IsPart(const ColoConversation& conversation, ColoTransport transport, ColoOpener opener)
{
    return conversation.transport == transport && conversation.opener == opener;
}

/** The port on the client's side, which another pair cannot use as well. */
uint16_t&
ClientSidePort(ColoConversation& conversation)
{
    return conversation.opener == ColoOpener::CLIENT ? conversation.clientPort
                                                     : conversation.serverPort;
}

/** Make each pair's ports follow those of the pair before it. */
void
ShiftPorts(ColoDialogue& dialogue, ColoTransport transport, ColoOpener opener, uint32_t pair)
{
    const uint32_t end = opener == ColoOpener::CLIENT
                             ? ColoDialogue::FIRST_CLIENT_PORT + ColoDialogue::MAX_OPEN
                             : ColoDialogue::FIRST_CLIENT_PORT;
    uint32_t first = end;
    uint32_t last = 0;
    for (auto& conversation : dialogue.conversations)
    {
        if (IsPart(conversation, transport, opener))
        {
            first = std::min<uint32_t>(first, ClientSidePort(conversation));
            last = std::max<uint32_t>(last, ClientSidePort(conversation));
        }
    }
    const uint32_t shift = first > last ? 0 : pair * (last - first + 1);
    if (last + shift >= end)
    {
        const char* remedy =
            opener == ColoOpener::CLIENT ? "--connections or --client-ports" : "--requests";
        throw ColoUsageError(
            fmt::format("option --pairs: so many need more ports than clients have; try fewer {}",
                        remedy));
    }
    for (auto& conversation : dialogue.conversations)
    {
        if (IsPart(conversation, transport, opener))
        {
            ClientSidePort(conversation) += shift;
        }
    }
}

} // namespace

ColoPlayers::ColoPlayers(const ColoTestbed& testbed,
                         uint32_t pair,
                         std::shared_ptr<const ColoDialogue> dialogue,
                         Time start,
                         LatencyCallback latency,
                         std::function<void()> finished)
    : m_testbed(testbed),
      m_pair(pair),
      m_dialogue(std::move(dialogue)),
      m_start(start),
      m_latency(std::move(latency)),
      m_finished(std::move(finished))
{
    const ColoPair& wired = testbed.GetPairs()[pair];
    m_acceptsTokens = wired.primary.node->GetObject<ColoDivergence>()->IsAnyTurnMarked();
    AddGuest(wired.primary);
    if (wired.secondary.node)
    {
        AddGuest(wired.secondary);
        wired.secondaryProxy->TraceConnectWithoutContext(
            "TakeOver",
            MakeCallback(&ColoPlayers::TakeOver, this));
    }
    for (uint32_t client = 0; client < testbed.GetClients().size(); client++)
    {
        AddClient(client);
    }
}

std::shared_ptr<const ColoDialogue>
ColoPlayers::ForPair(std::shared_ptr<const ColoDialogue> dialogue, uint32_t pair)
{
    if (pair == 0)
    {
        return dialogue;
    }
    auto own = std::make_shared<ColoDialogue>(*dialogue);
    own->firstId = pair * static_cast<uint32_t>(own->conversations.size());
    for (const auto transport : {ColoTransport::TCP, ColoTransport::UDP})
    {
        ShiftPorts(*own, transport, ColoOpener::CLIENT, pair);
        ShiftPorts(*own, transport, ColoOpener::GUEST, pair);
    }
    return own;
}

bool
ColoPlayers::Has(ColoTransport transport, ColoOpener opener) const
{
    const auto& all = m_dialogue->conversations;
    return std::any_of(all.begin(), all.end(), [&](const ColoConversation& conversation) {
        return IsPart(conversation, transport, opener);
    });
}

void
ColoPlayers::Add(Ptr<Node> node, Ptr<Application> application) const
{
    node->AddApplication(application);
    application->SetStartTime(m_start);
}

void
ColoPlayers::Await(Ptr<Application> application)
{
    application->TraceConnectWithoutContext("Finished", MakeCallback(&ColoPlayers::Finished, this));
    m_awaited++;
}

void
ColoPlayers::AddGuest(const ColoGuestPlace& place)
{
    std::vector<Address> clients;
    for (uint32_t client = 0; client < m_testbed.GetClients().size(); client++)
    {
        clients.push_back(m_testbed.GetClientAddress(client));
    }
    auto server = CreateObject<ColoDialogueServer>();
    server->SetDialogue(m_dialogue);
    server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    server->SetBackends(clients);
    if (Ipv6Address::IsMatchingType(m_testbed.GetGuestAddress(m_pair)))
    {
        server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
    }
    Add(place.node, server);
    if (place.guest->IsPrimary())
    {
        m_server = server;
    }

    if (Has(ColoTransport::UDP, ColoOpener::CLIENT))
    {
        AddAnswerer(place.node, true, 0);
    }
    if (!Has(ColoTransport::UDP, ColoOpener::GUEST))
    {
        return;
    }
    for (uint32_t client = 0; client < clients.size(); client++)
    {
        Ptr<ColoDatagramAsker> asker = AddAsker(place.node, true, client);
        asker->SetAttribute("RemoteAddress", AddressValue(clients[client]));
        asker->TraceConnectWithoutContext("Finished",
                                          MakeCallback(&ColoPlayers::LookAtGuest, this));
        if (place.guest->IsPrimary())
        {
            m_guestAskers.push_back({asker, nullptr});
            m_awaited++;
        }
        else
        {
            m_guestAskers[client].secondary = asker;
        }
    }
}

void
ColoPlayers::AddClient(uint32_t client)
{
    Ptr<Node> node = m_testbed.GetClients()[client];
    const AddressValue guest(m_testbed.GetGuestAddress(m_pair));
    auto application = CreateObject<ColoDialogueClient>();
    application->SetDialogue(m_dialogue);
    application->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
    application->SetAttribute("ClientIndex", UintegerValue(client));
    application->SetAttribute("RemoteAddress", guest);
    application->SetAttribute("AcceptsTokens", BooleanValue(m_acceptsTokens));
    application->TraceConnectWithoutContext("Latency", MakeCallback(&ColoPlayers::Latency, this));
    Add(node, application);
    Await(application);
    m_clients.push_back(application);

    if (Has(ColoTransport::UDP, ColoOpener::CLIENT))
    {
        Ptr<ColoDatagramAsker> asker = AddAsker(node, false, client);
        asker->SetAttribute("RemoteAddress", guest);
        asker->TraceConnectWithoutContext("Latency", MakeCallback(&ColoPlayers::Latency, this));
        m_askers.push_back(asker);
        Await(asker);
    }
    if (Has(ColoTransport::UDP, ColoOpener::GUEST))
    {
        AddAnswerer(node, false, client);
    }
}

void
ColoPlayers::Note(Ptr<Node> node, Ptr<ColoDatagramApplication> application)
{
    Ptr<ColoGuest> guest = node->GetObject<ColoGuest>();
    if (!guest)
    {
        m_clientDatagrams.push_back(application);
    }
    else if (guest->IsPrimary())
    {
        m_primaryDatagrams.push_back(application);
    }
}

Ptr<ColoDatagramAsker>
ColoPlayers::AddAsker(Ptr<Node> node, bool isOnGuest, uint32_t client)
{
    auto asker = CreateObject<ColoDatagramAsker>();
    asker->SetDialogue(m_dialogue);
    asker->SetAttribute("OnGuest", BooleanValue(isOnGuest));
    asker->SetAttribute("Client", UintegerValue(client));
    asker->SetAttribute("AcceptsTokens", BooleanValue(m_acceptsTokens));
    Add(node, asker);
    Note(node, asker);
    return asker;
}

void
ColoPlayers::AddAnswerer(Ptr<Node> node, bool isOnGuest, uint32_t client)
{
    auto answerer = CreateObject<ColoDatagramAnswerer>();
    answerer->SetDialogue(m_dialogue);
    answerer->SetAttribute("OnGuest", BooleanValue(isOnGuest));
    answerer->SetAttribute("Client", UintegerValue(client));
    answerer->SetAttribute("AcceptsTokens", BooleanValue(m_acceptsTokens));
    if (Ipv6Address::IsMatchingType(m_testbed.GetGuestAddress(m_pair)))
    {
        answerer->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
    }
    Add(node, answerer);
    Note(node, answerer);
}

void
ColoPlayers::Latency(Time latency)
{
    m_latency(latency);
}

void
ColoPlayers::Finished()
{
    if (--m_awaited == 0)
    {
        m_finished();
    }
}

void
ColoPlayers::LookAtGuest()
{
    for (GuestAsker& asker : m_guestAskers)
    {
        if (!asker.isOver && asker.speaking->IsFinished())
        {
            asker.isOver = true;
            Finished();
        }
    }
}

void
ColoPlayers::TakeOver()
{
    for (GuestAsker& asker : m_guestAskers)
    {
        std::swap(asker.speaking, asker.secondary); // a host that comes back is the new secondary
    }
    LookAtGuest();
}

const ColoDialogue&
ColoPlayers::GetDialogue() const
{
    return *m_dialogue;
}

const std::vector<Ptr<ColoDialogueClient>>&
ColoPlayers::GetClients() const
{
    return m_clients;
}

uint64_t
ColoPlayers::GetProgress() const
{
    uint64_t progress = 0;
    for (const auto& client : m_clients)
    {
        progress += client->GetBytesReceived() + client->GetBytesSent() +
                    client->GetConversationsCompleted();
    }
    for (const auto& application : m_clientDatagrams)
    {
        progress += application->GetBytesReceived() + application->GetBytesSent();
    }
    return progress;
}

ColoPlayers::Counts
ColoPlayers::Count() const
{
    Counts counts;
    for (const auto& client : m_clients)
    {
        counts.requests += client->GetRequestsCompleted();
        counts.bytes += client->GetBytesReceived();
        counts.resets += client->GetResets();
        counts.wrong += client->GetDataErrors();
    }
    for (const auto& asker : m_askers)
    {
        counts.requests += asker->GetRequestsCompleted();
        counts.resets += asker->GetFailures();
    }
    for (const GuestAsker& asker : m_guestAskers)
    {
        counts.requests += asker.speaking->GetRequestsCompleted();
        counts.resets += asker.speaking->GetFailures();
    }
    for (const auto& application : m_clientDatagrams)
    {
        counts.bytes += application->GetBytesReceived();
        counts.wrong += application->GetDataErrors();
    }
    counts.diverged = m_server->GetTurnsDiverged();
    for (const auto& application : m_primaryDatagrams)
    {
        counts.diverged += application->GetTurnsDiverged();
    }
    return counts;
}

} // namespace ns3
