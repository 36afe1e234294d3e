/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-result-folder.h"

#include "colo-scenario-options.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ns3
{

namespace fs = std::filesystem;

namespace
{

/** The draft folder's path, empty without one; plain memory, as a handler of signals reads it. */
char g_draft[PATH_MAX] = "";

[[noreturn]] void
Fail(const fs::path& path, const std::string& why)
{
    throw ColoUsageError(fmt::format("option --out: {}: {}", path.string(), why));
}

/** mkdtemp() lets nobody else read. */
void
GiveUsualRights(const char* folder)
{
    const mode_t mask = umask(0);
    umask(mask);
    chmod(folder, 0777 & ~mask);
}

} // namespace

ColoResultFolder::ColoResultFolder(const std::string& folder)
    : m_folder(fs::absolute(folder).lexically_normal())
{
    if (!m_folder.has_filename())
    {
        m_folder = m_folder.parent_path(); // it was given with a slash at its end
    }
    std::error_code ignored;
    m_isNew = fs::symlink_status(m_folder, ignored).type() == fs::file_type::not_found;
    if (!m_isNew && !fs::is_directory(m_folder, ignored))
    {
        Fail(folder, "is not a folder");
    }
    if (m_isNew && !fs::is_directory(m_folder.parent_path(), ignored))
    {
        Fail(folder, fmt::format("there is no folder {}", m_folder.parent_path().string()));
    }
    // Always on the file system of the results, whatever is mounted where.
    const std::string draft =
        m_isNew ? m_folder.string() + ".XXXXXX" : (m_folder / ".colo-scenario.XXXXXX").string();
    if (draft.size() >= sizeof(g_draft))
    {
        Fail(folder, std::strerror(ENAMETOOLONG));
    }
    std::strcpy(g_draft, draft.c_str());
    if (!mkdtemp(g_draft))
    {
        const int error = errno;
        g_draft[0] = '\0';
        Fail(folder, std::strerror(error));
    }
    GiveUsualRights(g_draft);
}

ColoResultFolder::~ColoResultFolder()
{
    RemoveDraft();
}

void
ColoResultFolder::RemoveDraft()
{
    if (!g_draft[0])
    {
        return;
    }
    for (const char* name : FILES)
    {
        char path[sizeof(g_draft) + 32];
        std::strcpy(path, g_draft);
        std::strcat(path, "/");
        std::strcat(path, name);
        unlink(path);
    }
    rmdir(g_draft);
    g_draft[0] = '\0';
}

std::string
ColoResultFolder::GetPath() const
{
    return g_draft;
}

void
ColoResultFolder::Append(const std::string& file, const std::string& text)
{
    std::ofstream& stream = m_files[file];
    if (!stream.is_open())
    {
        stream.open(fs::path(g_draft) / file, std::ios::binary);
    }
    stream << text;
    if (!stream)
    {
        Fail(m_folder / file, std::strerror(errno));
    }
}

void
ColoResultFolder::CloseFiles()
{
    for (auto& [file, stream] : m_files)
    {
        stream.close();
        if (!stream)
        {
            Fail(m_folder / file, std::strerror(errno));
        }
    }
}

void
ColoResultFolder::MoveFiles()
{
    for (const char* name : FILES)
    {
        if (fs::is_directory(m_folder / name))
        {
            Fail(m_folder / name, "is a folder");
        }
    }
    for (const char* name : FILES)
    {
        const fs::path from = fs::path(g_draft) / name;
        if (fs::exists(from))
        {
            fs::rename(from, m_folder / name);
        }
        else
        {
            fs::remove(m_folder / name);
        }
    }
}

void
ColoResultFolder::Commit()
{
    CloseFiles();
    try
    {
        if (m_isNew)
        {
            fs::rename(g_draft, m_folder);
        }
        else
        {
            MoveFiles();
        }
    }
    catch (const fs::filesystem_error& error)
    {
        Fail(m_folder, error.code().message());
    }
    RemoveDraft();
}

} // namespace ns3
