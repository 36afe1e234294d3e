/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The proxies: what they put on their links, what they let pass, and what they tell.
#define BOOST_TEST_MODULE model_proxy
#include "model-fragments.h"
#include "model-proxy-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

namespace bdata = boost::unit_test::data;

namespace
{

/** An ARP request with a shim before it. */
Bytes
ShimmedArp(uint8_t version, uint8_t kind, uint16_t node, uint32_t epoch)
{
    Bytes bytes{version, kind};
    bytes.insert(bytes.end(), {uint8_t(node >> 8), uint8_t(node)});
    bytes.insert(bytes.end(), {0, 0, uint8_t(epoch >> 8), uint8_t(epoch), 0x08, 0x06});
    const Bytes arp{0,  1, 8, 0,   6, 4, 0, 1, 2, 0, 0,  0, 0, 9,
                    10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 10, 0, 0, 77};
    bytes.insert(bytes.end(), arp.begin(), arp.end());
    return bytes;
}

} // namespace

// Rule ckpt-epoch, both ways.
BOOST_DATA_TEST_CASE(frames_of_another_epoch_or_node_are_dropped,
                     bdata::make({true, false}),
                     isFromPrimaryHost)
{
    Puppets world([](ColoHelper& helper) { helper.SetNodeIndex(259); });
    const Tap behind = isFromPrimaryHost ? Tap::TO_SECONDARY : Tap::TO_CLIENT;
    int& stale = isFromPrimaryHost ? world.staleAtSecondary : world.staleAtPrimary;
    auto forge = [&](uint8_t version, uint8_t kind, uint16_t node, uint32_t epoch) {
        const std::size_t before = world.seen[behind].size();
        const int staleBefore = stale;
        world.Forge(MilliSeconds(50), isFromPrimaryHost, ShimmedArp(version, kind, node, epoch));
        world.Run(MilliSeconds(60));
        const bool passed = world.seen[behind].size() > before;
        BOOST_TEST(passed == (stale == staleBefore));
        return passed;
    };
    BOOST_TEST(forge(1, 0, 259, 0));
    world.RequestCheckpointAt(MilliSeconds(1));
    world.Run(MilliSeconds(100));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_TEST(!forge(1, 0, 259, 0), "the old epoch");
    BOOST_TEST(forge(1, 0, 259, 1));
    BOOST_TEST(!forge(1, 0, 259, 2), "an epoch to come");
    BOOST_TEST(!forge(1, 0, 258, 1), "another node");
    BOOST_TEST(!forge(1, 0, 3, 1), "another node");
    BOOST_TEST(!forge(2, 0, 259, 1), "another version");
    BOOST_TEST(!forge(1, 9, 259, 1), "an unknown kind");
    BOOST_TEST(forge(1, 0, 259, 1));
    BOOST_TEST(stale == 6);
}

BOOST_AUTO_TEST_CASE(short_and_forged_shims_do_no_harm)
{
    const uint32_t seed = 20151;
    std::mt19937 random(seed);
    PairOptions options;
    options.dialogue = LongTalk(2, 4, 5000, 20000);
    PairWorld world(options);
    int stale = 0;
    for (const Ptr<ColoProxy>& proxy :
         std::initializer_list<Ptr<ColoProxy>>{world.pair.primaryProxy, world.pair.secondaryProxy})
    {
        proxy->TraceConnectWithoutContext("Stale", Puppets::Count(stale));
    }
    for (const auto& host : {world.pair.hosts.primary, world.pair.hosts.secondary})
    {
        host->TraceConnectWithoutContext("Stale", Puppets::Count(stale));
    }
    int sent = 0;
    for (int i = 0; i < 600; i++)
    {
        const bool isToPrimary = i % 2;
        Bytes bytes(random() % (i % 4 < 2 ? 12 : 80));
        for (uint8_t& byte : bytes)
        {
            byte = random();
        }
        if (isToPrimary && bytes.size() >= 10)
        {
            const Bytes shim{1, uint8_t(random() % 2), 0, 0, 0, 0, 0, 0, 8, 0};
            std::copy(shim.begin(), shim.end(), bytes.begin()); // right, but nonsense behind it
        }
        else if (!bytes.empty())
        {
            bytes[0] = 3;
        }
        Ptr<ColoLinkDevice> device =
            isToPrimary ? world.pair.secDev.second : world.pair.secDev.first;
        sent++;
        Simulator::ScheduleWithContext(device->GetNode()->GetId(), MicroSeconds(50 * i), [=] {
            device->SendFrom(Create<Packet>(bytes.data(), bytes.size()),
                             device->GetAddress(),
                             device->GetBroadcast(),
                             COLO_SHIM_ETHERTYPE);
        });
    }
    world.Run();
    BOOST_TEST(world.IsRight(), "seed " << seed);
    BOOST_TEST(stale > 400);
    BOOST_TEST(stale < sent);
}

