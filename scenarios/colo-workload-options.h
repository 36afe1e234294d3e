/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_WORKLOAD_OPTIONS_H
#define COLO_WORKLOAD_OPTIONS_H

#include "ns3/colo-dialogue.h"
#include "ns3/colo-workload.h"

#include <boost/program_options.hpp>
#include <string>

namespace ns3
{

/** \param options gets those that say what clients and guest do. */
void ColoAddWorkloadOptions(boost::program_options::options_description& options);

/** \return what --help says of the workloads. */
std::string ColoHelpWorkloads();

/**
 * \param workload its name, one that there is.
 * \param options its shape.
 * \return both in words.
 */
std::string ColoDescribeWorkload(const std::string& workload, const ColoWorkloadOptions& options);

/** \param workload its name. \return whether it is a capture's: "capture:FILE". */
bool ColoIsCapture(const std::string& workload);

/**
 * \param values of the options.
 * \return the name of the workload, with the file of a capture or the weights of a mix.
 * \throws ColoUsageError if there is none of this name.
 */
std::string ColoParseWorkload(const boost::program_options::variables_map& values);

/**
 * \param values of the options.
 * \param workload its name.
 * \return its shape, but for the seed; of a capture's, only the clients mean something.
 * \throws ColoUsageError naming the option that is wrong, or that this workload has no use for.
 */
ColoWorkloadOptions ColoParseWorkloadOptions(const boost::program_options::variables_map& values,
                                             const std::string& workload);

/**
 * \param workload its name.
 * \param options its shape.
 * \return the script.
 * \throws ColoUsageError naming the option or file that is wrong.
 */
ColoDialogue ColoMakeDialogue(const std::string& workload, const ColoWorkloadOptions& options);

} // namespace ns3

#endif /* COLO_WORKLOAD_OPTIONS_H */
