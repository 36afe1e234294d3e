/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_pause

#include "colo-pause.h"
#include "model-abort.h"

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace ns3;

namespace
{

const uint32_t GUEST = 7;  // a context; most tests need no node
const uint32_t OTHER = 8;  // another one
const uint32_t HOST = 100; // where pauses come from

// Works on the simulator that every test has for itself.
struct Run
{
    Run()
    {
        ColoPause::Enable();
    }

    ~Run()
    {
        Simulator::Destroy();
    }

    // Do something in a node's context at a time.
    void At(uint32_t context, Time when, std::function<void()> what)
    {
        Simulator::ScheduleWithContext(context, when - Simulator::Now(), what);
    }

    void PauseGuest(Time from, Time to)
    {
        At(HOST, from, [] { ColoPause::Pause(GUEST); });
        At(HOST, to, [] { ColoPause::Resume(GUEST); });
    }

    // Note in the log, when it is run, the time in ms and a word.
    std::function<void()> Note(const std::string& word)
    {
        return [this, word] {
            log += (log.empty() ? "" : " ") + word + "@" +
                   std::to_string(Simulator::Now().GetMilliSeconds());
        };
    }

    std::string log;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(pausing, Run)

// The point of a pause: nothing runs in it, and what was left of a delay before is left after.
BOOST_AUTO_TEST_CASE(shifts_every_event_by_the_pause)
{
    At(GUEST, MilliSeconds(1), [this] {
        Simulator::Schedule(MilliSeconds(9), Note("a"));
        Simulator::Schedule(MilliSeconds(12), Note("b"));
        Simulator::Schedule(MilliSeconds(90), Note("c"));
    });
    PauseGuest(MilliSeconds(11), MilliSeconds(31));
    Simulator::Run();
    BOOST_TEST(log == "a@10 b@33 c@111");
}

// Each pause adds to those before.
BOOST_AUTO_TEST_CASE(shifts_again_at_a_second_pause)
{
    At(GUEST, MilliSeconds(1), [this] { Simulator::Schedule(MilliSeconds(99), Note("a")); });
    PauseGuest(MilliSeconds(10), MilliSeconds(20));
    PauseGuest(MilliSeconds(50), MilliSeconds(80));
    Simulator::Run();
    BOOST_TEST(log == "a@140");
}

// Only the guest stands still; both guests can, each for its own time.
BOOST_AUTO_TEST_CASE(leaves_other_nodes_alone)
{
    At(GUEST, MilliSeconds(1), [this] { Simulator::Schedule(MilliSeconds(20), Note("guest")); });
    At(OTHER, MilliSeconds(1), [this] { Simulator::Schedule(MilliSeconds(20), Note("other")); });
    At(9, MilliSeconds(1), [this] { Simulator::Schedule(MilliSeconds(20), Note("third")); });
    PauseGuest(MilliSeconds(10), MilliSeconds(40));
    At(HOST, MilliSeconds(15), [] { ColoPause::Pause(OTHER); });
    At(HOST, MilliSeconds(20), [] { ColoPause::Resume(OTHER); });
    Simulator::Run();
    BOOST_TEST(log == "third@21 other@26 guest@51");
}

// Frames that arrive during the pause are there at the resume, in the order of their arrival;
// one that is still on its way then arrives when it is due.
BOOST_AUTO_TEST_CASE(delivers_at_the_resume_what_arrived_meanwhile)
{
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    At(HOST, MilliSeconds(12), [this] {
        At(GUEST, MilliSeconds(20), Note("second"));
        At(GUEST, MilliSeconds(15), Note("first"));
        At(GUEST, MilliSeconds(35), Note("later"));
    });
    Simulator::Run();
    BOOST_TEST(log == "first@30 second@30 later@35");
}

// A frame that was on its way before the pause is shifted like the guest's own events: that is why
// links are drained first.
BOOST_AUTO_TEST_CASE(shifts_what_was_on_its_way_before)
{
    At(GUEST, MilliSeconds(15), Note("frame"));
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    Simulator::Run();
    BOOST_TEST(log == "frame@35");
}

// A guest that is stopped in the middle of an instant could not be copied: what TCP does "now" is
// in events that nothing else knows of.
BOOST_AUTO_TEST_CASE(finishes_the_present_instant_first)
{
    At(HOST, MilliSeconds(10), [this] {
        At(GUEST, MilliSeconds(10), [this] {
            Note("a")();
            Simulator::ScheduleNow(Note("b"));
            Simulator::Schedule(NanoSeconds(1), Note("c"));
        });
        ColoPause::Pause(GUEST);
        BOOST_TEST(!ColoPause::IsQuiet(GUEST));
    });
    At(HOST, MilliSeconds(11), [] { BOOST_TEST(ColoPause::IsQuiet(GUEST)); });
    At(HOST, MilliSeconds(30), [] { ColoPause::Resume(GUEST); });
    Simulator::Run();
    BOOST_TEST(log == "a@10 b@10 c@30");
}

// Timers of a clone are started while its node is paused, with what the original has left.
BOOST_AUTO_TEST_CASE(counts_delays_set_during_the_pause_from_the_resume)
{
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    EventId event;
    At(HOST, MilliSeconds(20), [&] {
        {
            ColoPause::InContext inContext(GUEST);
            event = Simulator::Schedule(MilliSeconds(5), Note("guest"));
            Simulator::ScheduleNow(Note("at once"));
        }
        Simulator::Schedule(MilliSeconds(5), Note("host"));
        BOOST_TEST(event.GetContext() == GUEST);
        BOOST_TEST(Simulator::GetDelayLeft(event) == MilliSeconds(5));
    });
    At(HOST, MilliSeconds(28), [&] {
        BOOST_TEST(!event.IsExpired());
        BOOST_TEST(Simulator::GetDelayLeft(event) == MilliSeconds(5));
    });
    Simulator::Run();
    BOOST_TEST(log == "host@25 at once@30 guest@35");
    BOOST_TEST(event.IsExpired());
}

// An EventId keeps the time at which the event was to run at first; the simulator must not be
// misled by it, in the pause or after.
BOOST_AUTO_TEST_CASE(knows_the_delay_left_of_a_moved_event)
{
    EventId event;
    At(GUEST, MilliSeconds(1), [&] { event = Simulator::Schedule(MilliSeconds(14), Note("a")); });
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    for (int ms : {11, 15, 16, 29})
    {
        At(HOST, MilliSeconds(ms), [&] {
            BOOST_TEST(!event.IsExpired());
            BOOST_TEST(Simulator::GetDelayLeft(event) == MilliSeconds(5));
        });
    }
    At(HOST, MilliSeconds(32), [&] {
        BOOST_TEST(!event.IsExpired());
        BOOST_TEST(Simulator::GetDelayLeft(event) == MilliSeconds(3));
    });
    At(HOST, MilliSeconds(36), [&] {
        BOOST_TEST(event.IsExpired());
        BOOST_TEST(Simulator::GetDelayLeft(event).IsZero());
    });
    Simulator::Run();
    BOOST_TEST(log == "a@35");
}

// Cancelling works whenever it is done: frozen, or put back and past the first time.
BOOST_AUTO_TEST_CASE(cancels_moved_events)
{
    for (int ms : {12, 20, 32})
    {
        auto event = std::make_shared<EventId>();
        At(GUEST, MilliSeconds(1), [this, event] {
            *event = Simulator::Schedule(MilliSeconds(14), Note("cancelled"));
        });
        At(HOST, MilliSeconds(ms), [event] {
            event->Cancel();
            BOOST_TEST(event->IsExpired());
        });
    }
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    At(GUEST, MilliSeconds(17), Note("kept"));
    Simulator::Run();
    BOOST_TEST(log == "kept@37");
}

// Removing takes the event out of the queue, so that the simulation can end sooner.
BOOST_AUTO_TEST_CASE(removes_moved_events)
{
    for (int ms : {12, 20, 32})
    {
        auto event = std::make_shared<EventId>();
        At(GUEST, MilliSeconds(1), [this, event] {
            *event = Simulator::Schedule(Seconds(14), Note("removed"));
        });
        At(HOST, MilliSeconds(ms), [event] { event->Remove(); });
    }
    PauseGuest(MilliSeconds(10), MilliSeconds(30));
    Simulator::Run();
    BOOST_TEST(log.empty());
    BOOST_TEST(Simulator::Now() == MilliSeconds(32));
}

// What has run stays expired, also while a frame that waited for the resume is handled at the
// same time: its id is older.
BOOST_AUTO_TEST_CASE(does_not_revive_what_ran_before_the_resume)
{
    EventId atResume;
    At(HOST, MilliSeconds(10), [] { ColoPause::Pause(GUEST); });
    At(HOST, MilliSeconds(12), [&] {
        At(GUEST, MilliSeconds(12), [&] {
            Note("frame")();
            BOOST_TEST(atResume.IsExpired());
        });
    });
    At(HOST, MilliSeconds(20), [&] {
        atResume = Simulator::Schedule(MilliSeconds(10), [] { ColoPause::Resume(GUEST); });
    });
    Simulator::Run();
    BOOST_TEST(log == "frame@30");
}

// A process may run many simulations, each of its own.
BOOST_AUTO_TEST_CASE(can_be_enabled_again_for_another_run)
{
    for (int run = 0; run < 3; ++run)
    {
        Simulator::Destroy();
        ColoPause::Enable();
        BOOST_TEST(!ColoPause::IsPaused(GUEST));
        At(GUEST, MilliSeconds(5), Note("a"));
        At(HOST, MilliSeconds(1), [] { ColoPause::Pause(GUEST); });
        if (run > 0) // the first run ends with the guest paused
        {
            At(HOST, MilliSeconds(3), [] { ColoPause::Resume(GUEST); });
        }
        Simulator::Run();
        BOOST_TEST(ColoPause::IsPaused(GUEST) == (run == 0));
    }
    BOOST_TEST(log == "a@7 a@7");
}

BOOST_AUTO_TEST_CASE(refuses_to_pause_twice)
{
    ColoPause::Pause(GUEST);
    BOOST_TEST(AbortMessage([] { ColoPause::Pause(GUEST); }).find("node 7 is paused already") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(refuses_to_resume_what_runs)
{
    BOOST_TEST(AbortMessage([] { ColoPause::Resume(GUEST); }).find("node 7 is not paused") !=
               std::string::npos);
}

// A whole TCP sender in mid-transfer: not one packet leaves in the pause, none is lost by it.
BOOST_AUTO_TEST_CASE(silences_a_sending_guest)
{
    NodeContainer nodes(2);
    InternetStackHelper().Install(nodes);
    SimpleNetDeviceHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("1Gbps"));
    link.SetChannelAttribute("Delay", StringValue("1ms"));
    Ipv4AddressHelper addresses("10.1.1.0", "255.255.255.0");
    auto interfaces = addresses.Assign(link.Install(nodes));
    PacketSinkHelper sinkHelper("ns3::TcpSocketFactory",
                                InetSocketAddress(Ipv4Address::GetAny(), 9));
    auto sink = DynamicCast<PacketSink>(sinkHelper.Install(nodes.Get(0)).Get(0));
    BulkSendHelper bulk("ns3::TcpSocketFactory", InetSocketAddress(interfaces.GetAddress(0), 9));
    bulk.SetAttribute("MaxBytes", UintegerValue(5000000));
    bulk.Install(nodes.Get(1));

    std::vector<Time> sent;
    using Tx = Callback<void, Ptr<const Packet>, Ptr<Ipv4>, uint32_t>;
    nodes.Get(1)->GetObject<Ipv4L3Protocol>()->TraceConnectWithoutContext(
        "Tx",
        Tx([&](Ptr<const Packet>, Ptr<Ipv4>, uint32_t) { sent.push_back(Simulator::Now()); }));
    const Time from = MilliSeconds(100);
    const Time to = MilliSeconds(120);
    At(HOST, from, [] { ColoPause::Pause(1); });
    At(HOST, to, [] { ColoPause::Resume(1); });
    Simulator::Stop(Seconds(20));
    Simulator::Run();

    int before = 0;
    int during = 0;
    int after = 0;
    for (Time t : sent)
    {
        (t <= from ? before : t < to ? during : after)++;
    }
    BOOST_TEST(before > 0);
    BOOST_TEST(during == 0);
    BOOST_TEST(after > 0);
    BOOST_TEST(sink->GetTotalRx() == 5000000);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(pausing_unavailable)

BOOST_AUTO_TEST_CASE(refuses_a_simulator_that_was_not_enabled)
{
    const std::string message = AbortMessage([] {
        GlobalValue::Bind("SimulatorImplementationType", StringValue("ns3::DefaultSimulatorImpl"));
        ColoPause::Pause(1);
    });
    BOOST_TEST(message.find("call ColoPause::Enable() before") != std::string::npos);
    BOOST_TEST(message.find("ns3::DefaultSimulatorImpl") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(refuses_the_realtime_simulator)
{
    const std::string message = AbortMessage([] {
        GlobalValue::Bind("SimulatorImplementationType", StringValue("ns3::RealtimeSimulatorImpl"));
        ColoPause::Enable();
    });
    BOOST_TEST(message.find("cannot be paused under ns3::RealtimeSimulatorImpl") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
