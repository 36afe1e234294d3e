/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What coloctl makes of the kernel's messages, built here as the kernel would.
#define BOOST_TEST_MODULE tool_report
extern "C"
{
#include "../kernel-ref/coloctl/config.h"
#include "../kernel-ref/coloctl/json.h"
#include "../kernel-ref/coloctl/names.h"
#include "../kernel-ref/coloctl/options.h"
#include "../kernel-ref/coloctl/report.h"
}

#include "colo_node.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <linux/genetlink.h>
#include <nlohmann/json.hpp>
#include <random>

namespace
{

using Json = nlohmann::json;
using Handler = void (*)(const nlmsghdr*, void*);

// A message of the family "colo".
struct Message
{
    explicit Message(uint8_t command = COLO_CMD_NODE_GET)
    {
        header = mnl_nlmsg_put_header(buffer);
        auto generic =
            static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(header, sizeof(genlmsghdr)));
        generic->cmd = command;
    }

    alignas(8) char buffer[8192];
    nlmsghdr* header;
};

// What a function prints to a file.
template <typename F>
std::string
Printed(F print)
{
    char* text = nullptr;
    size_t length = 0;
    FILE* file = open_memstream(&text, &length);
    print(file);
    fclose(file);
    std::string result(text, length);
    free(text);
    return result;
}

std::string
Report(const Message& message, Handler handle, bool asJson)
{
    return Printed([&](FILE* file) {
        report report;
        report_init(&report, file, asJson);
        handle(message.header, &report);
        report_end(&report, false);
    });
}

std::string
Event(const Message& message, bool asJson)
{
    return Printed([&](FILE* file) {
        report report;
        report_init(&report, file, asJson);
        report_event(message.header, &report, 12, 34);
    });
}

void
PutFlow(nlmsghdr* header)
{
    const uint8_t guest[] = {10, 0, 0, 2};
    const uint8_t peer[] = {10, 0, 0, 1};
    nlattr* nest = mnl_attr_nest_start(header, COLO_A_FLOW);
    mnl_attr_put_u8(header, COLO_F_FAMILY, 4);
    mnl_attr_put_u8(header, COLO_F_PROTOCOL, 6);
    mnl_attr_put(header, COLO_F_GUEST, 4, guest);
    mnl_attr_put(header, COLO_F_PEER, 4, peer);
    mnl_attr_put_u16(header, COLO_F_GUEST_PORT, 80);
    mnl_attr_put_u16(header, COLO_F_PEER_PORT, 40000);
    mnl_attr_put_u16(header, COLO_F_VLAN, 7);
    mnl_attr_put_u32(header, COLO_F_HELD, 3);
    mnl_attr_put_u32(header, COLO_F_MATCHED, 4294967295U);
    mnl_attr_put(header, COLO_F_DIVERGED, 0, nullptr);
    mnl_attr_nest_end(header, nest);
}

void
PutNode(nlmsghdr* header)
{
    mnl_attr_put_u32(header, COLO_A_INDEX, 65535);
    mnl_attr_put_u8(header, COLO_A_ROLE, COLO_GENL_PRIMARY);
    mnl_attr_put_strz(header, COLO_A_GUEST_DEV, "tap\"0\\");
    mnl_attr_put_u8(header, COLO_A_STATE, COLO_NODE_TRANSFER);
    mnl_attr_put_u8(header, COLO_A_MODE, COLO_MODE_PROTECTED);
    mnl_attr_put_u32(header, COLO_A_EPOCH, 8);
    mnl_attr_put(header, COLO_A_ARMED, 0, nullptr);
    nlattr* config = mnl_attr_nest_start(header, COLO_A_CONFIG);
    mnl_attr_put_u64(header, COLO_C_COMPARE_TIMEOUT, 2500000000);
    mnl_attr_put_u32(header, COLO_C_REORDER_WINDOW, 64);
    mnl_attr_put(header, COLO_C_ACK_CLAMP, 0, nullptr);
    mnl_attr_nest_end(header, config);
    nlattr* stats = mnl_attr_nest_start(header, COLO_A_STATS);
    mnl_attr_put_u64(header, COLO_S_RELEASED_BYTES, 1ULL << 60);
    nlattr* mismatches = mnl_attr_nest_start(header, COLO_S_MISMATCHES);
    mnl_attr_put_u64(header, COLO_MISMATCH_TIMEOUT_DATA + 1, 5);
    mnl_attr_nest_end(header, mismatches);
    mnl_attr_nest_end(header, stats);
}

