/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_CALIBRATION_H
#define COLO_CALIBRATION_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/** One number that the simulation takes from outside, and why it is that. */
struct ColoCalibrationFigure
{
    std::string name;      //!< such as "compare-per-frame"
    int64_t value;         //!< in its unit
    std::string unit;      //!< "ns" or "packets"
    std::string attribute; //!< "ns3::Class::Attribute", which it sets
    std::string origin;    //!< "measured" or "assumed"
    /** Where it comes from, by key: command, machine, date; or source. */
    std::vector<std::pair<std::string, std::string>> evidence;

    /** \return the value as the attribute reads it. */
    std::string GetText() const;
};

/**
 * What hosts cost, as a JSON file has it; scenarios/README.md says in which form. All figures are
 * there, each once, or it is of no use.
 */
class ColoCalibration
{
  public:
    /**
     * \param path of the file; nothing for the one that is shipped.
     * \throws ColoUsageError naming the file, and the figure, if it is of no use.
     */
    explicit ColoCalibration(const std::optional<std::string>& path);

    /** \return the path, or that it is the one that is shipped. */
    const std::string& GetName() const;
    /** \return the figures, always in the same order. */
    const std::vector<ColoCalibrationFigure>& GetFigures() const;
    /**
     * \param attribute "ns3::Class::Attribute".
     * \return whether a figure sets it.
     */
    bool Sets(const std::string& attribute) const;

  private:
    std::string m_name;
    std::vector<ColoCalibrationFigure> m_figures;
};

} // namespace ns3

#endif /* COLO_CALIBRATION_H */
