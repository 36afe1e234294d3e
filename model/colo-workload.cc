/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-workload.h"

#include "colo-workload-kind.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>

namespace ns3
{

namespace
{

const std::string MIXED = "mixed";
const std::string DEFAULT_MIX = "request-response=4,key-value=8,transactions=1,dns=3,chat=1";
constexpr uint64_t REQUESTS_MAX = 1000000;
constexpr uint64_t BYTES_MAX = 1000000000;
constexpr double WEIGHT_MAX = 1000000;

/** Opening every connection at the same instant would only measure the SYN burst. */
const Time START_GAP = MicroSeconds(100);

/**
 * Where backends listen that the guest asks by TCP, each port for one question. Below the clients'
 * ports: a client that plays a backend cannot open a connection from where it listens.
 */
constexpr uint16_t FIRST_BACKEND_PORT = 12000;
constexpr uint64_t BACKEND_PORTS = ColoDialogue::FIRST_CLIENT_PORT - FIRST_BACKEND_PORT;
/** Where backends listen that the guest asks by UDP. */
constexpr uint16_t RESOLVER_PORT = 53;

/** Conversations of which each begins when the one before it has ended. */
struct Chain
{
    std::vector<ColoConversation> conversations;
    std::vector<ColoConversation> questions; //!< that the guest asks this client meanwhile
};

template <typename... Arguments>
void
Require(bool holds, fmt::format_string<Arguments...> what, Arguments&&... arguments)
{
    if (!holds)
    {
        throw std::invalid_argument(fmt::format(what, std::forward<Arguments>(arguments)...));
    }
}

const ColoWorkloadKind*
FindKind(const std::string& name)
{
    const auto& kinds = ColoListWorkloadKinds();
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const ColoWorkloadKind& known) {
        return known.info.name == name;
    });
    return kind == kinds.end() ? nullptr : &*kind;
}

ColoWorkloadInfo
MakeMixedInfo()
{
    ColoWorkloadInfo mixed;
    mixed.name = MIXED;
    mixed.help = "by weight: " + DEFAULT_MIX;
    mixed.requestsAre = "requests";
    mixed.requests = 1000;
    mixed.connections = 50;
    return mixed;
}

void
CheckSize(const char* what, const std::optional<uint64_t>& bytes, ColoTransport transport)
{
    const bool isDatagram = transport == ColoTransport::UDP;
    const uint64_t max = isDatagram ? ColoDialogue::MAX_DATAGRAM : BYTES_MAX;
    Require(!bytes || (*bytes >= 1 && *bytes <= max),
            "{} size must be from 1 to {} bytes{}",
            what,
            max,
            isDatagram ? ", the payload of a datagram" : "");
}

/** The shape that was asked for, without what requests of a workload look like. */
ColoWorkloadInfo
Shape(ColoWorkloadInfo shape, const ColoWorkloadOptions& options)
{
    shape.requests = options.requests.value_or(shape.requests);
    shape.connections = options.connections.value_or(shape.connections);
    Require(shape.requests >= 1 && shape.requests <= REQUESTS_MAX,
            "requests must be from 1 to {}",
            REQUESTS_MAX);
    Require(shape.connections >= 1 && shape.connections <= ColoDialogue::MAX_OPEN,
            "connections must be from 1 to {}",
            uint32_t{ColoDialogue::MAX_OPEN});
    Require(options.requestsPerConnection.value_or(0) <= shape.requests,
            "requests per connection must be at most {}, the requests",
            shape.requests);
    return shape;
}

/** The shape of each of a workload's requests. */
ColoWorkloadInfo
ShapeRequests(const ColoWorkloadKind& kind,
              ColoWorkloadInfo shape,
              const ColoWorkloadOptions& options)
{
    CheckSize("request", options.requestBytes, kind.transport);
    CheckSize("response", options.responseBytes, kind.transport);
    if (options.requestBytes)
    {
        shape.requestBytes = {*options.requestBytes, *options.requestBytes};
    }
    if (options.responseBytes)
    {
        shape.responseBytes = {*options.responseBytes, *options.responseBytes};
    }
    shape.thinkTime = options.thinkTime.value_or(shape.thinkTime);
    Require(!shape.thinkTime.IsStrictlyNegative(), "think time must not be negative");
    shape.requestsPerConnection =
        options.requestsPerConnection.value_or(shape.requestsPerConnection);
    return shape;
}

