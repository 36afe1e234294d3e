/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_DIALOGUE_H
#define COLO_DIALOGUE_H

#include "ns3/nstime.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{

/** What one side says before the other says anything. */
struct ColoTurn
{
    bool fromServer;      //!< from the guest; else from the client
    uint64_t bytes;       //!< never 0 in a script that is played
    Time pause;           //!< from the end of the previous turn (or the handshake) on
    bool isRandom{false}; //!< keys, encrypted records: each guest draws its own (see ColoMask)
};

/** What carries a conversation. */
enum class ColoTransport
{
    TCP,
    UDP //!< each turn is one datagram of at most ColoDialogue::MAX_DATAGRAM bytes
};

/** Which side begins a conversation. */
enum class ColoOpener
{
    CLIENT,
    GUEST //!< the guest asks a backend, whose part a client plays
};

/** Which side ends a conversation. */
enum class ColoCloser
{
    NOBODY, //!< the connection stays open
    CLIENT,
    SERVER
};

/**
 * \ingroup colo The script of one TCP connection, or of an exchange of datagrams.
 *
 * The turns of the guest are the server's, whoever opened the connection.
 */
struct ColoConversation
{
    /** That it follows no other conversation. */
    static constexpr uint32_t NONE = ~uint32_t{0};

    Time start;           //!< after the start of the dialogue, or the end of after
    uint32_t after{NONE}; //!< an earlier conversation of the same client
    ColoTransport transport{ColoTransport::TCP};
    ColoOpener opener{ColoOpener::CLIENT};
    uint32_t client{0};                    //!< which of the clients takes part
    uint16_t clientPort{0};                //!< of a client that opens; see ColoDialogue
    uint16_t serverPort{0};                //!< where the side that does not open listens
    std::vector<ColoTurn> turns;           //!< in the order they are played
    ColoCloser closer{ColoCloser::NOBODY}; //!< who closes first, once all turns are over
    bool reset{false};                     //!< the capture ended in a RST; played as a close

    /**
     * \param fromServer which direction.
     * \return the bytes this side says in all.
     */
    uint64_t GetBytes(bool fromServer) const;
};

/**
 * \ingroup colo
 * \brief The script of a whole exchange between clients and one guest.
 *
 * How the side that accepts a TCP connection knows which conversation it is: those that a client
 * opens by the client's port, which belongs to one client alone; several conversations of a port
 * follow each other in the order of their indices (tuple reuse). Those that the guest opens by the
 * port that it connects to, which belongs to one conversation alone. Datagrams carry the index.
 */
struct ColoDialogue
{
    /** A client's ports go from 20000 up. */
    static constexpr uint16_t FIRST_CLIENT_PORT = 20000;
    /** As many client ports are there, so as many conversations can be open at once. */
    static constexpr uint32_t MAX_OPEN = 40000;
    /** Payload of a datagram that crosses Ethernet and the shim unfragmented, over IPv6 as well. */
    static constexpr uint32_t MAX_DATAGRAM = 1400;

    std::vector<ColoConversation> conversations; //!< ordered by start
    uint32_t firstId{0}; //!< content is that of firstId + index, so that of pairs differs

    /**
     * \param fromServer which direction.
     * \return the bytes this side says in all conversations.
     */
    uint64_t GetBytes(bool fromServer) const;
    /** \return the server turns that answer a client turn, where the client opens. */
    uint64_t GetRequests() const;
    /**
     * \param transport which.
     * \return the ports the guest listens on for it, each once, ascending.
     */
    std::vector<uint16_t> GetServerPorts(ColoTransport transport = ColoTransport::TCP) const;
};

/**
 * \ingroup colo
 * \brief What stands at one place of a conversation.
 *
 * A byte from another place, direction or conversation differs with probability 255/256.
 *
 * \param conversation index of the conversation.
 * \param fromServer the direction.
 * \param position the byte's offset in its direction, from 0.
 * \return the byte.
 */
uint8_t ColoDialogueByte(uint32_t conversation, bool fromServer, uint64_t position);

/**
 * \ingroup colo
 * \brief Write what a side says from a position on.
 *
 * \param conversation index of the conversation.
 * \param fromServer the direction.
 * \param position offset of the first byte.
 * \param buffer takes the bytes.
 * \param size how many.
 */
void ColoDialogueFill(uint32_t conversation,
                      bool fromServer,
                      uint64_t position,
                      uint8_t* buffer,
                      std::size_t size);

