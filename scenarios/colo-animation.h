/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_ANIMATION_H
#define COLO_ANIMATION_H

#include "ns3/colo-helper.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace ns3
{

/**
 * A run for NetAnim, as XML of its version 3.108.
 *
 * ns-3's AnimationInterface shows no packets and no links but those of device types that it knows,
 * so this writes the format itself, in the order of time and without keeping it: nodes where they
 * are put, links, each frame on its way, guests that turn red while they stand still, hosts that
 * turn orange from a mismatch to the end of its checkpoint, and each epoch.
 *
 * A frame is drawn as it is sent: if the link loses, repeats or delays it besides, that does not
 * show. Only the first FRAMES_MAX are drawn, as NetAnim loads the whole file.
 */
class ColoAnimation
{
  public:
    /** More take NetAnim minutes to load. */
    static constexpr uint64_t FRAMES_MAX = 100000;

    /** \param write is given the text, piece by piece. */
    explicit ColoAnimation(std::function<void(const std::string& text)> write);

    ColoAnimation(const ColoAnimation&) = delete;
    ColoAnimation& operator=(const ColoAnimation&) = delete;

    /**
     * \param node to draw.
     * \param name beside it; letters, digits, blanks.
     * \param x from the left.
     * \param y from the top.
     */
    void AddNode(Ptr<Node> node, const std::string& name, double x, double y);
    /** \param ends of a link between nodes that were added. */
    void AddLink(const ColoLinkDevice::Ends& ends);
    /** \param pair is watched from now on, as long as this lives; its nodes were added. */
    void Watch(const ColoPair& pair);
    /** Nothing comes after this. */
    void End();

  private:
    /** One direction of a link. */
    struct Way
    {
        uint32_t from;
        uint32_t to;
        DataRate rate; //!< 0 for a link of memory
        Time delay;
        Time busyUntil; //!< with the frames that were sent before
    };

    void AddWay(Ptr<ColoLinkDevice> from, Ptr<ColoLinkDevice> to);
    void NoteFrame(Way& way, uint32_t size);
    void WatchGuest(Ptr<ColoGuest> guest, uint32_t id);
    void Paint(uint32_t node, const char* colour);
    void Describe(uint32_t node, const std::string& addition);

    std::function<void(const std::string&)> m_write;
    std::map<uint32_t, std::string> m_names; //!< by node
    uint64_t m_frames{0};
};

} // namespace ns3

#endif /* COLO_ANIMATION_H */