// The packet that goes on is the guest's own, also when its header had to be edited.
BOOST_DATA_TEST_CASE(tags_survive_the_proxy, bdata::make({"1:101(100)", "1:1(0)"}), positions)
{
    for (int window : {2000, 300})
    {
        Puppets world;
        world.Primary(T, "P. 0:1(1) ack 1");
        world.Secondary(T, "P. 0:1(1) ack 1");
        world.Secondary(T, std::string("P. ") + positions + " ack 1 win " + std::to_string(window));
        world.Primary(T + T, std::string("P. ") + positions + " ack 1 win 2000", 500);
        world.Run(Seconds(1));
        const auto& left = world.seen[Tap::TO_CLIENT];
        BOOST_REQUIRE(left.size() == 2);
        BOOST_TEST(Tcp::Parse(left[1].bytes)->window == window);
        BOOST_TEST(colo_test::IsChecksumRight(left[1].bytes));
        CountTag tag;
        BOOST_REQUIRE(left[1].packet->PeekPacketTag(tag));
        BOOST_TEST(tag.count == 500);
        BOOST_REQUIRE(left[1].packet->FindFirstMatchingByteTag(tag));
        BOOST_TEST(tag.count == 501);
        std::set<uint32_t> tagged;
        ByteTagIterator i = left[1].packet->GetByteTagIterator();
        while (i.HasNext())
        {
            ByteTagIterator::Item item = i.Next();
            for (uint32_t at = item.GetStart(); at < item.GetEnd(); at++)
            {
                tagged.insert(at);
            }
        }
        BOOST_TEST(tagged.size() == left[1].bytes.size() - 14, "window " << window);
        BOOST_TEST(*tagged.begin() == 14);
    }
}

// Which byte of a datagram was edited, its fragments do not know.
BOOST_AUTO_TEST_CASE(fragments_leave_with_edits_and_tags)
{
    Puppets world;
    auto sendFragments = [&](Time time, const std::string& line) {
        const Bytes whole = world.Build(line);
        auto fragments = colo_test::Cut(colo_test::DatagramOf(whole), {8, 16});
        for (Bytes& fragment : fragments)
        {
            std::copy(whole.begin(), whole.begin() + 12, fragment.begin()); // the link addresses
            world.At(time, world.pair.primary.tap.second, fragment, 500);
        }
        return fragments;
    };
    world.Primary(T, "P. 0:1(1) ack 1");
    world.Secondary(T, "P. 0:1(1) ack 1");
    world.Secondary(T * 2, "P. 1:101(100) ack 1 win 300");
    const auto sent = sendFragments(T * 3, "P. 1:101(100) ack 1 win 2000");
    world.Secondary(T * 4, ". 101:101(0) ack 501 win 300");
    sendFragments(T * 5, ". 101:101(0) ack 501 win 2000");
    world.Run(Seconds(1));
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 5);
    const std::size_t data = 14 + 20;
    for (std::size_t i = 0; i < 3; i++)
    {
        Bytes expected = sent[i];
        if (i == 1)
        {
            colo_put16(&expected[data + 14 - 8], 300);
        }
        if (i == 2)
        {
            const uint16_t raised = colo_get16(&expected[data]) + 2000 - 300;
            colo_put16(&expected[data], raised + (raised < 1700)); // RFC 1624
        }
        BOOST_TEST(left[i + 1].bytes == expected, "fragment " << i);
        CountTag tag;
        BOOST_TEST(left[i + 1].packet->PeekPacketTag(tag));
        BOOST_TEST(tag.count == 500);
        BOOST_TEST(left[i + 1].packet->FindFirstMatchingByteTag(tag));
    }
    // An ack that is to be sent again stays, and leaves as a whole.
    BOOST_REQUIRE(left[4].bytes.size() == data + 20);
    BOOST_TEST(Tcp::Parse(left[4].bytes)->window == 300);
    BOOST_TEST(colo_test::IsChecksumRight(left[4].bytes));
}

