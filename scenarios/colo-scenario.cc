/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A protected guest pair under one workload: options in, table and files out.
 */
#include "colo-command-line.h"
#include "colo-comparison.h"
#include "colo-config-file.h"
#include "colo-report.h"
#include "colo-result-folder.h"
#include "colo-scenario-options.h"
#include "colo-sudden-end.h"
#include "colo-world.h"

#include "ns3/simulator.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <new>
#include <unistd.h>

using namespace ns3;

namespace
{

/** One line on a terminal, from the first second on. */
class Progress
{
  public:
    explicit Progress(uint64_t requests)
        : m_requests(requests)
    {
    }

    ~Progress()
    {
        if (m_isShown)
        {
            fmt::print(stderr, "\r\033[K");
        }
    }

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void Show(const char* what, Time now, uint64_t done)
    {
        const auto time = std::chrono::steady_clock::now();
        if (time < m_next || !m_isTerminal)
        {
            return;
        }
        m_next = time + std::chrono::milliseconds(200);
        m_isShown = true;
        fmt::print(stderr,
                   "\r\033[K{}: {} of {} requests, {:.1f} s simulated",
                   what,
                   done,
                   m_requests,
                   now.GetSeconds());
    }

  private:
    uint64_t m_requests;
    bool m_isTerminal{isatty(STDERR_FILENO) == 1};
    bool m_isShown{false};
    std::chrono::steady_clock::time_point m_next{std::chrono::steady_clock::now() +
                                                 std::chrono::seconds(1)};
};

ColoRunNotes
NotesFor(const char* what, Progress& progress)
{
    ColoRunNotes notes;
    notes.progress = [what, &progress](Time now, uint64_t done) { progress.Show(what, now, done); };
    return notes;
}

bool
IsWell(const ColoRunResult& result)
{
    return result.isFinished && !result.clientResets && !result.clientDataErrors;
}

/** The same under each protection. */
int
Compare(const ColoScenarioOptions& options,
        std::shared_ptr<const ColoDialogue> dialogue,
        ColoResultFolder* folder)
{
    std::vector<ColoComparedRun> runs;
    for (const ColoProtection protection : COLO_PROTECTIONS)
    {
        Progress progress(dialogue->GetRequests());
        const ColoRunNotes notes = NotesFor(ColoProtectionName(protection), progress);
        runs.push_back({protection, RunColoWorld(options, dialogue, protection, notes)});
    }
    if (folder)
    {
        folder->Append("summary.json", ColoComparisonJson(options, runs));
        folder->Commit();
    }
    fmt::print("{}", ColoComparisonTable(options, runs));
    bool isWell = true;
    for (const auto& [protection, result] : runs)
    {
        isWell = isWell && IsWell(result);
        if (!result.unfinished.empty())
        {
            fmt::print(stderr,
                       "colo-scenario: {}: {}\n",
                       ColoProtectionName(protection),
                       result.unfinished);
        }
    }
    return isWell ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
Run(const ColoScenarioOptions& options)
{
    auto dialogue = std::make_shared<const ColoDialogue>(MakeColoDialogue(options));
    std::optional<ColoResultFolder> folder;
    if (!options.out.empty())
    {
        folder.emplace(options.out);
    }

    if (!options.saveConfig.empty())
    {
        SetColoWorldDefaults(options);
        ColoConfigFile::Save(options.saveConfig, options.texts);
    }
    if (options.compare)
    {
        return Compare(options, dialogue, folder ? &*folder : nullptr);
    }
    std::optional<ColoRunResult> unprotected;
    ColoRunResult result;
    {
        Progress progress(dialogue->GetRequests());
        if (ColoHasSecondHost(options.protection))
        {
            unprotected = RunColoWorld(options,
                                       dialogue,
                                       ColoProtection::NONE,
                                       NotesFor("unprotected", progress));
        }
        ColoRunNotes notes = NotesFor("simulating", progress);
        if (folder)
        {
            notes.pcapFolder = folder->GetPath();
            notes.pcap = [&](const std::string& file) { folder->Expect(file); };
            notes.verdict = [&](const ColoVerdict& verdict) {
                folder->Append("verdicts.jsonl", ColoReportVerdict(verdict, Simulator::Now()));
            };
            auto append = [&](const char* file) {
                return [&folder, file](const std::string& text) { folder->Append(file, text); };
            };
            if (options.trace)
            {
                notes.timeline = append("timeline.jsonl");
            }
            if (options.netanim)
            {
                notes.animation = append("netanim.xml");
            }
        }
        result = RunColoWorld(options, dialogue, options.protection, notes);
    }

    if (folder)
    {
        folder->Append("verdicts.jsonl", "");
        folder->Append("summary.json", ColoReportJson(options, result, unprotected));
        folder->Commit();
    }
    fmt::print("{}", ColoReportTable(options, result, unprotected));
    if (unprotected && !unprotected->unfinished.empty())
    {
        fmt::print(stderr, "colo-scenario: unprotected: {}\n", unprotected->unfinished);
    }
    if (!result.unfinished.empty())
    {
        fmt::print(stderr, "colo-scenario: {}\n", result.unfinished);
    }
    return IsWell(result) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/** A full disk shows no sooner than here. */
void
Flush()
{
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
    {
        throw std::runtime_error(fmt::format("standard output: {}", std::strerror(errno)));
    }
}

int
Main(int argc, char* argv[])
{
    try
    {
        const std::optional<ColoScenarioOptions> options = ParseColoScenarioOptions(argc, argv);
        const int status = options ? Run(*options) : EXIT_SUCCESS;
        Flush();
        return status;
    }
    catch (const std::bad_alloc&)
    {
        fmt::print(stderr, "colo-scenario: out of memory\n");
    }
    catch (const std::exception& error)
    {
        fmt::print(stderr, "colo-scenario: {}\n", ColoOneLine(error.what()));
    }
    return COLO_EXIT_USAGE;
}

} // namespace

int
main(int argc, char* argv[])
{
    ColoPrepareForSuddenEnd();
    Time::SetResolution(Time::NS); // as it is; until it is said, ns-3 keeps a list of all times
    const int status = Main(argc, argv);
    ColoSayKeptWords();
    return status;
}
