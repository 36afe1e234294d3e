/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-script.h"

#include <algorithm>
#include <sstream>

namespace colo_test
{

namespace
{

const uint8_t FIN = 0x01;
const uint8_t SYN = 0x02;
const uint8_t RST = 0x04;
const uint8_t ACK = 0x10;

class Author
{
  public:
    explicit Author(uint32_t seed)
        : m_random(seed)
    {
    }

    Script Write();

  private:
    uint32_t Below(uint32_t bound)
    {
        return uint32_t(m_random() % bound);
    }

    bool OneIn(uint32_t chances)
    {
        return Below(chances) == 0;
    }

    void AddGeneration();
    void Diverge(Generation& generation);
    std::vector<Event> Speech(Actor actor);
    Event Segment(Actor actor, uint32_t begin, uint32_t end);
    void Disturb(std::vector<Event>& events, uint32_t lost);
    void Interleave(size_t primary, size_t secondary);
    void Interrupt();
    void Play();

    std::mt19937 m_random;
    Script m_script;
    uint32_t m_generation = 0;
    uint32_t m_acked = 1; //!< what the client has sent, to be acknowledged
    uint32_t m_stamp = 1;
    bool m_resets = false;         //!< both, at the end
    std::vector<Event> m_ahead[2]; //!< the guests' speeches, not delivered yet
};

uint32_t
UnitsOf(const std::vector<int>& stream)
{
    return uint32_t(stream.size());
}

bool
Closes(const std::vector<int>& stream)
{
    return stream.back() == FIN_UNIT;
}

void
Author::Diverge(Generation& generation)
{
    auto& stream = generation.secondary;
    uint32_t at = 1 + Below(UnitsOf(stream) - 1);
    if (OneIn(8))
    {
        stream[0] = OTHER_SYN_UNIT;
    }
    else if (OneIn(3))
    {
        stream[at] = FIN_UNIT;
        stream.resize(at + 1);
    }
    else if (stream[at] != FIN_UNIT)
    {
        stream[at] ^= 1 + int(Below(255));
    }
    else
    {
        stream[at] = 'x';
        stream.push_back(FIN_UNIT);
    }
}

void
Author::AddGeneration()
{
    Generation generation;
    // Around zero, where data may begin as well as anywhere (tcp-serial).
    auto nearWrap = [this] {
        return OneIn(2) ? uint32_t(m_random()) : 0U - (OneIn(3) ? 1 : Below(1500));
    };
    generation.primaryIsn = nearWrap();
    generation.secondaryIsn = generation.primaryIsn + (OneIn(2) ? 0 : 777);
    generation.clientIsn = nearWrap();
    generation.guestOpens = OneIn(3);
    if (m_generation)
    {
        // Above or below what the tuple had before, as ports are used again.
        const Generation& last = m_script.generations.back();
        uint32_t jump = 5000 + Below(1U << 20);
        generation.primaryIsn = last.primaryIsn + (OneIn(2) ? jump : 0U - jump);
        generation.secondaryIsn = generation.primaryIsn + 777;
        generation.clientIsn = last.clientIsn + 100000 + Below(1000);
    }
    uint32_t length = 1 + Below(OneIn(4) ? 3000 : 300);
    generation.primary.push_back(SYN_UNIT);
    for (uint32_t at = 1; at <= length; at++)
    {
        generation.primary.push_back(int(at % 251));
    }
    m_resets = OneIn(6);
    if (!m_resets && !OneIn(3))
    {
        generation.primary.push_back(FIN_UNIT);
    }
    generation.secondary = generation.primary;
    if (OneIn(3))
    {
        Diverge(generation);
    }
    m_script.generations.push_back(generation);
}

Event
Author::Segment(Actor actor, uint32_t begin, uint32_t end)
{
    const Generation& generation = m_script.generations[m_generation];
    const auto& stream = actor == Actor::PRIMARY ? generation.primary : generation.secondary;
    Event event;
    event.actor = actor;
    event.generation = m_generation;
    event.begin = begin;
    event.end = end;
    if (end == UnitsOf(stream) && end > begin && Closes(stream))
    {
        event.flags |= FIN;
        event.end--;
    }
    event.ack = m_acked;
    event.window = OneIn(20) ? 0 : 200 + Below(OneIn(2) ? 30 : 1000);
    event.stamp = m_script.stamps ? ++m_stamp : 0;
    return event;
}

// What one guest says in a connection: new data, repetitions, acks, and in the end all of it
// once more, as what was lost must come through some day.
std::vector<Event>
Author::Speech(Actor actor)
{
    const Generation& generation = m_script.generations[m_generation];
    const auto& stream = actor == Actor::PRIMARY ? generation.primary : generation.secondary;
    uint32_t size = UnitsOf(stream);
    uint32_t longest = 1 + Below(OneIn(3) ? 1400 : 200);
    uint32_t clientBytes = Below(400);
    std::vector<Event> said;
    m_acked = 1;
    m_stamp = 1;
    for (uint32_t next = 1; next < size;)
    {
        m_acked = std::max(m_acked, 1 + Below(clientBytes + 1));
        if (OneIn(4))
        {
            said.push_back(Segment(actor, next, next));
        }
        else if (OneIn(5))
        {
            uint32_t begin = 1 + Below(next);
            said.push_back(Segment(actor, begin, std::min(begin + 1 + Below(longest), size)));
            next = std::max(next, said.back().end + (said.back().flags & FIN));
        }
        else
        {
            uint32_t end = std::min(next + 1 + Below(longest), size);
            said.push_back(Segment(actor, next, end));
            next = end;
            said.back().gso = actor == Actor::PRIMARY && OneIn(3) ? uint16_t(1 + Below(50)) : 0;
        }
    }
    Disturb(said, actor == Actor::PRIMARY ? 40 : 10);
    m_acked = 1 + clientBytes;
    for (uint32_t next = 1; next < size;)
    {
        uint32_t end = std::min(next + 1 + Below(longest), size);
        said.push_back(Segment(actor, next, end));
        next = end;
    }
    if (m_resets)
    {
        said.push_back(Segment(actor, size, size));
        said.back().flags = RST | ACK;
    }
    return said;
}

// The wire: reorders, loses, doubles.
void
Author::Disturb(std::vector<Event>& events, uint32_t lost)
{
    bool reorders = !OneIn(3);
    std::vector<Event> arrived;
    for (size_t at = 0; at < events.size(); at++)
    {
        if (reorders)
        {
            std::swap(events[at], events[std::min<size_t>(at + Below(4), events.size() - 1)]);
        }
        if (!OneIn(lost))
        {
            arrived.push_back(events[at]);
        }
        if (OneIn(10))
        {
            arrived.push_back(events[at]);
        }
    }
    events = arrived;
}

// Client acks, commits and time in between.
void
Author::Interrupt()
{
    Event event;
    event.generation = m_generation;
    if (OneIn(5))
    {
        event.actor = Actor::CLIENT;
        event.ack = 1 + Below(3000);
        m_script.events.push_back(event);
    }
    if (OneIn(120))
    {
        event.actor = Actor::COMMIT;
        m_script.events.push_back(event);
    }
    if (OneIn(100))
    {
        event.actor = Actor::WAIT;
        event.wait_ms = OneIn(4) ? m_script.timeout_ms + 1 : Below(50);
        m_script.events.push_back(event);
    }
}

void
Author::Play()
{
    const Generation& generation = m_script.generations[m_generation];
    Event client;
    client.actor = Actor::CLIENT;
    client.generation = m_generation;
    client.flags = SYN | (generation.guestOpens ? ACK : 0);
    client.begin = client.end = 0;

    Event syn = client;
    syn.flags = SYN | (generation.guestOpens ? 0 : ACK);
    syn.ack = generation.guestOpens ? 0 : 1;
    syn.window = 1000;
    syn.stamp = m_script.stamps;
    for (Actor actor : {Actor::PRIMARY, Actor::SECONDARY})
    {
        auto& ahead = m_ahead[actor == Actor::SECONDARY];
        syn.actor = actor;
        ahead.push_back(syn);
        std::vector<Event> said = Speech(actor);
        ahead.insert(ahead.end(), said.begin(), said.end());
    }
    if (!generation.guestOpens)
    {
        m_script.events.push_back(client);
    }

    // Its SYN lets a guest that opens wait for the other guest's, and both for the answer.
    auto& p = m_ahead[0];
    auto& s = m_ahead[1];
    auto isSyn = [this](const Event& event) {
        return event.flags & SYN && event.generation == m_generation;
    };
    size_t pSyn = size_t(std::find_if(p.begin(), p.end(), isSyn) - p.begin()) + 1;
    size_t sSyn = size_t(std::find_if(s.begin(), s.end(), isSyn) - s.begin()) + 1;
    if (generation.guestOpens)
    {
        Interleave(pSyn, sSyn);
        m_script.events.push_back(client);
    }
    // It may open another connection before the other guest is done with this one; a client's
    // SYN comes when both are.
    bool last = m_generation + 1 == m_script.generations.size();
    bool overlaps = !last && m_script.generations[m_generation + 1].guestOpens;
    size_t ahead = overlaps ? Below(20) : 0;
    bool primary = OneIn(2);
    Interleave(p.size() - std::min(p.size(), primary ? ahead : 0),
               s.size() - std::min(s.size(), primary ? 0 : ahead));
}

// So many of each.
void
Author::Interleave(size_t primary, size_t secondary)
{
    uint32_t bias = 1 + Below(9);
    auto take = [this](std::vector<Event>& ahead) {
        m_script.events.push_back(ahead.front());
        ahead.erase(ahead.begin());
    };
    while (primary || secondary)
    {
        bool isPrimary = !secondary || (primary && Below(10) < bias);
        take(m_ahead[isPrimary ? 0 : 1]);
        (isPrimary ? primary : secondary)--;
        Interrupt();
    }
}

Script
Author::Write()
{
    m_script.clamp = OneIn(2);
    m_script.stamps = OneIn(2);
    m_script.shift = OneIn(2) ? int(Below(5)) : -1;
    m_script.headLength = OneIn(2) ? SIZE_MAX : 14 + 20 + 60;
    uint32_t count = 1 + Below(3);
    std::vector<bool> resets;
    for (m_generation = 0; m_generation < count; m_generation++)
    {
        AddGeneration();
        resets.push_back(m_resets);
    }
    for (m_generation = 0; m_generation < count; m_generation++)
    {
        m_resets = resets[m_generation];
        Play();
    }
    return m_script;
}

const char*
MethodOf(Actor actor)
{
    return actor == Actor::PRIMARY ? "Primary" : actor == Actor::SECONDARY ? "Secondary" : "Client";
}

std::string
LineOf(const Script& script, const Event& event)
{
    const Generation& generation = script.generations[event.generation];
    const char* names = "FSRP.";
    std::ostringstream line;
    line << MethodOf(event.actor) << "(\"";
    for (int i = 0; i < 5; i++)
    {
        line << (event.flags & 1 << i ? std::string(1, names[i]) : "");
    }
    uint32_t begin = event.actor == Actor::CLIENT && !(event.flags & SYN) ? 1 : event.begin;
    uint32_t end = begin + (event.end - event.begin);
    line << " " << begin << ":" << end << "(" << end - begin << ")";
    line << (event.flags & ACK ? " ack " + std::to_string(event.ack) : "");
    line << (event.window ? " win " + std::to_string(event.window) : "");
    bool scaled = event.flags & SYN && script.shift >= 0;
    std::string options = scaled ? "wscale " + std::to_string(script.shift) : "";
    if (event.stamp)
    {
        options += (options.empty() ? "ts " : ",ts ") + std::to_string(event.stamp) + " 1";
    }
    line << (options.empty() ? "" : " <" + options + ">") << "\");";
    line << (event.gso ? " // m_gsoSize " + std::to_string(event.gso) : "");
    const auto& stream = generation.secondary;
    bool other = event.flags & SYN && stream[0] == OTHER_SYN_UNIT;
    line << (other && event.actor == Actor::SECONDARY ? " // with mss 1000" : "");
    for (uint32_t at = event.begin; event.actor == Actor::SECONDARY && at < event.end; at++)
    {
        if (at >= generation.primary.size() || stream[at] != generation.primary[at])
        {
            line << " // byte " << at << " is " << stream[at];
        }
    }
    return line.str();
}

} // namespace

Script
RandomScript(uint32_t seed)
{
    return Author(seed).Write();
}

std::string
ToText(const Script& script)
{
    std::ostringstream text;
    text << "ack_policy = " << (script.clamp ? "COLO_ACK_CLAMP" : "COLO_ACK_HOLD") << ";\n";
    uint32_t generation = UINT32_MAX;
    for (const Event& event : script.events)
    {
        if (event.generation != generation)
        {
            generation = event.generation;
            const Generation& isns = script.generations[generation];
            text << "m_primaryIsn = " << isns.primaryIsn
                 << "; m_secondaryIsn = " << isns.secondaryIsn
                 << "; m_clientIsn = " << isns.clientIsn << ";\n";
        }
        switch (event.actor)
        {
        case Actor::COMMIT:
            text << "Checkpoint();\n";
            break;
        case Actor::WAIT:
            text << "Wait(" << event.wait_ms << ");\n";
            break;
        default:
            text << LineOf(script, event) << "\n";
        }
    }
    return text.str();
}

} // namespace colo_test