BOOST_AUTO_TEST_CASE(kcolo_wakes_up_once_and_then_works_frame_by_frame)
{
    const Time wakeup = MicroSeconds(70);
    const Time perFrame = MicroSeconds(11);
    const Time perKib = MicroSeconds(4);
    Puppets world([&](ColoHelper& helper) {
        helper.SetPrimaryProxyAttribute("KcoloWakeup", TimeValue(wakeup));
        helper.SetPrimaryProxyAttribute("KcoloCostPerFrame", TimeValue(perFrame));
        helper.SetPrimaryProxyAttribute("KcoloCostPerKib", TimeValue(perKib));
    });
    // A frame of 1024 bytes: 14 + 20 + 20 + 970.
    world.Secondary(T, "P. 1:1401(1400) ack 1");
    world.Secondary(T, "P. 1401:2801(1400) ack 1");
    world.Secondary(T, "P. 2801:2911(110) ack 1");
    world.Primary(T + T, "P. 1:971(970) ack 1");
    world.Primary(T + T, "P. 971:1941(970) ack 1");
    world.Primary(T + T, "P. 1941:2911(970) ack 1");
    world.Run(Seconds(1));
    const auto& left = world.seen[Tap::TO_CLIENT];
    BOOST_REQUIRE(left.size() == 3);
    for (int i = 0; i < 3; i++)
    {
        const Time held = wakeup + (perFrame + perKib) * (i + 1);
        BOOST_TEST((left[i].time == T + T + TAP_DELAY + held), "frame " << i);
        BOOST_TEST((world.Find(ColoVerdict::RELEASE)[i].held == held));
    }
}

BOOST_AUTO_TEST_CASE(ack_policy_holds_or_clamps)
{
    for (const char* policy : {"Hold", "Clamp"})
    {
        Puppets world(WithPrimary("AckPolicy", StringValue(policy)));
        world.Primary(T, "P. 1:2(1) ack 1");
        world.Secondary(T, "P. 1:2(1) ack 1");
        world.Secondary(T + T, ". 2:2(0) ack 501");
        world.Primary(T + T + T, ". 2:2(0) ack 1001");
        world.Run(MilliSeconds(500));
        const auto& left = world.seen[Tap::TO_CLIENT];
        const bool isClamp = policy == std::string("Clamp");
        BOOST_REQUIRE(left.size() == (isClamp ? 2 : 1));
        BOOST_TEST(Tcp::Parse(left.back().bytes)->ack == (isClamp ? 501 : 1));
    }
}

