/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_RESULT_FOLDER_H
#define COLO_RESULT_FOLDER_H

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace ns3
{

/**
 * The folder that --out names. Files are written beside it and moved into it at the end, so that
 * a run that fails neither leaves half of its results nor spoils those of an earlier one.
 */
class ColoResultFolder
{
  public:
    /**
     * \param folder the folder; need not exist.
     * \throws ColoUsageError if it cannot be made or is something else.
     */
    explicit ColoResultFolder(const std::string& folder);
    ~ColoResultFolder();

    ColoResultFolder(const ColoResultFolder&) = delete;
    ColoResultFolder& operator=(const ColoResultFolder&) = delete;

    /** \return where to write files until Commit(). */
    std::string GetPath() const;
    /**
     * \param file name of a file; made if need be.
     * \param text goes to its end.
     * \throws ColoUsageError if that cannot be written.
     */
    void Append(const std::string& file, const std::string& text);
    /**
     * Move all files to where they belong.
     * \throws ColoUsageError if that fails.
     */
    void Commit();

  private:
    std::filesystem::path m_folder;
    std::filesystem::path m_draft;
    std::map<std::string, std::ofstream> m_files;
};

} // namespace ns3

#endif /* COLO_RESULT_FOLDER_H */
