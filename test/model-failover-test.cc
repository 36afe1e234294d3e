/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#define BOOST_TEST_MODULE model_failover

#include "model-failover-world.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace bdata = boost::unit_test::data;

namespace
{

using Room = FailoverWorld;

const auto TRAFFICS = bdata::make({0, 1, 2});
const auto VERSIONS = bdata::make({false, true});
const auto CONTENTS = bdata::make({0.0, 0.2});

} // namespace

// At moments that lie over all of the exchange, and at odd distances from its frames.
BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_primary_host_dies,
                     TRAFFICS* VERSIONS* CONTENTS* bdata::xrange(3),
                     traffic,
                     isIpv6,
                     content,
                     seed)
{
    Room room(static_cast<Traffic>(traffic), isIpv6, content, seed + 1);
    const Time died = MicroSeconds(1100 + seed * 11003 + traffic * 1777 + (isIpv6 ? 3571 : 0));
    room.LoseAt(died);
    room.Run();
    BOOST_TEST(room.wasBusy);
    BOOST_TEST(room.IsRight(), "seed " << seed + 1 << ", died " << died.As(Time::US));
    BOOST_TEST(room.takeOvers == 1);
    BOOST_TEST((room.GetPair().secondaryProxy->GetNode().mode == COLO_MODE_ALONE));
}

BOOST_DATA_TEST_CASE(clients_do_not_notice_that_the_secondary_host_dies,
                     TRAFFICS* VERSIONS* CONTENTS* bdata::xrange(1),
                     traffic,
                     isIpv6,
                     content,
                     seed)
{
    Room room(static_cast<Traffic>(traffic), isIpv6, content, seed + 1);
    room.LoseAt(MicroSeconds(2000 + traffic * 7891), false);
    room.Run();
    BOOST_TEST(room.IsRight(), "seed " << seed + 1);
    BOOST_TEST(room.takeOvers == 0);
    const colo_node& node = room.GetPair().primaryProxy->GetNode();
    BOOST_TEST((node.mode == COLO_MODE_ALONE));
    BOOST_TEST(node.held_count == 0u);
}

// Within a checkpoint: at each of its steps on either host, and a little after it.
BOOST_DATA_TEST_CASE(a_checkpoint_under_way_is_no_obstacle,
                     VERSIONS* bdata::xrange(6) * bdata::make({0, 40}),
                     isIpv6,
                     step,
                     laterUs)
{
    const std::pair<bool, uint32_t> steps[] = {{true, COLO_ACTION_PAUSE},
                                               {false, COLO_ACTION_PAUSE},
                                               {false, COLO_ACTION_SEND_REPLY},
                                               {true, COLO_ACTION_SEND_STATE},
                                               {false, COLO_ACTION_SEND_RECEIVED},
                                               {false, COLO_ACTION_SEND_LOADED}};
    Room room(Traffic::REQUESTS, isIpv6, 0.2, 1 + step);
    Ptr<ColoProxy> proxy = room.GetPair().secondaryProxy;
    if (steps[step].first)
    {
        proxy = room.GetPair().primaryProxy;
    }
    room.LosePrimaryOn(proxy, steps[step].second, MicroSeconds(laterUs));
    room.Run();
    BOOST_TEST(room.wasBusy);
    BOOST_TEST(room.IsRight(), "step " << step << ", " << laterUs << " us after it");
    BOOST_TEST(room.takeOvers == 1);
}

// What is for the guest goes to the other host's port from the takeover on.
BOOST_DATA_TEST_CASE(the_network_learns_where_the_guest_is, VERSIONS, isIpv6)
{
    Room room(Traffic::REQUESTS, isIpv6, 0, 1);
    room.WatchSwitch();
    room.LoseAt(MilliSeconds(10));
    room.Run();
    BOOST_TEST(room.IsRight());
    BOOST_TEST(room.announcements == (isIpv6 ? 3 : 1));
    BOOST_TEST(room.sentToDead == 0);
}
