/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_ABORT_H
#define COLO_TEST_MODEL_ABORT_H

#include <csignal>
#include <functional>
#include <iostream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

/**
 * What a piece of code says when it aborts. It runs in a child process, as ns-3's fatal errors end
 * the process.
 * \param code runs until it aborts
 * \return what it wrote to stderr; empty if it did not abort
 */
inline std::string
AbortMessage(const std::function<void()>& code)
{
    int pipeEnds[2];
    if (pipe(pipeEnds) != 0)
    {
        return "";
    }
    std::cout.flush(); // else the child would write it once more
    const pid_t child = fork();
    if (child == 0)
    {
        dup2(pipeEnds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); // not Boost's handler
        code();
        _exit(0);
    }
    close(pipeEnds[1]);
    std::string message;
    char buffer[4096];
    ssize_t size;
    while ((size = read(pipeEnds[0], buffer, sizeof(buffer))) > 0)
    {
        message.append(buffer, size);
    }
    close(pipeEnds[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? message : "";
}

#endif /* COLO_TEST_MODEL_ABORT_H */
