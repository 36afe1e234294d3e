/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TCP_SOCKET_H
#define COLO_TCP_SOCKET_H

#include "colo-tcp-variation.h"
#include "colo-twin-timers.h"

#include "ns3/socket-factory.h"
#include "ns3/tcp-socket-base.h"

#include <string>
#include <utility>

namespace ns3
{

/**
 * \ingroup colo
 *
 * A TCP socket that draws its initial sequence number, as real systems do, and that can become a
 * copy of a socket on another node: given the same frames at the same times, both then send the
 * same frames at the same times.
 */
class ColoTcpSocket : public TcpSocketBase
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoTcpSocket() = default;

    /**
     * What accepting a connection makes of a listening socket.
     * \param listener the listening socket
     */
    ColoTcpSocket(const ColoTcpSocket& listener);

    int Bind() override;
    int Bind6() override;
    int Bind(const Address& address) override;
    int Connect(const Address& address) override;

    /**
     * \param variation what every connection draws; without it, ISNs are 0 as in TcpSocketBase
     */
    void SetVariation(Ptr<ColoTcpVariation> variation);

    /**
     * \return the ISN of the present connection
     */
    uint32_t GetIsn() const;

    /**
     * \return the state of the connection
     */
    TcpStates_t GetState() const;

    /**
     * \return whether the socket has an end point, so that packets can reach it
     */
    bool IsBound() const;

    /**
     * \return the local and the remote address and port of a bound socket
     */
    std::pair<Address, Address> GetEndPoints() const;

    /**
     * Whether the sockets of a congestion control can be cloned: some lose state when copied.
     * \param congestionControl a TcpCongestionOps
     * \return empty if they can, else the reason why not
     */
    static std::string WhyNotCloneable(TypeId congestionControl);

    /**
     * \return empty if this socket can be cloned, else the reason why not
     */
    std::string WhyNotCloneable() const;

    /**
     * Make a socket that has this one's callbacks and settings but no connection yet, as for an
     * incoming connection.
     * \return the socket
     */
    Ptr<ColoTcpSocket> ForkForTwin();

    /**
     * Take an end point on this node with the addresses and ports of a socket of another node.
     * \param original the socket of the other node
     */
    void BindLike(const ColoTcpSocket& original);

    /**
     * Become a copy of the socket of another node, which must be cloneable and have the same end
     * points (or none, like this one). Callbacks and trace sinks stay as they are.
     * \param original the socket of the other node
     * \param timers takes the timers that are to be started
     */
    void CloneFrom(const ColoTcpSocket& original, ColoTwinTimers& timers);

    /** Cease to exist, without a packet or a notification. */
    void Vanish();

  protected:
    Ptr<TcpSocketBase> Fork() override;
    void CompleteFork(Ptr<Packet> packet,
                      const TcpHeader& header,
                      const Address& from,
                      const Address& to) override;
    void DoForwardUp(Ptr<Packet> packet, const Address& from, const Address& to) override;
    void SendEmptyPacket(uint8_t flags) override;
    uint32_t SendDataPacket(SequenceNumber32 seq, uint32_t maxSize, bool withAck) override;
    void NewAck(const SequenceNumber32& ack, bool resetRto) override;
    void PersistTimeout() override;

  private:
    /** Draw what the connection that begins now is like. */
    void DrawConnection();

    /**
     * Begin counting at an ISN, where TcpSocketBase begins at 0.
     * \param isn our own
     */
    void SetIsn(uint32_t isn);

    /**
     * Take a local port before TcpSocketBase takes the next one.
     * \param remote where to connect to
     */
    void BindToDrawnPort(const Address& remote);

    /** Let ShapeHeader() see what is sent, if it has something to do. */
    void HookOutput();

    /**
     * A sink of the trace source Tx, which is the last to see a header before it is sent.
     * TcpSocketBase offers no other place.
     * \param packet the payload
     * \param header the header
     * \param socket the sender
     */
    static void ShapeHeader(Ptr<const Packet> packet,
                            const TcpHeader& header,
                            Ptr<const TcpSocketBase> socket);

    /** Let the node's TCP find this connection quickly, if it can. */
    void EnterTable();

    /** Let the node's TCP find this connection as any other, as its ends may change. */
    void LeaveTable();

    /**
     * Begin counting the peer's positions at its ISN, where TcpSocketBase begins at 0.
     * \param isn the peer's ISN
     */
    void LearnPeerIsn(SequenceNumber32 isn);

    /**
     * The device of this node that corresponds to one of another node.
     * \param device the other node's device, or null
     * \return the device, or null
     */
    Ptr<NetDevice> FindTwinDevice(Ptr<NetDevice> device) const;

    /**
     * \name The parts of CloneFrom()
     * \param from the socket of the other node
     * @{
     */
    void CopySettings(const ColoTcpSocket& from);
    void CopyConnection(const ColoTcpSocket& from);
    void CopyCongestionState(const ColoTcpSocket& from);
    void CopyTxBuffer(const ColoTcpSocket& from);
    /** @} */

    /**
     * \param from the socket of the other node
     * \param timers takes the timers that are to be started
     */
    void CopyTimers(const ColoTcpSocket& from, ColoTwinTimers& timers);

    /**
     * Copy the state that TcpSocketBase has in ns-3.48. In ns-3.37, which has not all of it, the
     * second overload is taken.
     * @{
     */
    template <typename Self>
    static auto CopyLaterState(Self& to, const Self& from, int)
        -> decltype(from.m_sndFack, from.m_tcb->m_srtt, void());
    template <typename Self>
    static void CopyLaterState(Self& to, const Self& from, long);
    /** @} */

    Ptr<ColoTcpVariation> m_variation; //!< of the guest, not cloned
    uint32_t m_isn{0};                 //!< of the present connection
    uint32_t m_timestampOffset{0};     //!< of the clock that the peer sees
    bool m_announcesSize{false};       //!< SYNs carry the segment size
    bool m_retxIsControl{false};       //!< m_retxEvent sends m_retxFlags, else it is the RTO
    uint8_t m_retxFlags{0};            //!< of the SYN or FIN to be repeated
};

/**
 * \ingroup colo
 *
 * Makes the sockets of a guest. Applications name it where they would name TcpSocketFactory.
 * RTT estimator and recovery algorithm are those of the node's TcpL4Protocol.
 */
class ColoTcpSocketFactory : public SocketFactory
{
  public:
    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoTcpSocketFactory();

    Ptr<Socket> CreateSocket() override;

    /**
     * \param variation what every connection draws
     */
    void SetVariation(Ptr<ColoTcpVariation> variation);

    /**
     * \param congestionControl the TcpCongestionOps of every socket; by default TcpNewReno
     */
    void SetCongestionControl(TypeId congestionControl);

  private:
    Ptr<ColoTcpVariation> m_variation; //!< shared by all sockets
    TypeId m_congestionControl;        //!< of all sockets
};

} // namespace ns3

#endif /* COLO_TCP_SOCKET_H */
