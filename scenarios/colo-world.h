/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_WORLD_H
#define COLO_WORLD_H

#include "colo-run-result.h"
#include "colo-scenario-options.h"

#include "ns3/colo-dialogue.h"
#include "ns3/colo-proxy.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace ns3
{

/** Who waits for a run wants no more of it. */
class ColoCancelled : public std::runtime_error
{
  public:
    ColoCancelled();
};

/** What to note of a run besides its result. */
struct ColoRunNotes
{
    std::string pcapFolder;                            //!< empty for no captures
    std::function<void(const std::string& file)> pcap; //!< told the name of each; may be empty
    std::function<void(const ColoVerdict&)> verdict;   //!< may be empty
    std::function<void(const std::string&)> timeline;  //!< lines, see ColoTimeline
    std::function<void(const std::string&)> animation; //!< text, see ColoAnimation
    std::function<void(Time now, uint64_t requests)> progress; //!< may be empty
    std::function<bool()> isCancelled; //!< asked every so many events; may be empty
};

/**
 * Set the defaults of ns-3's attributes, and its globals, for a run; all others get their first
 * ones again.
 * \param options of the run.
 */
void SetColoWorldDefaults(const ColoScenarioOptions& options);

/**
 * Simulate the exchange once: client, switch, two hosts, two guests.
 * \param options of the run.
 * \param dialogue what client and guests say.
 * \param protection of the pair, whatever the options say.
 * \param notes what to note.
 * \return the result; the same for the same options but for wallSeconds.
 * \throws ColoCancelled if the notes say so.
 */
ColoRunResult RunColoWorld(const ColoScenarioOptions& options,
                           std::shared_ptr<const ColoDialogue> dialogue,
                           ColoProtection protection,
                           const ColoRunNotes& notes);

} // namespace ns3

#endif /* COLO_WORLD_H */
