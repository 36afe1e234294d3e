/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The dialogues of the named workloads: what whoever plays a dialogue relies on, and that they are
// what was asked for.
#define BOOST_TEST_MODULE model_workload
#include "model-workload.h"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;

namespace
{

namespace data = boost::unit_test::data;

/** Until it is told that nanoseconds it is, ns-3 keeps a list of all times there are. */
struct Nanoseconds
{
    Nanoseconds()
    {
        Time::SetResolution(Time::NS);
    }
};

std::vector<std::string>
Names()
{
    std::vector<std::string> names;
    for (const ColoWorkloadInfo& info : ColoListWorkloads())
    {
        names.push_back(info.name);
    }
    return names;
}

std::vector<std::string>
NamesButMixed()
{
    std::vector<std::string> names = Names();
    names.erase(std::find(names.begin(), names.end(), "mixed"));
    return names;
}

const ColoWorkloadInfo&
Info(const std::string& name)
{
    const auto& all = ColoListWorkloads();
    return *std::find_if(all.begin(), all.end(), [&](const auto& info) {
        return info.name == name;
    });
}

ColoDialogue
Make(const std::string& name, uint64_t requests = 0, uint32_t connections = 0)
{
    ColoWorkloadOptions options;
    if (requests)
    {
        options.requests = requests;
        options.connections = connections;
    }
    return ColoMakeWorkload(name, options);
}

std::string
Complaint(const std::string& name, const ColoWorkloadOptions& options)
{
    try
    {
        ColoMakeWorkload(name, options);
    }
    catch (const std::invalid_argument& error)
    {
        return error.what();
    }
    return "";
}

/** How many of a dialogue's answered turns one request comes to, and one connection adds. */
struct Answers
{
    uint64_t request;
    uint64_t connection;
};

Answers
AnswersOf(const std::string& name)
{
    static const std::map<std::string, Answers> special = {{"transactions", {5, 1}},
                                                           {"chat", {1, 1}},
                                                           {"tls", {1, 2}},
                                                           {"ssh", {1, 8}}};
    const auto found = special.find(name);
    return found == special.end() ? Answers{1, 0} : found->second;
}

std::size_t
CountOpenedByClients(const ColoDialogue& dialogue)
{
    return std::count_if(dialogue.conversations.begin(),
                         dialogue.conversations.end(),
                         [](const auto& one) { return one.opener == ColoOpener::CLIENT; });
}

} // namespace

BOOST_TEST_GLOBAL_FIXTURE(Nanoseconds);

BOOST_AUTO_TEST_SUITE(each)

BOOST_DATA_TEST_CASE(by_itself, data::make(Names()), name)
{
    const ColoDialogue dialogue = Make(name);
    CheckInvariants(dialogue, 1);
    BOOST_TEST(!Info(name).help.empty());
    BOOST_TEST(AreEqual(dialogue, Make(name)));
}

BOOST_DATA_TEST_CASE(in_many_shapes, data::make(Names()), name)
{
    for (uint64_t requests : {7, 64, 301})
    {
        for (uint32_t connections : {5, 7, 50})
        {
            for (uint64_t most : {0, 1, 3})
            {
                for (uint32_t ports : {0, 301, 320})
                {
                    ColoWorkloadOptions options;
                    options.requests = requests;
                    options.connections = connections;
                    options.requestsPerConnection = most;
                    options.clientPorts = ports;
                    options.clients = 3;
                    BOOST_TEST_CONTEXT(requests << " requests on " << connections << " by " << most
                                                << " from " << ports << " ports")
                    {
                        CheckInvariants(ColoMakeWorkload(name, options), 3);
                    }
                }
            }
        }
    }
}

BOOST_DATA_TEST_CASE(has_the_requests_that_were_asked_for, data::make(NamesButMixed()), name)
{
    const Answers answers = AnswersOf(name);
    for (uint64_t requests : {1, 9, 40})
    {
        const ColoDialogue dialogue = Make(name, requests, 4);
        BOOST_TEST(dialogue.GetRequests() ==
                   requests * answers.request +
                       CountOpenedByClients(dialogue) * answers.connection);
    }
}