BOOST_AUTO_TEST_CASE(json_of_any_text)
{
    const std::pair<const char*, Json> cases[] = {
        {"plain", "plain"},
        {"\"\\/\b\f\n\r\t\x01\x1f\x7f", "\"\\/\b\f\n\r\t\x01\x1f\x7f"},
        {"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd"},                        // never; cut off
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                          // overlong
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},          // half of a pair
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // too high
    };
    for (const auto& [text, expected] : cases)
    {
        const std::string printed = Printed([&](FILE* file) {
            json writer;
            json_init(&writer, file);
            json_text(&writer, nullptr, text);
        });
        BOOST_TEST(Json::parse(printed) == expected, printed);
    }
}

BOOST_AUTO_TEST_CASE(times)
{
    const std::pair<const char*, uint64_t> cases[] = {
        {"0", 0},
        {"0s", 0},
        {"3s", 3000000000},
        {"1.5s", 1500000000},
        {"0.000000001s", 1},
        {"20ms", 20000000},
        {"500us", 500000},
        {"7ns", 7},
        {"2min", 120000000000},
        {"120h", 432000000000000},
    };
    for (const auto& [text, expected] : cases)
    {
        uint64_t ns = 1;
        BOOST_TEST(parse_time(text, &ns), text);
        BOOST_TEST(ns == expected, text);
        char printed[32];
        uint64_t again = 1;
        format_time(ns, printed, sizeof(printed));
        BOOST_TEST((parse_time(printed, &again) && again == ns), printed);
    }
    uint64_t ns;
    for (const char* text :
         {"", "3", "s", "-3s", "3 s", "3s ", "1.s", ".5s", "1..5s", "0.0000000001s", "1.5ns", "3m",
          "99999999999999999999s", "18446744073709551615ns", "9999999h", "00000000000000000000000s"})
    {
        BOOST_TEST(!parse_time(text, &ns), text);
    }
}

BOOST_AUTO_TEST_CASE(numbers)
{
    uint64_t number;
    BOOST_TEST((parse_number("18446744073709551615", UINT64_MAX, &number) && number == UINT64_MAX));
    BOOST_TEST(!parse_number("18446744073709551616", UINT64_MAX, &number));
    BOOST_TEST((parse_number("65535", 65535, &number) && number == 65535));
    BOOST_TEST(!parse_number("65536", 65535, &number));
    BOOST_TEST(!parse_number("9", 3, &number));
    for (const char* text : {"", "-1", "+1", "0x1", " 1", "1 "})
    {
        BOOST_TEST(!parse_number(text, 100, &number), text);
    }
}

BOOST_AUTO_TEST_CASE(defaults_of_the_help_are_the_cores)
{
    colo_config config;
    colo_config_default(&config);
    const std::map<std::string, uint64_t> expected = {
        {"compare-timeout", config.compare_timeout_ns},
        {"idle-timeout", config.idle_timeout_ns},
        {"closed-timeout", config.closed_timeout_ns},
        {"flow-held-max", config.flow_held_max},
        {"node-held-max", config.node_held_max},
        {"reorder-window", config.reorder_window},
        {"interval-min", config.checkpoint_interval_min_ns},
        {"interval-max", config.checkpoint_interval_max_ns},
        {"lease", config.lease_ns},
    };
    size_t found = 0;
    for (const option* option = config_options; option->name; option++)
    {
        const auto there = expected.find(option->name);
        const std::string text = option->text;
        const size_t begin = text.rfind('(');
        if (there == expected.end())
        {
            continue;
        }
        found++;
        const std::string value = text.substr(begin + 1, text.find_first_of("):", begin) - begin - 1);
        uint64_t number;
        BOOST_TEST((option->type == OPTION_TIME ? parse_time(value.c_str(), &number)
                                                : parse_number(value.c_str(), UINT32_MAX, &number)),
                   value);
        BOOST_TEST(number == there->second, option->name);
    }
    BOOST_TEST(found == expected.size());
    BOOST_TEST(config.ack_policy == COLO_ACK_HOLD);
    BOOST_TEST(!config.malformed_hold);
}

