/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_OUTPUT_FILE_H
#define COLO_OUTPUT_FILE_H

#include <cstddef>
#include <cstdio>
#include <string>

namespace ns3
{

/**
 * A file that an option names. It is written as a draft beside its place, which it gets at the
 * end, so that a run that fails spoils no earlier results. What is no regular file, as a pipe,
 * is written at once.
 */
class ColoOutputFile
{
  public:
    /**
     * \param option that names it.
     * \param path where it is to be.
     * \throws ColoUsageError if it cannot be written there.
     */
    ColoOutputFile(const std::string& option, const std::string& path);
    /** Without Commit() nothing is left. */
    ~ColoOutputFile();

    ColoOutputFile(const ColoOutputFile&) = delete;
    ColoOutputFile& operator=(const ColoOutputFile&) = delete;

    /**
     * \param data goes to its end.
     * \param size of that. See Check() for whether it could be written.
     */
    void Write(const void* data, std::size_t size);
    /** \throws ColoUsageError if something could not be written. */
    void Check() const;
    /**
     * It gets its place.
     * \throws ColoUsageError if that fails.
     */
    void Commit();

  private:
    [[noreturn]] void Fail(const std::string& why) const;
    void OpenDraft();

    std::string m_option;
    std::string m_given; //!< the path as the user wrote it
    std::string m_path;  //!< where it leads
    std::string m_draft; //!< empty if there is none
    FILE* m_stream{nullptr};
    int m_error{0}; //!< errno of the first failure to write
};

/** \return whether both paths lead, or would lead, to one regular file. */
bool ColoIsSameFile(const std::string& a, const std::string& b);

} // namespace ns3

#endif /* COLO_OUTPUT_FILE_H */
