/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "core-pair-world.h"

#include <cstring>
#include <stdexcept>

namespace colo_test
{

namespace
{

const uint64_t US = 1000;
const uint64_t MS = 1000 * US;
const uint64_t FAULT_BY_NS = 120 * MS;
const uint64_t HEALED_NS = 240 * MS;
const uint64_t JOINS_BY_NS = 300 * MS;
const uint64_t END_NS = 450 * MS;

struct Frame
{
    colo_packet core; // first, so that either pointer finds the other
    uint8_t bytes[46];
};

void
Require(bool so, const char* what)
{
    if (!so)
    {
        throw std::runtime_error(what);
    }
}

} // namespace

World::World(uint32_t seed, Tally& tally)
    : m_random(seed),
      m_tally(tally)
{
    colo_config_default(&m_config);
    m_config.compare_timeout_ns = 15 * MS;
    m_config.reorder_window = 2;
    m_config.call_max = 1; // polls go on
    m_config.heartbeat_interval_ns = 8 * MS;
    m_config.lease_ns = 25 * MS;
    m_config.takeover_ns = 29 * MS;
    Require(!colo_config_check(&m_config), "wrong configuration");
    colo_arbiter_init(&m_arbiter, 0);
    AddHost(COLO_ROLE_PRIMARY, false);
    AddHost(COLO_ROLE_SECONDARY, false);
    m_hosts[0]->peer = 1;
    m_hosts[1]->peer = 0;
    m_fault = Fault(Below(uint32_t(Fault::COUNT)));
    m_faultState = colo_node_state(Below(COLO_NODE_COMMITTED + 1));
    m_faultHost = int(Below(2));
    m_faultFrom = Below(60) * MS;
    m_joins = OneIn(2);
    m_cutWays = OneIn(2) ? 3 : 1 + int(Below(2));
    m_arbiterGoneFrom = OneIn(3) ? Below(150) * MS : HEALED_NS;
    m_arbiterGoneUntil = std::min(HEALED_NS, m_arbiterGoneFrom + Below(120) * MS);
    m_lossIn = OneIn(2) ? 1000000 : OneIn(2) ? 30 : 6;
}

World::~World()
{
    for (auto& host : m_hosts)
    {
        for (colo_node& node : host->nodes)
        {
            colo_out out;
            colo_out_init(&out);
            colo_node_drop_all(&node, COLO_DROP_LIMIT, &out);
            while (colo_packet* packet = colo_queue_pop(&out.drop))
            {
                delete reinterpret_cast<Frame*>(packet);
            }
        }
    }
}

uint32_t
World::Below(uint32_t bound)
{
    return uint32_t(m_random() % bound);
}

bool
World::OneIn(uint32_t chances)
{
    return Below(chances) == 0;
}

int
World::AddHost(colo_role role, bool joins)
{
    m_hosts.push_back(std::make_unique<Host>());
    Host& host = *m_hosts.back();
    host.clock = (1 + Below(1000)) * MS;
    host.rate = 970 + Below(61);
    for (colo_node& node : host.nodes)
    {
        colo_node_init(&node, 7, role, &m_config, host.Local(m_now));
    }
    if (joins)
    {
        colo_node_join(&host.nodes[0]);
        host.isPaused = true; // nothing runs in it yet
    }
    colo_key key{};
    colo_datagrams_init(&host.flow, &host.nodes[0], &key, host.Local(m_now));
    int index = int(m_hosts.size()) - 1;
    At(m_now, index, Kind::GUEST);
    Rearm(index);
    return index;
}

void
World::At(uint64_t at, int host, Kind kind, uint32_t a, uint32_t b, uint64_t stamp)
{
    m_happenings.push(Happening{at, m_order++, host, kind, a, b, stamp, -1});
}

bool
World::IsCut(int from, int to) const
{
    if (from < 0 || to < 0)
    {
        return m_now >= m_arbiterGoneFrom && m_now < m_arbiterGoneUntil;
    }
    return m_now >= m_cutFrom && m_now < m_cutUntil && m_cutWays & (from < to ? 1 : 2);
}

void
World::Send(int from, int to, Kind kind, uint32_t a, uint32_t b, uint64_t stamp)
{
    bool isLossy = m_now < HEALED_NS;
    if (IsCut(from, to) || (isLossy && OneIn(m_lossIn)))
    {
        return;
    }
    for (int copies = isLossy && OneIn(30) ? 2 : 1; copies > 0; copies--)
    {
        uint64_t delay = isLossy && OneIn(40) ? Below(60) * MS : 100 * US + Below(2000) * US;
        m_happenings.push(Happening{m_now + delay, m_order++, to, kind, a, b, stamp, from});
    }
}

void
World::ClientGets(uint32_t number, uint8_t variant)
{
    m_seen.resize(std::max<size_t>(m_seen.size(), number + 1), -1);
    Require(m_seen[number] == -1 || m_seen[number] == variant, "output-commit: told otherwise");
    m_seen[number] = variant;
}

/** Whatever the client has seen, this guest can go on from (output-commit). */
void
World::Cover(const Host& host)
{
    for (size_t i = 0; i < m_seen.size(); i++)
    {
        Require(m_seen[i] == -1 || (i < host.history.size() && host.history[i] == m_seen[i]),
                "output-commit: goes on from something else");
    }
}

void
World::Give(int index, colo_side side, uint32_t number, uint8_t variant)
{
    Host& host = *m_hosts[size_t(index)];
    auto frame = new Frame{};
    const uint8_t headers[] = {2,    0, 0,  0,  0, 1, 2, 0,  0,  0,  0, 2,  8,  0,
                               0x45, 0, 0,  32, 0, 0, 0, 0,  64, 17, 0, 0,  10, 0,
                               0,    1, 10, 0,  0, 2, 0, 80, 0,  90, 0, 12, 0,  0};
    static_assert(sizeof(headers) + 4 == sizeof(frame->bytes));
    memcpy(frame->bytes, headers, sizeof(headers));
    colo_put32(frame->bytes + sizeof(headers), number << 8 | variant);
    frame->core.head = frame->bytes;
    frame->core.head_len = frame->core.frame_len = sizeof(frame->bytes);
    colo_key key;
    Require(colo_packet_parse(&frame->core, side, &key) == COLO_KIND_DATAGRAM, "not a datagram");
    host.given++;
    colo_out out;
    colo_out_init(&out);
    colo_datagrams_input(&host.flow, &frame->core, host.Local(m_now), &out);
    Absorb(index, out);
}

void
World::Speak(int index)
{
    Host& host = *m_hosts[size_t(index)];
    At(m_now + 2 * MS + Below(5000) * US, index, Kind::GUEST);
    if (host.isPaused || host.isFenced)
    {
        return;
    }
    uint8_t variant = OneIn(25) ? uint8_t(1 + Below(200)) : 0;
    auto number = uint32_t(host.history.size());
    host.history.push_back(variant);
    colo_node* node = host.Front();
    if (node->role == COLO_ROLE_PRIMARY)
    {
        Give(index, COLO_PRIMARY, number, variant);
    }
    else if (node->mode == COLO_MODE_ALONE)
    {
        Require(colo_node_may_speak(node, host.Local(m_now)), "its guest runs in vain");
        ClientGets(number, variant);
    }
    else
    {
        Send(index, host.peer, Kind::FRAME, number, variant, node->epoch);
    }
}

void
World::Absorb(int index, colo_out& out)
{
    Host& host = *m_hosts[size_t(index)];
    while (colo_packet* packet = colo_queue_pop(&out.release))
    {
        Require(colo_node_has_lease(host.Front(), host.Local(m_now)), "speaks without a lease");
        uint32_t value = colo_get32(packet->head + packet->payload_offset);
        ClientGets(value >> 8, uint8_t(value));
        host.done++;
        delete reinterpret_cast<Frame*>(packet);
    }
    while (colo_packet* packet = colo_queue_pop(&out.drop))
    {
        Require(packet->side == COLO_SECONDARY || packet->reason == COLO_DROP_LEASE,
                "drops the primary's");
        host.done++;
        delete reinterpret_cast<Frame*>(packet);
    }
    Act(index, out);
    if (host.Front()->role == COLO_ROLE_PRIMARY)
    {
        const colo_node* node = host.Front();
        Require(host.given == host.done + node->held_count + node->extra_count, "loses a packet");
    }
}

void
World::TakeOver(int index)
{
    Host& host = *m_hosts[size_t(index)];
    Require(!host.isPaused, "takes over with a guest that stands still");
    Cover(host);
    m_tally[host.nodes[0].epoch ? "goes on from a new state" : "goes on from its own state"]++;
}

void
World::Load(int index, uint32_t attempt)
{
    Host& host = *m_hosts[size_t(index)];
    Require(!host.broken.count(attempt), "loads a transfer that broke off");
    const Host& from = *m_hosts[size_t(host.peer)];
    Require(from.states.count(attempt), "loads what was never sent");
    host.loading = from.states.at(attempt);
    uint64_t needs = m_now < HEALED_NS && OneIn(4) ? Below(80) * MS : Below(8000) * US;
    At(m_now + needs, index, Kind::EVENT, COLO_EVENT_LOADED);
}

void
World::Act(int index, const colo_out& out)
{
    Host& host = *m_hosts[size_t(index)];
    auto does = [&out](uint32_t action) { return (out.actions & action) != 0; };
    auto tell = [&](enum colo_node_event event) {
        Send(index, host.peer, Kind::EVENT, event, out.message_epoch);
    };
    if (does(COLO_ACTION_DISCARD))
    {
        host.broken.insert(host.arriving);
    }
    if (does(COLO_ACTION_RESUME))
    {
        host.isPaused = false;
    }
    if (does(COLO_ACTION_PAUSE))
    {
        host.isPaused = true;
        host.pausedAt = m_now;
        At(m_now + Below(3000) * US, index, Kind::EVENT, COLO_EVENT_PAUSED);
    }
    if (does(COLO_ACTION_SEND_REQUEST))
    {
        tell(COLO_EVENT_REQUEST);
        At(m_now + 12 * MS + Below(20) * MS, index, Kind::TIMER, host.Front()->attempt);
    }
    if (does(COLO_ACTION_SEND_REPLY))
    {
        host.arriving = out.message_epoch;
        tell(COLO_EVENT_REPLY);
    }
    if (does(COLO_ACTION_SEND_STATE))
    {
        Require(host.isPaused, "sends the state of a guest that runs");
        Require(does(COLO_ACTION_FULL) == (host.Front()->mode == COLO_MODE_ALONE), "not in full");
        Require(!host.states.count(out.message_epoch), "uses a number twice");
        host.states[out.message_epoch] = host.history;
        tell(COLO_EVENT_STATE);
    }
    if (does(COLO_ACTION_SEND_RECEIVED))
    {
        tell(COLO_EVENT_RECEIVED);
    }
    if (does(COLO_ACTION_LOAD))
    {
        Load(index, out.message_epoch);
    }
    if (does(COLO_ACTION_SEND_LOADED))
    {
        tell(COLO_EVENT_LOADED);
    }
    if (does(COLO_ACTION_SEND_HEARTBEAT) || does(COLO_ACTION_ANSWER_HEARTBEAT))
    {
        Send(index, host.peer, Kind::HEARTBEAT, out.message_term, 0, out.stamp_ns);
    }
    if (does(COLO_ACTION_ASK))
    {
        Send(index, -1, Kind::ASK, host.Front()->role, out.message_term);
    }
    if (does(COLO_ACTION_TELL_TERM))
    {
        m_tally["protected again"]++;
        Send(index, -1, Kind::TELL, 0, out.message_term);
    }
    const char* roles[] = {"primary ", "secondary "};
    if (out.actions)
    {
        const char* modes[] = {"protected", "isolated", "alone", "fenced", "joining"};
        m_tally[std::string(roles[host.Front()->role]) + modes[host.Front()->mode]]++;
    }
    if (does(COLO_ACTION_FENCE))
    {
        host.isFenced = true;
    }
    if (does(COLO_ACTION_TAKE_OVER))
    {
        TakeOver(index);
    }
}

void
World::HandleAtArbiter(const Happening& what)
{
    if (what.kind == Kind::TELL)
    {
        if (colo_arbiter_protect(&m_arbiter, what.b))
        {
            Send(-1, what.from, Kind::EVENT, COLO_EVENT_TERM, what.b);
        }
        return;
    }
    bool granted = colo_arbiter_ask(&m_arbiter, colo_role(what.a), what.b);
    if (granted)
    {
        m_grants.insert({what.b, int(what.a)});
        Require(!m_grants.count({what.b, int(1 - what.a)}), "grants both");
    }
    Send(-1, what.from, Kind::EVENT, granted ? COLO_EVENT_GRANTED : COLO_EVENT_DENIED, what.b);
}

void
World::HandleAtHost(const Happening& what)
{
    Host& host = *m_hosts[size_t(what.host)];
    colo_node* node = host.Front();
    uint64_t now = host.Local(m_now);
    colo_out out;
    colo_out_init(&out);
    switch (what.kind)
    {
    case Kind::POLL:
        host.pollAt = COLO_NEVER_NS;
        if (colo_node_deadline(node) <= now)
        {
            colo_node_poll(node, now, &out);
        }
        break;
    case Kind::GUEST:
        Speak(what.host);
        return;
    case Kind::TIMER:
        if (node->attempt != what.a || node->state == COLO_NODE_RUNNING)
        {
            return;
        }
        colo_node_event(node, COLO_EVENT_ABORT, 0, now, &out);
        break;
    case Kind::HEARTBEAT:
        colo_node_heartbeat(node, what.a, what.stamp, now, &out);
        break;
    case Kind::FRAME:
        if (what.stamp == node->epoch && node->role == COLO_ROLE_PRIMARY &&
            (node->mode == COLO_MODE_PROTECTED || node->mode == COLO_MODE_ISOLATED))
        {
            Give(what.host, COLO_SECONDARY, what.a, uint8_t(what.b));
        }
        return;
    default:
        // A pause that was taken back ends before its guest stands still.
        if (what.a == COLO_EVENT_PAUSED && !host.isPaused)
        {
            return;
        }
        if (what.a == COLO_EVENT_LOADED && node->role == COLO_ROLE_SECONDARY)
        {
            host.history = host.loading;
        }
        colo_node_event(node, (enum colo_node_event)(what.a), what.b, now, &out);
    }
    Absorb(what.host, out);
}

void
World::Handle(const Happening& what)
{
    m_now = what.at;
    if (what.host < 0)
    {
        HandleAtArbiter(what);
        return;
    }
    Host& host = *m_hosts[size_t(what.host)];
    if (host.isDead)
    {
        return;
    }
    if (host.hangsUntil > m_now)
    {
        // In whatever order what has come meanwhile is looked at.
        Happening later = what;
        later.at = host.hangsUntil + Below(200) * US;
        later.order = m_order++;
        m_happenings.push(later);
        return;
    }
    HandleAtHost(what);
    Rearm(what.host);
    CheckSpeakers();
}

/** The room's timer, which may be late. */
void
World::Rearm(int index)
{
    Host& host = *m_hosts[size_t(index)];
    uint64_t deadline = colo_node_deadline(host.Front());
    if (deadline == COLO_NEVER_NS)
    {
        return;
    }
    uint64_t at = std::max(m_now, host.Global(deadline));
    if (at < host.pollAt)
    {
        host.pollAt = at;
        At(at + (OneIn(4) ? Below(3000) * US : 0), index, Kind::POLL);
    }
}

void
World::Strike()
{
    const Host& watched = *m_hosts[size_t(m_faultHost)];
    if (m_hasStruck || m_now < m_faultFrom ||
        (watched.nodes[0].state != m_faultState && m_now < FAULT_BY_NS))
    {
        return;
    }
    m_hasStruck = true;
    if (watched.nodes[0].state == m_faultState)
    {
        const char* faults[] = {"primary dies",
                                "secondary dies",
                                "link cut",
                                "primary hangs",
                                "secondary hangs"};
        const char* states[] = {"running", "requested", "paused", "transfer", "committed"};
        m_tally[std::string(faults[int(m_fault)]) + ", " +
                (m_faultHost ? "secondary " : "primary ") + states[m_faultState]]++;
    }
    uint64_t hang = m_now + Below(100) * MS;
    switch (m_fault)
    {
    case Fault::PRIMARY_DIES:
        m_hosts[0]->isDead = true;
        break;
    case Fault::SECONDARY_DIES:
        m_hosts[1]->isDead = true;
        break;
    case Fault::PRIMARY_HANGS:
        m_hosts[0]->hangsUntil = hang;
        break;
    case Fault::SECONDARY_HANGS:
        m_hosts[1]->hangsUntil = hang;
        break;
    default:
        m_cutFrom = m_now;
        m_cutUntil = m_now + Below(150) * MS;
    }
}

/** Somebody speaks alone: a new host comes, once. */
void
World::MaybeJoin()
{
    for (int i = 0; m_joins && m_now < JOINS_BY_NS && i < 2; i++)
    {
        Host& host = *m_hosts[size_t(i)];
        colo_node& node = host.nodes[0];
        bool isReady = node.mode == COLO_MODE_ALONE && node.state == COLO_NODE_RUNNING;
        if (!isReady || host.isDead || host.hangsUntil > m_now || !OneIn(20))
        {
            continue;
        }
        m_joins = false;
        host.peer = AddHost(COLO_ROLE_SECONDARY, true);
        m_hosts.back()->peer = i;
        if (node.role == COLO_ROLE_SECONDARY)
        {
            colo_key key{};
            colo_node_succeed(&host.nodes[1], &node, host.Local(m_now));
            colo_datagrams_init(&host.flow, &host.nodes[1], &key, host.Local(m_now));
            host.hasSucceeded = true;
        }
        At(m_now, i, Kind::EVENT, COLO_EVENT_JOIN);
        At(m_now + 50 * MS, i, Kind::EVENT, COLO_EVENT_JOIN); // should that have broken off
        return;
    }
}

/** At no instant two speakers; and who speaks alone was granted (fail-fence). */
void
World::CheckSpeakers()
{
    int speakers = 0;
    for (auto& host : m_hosts)
    {
        colo_node* node = host->Front();
        bool speaks = !host->isDead && colo_node_has_lease(node, host->Local(m_now));
        speakers += speaks;
        if (speaks && node->mode == COLO_MODE_ALONE)
        {
            Require(m_grants.count({node->term, int(host->nodes[0].role)}) ||
                        m_grants.count({node->term, int(node->role)}),
                    "speaks alone without a grant");
        }
    }
    Require(speakers <= 1, "two speakers");
}

/** Somebody speaks in the end, unless who was granted died, or was never granted and died. */
void
World::CheckEnd()
{
    int speakers = 0;
    bool somebodyCould = false;
    for (auto& host : m_hosts)
    {
        colo_node* node = host->Front();
        bool isOfTerm = node->term == m_arbiter.term && node->mode != COLO_MODE_FENCED &&
                        node->mode != COLO_MODE_JOINING;
        // A primary may have begun a term that the arbiter has not heard of.
        bool isGranted = m_arbiter.decided && (node->mode == COLO_MODE_ALONE || node->asking ||
                                               (node->role == m_arbiter.granted && isOfTerm));
        somebodyCould |= !host->isDead && (m_arbiter.decided ? isGranted : isOfTerm);
        Require(host->isDead || host->isFenced || !host->isPaused || host->pausedAt > HEALED_NS ||
                    node->mode == COLO_MODE_JOINING,
                "a guest stands still for good");
        speakers += !host->isDead && colo_node_has_lease(node, host->Local(m_now));
    }
    Require(speakers == 1 || !somebodyCould, "nobody speaks in the end");
}

void
World::Live()
{
    while (m_now < END_NS)
    {
        Happening next = m_happenings.top();
        m_happenings.pop();
        Handle(next);
        Strike();
        MaybeJoin();
    }
    CheckEnd();
}

} // namespace colo_test
