/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_GUEST_APPS_H
#define COLO_TEST_MODEL_GUEST_APPS_H

#include "colo-guest-application.h"
#include "colo-tcp-socket.h"

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

using namespace ns3;

/** The byte at a position of the stream in either direction. */
inline uint8_t
PatternAt(uint64_t position)
{
    return static_cast<uint8_t>((position * 2654435761u) >> 13);
}

/** Some bytes of the stream. */
inline Ptr<Packet>
MakePattern(uint64_t position, uint32_t size)
{
    std::vector<uint8_t> bytes(size);
    for (uint32_t i = 0; i < size; ++i)
    {
        bytes[i] = PatternAt(position + i);
    }
    return Create<Packet>(bytes.data(), size);
}

/** The end of a connection that does not live in a guest: sends, reads, checks and closes. */
struct Peer
{
    uint64_t toSend{0};
    uint64_t toReceive{UINT64_MAX}; //!< close after that many bytes
    Time readPause;                 //!< do not read for so long after the first bytes
    Time closeDelay;                //!< close so long after the last byte or the other's FIN

    uint64_t sent{0};
    uint64_t received{0};
    uint64_t wrong{0};
    bool failed{false};
    bool mayRead{true};
    Ptr<Socket> socket;

    void Use(Ptr<Socket> s)
    {
        socket = s;
        s->SetRecvCallback(MakeCallback(&Peer::Read, this));
        s->SetSendCallback(MakeCallback(&Peer::Write, this));
        s->SetCloseCallbacks(MakeCallback(&Peer::OtherClosed, this),
                             MakeCallback(&Peer::Fail, this));
        s->SetConnectCallback(MakeCallback(&Peer::Connected, this),
                              MakeCallback(&Peer::Fail, this));
    }

    void Connected(Ptr<Socket>)
    {
        Write(socket, 0);
    }

    void Fail(Ptr<Socket>)
    {
        failed = true;
    }

    void OtherClosed(Ptr<Socket>)
    {
        Simulator::Schedule(closeDelay, [this] { socket->Close(); });
    }

    void Write(Ptr<Socket>, uint32_t)
    {
        while (sent < toSend && socket->GetTxAvailable() > 0)
        {
            uint32_t size = std::min<uint64_t>({toSend - sent, socket->GetTxAvailable(), 2000});
            if (socket->Send(MakePattern(sent, size)) <= 0)
            {
                break;
            }
            sent += size;
        }
    }

    void Read(Ptr<Socket>)
    {
        if (!readPause.IsZero())
        {
            mayRead = false;
            Simulator::Schedule(readPause, [this] {
                mayRead = true;
                Read(socket);
            });
            readPause = Time();
        }
        while (mayRead && socket->GetRxAvailable() > 0)
        {
            Ptr<Packet> packet = socket->Recv();
            std::vector<uint8_t> bytes(packet->GetSize());
            packet->CopyData(bytes.data(), bytes.size());
            for (uint8_t byte : bytes)
            {
                wrong += byte != PatternAt(received++);
            }
        }
        if (received == toReceive)
        {
            OtherClosed(socket);
        }
    }
};

/** A guest's application: echoes on port 80, or connects and sends. Closes after a delay. */
class EchoApp : public ColoGuestApplication
{
  public:
    Address remote;         //!< where to connect to; invalid: listen
    uint64_t toSend{0};     //!< bytes to send if it connects
    uint64_t closeAfter{0}; //!< close after so many bytes, 0: when the peer does
    Time closeDelay;        //!< and after this time
    bool useIpv6{false};

    struct Connection
    {
        std::vector<uint8_t> pending;
        uint64_t received{0};
        uint64_t sent{0};
        EventId close;
    };

    std::map<Ptr<Socket>, Connection> connections;
    Ptr<Socket> listener;

