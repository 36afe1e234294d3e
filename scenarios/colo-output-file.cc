/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-output-file.h"

#include "colo-command-line.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ns3
{

namespace fs = std::filesystem;

namespace
{

constexpr mode_t USUAL_MODE = 0666;

/** mkstemp() lets nobody else read. */
mode_t
GetMode(const std::string& path)
{
    struct stat status = {};
    if (stat(path.c_str(), &status) == 0)
    {
        return status.st_mode & 07777;
    }
    const mode_t mask = umask(0);
    umask(mask);
    return USUAL_MODE & ~mask;
}

} // namespace

ColoOutputFile::ColoOutputFile(const std::string& option, const std::string& path)
    : m_option(option),
      m_given(path),
      m_path(path)
{
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status))
    {
        Fail("is a folder");
    }
    if (fs::exists(status))
    {
        m_path = fs::canonical(path, error).string(); // a link goes on to lead to it
        if (access(path.c_str(), W_OK) != 0)
        {
            Fail(std::strerror(errno));
        }
    }
    else if (fs::is_symlink(fs::symlink_status(path, error)))
    {
        Fail("is a link that leads nowhere");
    }
    if (fs::exists(status) && !fs::is_regular_file(status))
    {
        m_stream = std::fopen(path.c_str(), "wb");
    }
    else
    {
        OpenDraft();
    }
    if (!m_stream)
    {
        Fail(std::strerror(errno));
    }
}

ColoOutputFile::~ColoOutputFile()
{
    if (m_stream)
    {
        std::fclose(m_stream);
    }
    if (!m_draft.empty())
    {
        unlink(m_draft.c_str());
    }
}

void
ColoOutputFile::Fail(const std::string& why) const
{
    throw ColoUsageError(fmt::format("option --{}: {}: {}", m_option, m_given, why));
}

void
ColoOutputFile::OpenDraft()
{
    std::string draft = m_path + ".XXXXXX";
    const int file = mkstemp(draft.data());
    if (file < 0)
    {
        return;
    }
    m_draft = draft;
    fchmod(file, GetMode(m_path));
    m_stream = fdopen(file, "wb");
}

void
ColoOutputFile::Write(const void* data, std::size_t size)
{
    if (!m_error && std::fwrite(data, 1, size, m_stream) != size)
    {
        m_error = errno;
    }
}

void
ColoOutputFile::Check() const
{
    if (m_error)
    {
        Fail(std::strerror(m_error));
    }
}

void
ColoOutputFile::Commit()
{
    Check();
    FILE* stream = std::exchange(m_stream, nullptr);
    if (std::fclose(stream) != 0)
    {
        Fail(std::strerror(errno));
    }
    if (!m_draft.empty() && std::rename(m_draft.c_str(), m_path.c_str()) != 0)
    {
        Fail(std::strerror(errno));
    }
    m_draft.clear();
}

bool
ColoIsSameFile(const std::string& a, const std::string& b)
{
    std::error_code error;
    const fs::path pathA = fs::weakly_canonical(fs::absolute(a), error);
    const fs::path pathB = fs::weakly_canonical(fs::absolute(b), error);
    const bool isOne = pathA == pathB || fs::equivalent(a, b, error); // also by a hard link
    const fs::file_status status = fs::status(a, error);
    return isOne && (!fs::exists(status) || fs::is_regular_file(status));
}

} // namespace ns3
