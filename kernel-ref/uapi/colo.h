/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The control channel of nf_conntrack_colo: generic netlink family "colo".
 *
 * A node is one protected guest pair as one of its two hosts sees it. Nodes belong to a network
 * namespace. Rules of iptables (PMYCOLO, SECCOLO) name a node by its index and arm it: packets
 * are judged from the first rule on, and until the last one goes.
 *
 * All requests need CAP_NET_ADMIN in the namespace. A request that fails changes nothing; its
 * answer has an error code and, as extended acknowledgment, a sentence. Byte order is the
 * host's; addresses of flows are in network order. Times are nanoseconds.
 */
#ifndef _UAPI_COLO_H
#define _UAPI_COLO_H

#define COLO_GENL_NAME "colo"
#define COLO_GENL_VERSION 1
#define COLO_GENL_GROUP "events"

enum colo_genl_cmd {
	COLO_CMD_UNSPEC,
	/*
	 * NODE_ADD: INDEX, ROLE, GUEST_DEV; what is configured besides. With OWNED the node goes
	 * when the socket that asked is closed, as if by NODE_DEL. With JOINING a secondary waits
	 * for the whole state of a primary that is alone, and is none of a pair before.
	 */
	COLO_CMD_NODE_ADD,
	/*
	 * NODE_DEL: INDEX. What it holds is released, unless its lease is over, and rules that name
	 * it let packets pass. They arm a node that is added with this index again.
	 */
	COLO_CMD_NODE_DEL,
	COLO_CMD_NODE_GET,	/* INDEX, or none to dump all: configuration, state, statistics */
	COLO_CMD_FLOW_GET,	/* dump, INDEX: a message for each connection, as of one moment */
	/*
	 * CHECKPOINT: INDEX, on the secondary EPOCH. All steps up to the commit at once, for those
	 * who stopped both guests and moved the state themselves: first on the secondary's host,
	 * with the epoch that NODE_GET tells as NEXT_EPOCH of the primary, then on the primary's.
	 * Answers with EPOCH. Both guests may go on then. From CHECKPOINT_REQUESTED on until then
	 * nothing new reaches the primary's guest. EAGAIN while INTERVAL_MIN is not over. A primary
	 * that is alone takes the secondary in.
	 */
	COLO_CMD_CHECKPOINT,
	/*
	 * PROTOCOL: INDEX, EVENT, EPOCH for events that carry one, which for the arbiter's is the
	 * term. One step, for a hypervisor that speaks the protocol of both hosts; see
	 * NOTE_ACTIONS. EINVAL if the event does not fit the node's state.
	 */
	COLO_CMD_PROTOCOL,
	COLO_CMD_HEARTBEAT,	/* INDEX, TERM, STAMP: of the other host has come */
	/*
	 * FAILOVER: INDEX. The other host is lost, and whoever asks is the arbiter: a secondary
	 * speaks for itself from now on; a primary releases all it holds and goes on unprotected.
	 */
	COLO_CMD_FAILOVER,
	COLO_CMD_RESET,		/* INDEX: release all, forget all flows, begin at epoch 0 again */

	/* Events, to the group. */

	/*
	 * CHECKPOINT_REQUESTED: INDEX, EPOCH, REASON, its NAME and TEXT; if the guests' output is
	 * why, FLOW and POSITION, and the bytes of both from there. Once for each attempt:
	 * mismatches join one that is pending (rule ckpt-coalesce).
	 */
	COLO_NOTE_CHECKPOINT_REQUESTED,
	COLO_NOTE_ACTIONS,	/* INDEX, ACTIONS, EPOCH, TERM, STAMP: what the room has to do */
	COLO_NOTE_COMMITTED,	/* INDEX, EPOCH */
	COLO_NOTE_NODE_GONE,	/* INDEX, CAUSE */

	__COLO_CMD_MAX,
};

#define COLO_CMD_MAX (__COLO_CMD_MAX - 1)

enum colo_genl_attr {
	COLO_A_UNSPEC,
	COLO_A_PAD,
	COLO_A_INDEX,	   /* u32, 0 to 65535 */
	COLO_A_ROLE,	   /* u8, enum colo_genl_role */
	COLO_A_GUEST_DEV,  /* string: the guest's tap, a port of a bridge */
	COLO_A_OWNED,	   /* flag */
	COLO_A_CONFIG,	   /* nest of COLO_C_*: what is not there has its default */
	COLO_A_SEC_DEV,	   /* string: as the rule says; not there while no rule does */
	COLO_A_EPOCH,	   /* u32 */
	COLO_A_NEXT_EPOCH, /* u32: of the pending, or else of the next checkpoint */
	COLO_A_TERM,	   /* u32 */
	COLO_A_STAMP,	   /* u64 */
	COLO_A_EVENT,	   /* u8, enum colo_node_event of the core */
	COLO_A_ACTIONS,	   /* u32, COLO_ACTION_* of the core */
	COLO_A_STATE,	   /* u8, enum colo_node_state of the core */
	COLO_A_MODE,	   /* u8, enum colo_node_mode of the core */
	COLO_A_FAILED_OVER, /* flag */
	COLO_A_ARMED,	   /* flag: a rule names the node */
	COLO_A_REASON,	   /* u8, enum colo_reason of the core */
	COLO_A_REASON_NAME, /* string */
	COLO_A_REASON_TEXT, /* string */
	COLO_A_CAUSE,	   /* u8, enum colo_genl_gone */
	COLO_A_FLOW,	   /* nest of COLO_F_* */
	COLO_A_POSITION,   /* u32, in the primary's numbering */
	COLO_A_PRIMARY_BYTES,	/* binary, at most 8: the first that differ */
	COLO_A_SECONDARY_BYTES, /* binary */
	COLO_A_STATS,	   /* nest of COLO_S_* */
	COLO_A_JOINING,	   /* flag, see NODE_ADD */
	__COLO_A_MAX,
};

