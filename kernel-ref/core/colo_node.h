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

/* What a primary packet's acknowledgement may promise (rule tcp-pure-ack). */
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
	enum colo_ack_policy ack_policy;
	bool plain; /* no shim on sec_dev, as in 2015: nobody tells the primary's ISN */
};

/** colo_config_default() - Three seconds, no interval limits, hold acks, with shim. */
void colo_config_default(struct colo_config *config);

enum colo_node_state {
	COLO_NODE_RUNNING,
	COLO_NODE_REQUESTED,
	COLO_NODE_PAUSED,
	COLO_NODE_TRANSFER,
	COLO_NODE_COMMITTED,
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
};

/* What the room has to do, as bits; messages carry colo_out.message_epoch. */
#define COLO_ACTION_PAUSE 0x01	       /* stop the guest, drain its links, then EVENT_PAUSED */
#define COLO_ACTION_SEND_REQUEST 0x02  /* to the secondary host */
#define COLO_ACTION_SEND_REPLY 0x04    /* to the primary host */
#define COLO_ACTION_SEND_STATE 0x08    /* the guest's whole state to the secondary host */
#define COLO_ACTION_SEND_RECEIVED 0x10 /* to the primary host */
#define COLO_ACTION_LOAD 0x20	       /* the state into the secondary guest, then EVENT_LOADED */
#define COLO_ACTION_SEND_LOADED 0x40   /* to the primary host */
#define COLO_ACTION_RESUME 0x80	       /* let the guest go on */

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
 * What one call decided. The room acts on all of it: releases in order, then the
 * resend, then drops. Every packet says why in its reason field.
 */
struct colo_out {
	struct colo_queue release; /* let go, with edits applied; the packet is the room's again */
	struct colo_packet *resend; /* send a copy with edits applied; the core keeps the packet */
	struct colo_queue drop;	   /* done with; the packet is the room's again */
	struct colo_mismatch mismatch;
	u32 actions;
	u32 message_epoch;
};

static inline void colo_out_init(struct colo_out *out)
{
	memset(out, 0, sizeof(*out));
}

/*
 * What both kinds of connection state share: comparison on the primary host,
 * sequence fix on the secondary. First member of both.
 */
struct colo_conn {
	struct colo_node *node;
	struct list_head age; /* of the node's open or closed list, least recently used first */
	u64 touched_ns;
	struct colo_key key;
	u32 epoch;	 /* rebased when it differs from the node's (rule ckpt-rebase) */
	u32 held;	 /* packets of the primary, or waiting for an offset */
	u32 extra;	 /* packets of the secondary */
	bool closed; /* or half-open: soon forgotten */
};

struct colo_node_stats {
	u64 released_packets;
	u64 released_bytes; /* TCP payload, repeats included */
	u64 dropped_at_limit;
	u64 held_packets; /* released ones that had to wait */
	u64 checkpoints;
	u64 coalesced; /* mismatches that joined a pending checkpoint */
	u64 mismatches[COLO_REASON_COUNT];
};

struct colo_node {
	struct colo_config config;
	enum colo_role role;
	u16 id;
	u32 epoch;

	struct list_head held;	 /* primary packets, or waiting ones; oldest first */
	struct list_head extra;	 /* secondary packets */
	struct list_head kept;	 /* acks to be sent again with a larger window */
	struct list_head open;	 /* connections */
	struct list_head closed;
	u32 held_count;
	u32 extra_count;

	enum colo_node_state state;
	enum colo_reason cause;	 /* of the pending checkpoint */
	bool deferred;		 /* requested, but the storm limit is not over yet */
	bool guest_paused;
	bool peer_paused;
	bool failed_over;
	u64 committed_ns;
	u64 neighbour_next_ns;

	struct colo_node_stats stats;
};

/**
 * colo_node_init() - Begin in RUNNING, epoch 0, with nothing held.
 * @now_ns: the room's clock, monotonic, as in every later call.
 */
void colo_node_init(struct colo_node *node, u16 id, enum colo_role role,
		    const struct colo_config *config, u64 now_ns);

/**
 * colo_node_event() - Drive the checkpoint protocol (rules ckpt-states, ckpt-commit).
 * @epoch: of the message for REPLY, RECEIVED, LOADED, STATE and the secondary's REQUEST;
 *	   ignored for what happens on this host alone.
 *
 * A commit happens inside: on the primary's host by RECEIVED, where all that is held is
 * released; on the secondary's by STATE.
 *
 * Return: false if the event does not fit the state or the epoch; nothing changed then.
 */
bool colo_node_event(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
		     struct colo_out *out);

/**
 * colo_node_deadline() - When colo_node_poll() has something to do; COLO_NEVER_NS if nothing.
 */
u64 colo_node_deadline(const struct colo_node *node);

/** colo_node_poll() - Do what is due. Call again while the deadline is not after now. */
void colo_node_poll(struct colo_node *node, u64 now_ns, struct colo_out *out);

/**
 * colo_node_uncompared() - Judge a frame that belongs to no flow (rules l2-other, malformed).
 * @packet: parsed, of the primary's or secondary's side, not COLO_KIND_TCP.
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
void colo_conn_init(struct colo_conn *conn, struct colo_node *node, const struct colo_key *key,
		    u64 now_ns);
void colo_conn_touch(struct colo_conn *conn, u64 now_ns);
void colo_conn_set_closed(struct colo_conn *conn, bool closed);
bool colo_node_hold(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
		    struct colo_out *out);
bool colo_node_hold_extra(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out);
void colo_node_keep(struct colo_packet *packet);
void colo_node_release(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_node_drop(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_node_mismatch(struct colo_conn *conn, const struct colo_mismatch *mismatch, u64 now_ns,
			struct colo_out *out);

#ifdef __cplusplus
}
#endif

#endif /* COLO_NODE_H */
