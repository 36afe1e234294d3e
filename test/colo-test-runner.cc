/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What test.py runs in an ns-3 tree, for a build that has no tree.
 */
#include "ns3/test.h"

int
main(int argc, char* argv[])
{
    return ns3::TestRunner::Run(argc, argv);
}