#define COLO_A_MAX (__COLO_A_MAX - 1)

enum colo_genl_role {
	COLO_GENL_PRIMARY,
	COLO_GENL_SECONDARY,
};

enum colo_genl_gone {
	COLO_GONE_DELETED,
	COLO_GONE_OWNER,  /* the owner's socket was closed */
	COLO_GONE_DEVICE, /* the guest's device vanished */
	COLO_GONE_NETNS,
};

/* Configuration; see struct colo_config of the core for meanings and defaults. */
enum colo_genl_config {
	COLO_C_UNSPEC,
	COLO_C_PAD,
	COLO_C_COMPARE_TIMEOUT,	 /* u64 */
	COLO_C_INTERVAL_MIN,	 /* u64 */
	COLO_C_INTERVAL_MAX,	 /* u64 */
	COLO_C_IDLE_TIMEOUT,	 /* u64 */
	COLO_C_CLOSED_TIMEOUT,	 /* u64 */
	COLO_C_FLOW_HELD_MAX,	 /* u32, packets */
	COLO_C_NODE_HELD_MAX,	 /* u32, packets */
	COLO_C_FLOWS_MAX,	 /* u32, connections of the node */
	COLO_C_REORDER_WINDOW,	 /* u32, datagrams */
	COLO_C_LEASE,		 /* u64 */
	COLO_C_TAKEOVER,	 /* u64 */
	COLO_C_HEARTBEAT,	 /* u64 */
	COLO_C_ACK_CLAMP,	 /* flag: lower acks rather than hold */
	COLO_C_MALFORMED_HOLD,	 /* flag */
	COLO_C_PLAIN,		 /* flag: no shim on sec_dev, one node a link */
	__COLO_C_MAX,
};

#define COLO_C_MAX (__COLO_C_MAX - 1)

enum colo_genl_flow {
	COLO_F_UNSPEC,
	COLO_F_FAMILY,	   /* u8, 4 or 6 */
	COLO_F_PROTOCOL,   /* u8 */
	COLO_F_GUEST,	   /* binary, 4 or 16 bytes */
	COLO_F_PEER,	   /* binary */
	COLO_F_GUEST_PORT, /* u16, or the identifier of an ICMP echo */
	COLO_F_PEER_PORT,  /* u16 */
	COLO_F_VLAN,	   /* u16; not there without a tag */
	COLO_F_INNER_VLAN, /* u16 */
	COLO_F_HELD,	   /* u32, packets of the primary, or waiting for an offset */
	COLO_F_EXTRA,	   /* u32, packets of the secondary */
	COLO_F_MATCHED,	   /* u32, TCP: end of the common prefix */
	COLO_F_OFFSET,	   /* u32, sequence fix: primary's position less secondary's */
	COLO_F_CLOSED,	   /* flag: over, or half-open */
	COLO_F_DIVERGED,   /* flag: waits for a checkpoint */
	__COLO_F_MAX,
};

#define COLO_F_MAX (__COLO_F_MAX - 1)

/* All u64, but for MISMATCHES. */
enum colo_genl_stats {
	COLO_S_UNSPEC,
	COLO_S_PAD,
	COLO_S_FLOWS,
	COLO_S_HELD,		  /* now */
	COLO_S_EXTRA,		  /* of the secondary, now */
	COLO_S_RELEASED_PACKETS,
	COLO_S_RELEASED_BYTES,	  /* TCP payload, repeats included */
	COLO_S_HELD_PACKETS,	  /* of those released, that had to wait */
	COLO_S_CHECKPOINTS,
	COLO_S_COALESCED,
	COLO_S_FROM_GUEST,	  /* frames taken from our guest */
	COLO_S_FROM_SEC_DEV,	  /* frames taken from sec_dev */
	COLO_S_TO_SEC_DEV,
	COLO_S_TO_GUEST,	  /* on the secondary's host */
	COLO_S_STALE,		  /* of another epoch, dropped */
	COLO_S_SEC_DEV_BAD,	  /* no frame of ours, or for no node here */
	COLO_S_DROPPED_AT_LIMIT,  /* by the core, or no connection could be made for it */
	COLO_S_DROPPED_QUEUE,	  /* kcolo was too far behind */
	COLO_S_DROPPED_MEMORY,	  /* none for what had to be copied or written */
	COLO_S_DROPPED_DEVICE,	  /* held while its device vanished, or sec_dev refused it */
	COLO_S_MALFORMED_PRIMARY,
	COLO_S_MALFORMED_SECONDARY,
	COLO_S_MISMATCHES,	  /* nest: attribute type is the reason plus one, u64 each; not 0 */
	COLO_S_DROPPED_FRAGMENT,  /* the primary's, of a datagram that was never whole */
	__COLO_S_MAX,
};

#define COLO_S_MAX (__COLO_S_MAX - 1)

#endif /* _UAPI_COLO_H */
