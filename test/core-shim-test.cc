/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The shim that keeps nodes and epochs apart on sec_dev.
#define BOOST_TEST_MODULE core_shim
#include "colo_shim.h"
#include "core-harness.h"

#include <boost/test/unit_test.hpp>

using namespace colo_test;

namespace
{

const Bytes ENCODED{1, 1, 0x12, 0x34, 0xfe, 0xdc, 0xba, 0x98, 0x08, 0x00};

} // namespace

// Both hosts, and a capture tool, must read it alike: the layout is fixed (ckpt-epoch).
BOOST_AUTO_TEST_CASE(ckpt_epoch_layout)
{
    const colo_shim shim{COLO_SHIM_HINT, 0x1234, 0xfedcba98, 0x0800};
    Bytes bytes(COLO_SHIM_LEN);
    colo_shim_write(&shim, bytes.data());
    BOOST_TEST(bytes == ENCODED);

    colo_shim read{};
    BOOST_TEST(colo_shim_read(&read, bytes.data(), COLO_SHIM_LEN));
    BOOST_TEST(read.kind == COLO_SHIM_HINT);
    BOOST_TEST(read.node == 0x1234);
    BOOST_TEST(read.epoch == 0xfedcba98);
    BOOST_TEST(read.ethertype == 0x0800);
}

// Too short, of another version, of an unknown kind: not to be guessed at (malformed).
BOOST_AUTO_TEST_CASE(malformed_shims_are_refused)
{
    colo_shim shim{};
    for (size_t length = 0; length < COLO_SHIM_LEN; length++)
    {
        // Of exactly this size, so that ASan sees a byte too many.
        Bytes bytes(ENCODED.begin(), ENCODED.begin() + long(length));
        bytes.shrink_to_fit();
        BOOST_TEST(!colo_shim_read(&shim, bytes.data(), uint32_t(length)));
    }
    Bytes version = ENCODED;
    version[0] = 2;
    BOOST_TEST(!colo_shim_read(&shim, version.data(), COLO_SHIM_LEN));
    Bytes kind = ENCODED;
    kind[1] = 2;
    BOOST_TEST(!colo_shim_read(&shim, kind.data(), COLO_SHIM_LEN));
}

// Late on the link, it must not be compared against the new epoch.
BOOST_FIXTURE_TEST_CASE(case_secondary_packet_of_before_the_checkpoint, FlowCore)
{
    colo_shim late{COLO_SHIM_FRAME, 7, m_node.epoch, 0x0800};
    BOOST_TEST(colo_shim_is_current(&late, &m_node));
    Checkpoint();
    BOOST_TEST(!colo_shim_is_current(&late, &m_node));
    late.epoch = m_node.epoch;
    BOOST_TEST(colo_shim_is_current(&late, &m_node));
}

// On the secondary's host as well, in whose node the epoch changes with the state.
BOOST_FIXTURE_TEST_CASE(ckpt_epoch_on_the_secondary_host, FixCore)
{
    const colo_shim early{COLO_SHIM_HINT, 7, 1, 0x0800};
    BOOST_TEST(!colo_shim_is_current(&early, &m_node));
    Checkpoint();
    BOOST_TEST(colo_shim_is_current(&early, &m_node));
}

// Several nodes share a link.
BOOST_FIXTURE_TEST_CASE(ckpt_epoch_of_another_node, FlowCore)
{
    const colo_shim other{COLO_SHIM_FRAME, 8, m_node.epoch, 0x0800};
    BOOST_TEST(!colo_shim_is_current(&other, &m_node));
}
