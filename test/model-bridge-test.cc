/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_bridge

#include "colo-bridge.h"
#include "colo-pause.h"
#include "model-abort.h"

#include "ns3/core-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>
#include <vector>

using namespace ns3;

namespace
{

const uint16_t PROTOCOL = 0x0800;

// A bridge with three ports, and a station behind each: the bridge's node is 0, the stations' 1
// to 3, and their addresses end in that number.
struct BridgeFixture
{
    BridgeFixture()
    {
        ColoPause::Enable();
        host = CreateObject<Node>();
        bridge = CreateObject<ColoBridge>();
        bridge->SetAddress(Mac(9));
        host->AddDevice(bridge);
        for (int i = 1; i <= 3; ++i)
        {
            SimpleNetDeviceHelper link;
            link.SetChannelAttribute("Delay", StringValue("10us"));
            auto devices = link.Install(NodeContainer(CreateObject<Node>(), host));
            devices.Get(0)->SetAddress(Mac(i));
            devices.Get(0)->SetReceiveCallback(NetDevice::ReceiveCallback(
                [this, i](Ptr<NetDevice>, Ptr<const Packet> packet, uint16_t, const Address&) {
                    Note("station " + std::to_string(i), packet);
                    return true;
                }));
            stations.push_back(devices.Get(0));
            ports.push_back(devices.Get(1));
            bridge->AddHookedPort(devices.Get(1));
        }
        bridge->SetReceiveCallback(NetDevice::ReceiveCallback(
            [this](Ptr<NetDevice>, Ptr<const Packet> packet, uint16_t, const Address&) {
                Note("host", packet);
                return true;
            }));
    }

    ~BridgeFixture()
    {
        Simulator::Destroy();
    }

    static Mac48Address Mac(int last)
    {
        return Mac48Address(("02:00:00:00:00:0" + std::to_string(last)).c_str());
    }

    void Note(const std::string& who, Ptr<const Packet> packet)
    {
        log += (log.empty() ? "" : ", ") + who + " " + std::to_string(packet->GetSize());
    }

    // Station i sends so many bytes.
    void Send(int i, Address to, uint32_t size)
    {
        Simulator::ScheduleWithContext(i, Time(), [this, i, to, size] {
            stations[i - 1]->Send(Create<Packet>(size), to, PROTOCOL);
        });
        Simulator::Run();
    }

    // A hook that notes what it sees and lets it go on or not.
    ColoBridge::Hook Hook(const std::string& name, bool letPass)
    {
        return ColoBridge::Hook([this, name, letPass](Ptr<NetDevice> port,
                                                      Ptr<const Packet> packet,
                                                      uint16_t,
                                                      const Address& from,
                                                      const Address& to) {
            Note(name, packet);
            hookPort = port;
            hookPacket = packet;
            hookFrom = from;
            hookTo = to;
            return letPass;
        });
    }

