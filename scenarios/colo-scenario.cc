/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A protected guest pair under one workload: options in, table and files out.
 */
#include "colo-command-line.h"
#include "colo-scenario-run.h"
#include "colo-sudden-end.h"

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
    Progress() = default;

    ~Progress()
    {
        if (m_isShown)
        {
            fmt::print(stderr, "\r\033[K");
        }
    }

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void Show(const char* what, Time now, uint64_t done, uint64_t all)
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
                   all,
                   now.GetSeconds());
    }

  private:
    bool m_isTerminal{isatty(STDERR_FILENO) == 1};
    bool m_isShown{false};
    std::chrono::steady_clock::time_point m_next{std::chrono::steady_clock::now() +
                                                 std::chrono::seconds(1)};
};

int
Run(const ColoScenarioOptions& options)
{
    ColoScenarioOutcome outcome;
    {
        Progress progress;
        ColoScenarioListener listener;
        listener.progress = [&](const char* what, Time now, uint64_t done, uint64_t all) {
            progress.Show(what, now, done, all);
        };
        outcome = RunColoScenario(options, listener);
    }
    fmt::print("{}", outcome.table);
    for (const std::string& line : outcome.unfinished)
    {
        fmt::print(stderr, "colo-scenario: {}\n", line);
    }
    return outcome.isWell ? EXIT_SUCCESS : EXIT_FAILURE;
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
