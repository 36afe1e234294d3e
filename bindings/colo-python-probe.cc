/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-python-probe.h"

#include "colo-command-line.h"
#include "colo-python-run.h"
#include "colo-sudden-end.h"
#include "colo-world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace ns3;

namespace
{

using Words = std::vector<std::string>;

bool
StartsWith(const std::string& text, const char* begin)
{
    return text.rfind(begin, 0) == 0;
}

/** In the child: the first instant of the run, in which all that the run consists of is made. */
[[noreturn]] void
Try(const Words& words, int output)
{
    dup2(output, STDERR_FILENO);
    ColoPrepareForSuddenEnd();
    try
    {
        ColoScenarioOptions options = ColoParseWords(words);
        options.time = NanoSeconds(1);
        auto dialogue = std::make_shared<const ColoDialogue>(MakeColoDialogue(options));
        RunColoWorld(options, std::move(dialogue), options.protection, {});
        _exit(EXIT_SUCCESS);
    }
    catch (const std::exception& error)
    {
        fmt::print(stderr, "{}", error.what());
        std::fflush(stderr);
    }
    _exit(COLO_EXIT_USAGE);
}

std::string
ReadAll(int input)
{
    std::string text;
    char part[512];
    ssize_t size;
    while ((size = read(input, part, sizeof(part))) > 0 || (size < 0 && errno == EINTR))
    {
        text.append(part, std::max<ssize_t>(size, 0));
    }
    return text;
}

/** \return what the child said as it failed; nothing if it did not. */
std::string
TryInChild(const Words& words)
{
    int ends[2];
    if (pipe(ends) != 0)
    {
        throw std::runtime_error(fmt::format("pipe: {}", std::strerror(errno)));
    }
    const pid_t child = fork();
    if (child == 0)
    {
        Try(words, ends[1]);
    }
    close(ends[1]);
    const std::string said = ReadAll(ends[0]);
    close(ends[0]);
    if (child < 0)
    {
        throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
    {
        return "";
    }
    return said.empty() ? fmt::format("the simulator ended with status {}", status) : said;
}

} // namespace

void
ColoProbeAttributes(const Words& words)
{
    static std::set<Words> tried;

    Words attributes;
    std::copy_if(words.begin(),
                 words.end(),
                 std::back_inserter(attributes),
                 [](const std::string& word) { return StartsWith(word, "--ns3::"); });
    const bool hasFile = std::any_of(words.begin(), words.end(), [](const std::string& word) {
        return StartsWith(word, "--config=");
    });
    if (hasFile || (!attributes.empty() && !tried.count(attributes)))
    {
        std::string said = TryInChild(words);
        if (!said.empty())
        {
            const std::string program = "colo-scenario: ";
            said.erase(0, StartsWith(said, program.c_str()) ? program.size() : 0);
            throw ColoUsageError(ColoOneLine(said));
        }
        tried.insert(attributes);
    }
}