    Ptr<Node> host;
    Ptr<ColoBridge> bridge;
    std::vector<Ptr<NetDevice>> stations;
    std::vector<Ptr<NetDevice>> ports;
    std::string log;
    Ptr<NetDevice> hookPort;
    Ptr<const Packet> hookPacket;
    Address hookFrom;
    Address hookTo;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(bridging, BridgeFixture)

// Without hooks it is a learning bridge.
BOOST_AUTO_TEST_CASE(learns_where_stations_are)
{
    Send(1, Mac(2), 100); // flooded, 3 does not take it
    Send(2, Mac(1), 101);
    Send(3, Mac48Address::GetBroadcast(), 102);
    Send(1, Mac(9), 103);
    BOOST_TEST(log == "station 2 100, station 1 101, host 102, station 1 102, station 2 102, "
                      "host 103");
}

// The proxy sees what a guest sends before the bridge does, and can take it.
BOOST_AUTO_TEST_CASE(hook_can_take_what_comes_in)
{
    bridge->SetIngressHook(ports[0], Hook("hook", false));
    Send(1, Mac(2), 100);
    BOOST_TEST(log == "hook 100");
    BOOST_TEST(hookPort == ports[0]);
    BOOST_TEST(hookFrom == Address(Mac(1)));
    BOOST_TEST(hookTo == Address(Mac(2)));
}

BOOST_AUTO_TEST_CASE(hook_can_let_pass)
{
    bridge->SetIngressHook(ports[0], Hook("hook", true));
    Send(1, Mac(2), 100);
    BOOST_TEST(log == "hook 100, station 2 100");
}

// What was held goes on later as if it had just come in, and its sender is learned.
BOOST_AUTO_TEST_CASE(injected_frame_goes_on_past_the_hook)
{
    bridge->SetIngressHook(ports[0], Hook("hook", false));
    Send(1, Mac(2), 100);
    bridge->Inject(hookPort, hookPacket, PROTOCOL, hookFrom, hookTo);
    Simulator::Run();
    BOOST_TEST(log == "hook 100, station 2 100");

    bridge->SetIngressHook(ports[0], ColoBridge::Hook());
    bridge->SetEgressHook(ports[2], Hook("flooded", true));
    Send(2, Mac(1), 101);
    BOOST_TEST(log == "hook 100, station 2 100, station 1 101");
}

// What goes to the guest is seen instead of being sent, however it got to that port.
BOOST_AUTO_TEST_CASE(egress_hook_sees_unicast_flooded_broadcast_and_multicast)
{
    bridge->SetEgressHook(ports[1], Hook("egress", false));
    Send(1, Mac(2), 100); // not learned yet
    Send(2, Mac(1), 101);
    Send(1, Mac(2), 102); // learned
    Send(3, Mac48Address::GetBroadcast(), 103);
    Send(3, Mac48Address("01:00:5e:00:00:01"), 104);
    bridge->Send(Create<Packet>(105), Mac(2), PROTOCOL);
    Simulator::Run();
    BOOST_TEST(log == "egress 100, station 1 101, egress 102, host 103, egress 103, station 1 103, "
                      "host 104, egress 104, station 1 104, egress 105");
    BOOST_TEST(hookPort == ports[1]);
}

// Nobody else's frames come by: once learned, a unicast goes to one port only.
BOOST_AUTO_TEST_CASE(egress_hook_does_not_see_what_goes_elsewhere)
{
    Send(3, Mac(9), 100);
    bridge->SetEgressHook(ports[1], Hook("egress", false));
    Send(1, Mac(3), 101);
    BOOST_TEST(log == "host 100, station 3 101");
}

// The bridge does not send a frame back out of the port where its destination is.
BOOST_AUTO_TEST_CASE(frame_for_its_own_segment_stays_there)
{
    Send(1, Mac(9), 100);
    bridge->SetEgressHook(ports[1], Hook("egress", true));
    bridge->Inject(ports[0], Create<Packet>(101), PROTOCOL, Mac(7), Mac(1));
    Simulator::Run();
    BOOST_TEST(log == "host 100");
}

BOOST_AUTO_TEST_CASE(send_out_of_passes_the_egress_hook)
{
    bridge->SetEgressHook(ports[1], Hook("egress", false));
    BOOST_TEST(bridge->SendOutOf(ports[1], Create<Packet>(100), PROTOCOL, Mac(1), Mac(2)));
    Simulator::Run();
    BOOST_TEST(log == "station 2 100");
}

// A tap has no DataRate: one delay after the proxy stops sending, nothing is under way to the
// guest; and what the guest has sent is not frozen with it.
BOOST_AUTO_TEST_CASE(tap_is_drained_after_its_delay)
{
    Simulator::ScheduleWithContext(0, Time(), [this] {
        for (int i = 0; i < 50; ++i)
        {
            bridge->SendOutOf(ports[1], Create<Packet>(1000), PROTOCOL, Mac(1), Mac(2));
        }
    });
    std::size_t received = 0;
    stations[1]->SetReceiveCallback(NetDevice::ReceiveCallback(
        [&](Ptr<NetDevice>, Ptr<const Packet>, uint16_t, const Address&) {
            received++;
            stations[1]->Send(Create<Packet>(64), Mac(9), PROTOCOL);
            return true;
        }));
    const uint32_t guest = stations[1]->GetNode()->GetId();
    Simulator::ScheduleWithContext(0, MicroSeconds(10), [=] { ColoPause::Pause(guest); });
    Simulator::Stop(MicroSeconds(30));
    Simulator::Run();
    BOOST_TEST(received == 50);
    BOOST_TEST(std::count(log.begin(), log.end(), 'h') == 50);
}

BOOST_AUTO_TEST_CASE(unhooked_ports_are_refused)
{
    SimpleNetDeviceHelper link;
    auto devices = link.Install(NodeContainer(CreateObject<Node>(), host));
    bridge->AddBridgePort(devices.Get(1));
    BOOST_TEST(AbortMessage([] { Simulator::Run(); }).find("added by AddBridgePort()") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
