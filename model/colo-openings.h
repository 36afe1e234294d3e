/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_OPENINGS_H
#define COLO_OPENINGS_H

#include "colo-dialogue.h"

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace ns3
{

/**
 * \ingroup colo
 * \brief When an application opens its conversations, without the long silences of the script.
 *
 * All applications of a dialogue that cut alike agree on when what begins.
 */
class ColoOpenings
{
  public:
    /** A conversation that is to be opened. */
    struct Opening
    {
        uint32_t conversation; //!< its index
        Time delay;            //!< from the start of the dialogue, or the end of the other one
    };

    ColoOpenings() = default;
    /**
     * Aborts if one follows another that is not there, or is not the application's.
     *
     * \param dialogue the script, of all applications.
     * \param gapMax no gap from one start to the next, nor from an end to a start, is longer.
     * \param isOwn whether the application opens a conversation.
     */
    ColoOpenings(const ColoDialogue& dialogue,
                 Time gapMax,
                 const std::function<bool(const ColoConversation&)>& isOwn);

    /** \return those that follow no other. */
    const std::vector<Opening>& GetFirsts() const;
    /**
     * \param conversation index of one that is over.
     * \return those that follow it.
     */
    const std::vector<Opening>& GetAfter(uint32_t conversation) const;

  private:
    std::vector<Opening> m_firsts;
    std::map<uint32_t, std::vector<Opening>> m_after;
};

} // namespace ns3

#endif /* COLO_OPENINGS_H */
