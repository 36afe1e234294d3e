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

const size_t ETHERNET = 14;
const uint8_t TCP = 6;

struct Line
{
    uint8_t flags = 0;
    uint32_t seq = 0;
    uint32_t length = 0;
    std::map<std::string, uint32_t> numbers{{"ack", 0},
                                            {"win", 1000},
                                            {"pad", 0},
                                            {"id", 0},
                                            {"ttl", 64},
                                            {"tos", 0},
                                            {"urg", 0}};
    std::string options;
    std::string data;
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

Line
ParseLine(std::string text)
{
    Line line;
    line.options = TakeQuoted(text, "<", '>');
    line.data = TakeQuoted(text, "data \"", '"');
    std::string fill = TakeQuoted(text, "fill '", '\'');
    if (!fill.empty())
    {
        line.fill = uint8_t(fill[0]);
    }

    std::istringstream words(text);
    std::string flags;
    char colon = 0;
    char bracket = 0;
    uint32_t end = 0;
    words >> flags >> line.seq >> colon >> end >> bracket >> line.length >> bracket;
    if (!words || colon != ':' || bracket != ')' || line.seq + line.length != end)
    {
        Refuse(text);
    }
    line.flags = ParseFlags(flags);
    for (std::string word; words >> word;)
    {
        if (!line.numbers.count(word) || !(words >> line.numbers[word]))
        {
            Refuse(text);
        }
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

Bytes
BuildTcp(const Line& line, const Numbering& numbering)
{
    const uint16_t guest = 80;
    Bytes options = BuildOptions(line.options, numbering);
    Bytes bytes;
    Put16(bytes, numbering.inbound ? numbering.port : guest);
    Put16(bytes, numbering.inbound ? guest : numbering.port);
    Put32(bytes, numbering.seq + line.seq);
    Put32(bytes, line.flags & 0x10 ? numbering.ack + line.numbers.at("ack") : 0);
    bytes.push_back(uint8_t((20 + options.size()) / 4 << 4));
    bytes.push_back(line.flags);
    Put16(bytes, line.numbers.at("win"));
    Put16(bytes, 0);
    Put16(bytes, line.numbers.at("urg"));
    bytes.insert(bytes.end(), options.begin(), options.end());
    for (uint32_t i = 0; i < line.length; i++)
    {
        uint8_t byte = StreamByte(line.seq + i);
        byte = line.fill >= 0 ? uint8_t(line.fill) : byte;
        bytes.push_back(line.data.empty() ? byte : uint8_t(line.data[i]));
    }
    return bytes;
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
        bytes.push_back(TCP);
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
        bytes.push_back(TCP);
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
    size_t tcp;
    size_t length;
    uint32_t pseudo;
};

Layout
FindTcp(const Bytes& frame)
{
    Layout layout;
    if (frame[ETHERNET] >> 4 == 6)
    {
        layout.tcp = ETHERNET + 40;
        layout.length = frame[ETHERNET + 4] << 8 | frame[ETHERNET + 5];
        layout.pseudo = Sum(&frame[ETHERNET + 8], 32);
    }
    else
    {
        size_t header = size_t(frame[ETHERNET] & 15) * 4;
        layout.tcp = ETHERNET + header;
        layout.length = (frame[ETHERNET + 2] << 8 | frame[ETHERNET + 3]) - header;
        layout.pseudo = Sum(&frame[ETHERNET + 12], 8);
    }
    layout.pseudo += uint32_t(TCP + layout.length);
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
    Line line = ParseLine(text);
    Bytes tcp = BuildTcp(line, numbering);
    Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    Put16(frame, numbering.family == 6 ? 0x86dd : 0x0800);
    PutIp(frame, line, numbering, tcp.size());
    frame.insert(frame.end(), tcp.begin(), tcp.end());
    // Not zero, so that padding taken for payload shows.
    frame.insert(frame.end(), line.numbers.at("pad"), 0xee);
    SetChecksum(frame);
    return frame;
}

bool
IsChecksumRight(const Bytes& frame)
{
    Layout at = FindTcp(frame);
    return Fold(at.pseudo + Sum(&frame[at.tcp], at.length)) == 0xffff;
}

void
SetChecksum(Bytes& frame)
{
    Layout at = FindTcp(frame);
    frame[at.tcp + 16] = 0;
    frame[at.tcp + 17] = 0;
    uint16_t sum = Fold(at.pseudo + Sum(&frame[at.tcp], at.length));
    frame[at.tcp + 16] = uint8_t(~sum >> 8);
    frame[at.tcp + 17] = uint8_t(~sum);
}

} // namespace colo_test
