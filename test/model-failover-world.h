/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A pair whose hosts die, hang or lose each other while clients talk to it.
 */
#ifndef MODEL_FAILOVER_WORLD_H
#define MODEL_FAILOVER_WORLD_H

#include "colo-divergence.h"
#include "colo-testbed.h"
#include "model-pair-world.h"

#include <fmt/format.h>
#include <functional>
#include <string>

constexpr uint32_t CLIENTS = 2;

const Time DETECTION = MilliSeconds(2);

enum class Traffic
{
    REQUESTS,
    UPLOAD,
    DOWNLOAD
};

inline std::shared_ptr<const ColoDialogue>
MakeDialogue(Traffic traffic, uint16_t port)
{
    ColoDialogue dialogue;
    switch (traffic)
    {
    case Traffic::REQUESTS:
        dialogue = *RequestResponse(20, 4, 3000, MilliSeconds(3));
        break;
    case Traffic::UPLOAD:
        dialogue = *LongTalk(2, 2, 1000000, 100);
        break;
    case Traffic::DOWNLOAD:
        dialogue = *LongTalk(2, 2, 100, 1000000);
        break;
    }
    for (auto& conversation : dialogue.conversations)
    {
        conversation.serverPort = port;
    }
    return std::make_shared<ColoDialogue>(dialogue);
}

