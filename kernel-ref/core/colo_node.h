/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One protected guest pair as one of its two hosts sees it: what is held and
 * until when, the epoch, and the checkpoint protocol as a pure state machine.
 */
#ifndef COLO_NODE_H
#define COLO_NODE_H

#include "colo_queue.h"

#ifdef __cplusplus
extern "C" {
#endif

enum colo_role {
	COLO_ROLE_PRIMARY,   /* compares */
	COLO_ROLE_SECONDARY, /* fixes sequence numbers */
};

/* What a primary packet's acknowledgment may promise (rule tcp-pure-ack). */
enum colo_ack_policy {
	COLO_ACK_HOLD,	/* wait until the secondary acknowledged as much */
	COLO_ACK_CLAMP, /* lower it to what the secondary acknowledged */
};

/* Times in nanoseconds; 0 turns an interval off. */
struct colo_config {
	u64 compare_timeout_ns;		/* longest time a packet is held */
	u64 checkpoint_interval_min_ns; /* storm limit */
	u64 checkpoint_interval_max_ns; /* periodic checkpoints */
	u64 idle_timeout_ns;		/* an open connection is forgotten after this */
	u64 closed_timeout_ns;		/* a closed or half-open one, as packets may repeat */
	/* Packets held of one side; a checkpoint is requested there, dropped at twice as many. */
	u32 flow_held_max;
	u32 node_held_max;
	u32 call_max; /* packets that a call compares and releases, see struct colo_out; 0: all */
	u32 reorder_window; /* datagrams of the secondary that may overtake one (rule udp) */
	/* Leases and failover, see colo_failover.h; lease_ns 0 turns them off. */
	u64 lease_ns;		   /* the primary speaks for so long after a heartbeat */
	u64 takeover_ns;	   /* longer: the secondary asks to take over after none */
	u64 heartbeat_interval_ns; /* shorter; also of asking the arbiter again */
	enum colo_ack_policy ack_policy;
	bool malformed_hold; /* compare what cannot be parsed as opaque bytes (rule malformed) */
	bool plain;	     /* no shim on sec_dev, as in 2015: nobody tells the primary's ISN */
	colo_chunk_fn chunk; /* how the room reads frames beyond their heads; NULL if it need not */
	u64 digest_key;	     /* secret, so that nobody can choose datagrams of equal digests */
};

/** colo_config_default() - Three seconds, no interval limits or leases, hold acks. */
void colo_config_default(struct colo_config *config);

enum colo_node_state {
	COLO_NODE_RUNNING,
	COLO_NODE_REQUESTED,
	COLO_NODE_PAUSED,
	COLO_NODE_TRANSFER,
	COLO_NODE_COMMITTED,
};

/* Who this host is to the clients, see colo_failover.h. */
enum colo_node_mode {
	COLO_MODE_PROTECTED, /* one of a pair */
	COLO_MODE_ISOLATED,  /* the other host is lost: silent until the arbiter answers */
	COLO_MODE_ALONE,     /* granted: unprotected, or took over */
	COLO_MODE_FENCED,    /* denied: nothing leaves ever again */
	COLO_MODE_JOINING,   /* a new secondary that holds no state yet */
};

/* What happened on this host, or arrived from the other. */
enum colo_node_event {
	COLO_EVENT_REQUEST,  /* an operator wants a checkpoint; to the secondary: REQUEST arrived */
	COLO_EVENT_PAUSED,   /* our guest stands still and its links are drained */
	COLO_EVENT_REPLY,    /* the secondary guest stands still */
	COLO_EVENT_STATE,    /* the whole state has arrived on the secondary host */
	COLO_EVENT_RECEIVED, /* the secondary host holds the whole state */
	COLO_EVENT_LOADED,   /* the state is in the secondary guest */
	COLO_EVENT_ABORT,    /* the transfer broke off */
	COLO_EVENT_GRANTED,  /* the arbiter lets us speak alone, in the term of the question */
	COLO_EVENT_DENIED,   /* the arbiter let the other one, or does not know the term */
	COLO_EVENT_TERM,     /* the arbiter knows that this term has begun */
	COLO_EVENT_JOIN,     /* a new secondary host waits for the whole state */
};

/*
 * What the room has to do, as bits. The messages of a checkpoint carry colo_out.message_epoch,
 * heartbeats and messages to the arbiter colo_out.message_term. Any message may get lost.
 */
#define COLO_ACTION_PAUSE 0x01		 /* stop the guest, drain its links, then EVENT_PAUSED */
#define COLO_ACTION_SEND_REQUEST 0x02	 /* to the secondary host */
#define COLO_ACTION_SEND_REPLY 0x04	 /* to the primary host */
#define COLO_ACTION_SEND_STATE 0x08	 /* the guest's whole state to the secondary host */
#define COLO_ACTION_SEND_RECEIVED 0x10	 /* to the primary host */
#define COLO_ACTION_LOAD 0x20		 /* the state into the secondary guest, then EVENT_LOADED */
#define COLO_ACTION_SEND_LOADED 0x40	 /* to the primary host */
#define COLO_ACTION_RESUME 0x80		 /* let the guest go on; no EVENT_PAUSED any more */
#define COLO_ACTION_DISCARD 0x100	 /* what has arrived of a state; never load it */
#define COLO_ACTION_FULL 0x200		 /* the secondary joins: this state has no base */
#define COLO_ACTION_SEND_HEARTBEAT 0x400 /* with colo_out.stamp_ns, to the secondary host */
#define COLO_ACTION_ANSWER_HEARTBEAT 0x800 /* likewise, to the primary host */
#define COLO_ACTION_ASK 0x1000		   /* the arbiter, see colo_arbiter_ask() */
#define COLO_ACTION_TELL_TERM 0x2000	   /* the arbiter, see colo_arbiter_protect() */
#define COLO_ACTION_TAKE_OVER 0x4000	   /* move the tap, announce the address (fail-primary) */
#define COLO_ACTION_FENCE 0x8000	   /* stop the guest for good, keep its links silent */

#define COLO_MISMATCH_BYTES_MAX 8

/* Why a checkpoint is asked for: which rule, which flow, which position. */
struct colo_mismatch {
	enum colo_reason reason; /* COLO_REASON_NONE if there was none */
	const struct colo_conn *conn;
	u32 position; /* in the primary's numbering */
	u8 primary_len;
	u8 secondary_len;
	u8 primary[COLO_MISMATCH_BYTES_MAX]; /* the first bytes that differ */
	u8 secondary[COLO_MISMATCH_BYTES_MAX];
};

/*
 * The first segments of a packet, which leave ahead of the rest (rule tcp-gso): a copy of its
 * headers, edits applied, and this much of its payload. A packet that comes out on release when
 * some of it has left before (packet->left) leaves without that.
 */
struct colo_part {
	struct colo_packet *packet; /* NULL if there is none */
	u32 from;		    /* payload bytes */
	u32 to;
};

/*
 * What the client said last, to be said to the secondary guest again (rule tcp-remirror): an ack
 * without data, see colo_remirror_build().
 */
struct colo_remirror {
	struct colo_packet *packet; /* of the secondary, what it answers; NULL if there is none */
	u32 ack;
	u16 window;
};

/*
 * What one call decided. The room acts on all of it: releases in order, then the
 * part, the resend and the remirror, then drops. Every packet says why in its reason field.
 *
 * A packet that closes a gap may let go thousands. So that a call is short, and that what it lets
 * go is still in the caches when it is delivered and freed, it ends after some config.call_max and
 * leaves the rest to the next one. After each call of the core, whichever it was, and once it has
 * acted on what that decided, the room therefore goes on:
 *
 *	act(&out);
 *	while (colo_node_is_unfinished(node)) {
 *		colo_out_init(&out);
 *		colo_node_go_on(node, now_ns, &out);
 *		act(&out);
 *	}
 *
 * It may drop its lock in between: whatever it calls first, nothing is lost or leaves out of
 * order, and until it has gone on colo_node_deadline() is 0, so colo_node_poll() does it as well.
 * A commit, a failover and a lease renewed are not bounded so: what they let go is one decision.
 */
struct colo_out {
	struct colo_queue release;  /* let go, with edits applied; the packet is the room's again */
	struct colo_part part;	    /* of a packet that the core keeps */
	struct colo_packet *resend; /* send a copy with edits applied; the core keeps the packet */
	struct colo_remirror remirror;
	struct colo_queue drop; /* done with; the packet is the room's again */
	struct colo_mismatch mismatch;
	u32 actions;
	u32 message_epoch;
	u32 message_term;
	u64 stamp_ns;
};

/** colo_out_is_empty() - Is there nothing for the room to do? */
static inline bool colo_out_is_empty(const struct colo_out *out)
{
	return !out->release.tail && !out->drop.tail && !out->actions && !out->part.packet &&
	       !out->resend && !out->remirror.packet &&
	       out->mismatch.reason == COLO_REASON_NONE;
}

/** colo_out_init() - Nothing decided yet. What its parts say besides holds once they are there. */
static inline void colo_out_init(struct colo_out *out)
{
	out->release.tail = NULL;
	out->part.packet = NULL;
	out->resend = NULL;
	out->remirror.packet = NULL;
	out->drop.tail = NULL;
	out->mismatch.reason = COLO_REASON_NONE;
	out->actions = 0;
	out->message_epoch = 0;
	out->message_term = 0;
	out->stamp_ns = 0;
}

enum colo_conn_type {
	COLO_CONN_STREAM,
	COLO_CONN_DATAGRAM,
	COLO_CONN_SEQFIX,
};

/*
 * What all kinds of connection state share: streams and datagrams compared on the
 * primary host, sequence fix on the secondary. First member of each.
 */
struct colo_conn {
	struct colo_node *node;
	struct list_head age; /* of the node's open or closed list, least recently used first */
	u64 touched_ns;	      /* to within a second */
	struct colo_key key;
	u8 type;
	bool closed; /* or half-open: soon forgotten */
	u32 epoch;   /* rebased when it differs from the node's (rule ckpt-rebase) */
	u32 held;    /* packets of the primary, or waiting for an offset */
	u32 extra;   /* packets of the secondary */
};

struct colo_node_stats {
	u64 released_packets;
	u64 released_bytes; /* TCP payload, repeats included */
	u64 dropped_at_limit;
	u64 held_packets; /* released ones that had to wait */
	u64 checkpoints;
	u64 coalesced; /* mismatches that joined a pending checkpoint */
	u64 malformed_primary;
	u64 malformed_secondary;
	u64 mismatches[COLO_REASON_COUNT];
};

struct colo_node {
	struct colo_config config;
	enum colo_role role;
	u16 id;
	u32 epoch;

	struct list_head held;	/* primary packets, or waiting ones; oldest first */
	struct list_head extra; /* secondary packets */
	struct list_head kept;	/* acks to be sent again with a larger window */
	struct list_head turning; /* of held, while a failover looks at each */
	struct list_head open;	/* connections */
	struct list_head closed;
	u32 held_count;
	u32 extra_count;

	enum colo_node_state state;
	enum colo_reason cause; /* of the pending checkpoint */
	u32 attempt;		/* epoch of the latest checkpoint, committed or not */
	bool deferred;		/* requested, but its time has not come yet */
	bool guest_paused;
	bool peer_paused;
	bool unsure; /* the secondary may have gone on to an epoch that we have not */
	bool failed_over;
	u64 committed_ns;
	u64 retry_ns; /* no checkpoint before, as one broke off */

	enum colo_node_mode mode;
	u32 term;	/* epoch of the checkpoint that made the pair; 0 for the first */
	bool leased;	/* a heartbeat was answered */
	bool asking;	/* the arbiter, which has not answered yet */
	bool term_told; /* the arbiter knows the term */
	u64 renewed_ns; /* the primary: when the answered heartbeat was sent */
	u64 heard_ns;	/* the secondary: when it last answered one */
	u64 heard_stamp_ns;
	u64 beat_ns;   /* next heartbeat or question */
	bool resuming; /* more may leave than one call can tell, see colo_node_poll() */
	struct colo_conn *unfinished; /* where a call ended early, see struct colo_out */
	u64 neighbour_next_ns;

	struct colo_node_stats stats;
};

/**
 * colo_node_init() - Begin in RUNNING, protected, epoch 0, with nothing held.
 * @now_ns: the room's clock, monotonic, as in every later call.
 */
void colo_node_init(struct colo_node *node, u16 id, enum colo_role role,
		    const struct colo_config *config, u64 now_ns);

/**
 * colo_node_event() - Drive the checkpoint protocol (rules ckpt-states, ckpt-commit).
 * @epoch: of the message for REPLY, RECEIVED, LOADED, STATE and the secondary's REQUEST;
 *	   ignored for what happens on this host alone. What the arbiter says carries the
 *	   term.
 *
 * A commit happens inside: on the primary's host by RECEIVED, where all that is held is
 * released; on the secondary's by STATE.
 *
 * Return: false if the event does not fit the state or the epoch. Nothing changed then, but
 * for a lease that turns out to be over.
 */
bool colo_node_event(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
		     struct colo_out *out);

/** colo_node_resume() - Let go what matched while it might not leave. */
void colo_node_resume(struct colo_node *node, u64 now_ns, struct colo_out *out);

/** colo_node_is_unfinished() - Did the last call end early, with more to do at once? */
static inline bool colo_node_is_unfinished(const struct colo_node *node)
{
	return node->unfinished;
}

/**
 * colo_node_go_on() - Do more of what a call left unfinished, as much as one call does.
 *
 * It may be unfinished again. Does nothing if it is not.
 */
void colo_node_go_on(struct colo_node *node, u64 now_ns, struct colo_out *out);

/**
 * colo_node_deadline() - When colo_node_poll() has something to do; COLO_NEVER_NS if nothing.
 */
u64 colo_node_deadline(const struct colo_node *node);

/** colo_node_poll() - Do what is due. Call again while the deadline is not after now. */
void colo_node_poll(struct colo_node *node, u64 now_ns, struct colo_out *out);

/* Who judges a frame. */
enum colo_class {
	COLO_CLASS_STREAM,     /* colo_flow_input() */
	COLO_CLASS_DATAGRAM,   /* colo_datagrams_input() */
	COLO_CLASS_UNCOMPARED, /* colo_node_uncompared() */
};

/** colo_node_class() - Who judges a parsed frame of either guest? Not for fragments. */
enum colo_class colo_node_class(const struct colo_node *node, const struct colo_packet *packet);

/**
 * colo_node_uncompared() - Judge a frame that belongs to no flow (rules l2-other, malformed).
 * @packet: parsed, of the primary's or secondary's side, COLO_CLASS_UNCOMPARED.
 */
void colo_node_uncompared(struct colo_node *node, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out);

/**
 * colo_node_fail_over() - The secondary speaks for itself from now on (rule fix-failover).
 *
 * What waited for the primary's hint goes out: the client has not seen what the primary
 * answered, as nothing leaves uncompared.
 */
void colo_node_fail_over(struct colo_node *node, u64 now_ns, struct colo_out *out);

/**
 * colo_node_collect() - Take one connection whose time is over and that holds nothing.
 *
 * Return: the connection, no longer the node's; NULL if there is none.
 */
struct colo_conn *colo_node_collect(struct colo_node *node, u64 now_ns);

/**
 * colo_node_evict() - Take the connection that was idle longest and holds nothing, as the
 * room's table is full (rule no-loss).
 *
 * Return: the connection, no longer the node's; NULL if those looked at all hold something.
 */
struct colo_conn *colo_node_evict(struct colo_node *node);

/* For the files of the core. */
void colo_conn_init(struct colo_conn *conn, enum colo_conn_type type, struct colo_node *node,
		    const struct colo_key *key, u64 now_ns);
void colo_conn_touch(struct colo_conn *conn, u64 now_ns);
void colo_conn_set_closed(struct colo_conn *conn, bool closed);
bool colo_conn_pause(struct colo_conn *conn);

/* After so many steps of a call, may it end here? */
static inline bool colo_conn_is_enough(struct colo_conn *conn, u32 count)
{
	return count >= conn->node->config.call_max && colo_conn_pause(conn);
}

bool colo_node_hold(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
		    struct colo_out *out);
bool colo_node_hold_extra(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out);
void colo_node_keep(struct colo_packet *packet);
void colo_node_release(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_node_drop(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_node_mismatch(struct colo_conn *conn, const struct colo_mismatch *mismatch, u64 now_ns,
			struct colo_out *out);
void colo_mismatch_sample(struct colo_mismatch *mismatch, const struct colo_packet *p, u32 p_offset,
			  u32 p_len, const struct colo_packet *s, u32 s_offset, u32 s_len);
void colo_node_count_malformed(struct colo_node *node, const struct colo_packet *packet);
void colo_node_commit(struct colo_node *node, u32 epoch, u64 now_ns, struct colo_out *out);
void colo_node_let_all_go(struct colo_node *node, struct colo_out *out);
void colo_node_drop_all(struct colo_node *node, enum colo_reason reason, struct colo_out *out);
bool colo_node_shuts_out(struct colo_packet *packet, struct colo_out *out);
void colo_node_request(struct colo_node *node, enum colo_reason reason, u64 now_ns,
		       struct colo_out *out);
bool colo_checkpoint_event(struct colo_node *node, enum colo_node_event event, u32 epoch,
			   u64 now_ns, struct colo_out *out);
bool colo_checkpoint_join(struct colo_node *node, struct colo_out *out);
void colo_checkpoint_stop(struct colo_node *node, u64 now_ns, struct colo_out *out);
u64 colo_checkpoint_deadline(const struct colo_node *node);
void colo_checkpoint_poll(struct colo_node *node, u64 now_ns, struct colo_out *out);

#ifdef __cplusplus
}
#endif

#endif /* COLO_NODE_H */
