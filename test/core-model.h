/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// The slow and obvious model that random lives are judged by: for each connection an array of what
// each guest sent, and plain loops over it.
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include "core-room.h"
#include "core-script.h"

#include <map>
#include <vector>

namespace colo_test
{

/** Plays one script to the core, and throws a Violation where the two disagree. */
class StreamModel : public Room
{
  public:
    explicit StreamModel(const Script& script);

    void Play();

    uint64_t m_mismatches = 0;
    uint64_t m_releasedUnits = 0;

  protected:
    void OnGiven(const RoomPacket& packet, bool isKnown) override;
    void OnSent(const Sent& sent) override;
    void OnDropped(const RoomPacket& packet) override;
    void OnMismatch(const colo_mismatch& mismatch) override;
    void OnRemirror(const RoomPacket& packet, const Bytes& frame, const colo_packet& at) override;
    void OnCommit() override;

  private:
    /** What one guest has shown of a connection in this epoch. */
    struct Seen
    {
        std::vector<int> units; //!< by position, NOTHING where it sent nothing
        uint32_t end = 0;       //!< behind the highest
        uint32_t next = 0;      //!< likewise, counting where it sent an ack from
        bool syn = false;
        bool acked = false;
        uint32_t ack = 0; //!< the highest
        uint32_t edge = 0;
        bool reset = false;
        uint32_t resetAt = 0;
    };

    struct Connection
    {
        Seen primary;
        Seen secondary;
        uint32_t covered = 0; //!< units before this need no secondary
        bool resetCovered = false;
        bool opened = false; //!< the client has said its SYN
        bool ended = false;  //!< and another one after it
        bool anySent = false;
        uint32_t sentEnd = 0; //!< what the client was sent
        bool outAcked = false;
        uint32_t outAck = 0;
        uint32_t outEdge = 0;
        uint32_t outStamp = 0;
        uint32_t clientAck = 0;
    };

    /** What the model knows of a packet that the core holds. */
    struct Given
    {
        Event event;
        uint32_t end = 0;    //!< in units
        bool isSame = false; //!< the primary has given that very ack before, and says no more
    };

    void Do(const Event& event);
    bool IsPossible(const Event& event) const;
    Event Adapt(Event event) const;
    void Say(const Event& event);
    void Answer(const Event& event);
    void Note(Seen& seen, const Event& event, const std::vector<int>& stream);
    void Commit();
    void Finish();
    void Judge();
    void JudgeHeld(uint32_t generation);
    uint32_t Common(const Connection& connection) const;
    bool Differs(const Connection& connection) const;
    bool IsBlocked(const RoomPacket& packet) const;
    bool IsAckBlocked(const RoomPacket& packet) const;
    bool MayLower(const RoomPacket& packet) const;
    uint32_t CurrentGeneration() const;
    uint32_t Scale(const Event& event) const;
    uint32_t EndOf(const Event& event) const;
    Bytes OptionsOf(const Event& event) const;
    const std::vector<int>& SecondaryStream(uint32_t generation) const;
    void CheckPromise(Connection& connection, const Given& given, const Sent& sent);

    const Script& m_script;
    std::vector<Connection> m_connections;
    std::map<uint64_t, Given> m_given; //!< by number
    std::vector<bool> m_healed;        //!< the secondary has become a copy of the primary
    const Event* m_event = nullptr;    //!< being given
    bool m_isSame = false;             //!< see Given
    const RoomPacket* m_latest = nullptr;
    bool m_committing = false;
    uint64_t m_lastCommitted = 0;
    bool m_explained = false; //!< the pending checkpoint was asked for with a reason
    int m_patience = 0;       //!< events until somebody takes the checkpoint
};

} // namespace colo_test

#endif // CORE_MODEL_H
