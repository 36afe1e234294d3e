/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_PYTHON_SIGNALS_H
#define COLO_PYTHON_SIGNALS_H

#include <chrono>
#include <optional>
#include <pybind11/pybind11.h>

/**
 * Lets Python see to its signals, of which Ctrl-C is one, while C++ works without the GIL. To be
 * made and to go with the GIL held.
 */
class ColoSignalWatch
{
  public:
    /**
     * To be asked often, without the GIL; most of the time it only looks at the clock.
     * \return whether a handler raised: the work is to end, and then Raise() to be called.
     */
    bool IsInterrupted()
    {
        const auto now = Clock::now();
        if (m_raised || now < m_next)
        {
            return m_raised.has_value();
        }
        m_next = now + BETWEEN_LOOKS;
        const pybind11::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) // always 0 but in Python's main thread
        {
            m_raised.emplace();
        }
        return m_raised.has_value();
    }

    /** Raise what the handler raised, if it did, with the GIL held. */
    void Raise()
    {
        if (m_raised)
        {
            throw pybind11::error_already_set(*m_raised);
        }
    }

  private:
    using Clock = std::chrono::steady_clock;

    static constexpr auto BETWEEN_LOOKS = std::chrono::milliseconds(100);

    Clock::time_point m_next{Clock::now() + BETWEEN_LOOKS};
    std::optional<pybind11::error_already_set> m_raised;
};

#endif /* COLO_PYTHON_SIGNALS_H */
