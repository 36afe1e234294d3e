/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_MEMORY_H
#define COLO_MEMORY_H

#include "ns3/ipv4.h"
#include "ns3/ipv6.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/random-variable-stream.h"

#include <cstdint>

namespace ns3
{

/**
 * \ingroup colo
 *
 * Which pages of its memory a running guest has written since the last checkpoint: how many, not
 * their content. A page is clean (the secondary host has it), sent (on the way, or not confirmed)
 * or dirty.
 *
 * Writes hit the pages of a set at random, as a Poisson process (the working set as in Denning,
 * "The working set model for program behavior", CACM 1968, with references that do not depend on
 * each other). After w writes to a set of W pages, each page is dirty with probability
 * 1 - exp(-w / W), whatever the others are: on average W * (1 - exp(-w / W)) pages. How many of
 * those that were not dirty become so is drawn from the binomial distribution, so a page that was
 * sent is written again as often as any other.
 */
class ColoMemory : public Object
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    /**
     * Become the memory of a node, which is a ColoGuest with an internet stack.
     * \param node the guest.
     */
    void Install(Ptr<Node> node);

    /** \return pages that were written since they were last sent. */
    uint64_t CountDirtyPages();
    /** \return pages that were sent and not written since, but not confirmed. */
    uint64_t CountSentPages();
    /** \return all pages of the memory. */
    uint64_t GetAllPages() const;
    /** \return bytes in a page. */
    uint32_t GetPageSize() const;

    /**
     * Take dirty pages, to send them.
     * \param most of them.
     * \return how many there were, up to the most.
     */
    uint64_t TakeDirty(uint64_t most = UINT64_MAX);
    /**
     * Take all pages, for a secondary host that has none.
     * \return how many.
     */
    uint64_t TakeAll();
    /** The secondary host holds all that was sent, for good. */
    void Confirm();
    /** What was sent may be lost: it counts as dirty again. */
    void GiveBack();
    /** All pages are as the other host has them: the guest has become its copy. */
    void Clear();

    /**
     * \param stream first stream index to use.
     * \return the number of stream indices used.
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    void NotifyConstructionCompleted() override;

  private:
    /** Pages that are all equally likely to be written next. */
    struct Set
    {
        uint64_t size{0};
        uint64_t dirty{0};
        uint64_t sent{0};
    };

    void Advance();
    void Write(Set& set, double writes);
    uint64_t DrawBinomial(uint64_t count, double probability);
    void Paused();
    void Resumed(Time pause);
    void NotePacket4(Ptr<const Packet> packet, Ptr<Ipv4> stack, uint32_t interface);
    void NotePacket6(Ptr<const Packet> packet, Ptr<Ipv6> stack, uint32_t interface);

    uint64_t m_size;
    uint32_t m_pageSize;
    uint64_t m_workingSetSize;
    double m_writeRate;
    double m_otherRate;
    double m_pagesPerKib;
    Set m_workingSet;
    Set m_others;
    bool m_isRunning{true};
    Time m_since;          //!< up to which running time the sets are right
    uint64_t m_packets{0}; //!< bytes of the guest's packets since
    Ptr<UniformRandomVariable> m_uniform{CreateObject<UniformRandomVariable>()};
    Ptr<NormalRandomVariable> m_normal{CreateObject<NormalRandomVariable>()};
};

} // namespace ns3

#endif /* COLO_MEMORY_H */
