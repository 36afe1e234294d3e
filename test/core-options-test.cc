/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// Options of TCP that cannot be protected as they are, and data in a SYN.
#define BOOST_TEST_MODULE core_options
#include "core-harness.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

namespace data = boost::unit_test::data;

const std::string TWELVE_NOPS = "nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop";
const auto OFFSETS = data::make({"", "nop,", "nop,nop,", "mss 1460,nop,nop,nop,"});
const auto SIGNATURES = data::make({"md5", "ao"});

struct OpeningFlow : FlowCore
{
    OpeningFlow()
    {
        m_secondaryIsn = m_primaryIsn + 777;
        Client("S 0:0(0) <mss 1460,mpcapable 1>");
    }

    Bytes AsPrimary(const std::string& line) const
    {
        return BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port});
    }
};

struct SignedFlow : EstablishedFlow
{
    Bytes AsPrimary(const std::string& line) const
    {
        return BuildFrame(line, {m_primaryIsn, m_clientIsn, false, m_family, m_port});
    }
};

std::string
With(const std::string& before, const std::string& options)
{
    return before + " <" + options + ">";
}

} // namespace

// One path is all that is protected, so the client is not offered more, wherever the option is.
BOOST_DATA_TEST_CASE_F(OpeningFlow, tcp_options_multipath_becomes_nops, OFFSETS, before)
{
    Primary(With("S. 0:0(0) ack 1", before + std::string("mpcapable 5")));
    Secondary(With("S. 0:0(0) ack 1", before + std::string("mpcapable 5")));
    BOOST_TEST(Released() == "S 0:0");
    BOOST_TEST(m_sent.back().frame == AsPrimary(With("S. 0:0(0) ack 1", before + TWELVE_NOPS)));
}

// Nor does the guest ask for it when it opens.
BOOST_DATA_TEST_CASE_F(FlowCore, tcp_options_multipath_when_the_guest_opens, OFFSETS, before)
{
    Primary(With("S 0:0(0)", before + std::string("mpcapable 5")));
    Secondary(With("S 0:0(0)", before + std::string("mpcapable 5")));
    BOOST_TEST(Released() == "S 0:0");
    Bytes expected = BuildFrame(With("S 0:0(0)", before + TWELVE_NOPS), {m_primaryIsn});
    BOOST_TEST(m_sent.back().frame == expected);
}

// A SYN that a checkpoint releases is no exception.
BOOST_FIXTURE_TEST_CASE(tcp_options_multipath_released_by_a_commit, OpeningFlow)
{
    Primary("S. 0:0(0) ack 1 <mpcapable 5>");
    Checkpoint();
    BOOST_TEST(Released() == "S 0:0");
    BOOST_TEST(m_sent.back().frame == AsPrimary(With("S. 0:0(0) ack 1", TWELVE_NOPS)));
}

// Each guest has a key of its own, which the client never sees.
BOOST_FIXTURE_TEST_CASE(tcp_options_multipath_keys_differ, OpeningFlow)
{
    Primary("S. 0:0(0) ack 1 <mss 1460,mpcapable 5>");
    Secondary("S. 0:0(0) ack 1 <mss 1460,mpcapable 6>");
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "S 0:0");
}

// A join, which nobody can ask for, stays as it is; and so do the keys of a third ACK.
BOOST_DATA_TEST_CASE_F(EstablishedFlow,
                       tcp_options_other_multipath_stays,
                       data::make({"S 5000:5000(0) <mpjoin>", ". 1:1(0) ack 1 <mpcapable 5>"}),
                       line)
{
    Primary(line);
    m_secondaryIsn = m_primaryIsn;
    Secondary(line);
    BOOST_TEST(Released() != "");
    BOOST_TEST((m_sent.back().frame == BuildFrame(line, {m_primaryIsn, m_clientIsn})));
}

// The secondary's side does the same, so that its answer is right after a failover.
BOOST_DATA_TEST_CASE_F(FixCore, tcp_options_multipath_of_the_secondary, OFFSETS, before)
{
    Client("S 0:0(0) <mpcapable 1>");
    Hint("S. 0:0(0) ack 1 <mpcapable 5>");
    Secondary(With("S. 0:0(0) ack 1", before + std::string("mpcapable 6")));
    BOOST_TEST(Released() == "in S 0:0, out S 0:0 ack 1");
    Bytes expected =
        BuildFrame(With("S. 0:0(0) ack 1", before + TWELVE_NOPS), {m_primaryIsn, m_clientIsn});
    BOOST_TEST(m_sent.back().frame == expected);
}

// Even while its numbering is not known.
BOOST_FIXTURE_TEST_CASE(tcp_options_multipath_without_an_offset, PlainFix)
{
    Client("S 0:0(0) <mpcapable 1>");
    Secondary("S. 0:0(0) ack 1 <mpcapable 6>");
    BOOST_TEST(Released() == "in S 0:0, out S 1000000:1000000 ack 1");
    BOOST_TEST(m_sent.back().parsed.options == 0);
}