BOOST_DATA_TEST_CASE(has_the_sizes_that_were_asked_for, data::make(NamesButMixed()), name)
{
    ColoWorkloadOptions options;
    options.requests = 62;
    options.connections = 2;
    options.requestBytes = 123;
    options.responseBytes = 45;
    const ColoDialogue dialogue = ColoMakeWorkload(name, options);
    std::map<std::pair<bool, uint64_t>, uint64_t> counts;
    for (const ColoConversation& one : dialogue.conversations)
    {
        for (const ColoTurn& turn : one.turns)
        {
            counts[{turn.fromServer, turn.bytes}]++;
        }
    }
    const uint64_t sealed = name == "tls" ? 22 : 0; // header, type and tag of a record
    const uint64_t share = name == "bulk" ? 2 : 1;  // half of it goes the other way
    const uint64_t heard = name == "chat" ? 4 : 1;
    const uint64_t requests = 62 * AnswersOf(name).request / share;
    BOOST_TEST((counts[{false, 123 + sealed}]) == requests);
    BOOST_TEST((counts[{true, 45 + sealed}]) == requests * heard);
}

BOOST_DATA_TEST_CASE(another_seed_is_another_dialogue_of_the_same_shape,
                     data::make({"key-value", "dns", "chat", "tls", "lookups", "mixed"}),
                     name)
{
    ColoWorkloadOptions options;
    options.seed = 2;
    const ColoDialogue other = ColoMakeWorkload(name, options);
    CheckInvariants(other, 1);
    BOOST_TEST(!AreEqual(other, Make(name)));
    BOOST_TEST(other.conversations.size() == Make(name).conversations.size());
}

