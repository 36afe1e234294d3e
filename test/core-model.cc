/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-model.h"

#include <algorithm>

namespace colo_test
{

namespace
{

const uint64_t MILLISECOND_NS = 1000000;
const uint64_t MICROSECOND_NS = 1000;
const uint8_t FIN = 0x01;
const uint8_t SYN = 0x02;
const uint8_t RST = 0x04;
const uint8_t ACK = 0x10;

colo_config
ConfigOf(const Script& script)
{
    colo_config config = Room::DefaultConfig();
    config.ack_policy = script.clamp ? COLO_ACK_CLAMP : COLO_ACK_HOLD;
    config.compare_timeout_ns = script.timeout_ms * MILLISECOND_NS;
    return config;
}

} // namespace

StreamModel::StreamModel(const Script& script)
    : Room(COLO_ROLE_PRIMARY, ConfigOf(script)),
      m_script(script),
      m_connections(script.generations.size()),
      m_healed(script.generations.size(), false)
{
    for (size_t i = 0; i < m_connections.size(); i++)
    {
        const Generation& generation = script.generations[i];
        size_t size = std::max(generation.primary.size(), generation.secondary.size()) + 1;
        m_connections[i].primary.units.assign(size, NOTHING);
        m_connections[i].secondary.units.assign(size, NOTHING);
    }
}

const std::vector<int>&
StreamModel::SecondaryStream(uint32_t generation) const
{
    const Generation& said = m_script.generations[generation];
    return m_healed[generation] ? said.primary : said.secondary;
}

uint32_t
StreamModel::EndOf(const Event& event) const
{
    return event.flags & SYN ? 1 : event.end + (event.flags & FIN ? 1 : 0);
}

uint32_t
StreamModel::Scale(const Event& event) const
{
    return event.flags & SYN || m_script.shift < 0 ? 0 : uint32_t(m_script.shift);
}

Bytes
StreamModel::OptionsOf(const Event& event) const
{
    Bytes options;
    if (event.flags & SYN && m_script.shift >= 0)
    {
        options = {3, 3, uint8_t(m_script.shift), 1};
    }
    bool other = event.actor == Actor::SECONDARY && event.flags & SYN &&
                 SecondaryStream(event.generation)[0] == OTHER_SYN_UNIT;
    if (other)
    {
        options.insert(options.end(), {2, 4, 1000 >> 8, 1000 & 0xff});
    }
    if (event.stamp)
    {
        options.insert(options.end(), {1, 1, 8, 10, 0, 0, uint8_t(event.stamp >> 8)});
        options.insert(options.end(), {uint8_t(event.stamp), 0, 0, 0, 1});
    }
    return options;
}

void
StreamModel::Note(Seen& seen, const Event& event, const std::vector<int>& stream)
{
    seen.syn = seen.syn || event.flags & SYN;
    uint32_t end = EndOf(event);
    if (event.flags & RST)
    {
        seen.reset = true;
        seen.resetAt = event.begin;
        return;
    }
    for (uint32_t at = event.begin; at < end; at++)
    {
        seen.units[at] = stream[at];
    }
    seen.next = std::max(seen.next, end);
    seen.end = end > event.begin ? std::max(seen.end, end) : seen.end;
    if (event.flags & ACK)
    {
        uint32_t edge = event.ack + (event.window << Scale(event));
        seen.edge = seen.acked ? std::max(seen.edge, edge) : edge;
        seen.ack = std::max(seen.ack, event.ack);
        seen.acked = true;
    }
}

// A shorter script may ask for what no guest or client would do.
bool
StreamModel::IsPossible(const Event& event) const
{
    const Connection& connection = m_connections[event.generation];
    bool guestOpens = m_script.generations[event.generation].guestOpens;
    if (connection.ended)
    {
        return false;
    }
    for (uint32_t later = event.generation + 1; later < m_connections.size(); later++)
    {
        // The next one has begun for this guest. What the client said before may still be under
        // way.
        const Connection& next = m_connections[later];
        bool stale = event.actor == Actor::CLIENT && (guestOpens || !(event.flags & SYN));
        if (!stale && (event.actor == Actor::SECONDARY ? next.secondary.syn : next.primary.syn))
        {
            return false;
        }
    }
    if (event.actor == Actor::CLIENT && event.flags & SYN && !guestOpens)
    {
        // Not while a SYN of the guest's own is under way on the tuple.
        for (uint32_t earlier = 0; earlier < event.generation; earlier++)
        {
            const Connection& last = m_connections[earlier];
            if (!last.opened && (last.primary.syn || last.secondary.syn))
            {
                return false;
            }
        }
    }
    if (event.actor == Actor::CLIENT)
    {
        return event.flags & SYN ? !connection.opened && (!guestOpens || connection.anySent)
                                 : connection.opened && connection.anySent;
    }
    const Seen& seen = event.actor == Actor::PRIMARY ? connection.primary : connection.secondary;
    if (event.flags & SYN)
    {
        // No guest leaves a connection out.
        const Connection* last = event.generation ? &connection - 1 : nullptr;
        bool follows =
            !last || (event.actor == Actor::PRIMARY ? last->primary.syn : last->secondary.syn);
        return !seen.syn && follows && (guestOpens || connection.opened);
    }
    return seen.syn && connection.opened &&
           EndOf(event) <= SecondaryStream(event.generation).size();
}

// A secondary that has become a copy closes where the primary does.
Event
StreamModel::Adapt(Event event) const
{
    if (event.actor == Actor::SECONDARY && m_healed[event.generation])
    {
        const auto& stream = SecondaryStream(event.generation);
        auto size = uint32_t(stream.size());
        bool closes = stream.back() == FIN_UNIT && event.end >= size - 1;
        bool fin = closes && (event.end == size || event.flags & FIN);
        event.flags = uint8_t((event.flags & ~FIN) | (fin && event.end > event.begin ? FIN : 0));
        event.end = closes && event.end > event.begin ? size - 1 : event.end;
        event.begin = event.flags & RST ? size : event.begin;
        event.end = event.flags & RST ? size : event.end;
    }
    return event;
}

void
StreamModel::Say(const Event& event)
{
    const Generation& generation = m_script.generations[event.generation];
    Connection& connection = m_connections[event.generation];
    bool primary = event.actor == Actor::PRIMARY;
    const auto& stream = primary ? generation.primary : SecondaryStream(event.generation);
    Segment segment;
    bool ownSyn = !primary && event.flags & SYN && !m_healed[event.generation];
    segment.seq = (ownSyn ? generation.secondaryIsn : generation.primaryIsn) + event.begin;
    segment.ack = event.flags & ACK ? generation.clientIsn + event.ack : 0;
    segment.flags = event.flags;
    segment.window = uint16_t(event.window);
    segment.options = OptionsOf(event);
    for (uint32_t at = event.begin; at < event.end; at++)
    {
        segment.payload.push_back(uint8_t(stream[at]));
    }
    const Seen& seen = primary ? connection.primary : connection.secondary;
    m_isSame = EndOf(event) == event.begin && (event.flags & (ACK | RST)) == ACK && seen.acked &&
               seen.ack == event.ack;
    Note(primary ? connection.primary : connection.secondary, event, stream);
    m_event = &event;
    Give(primary ? COLO_PRIMARY : COLO_SECONDARY,
         MakeFrame(segment),
         m_script.headLength,
         event.gso);
}

void
StreamModel::Answer(const Event& event)
{
    const Generation& generation = m_script.generations[event.generation];
    Connection& connection = m_connections[event.generation];
    Segment segment;
    segment.inbound = true;
    segment.flags = event.flags;
    segment.seq = generation.clientIsn + (event.flags & SYN ? 0 : 1);
    if (event.flags & SYN)
    {
        segment.options = OptionsOf(event);
        connection.opened = true;
        for (uint32_t earlier = 0; earlier < event.generation && !generation.guestOpens; earlier++)
        {
            m_connections[earlier].ended = true;
        }
        segment.ack = event.flags & ACK ? generation.primaryIsn + 1 : 0;
    }
    else
    {
        connection.clientAck =
            std::max(connection.clientAck, std::min(event.ack, connection.sentEnd));
        segment.ack = generation.primaryIsn + connection.clientAck;
    }
    m_event = &event;
    Give(COLO_INBOUND, MakeFrame(segment), m_script.headLength);
}

void
StreamModel::OnGiven(const RoomPacket& packet, bool)
{
    m_latest = &packet;
    m_given[packet.number] = Given{*m_event, EndOf(*m_event), m_isSame};
}

// The secondary becomes a copy; what it sent before is of another epoch.
void
StreamModel::OnCommit()
{
    m_committing = false;
    uint32_t current = 0;
    for (uint32_t i = 0; i < m_connections.size(); i++)
    {
        Connection& connection = m_connections[i];
        connection.covered = std::max(connection.covered, connection.primary.end);
        connection.resetCovered = connection.primary.reset;
        connection.secondary = connection.primary;
        connection.secondary.units.assign(connection.primary.units.size(), NOTHING);
        current = connection.primary.syn ? i : current;
    }
    // An ack that was held tells how far the primary had come.
    for (const auto& [core, packet] : InCore())
    {
        const Given& given = m_given.at(packet->number);
        Connection& connection = m_connections[given.event.generation];
        bool counts = core->side == COLO_PRIMARY && !(given.event.flags & RST);
        connection.covered = std::max(connection.covered, counts ? given.end : 0);
    }
    for (uint32_t i = 0; i <= current; i++)
    {
        // A connection of which the primary has said its SYN is the same on both from now on.
        m_healed[i] = m_connections[i].primary.syn;
    }
}

void
StreamModel::Commit()
{
    Checkpoint();
    Require(m_node.held_count + m_node.extra_count == 0, "a commit leaves packets behind");
    m_explained = false;
}

void
StreamModel::Do(const Event& event)
{
    m_now += 10 * MICROSECOND_NS;
    // The answer to a guest's SYN comes as soon as that has left.
    const Generation& generation = m_script.generations[event.generation];
    switch (event.actor)
    {
    case Actor::COMMIT:
        Commit();
        break;
    case Actor::WAIT:
        Wait(event.wait_ms * MILLISECOND_NS);
        break;
    default:
        if (generation.guestOpens && event.actor != Actor::CLIENT)
        {
            Event answer;
            answer.actor = Actor::CLIENT;
            answer.generation = event.generation;
            answer.flags = SYN | ACK;
            if (IsPossible(answer))
            {
                Answer(answer);
            }
        }
        Event fitting = Adapt(event);
        if (!IsPossible(fitting))
        {
            return;
        }
        event.actor == Actor::CLIENT ? Answer(fitting) : Say(fitting);
    }
    Judge();
    if (m_node.state == COLO_NODE_RUNNING)
    {
        m_patience = 3;
    }
    else if (m_patience-- == 0)
    {
        Commit();
        Judge();
    }
}

// Whatever was lost is sent again, and then nothing may be left.
void
StreamModel::Finish()
{
    auto last = uint32_t(m_script.generations.size() - 1);
    const Connection& connection = m_connections[last];
    if (m_node.state != COLO_NODE_RUNNING || CurrentGeneration() != last)
    {
        Commit();
    }
    if (!connection.primary.syn || !connection.secondary.syn || !connection.opened ||
        connection.ended)
    {
        return;
    }
    uint32_t ack = std::max(connection.primary.ack, connection.secondary.ack);
    for (Actor actor : {Actor::SECONDARY, Actor::PRIMARY})
    {
        const auto& stream =
            actor == Actor::PRIMARY ? m_script.generations[last].primary : SecondaryStream(last);
        bool closes = stream.back() == FIN_UNIT;
        Event event;
        event.actor = actor;
        event.generation = last;
        event.begin = 1;
        event.end = uint32_t(stream.size()) - closes;
        event.flags = uint8_t(ACK | (closes ? FIN : 0));
        event.ack = ack;
        event.window = 2000;
        event.stamp = m_script.stamps ? 60000 : 0;
        Say(event);
        event.flags = ACK;
        event.begin = event.end = uint32_t(stream.size());
        Say(event);
        Judge();
    }
    if (m_node.state != COLO_NODE_RUNNING)
    {
        Require(m_script.generations[last].primary != SecondaryStream(last),
                "a mismatch of equal streams");
        Commit();
    }
    bool resets = connection.primary.reset || connection.secondary.reset;
    if (!resets)
    {
        Require(Held() == 0, "something is held when all is said (liveness)");
        Wait(10000 * MILLISECOND_NS);
        Require(m_node.state == COLO_NODE_RUNNING, "an idle flow times out (tcp-idle)");
        Require(connection.outAck == ack, "the last ack never left (tcp-pure-ack)");
        uint32_t unit = m_script.shift < 0 ? 1 : 1U << m_script.shift;
        uint32_t edge = std::min(connection.primary.edge, connection.secondary.edge);
        Require(connection.outEdge + unit > edge, "the window is not sent again (tcp-window)");
    }
}

void
StreamModel::Play()
{
    for (const Event& event : m_script.events)
    {
        Do(event);
    }
    Finish();
    Commit();
}

} // namespace colo_test
