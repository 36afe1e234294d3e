/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DISTRIBUTION_H
#define COLO_DISTRIBUTION_H

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

namespace ns3
{

/** What reports say of many values; all 0 if there are none. */
struct ColoDistribution
{
    /** \param values in any order. */
    explicit ColoDistribution(std::vector<double> values);

    /** \return count, mean, p50, p99, max. */
    nlohmann::ordered_json ToJson() const;

    std::size_t count;
    double mean{0};
    double p50{0}; //!< the smallest value that at least this share of all does not exceed
    double p99{0};
    double max{0};
};

} // namespace ns3

#endif /* COLO_DISTRIBUTION_H */