/** Two clients, a pair, and a host that dies. */
struct FailoverWorld
{
    FailoverWorld(Traffic traffic,
                  bool isIpv6,
                  double divergence,
                  uint32_t seed,
                  Time lease = Time())
        : divergence(divergence)
    {
        Config::Reset();
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(1);
        ColoPause::Enable();
        GlobalValue::Bind("ChecksumEnabled", BooleanValue(true));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1428));
        Config::SetDefault("ns3::ColoProxy::Lease", TimeValue(lease));
        ColoTestbedOptions options;
        options.clients = CLIENTS;
        options.isIpv6 = isIpv6;
        testbed = std::make_unique<ColoTestbed>(options);
        testbed->AssignStreams(0);
        for (uint32_t i = 0; i < CLIENTS; i++)
        {
            dialogues.push_back(MakeDialogue(traffic, 80 + i));
            AddServer(i, GetPair().primary, isIpv6);
            AddServer(i, GetPair().secondary, isIpv6);
            AddClient(i);
        }
        GetPair().secondaryProxy->TraceConnectWithoutContext("TakeOver", Callback<void>([this] {
                                                                 takeOvers++;
                                                                 takenOver = Simulator::Now();
                                                             }));
        WatchSpeakers();
    }

    ~FailoverWorld()
    {
        apps.clear();
        testbed.reset();
        Simulator::Destroy();
    }

    const ColoPair& GetPair() const
    {
        return testbed->GetPairs()[0];
    }

    void AddServer(uint32_t index, const ColoGuestPlace& place, bool isIpv6)
    {
        auto server = CreateObject<ColoDialogueServer>();
        server->SetDialogue(dialogues[index]);
        server->SetAttribute("Protocol", TypeIdValue(ColoTcpSocketFactory::GetTypeId()));
        place.node->GetObject<ColoDivergence>()->SetAttribute("Content", DoubleValue(divergence));
        if (isIpv6)
        {
            server->SetAttribute("LocalAddress", AddressValue(Ipv6Address::GetAny()));
        }
        place.node->AddApplication(server);
        server->SetStartTime(Time());
    }

    void AddClient(uint32_t index)
    {
        auto app = CreateObject<ColoDialogueClient>();
        app->SetDialogue(dialogues[index]);
        app->SetAttribute("AcceptsTokens", BooleanValue(divergence > 0));
        app->SetAttribute("RemoteAddress", AddressValue(testbed->GetGuestAddress(0)));
        testbed->GetClients()[index]->AddApplication(app);
        app->SetStartTime(MilliSeconds(1) + MicroSeconds(37) * index);
        apps.push_back(app);
    }

    /** A fault, whatever it is. */
    void DoAt(Time time, std::function<void()> fault)
    {
        Simulator::Schedule(time, [this, fault] {
            lost = Simulator::Now();
            for (const auto& app : apps)
            {
                wasBusy = wasBusy || !app->IsFinished();
            }
            fault();
        });
    }

    /** A host dies; the other one knows it soon after. */
    void LoseAt(Time time, bool isPrimary = true)
    {
        DoAt(time, [this, isPrimary] { testbed->LoseHost(isPrimary, DETECTION); });
    }

    /** As soon as the core of a host wants this done, and a little later. */
    void DoOn(Ptr<ColoProxy> proxy, uint32_t action, Time later, std::function<void()> fault)
    {
        proxy->TraceConnectWithoutContext(
            "Action",
            Callback<void, uint32_t, uint32_t>([=](uint32_t actions, uint32_t) {
                if ((actions & action) && !isToLose)
                {
                    isToLose = true;
                    DoAt(later, fault);
                }
            }));
    }

    void LosePrimaryOn(Ptr<ColoProxy> proxy, uint32_t action, Time later)
    {
        DoOn(proxy, action, later, [this] { testbed->LoseHost(true, DETECTION); });
    }

    /** Note who sends frames of the guest to the clients, and when. */
    void WatchSpeakers()
    {
        for (const bool isPrimary : {true, false})
        {
            const auto& uplink =
                testbed->GetLinks().at(isPrimary ? "eth0-primary" : "eth0-secondary");
            uplink.second->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([this, isPrimary](Ptr<const Packet> frame) {
                    if (IsOfGuest(frame))
                    {
                        NoteSpeaker(isPrimary);
                    }
                }));
        }
    }

    void NoteSpeaker(bool isPrimary)
    {
        spoke[isPrimary] = Simulator::Now();
        spokenAfterTheOther += isPrimary && spoke[false].IsStrictlyPositive();
    }

    /** Count what the switch sends to the clients' and the dead host's port after the takeover. */
    void WatchSwitch()
    {
        const auto& links = testbed->GetLinks();
        links.at("client0").second->TraceConnectWithoutContext(
            "Sniffer",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> frame) {
                // Soon after it and from the guest's address: later, guests and clients ask as
                // ever.
                const bool isNow =
                    takeOvers > 0 && Simulator::Now() < takenOver + MicroSeconds(500);
                announcements += isNow && IsForAll(frame) && IsOfGuest(frame);
            }));
        links.at("eth0-primary")
            .first->TraceConnectWithoutContext(
                "Sniffer",
                Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> frame) {
                    const bool isLearned = Simulator::Now() > lost + DETECTION + MilliSeconds(1);
                    sentToDead += takeOvers > 0 && isLearned && !IsForAll(frame);
                }));
    }

    bool IsOfGuest(Ptr<const Packet> frame) const
    {
        EthernetHeader header;
        frame->PeekHeader(header);
        return header.GetSource() == GetPair().primary.tap.second->GetAddress();
    }

    static bool IsForAll(Ptr<const Packet> frame)
    {
        EthernetHeader header;
        frame->PeekHeader(header);
        return header.GetDestination().IsGroup();
    }

    void Run()
    {
        Simulator::Stop(Seconds(60));
        Simulator::Run();
    }

    bool IsRight() const
    {
        return GetWrong().empty();
    }

    /** \return what clients miss or should not have got; "" if all is right. */
    std::string GetWrong() const
    {
        std::string wrong;
        for (std::size_t i = 0; i < apps.size(); i++)
        {
            if (!apps[i]->IsFinished() || apps[i]->GetDataErrors() || apps[i]->GetResets() ||
                apps[i]->GetBytesReceived() != dialogues[i]->GetBytes(true))
            {
                wrong += fmt::format(" client {} {}: {} of {} bytes, {} wrong, {} resets;",
                                     i,
                                     apps[i]->IsFinished() ? "is done" : "is not done",
                                     apps[i]->GetBytesReceived(),
                                     dialogues[i]->GetBytes(true),
                                     apps[i]->GetDataErrors(),
                                     apps[i]->GetResets());
            }
        }
        return wrong;
    }

    double divergence;
    std::vector<std::shared_ptr<const ColoDialogue>> dialogues;
    std::unique_ptr<ColoTestbed> testbed;
    std::vector<Ptr<ColoDialogueClient>> apps;
    int takeOvers{0};
    Time spoke[2];              //!< when last: the secondary host, the primary host
    int spokenAfterTheOther{0}; //!< frames of the primary once the secondary spoke
    bool isToLose{false};
    Time lost;
    Time takenOver; //!< when last
    int announcements{0};
    int sentToDead{0};
    bool wasBusy{false}; //!< something was still to be done then
};

#endif /* MODEL_FAILOVER_WORLD_H */
