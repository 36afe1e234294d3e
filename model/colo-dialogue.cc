/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue.h"

#include "ns3/assert.h"

#include <set>

namespace ns3
{

namespace
{

/** A bijection of 64 bits in which each bit of the input sways all of the output (splitmix64). */
uint64_t
Mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/** Gives the bytes of one direction eight at a time. */
class Content
{
  public:
    Content(uint32_t conversation, bool fromServer)
        : m_base(Mix((uint64_t{conversation} * 2 + fromServer + 1) * 0x9e3779b97f4a7c15U))
    {
    }

    uint8_t At(uint64_t position)
    {
        if (uint64_t word = position / 8; word != m_word)
        {
            m_word = word;
            m_bytes = Mix(m_base + word * 0x9e3779b97f4a7c15U);
        }
        return static_cast<uint8_t>(m_bytes >> (position % 8 * 8));
    }

  private:
    uint64_t m_base;
    uint64_t m_word{~uint64_t{0}};
    uint64_t m_bytes{0};
};

} // namespace

uint64_t
ColoConversation::GetBytes(bool fromServer) const
{
    uint64_t bytes = 0;
    for (const ColoTurn& turn : turns)
    {
        bytes += turn.fromServer == fromServer ? turn.bytes : 0;
    }
    return bytes;
}

uint64_t
ColoDialogue::GetBytes(bool fromServer) const
{
    uint64_t bytes = 0;
    for (const ColoConversation& conversation : conversations)
    {
        bytes += conversation.GetBytes(fromServer);
    }
    return bytes;
}

uint64_t
ColoDialogue::GetRequests() const
{
    uint64_t requests = 0;
    for (const ColoConversation& conversation : conversations)
    {
        const auto& turns = conversation.turns;
        for (std::size_t i = 1; i < turns.size(); i++)
        {
            requests += turns[i].fromServer && !turns[i - 1].fromServer;
        }
    }
    return requests;
}

std::vector<uint16_t>
ColoDialogue::GetServerPorts() const
{
    std::set<uint16_t> ports;
    for (const ColoConversation& conversation : conversations)
    {
        ports.insert(conversation.serverPort);
    }
    return {ports.begin(), ports.end()};
}

uint8_t
ColoDialogueByte(uint32_t conversation, bool fromServer, uint64_t position)
{
    return Content(conversation, fromServer).At(position);
}

void
ColoDialogueFill(uint32_t conversation,
                 bool fromServer,
                 uint64_t position,
                 uint8_t* buffer,
                 std::size_t size)
{
    Content content(conversation, fromServer);
    for (std::size_t i = 0; i < size; i++)
    {
        buffer[i] = content.At(position + i);
    }
}

std::size_t
ColoDialogueCheck(uint32_t conversation,
                  bool fromServer,
                  uint64_t position,
                  const uint8_t* buffer,
                  std::size_t size,
                  uint64_t* firstWrong)
{
    Content content(conversation, fromServer);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; i++)
    {
        if (buffer[i] != content.At(position + i) && wrong++ == 0 && firstWrong)
        {
            *firstWrong = position + i;
        }
    }
    return wrong;
}

ColoMask::ColoMask(uint32_t token)
    : m_token(token)
{
    NS_ASSERT(token == 0 || (token & 0xff) != 0);
}

uint32_t
ColoMask::GetToken() const
{
    return m_token;
}

void
ColoMask::Apply(uint64_t offset, uint8_t* buffer, std::size_t size) const
{
    if (m_token == 0)
    {
        return;
    }
    const uint64_t base = Mix(m_token * 0x9e3779b97f4a7c15U);
    for (std::size_t i = 0; i < size; i++)
    {
        const uint64_t at = offset + i;
        const uint64_t word = at < TOKEN_BYTES ? m_token : Mix(base + at / 8);
        buffer[i] ^= static_cast<uint8_t>(word >> (at % 8 * 8));
    }
}

void
ColoMask::Learn(uint64_t offset, const uint8_t* script, const uint8_t* received, std::size_t size)
{
    for (std::size_t i = 0; i < size && offset + i < TOKEN_BYTES; i++)
    {
        m_token |= static_cast<uint32_t>(script[i] ^ received[i]) << ((offset + i) * 8);
    }
}

ColoDialogueCursor::ColoDialogueCursor(const ColoConversation* conversation, bool isServer)
    : m_conversation(conversation),
      m_isServer(isServer)
{
    SkipFinished();
}

bool
ColoDialogueCursor::IsOver() const
{
    return m_turn == m_conversation->turns.size();
}

bool
ColoDialogueCursor::IsMine() const
{
    return !IsOver() && GetCurrent().fromServer == m_isServer;
}

std::size_t
ColoDialogueCursor::GetTurn() const
{
    return m_turn;
}

const ColoTurn&
ColoDialogueCursor::GetCurrent() const
{
    NS_ASSERT(!IsOver());
    return m_conversation->turns[m_turn];
}

uint64_t
ColoDialogueCursor::GetLeft() const
{
    if (IsOver())
    {
        return 0;
    }
    bool mine = IsMine();
    return m_passed[mine] + GetCurrent().bytes - (mine ? m_sent : m_received);
}

uint64_t
ColoDialogueCursor::GetSent() const
{
    return m_sent;
}

uint64_t
ColoDialogueCursor::GetReceived() const
{
    return m_received;
}

bool
ColoDialogueCursor::Send(uint64_t bytes)
{
    NS_ASSERT(IsMine() && bytes <= GetLeft());
    m_sent += bytes;
    return SkipFinished();
}

bool
ColoDialogueCursor::Receive(uint64_t bytes)
{
    m_received += bytes;
    return SkipFinished();
}

bool
ColoDialogueCursor::SkipFinished()
{
    std::size_t before = m_turn;
    for (; !IsOver(); m_turn++)
    {
        bool mine = IsMine();
        uint64_t end = m_passed[mine] + GetCurrent().bytes;
        if ((mine ? m_sent : m_received) < end)
        {
            break;
        }
        m_passed[mine] = end;
    }
    return m_turn != before;
}

} // namespace ns3
