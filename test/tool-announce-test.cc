/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What is sent to a LAN when a guest has moved, byte by byte.
#define BOOST_TEST_MODULE tool_announce
extern "C"
{
#include "../kernel-ref/coloctl/announce.h"
}

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace
{

const uint8_t MAC[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

std::string
Hex(const uint8_t* bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < length; i++)
    {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

std::string
Frame(const char* address)
{
    uint8_t frame[ANNOUNCE_FRAME_MAX];
    guest_address parsed;
    BOOST_REQUIRE(!address || guest_address_parse(address, &parsed));
    return Hex(frame, announce_frame(frame, MAC, address ? &parsed : nullptr));
}

std::string
Padded(const std::string& hex)
{
    return hex + std::string(120 - hex.size(), '0');
}

BOOST_AUTO_TEST_CASE(fail_primary_gratuitous_arp)
{
    const std::string arp = "0806"
                            "0001080006040001"
                            "525400123456"
                            "0a000002"
                            "000000000000"
                            "0a000002";
    BOOST_TEST(Frame("10.0.0.2") == Padded("ffffffffffff525400123456" + arp));
    BOOST_TEST(Frame("10.0.0.2@100") == Padded("ffffffffffff52540012345681000064" + arp));
}

BOOST_AUTO_TEST_CASE(fail_primary_unsolicited_advertisement)
{
    // The checksum is that of another implementation.
    BOOST_TEST(Frame("fe80::2") == "333300000001525400123456"
                                   "86dd"
                                   "6000000000203aff"
                                   "fe800000000000000000000000000002"
                                   "ff020000000000000000000000000001"
                                   "8800d2dd20000000"
                                   "fe800000000000000000000000000002"
                                   "0201525400123456");
}

BOOST_AUTO_TEST_CASE(without_an_address_switches_learn)
{
    BOOST_TEST(Frame(nullptr) == Padded("ffffffffffff525400123456"
                                        "8035"
                                        "0001080006040003"
                                        "525400123456"
                                        "00000000"
                                        "525400123456"
                                        "00000000"));
}

BOOST_AUTO_TEST_CASE(addresses_that_are_none)
{
    guest_address address;
    for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.2@", "10.0.0.2@0", "10.0.0.2@4095",
                             "10.0.0.2@x", "::g", "10.0.0.2 ", "@5"})
    {
        BOOST_TEST(!guest_address_parse(text, &address), text);
    }
    const std::string longText(1000, ':');
    BOOST_TEST(!guest_address_parse(longText.c_str(), &address));
}

BOOST_AUTO_TEST_CASE(addresses_come_out_as_they_went_in)
{
    for (const std::string text : {"10.0.0.2", "10.0.0.2@4094", "2001:db8::2", "2001:db8::2@7"})
    {
        guest_address address;
        char printed[64];
        BOOST_REQUIRE(guest_address_parse(text.c_str(), &address));
        guest_address_print(&address, printed, sizeof(printed));
        BOOST_TEST(printed == text);
    }
}

BOOST_AUTO_TEST_CASE(macs)
{
    uint8_t mac[6];
    BOOST_REQUIRE(mac_parse("52:54:00:aB:Cd:eF", mac));
    BOOST_TEST(Hex(mac, 6) == "525400abcdef");
    for (const char* text : {"", "52:54:00:12:34", "52:54:00:12:34:5", "52:54:00:12:34:5g",
                             "52-54-00-12-34-56", "53:54:00:12:34:56", "52:54:00:12:34:567"})
    {
        BOOST_TEST(!mac_parse(text, mac), text);
    }
}

} // namespace
