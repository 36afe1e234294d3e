/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-sudden-end.h"

#include "colo-command-line.h"
#include "colo-result-folder.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace ns3
{

namespace
{

std::ostringstream g_keptWords;
std::streambuf* g_cerr = nullptr;
std::streambuf* g_clog = nullptr;
/** Of a fixed size, as a handler of signals reads it. */
char g_blame[512] = "";

/** write(2) is safe in a handler of signals. */
void
Say(const char* text)
{
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0)
    {
        return; // nobody listens
    }
}

/** The user's or the system's wish: go as the signal says, but tidily. */
void
Stop(int signal)
{
    ColoResultFolder::RemoveDraft();
    raise(signal); // its handler is the default one again
}

/** From 'aborted. cond="...", msg="...", ... file=..., line=...' only the message. */
std::string
GetReason()
{
    static const std::string begin = "msg=\"";
    static const std::string end = "\", ";

    const std::string words = g_keptWords.str();
    const std::size_t from = words.rfind(begin);
    const std::size_t to = words.rfind(end);
    if (from == std::string::npos || to == std::string::npos || to < from + begin.size())
    {
        return words;
    }
    return words.substr(from + begin.size(), to - from - begin.size());
}

/** NS_FATAL_ERROR and its like end here. */
[[noreturn]] void
GiveUp()
{
    ColoResultFolder::RemoveDraft();
    if (!g_blame[0])
    {
        Say(("colo-scenario: " + ColoOneLine(g_keptWords.str()) + "\n").c_str());
        std::signal(SIGABRT, SIG_DFL);
        std::abort();
    }
    Say(("colo-scenario: " + ColoOneLine(g_blame + (": " + GetReason())) + "\n").c_str());
    _exit(COLO_EXIT_USAGE);
}

void
HandleStop(int signal)
{
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN)
    {
        return; // as under nohup
    }
    action.sa_handler = Stop;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    sigaction(signal, &action, nullptr);
}

} // namespace

void
ColoPrepareForSuddenEnd()
{
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    {
        HandleStop(signal);
    }
    std::set_terminate(GiveUp);
    g_cerr = std::cerr.rdbuf(g_keptWords.rdbuf());
    g_clog = std::clog.rdbuf();
    if (!std::getenv("NS_LOG")) // else it is the user who wants to read it
    {
        std::clog.rdbuf(g_keptWords.rdbuf());
    }
}

void
ColoBlameForSuddenEnd(const std::string& options)
{
    const std::size_t size = options.copy(g_blame, sizeof(g_blame) - 1);
    g_blame[size] = '\0';
}

void
ColoSayKeptWords()
{
    std::cerr.rdbuf(g_cerr);
    std::clog.rdbuf(g_clog);
    std::cerr << g_keptWords.str();
}

} // namespace ns3