BOOST_AUTO_TEST_CASE(compare_timeout_of_the_secondary_ends_the_wait_for_a_hint)
{
    Puppets world([](ColoHelper& helper) {
        helper.SetSecondaryProxyAttribute("CompareTimeout", TimeValue(MilliSeconds(40)));
    });
    std::vector<std::pair<Time, ColoVerdict>> told;
    world.pair.secondaryProxy->TraceConnectWithoutContext(
        "Verdict",
        Callback<void, const ColoVerdict&>(
            [&](const ColoVerdict& verdict) { told.emplace_back(Simulator::Now(), verdict); }));
    world.Secondary(T, "S. 0:0(0) ack 1");
    world.Run(Seconds(1));
    BOOST_REQUIRE(told.size() == 1);
    BOOST_TEST((told[0].first == T + TAP_DELAY + MilliSeconds(40)));
    BOOST_TEST(told[0].second.event == ColoVerdict::DROP);
    BOOST_TEST(told[0].second.reason == COLO_DROP_EXPIRED);
    BOOST_TEST((told[0].second.held == MilliSeconds(40)));
    BOOST_TEST(world.seen[Tap::FORWARDED].empty());
}

BOOST_AUTO_TEST_CASE(lag_comes_before_the_secondary_guest)
{
    for (Time lag : {Time(), MilliSeconds(3)})
    {
        Puppets world(
            [&](ColoHelper& helper) { helper.SetSecondaryProxyAttribute("Lag", TimeValue(lag)); });
        world.Client(T, ". 1:1(0) ack 1");
        world.Run(Seconds(1));
        BOOST_REQUIRE(world.seen[Tap::TO_PRIMARY].size() == 1);
        BOOST_REQUIRE(world.seen[Tap::TO_SECONDARY].size() == 1);
        BOOST_TEST(
            (world.seen[Tap::TO_SECONDARY][0].time - world.seen[Tap::TO_PRIMARY][0].time == lag));
        BOOST_TEST(
            (world.seen[Tap::TO_SECONDARY][0].bytes == world.seen[Tap::TO_PRIMARY][0].bytes));
    }
}

BOOST_AUTO_TEST_CASE(only_what_has_to_wait_is_told_as_held)
{
    Puppets world;
    std::vector<ColoVerdict> holds;
    world.pair.primaryProxy->TraceConnectWithoutContext(
        "Hold",
        Callback<void, const ColoVerdict&>(
            [&](const ColoVerdict& verdict) { holds.push_back(verdict); }));
    world.Secondary(T, "P. 1:101(100) ack 1");
    world.Primary(T + T, "P. 1:101(100) ack 1"); // the secondary was first
    world.Primary(T * 3, "P. 101:201(100) ack 1");
    world.Primary(T * 4, "P. 1:101(100) ack 1"); // a repeat
    world.Secondary(T * 5, "P. 101:201(100) ack 1");
    world.Run(Seconds(1));
    BOOST_REQUIRE(world.Find(ColoVerdict::RELEASE).size() == 3);
    BOOST_REQUIRE(holds.size() == 1);
    BOOST_TEST(holds[0].seq == 101);
    BOOST_TEST(holds[0].bytes == 100);
    BOOST_TEST(holds[0].GetFlowName() == "10.0.0.2:80 > 10.0.0.9:40000");
    BOOST_TEST(holds[0].GetEventName() == std::string("hold"));
    BOOST_TEST((holds[0].held > Time() && holds[0].held < MicroSeconds(50)));
    BOOST_TEST(world.Find(ColoVerdict::HOLD).empty(), "they are no verdicts");
}

BOOST_AUTO_TEST_CASE(actions_of_the_core_are_told)
{
    Puppets world;
    std::vector<std::pair<uint32_t, uint32_t>> asked;
    std::vector<std::pair<uint32_t, uint32_t>> loaded;
    auto note = [](auto& to, uint32_t wanted) {
        return Callback<void, uint32_t, uint32_t>([&to, wanted](uint32_t actions, uint32_t epoch) {
            if (actions & wanted)
            {
                to.emplace_back(actions & wanted, epoch);
            }
        });
    };
    world.pair.primaryProxy->TraceConnectWithoutContext("Action",
                                                        note(asked, COLO_ACTION_SEND_REQUEST));
    world.pair.secondaryProxy->TraceConnectWithoutContext("Action", note(loaded, COLO_ACTION_LOAD));
    world.RequestCheckpointAt(MilliSeconds(1));
    world.RequestCheckpointAt(MilliSeconds(100));
    world.Run(Seconds(1));
    BOOST_TEST(asked.size() == 2);
    BOOST_TEST(loaded.size() == 2);
    BOOST_TEST(asked.back().second == 2);
}