/** Writes down the conversations of one workload. */
class Author
{
  public:
    Author(const ColoWorkloadKind& kind, const ColoWorkloadInfo& shape, uint64_t seed)
        : m_kind(kind),
          m_shape(shape),
          m_random(seed * 65536 + kind.serverPort)
    {
        constexpr uint64_t QUESTIONS_MAX = 2 * BACKEND_PORTS;
        Require(!kind.guestAsks || shape.requests <= QUESTIONS_MAX,
                "requests must be at most {}: {} ports are there for those that the guest asks",
                QUESTIONS_MAX,
                BACKEND_PORTS);
    }

    /** Add the conversations of one of the connections at once. */
    void Write(uint64_t slot, uint64_t requests, std::vector<Chain>& chains)
    {
        const uint64_t most =
            m_shape.requestsPerConnection ? m_shape.requestsPerConnection : requests;
        for (uint64_t done = 0; done < requests; done += most)
        {
            if (done == 0 || m_kind.guestAsks)
            {
                chains.emplace_back();
            }
            Chain& chain = chains.back();
            const uint64_t share = std::min(most, requests - done);
            ColoConversation added = Converse(slot, share);
            if (m_kind.guestAsks)
            {
                // At fixed times, so that the guest asks while it is asked.
                const Time period = m_shape.thinkTime + COLO_BACKEND_WAIT;
                added.start = START_GAP * static_cast<int64_t>(slot);
                added.start += period * static_cast<int64_t>(done);
                for (uint64_t i = 0; i < share; i++)
                {
                    const Time asked = added.start + period * static_cast<int64_t>(i);
                    chain.questions.push_back(Ask(asked + COLO_BACKEND_WAIT / 4));
                }
            }
            else
            {
                added.start = done ? m_shape.thinkTime : START_GAP * static_cast<int64_t>(slot);
            }
            chain.conversations.push_back(std::move(added));
        }
    }

  private:
    ColoConversation Converse(uint64_t slot, uint64_t requests)
    {
        ColoConversation conversation;
        conversation.transport = m_kind.transport;
        conversation.serverPort = m_kind.serverPort;
        const bool isTcp = m_kind.transport == ColoTransport::TCP;
        conversation.closer = isTcp ? ColoCloser::CLIENT : ColoCloser::NOBODY;
        ColoTurnWriter writer(m_shape, m_random, slot, conversation);
        if (m_kind.hello)
        {
            m_kind.hello(writer);
        }
        for (uint64_t request = 0; request < requests; request++)
        {
            m_kind.request(writer, request ? m_shape.thinkTime : Time());
        }
        return conversation;
    }

    /** A query to a database, or to a resolver. */
    ColoConversation Ask(Time start)
    {
        ColoConversation question;
        question.start = start;
        question.opener = ColoOpener::GUEST;
        ColoTurnWriter writer(m_shape, m_random, 0, question);
        if (m_asked % 2 == 0)
        {
            question.serverPort = FIRST_BACKEND_PORT + m_asked / 2;
            question.closer = ColoCloser::SERVER; // the guest, which opened it
            writer.Guest(writer.Draw(60, 120));
            writer.Client(writer.Draw(100, 600));
        }
        else
        {
            question.transport = ColoTransport::UDP;
            question.serverPort = RESOLVER_PORT;
            writer.Guest(40);
            writer.Client(writer.Draw(120, 400));
        }
        m_asked++;
        return question;
    }

    const ColoWorkloadKind& m_kind;
    const ColoWorkloadInfo& m_shape;
    std::mt19937_64 m_random;
    uint64_t m_asked{0};
};

/** Add the conversations of one workload. */
void
Write(const ColoWorkloadKind& kind,
      const ColoWorkloadInfo& shape,
      uint64_t seed,
      std::vector<Chain>& chains)
{
    Author author(kind, shape, seed);
    const uint64_t slots = std::min<uint64_t>(shape.connections, shape.requests);
    for (uint64_t slot = 0; slot < slots; slot++)
    {
        const uint64_t share = shape.requests / slots + (slot < shape.requests % slots);
        author.Write(slot, share, chains);
    }
}

