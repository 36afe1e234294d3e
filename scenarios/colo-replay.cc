/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Two captures through the comparison: options in, table and files out.
 */
#include "colo-command-line.h"
#include "colo-replay-output.h"
#include "colo-replay-report.h"
#include "colo-replay-run.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <unistd.h>

using namespace ns3;

namespace
{

using Clock = std::chrono::steady_clock;

constexpr int SIGNAL_STATUS = 128; // a shell's way to tell which signal it was

volatile std::sig_atomic_t g_signal = 0;

void
NoteSignal(int signal)
{
    g_signal = signal;
}

/** A stop ends the run at the next packet, a second one at once. */
void
HandleSignals()
{
    for (int signal : {SIGINT, SIGTERM, SIGHUP})
    {
        struct sigaction action = {};
        sigaction(signal, nullptr, &action);
        if (action.sa_handler == SIG_IGN)
        {
            continue; // as under nohup
        }
        action.sa_handler = NoteSignal;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(signal, &action, nullptr);
    }
    std::signal(SIGPIPE, SIG_IGN); // a reader that goes away is a write error like any
}

/** A bar on a terminal, from the first second on. */
class Progress
{
  public:
    ~Progress()
    {
        if (m_isShown)
        {
            fmt::print(stderr, "\r\033[K");
        }
    }

    void Show(const ColoReplayInput& input)
    {
        if (!m_isTerminal || ++m_calls % CALLS_BETWEEN_LOOKS || Clock::now() < m_next)
        {
            return;
        }
        m_next = Clock::now() + std::chrono::milliseconds(200);
        m_isShown = true;
        const double read = input.GetBytesRead();
        const double all = input.GetBytes();
        if (all <= 0)
        {
            fmt::print(stderr, "\r\033[Kreplaying: {:.0f} MB", read / 1e6);
            return;
        }
        const int width = 40;
        const int done = std::min<int>(width * read / all, width);
        fmt::print(stderr,
                   "\r\033[Kreplaying: [{:<{}}] {:.0f} of {:.0f} MB",
                   std::string(done, '#'),
                   width,
                   read / 1e6,
                   all / 1e6);
    }

  private:
    static constexpr unsigned CALLS_BETWEEN_LOOKS = 256;

    unsigned m_calls{0};
    bool m_isTerminal{isatty(STDERR_FILENO) == 1};
    bool m_isShown{false};
    Clock::time_point m_next{Clock::now() + std::chrono::seconds(1)};
};

int
Run(const ColoReplayOptions& options)
{
    const auto begin = Clock::now();
    ColoReplayInput input(options);
    ColoReplayOutput output(options);
    ColoReplayStatistics statistics;
    ColoReplayRun run(options, statistics, output);
    std::string stopped;
    {
        Progress progress;
        stopped = run.TakeAll(input, [&] {
            output.Check();
            progress.Show(input);
            return g_signal == 0;
        });
    }
    if (g_signal)
    {
        stopped = "interrupted"; // what reading came to counts no more
    }
    output.Commit();
    const std::chrono::duration<double> wall = Clock::now() - begin;
    fmt::print(
        "{}",
        ColoReplayReport(
            {options, input, statistics, run.GetNode().stats.coalesced, wall.count(), stopped}));
    if (g_signal)
    {
        return SIGNAL_STATUS + g_signal;
    }
    if (!stopped.empty())
    {
        fmt::print(stderr, "colo-replay: {}\n", stopped);
        return COLO_EXIT_USAGE;
    }
    return EXIT_SUCCESS;
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

} // namespace

int
main(int argc, char* argv[])
{
    HandleSignals();
    try
    {
        const std::optional<ColoReplayOptions> options = ParseColoReplayOptions(argc, argv);
        const int status = options ? Run(*options) : EXIT_SUCCESS;
        Flush();
        return status;
    }
    catch (const std::bad_alloc&)
    {
        fmt::print(stderr, "colo-replay: out of memory\n");
    }
    catch (const std::exception& error)
    {
        if (g_signal) // opening a pipe failed for it
        {
            return SIGNAL_STATUS + g_signal;
        }
        fmt::print(stderr, "colo-replay: {}\n", ColoOneLine(error.what()));
    }
    return COLO_EXIT_USAGE;
}
