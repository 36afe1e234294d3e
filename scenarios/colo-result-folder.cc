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
/** Names of files besides FILES, each with its end, and an empty one behind the last. */
char g_expected[1 << 16] = "";

/** \param use is given the name of each file that a run may leave. */
template <typename Use>
void
ForEachFile(Use use)
{
    for (const char* name : ColoResultFolder::FILES)
    {
        use(name);
    }
    for (const char* name = g_expected; *name; name += std::strlen(name) + 1)
    {
        use(name);
    }
}

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
    g_expected[0] = '\0';
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
    ForEachFile([](const char* name) {
        char path[sizeof(g_draft) + NAME_MAX + 2];
        std::strcpy(path, g_draft);
        std::strcat(path, "/");
        std::strcat(path, name);
        unlink(path);
    });
    rmdir(g_draft);
    g_draft[0] = '\0';
}

void
ColoResultFolder::Expect(const std::string& file)
{
    std::size_t used = 0;
    bool isKnown = false;
    ForEachFile([&](const char* name) {
        isKnown = isKnown || file == name;
        used += name >= g_expected && name < std::end(g_expected) ? std::strlen(name) + 1 : 0;
    });
    if (isKnown)
    {
        return;
    }
    if (file.size() > NAME_MAX || used + file.size() + 2 > sizeof(g_expected))
    {
        Fail(m_folder / file, std::strerror(ENAMETOOLONG));
    }
    g_expected[used + file.size() + 1] = '\0'; // first: a signal may come in between
    std::strcpy(g_expected + used, file.c_str());
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
    ForEachFile([this](const char* name) {
        if (fs::is_directory(m_folder / name))
        {
            Fail(m_folder / name, "is a folder");
        }
    });
    ForEachFile([this](const char* name) {
        const fs::path from = fs::path(g_draft) / name;
        if (fs::exists(from))
        {
            fs::rename(from, m_folder / name);
        }
        else
        {
            fs::remove(m_folder / name);
        }
    });
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