// A signed header cannot be rewritten: a checkpoint for what it says, and one is enough.
BOOST_DATA_TEST_CASE_F(SignedFlow, tcp_options_signed_is_unsupported, SIGNATURES, signature)
{
    Primary(With(". 1:101(100) ack 1", signature));
    BOOST_TEST(Mismatch() == "unsupported at 1");
    Secondary(With(". 1:101(100) ack 1", signature));
    Primary(With(". 101:201(100) ack 1", signature));
    Primary(With(". 201:201(0) ack 1", signature));
    BOOST_TEST(Mismatch() == "");
    BOOST_TEST(Released() == "");
    BOOST_TEST(m_node.stats.mismatches[COLO_MISMATCH_UNSUPPORTED] == 1U);
    Checkpoint();
    BOOST_TEST(Released() == "1:101, 101:201, ack 1 win 1000");
    Primary(With(". 201:301(100) ack 1", signature));
    BOOST_TEST(Mismatch() == "unsupported at 201");
}

// Even an ack that both sent, a repetition, a reset.
BOOST_DATA_TEST_CASE_F(SignedFlow,
                       tcp_options_signed_of_any_kind,
                       data::make({". 1:1(0) ack 1", ". 0:1(1) ack 1", "R. 1:1(0) ack 1"}),
                       line)
{
    Primary(With(line, "md5"));
    BOOST_TEST(Mismatch() == "unsupported at 1");
    BOOST_TEST(Released() == "");
    Checkpoint();
    BOOST_TEST(Released() != "");
}

// Nor may its first segments leave, though they repeat what matched.
BOOST_DATA_TEST_CASE_F(SignedFlow, tcp_options_signed_has_no_parts, SIGNATURES, signature)
{
    Primary(". 1:1001(1000) ack 1");
    Secondary(". 1:2001(2000) ack 1");
    BOOST_TEST(Released() == "1:1001");
    m_gsoSize = 500;
    Primary(With(". 1:3001(3000) ack 1", signature));
    BOOST_TEST(Mismatch().substr(0, 11) == "unsupported");
    BOOST_TEST(Released() == "");
    Checkpoint();
    BOOST_TEST(Released() == "1:3001");
}

// From the first segment on.
BOOST_FIXTURE_TEST_CASE(tcp_options_signed_syn, FlowCore)
{
    Client("S 0:0(0) <md5>");
    Primary("S. 0:0(0) ack 1 <md5>");
    BOOST_TEST(Mismatch() == "unsupported at 0");
    Secondary("S. 0:0(0) ack 1 <md5>");
    BOOST_TEST(Released() == "");
    Checkpoint();
    BOOST_TEST(Released() == "S 0:0");
}

// The secondary's alone, too: the guests do not agree about the connection.
BOOST_DATA_TEST_CASE_F(SignedFlow, tcp_options_signed_by_the_secondary, SIGNATURES, signature)
{
    Secondary(With(". 1:1(0) ack 1", signature));
    BOOST_TEST(Mismatch() == "unsupported at 1");
}

// The commit releases it as it was signed: any edit would break the signature.
BOOST_DATA_TEST_CASE_F(SignedFlow, tcp_options_signed_leaves_unedited, SIGNATURES, signature)
{
    Primary(". 1:1(0) ack 1 <nop,nop,ts 120 0>");
    BOOST_TEST(Released() == "ack 1 win 1000");
    std::string line = With(". 1:101(100) ack 1", "nop,nop,ts 100 0," + std::string(signature));
    Primary(line);
    Checkpoint();
    BOOST_TEST(Released() == "1:101");
    BOOST_TEST(m_sent.back().frame == AsPrimary(line));
}

// Data in a SYN-ACK (TFO) is compared like any.
BOOST_FIXTURE_TEST_CASE(tcp_options_data_in_a_syn_ack, OpeningFlow)
{
    Primary("S. 0:4(4) ack 1 data \"abcd\"");
    Secondary("S. 0:2(2) ack 1 data \"ab\"");
    BOOST_TEST(Released() == "");
    Secondary(". 3:5(2) ack 1 data \"cd\"");
    BOOST_TEST(Released() == "S 0:4");
}

BOOST_DATA_TEST_CASE_F(FlowCore, tcp_options_data_in_a_syn_differs, data::make({"S", "S."}), flags)
{
    Primary(std::string(flags) + " 0:4(4) data \"abcd\"");
    Secondary(std::string(flags) + " 0:4(4) data \"abxy\"");
    BOOST_TEST(Mismatch() == "bytes at 3: 'cd' not 'xy'");
    BOOST_TEST(Released() == "");
}
