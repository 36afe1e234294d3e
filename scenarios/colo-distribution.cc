/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ns3
{

namespace
{

/** By nearest rank. */
double
Percentile(const std::vector<double>& sorted, double share)
{
    const auto rank = static_cast<std::size_t>(std::ceil(share * sorted.size()));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

} // namespace

ColoDistribution::ColoDistribution(std::vector<double> values)
    : count(values.size())
{
    if (values.empty())
    {
        return;
    }
    std::sort(values.begin(), values.end());
    mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
    p50 = Percentile(values, 0.50);
    p99 = Percentile(values, 0.99);
    max = values.back();
}

nlohmann::ordered_json
ColoDistribution::ToJson() const
{
    return {{"count", count}, {"mean", mean}, {"p50", p50}, {"p99", p99}, {"max", max}};
}

} // namespace ns3
