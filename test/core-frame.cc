/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-frame.h"

#include <map>
#include <sstream>
#include <stdexcept>

namespace colo_test
{

namespace
{

const size_t LINK = 12;
const size_t ETHERNET = 14;
const uint8_t ICMP = 1;
const uint8_t TCP = 6;
const uint8_t UDP = 17;
const uint8_t ICMPV6 = 58;
const uint8_t SCTP = 132;
const uint16_t GUEST_PORT = 80;

struct Line
{
    uint8_t protocol = TCP;
    uint8_t flags = 0;
    uint32_t seq = 0;
    uint32_t length = 0;
    std::map<std::string, uint32_t> numbers{{"ack", 0},
                                            {"win", 1000},
                                            {"pad", 0},
                                            {"id", 0},
                                            {"ttl", 64},
                                            {"tos", 0},
                                            {"urg", 0},
                                            {"len", 0},
                                            {"type", 0},
                                            {"code", 0},
                                            {"ident", 0},
                                            {"nr", 0},
                                            {"mtu", 0}};
    std::string options;
    std::string data;
    Bytes quote;
    int fill = -1;
};

[[noreturn]] void
Refuse(const std::string& line)
{
    throw std::invalid_argument("not in the notation: " + line);
}

uint8_t
ParseFlags(const std::string& text)
{
    const std::string names = "FSRP.UEC";
    uint8_t flags = 0;
    for (char name : text)
    {
        auto bit = names.find(name);
        if (bit == std::string::npos)
        {
            Refuse(text);
        }
        flags |= uint8_t(1 << bit);
    }
    return flags;
}

// Cut what stands between two marks out of a line.
std::string
TakeQuoted(std::string& line, const std::string& before, char after)
{
    auto begin = line.find(before);
    if (begin == std::string::npos)
    {
        return "";
    }
    auto end = line.find(after, begin + before.size());
    if (end == std::string::npos)
    {
        Refuse(line);
    }
    std::string inside = line.substr(begin + before.size(), end - begin - before.size());
    line.erase(begin, end + 1 - begin);
    return inside;
}

uint8_t
ProtocolOf(const std::string& word, int family)
{
    const std::map<std::string, uint8_t> names{{"icmp", family == 6 ? ICMPV6 : ICMP},
                                               {"igmp", 2},
                                               {"udp", UDP},
                                               {"gre", 47},
                                               {"sctp", SCTP}};
    auto found = names.find(word);
    return found == names.end() ? TCP : found->second;
}

// An ICMP error quotes the IP header and the first eight bytes behind it (RFC 792).
Bytes
Quoted(const std::string& line, const Numbering& numbering)
{
    Numbering sender = numbering;
    std::swap(sender.seq, sender.ack);
    sender.inbound = !numbering.inbound;
    Bytes frame = BuildFrame(line, sender);
    size_t header = numbering.family == 6 ? 40 : 20;
    return Bytes(frame.begin() + ETHERNET, frame.begin() + long(ETHERNET + header + 8));
}

Line
ParseLine(std::string text, const Numbering& numbering)
{
    Line line;
    std::string quote = TakeQuoted(text, "quote [", ']');
    if (!quote.empty())
    {
        line.quote = Quoted(quote, numbering);
    }
    line.options = TakeQuoted(text, "<", '>');
    line.data = TakeQuoted(text, "data \"", '"');
    std::string fill = TakeQuoted(text, "fill '", '\'');
    if (!fill.empty())
    {
        line.fill = uint8_t(fill[0]);
    }

    std::istringstream words(text);
    std::string first;
    words >> first;
    line.protocol = ProtocolOf(first, numbering.family);
    if (line.protocol == TCP)
    {
        char colon = 0;
        char bracket = 0;
        uint32_t end = 0;
        words >> line.seq >> colon >> end >> bracket >> line.length >> bracket;
        if (!words || colon != ':' || bracket != ')' || line.seq + line.length != end)
        {
            Refuse(text);
        }
        line.flags = ParseFlags(first);
    }
    for (std::string word; words >> word;)
    {
        if (!line.numbers.count(word) || !(words >> line.numbers[word]))
        {
            Refuse(text);
        }
    }
    if (line.protocol != TCP)
    {
        line.length = line.data.empty() ? line.numbers["len"] : uint32_t(line.data.size());
    }
    if (!line.data.empty() && line.data.size() != line.length)
    {
        Refuse(text);
    }
    return line;
}

void
Put16(Bytes& bytes, uint32_t value)
{
    bytes.push_back(uint8_t(value >> 8));
    bytes.push_back(uint8_t(value));
}

void
Put32(Bytes& bytes, uint32_t value)
{
    Put16(bytes, value >> 16);
    Put16(bytes, value);
}

void
PutOption(Bytes& bytes, std::istringstream& words, const Numbering& numbering)
{
    std::string name;
    uint32_t value = 0;
    uint32_t second = 0;
    char colon = 0;
    words >> name;
    if (name == "nop")
    {
        bytes.push_back(1);
    }
    else if (name == "mss" && words >> value)
    {
        bytes.insert(bytes.end(), {2, 4});
        Put16(bytes, value);
    }
    else if (name == "wscale" && words >> value)
    {
        bytes.insert(bytes.end(), {3, 3, uint8_t(value)});
    }
    else if (name == "sackOK")
    {
        bytes.insert(bytes.end(), {4, 2});
    }
    else if (name == "md5")
    {
        bytes.insert(bytes.end(), {19, 18});
        bytes.insert(bytes.end(), 16, 0xab);
    }
    else if (name == "ao")
    {
        bytes.insert(bytes.end(), {29, 4, 1, 1});
    }
    else if (name == "mpcapable" && words >> value)
    {
        // As in a SYN-ACK, with the sender's key (RFC 8684, 3.1).
        bytes.insert(bytes.end(), {30, 12, 0x01, 0x81});
        Put32(bytes, value);
        Put32(bytes, ~value);
    }
    else if (name == "mpjoin")
    {
        bytes.insert(bytes.end(), {30, 12, 0x10, 1, 0, 0, 0, 1, 0, 0, 0, 2});
    }
    else if (name == "ts" && words >> value >> second)
    {
        bytes.insert(bytes.end(), {8, 10});
        Put32(bytes, value);
        Put32(bytes, second);
    }
    else if (name == "sack")
    {
        size_t length = bytes.size() + 1;
        bytes.insert(bytes.end(), {5, 2});
        while (words >> value >> colon >> second)
        {
            Put32(bytes, numbering.ack + value);
            Put32(bytes, numbering.ack + second);
            bytes[length] = uint8_t(bytes[length] + 8);
        }
    }
    else
    {
        Refuse(words.str());
    }
}

Bytes
BuildOptions(const std::string& text, const Numbering& numbering)
{
    Bytes bytes;
    std::istringstream options(text);
    for (std::string option; std::getline(options, option, ',');)
    {
        std::istringstream words(option);
        PutOption(bytes, words, numbering);
    }
    while (bytes.size() % 4)
    {
        bytes.push_back(1);
    }
    return bytes;
}

void
PutPorts(Bytes& bytes, const Numbering& numbering)
{
    Put16(bytes, numbering.inbound ? numbering.port : GUEST_PORT);
    Put16(bytes, numbering.inbound ? GUEST_PORT : numbering.port);
}

Bytes
BuildTcp(const Line& line, const Numbering& numbering)
{
    Bytes options = BuildOptions(line.options, numbering);
    Bytes bytes;
    PutPorts(bytes, numbering);
    Put32(bytes, numbering.seq + line.seq);
    Put32(bytes, line.flags & 0x10 ? numbering.ack + line.numbers.at("ack") : 0);
    bytes.push_back(uint8_t((20 + options.size()) / 4 << 4));
    bytes.push_back(line.flags);
    Put16(bytes, line.numbers.at("win"));
    Put16(bytes, 0);
    Put16(bytes, line.numbers.at("urg"));
    bytes.insert(bytes.end(), options.begin(), options.end());
    return bytes;
}

// What is above IP, without the payload and with a checksum of zero.
Bytes
BuildHeader(const Line& line, const Numbering& numbering)
{
    Bytes bytes;
    auto number = [&line](const char* name) { return line.numbers.at(name); };
    switch (line.protocol)
    {
    case TCP:
        return BuildTcp(line, numbering);
    case UDP:
        PutPorts(bytes, numbering);
        Put16(bytes, 8 + line.length);
        Put16(bytes, 0);
        break;
    case SCTP:
        PutPorts(bytes, numbering);
        Put32(bytes, 0); // verification tag
        Put32(bytes, 0);
        break;
    case ICMP:
    case ICMPV6:
        bytes.push_back(uint8_t(number("type")));
        bytes.push_back(uint8_t(number("code")));
        Put16(bytes, 0);
        Put32(bytes, number("ident") << 16 | number("nr") | number("mtu"));
        break;
    }
    return bytes;
}

void
PutPayload(Bytes& bytes, const Line& line)
{
    bytes.insert(bytes.end(), line.quote.begin(), line.quote.end());
    for (uint32_t i = 0; i < line.length; i++)
    {
        uint8_t byte = StreamByte(line.seq + i);
        byte = line.fill >= 0 ? uint8_t(line.fill) : byte;
        bytes.push_back(line.data.empty() ? byte : uint8_t(line.data[i]));
    }
}

uint32_t
Sum(const uint8_t* bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
    {
        sum += i % 2 ? bytes[i] : uint32_t(bytes[i]) << 8;
    }
    return sum;
}

uint16_t
Fold(uint32_t sum)
{
    while (sum >> 16)
    {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return uint16_t(sum);
}

void
PutAddress(Bytes& bytes, bool guest, int family)
{
    if (family == 6)
    {
        bytes.insert(bytes.end(), {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    }
    else
    {
        bytes.insert(bytes.end(), {10, 0, 0});
    }
    bytes.push_back(guest ? 2 : 9);
}

void
PutIp(Bytes& bytes, const Line& line, const Numbering& numbering, size_t length)
{
    if (numbering.family == 6)
    {
        Put32(bytes, 6U << 28 | line.numbers.at("tos") << 20);
        Put16(bytes, uint32_t(length));
        bytes.push_back(line.protocol);
        bytes.push_back(uint8_t(line.numbers.at("ttl")));
    }
    else
    {
        bytes.push_back(0x45);
        bytes.push_back(uint8_t(line.numbers.at("tos")));
        Put16(bytes, uint32_t(20 + length));
        Put16(bytes, line.numbers.at("id"));
        Put16(bytes, 0x4000);
        bytes.push_back(uint8_t(line.numbers.at("ttl")));
        bytes.push_back(line.protocol);
        Put16(bytes, 0);
    }
    PutAddress(bytes, !numbering.inbound, numbering.family);
    PutAddress(bytes, numbering.inbound, numbering.family);
    if (numbering.family == 4)
    {
        uint16_t sum = Fold(Sum(&bytes[ETHERNET], 20));
        bytes[ETHERNET + 10] = uint8_t(~sum >> 8);
        bytes[ETHERNET + 11] = uint8_t(~sum);
    }
}

struct Layout
{
    size_t l4;
    size_t length;
    size_t field; // of the checksum; 0 if the protocol has none
    uint32_t pseudo;
};

// As far as the headers go that this file builds.
Layout
FindL4(const Bytes& frame)
{
    const std::map<uint8_t, size_t> fields{{ICMP, 2}, {TCP, 16}, {UDP, 6}, {ICMPV6, 2}};
    size_t ip = ETHERNET;
    while (frame[ip - 2] == 0x81 || frame[ip - 2] == 0x88)
    {
        ip += 4;
    }
    Layout layout{};
    bool v6 = frame[ip] >> 4 == 6;
    uint8_t protocol = frame[ip + (v6 ? 6 : 9)];
    size_t end = ip + (v6 ? 40 + (frame[ip + 4] << 8 | frame[ip + 5])
                          : size_t(frame[ip + 2] << 8 | frame[ip + 3]));
    layout.l4 = ip + (v6 ? 40 : size_t(frame[ip] & 15) * 4);
    const std::string extensions = {0, 43, 44, 51, 60};
    while (v6 && extensions.find(char(protocol)) != std::string::npos)
    {
        size_t units = frame[layout.l4 + 1];
        size_t length = protocol == 51 ? (units + 2) * 4 : (units + 1) * 8;
        protocol = frame[layout.l4];
        layout.l4 += length;
    }
    layout.length = end - layout.l4;
    auto field = fields.find(protocol);
    layout.field = field == fields.end() ? 0 : field->second;
    if (protocol != ICMP)
    {
        layout.pseudo = Sum(&frame[ip + (v6 ? 8 : 12)], v6 ? 32 : 8);
        layout.pseudo += uint32_t(protocol + layout.length);
    }
    return layout;
}

} // namespace

uint8_t
StreamByte(uint32_t position)
{
    return uint8_t(position % 251);
}

Bytes
BuildFrame(const std::string& text, const Numbering& numbering)
{
    Line line = ParseLine(text, numbering);
    Bytes l4 = BuildHeader(line, numbering);
    PutPayload(l4, line);
    Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    Put16(frame, numbering.family == 6 ? 0x86dd : 0x0800);
    PutIp(frame, line, numbering, l4.size());
    frame.insert(frame.end(), l4.begin(), l4.end());
    // Not zero, so that padding taken for payload shows.
    frame.insert(frame.end(), line.numbers.at("pad"), 0xee);
    SetChecksum(frame);
    return frame;
}

Bytes
Tagged(Bytes frame, uint16_t tag, uint16_t ethertype)
{
    Bytes bytes;
    Put16(bytes, ethertype);
    Put16(bytes, tag);
    frame.insert(frame.begin() + LINK, bytes.begin(), bytes.end());
    return frame;
}

Bytes
Extended(Bytes frame, uint8_t kind, Bytes extension)
{
    extension[0] = frame[ETHERNET + 6];
    frame[ETHERNET + 6] = kind;
    size_t length = (frame[ETHERNET + 4] << 8 | frame[ETHERNET + 5]) + extension.size();
    frame[ETHERNET + 4] = uint8_t(length >> 8);
    frame[ETHERNET + 5] = uint8_t(length);
    frame.insert(frame.begin() + ETHERNET + 40, extension.begin(), extension.end());
    return frame;
}

bool
IsChecksumRight(const Bytes& frame)
{
    Layout at = FindL4(frame);
    return !at.field || Fold(at.pseudo + Sum(&frame[at.l4], at.length)) == 0xffff;
}

void
SetChecksum(Bytes& frame)
{
    Layout at = FindL4(frame);
    if (!at.field)
    {
        return;
    }
    frame[at.l4 + at.field] = 0;
    frame[at.l4 + at.field + 1] = 0;
    uint16_t sum = Fold(at.pseudo + Sum(&frame[at.l4], at.length));
    frame[at.l4 + at.field] = uint8_t(~sum >> 8);
    frame[at.l4 + at.field + 1] = uint8_t(~sum);
}

} // namespace colo_test