/** Give every conversation its client and its port; several of a chain may have the same. */
void
Place(std::vector<Chain>& chains, const ColoWorkloadOptions& options)
{
    constexpr uint32_t MAX_OPEN = ColoDialogue::MAX_OPEN;
    const std::size_t count = chains.size();
    Require(count <= MAX_OPEN,
            "requests must be at most {}, each from a port of its own, not {}",
            MAX_OPEN,
            count);
    Require(options.clientPorts == 0 ||
                (options.clientPorts >= count && options.clientPorts <= MAX_OPEN),
            "client ports must be from {}, one for each connection at once, to {}",
            count,
            MAX_OPEN);
    Require(options.clients >= 1 && options.clients <= count,
            "clients must be from 1 to {}, one for each connection at once",
            count);
    const std::size_t ports = options.clientPorts ? options.clientPorts : MAX_OPEN;
    for (std::size_t i = 0; i < count; i++)
    {
        for (std::size_t round = 0; round < chains[i].conversations.size(); round++)
        {
            ColoConversation& conversation = chains[i].conversations[round];
            conversation.client = i % options.clients;
            conversation.clientPort =
                ColoDialogue::FIRST_CLIENT_PORT + i + round % (ports / count) * count;
        }
        for (ColoConversation& question : chains[i].questions)
        {
            question.client = i % options.clients;
        }
    }
}

/** Put all conversations into their order, and say what follows what. */
ColoDialogue
Arrange(std::vector<Chain> chains, const ColoWorkloadOptions& options)
{
    std::stable_sort(chains.begin(), chains.end(), [](const Chain& a, const Chain& b) {
        return a.conversations[0].start < b.conversations[0].start;
    });
    Place(chains, options);

    struct First
    {
        ColoConversation* conversation;
        Chain* chain; //!< that it begins, if any
    };

    std::vector<First> firsts;
    for (Chain& chain : chains)
    {
        firsts.push_back({&chain.conversations[0], &chain});
        for (ColoConversation& question : chain.questions)
        {
            firsts.push_back({&question, nullptr});
        }
    }
    std::stable_sort(firsts.begin(), firsts.end(), [](const First& a, const First& b) {
        return a.conversation->start < b.conversation->start;
    });

    ColoDialogue dialogue;
    std::vector<std::pair<Chain*, uint32_t>> open; //!< chains, and their last conversation so far
    for (const First& first : firsts)
    {
        if (first.chain)
        {
            open.emplace_back(first.chain, dialogue.conversations.size());
        }
        dialogue.conversations.push_back(std::move(*first.conversation));
    }
    for (std::size_t round = 1; !open.empty(); round++)
    {
        open.erase(std::remove_if(open.begin(),
                                  open.end(),
                                  [&](const auto& entry) {
                                      return entry.first->conversations.size() <= round;
                                  }),
                   open.end());
        for (auto& [chain, last] : open)
        {
            chain->conversations[round].after = last;
            last = dialogue.conversations.size();
            dialogue.conversations.push_back(std::move(chain->conversations[round]));
        }
    }
    return dialogue;
}

using Mix = std::vector<std::pair<const ColoWorkloadKind*, double>>;

Mix
ParseMix(const std::string& text)
{
    Mix mix;
    for (std::size_t begin = 0; begin <= text.size();)
    {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t split = part.find('=');
        Require(split != std::string::npos, "mixed: '{}' is not NAME=WEIGHT", part);
        const std::string name = part.substr(0, split);
        const ColoWorkloadKind* kind = FindKind(name);
        Require(kind, "mixed: '{}' is no workload that can be a part of it", name);
        const bool isNew = std::none_of(mix.begin(), mix.end(), [&](const auto& known) {
            return known.first == kind;
        });
        Require(isNew, "mixed: {} is there twice", name);
        double weight = 0;
        const char* last = part.data() + part.size();
        const auto result = std::from_chars(part.data() + split + 1, last, weight);
        Require(result.ec == std::errc() && result.ptr == last && weight > 0 &&
                    weight <= WEIGHT_MAX,
                "mixed: '{}' is not a weight above 0 and at most {}",
                part.substr(split + 1),
                WEIGHT_MAX);
        mix.emplace_back(kind, weight);
    }
    return mix;
}