BOOST_AUTO_TEST_CASE(nodes)
{
    Message message;
    PutNode(message.header);
    const Json node = Json::parse(Report(message, report_node, true)).at(0);
    const Json expected = Json::parse(R"({
        "index": 65535, "role": "primary", "guest_dev": "tap\"0\\", "sec_dev": null,
        "armed": true, "owned": false, "state": "transfer", "mode": "protected",
        "failed_over": false, "epoch": 8, "next_epoch": 0, "term": 0,
        "config": {"compare_timeout_ns": 2500000000, "reorder_window": 64, "ack": "clamp",
                   "malformed": "pass", "plain": false},
        "stats": {"released_bytes": 1152921504606846976, "mismatches": {"timeout-data": 5}}})");
    BOOST_TEST(node == expected, node);
    BOOST_TEST(Report(message, report_node, false) ==
               "65535: primary guest-dev tap\"0\\ sec-dev none\n"
               "    transfer, protected, epoch 8, next 0, term 0\n"
               "    compare-timeout 2500ms reorder-window 64 ack clamp malformed pass\n");
    BOOST_TEST(Report(message, report_stats, false) ==
               "65535: primary, epoch 8\n"
               "    released_bytes         1152921504606846976\n"
               "    mismatches             5  the secondary never sent the bytes (timeout-data)\n");
}

BOOST_AUTO_TEST_CASE(flows)
{
    Message message(COLO_CMD_FLOW_GET);
    PutFlow(message.header);
    const Json expected = Json::parse(R"({
        "family": 4, "protocol": "tcp", "guest": "10.0.0.2", "guest_port": 80, "peer": "10.0.0.1",
        "peer_port": 40000, "vlan": 7, "held": 3, "extra": 0, "matched": 4294967295,
        "closed": false, "diverged": true})");
    BOOST_TEST(Json::parse(Report(message, report_flow, true)).at(0) == expected);
    BOOST_TEST(Report(message, report_flow, false) == "tcp 10.0.0.2:80 > 10.0.0.1:40000 vlan 7, "
                                                      "held 3, extra 0, matched 4294967295, "
                                                      "diverged\n");
}

BOOST_AUTO_TEST_CASE(lists_are_json_whatever_their_length)
{
    Message message;
    PutNode(message.header);
    for (unsigned int count : {0U, 1U, 3U})
    {
        const std::string text = Printed([&](FILE* file) {
            report report;
            report_init(&report, file, true);
            for (unsigned int i = 0; i < count; i++)
            {
                report_node(message.header, &report);
            }
            report_end(&report, false);
        });
        BOOST_TEST(Json::parse(text).size() == count, text);
    }
    BOOST_TEST(Printed([&](FILE* file) {
                   report report;
                   report_init(&report, file, true);
                   report_end(&report, true);
               }) == "");
}