BOOST_DATA_TEST_CASE(thinks_as_long_as_asked, data::make(NamesButMixed()), name)
{
    ColoWorkloadOptions options;
    options.requests = 12;
    options.connections = 3;
    options.thinkTime = MicroSeconds(1234567);
    for (uint64_t most : {0, 2})
    {
        options.requestsPerConnection = most;
        uint64_t thinking = 0;
        for (const ColoConversation& one : ColoMakeWorkload(name, options).conversations)
        {
            thinking += one.start == *options.thinkTime && one.after != NONE;
            for (const ColoTurn& turn : one.turns)
            {
                thinking += turn.pause == *options.thinkTime;
            }
        }
        // Before each but the first of a connection; lookups' connections come at fixed times.
        const bool isTimed = name == "lookups" && most != 0;
        BOOST_TEST(thinking == (isTimed ? 6U : 9U));
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(kinds)

BOOST_AUTO_TEST_CASE(every_workload_has_a_server_port_of_its_own)
{
    std::set<std::pair<ColoTransport, uint16_t>> ports;
    for (const std::string& name : NamesButMixed())
    {
        const ColoConversation one = Make(name).conversations[0];
        BOOST_TEST(ports.insert({one.transport, one.serverPort}).second, name);
    }
}

BOOST_AUTO_TEST_CASE(what_tls_and_ssh_guests_say_is_their_own)
{
    for (const std::string& name : NamesButMixed())
    {
        uint64_t said = 0;
        uint64_t random = 0;
        const ColoDialogue dialogue = Make(name);
        for (const ColoConversation& one : dialogue.conversations)
        {
            for (const ColoTurn& turn : one.turns)
            {
                said += turn.fromServer;
                random += turn.isRandom;
            }
        }
        const uint64_t banners = name == "ssh" ? dialogue.conversations.size() : 0;
        BOOST_TEST(random == (name == "tls" || name == "ssh" ? said - banners : 0U), name);
    }
}

BOOST_AUTO_TEST_CASE(bulk_goes_both_ways_in_turn)
{
    const ColoDialogue dialogue = Make("bulk", 4, 4);
    for (std::size_t i = 0; i < 4; i++)
    {
        const ColoConversation& one = dialogue.conversations[i];
        BOOST_TEST((one.GetBytes(false) > one.GetBytes(true)) == (i % 2 == 0));
        BOOST_TEST(one.GetBytes(false) + one.GetBytes(true) > 8000000U);
    }
}

BOOST_AUTO_TEST_CASE(dns_queries_follow_each_other_from_new_ports)
{
    const ColoDialogue dialogue = Make("dns", 100, 5);
    BOOST_REQUIRE(dialogue.conversations.size() == 100U);
    std::set<uint16_t> ports;
    for (const ColoConversation& one : dialogue.conversations)
    {
        BOOST_TEST(one.turns.size() == 2U);
        ports.insert(one.clientPort);
    }
    BOOST_TEST(ports.size() == 100U);
    BOOST_TEST(dialogue.conversations[4].after == NONE);
    BOOST_TEST(dialogue.conversations[5].after == 0U);
    BOOST_TEST(dialogue.conversations[99].after == 94U);
}

BOOST_AUTO_TEST_CASE(the_guest_looks_up_while_it_is_asked)
{
    const ColoDialogue dialogue = Make("lookups", 40, 4);
    BOOST_TEST(dialogue.conversations.size() == 80U);
    std::map<ColoTransport, int> questions;
    for (const ColoConversation& question : dialogue.conversations)
    {
        if (question.opener != ColoOpener::GUEST)
        {
            continue;
        }
        questions[question.transport]++;
        const bool isAsked = std::any_of(dialogue.conversations.begin(),
                                         dialogue.conversations.end(),
                                         [&](const ColoConversation& one) {
                                             return one.opener == ColoOpener::CLIENT &&
                                                    one.client == question.client &&
                                                    one.start < question.start &&
                                                    question.start < one.start + one.turns[1].pause;
                                         });
        BOOST_TEST(isAsked);
    }
    BOOST_TEST(questions[ColoTransport::TCP] == 20);
    BOOST_TEST(questions[ColoTransport::UDP] == 20);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ports)

BOOST_AUTO_TEST_CASE(short_connections_have_ports_of_their_own_as_long_as_there_are)
{
    ColoWorkloadOptions options;
    options.requests = 100000;
    options.connections = 3;
    options.requestsPerConnection = 1;
    const ColoDialogue dialogue = ColoMakeWorkload("request-response", options);
    CheckInvariants(dialogue, 1);
    std::set<uint16_t> ports;
    for (std::size_t i = 0; i < 100000; i++)
    {
        const bool isNew = ports.insert(dialogue.conversations[i].clientPort).second;
        BOOST_REQUIRE(isNew == (i < 39999)); // three times 13333
    }
}

BOOST_AUTO_TEST_CASE(few_ports_are_used_again)
{
    ColoWorkloadOptions options;
    options.requests = 30;
    options.connections = 3;
    options.requestsPerConnection = 2;
    options.clientPorts = 8;
    for (const ColoConversation& one : ColoMakeWorkload("request-response", options).conversations)
    {
        BOOST_TEST(one.clientPort < 20006); // two for each of three
    }
    options.clientPorts = 3;
    const ColoDialogue dialogue = ColoMakeWorkload("request-response", options);
    BOOST_REQUIRE(dialogue.conversations.size() == 15U);
    for (std::size_t i = 0; i < 15; i++)
    {
        BOOST_TEST(dialogue.conversations[i].clientPort == 20000 + i % 3);
    }
}

BOOST_AUTO_TEST_CASE(clients_share_the_connections)
{
    ColoWorkloadOptions options;
    options.connections = 10;
    options.clients = 4;
    std::map<uint32_t, int> connections;
    for (const ColoConversation& one : ColoMakeWorkload("request-response", options).conversations)
    {
        connections[one.client]++;
    }
    BOOST_TEST((connections == std::map<uint32_t, int>{{0, 3}, {1, 3}, {2, 2}, {3, 2}}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(mix)

/** How many requests a mix has for each server port. */
std::map<uint16_t, uint64_t>
CountByPort(const ColoDialogue& dialogue)
{
    std::map<uint16_t, uint64_t> requests;
    for (const ColoConversation& one : dialogue.conversations)
    {
        requests[one.serverPort] += ColoDialogue{{one}}.GetRequests();
    }
    return requests;
}

BOOST_AUTO_TEST_CASE(divides_by_weight)
{
    const ColoDialogue dialogue = Make("mixed:request-response=6,download=1.5,dns=2.5", 1000, 20);
    CheckInvariants(dialogue, 1);
    BOOST_TEST(
        (CountByPort(dialogue) == std::map<uint16_t, uint64_t>{{80, 600}, {21, 150}, {53, 250}}));
    uint64_t first = 0;
    for (const ColoConversation& one : dialogue.conversations)
    {
        first += one.after == NONE;
    }
    BOOST_TEST(first == 20U);
}

BOOST_AUTO_TEST_CASE(leaves_no_workload_out)
{
    auto counts = CountByPort(Make("mixed:request-response=1000,download=0.001,upload=7", 3, 3));
    BOOST_TEST((counts == std::map<uint16_t, uint64_t>{{80, 1}, {21, 1}, {445, 1}}));
    counts = CountByPort(Make("mixed:request-response=1,download=1,upload=1", 100, 3));
    BOOST_TEST(counts[80] + counts[21] + counts[445] == 100U);
    for (const auto& [port, requests] : counts)
    {
        BOOST_TEST(requests >= 33U);
    }
}

BOOST_AUTO_TEST_CASE(of_all_workloads)
{
    std::string text = "mixed:";
    for (const std::string& name : NamesButMixed())
    {
        text += (text.back() == ':' ? "" : ",") + name + "=1";
    }
    CheckInvariants(Make(text, 1200, 240), 1);
}

BOOST_AUTO_TEST_CASE(that_makes_no_sense_is_refused)
{
    auto complaint = [](const std::string& mix) { return Complaint("mixed:" + mix, {}); };
    BOOST_TEST(complaint("") == "mixed: '' is not NAME=WEIGHT");
    BOOST_TEST(complaint("dns") == "mixed: 'dns' is not NAME=WEIGHT");
    BOOST_TEST(complaint("dns=1,") == "mixed: '' is not NAME=WEIGHT");
    BOOST_TEST(complaint("dsn=1") == "mixed: 'dsn' is no workload that can be a part of it");
    BOOST_TEST(complaint("mixed=1") == "mixed: 'mixed' is no workload that can be a part of it");
    BOOST_TEST(complaint("dns=1,tls=1,dns=2") == "mixed: dns is there twice");
    for (const std::string weight : {"", "0", "-1", "1e7", "nan", "inf", "x", "1x", "1=2", " 1"})
    {
        BOOST_TEST(complaint("dns=" + weight) ==
                   "mixed: '" + weight + "' is not a weight above 0 and at most 1000000");
    }
    ColoWorkloadOptions options;
    options.requests = 2;
    options.connections = 3;
    BOOST_TEST(Complaint("mixed:dns=1,tls=1,ssh=1", options) ==
               "requests must be at least 3, one for each workload of the mix");
    options.requests = 3;
    options.connections = 2;
    BOOST_TEST(Complaint("mixed:dns=1,tls=1,ssh=1", options) ==
               "connections must be at least 3, one for each workload of the mix");
    options = {};
    options.responseBytes = 5;
    BOOST_TEST(Complaint("mixed", options) ==
               "response size means nothing to mixed: each of its workloads has its own");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(figures)

BOOST_AUTO_TEST_CASE(that_are_out_of_range_are_named)
{
    auto complaint = [](auto&& set, const std::string& name = "request-response") {
        ColoWorkloadOptions options;
        set(options);
        return Complaint(name, options);
    };
    BOOST_TEST(complaint([](auto& o) { o.requests = 0; }) == "requests must be from 1 to 1000000");
    BOOST_TEST(complaint([](auto& o) { o.requests = 1000001; }) ==
               "requests must be from 1 to 1000000");
    BOOST_TEST(complaint([](auto& o) { o.connections = 0; }) ==
               "connections must be from 1 to 40000");
    BOOST_TEST(complaint([](auto& o) { o.connections = 40001; }) ==
               "connections must be from 1 to 40000");
    BOOST_TEST(complaint([](auto& o) { o.requestBytes = 0; }) ==
               "request size must be from 1 to 1000000000 bytes");
    BOOST_TEST(complaint([](auto& o) { o.responseBytes = 1000000001; }) ==
               "response size must be from 1 to 1000000000 bytes");
    BOOST_TEST(complaint([](auto& o) { o.responseBytes = 1401; }, "dns") ==
               "response size must be from 1 to 1400 bytes, the payload of a datagram");
    BOOST_TEST(complaint([](auto& o) { o.thinkTime = NanoSeconds(-1); }) ==
               "think time must not be negative");
    BOOST_TEST(complaint([](auto& o) { o.requestsPerConnection = 1001; }) ==
               "requests per connection must be at most 1000, the requests");
    BOOST_TEST(complaint([](auto& o) { o.clients = 0; }) ==
               "clients must be from 1 to 10, one for each connection at once");
    BOOST_TEST(complaint([](auto& o) { o.clients = 11; }) ==
               "clients must be from 1 to 10, one for each connection at once");
    BOOST_TEST(complaint([](auto& o) {
                   o.clients = 4;
                   o.requests = 3;
               }) == "clients must be from 1 to 3, one for each connection at once");
    BOOST_TEST(complaint([](auto& o) { o.clientPorts = 9; }) ==
               "client ports must be from 10, one for each connection at once, to 40000");
    BOOST_TEST(complaint([](auto& o) { o.clientPorts = 40001; }) ==
               "client ports must be from 10, one for each connection at once, to 40000");
    BOOST_TEST(complaint([](auto& o) { o.requests = 16001; }, "lookups") ==
               "requests must be at most 16000: 8000 ports are there for those that the guest "
               "asks");
    BOOST_TEST(complaint([](auto& o) { o.requests = 16000; }, "lookups") == "");
    BOOST_TEST(Complaint("no-such", {}) == "there is no workload 'no-such'");
    BOOST_TEST(Complaint("", {}) == "there is no workload ''");
    BOOST_TEST(Complaint("dns:tls=1", {}) == "there is no workload 'dns:tls=1'");
}

BOOST_AUTO_TEST_CASE(at_their_limits)
{
    ColoWorkloadOptions options;
    options.requests = 1000000;
    options.connections = 40000;
    options.clients = 40000;
    options.clientPorts = 40000;
    options.requestsPerConnection = 1;
    const ColoDialogue dialogue = ColoMakeWorkload("request-response", options);
    CheckInvariants(dialogue, 40000);
    BOOST_TEST(dialogue.conversations.size() == 1000000U);
    BOOST_TEST(dialogue.GetRequests() == 1000000U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(request_response)

BOOST_AUTO_TEST_CASE(requests_are_spread_evenly)
{
    ColoDialogue dialogue = ColoMakeRequestResponse({10, 4, 100, 1000, MilliSeconds(5), 8080});
    BOOST_REQUIRE(dialogue.conversations.size() == 4U);
    std::vector<std::size_t> turns;
    for (const auto& conversation : dialogue.conversations)
    {
        turns.push_back(conversation.turns.size());
        BOOST_TEST(conversation.serverPort == 8080);
        BOOST_TEST((conversation.closer == ColoCloser::CLIENT));
        BOOST_TEST((conversation.turns[0].pause == Time(0)));
        BOOST_TEST((conversation.turns[2].pause == MilliSeconds(5)));
    }
    BOOST_TEST(turns == (std::vector<std::size_t>{6, 6, 4, 4}), boost::test_tools::per_element());
    BOOST_TEST(dialogue.GetRequests() == 10U);
    BOOST_TEST(dialogue.GetBytes(false) == 1000U);
    BOOST_TEST(dialogue.GetBytes(true) == 10000U);
}

BOOST_AUTO_TEST_CASE(connections_without_a_request_are_not_opened)
{
    BOOST_TEST(ColoMakeRequestResponse({3, 10, 1, 1, Time(0), 80}).conversations.size() == 3U);
}

BOOST_AUTO_TEST_CASE(port_zero_is_refused)
{
    BOOST_CHECK_THROW(ColoMakeRequestResponse({1, 1, 1, 1, Time(0), 0}), std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()
