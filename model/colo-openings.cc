/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-openings.h"

#include "ns3/abort.h"

#include <algorithm>

namespace ns3
{

ColoOpenings::ColoOpenings(const ColoDialogue& dialogue,
                           Time gapMax,
                           const std::function<bool(const ColoConversation&)>& isOwn)
{
    const auto& all = dialogue.conversations;
    Time before; // start of the conversation that began before
    Time cut;    // what became of it
    for (uint32_t index = 0; index < all.size(); index++)
    {
        const ColoConversation& conversation = all[index];
        const uint32_t after = conversation.after;
        if (after == ColoConversation::NONE)
        {
            cut += std::clamp(conversation.start - before, Time(), gapMax);
            before = conversation.start;
        }
        if (!isOwn(conversation))
        {
            continue;
        }
        if (after == ColoConversation::NONE)
        {
            m_firsts.push_back({index, cut});
            continue;
        }
        NS_ABORT_MSG_UNLESS(after < index && isOwn(all[after]),
                            "conversation " << index << " follows no earlier one that the same"
                                            << " application opens");
        m_after[after].push_back({index, std::min(conversation.start, gapMax)});
    }
}

const std::vector<ColoOpenings::Opening>&
ColoOpenings::GetFirsts() const
{
    return m_firsts;
}

const std::vector<ColoOpenings::Opening>&
ColoOpenings::GetAfter(uint32_t conversation) const
{
    static const std::vector<Opening> none;
    auto found = m_after.find(conversation);
    return found == m_after.end() ? none : found->second;
}

} // namespace ns3
