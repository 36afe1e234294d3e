/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-workload-kind.h"

#include <algorithm>

namespace ns3
{

const Time COLO_BACKEND_WAIT = MilliSeconds(2);

ColoTurnWriter::ColoTurnWriter(const ColoWorkloadInfo& shape,
                               std::mt19937_64& random,
                               uint64_t slot,
                               ColoConversation& conversation)
    : m_shape(shape),
      m_random(random),
      m_slot(slot),
      m_turns(conversation.turns)
{
}

const ColoWorkloadInfo&
ColoTurnWriter::GetShape() const
{
    return m_shape;
}

uint64_t
ColoTurnWriter::GetSlot() const
{
    return m_slot;
}

uint64_t
ColoTurnWriter::Draw(uint64_t min, uint64_t max)
{
    // Not std::uniform_int_distribution: each library has its own.
    return min + m_random() % (max - min + 1);
}

uint64_t
ColoTurnWriter::Draw(const ColoSizes& sizes)
{
    return Draw(sizes.min, sizes.max);
}

void
ColoTurnWriter::Client(uint64_t bytes, Time pause)
{
    m_turns.push_back({false, bytes, pause});
}

void
ColoTurnWriter::Guest(uint64_t bytes, Time pause)
{
    m_turns.push_back({true, bytes, pause});
}

void
ColoTurnWriter::Random(uint64_t bytes)
{
    m_turns.push_back({true, bytes, Time(), true});
}

namespace
{

/** \return the size that all have if somebody asked for one, else the given one. */
uint64_t
SizeOr(const ColoSizes& asked, uint64_t own)
{
    return asked.min == asked.max ? asked.min : own;
}

void
Exchange(ColoTurnWriter& writer, Time pause)
{
    writer.Client(writer.Draw(writer.GetShape().requestBytes), pause);
    writer.Guest(writer.Draw(writer.GetShape().responseBytes));
}

void
Upload(ColoTurnWriter& writer, Time pause)
{
    constexpr uint64_t HEADER = 180; // of an HTTP PUT, or of SMB's create request
    writer.Client(HEADER, pause);
    writer.Client(writer.Draw(writer.GetShape().requestBytes));
    writer.Guest(writer.Draw(writer.GetShape().responseBytes));
}

void
Bulk(ColoTurnWriter& writer, Time pause)
{
    constexpr uint64_t COOKIE = 37;  // by which iperf3 tells its streams apart
    constexpr uint64_t RESULT = 400; // iperf3's are a small JSON object
    const bool isUp = writer.GetSlot() % 2 == 0;
    writer.Client(isUp ? writer.Draw(writer.GetShape().requestBytes) : COOKIE, pause);
    writer.Guest(isUp ? RESULT : writer.Draw(writer.GetShape().responseBytes));
}

/** PostgreSQL's start packet; trusted, the answer is its parameters and "ready". */
void
TransactionsHello(ColoTurnWriter& writer)
{
    writer.Client(84);
    writer.Guest(334);
}

/** The five statements of "pgbench -N", as simple queries, and what answers them. */
void
Transaction(ColoTurnWriter& writer, Time pause)
{
    const ColoWorkloadInfo& shape = writer.GetShape();
    constexpr ColoSizes STATEMENTS[][2] = {
        {{12, 12}, {17, 17}},   // BEGIN
        {{76, 84}, {20, 20}},   // UPDATE
        {{62, 66}, {66, 72}},   // SELECT
        {{108, 116}, {22, 22}}, // INSERT
        {{10, 10}, {18, 18}},   // END
    };
    for (const auto& [statement, answer] : STATEMENTS)
    {
        writer.Client(SizeOr(shape.requestBytes, writer.Draw(statement)), pause);
        writer.Guest(SizeOr(shape.responseBytes, writer.Draw(answer)));
        pause = Time();
    }
}

/** One store for 30 queries, most values small (Atikoglu et al., SIGMETRICS 2012, pool ETC). */
void
KeyValue(ColoTurnWriter& writer, Time pause)
{
    const ColoWorkloadInfo& shape = writer.GetShape();
    const uint64_t key = writer.Draw(shape.requestBytes);
    const uint64_t value = std::min(writer.Draw(20, 1000), writer.Draw(20, 1000));
    const bool isStore = writer.Draw(0, 30) == 0;
    constexpr uint64_t STORED = 8; // "STORED" and the end of its line
    writer.Client(isStore ? SizeOr(shape.requestBytes, key + value) : key, pause);
    writer.Guest(SizeOr(shape.responseBytes, isStore ? STORED : value));
}

/** IRC: name and nick, the welcome and the message of the day. */
void
ChatHello(ColoTurnWriter& writer)
{
    writer.Client(52);
    writer.Guest(1900);
}

/** Four messages of others for one of one's own, in a lively channel. */
void
Chat(ColoTurnWriter& writer, Time pause)
{
    const ColoSizes& heard = writer.GetShape().responseBytes;
    writer.Client(writer.Draw(writer.GetShape().requestBytes), pause);
    for (int i = 0; i < 4; i++)
    {
        writer.Guest(writer.Draw(heard), MilliSeconds(writer.Draw(5, 100)));
    }
}

/** TLS 1.3 with a chain of two certificates, and two tickets, as OpenSSL has it. */
void
TlsHello(ColoTurnWriter& writer)
{
    writer.Client(517);
    writer.Random(writer.Draw(2900, 4300));
    writer.Client(80);
    writer.Random(510);
}

/** Records: each of up to 16 KiB has a header, a type and a tag. */
uint64_t
SealedBytes(uint64_t bytes)
{
    constexpr uint64_t RECORD = 16384;
    constexpr uint64_t OVERHEAD = 5 + 1 + 16;
    return bytes + (bytes + RECORD - 1) / RECORD * OVERHEAD;
}

void
Tls(ColoTurnWriter& writer, Time pause)
{
    writer.Client(SealedBytes(writer.Draw(writer.GetShape().requestBytes)), pause);
    writer.Random(SealedBytes(writer.Draw(writer.GetShape().responseBytes)));
}

/** As in traces/ssh.pcap; of what the guest says, only the banner is no secret. */
void
SshHello(ColoTurnWriter& writer)
{
    constexpr uint64_t EXCHANGES[][2] = {
        {1392, 496},  // algorithms
        {48, 764},    // keys
        {60, 44},     // new keys, service
        {60, 52},     // which ways to log in
        {1132, 1092}, // public key
        {2172, 28},   // signature
        {112, 440},   // session
        {188, 356},   // terminal, prompt
    };
    writer.Guest(39);
    writer.Client(21);
    for (const auto& [asked, answered] : EXCHANGES)
    {
        writer.Client(asked);
        writer.Random(answered);
    }
}

/** A keystroke and its echo, the smallest packets there are; now and then a line of output. */
void
Ssh(ColoTurnWriter& writer, Time pause)
{
    constexpr uint64_t SMALLEST = 36;
    const ColoSizes& heard = writer.GetShape().responseBytes;
    writer.Client(writer.Draw(writer.GetShape().requestBytes), pause);
    const bool isOutput = writer.Draw(0, 19) == 0;
    writer.Random(SizeOr(heard, isOutput ? writer.Draw(heard) : SMALLEST));
}

void
Lookup(ColoTurnWriter& writer, Time pause)
{
    writer.Client(writer.Draw(writer.GetShape().requestBytes), pause);
    writer.Guest(writer.Draw(writer.GetShape().responseBytes), COLO_BACKEND_WAIT);
}

constexpr uint64_t MEGABYTE = 1000000;

} // namespace

const std::vector<ColoWorkloadKind>&
ColoListWorkloadKinds()
{
    const Time NO_THINKING;
    constexpr ColoTransport TCP = ColoTransport::TCP;
    constexpr ColoTransport UDP = ColoTransport::UDP;
    static const std::vector<ColoWorkloadKind> kinds = {
        {{"request-response",
          "web: small requests, each answered by a page",
          "requests",
          1000,
          10,
          {100, 100},
          {10000, 10000},
          NO_THINKING,
          0},
         TCP,
         80,
         false,
         nullptr,
         Exchange},
        {{"download",
          "FTP, SMB: a short request, a big file from the guest",
          "files",
          10,
          2,
          {60, 120},
          {2 * MEGABYTE, 2 * MEGABYTE},
          NO_THINKING,
          0},
         TCP,
         21,
         false,
         nullptr,
         Exchange},
        {{"upload",
          "a header, a big file from the client, a short confirmation",
          "files",
          10,
          2,
          {2 * MEGABYTE, 2 * MEGABYTE},
          {40, 80},
          NO_THINKING,
          0},
         TCP,
         445,
         false,
         nullptr,
         Upload},
        // iperf3's default is client to server; --bidir adds a stream the other way.
        {{"bulk",
          "iperf: every other connection to the guest, the others from it",
          "transfers",
          2,
          2,
          {8 * MEGABYTE, 8 * MEGABYTE},
          {8 * MEGABYTE, 8 * MEGABYTE},
          NO_THINKING,
          0},
         TCP,
         5201,
         false,
         nullptr,
         Bulk},
        {{"transactions",
          "pgbench: long-lived connections, five small statements a transaction",
          "transactions",
          200,
          8,
          {10, 116},
          {17, 72},
          NO_THINKING,
          0},
         TCP,
         5432,
         false,
         TransactionsHello,
         Transaction},
        {{"key-value",
          "memcached over TCP: a key, a value of up to 1000 bytes",
          "gets and sets",
          2000,
          20,
          {30, 100},
          {20, 1000},
          NO_THINKING,
          0},
         TCP,
         11211,
         false,
         nullptr,
         KeyValue},
        {{"key-value-udp",
          "memcached over UDP: each request and answer a datagram",
          "gets and sets",
          2000,
          20,
          {38, 108}, // UDP's has a header of 8 bytes
          {28, 1000},
          NO_THINKING,
          0},
         UDP,
         11211,
         false,
         nullptr,
         KeyValue},
        {{"dns",
          "UDP: each query from a port of its own",
          "queries",
          500,
          10,
          {40, 40},
          {120, 400},
          NO_THINKING,
          1},
         UDP,
         53,
         false,
         nullptr,
         Exchange},
        {{"chat",
          "IRC: the guest pushes messages, now and then a client says one",
          "messages",
          100,
          20,
          {40, 120},
          {60, 200},
          MilliSeconds(100),
          0},
         TCP,
         6667,
         false,
         ChatHello,
         Chat},
        {{"tls",
          "web over TLS 1.3: keys and records of each guest are its own",
          "requests",
          100,
          10,
          {100, 400},
          {10000, 10000},
          NO_THINKING,
          0},
         TCP,
         443,
         false,
         TlsHello,
         Tls},
        {{"ssh",
          "terminals: keystrokes and echoes, the guests' own as with tls",
          "keystrokes",
          100,
          4,
          {36, 36},
          {36, 1500},
          MilliSeconds(100),
          0},
         TCP,
         22,
         false,
         SshHello,
         Ssh},
        {{"lookups",
          "the guest asks a backend for each request, by TCP and UDP in turn",
          "requests",
          100,
          10,
          {100, 200},
          {500, 2000},
          MilliSeconds(5),
          1},
         TCP,
         8080,
         true,
         nullptr,
         Lookup},
    };
    return kinds;
}

} // namespace ns3