BOOST_AUTO_TEST_CASE(verdicts_say_what_happened_to_which_packet)
{
    Puppets world;
    world.Primary(T, "P. 1:101(100) ack 1");
    world.Secondary(T + T, "P. 1:101(100) ack 1");
    world.Primary(T * 3, "P. 101:201(100) ack 1");
    world.Secondary(T * 4, "P. 101:121(20) ack 1 fill 'x'");
    world.Run(Seconds(1));
    const char* flow = "10.0.0.2:80 > 10.0.0.9:40000";
    const auto releases = world.Find(ColoVerdict::RELEASE);
    BOOST_REQUIRE(releases.size() == 2);
    BOOST_TEST(releases[0].reason == COLO_RELEASE_MATCHED);
    BOOST_TEST(releases[0].GetFlowName() == flow);
    BOOST_TEST(releases[0].seq == 1);
    BOOST_TEST(releases[0].bytes == 100);
    BOOST_TEST((releases[0].held > T && releases[0].held < T + MicroSeconds(50)));
    BOOST_TEST(releases[0].GetEventName() == std::string("release"));
    BOOST_TEST(releases[0].GetSideName() == std::string("primary"));
    BOOST_TEST(releases[1].reason == COLO_RELEASE_COMMIT);

    const auto mismatches = world.Find(ColoVerdict::MISMATCH);
    BOOST_REQUIRE(mismatches.size() == 1);
    BOOST_TEST(mismatches[0].reason == COLO_MISMATCH_BYTES);
    BOOST_TEST(mismatches[0].GetFlowName() == flow);
    BOOST_TEST(mismatches[0].seq == 101);
    const auto drops = world.Find(ColoVerdict::DROP, COLO_SECONDARY);
    BOOST_REQUIRE(drops.size() == 2);
    BOOST_TEST(drops[0].reason == COLO_DROP_COMPARED);
    BOOST_TEST(drops[1].reason == COLO_DROP_COMMIT);
    BOOST_TEST(drops[0].GetSideName() == std::string("secondary"));
    BOOST_REQUIRE(world.checkpoints.size() == 1);
    BOOST_TEST(world.checkpoints[0].reason == COLO_MISMATCH_BYTES);
}

BOOST_AUTO_TEST_CASE(mirrored_frames_carry_node_and_epoch)
{
    Puppets world([](ColoHelper& helper) { helper.SetNodeIndex(0x1234); });
    world.RequestCheckpointAt(T);
    world.Client(T * 10, ". 1:1(0) ack 1");
    world.Primary(T * 11, "S. 0:0(0) ack 1");
    world.Secondary(T * 10, "P. 1:101(100) ack 1");
    world.Run(Seconds(1));
    const Bytes shim{0x88, 0xb5, 1, 0, 0x12, 0x34, 0, 0, 0, 1, 8, 0};
    Bytes hint = shim;
    hint[3] = 1;
    auto head = [](const Seen& frame) {
        return Bytes(frame.bytes.begin() + 12, frame.bytes.begin() + 24);
    };
    BOOST_REQUIRE(world.seen[Tap::MIRRORED].size() == 2);
    BOOST_TEST(head(world.seen[Tap::MIRRORED][0]) == shim, boost::test_tools::per_element());
    BOOST_TEST(head(world.seen[Tap::MIRRORED][1]) == hint, boost::test_tools::per_element());
    BOOST_REQUIRE(!world.seen[Tap::FORWARDED].empty());
    BOOST_TEST(head(world.seen[Tap::FORWARDED][0]) == shim, boost::test_tools::per_element());
}
