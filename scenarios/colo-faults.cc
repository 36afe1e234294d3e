/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-faults.h"

#include "colo-command-line.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace ns3
{

namespace
{

constexpr std::array<const char*, 5> LINKS = {"eth0-primary",
                                              "eth0-secondary",
                                              "sec_dev",
                                              "eth2",
                                              "arbiter"};

[[noreturn]] void
Refuse(const std::string& part, const std::string& why)
{
    throw ColoUsageError(fmt::format("option --fail: '{}' {}", part, why));
}

/** \return whether \p text begins with \p prefix, which is then taken away. */
bool
Take(std::string& text, const std::string& prefix)
{
    if (text.rfind(prefix, 0) != 0)
    {
        return false;
    }
    text.erase(0, prefix.size());
    return true;
}

void
ParseKind(const std::string& part, std::string what, ColoFault& fault)
{
    if (Take(what, "cut-"))
    {
        if (std::find(LINKS.begin(), LINKS.end(), what) == LINKS.end())
        {
            Refuse(part,
                   fmt::format("cuts none of the links {}",
                               fmt::join(LINKS.begin(), LINKS.end(), ", ")));
        }
        fault.kind = ColoFault::CUT;
        fault.link = what;
        return;
    }
    fault.kind = ColoFault::CUT;
    for (const auto& [prefix, kind] : {std::make_pair("kill-", ColoFault::KILL),
                                       std::make_pair("hang-", ColoFault::HANG),
                                       std::make_pair("revive-", ColoFault::REVIVE)})
    {
        fault.kind = Take(what, prefix) ? kind : fault.kind;
    }
    if (fault.kind == ColoFault::CUT || (what != "primary" && what != "secondary"))
    {
        Refuse(part,
               "is not kill-HOST@TIME, revive-HOST@TIME, hang-HOST@TIME+TIME or cut-LINK@TIME");
    }
    fault.isPrimary = what == "primary";
}

Time
ParseMoment(const std::string& text)
{
    constexpr int64_t MAX = int64_t{1440} * 60 * 1'000'000'000;
    return NanoSeconds(ColoParseTimeNs("fail", text, {1, "1ns"}, {MAX, "1440min"}));
}

ColoFault
ParseFault(const std::string& part)
{
    ColoFault fault{};
    const std::size_t at = part.find('@');
    if (at == std::string::npos)
    {
        Refuse(part, "says no time, as in kill-primary@2s");
    }
    ParseKind(part, part.substr(0, at), fault);
    const std::size_t plus = part.find('+', at);
    fault.at = ParseMoment(part.substr(at + 1, plus == std::string::npos ? plus : plus - at - 1));
    if (plus != std::string::npos)
    {
        fault.duration = ParseMoment(part.substr(plus + 1));
    }
    if (fault.kind == ColoFault::KILL && fault.duration)
    {
        Refuse(part, "says for how long; revive-HOST@TIME says when a host comes back");
    }
    if (fault.kind == ColoFault::REVIVE && fault.duration)
    {
        Refuse(part, "says for how long, but who comes back stays");
    }
    if (fault.kind == ColoFault::HANG && !fault.duration)
    {
        Refuse(part, "does not say for how long, as in hang-primary@2s+500ms");
    }
    return fault;
}

/** A host that hangs, or is dead, can neither hang, nor die, nor come back. */
void
CheckOverlaps(const std::vector<ColoFault>& faults)
{
    const ColoFault* last[2] = {nullptr, nullptr};
    for (const ColoFault& fault : faults)
    {
        if (fault.kind == ColoFault::CUT)
        {
            continue;
        }
        const ColoFault*& before = last[fault.isPrimary];
        const bool hangs =
            before && before->kind == ColoFault::HANG && fault.at <= before->at + *before->duration;
        const bool isDead =
            before && before->kind == ColoFault::KILL && fault.kind != ColoFault::REVIVE;
        if (hangs || isDead)
        {
            throw ColoUsageError(fmt::format("option --fail: when {}, it is not over that {}",
                                             fault.GetWords(),
                                             before->GetWords()));
        }
        before = &fault;
    }
}

/** Somebody has to be there whose guests a host that comes back can be a copy of. */
void
CheckRevivals(const std::vector<ColoFault>& faults)
{
    bool isDead[2] = {false, false};
    for (const ColoFault& fault : faults)
    {
        if (fault.kind == ColoFault::REVIVE && isDead[!fault.isPrimary])
        {
            throw ColoUsageError(
                fmt::format("option --fail: when {}, the other one is dead", fault.GetWords()));
        }
        if (fault.kind == ColoFault::KILL || fault.kind == ColoFault::REVIVE)
        {
            isDead[fault.isPrimary] = fault.kind == ColoFault::KILL;
        }
    }
}

} // namespace

const char* const COLO_FAULTS_HELP =
    "what goes wrong, and when: kill-HOST@TIME, hang-HOST@TIME+TIME, cut-LINK@TIME, "
    "cut-LINK@TIME+TIME; revive-HOST@TIME: one that died, or was fenced, comes back, as the "
    "secondary host whichever it was; HOST is primary or secondary, LINK is eth0-primary, "
    "eth0-secondary, "
    "sec_dev, eth2 or arbiter. The hosts then have heartbeats, and a lease of 200ms";

const Time ColoFault::LEASE = MilliSeconds(200);

std::string
ColoFault::GetWords() const
{
    const std::string host = isPrimary ? "the primary host" : "the secondary host";
    const std::string how =
        duration ? fmt::format(" for {:g} ms", duration->GetSeconds() * 1e3) : "";
    switch (kind)
    {
    case KILL:
        return host + " dies";
    case HANG:
        return host + " hangs" + how;
    case REVIVE:
        return host + " comes back";
    default:
        return link + " is cut" + how;
    }
}

std::vector<ColoFault>
ColoParseFaults(const std::string& text)
{
    std::vector<ColoFault> faults;
    for (std::size_t begin = 0; begin <= text.size();)
    {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        faults.push_back(ParseFault(text.substr(begin, end - begin)));
        begin = end + 1;
    }
    std::stable_sort(faults.begin(), faults.end(), [](const ColoFault& a, const ColoFault& b) {
        return a.at < b.at;
    });
    CheckOverlaps(faults);
    CheckRevivals(faults);
    return faults;
}

void
ColoScheduleFaults(const std::vector<ColoFault>& faults, const ColoTestbed& testbed)
{
    for (const ColoFault& fault : faults)
    {
        Simulator::ScheduleWithContext(Simulator::NO_CONTEXT, fault.at, [&testbed, fault] {
            switch (fault.kind)
            {
            case ColoFault::KILL:
                testbed.KillHost(fault.isPrimary);
                break;
            case ColoFault::HANG:
                testbed.HangHost(fault.isPrimary, *fault.duration);
                break;
            case ColoFault::REVIVE:
                testbed.ReviveHost(fault.isPrimary);
                break;
            case ColoFault::CUT:
                testbed.CutLink(fault.link);
                break;
            }
        });
        if (fault.kind == ColoFault::CUT && fault.duration)
        {
            Simulator::ScheduleWithContext(
                Simulator::NO_CONTEXT,
                fault.at + *fault.duration,
                [&testbed, fault] { testbed.CutLink(fault.link, false); });
        }
    }
}

} // namespace ns3