BOOST_AUTO_TEST_CASE(events)
{
    Message requested(COLO_NOTE_CHECKPOINT_REQUESTED);
    mnl_attr_put_u32(requested.header, COLO_A_INDEX, 1);
    mnl_attr_put_u32(requested.header, COLO_A_EPOCH, 4);
    mnl_attr_put_strz(requested.header, COLO_A_REASON_NAME, "bytes");
    mnl_attr_put_strz(requested.header, COLO_A_REASON_TEXT, "the guests sent different bytes");
    PutFlow(requested.header);
    mnl_attr_put_u32(requested.header, COLO_A_POSITION, 1001);
    mnl_attr_put(requested.header, COLO_A_PRIMARY_BYTES, 2, "A\xff");
    mnl_attr_put(requested.header, COLO_A_SECONDARY_BYTES, 0, nullptr);
    const Json event = Json::parse(Event(requested, true));
    BOOST_TEST(event.at("time") == 12.000034);
    BOOST_TEST(event.at("event") == "checkpoint-requested");
    BOOST_TEST(event.at("reason") == "bytes");
    BOOST_TEST(event.at("flow").at("peer_port") == 40000);
    BOOST_TEST(event.at("position") == 1001);
    BOOST_TEST(event.at("primary_bytes") == "41ff");
    BOOST_TEST(event.at("secondary_bytes") == "");
    BOOST_TEST(Event(requested, false) ==
               "12.000034 1: checkpoint-requested: the guests sent different bytes (bytes), "
               "tcp 10.0.0.2:80 > 10.0.0.1:40000 vlan 7, position 1001, primary 41ff, "
               "secondary nothing, epoch 4\n");

    Message actions(COLO_NOTE_ACTIONS);
    mnl_attr_put_u32(actions.header, COLO_A_INDEX, 1);
    mnl_attr_put_u32(actions.header,
                     COLO_A_ACTIONS,
                     COLO_ACTION_PAUSE | COLO_ACTION_SEND_HEARTBEAT | COLO_ACTION_ASK |
                         COLO_ACTION_TAKE_OVER | COLO_ACTION_FENCE);
    mnl_attr_put_u64(actions.header, COLO_A_STAMP, UINT64_MAX);
    BOOST_TEST(Json::parse(Event(actions, true)).at("actions") ==
               Json({"pause", "send-heartbeat", "ask", "take-over", "fence"}));
    BOOST_TEST(Json::parse(Event(actions, true)).at("stamp_ns") == UINT64_MAX);

    Message gone(COLO_NOTE_NODE_GONE);
    mnl_attr_put_u8(gone.header, COLO_A_CAUSE, COLO_GONE_DEVICE);
    BOOST_TEST(Json::parse(Event(gone, true)).at("cause") == "device");
    BOOST_TEST(Json::parse(Event(Message(COLO_NOTE_COMMITTED), true)).at("event") == "committed");
    BOOST_TEST(Json::parse(Event(Message(200), true)).at("event") == "unknown");
}

BOOST_AUTO_TEST_CASE(names_are_those_of_the_core)
{
    BOOST_TEST(name_of(event_names, COLO_EVENT_JOIN) == "join");
    BOOST_TEST(name_of(event_names, COLO_EVENT_JOIN + 1) == "unknown");
    BOOST_TEST(name_of(state_names, COLO_NODE_COMMITTED) == "committed");
    BOOST_TEST(name_of(mode_names, COLO_MODE_JOINING) == "joining");
    BOOST_TEST(name_of(role_names, COLO_GENL_SECONDARY) == "secondary");
    for (int type = COLO_S_FLOWS; type <= COLO_S_MAX; type++)
    {
        BOOST_TEST((stat_names[type] || type == COLO_S_MISMATCHES), type);
    }
    for (unsigned int bit = 0; 1U << bit <= COLO_ACTION_FENCE; bit++)
    {
        BOOST_TEST(action_names[bit], bit);
    }
}

// Whatever comes: nothing is read outside the message, and JSON stays JSON.
BOOST_AUTO_TEST_CASE(attributes_of_any_size)
{
    const char* chosen = getenv("COLO_TEST_SEED");
    const unsigned int seed = chosen ? strtoul(chosen, nullptr, 10) : std::random_device{}();
    BOOST_TEST_MESSAGE("COLO_TEST_SEED=" << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 20000; round++)
    {
        Message message(COLO_NOTE_CHECKPOINT_REQUESTED + random() % 5);
        uint8_t bytes[64];
        for (int count = random() % 12; count > 0; count--)
        {
            const size_t length = random() % sizeof(bytes);
            std::generate_n(bytes, length, [&] { return random() % 3 ? random() % 40 : random(); });
            mnl_attr_put(message.header, random() % (COLO_A_MAX + 3), length, bytes);
        }
        for (const std::string& text : {Report(message, report_node, true),
                                        Report(message, report_stats, true),
                                        Report(message, report_flow, true),
                                        Event(message, true)})
        {
            BOOST_TEST_REQUIRE(Json::accept(text), "seed " << seed << ": " << text);
        }
        Report(message, report_node, false);
        Report(message, report_stats, false);
        Report(message, report_flow, false);
        Event(message, false);
    }
}

} // namespace
