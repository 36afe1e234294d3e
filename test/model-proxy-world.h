/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_TEST_MODEL_PROXY_WORLD_H
#define COLO_TEST_MODEL_PROXY_WORLD_H

#include "core-frame.h"
#include "model-pair-world.h"

#include <map>

const Time TAP_DELAY = MicroSeconds(5);
const Time T = MilliSeconds(10);

class CountTag : public Tag
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ColoTestCountTag").SetParent<Tag>().AddConstructor<CountTag>();
        return tid;
    }

    TypeId GetInstanceTypeId() const override
    {
        return GetTypeId();
    }

    uint32_t GetSerializedSize() const override
    {
        return 4;
    }

    void Serialize(TagBuffer buffer) const override
    {
        buffer.WriteU32(count);
    }

    void Deserialize(TagBuffer buffer) override
    {
        count = buffer.ReadU32();
    }

    void Print(std::ostream& os) const override
    {
        os << count;
    }

    uint32_t count{0};
};

struct Seen
{
    Time time;
    Bytes bytes;
    Ptr<const Packet> packet;
};

/** A pair without applications, whose guests say what the test wants. */
struct Puppets : PairWorld
{
    explicit Puppets(const std::function<void(ColoHelper&)>& configure = {})
        : PairWorld(MakeOptions(configure))
    {
        OnFrame([this](Tap tap, const Bytes& bytes, Ptr<const Packet> packet) {
            seen[tap].push_back({Simulator::Now(), bytes, packet});
        });
        OnVerdict([this](const ColoVerdict& verdict) {
            verdicts.emplace_back(Simulator::Now(), verdict);
        });
        OnCheckpoint(
            [this](const ColoCheckpoint& checkpoint) { checkpoints.push_back(checkpoint); });
        pair.primaryProxy->TraceConnectWithoutContext("Stale", Count(staleAtPrimary));
        pair.secondaryProxy->TraceConnectWithoutContext("Stale", Count(staleAtSecondary));
        pair.hosts.primary->TraceConnectWithoutContext("Stale", Count(staleAtPrimary));
        pair.hosts.secondary->TraceConnectWithoutContext("Stale", Count(staleAtSecondary));
    }

    static PairOptions MakeOptions(const std::function<void(ColoHelper&)>& configure)
    {
        PairOptions options;
        options.lag = Time();
        options.isSecDevInstant = true;
        options.configure = configure;
        return options;
    }

    static Callback<void, Ptr<const Packet>> Count(int& counter)
    {
        return Callback<void, Ptr<const Packet>>([&counter](Ptr<const Packet>) { counter++; });
    }

    /** Out of a device, as the owner of the device would send it. */
    static void Send(Ptr<ColoLinkDevice> device, Bytes frame, uint32_t tag = 0)
    {
        const auto protocol = static_cast<uint16_t>(frame[12] << 8 | frame[13]);
        Mac48Address destination;
        destination.CopyFrom(frame.data());
        Mac48Address source;
        source.CopyFrom(frame.data() + 6);
        Ptr<Packet> packet = Create<Packet>(frame.data() + 14, frame.size() - 14);
        if (tag)
        {
            CountTag count;
            count.count = tag;
            packet->AddPacketTag(count);
            count.count = tag + 1;
            packet->AddByteTag(count);
        }
        device->SendFrom(packet, source, destination, protocol);
    }

    Bytes Build(const std::string& line, bool isInbound = false) const
    {
        colo_test::Numbering numbering;
        numbering.port = port;
        numbering.inbound = isInbound;
        Bytes frame = colo_test::BuildFrame(line, numbering);
        Mac48Address client = Mac48Address::ConvertFrom(link.first->GetAddress());
        Mac48Address guest = Mac48Address::ConvertFrom(pair.primary.tap.second->GetAddress());
        (isInbound ? guest : client).CopyTo(frame.data());
        (isInbound ? client : guest).CopyTo(frame.data() + 6);
        return frame;
    }

    void Primary(Time time, const std::string& line, uint32_t tag = 0)
    {
        At(time, pair.primary.tap.second, Build(line), tag);
    }

    void Secondary(Time time, const std::string& line)
    {
        At(time, pair.secondary.tap.second, Build(line), 0);
    }

    void Client(Time time, const std::string& line)
    {
        At(time, link.first, Build(line, true), 0);
    }

    static void At(Time time, Ptr<ColoLinkDevice> device, const Bytes& frame, uint32_t tag)
    {
        // Not in the guest's context: puppets speak in a pause as well.
        Simulator::ScheduleWithContext(Simulator::NO_CONTEXT, time, [=] {
            Send(device, frame, tag);
        });
    }

    /** The other host's or a forger's frame on sec_dev. */
    void Forge(Time time, bool isFromPrimaryHost, const Bytes& shimAndInner)
    {
        Bytes frame = Build("P. 1:2(1) ack 1", isFromPrimaryHost);
        frame.resize(12);
        frame.push_back(COLO_SHIM_ETHERTYPE >> 8);
        frame.push_back(COLO_SHIM_ETHERTYPE & 0xff);
        frame.insert(frame.end(), shimAndInner.begin(), shimAndInner.end());
        At(time, isFromPrimaryHost ? pair.secDev.first : pair.secDev.second, frame, 0);
    }

    std::vector<ColoVerdict> Find(ColoVerdict::Event event, colo_side side = COLO_PRIMARY) const
    {
        std::vector<ColoVerdict> found;
        for (const auto& [time, verdict] : verdicts)
        {
            if (verdict.event == event && verdict.side == side)
            {
                found.push_back(verdict);
            }
        }
        return found;
    }

    uint16_t port{40000};
    std::map<Tap, std::vector<Seen>> seen;
    std::vector<std::pair<Time, ColoVerdict>> verdicts;
    std::vector<ColoCheckpoint> checkpoints;
    int staleAtPrimary{0};
    int staleAtSecondary{0};
};

inline std::function<void(ColoHelper&)>
WithPrimary(const std::string& name, const AttributeValue& value)
{
    return [name, copy = value.Copy()](ColoHelper& helper) {
        helper.SetPrimaryProxyAttribute(name, *copy);
    };
}

#endif /* COLO_TEST_MODEL_PROXY_WORLD_H */
