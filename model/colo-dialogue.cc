/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-dialogue.h"

#include "ns3/assert.h"

#include <algorithm>
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

/** Eight bytes, the first of them lowest. Compilers know these loops as one access each. */
uint64_t
Load(const uint8_t* bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
    {
        word |= uint64_t{bytes[i]} << (i * 8);
    }
    return word;
}

void
Store(uint8_t* bytes, uint64_t word)
{
    for (int i = 0; i < 8; i++)
    {
        bytes[i] = static_cast<uint8_t>(word >> (i * 8));
    }
}

/** The bytes of one direction, eight to a word. */
class Content
{
  public:
    Content(uint32_t conversation, bool fromServer)
        : m_base(Mix((uint64_t{conversation} * 2 + fromServer + 1) * 0x9e3779b97f4a7c15U))
    {
    }

    uint64_t GetWord(uint64_t position) const
    {
        return Mix(m_base + position / 8 * 0x9e3779b97f4a7c15U);
    }

    uint8_t GetByte(uint64_t position) const
    {
        return static_cast<uint8_t>(GetWord(position) >> (position % 8 * 8));
    }

  private:
    uint64_t m_base;
};

/** What a mask lays over the bytes of a turn. */
class Cover
{
  public:
    explicit Cover(uint32_t token)
        : m_token(token),
          m_base(Mix(token * 0x9e3779b97f4a7c15U))
    {
    }

    uint64_t GetWord(uint64_t offset) const
    {
        const uint64_t word = Mix(m_base + offset / 8);
        return offset < 8 ? (word >> 32 << 32) | m_token : word;
    }

    uint8_t GetByte(uint64_t offset) const
    {
        return static_cast<uint8_t>(GetWord(offset) >> (offset % 8 * 8));
    }

  private:
    uint32_t m_token;
    uint64_t m_base;
};

static_assert(ColoMask::TOKEN_BYTES == sizeof(uint32_t), "the token is half of the first word");

/**
 * Go through a range by words where it is aligned to them, else by bytes.
 * \param first place of the first byte.
 * \param size how many bytes.
 * \param word takes the index in the range of eight aligned bytes.
 * \param byte takes the index in the range of another one.
 */
template <typename Word, typename Byte>
void
ForEach(uint64_t first, std::size_t size, Word word, Byte byte)
{
    std::size_t i = 0;
    for (const std::size_t head = std::min<std::size_t>(-first % 8, size); i < head; i++)
    {
        byte(i);
    }
    for (; size - i >= 8; i += 8)
    {
        word(i);
    }
    for (; i < size; i++)
    {
        byte(i);
    }
}

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
        const bool counts = conversation.opener == ColoOpener::CLIENT;
        for (std::size_t i = 1; counts && i < turns.size(); i++)
        {
            requests += turns[i].fromServer && !turns[i - 1].fromServer;
        }
    }
    return requests;
}

std::vector<uint16_t>
ColoDialogue::GetServerPorts(ColoTransport transport) const
{
    std::set<uint16_t> ports;
    for (const ColoConversation& conversation : conversations)
    {
        if (conversation.opener == ColoOpener::CLIENT && conversation.transport == transport)
        {
            ports.insert(conversation.serverPort);
        }
    }
    return {ports.begin(), ports.end()};
}

uint8_t
ColoDialogueByte(uint32_t conversation, bool fromServer, uint64_t position)
{
    return Content(conversation, fromServer).GetByte(position);
}

void
ColoDialogueFill(uint32_t conversation,
                 bool fromServer,
                 uint64_t position,
                 uint8_t* buffer,
                 std::size_t size)
{
    const Content content(conversation, fromServer);
    ForEach(
        position,
        size,
        [&](std::size_t i) { Store(buffer + i, content.GetWord(position + i)); },
        [&](std::size_t i) { buffer[i] = content.GetByte(position + i); });
}

std::size_t
ColoDialogueCheck(uint32_t conversation,
                  bool fromServer,
                  uint64_t position,
                  const uint8_t* buffer,
                  std::size_t size,
                  uint64_t* firstWrong)
{
    const Content content(conversation, fromServer);
    std::size_t wrong = 0;
    const auto check = [&](std::size_t i) {
        if (buffer[i] != content.GetByte(position + i) && wrong++ == 0 && firstWrong)
        {
            *firstWrong = position + i;
        }
    };
    ForEach(
        position,
        size,
        [&](std::size_t i) {
            const bool isRight = Load(buffer + i) == content.GetWord(position + i);
            for (std::size_t j = i; !isRight && j < i + 8; j++)
            {
                check(j);
            }
        },
        check);
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
    const Cover cover(m_token);
    ForEach(
        offset,
        size,
        [&](std::size_t i) { Store(buffer + i, Load(buffer + i) ^ cover.GetWord(offset + i)); },
        [&](std::size_t i) { buffer[i] ^= cover.GetByte(offset + i); });
}

void
ColoMask::Learn(uint64_t offset, const uint8_t* script, const uint8_t* received, std::size_t size)
{
    for (std::size_t i = 0; i < size && offset + i < TOKEN_BYTES; i++)
    {
        m_token |= static_cast<uint32_t>(script[i] ^ received[i]) << ((offset + i) * 8);
    }
}

void
ColoDialogueUnmask(uint32_t conversation,
                   uint64_t position,
                   ColoMask& mask,
                   uint64_t offset,
                   uint8_t* buffer,
                   std::size_t size)
{
    if (offset < ColoMask::TOKEN_BYTES)
    {
        uint8_t script[ColoMask::TOKEN_BYTES];
        const auto said = std::min<std::size_t>(size, ColoMask::TOKEN_BYTES - offset);
        ColoDialogueFill(conversation, true, position, script, said);
        mask.Learn(offset, script, buffer, said);
    }
    mask.Apply(offset, buffer, size);
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
