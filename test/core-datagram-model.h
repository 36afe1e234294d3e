/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The slow and obvious model of datagrams: two lists, and plain loops over them.
#ifndef CORE_DATAGRAM_MODEL_H
#define CORE_DATAGRAM_MODEL_H

#include "core-room.h"

#include <string>
#include <vector>

namespace colo_test
{

/** One datagram of a guest, or what happens between two. */
struct DatagramEvent
{
    enum Kind
    {
        PRIMARY,
        SECONDARY,
        COMMIT,
        WAIT,
    };

    Kind kind = WAIT;
    uint32_t content = 0; //!< what it says
    uint32_t wait_ms = 0;
};

struct DatagramScript
{
    uint8_t protocol = 17;
    int family = 4;
    uint32_t window = 4; //!< the secondary's that may overtake one
    uint32_t timeout_ms = 3000;
    size_t headLength = SIZE_MAX;
    bool agrees = false; //!< nothing is lost, and little reordered
    std::vector<DatagramEvent> events;
};

DatagramScript RandomDatagramScript(uint32_t seed);

/** One line an event. */
std::string ToText(const DatagramScript& script);

/** Plays one script to the core, and throws a Violation where the two disagree. */
class DatagramModel : public Room
{
  public:
    explicit DatagramModel(const DatagramScript& script);

    void Play();

  protected:
    void OnSent(const Sent& sent) override;
    void OnDropped(const RoomPacket& packet) override;
    void OnMismatch(const colo_mismatch& mismatch) override;
    void OnCommit() override;

  private:
    struct Datagram
    {
        uint32_t content;
        uint64_t arrived_ns;
        bool matched;
        bool gone;           //!< left, dropped, or expired
        uint32_t overtaking; //!< of the secondary, since it arrived
        uint32_t waiting;    //!< likewise, since it is the oldest that has no partner
    };

    void Say(const DatagramEvent& event);
    void Match(bool primary, Datagram& datagram);
    void Expire();
    void Judge();
    Datagram* Oldest();
    Bytes FrameOf(uint32_t content);
    static uint32_t ContentOf(const RoomPacket& packet);

    const DatagramScript& m_script;
    std::vector<Datagram> m_primary;
    std::vector<Datagram> m_secondary;
    uint32_t m_said = 0;
    bool m_explained = false;
    bool m_overtaken = false; //!< in this call
};

} // namespace colo_test

#endif // CORE_DATAGRAM_MODEL_H
