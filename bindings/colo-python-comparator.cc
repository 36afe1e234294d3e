/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-python-comparator.h"

#include "colo-command-line.h"
#include "colo-python-replay.h"
#include "colo-replay-run.h"

#include <optional>
#include <pybind11/stl.h>
#include <utility>

namespace py = pybind11;
using namespace ns3;

namespace
{

using Verdict = ColoReplayVerdict;

py::object
OrNone(bool isThere, const py::object& value)
{
    return isThere ? value : py::none();
}

/** Of a packet or a mismatch, as colo.Verdict has it. */
py::list
ToList(const Verdict& verdict)
{
    const bool isOfPacket = verdict.packet && !verdict.mismatch;
    const std::string flow = verdict.GetFlowName();
    py::list list;
    list.append(verdict.ns / 1e9);
    list.append(verdict.GetEventName());
    list.append(verdict.GetSideName());
    list.append(OrNone(verdict.packet, py::int_(verdict.packet)));
    list.append(OrNone(!flow.empty(), py::str(flow)));
    list.append(colo_reason_name(verdict.reason));
    list.append(py::cast(verdict.position));
    list.append(OrNone(isOfPacket, py::float_(verdict.heldNs / 1e9)));
    for (colo_side side : {COLO_PRIMARY, COLO_SECONDARY})
    {
        list.append(OrNone(verdict.mismatch, py::str(verdict.GetBytes(side))));
    }
    list.append(verdict.isPart);
    list.append(verdict.isAgain);
    list.append(py::none());
    return list;
}

/** What a replay does with captured packets, for packets that come one by one. */
class Comparator : private ColoReplayListener
{
  public:
    Comparator(std::vector<std::string> words, bool isIp)
        : m_options(Parse(std::move(words))),
          m_isIp(isIp),
          m_finder(m_options.guest),
          m_run(m_options, m_statistics, *this)
    {
    }

    /** A frame that either guest sent, or that is for it if the guest's addresses say so. */
    py::list Judge(colo_side side, const std::string& frame, uint64_t ns)
    {
        ColoReplayPacket packet = MakePacket(side, frame, ns);
        packet.captured.number = ++m_packets[side];
        if (!m_options.guest.empty())
        {
            packet.direction = m_finder.Find(packet.captured);
        }
        m_awaited = packet.direction == ColoDirection::OUTBOUND ? packet.captured.number : 0;
        m_awaitedSide = side;
        m_run.Take(packet, 0);
        if (m_awaited)
        {
            NoteHeld();
        }
        return TakeVerdicts();
    }

    py::list Observe(const std::string& frame, uint64_t ns)
    {
        ColoReplayPacket packet = MakePacket(COLO_PRIMARY, frame, ns);
        packet.direction = ColoDirection::INBOUND;
        m_run.Take(packet, 0);
        return TakeVerdicts();
    }

    py::list Advance(uint64_t ns)
    {
        m_run.AdvanceTo(ns);
        return TakeVerdicts();
    }

    py::list Commit()
    {
        m_run.CommitNow();
        return TakeVerdicts();
    }

    py::list GetHeld() const
    {
        py::list held;
        for (Verdict verdict : m_run.GetHeld())
        {
            verdict.event = Verdict::HOLD;
            held.append(ToList(verdict));
        }
        return held;
    }

    py::dict Summarize() const
    {
        return ColoSummarize(m_statistics, m_run.GetNode().stats.coalesced);
    }

  private:
    static constexpr std::size_t FRAME_BYTES_MAX = 1 << 17; // more than any IP packet has
    static constexpr std::size_t FRAME_FIELD = 12;
    static constexpr std::size_t LINK_BYTES = 14;

    /** The captures that colo-replay insists on are not there, and nobody opens them. */
    static ColoReplayOptions Parse(std::vector<std::string> words)
    {
        words.insert(words.end(), {"--primary=primary", "--secondary=secondary"});
        return ColoParseReplayWords(std::move(words));
    }

