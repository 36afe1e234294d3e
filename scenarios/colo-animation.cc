/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-animation.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <fmt/format.h>

namespace ns3
{

namespace
{

const char* const RUNNING = R"(r="60" g="160" b="60")";
const char* const PAUSED = R"(r="200" g="0" b="0")";
const char* const WAITING = R"(r="240" g="150" b="0")";
const char* const ORDINARY = R"(r="90" g="120" b="200")";

std::string
NowText()
{
    return fmt::format("{:.9f}", Simulator::Now().GetSeconds());
}

} // namespace

ColoAnimation::ColoAnimation(std::function<void(const std::string&)> write)
    : m_write(std::move(write))
{
    m_write("<anim ver=\"netanim-3.108\" filetype=\"animation\">\n");
}

void
ColoAnimation::AddNode(Ptr<Node> node, const std::string& name, double x, double y)
{
    const uint32_t id = node->GetId();
    m_names[id] = name;
    m_write(fmt::format("<node id=\"{0}\" sysId=\"0\" locX=\"{1}\" locY=\"{2}\"/>\n"
                        "<nu p=\"s\" t=\"0\" id=\"{0}\" w=\"2\" h=\"2\"/>\n",
                        id,
                        x,
                        y));
    Paint(id, ORDINARY);
    Describe(id, "");
}

void
ColoAnimation::AddLink(const ColoLinkDevice::Ends& ends)
{
    m_write(fmt::format("<link fromId=\"{}\" toId=\"{}\" fd=\"\" td=\"\" ld=\"\"/>\n",
                        ends.first->GetNode()->GetId(),
                        ends.second->GetNode()->GetId()));
    AddWay(ends.first, ends.second);
    AddWay(ends.second, ends.first);
}

void
ColoAnimation::AddWay(Ptr<ColoLinkDevice> from, Ptr<ColoLinkDevice> to)
{
    DataRateValue rate;
    TimeValue delay;
    from->GetAttribute("DataRate", rate);
    from->GetChannel()->GetAttribute("Delay", delay);
    auto way = std::make_shared<Way>(
        Way{from->GetNode()->GetId(), to->GetNode()->GetId(), rate.Get(), delay.Get(), Time()});
    from->TraceConnectWithoutContext(
        "Sniffer",
        Callback<void, Ptr<const Packet>>([this, way](Ptr<const Packet> frame) {
            NoteFrame(*way, frame->GetSize() - COLO_ETHERNET_LEN); // which takes the link no time
        }));
}

void
ColoAnimation::NoteFrame(Way& way, uint32_t size)
{
    if (++m_frames > FRAMES_MAX)
    {
        return;
    }
    const Time begin = std::max(Simulator::Now(), way.busyUntil);
    const Time length = way.rate == DataRate(0) ? Time() : way.rate.CalculateBytesTxTime(size);
    way.busyUntil = begin + length;
    m_write(fmt::format("<p fId=\"{}\" fbTx=\"{:.9f}\" lbTx=\"{:.9f}\" "
                        "tId=\"{}\" fbRx=\"{:.9f}\" lbRx=\"{:.9f}\"/>\n",
                        way.from,
                        begin.GetSeconds(),
                        way.busyUntil.GetSeconds(),
                        way.to,
                        (begin + way.delay).GetSeconds(),
                        (way.busyUntil + way.delay).GetSeconds()));
}

void
ColoAnimation::Watch(const ColoPair& pair)
{
    WatchGuest(pair.primary.guest, pair.primary.node->GetId());
    if (!pair.primaryProxy)
    {
        return;
    }
    WatchGuest(pair.secondary.guest, pair.secondary.node->GetId());
    const uint32_t host = pair.primaryProxy->GetHostId();
    const uint32_t other = pair.secondary.node->GetId();
    pair.primaryProxy->TraceConnectWithoutContext(
        "Verdict",
        Callback<void, const ColoVerdict&>([this, host](const ColoVerdict& verdict) {
            if (verdict.event == ColoVerdict::MISMATCH)
            {
                Paint(host, WAITING);
            }
        }));
    pair.checkpointer->TraceConnectWithoutContext(
        "Checkpoint",
        Callback<void, const ColoCheckpoint&>([this, host](const ColoCheckpoint& checkpoint) {
            Paint(host, ORDINARY);
            Describe(host, fmt::format(", epoch {}", checkpoint.epoch));
        }));
    pair.secondaryProxy->TraceConnectWithoutContext(
        "Action",
        Callback<void, uint32_t, uint32_t>([this, other](uint32_t actions, uint32_t) {
            if (actions & COLO_ACTION_TAKE_OVER)
            {
                Describe(other, ", took over");
            }
        }));
}

void
ColoAnimation::WatchGuest(Ptr<ColoGuest> guest, uint32_t id)
{
    Paint(id, RUNNING);
    guest->TraceConnectWithoutContext("Paused",
                                      Callback<void>([this, id]() { Paint(id, PAUSED); }));
    guest->TraceConnectWithoutContext("Resumed", Callback<void, Time>([this, id](Time) {
                                          Paint(id, RUNNING);
                                      }));
}

void
ColoAnimation::Paint(uint32_t node, const char* colour)
{
    m_write(fmt::format("<nu p=\"c\" t=\"{}\" id=\"{}\" {}/>\n", NowText(), node, colour));
}

void
ColoAnimation::Describe(uint32_t node, const std::string& addition)
{
    m_write(fmt::format("<nu p=\"d\" t=\"{}\" id=\"{}\" descr=\"{}{}\"/>\n",
                        NowText(),
                        node,
                        m_names[node],
                        addition));
}

void
ColoAnimation::End()
{
    m_write("</anim>\n");
}

} // namespace ns3