/** Divide by weight, by largest remainder, so that each gets at least one. */
std::vector<uint64_t>
Divide(const char* what, uint64_t whole, const Mix& mix)
{
    Require(whole >= mix.size(),
            "{} must be at least {}, one for each workload of the mix",
            what,
            mix.size());
    const double weights = std::accumulate(mix.begin(), mix.end(), 0.0, [](double sum, auto& part) {
        return sum + part.second;
    });
    std::vector<uint64_t> shares;
    std::vector<std::pair<double, std::size_t>> remainders;
    uint64_t left = whole;
    for (std::size_t i = 0; i < mix.size(); i++)
    {
        const double share = whole * (mix[i].second / weights);
        shares.push_back(std::min(left, static_cast<uint64_t>(share)));
        remainders.emplace_back(shares.back() - share, i);
        left -= shares.back();
    }
    std::sort(remainders.begin(), remainders.end());
    for (std::size_t i = 0; left > 0; i++, left--)
    {
        shares[remainders[i % mix.size()].second]++;
    }
    for (uint64_t& share : shares)
    {
        if (share == 0)
        {
            --*std::max_element(shares.begin(), shares.end());
            share = 1;
        }
    }
    return shares;
}

std::vector<Chain>
WriteMix(const std::string& text, const ColoWorkloadOptions& options)
{
    Require(!options.requestBytes && !options.responseBytes,
            "{} size means nothing to mixed: each of its workloads has its own",
            options.requestBytes ? "request" : "response");
    static const ColoWorkloadInfo MIXED_INFO = MakeMixedInfo();
    const Mix mix = ParseMix(text);
    const ColoWorkloadInfo all = Shape(MIXED_INFO, options);
    const auto requests = Divide("requests", all.requests, mix);
    const auto connections = Divide("connections", all.connections, mix);
    std::vector<Chain> chains;
    for (std::size_t i = 0; i < mix.size(); i++)
    {
        const ColoWorkloadKind& kind = *mix[i].first;
        ColoWorkloadInfo shape = ShapeRequests(kind, kind.info, options);
        shape.requests = requests[i];
        shape.connections = connections[i];
        Write(kind, shape, options.seed, chains);
    }
    return chains;
}

} // namespace

const std::vector<ColoWorkloadInfo>&
ColoListWorkloads()
{
    static const std::vector<ColoWorkloadInfo> workloads = [] {
        std::vector<ColoWorkloadInfo> all;
        for (const ColoWorkloadKind& kind : ColoListWorkloadKinds())
        {
            all.push_back(kind.info);
        }
        all.push_back(MakeMixedInfo());
        return all;
    }();
    return workloads;
}

ColoDialogue
ColoMakeWorkload(const std::string& name, const ColoWorkloadOptions& options)
{
    if (name == MIXED)
    {
        return Arrange(WriteMix(DEFAULT_MIX, options), options);
    }
    if (name.rfind(MIXED + ":", 0) == 0)
    {
        return Arrange(WriteMix(name.substr(MIXED.size() + 1), options), options);
    }
    const ColoWorkloadKind* kind = FindKind(name);
    Require(kind, "there is no workload '{}'", name);
    std::vector<Chain> chains;
    Write(*kind, ShapeRequests(*kind, Shape(kind->info, options), options), options.seed, chains);
    return Arrange(std::move(chains), options);
}

ColoDialogue
ColoMakeRequestResponse(const ColoRequestResponse& workload)
{
    Require(workload.serverPort != 0, "server port must not be 0");
    ColoWorkloadOptions options;
    options.requests = workload.requests;
    options.connections = workload.connections;
    options.requestBytes = workload.requestBytes;
    options.responseBytes = workload.responseBytes;
    options.thinkTime = workload.thinkTime;
    ColoDialogue dialogue = ColoMakeWorkload("request-response", options);
    for (ColoConversation& conversation : dialogue.conversations)
    {
        conversation.serverPort = workload.serverPort;
    }
    return dialogue;
}

} // namespace ns3