    ColoReplayPacket MakePacket(colo_side side, const std::string& frame, uint64_t ns) const
    {
        if (frame.size() > FRAME_BYTES_MAX)
        {
            throw ColoUsageError(fmt::format("frame: of {} bytes, which is more than {}",
                                             frame.size(),
                                             FRAME_BYTES_MAX));
        }
        ColoReplayPacket packet;
        packet.capture = side;
        packet.ns = ns;
        const auto* bytes = reinterpret_cast<const uint8_t*>(frame.data());
        packet.captured.frame = m_isIp ? ColoFrameOfIp(bytes, frame.size())
                                       : std::vector<uint8_t>(bytes, bytes + frame.size());
        packet.captured.wireBytes = packet.captured.frame.size();
        packet.captured.hasLinkAddresses = !m_isIp;
        return packet;
    }

    // ColoReplayListener
    void WriteVerdict(const Verdict& verdict) override
    {
        if (verdict.packet == m_awaited && verdict.side == m_awaitedSide && !verdict.isPart &&
            !verdict.mismatch)
        {
            m_awaited = 0; // nor is it to be looked for among all that are held
        }
        m_verdicts.append(ToList(verdict));
    }

    void WriteReleased(int64_t, const uint8_t* frame, std::size_t size) override
    {
        const std::size_t skipped = m_isIp ? LINK_BYTES : 0;
        m_verdicts[m_verdicts.size() - 1][py::int_(FRAME_FIELD)] =
            py::bytes(reinterpret_cast<const char*>(frame) + skipped, size - skipped);
    }

    /** The packet that has just come stays. */
    void NoteHeld()
    {
        if (std::optional<Verdict> verdict = m_run.FindHeld(m_awaitedSide, m_awaited))
        {
            verdict->event = Verdict::HOLD;
            m_verdicts.append(ToList(*verdict));
        }
    }

    py::list TakeVerdicts()
    {
        return std::exchange(m_verdicts, py::list());
    }

    const ColoReplayOptions m_options;
    const bool m_isIp; //!< packets have no link header
    ColoDirectionFinder m_finder;
    ColoReplayStatistics m_statistics;
    uint64_t m_packets[2]{};
    uint64_t m_awaited{0}; //!< packet that has no verdict yet
    colo_side m_awaitedSide{COLO_PRIMARY};
    py::list m_verdicts;
    ColoReplayRun m_run;
};

const char*
GetKind(int reason)
{
    return reason == COLO_REASON_NONE       ? "none"
           : reason < COLO_DROP_COMPARED    ? "release"
           : reason < COLO_MISMATCH_BYTES   ? "drop"
           : reason < COLO_REQUEST_PERIODIC ? "mismatch"
                                            : "request";
}

py::list
ListReasons()
{
    py::list reasons;
    for (int i = 0; i < COLO_REASON_COUNT; i++)
    {
        const auto reason = static_cast<colo_reason>(i);
        reasons.append(
            py::make_tuple(colo_reason_name(reason), GetKind(i), colo_reason_text(reason)));
    }
    return reasons;
}

} // namespace

void
BindColoComparator(py::module_& module)
{
    py::class_<Comparator>(module, "Comparator", "The engine behind colo.Comparator.")
        .def(py::init<std::vector<std::string>, bool>(), py::arg("words"), py::arg("is_ip"))
        .def(
            "primary",
            [](Comparator& self, const py::bytes& frame, uint64_t ns) {
                return self.Judge(COLO_PRIMARY, frame, ns);
            },
            py::arg("frame"),
            py::arg("ns"))
        .def(
            "secondary",
            [](Comparator& self, const py::bytes& frame, uint64_t ns) {
                return self.Judge(COLO_SECONDARY, frame, ns);
            },
            py::arg("frame"),
            py::arg("ns"))
        .def(
            "client",
            [](Comparator& self, const py::bytes& frame, uint64_t ns) {
                return self.Observe(frame, ns);
            },
            py::arg("frame"),
            py::arg("ns"))
        .def("advance", &Comparator::Advance, py::arg("ns"))
        .def("commit", &Comparator::Commit)
        .def("held", &Comparator::GetHeld)
        .def("summary", &Comparator::Summarize);
    module.def("reasons",
               ListReasons,
               "All reasons in the order of the core: (name, kind, sentence); kind is 'none', "
               "'release', 'drop', 'mismatch' or 'request'.");
}
