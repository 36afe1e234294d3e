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
 * The folder that --out names. Files are written into a draft folder and get their place at the
 * end, so that a run that fails neither leaves half of its results nor spoils those of an earlier
 * one. One at a time.
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

    /** The files that a run may leave; those of an earlier run go when results are committed. */
    static constexpr const char* FILES[] = {"summary.json",
                                            "verdicts.jsonl",
                                            "timeline.jsonl",
                                            "netanim.xml",
                                            "client.pcap",
                                            "primary-tap0.pcap",
                                            "secondary-tap0.pcap",
                                            "sec_dev.pcap",
                                            "lan.pcap",
                                            "eth0-primary.pcap",
                                            "eth0-secondary.pcap",
                                            "eth2.pcap"};

    /** Delete the draft, if there is one. Fit for a handler of signals. */
    static void RemoveDraft();

    /**
     * A run may leave this file as well.
     * \param file its name, without a folder.
     * \throws ColoUsageError if that is too much.
     */
    void Expect(const std::string& file);
    /** \return where to write these files until Commit(). */
    std::string GetPath() const;
    /**
     * \param file name of a file; made if need be.
     * \param text goes to its end.
     * \throws ColoUsageError if that cannot be written.
     */
    void Append(const std::string& file, const std::string& text);
    /**
     * All files get their place.
     * \throws ColoUsageError if that fails.
     */
    void Commit();

  private:
    void CloseFiles();
    void MoveFiles();

    std::filesystem::path m_folder;
    bool m_isNew; //!< the draft becomes the folder
    std::map<std::string, std::ofstream> m_files;
};

} // namespace ns3

#endif /* COLO_RESULT_FOLDER_H */
