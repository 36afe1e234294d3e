/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-result-folder.h"

#include "colo-scenario-options.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>

namespace ns3
{

namespace fs = std::filesystem;

namespace
{

[[noreturn]] void
Fail(const fs::path& path, const std::string& why)
{
    throw ColoUsageError(fmt::format("option --out: {}: {}", path.string(), why));
}

} // namespace

ColoResultFolder::ColoResultFolder(const std::string& folder)
    : m_folder(fs::absolute(folder).lexically_normal())
{
    if (!m_folder.has_filename())
    {
        m_folder = m_folder.parent_path(); // it was given with a slash at its end
    }
    if (fs::exists(m_folder) && !fs::is_directory(m_folder))
    {
        Fail(folder, "is not a folder");
    }
    std::string draft = m_folder.string() + ".XXXXXX";
    if (!mkdtemp(draft.data()))
    {
        Fail(folder, std::strerror(errno));
    }
    m_draft = draft;
    chmod(draft.c_str(), 0755); // mkdtemp() lets nobody else read
}

ColoResultFolder::~ColoResultFolder()
{
    std::error_code ignored;
    fs::remove_all(m_draft, ignored);
}

std::string
ColoResultFolder::GetPath() const
{
    return m_draft.string();
}

void
ColoResultFolder::Append(const std::string& file, const std::string& text)
{
    std::ofstream& stream = m_files[file];
    if (!stream.is_open())
    {
        stream.open(m_draft / file, std::ios::binary);
    }
    stream << text;
    if (!stream)
    {
        Fail(m_folder / file, std::strerror(errno));
    }
}

void
ColoResultFolder::Commit()
{
    for (auto& [file, stream] : m_files)
    {
        stream.close();
        if (!stream)
        {
            Fail(m_folder / file, std::strerror(errno));
        }
    }
    std::error_code error;
    fs::create_directory(m_folder, error);
    for (const auto& entry : fs::directory_iterator(m_draft))
    {
        if (!error)
        {
            fs::rename(entry.path(), m_folder / entry.path().filename(), error);
        }
    }
    if (error)
    {
        Fail(m_folder, error.message());
    }
}

} // namespace ns3
