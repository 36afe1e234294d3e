/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-scenario-run.h"

#include "colo-comparison.h"
#include "colo-config-file.h"
#include "colo-report.h"
#include "colo-result-folder.h"
#include "colo-world.h"

#include "ns3/simulator.h"

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <utility>

namespace ns3
{

namespace
{

/** All runs of one command line: the same dialogue, one folder. */
class Scenario
{
  public:
    Scenario(const ColoScenarioOptions& options, const ColoScenarioListener& listener);

    ColoScenarioOutcome Compare();
    ColoScenarioOutcome Run();

  private:
    ColoRunNotes MakeNotes(const char* what) const;
    void NoteFiles(ColoRunNotes& notes);
    std::function<void(const std::string&)> AppendTo(const char* file);

    const ColoScenarioOptions& m_options;
    const ColoScenarioListener& m_listener;
    const std::shared_ptr<const ColoDialogue> m_dialogue;
    std::optional<ColoResultFolder> m_folder;
};

bool
IsWell(const ColoRunResult& result)
{
    return result.isFinished && !result.clientResets && !result.clientDataErrors;
}

void
Complain(ColoScenarioOutcome& outcome, const char* run, const ColoRunResult& result)
{
    if (!result.unfinished.empty())
    {
        outcome.unfinished.push_back(run + result.unfinished);
    }
}

Scenario::Scenario(const ColoScenarioOptions& options, const ColoScenarioListener& listener)
    : m_options(options),
      m_listener(listener),
      m_dialogue(std::make_shared<const ColoDialogue>(MakeColoDialogue(options)))
{
    if (!options.out.empty())
    {
        m_folder.emplace(options.out);
    }
    if (!options.saveConfig.empty())
    {
        SetColoWorldDefaults(options);
        ColoConfigFile::Save(options.saveConfig, options.texts);
    }
}

ColoRunNotes
Scenario::MakeNotes(const char* what) const
{
    ColoRunNotes notes;
    notes.isCancelled = m_listener.isCancelled;
    if (m_listener.progress)
    {
        // Counted once: this is called for every completed request, and walks the whole script.
        notes.progress = [this, what, all = m_dialogue->GetRequests()](Time now, uint64_t done) {
            m_listener.progress(what, now, done, all);
        };
    }
    return notes;
}

std::function<void(const std::string&)>
Scenario::AppendTo(const char* file)
{
    return [this, file](const std::string& text) { m_folder->Append(file, text); };
}

void
Scenario::NoteFiles(ColoRunNotes& notes)
{
    notes.pcapFolder = m_folder->GetPath();
    notes.pcap = [this](const std::string& file) { m_folder->Expect(file); };
    notes.verdict = [this](const ColoVerdict& verdict) {
        m_folder->Append("verdicts.jsonl", ColoReportVerdict(verdict, Simulator::Now()));
    };
    if (m_options.trace)
    {
        notes.timeline = AppendTo("timeline.jsonl");
    }
    if (m_options.netanim)
    {
        notes.animation = AppendTo("netanim.xml");
    }
}

ColoScenarioOutcome
Scenario::Compare()
{
    std::vector<ColoComparedRun> runs;
    ColoScenarioOutcome outcome{true, "", "", {}};
    for (const ColoProtection protection : COLO_PROTECTIONS)
    {
        const char* name = ColoProtectionName(protection);
        runs.push_back(
            {protection, RunColoWorld(m_options, m_dialogue, protection, MakeNotes(name))});
        outcome.isWell = outcome.isWell && IsWell(runs.back().result);
        Complain(outcome, (std::string(name) + ": ").c_str(), runs.back().result);
    }
    outcome.table = ColoComparisonTable(m_options, runs);
    outcome.json = ColoComparisonJson(m_options, runs);
    if (m_folder)
    {
        m_folder->Append("summary.json", outcome.json);
        m_folder->Commit();
    }
    return outcome;
}

ColoScenarioOutcome
Scenario::Run()
{
    ColoScenarioOutcome outcome{true, "", "", {}};
    std::optional<ColoRunResult> unprotected;
    if (ColoHasSecondHost(m_options.protection))
    {
        unprotected =
            RunColoWorld(m_options, m_dialogue, ColoProtection::NONE, MakeNotes("unprotected"));
        Complain(outcome, "unprotected: ", *unprotected);
    }
    ColoRunNotes notes = MakeNotes("simulating");
    if (m_folder)
    {
        NoteFiles(notes);
    }
    if (m_listener.timeline)
    {
        notes.timeline = [this, toFile = notes.timeline](const std::string& line) {
            m_listener.timeline(line);
            if (toFile)
            {
                toFile(line);
            }
        };
    }
    const ColoRunResult result = RunColoWorld(m_options, m_dialogue, m_options.protection, notes);
    outcome.isWell = IsWell(result);
    Complain(outcome, "", result);
    outcome.table = ColoReportTable(m_options, result, unprotected);
    outcome.json = ColoReportJson(m_options, result, unprotected);
    if (m_folder)
    {
        m_folder->Append("verdicts.jsonl", ""); // is there also if there was none
        m_folder->Append("summary.json", outcome.json);
        m_folder->Commit();
    }
    return outcome;
}

} // namespace

ColoScenarioOutcome
RunColoScenario(const ColoScenarioOptions& options, const ColoScenarioListener& listener)
{
    Scenario scenario(options, listener);
    return options.compare ? scenario.Compare() : scenario.Run();
}

} // namespace ns3