/**
 * \ingroup colo
 * \brief Count the bytes that are not what the side says.
 *
 * \param conversation index of the conversation.
 * \param fromServer the direction.
 * \param position offset of the first byte.
 * \param buffer the bytes as received.
 * \param size how many.
 * \param firstWrong if any byte is wrong, set to the position of the first; may be null.
 * \return the number of wrong bytes.
 */
std::size_t ColoDialogueCheck(uint32_t conversation,
                              bool fromServer,
                              uint64_t position,
                              const uint8_t* buffer,
                              std::size_t size,
                              uint64_t* firstWrong = nullptr);

/**
 * \ingroup colo
 * \brief What makes one telling of a guest's turn differ from another, such as a session token.
 *
 * A turn with random content begins with its token, and all that follows depends on it. So whoever
 * reads a turn learns the token from its first four bytes, and can tell whether the rest is of the
 * same telling. Both are laid over the script's bytes (exclusive or); token 0 changes nothing.
 */
class ColoMask
{
  public:
    /** Bytes that say the token; a shorter turn says as much of it as it can. */
    static constexpr uint32_t TOKEN_BYTES = 4;

    ColoMask() = default;
    /** \param token of the turn; the low byte of a token that is not 0 must not be 0. */
    explicit ColoMask(uint32_t token);

    /** \return the token, as far as it is known. */
    uint32_t GetToken() const;
    /**
     * \brief Lay the mask over bytes of the turn, or take it off.
     * \param offset of the first byte in its turn.
     * \param buffer the bytes.
     * \param size how many.
     */
    void Apply(uint64_t offset, uint8_t* buffer, std::size_t size) const;
    /**
     * \brief Read the token off received bytes. Every byte of a turn must be shown once, in order,
     * before it is unmasked by Apply().
     * \param offset of the first byte in its turn.
     * \param script what the script has there.
     * \param received what came.
     * \param size how many.
     */
    void Learn(uint64_t offset, const uint8_t* script, const uint8_t* received, std::size_t size);

  private:
    uint32_t m_token{0};
};

/**
 * \ingroup colo
 * \brief Learn what mask the guest laid over the next received bytes of its turn, and take it off.
 *
 * \param conversation index of the conversation.
 * \param position offset of the first byte in what the guest says.
 * \param mask of the turn, as far as it is known.
 * \param offset of the first byte in its turn.
 * \param buffer the bytes as received, and without the mask afterwards.
 * \param size how many, all of one turn.
 */
void ColoDialogueUnmask(uint32_t conversation,
                        uint64_t position,
                        ColoMask& mask,
                        uint64_t offset,
                        uint8_t* buffer,
                        std::size_t size);

/**
 * \ingroup colo
 * \brief Where one side of a conversation stands in its script.
 *
 * The side plays its own turns in order and waits for the whole of each of the peer's.
 */
class ColoDialogueCursor
{
  public:
    ColoDialogueCursor() = default;
    /**
     * \param conversation the script; must outlive the cursor and its copies.
     * \param isServer which side this is.
     */
    ColoDialogueCursor(const ColoConversation* conversation, bool isServer);

    /** \return true once every turn of both sides is over. */
    bool IsOver() const;
    /** \return true if the current turn is this side's. */
    bool IsMine() const;
    /** \return index of the current turn. */
    std::size_t GetTurn() const;
    /** \return the current turn; not to be called once over. */
    const ColoTurn& GetCurrent() const;
    /** \return bytes that are missing to the end of the current turn. */
    uint64_t GetLeft() const;
    /** \return bytes sent in all. */
    uint64_t GetSent() const;
    /** \return bytes received in all. */
    uint64_t GetReceived() const;
    /**
     * \brief Move on by what was handed to the socket.
     * \param bytes at most GetLeft(), in a turn of this side.
     * \return true if that ended the turn.
     */
    bool Send(uint64_t bytes);
    /**
     * \brief Move on by what was received, early bytes included.
     * \param bytes any number.
     * \return true if that ended a turn.
     */
    bool Receive(uint64_t bytes);

  private:
    bool SkipFinished();

    const ColoConversation* m_conversation{nullptr};
    bool m_isServer{false};
    std::size_t m_turn{0};
    uint64_t m_passed[2]{}; //!< bytes of the turns that are over, own and the peer's
    uint64_t m_sent{0};
    uint64_t m_received{0};
};

} // namespace ns3

#endif /* COLO_DIALOGUE_H */
