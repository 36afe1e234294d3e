/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_ENGINE_WORLD_H
#define COLO_TEST_MODEL_ENGINE_WORLD_H

#include "colo-engine.h"
#include "core-frame.h"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;
using colo_test::BuildFrame;
using colo_test::Bytes;
using colo_test::IsChecksumRight;
using colo_test::Numbering;

using Lines = std::vector<std::string>;

constexpr uint32_t PRIMARY_ISN = 1000000;
constexpr uint32_t SECONDARY_ISN = 77000000;
constexpr uint32_t CLIENT_ISN = 500000;
constexpr uint64_t MILLISECOND = 1000000;
constexpr uint64_t SECOND = 1000 * MILLISECOND;

/** Knows how many of its kind there are, so that a lost one shows without a sanitizer as well. */
struct CountedFrame : ColoBytesFrame
{
    static inline int alive = 0;

    CountedFrame(colo_side side, Bytes bytes, uint16_t gsoSize = 0)
        : ColoBytesFrame(side, std::move(bytes), gsoSize)
    {
        alive++;
    }

    ~CountedFrame() override
    {
        alive--;
    }
};

inline Bytes
BytesOf(const ColoFrame& frame)
{
    return Bytes(frame.GetBytes(), frame.GetBytes() + frame.GetSize());
}

/** Notes what it is told, as a line each. */
class Recorder : public ColoEngineRoom
{
  public:
    void Release(std::unique_ptr<ColoFrame> frame) override
    {
        Note("release", *frame);
        left.push_back(BytesOf(*frame));
        if (onRelease)
        {
            onRelease();
        }
    }

    void Emit(const ColoFrame& frame, Bytes bytes) override
    {
        Note("emit", frame);
        left.push_back(std::move(bytes));
        BOOST_TEST((BytesOf(frame) != left.back()));
    }

    void Remirror(Bytes bytes) override
    {
        lines.push_back("remirror");
        remirrored.push_back(std::move(bytes));
    }

    void Drop(std::unique_ptr<ColoFrame> frame) override
    {
        Note("drop", *frame);
    }

    void Mismatch(const colo_mismatch& mismatch) override
    {
        lines.push_back(std::string("mismatch ") + colo_reason_name(mismatch.reason) + " " +
                        ColoKeyToString(mismatch.conn->key) + " at " +
                        std::to_string(mismatch.position - PRIMARY_ISN));
    }

    void Act(const ColoActions& actions) override
    {
        lines.push_back("act " + std::to_string(actions.bits) + " epoch " +
                        std::to_string(actions.epoch));
        if (onAct)
        {
            onAct(actions.bits);
        }
    }

    /** What was told since last asked. */
    Lines Take()
    {
        return std::exchange(lines, {});
    }

    Lines lines;
    std::vector<Bytes> left; //!< frames as they left
    std::vector<Bytes> remirrored;
    std::function<void()> onRelease;
    std::function<void(uint32_t)> onAct;

  private:
    void Note(const std::string& what, const ColoFrame& frame)
    {
        BOOST_TEST(dynamic_cast<const CountedFrame*>(&frame),
                   "a room hears of its own frames only");
        const colo_packet& packet = frame.GetPacket();
        const auto reason = static_cast<colo_reason>(packet.reason);
        const char sides[] = {'P', 'S', 'C'};
        lines.push_back(what + " " + sides[packet.side] + " " + colo_reason_name(reason));
        if (packet.kind == COLO_KIND_TCP && packet.payload_len)
        {
            lines.back() += " " + std::to_string(packet.seq - PRIMARY_ISN);
        }
    }
};

inline colo_config
DefaultConfig()
{
    colo_config config;
    colo_config_default(&config);
    return config;
}

/** An engine, its room, and frames in packetdrill's notation. */
struct World
{
    explicit World(colo_role role,
                   const colo_config& config = DefaultConfig(),
                   std::size_t connectionsMax = ColoEngine::CONNECTIONS_MAX)
        : engine(std::make_unique<ColoEngine>(7, role, config, now, room, connectionsMax))
    {
    }

    ~World()
    {
        engine.reset();
        BOOST_TEST(CountedFrame::alive == 0, "frames that nobody owns any more");
    }

    Bytes Build(colo_side side, const std::string& line) const
    {
        Numbering numbering;
        numbering.port = port;
        numbering.inbound = side == COLO_INBOUND;
        numbering.seq = side == COLO_PRIMARY ? PRIMARY_ISN : secondaryIsn;
        numbering.ack = CLIENT_ISN;
        if (numbering.inbound)
        {
            numbering.seq = CLIENT_ISN;
            numbering.ack = PRIMARY_ISN;
        }
        return BuildFrame(line, numbering);
    }

    void Input(colo_side side, Bytes bytes)
    {
        engine->Input(std::make_unique<CountedFrame>(side, std::move(bytes), gsoSize), now);
    }

    void Primary(const std::string& line)
    {
        Input(COLO_PRIMARY, Build(COLO_PRIMARY, line));
    }

    void Secondary(const std::string& line)
    {
        Input(COLO_SECONDARY, Build(COLO_SECONDARY, line));
    }

    void Observe(colo_side side, const std::string& line)
    {
        CountedFrame frame(side, Build(side, line));
        engine->Observe(frame, now);
    }

    /** A connection that the client opened. */
    void Open(const std::string& options = "")
    {
        const std::string syn = " win 1000 " + options;
        Observe(COLO_INBOUND, "S 0:0(0)" + syn);
        Primary("S. 0:0(0) ack 1" + syn);
        Secondary("S. 0:0(0) ack 1" + syn);
        Observe(COLO_INBOUND, ". 1:1(0) ack 1");
        room.Take();
        room.left.clear();
    }

    /** The rest of a checkpoint that was requested. */
    void Commit(uint32_t epoch)
    {
        BOOST_TEST(engine->Event(COLO_EVENT_PAUSED, 0, now));
        BOOST_TEST(engine->Event(COLO_EVENT_REPLY, epoch, now));
        BOOST_TEST(engine->Event(COLO_EVENT_RECEIVED, epoch, now));
    }

    Recorder room;
    uint64_t now{5 * SECOND};
    uint16_t port{40000};
    uint16_t gsoSize{0};
    uint32_t secondaryIsn{PRIMARY_ISN}; //!< the fix has made it the primary's
    std::unique_ptr<ColoEngine> engine;
};

struct PrimaryHost : World
{
    PrimaryHost()
        : World(COLO_ROLE_PRIMARY)
    {
    }
};

struct SecondaryHost : World
{
    SecondaryHost()
        : World(COLO_ROLE_SECONDARY)
    {
        secondaryIsn = SECONDARY_ISN;
    }
};

#endif /* COLO_TEST_MODEL_ENGINE_WORLD_H */
