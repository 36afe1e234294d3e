/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
// What must hold on the primary host whatever the guests and the client send: the bytes, acks and
// datagrams that left are ones that the secondary had sent as well, or that a commit covered.
#ifndef COMPARE_ORACLE_H
#define COMPARE_ORACLE_H

#include "core-room.h"

#include <array>
#include <bitset>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace colo_test
{

class OracleRoom : public Room
{
  public:
    explicit OracleRoom(const colo_config& config);

    /** The secondary host answers one of the last heartbeats, the latest being 0. */
    void AnswerHeartbeat(size_t which);
    /** The arbiter answers the last question. */
    void AnswerQuestion(bool grants);

  protected:
    void OnGiven(const RoomPacket& packet, bool isKnown) override;
    void OnSent(const Sent& sent) override;
    void OnDropped(const RoomPacket& packet) override;
    void OnMismatch(const colo_mismatch& mismatch) override;
    void OnRemirror(const RoomPacket& packet, const Bytes& frame, const colo_packet& at) override;
    void OnActions(const colo_out& decided) override;
    void OnCommit() override;
    void OnDone() override;

  private:
    /** What one guest said at a position: any of 256 bytes, a FIN. */
    using Said = std::bitset<257>;

    /** In pages, as most positions have neighbours. */
    class Stream
    {
      public:
        Said& At(uint32_t position)
        {
            return m_pages[position / PAGE][position % PAGE];
        }

        Said Find(uint32_t position) const
        {
            auto found = m_pages.find(position / PAGE);
            return found == m_pages.end() ? Said() : found->second[position % PAGE];
        }

        void Clear()
        {
            m_pages.clear();
        }

      private:
        static const uint32_t PAGE = 64;
        std::unordered_map<uint32_t, std::array<Said, PAGE>> m_pages;
    };

    /** One connection's past, as arrays of what came in. Nothing in it is ever compared. */
    struct Shadow
    {
        Stream primary;
        Stream secondary;
        std::set<uint32_t> covered; //!< all before one of these needs no secondary
        std::set<uint32_t> primaryEnds;
        std::set<uint32_t> primaryAcks;
        std::set<uint32_t> secondaryAcks;
        std::set<uint32_t> clientAcks;
        std::set<uint32_t> clientIsns;
        std::set<uint32_t> primaryResets;
        std::set<uint32_t> secondaryResets;
        std::set<uint32_t> primaryIsns;
        std::vector<Bytes> secondarySyns; //!< their payload, if any
        bool secondarySyn = false;
        bool anchored = false;
    };

    struct Datagrams
    {
        std::map<Bytes, uint32_t> secondary; //!< unused ones
        uint64_t lastReleased = 0;
        bool hasReleased = false;
    };

    void NotePrimary(Shadow& shadow, const RoomPacket& packet);
    void NoteSecondary(Shadow& shadow, const RoomPacket& packet);
    void NoteClient(Shadow& shadow, const RoomPacket& packet);
    void Note(Stream& stream, const RoomPacket& packet, uint32_t seq);
    bool IsCovered(const Shadow& shadow, uint32_t position) const;
    void CheckLease() const;
    void CheckStream(const Sent& sent);
    void CheckAck(const Shadow& shadow, const Sent& sent) const;
    void CheckDatagram(const Sent& sent);
    static bool MatchesAsBytes(const RoomPacket& packet);
    static Bytes Content(const RoomPacket& packet);
    static bool IsIcmpError(const RoomPacket& packet);

    std::map<FlowKey, Shadow> m_shadows;
    std::map<FlowKey, Datagrams> m_datagrams;
    bool m_inboundEnds = false; //!< this call's packet is a reset or SYN of the client
    bool m_mismatched = false;
    uint32_t m_heldBefore = 0; //!< this call

    /** A heartbeat that was sent: until when its answer lets the primary speak, and in which term.
     */
    struct Beat
    {
        uint32_t term;
        uint64_t stamp_ns;
    };

    std::vector<Beat> m_beats;
    std::vector<uint32_t> m_questions; //!< terms
    Beat m_answered{0, 0};             //!< the latest
    bool m_hasAnswer = false;
    bool m_granted = false;
    bool m_denied = false;
};

} // namespace colo_test

#endif // COMPARE_ORACLE_H
