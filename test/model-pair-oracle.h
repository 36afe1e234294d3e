/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_PAIR_ORACLE_H
#define COLO_TEST_MODEL_PAIR_ORACLE_H

#include "model-pair-world.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

/**
 * Rule output-commit, checked on the links alone: at each frame that leaves for the client, could
 * the secondary go on from there if the primary died now? Knows nothing of the core but when the
 * secondary host holds a checkpoint's whole state.
 */
class OutputCommitOracle
{
  public:
    std::string violation; //!< the first
    uint64_t bytesChecked{0};
    uint64_t acksChecked{0};
    uint64_t commits{0};

    explicit OutputCommitOracle(PairWorld& world)
    {
        world.OnFrame([this](Tap tap, const Bytes& bytes, Ptr<const Packet>) {
            auto tcp = Tcp::Parse(bytes);
            if (!tcp)
            {
                return;
            }
            if (tap == Tap::FROM_CLIENT && tcp->flags & Tcp::SYN)
            {
                m_connections[tcp->source].isClientScaling = tcp->scale >= 0;
            }
            else if (tap == Tap::FROM_PRIMARY)
            {
                Connection& connection = m_connections[tcp->destination];
                Note(connection.primary, *tcp, connection.isClientScaling);
            }
            else if (tap == Tap::FROM_SECONDARY)
            {
                Connection& connection = m_connections[tcp->destination];
                Note(connection.secondary, *tcp, connection.isClientScaling);
            }
            else if (tap == Tap::TO_CLIENT)
            {
                Check(*tcp);
            }
        });
        world.pair.primary.guest->TraceConnectWithoutContext("Paused", Callback<void>([this] {
                                                                 m_snapshot = m_connections;
                                                             }));
        world.pair.secondaryProxy->TraceConnectWithoutContext(
            "Verdict",
            Callback<void, const ColoVerdict&>([this](const ColoVerdict& verdict) {
                if (verdict.event == ColoVerdict::COMMIT)
                {
                    Commit();
                }
            }));
    }

  private:
    static constexpr int NOTHING = -1;
    static constexpr int SYN = 256;
    static constexpr int FIN = 257;

    /** What one guest has said in one connection: position 0 is its SYN. */
    struct Said
    {
        bool isOpen{false};
        uint32_t isn{0};
        std::vector<int> stream;
        bool hasAck{false};
        uint32_t ack{0};
        uint32_t edge{0};
        int scale{0};
    };

    struct Connection
    {
        bool isClientScaling{false};
        Said primary;
        Said secondary;
    };

    static bool IsAfter(uint32_t a, uint32_t b)
    {
        return static_cast<int32_t>(a - b) > 0;
    }

    static std::vector<int> UnitsOf(const Tcp& tcp)
    {
        std::vector<int> units(tcp.payload.begin(), tcp.payload.end());
        if (tcp.flags & Tcp::SYN)
        {
            units.insert(units.begin(), SYN);
        }
        if (tcp.flags & Tcp::FIN)
        {
            units.push_back(FIN);
        }
        return units;
    }

    static uint32_t EdgeOf(const Tcp& tcp, int scale)
    {
        return tcp.ack + (uint32_t(tcp.window) << (tcp.flags & Tcp::SYN ? 0 : scale));
    }

    static void Note(Said& said, const Tcp& tcp, bool isClientScaling)
    {
        if (tcp.flags & Tcp::SYN)
        {
            said.isOpen = true;
            said.isn = tcp.seq;
            said.scale = isClientScaling && tcp.scale > 0 ? tcp.scale : 0;
        }
        if (tcp.flags & Tcp::RST || !said.isOpen)
        {
            return;
        }
        const std::vector<int> units = UnitsOf(tcp);
        const uint32_t position = tcp.seq - said.isn;
        if (!units.empty() && position < 1u << 30)
        {
            said.stream.resize(std::max<std::size_t>(said.stream.size(), position + units.size()),
                               NOTHING);
            std::copy(units.begin(), units.end(), said.stream.begin() + position);
        }
        const uint32_t edge = EdgeOf(tcp, said.scale);
        said.ack = said.hasAck && IsAfter(said.ack, tcp.ack) ? said.ack : tcp.ack;
        said.edge = said.hasAck && IsAfter(said.edge, edge) ? said.edge : edge;
        said.hasAck = true;
    }

    void Commit()
    {
        commits++;
        for (auto& [port, connection] : m_connections)
        {
            connection.secondary = m_snapshot[port].primary;
        }
    }

    void Check(const Tcp& tcp)
    {
        const Connection& connection = m_connections[tcp.destination];
        const Said& secondary = connection.secondary;
        const std::vector<int> units = UnitsOf(tcp);
        const uint32_t position = tcp.seq - connection.primary.isn;
        if (tcp.flags & Tcp::RST)
        {
            return;
        }
        for (std::size_t i = 0; i < units.size(); i++)
        {
            const std::size_t at = position + i;
            bytesChecked += units[i] < SYN;
            if (at >= secondary.stream.size() || secondary.stream[at] != units[i])
            {
                Blame("unit", tcp, at);
                return;
            }
        }
        acksChecked++;
        if (!secondary.hasAck || IsAfter(tcp.ack, secondary.ack))
        {
            Blame("ack", tcp, position);
        }
        if (IsAfter(EdgeOf(tcp, connection.primary.scale), secondary.edge))
        {
            Blame("window edge", tcp, position);
        }
    }

    void Blame(const char* what, const Tcp& tcp, uint32_t position)
    {
        if (violation.empty())
        {
            std::ostringstream text;
            text << what << " that the secondary has not, port " << tcp.destination << ", position "
                 << position << ", " << Simulator::Now().As(Time::MS);
            violation = text.str();
        }
    }

    std::map<uint16_t, Connection> m_connections;
    std::map<uint16_t, Connection> m_snapshot;
};

#endif /* COLO_TEST_MODEL_PAIR_ORACLE_H */