    void StartApplication() override
    {
        Ptr<Socket> socket = Socket::CreateSocket(GetNode(), ColoTcpSocketFactory::GetTypeId());
        if (!remote.IsInvalid())
        {
            connections[socket];
            Hook(socket);
            socket->Connect(remote);
            return;
        }
        listener = socket;
        if (useIpv6)
        {
            listener->Bind(Inet6SocketAddress(Ipv6Address::GetAny(), 80));
        }
        else
        {
            listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 80));
        }
        listener->Listen();
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(),
                                    MakeCallback(&EchoApp::Accept, this));
    }

    void Accept(Ptr<Socket> socket, const Address&)
    {
        connections[socket];
        Hook(socket);
    }

    void Hook(Ptr<Socket> s)
    {
        s->SetConnectCallback(MakeCallback(&EchoApp::Connected, this),
                              MakeNullCallback<void, Ptr<Socket>>());
        s->SetRecvCallback(MakeCallback(&EchoApp::Read, this));
        s->SetSendCallback(MakeCallback(&EchoApp::Write, this));
        s->SetCloseCallbacks(MakeCallback(&EchoApp::PeerClosed, this),
                             MakeNullCallback<void, Ptr<Socket>>());
    }

    void Connected(Ptr<Socket> socket)
    {
        Write(socket, 0);
    }

    void Read(Ptr<Socket> socket)
    {
        Connection& c = connections.at(socket);
        while (socket->GetRxAvailable() > 0)
        {
            Ptr<Packet> packet = socket->Recv(3000, 0);
            std::vector<uint8_t> bytes(packet->GetSize());
            packet->CopyData(bytes.data(), bytes.size());
            c.received += bytes.size();
            if (remote.IsInvalid())
            {
                c.pending.insert(c.pending.end(), bytes.begin(), bytes.end());
            }
        }
        Write(socket, 0);
    }

    void Write(Ptr<Socket> socket, uint32_t)
    {
        Connection& c = connections.at(socket);
        while (!remote.IsInvalid() && c.sent < toSend && socket->GetTxAvailable() > 0)
        {
            uint32_t size = std::min<uint64_t>({toSend - c.sent, socket->GetTxAvailable(), 1500});
            if (socket->Send(MakePattern(c.sent, size)) <= 0)
            {
                return;
            }
            c.sent += size;
        }
        while (!c.pending.empty() && socket->GetTxAvailable() > 0)
        {
            uint32_t size = std::min<uint64_t>({c.pending.size(), socket->GetTxAvailable(), 4096});
            if (socket->Send(Create<Packet>(c.pending.data(), size)) <= 0)
            {
                return;
            }
            c.sent += size;
            c.pending.erase(c.pending.begin(), c.pending.begin() + size);
        }
        if (closeAfter > 0 && c.sent >= closeAfter && c.close.IsExpired())
        {
            c.close = Simulator::Schedule(closeDelay, &EchoApp::CloseOne, this, socket);
        }
    }

    void PeerClosed(Ptr<Socket> socket)
    {
        Connection& c = connections.at(socket);
        if (c.close.IsExpired())
        {
            c.close = Simulator::Schedule(closeDelay, &EchoApp::CloseOne, this, socket);
        }
    }

    void CloseOne(Ptr<Socket> socket)
    {
        socket->Close();
    }

    void CloneFrom(Ptr<ColoGuestApplication> twin, const TwinOf& twinOf) override
    {
        auto original = DynamicCast<EchoApp>(twin);
        for (auto& [socket, c] : connections)
        {
            c.close.Cancel();
        }
        connections.clear();
        listener = twinOf(original->listener);
        for (auto& [socket, c] : original->connections)
        {
            Ptr<Socket> own = twinOf(socket);
            Connection& copy = connections[own] = c;
            Hook(own);
            if (!c.close.IsExpired())
            {
                copy.close = Simulator::Schedule(Simulator::GetDelayLeft(c.close),
                                                 &EchoApp::CloseOne,
                                                 this,
                                                 own);
            }
        }
    }
};

#endif /* COLO_TEST_MODEL_GUEST_APPS_H */
