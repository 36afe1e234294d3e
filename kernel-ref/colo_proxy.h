/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core in the kernel: one node of either role, its connections, its frames and its thread.
 *
 *   softirq                         kcolo/N                          netlink, rules, notifiers
 *   target, hooks of devices        owns node, connections, frames   post a command, wait
 *        +-- colo_proxy_queue() --> judge --> ops->release() ... <-- colo_proxy_run()
 *
 * Only kcolo calls the core for a node, so the core needs no lock. Softirq appends frames to a
 * lock-free list of bounded length and never waits. A command runs after what was queued before
 * it (rule ckpt-epoch: a commit drains first).
 *
 * A proxy is the place of one index in a namespace. A node lives in it from NODE_ADD on; rules
 * name it. When the node goes and rules stay, so does the place, and they let packets pass until
 * a node of that index is added again. The last of node and rules frees it.
 *
 * Lock order, outermost first; nothing is taken in the other direction:
 *
 *   rtnl; nfnl commit_mutex; netlink's chain of notifiers; genl mutex (our callers', any of them)
 *     >  colo_net.mutex   all proxies of a namespace: nodes, rules, devices' hooks, commands
 *       >  completion of a command: kcolo takes none of the above
 *
 * kcolo never takes rtnl nor any mutex. Promiscuity, which needs rtnl, is set from a work item
 * that holds no lock of ours.
 */
#ifndef COLO_PROXY_H
#define COLO_PROXY_H

#include <linux/completion.h>
#include <linux/llist.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_netdev.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>
#include <linux/xarray.h>

#include "colo_compat.h"
#include "core/colo_datagram.h"
#include "core/colo_failover.h"
#include "core/colo_flow.h"
#include "core/colo_seqfix.h"
#include "core/colo_shim.h"
#include "uapi/colo.h"

/* Frames that wait for kcolo; beyond it softirq drops and counts. */
#define COLO_QUEUE_MAX 65536

/*
 * A frame in kcolo's or the core's care. Of those that a target took, hook says where they go on;
 * others came over sec_dev, or were copied for the core to look at.
 */
struct colo_frame {
	struct llist_node arrived; /* in proxy->arrived */
	struct sk_buff *skb;	   /* data at the network header; the MAC header is before it */
	struct nf_hook_state hook; /* okfn is NULL if no hook took it */
	/* Referenced: hook.in, skb->dev, bridge port. Only what a target took has any. */
	struct net_device *pinned[3];
	struct colo_packet packet; /* head is the MAC header */
	u32 mac_len;		   /* from the MAC header to skb->data */
	u32 epoch;		   /* of the shim */
	u8 side;		   /* enum colo_side */
	bool shimmed;		   /* epoch holds */
	bool observed;		   /* the core looks at it and it is freed; else it is judged */
	/* Where colo_frame_chunk() was last in the list of fragments. */
	struct sk_buff *at;
	u32 at_offset;
};

static inline struct colo_frame *colo_frame_of(const struct colo_packet *packet)
{
	return container_of(packet, struct colo_frame, packet);
}

/* One connection of a node, of any type. kcolo alone looks for it, so it is freed at once. */
struct colo_entry {
	struct rhash_head link;
	union {
		struct colo_conn conn; /* first in each */
		struct colo_flow flow;
		struct colo_datagrams datagrams;
		struct colo_seqfix fix;
	};
};

struct colo_proxy;

/*
 * What kind of host it is: xt_PMYCOLO or xt_SECCOLO. All but the hooks run in kcolo's context,
 * where sleeping is allowed and no lock is held.
 */
struct colo_proxy_ops {
	struct module *owner;
	enum colo_role role;

	/* A rule has armed the node, or the last one is gone: register hooks of devices, or
	 * unregister them. Called with colo_net.mutex held; after stop() no hook runs any more.
	 */
	int (*start)(struct colo_proxy *proxy, struct net_device *guest,
		     struct net_device *sec);
	void (*stop)(struct colo_proxy *proxy);

	/* Softirq: a frame came over sec_dev for this node, while armed. Data is behind the
	 * ethertype of the frame that was inside. @shim is NULL in plain mode. Takes @skb.
	 */
	void (*receive)(struct colo_proxy *proxy, struct sk_buff *skb,
			const struct colo_shim *shim);

	/* A frame was parsed and is about to be judged (the primary tells SYNs, rule fix-hint). */
	void (*arrived)(struct colo_proxy *proxy, struct colo_frame *frame);
	/* It may leave; edits are applied. Takes the frame. */
	void (*release)(struct colo_proxy *proxy, struct colo_frame *frame);
	/* A copy made on behalf of @frame leaves: a kept ack again, or segments. Takes @skb. */
	void (*emit)(struct colo_proxy *proxy, const struct colo_frame *frame,
		     struct sk_buff *skb);
	/* For the secondary guest (rule tcp-remirror): data at the MAC header. Takes @skb. */
	void (*remirror)(struct colo_proxy *proxy, struct sk_buff *skb);
	/* What the core wants done, before the hypervisor is told: COLO_ACTION_*. Sets
	 * proxy->paused, until COLO_ACTION_RESUME, also when a node is reset.
	 */
	void (*act)(struct colo_proxy *proxy, u32 actions);
};

struct colo_proxy_counters { /* written from softirq, too */
	atomic64_t from_guest;
	atomic64_t from_sec_dev;
	atomic64_t to_sec_dev;
	atomic64_t to_guest;
	atomic64_t stale;
	atomic64_t sec_dev_bad;
	atomic64_t dropped_queue;
	atomic64_t dropped_memory;
	atomic64_t dropped_device;
	atomic64_t dropped_fragment;
};

struct colo_link; /* a sec_dev, which several nodes of a namespace may share */

/* One device that a node uses, while a rule arms it. */
struct colo_port {
	struct net_device *dev; /* referenced; NULL from when hooks are unregistered on. RCU. */
	int ifindex;		/* 0 without dev */
	netdevice_tracker tracker;
	struct nf_hook_ops ingress; /* hook is NULL if it is not registered */
	struct nf_hook_ops egress;
	struct colo_link *link; /* sec_dev's */
};

struct colo_proxy {
	/* kcolo's alone. */
	struct colo_node node;
	struct rhashtable conns;
	u32 conns_max;
	u64 collect_ns;
	struct colo_mismatch cause; /* first of the pending checkpoint; its conn may be gone */
	struct colo_key cause_key;

	/* From softirq to kcolo. */
	struct llist_head arrived;
	atomic_t queued; /* frames in it */
	wait_queue_head_t wait;
	struct llist_head commands;
	struct task_struct *thread; /* NULL while there is no node */

	/* Read by softirq without a lock, written by kcolo. */
	u32 epoch;
	bool armed;	  /* frames are taken: there is a node, a rule, and ops->start() is done */
	bool paused;	  /* a checkpoint is being taken: see ops->act() */
	bool speaks;	  /* a secondary that has failed over: its frames go the bridge's way */

	struct colo_proxy_counters counters;

	/* Under colo_net.mutex. */
	const struct colo_proxy_ops *ops; /* the rules'; kcolo reads it while armed */
	u32 rules;
	char guest_name[IFNAMSIZ];
	char sec_name[IFNAMSIZ];
	u32 owner; /* port id of the netlink socket; 0 if nobody owns it */

	/* Set by ops->start(): see colo_ports_open(). */
	struct colo_port guest;
	struct colo_port sec;
	struct sk_buff_head inbound; /* held back while paused */

	struct net *net;
	u16 index;
	bool plain;
	struct rcu_head rcu;
};

/* What a network namespace has of us. */
struct colo_net {
	struct mutex mutex;    /* see above; over all that is not kcolo's or softirq's */
	struct xarray proxies; /* by index */
};

/* --- colo_proxy.c: life --- */

extern unsigned int colo_net_id;

struct colo_net *colo_net_of(struct net *net);

/** colo_proxy_find() - Of an index with a node, or NULL. colo_net.mutex is held, as below. */
struct colo_proxy *colo_proxy_find(struct colo_net *colo_net, u32 index);
/** colo_proxy_has_node() - Or do only rules name the index? */
static inline bool colo_proxy_has_node(const struct colo_proxy *proxy)
{
	return proxy->thread;
}

/* What a node is to be, as NODE_ADD says. */
struct colo_node_spec {
	u16 index;
	enum colo_role role;
	struct colo_config config;
	u32 conns_max;
	const char *guest_name;
	u32 owner;
	bool joining;
};

/**
 * colo_proxy_add() - Begin a node. Rules that name its index already arm it.
 * @why: receives a sentence if it fails.
 */
int colo_proxy_add(struct net *net, const struct colo_node_spec *spec, const char **why);
/** colo_proxy_remove() - End a node: all it holds has left or is freed. It has one. */
void colo_proxy_remove(struct colo_proxy *proxy, enum colo_genl_gone cause);
/** colo_proxy_device_gone() - Let go of a device that is being unregistered, under rtnl. */
void colo_proxy_device_gone(struct colo_net *colo_net, struct net_device *dev);

/**
 * colo_proxy_attach() - A rule names a node.
 * @sec_name: of the rule; all rules of a node must name the same.
 *
 * The first rule resolves the devices, starts @ops and arms the node. A node that has gone while
 * rules stayed is as good: a table's replacement is checked before the old one goes. Process
 * context; may be called under nfnl's commit_mutex, so never takes rtnl.
 *
 * Return: the proxy, for colo_proxy_detach(); or ERR_PTR: -ENXIO for no such node,
 * -EPROTOTYPE for one of the other role, -ENODEV for a missing device, -EBUSY for another sec_dev
 * than that of an earlier rule, -EMSGSIZE for an MTU of sec_dev that has no room for the shim.
 * Each is told in the kernel's log as well, as xtables has no way to tell more than a number.
 */
struct colo_proxy *colo_proxy_attach(struct net *net, u32 index, const char *sec_name,
				     const struct colo_proxy_ops *ops);
void colo_proxy_detach(struct colo_proxy *proxy);

/* --- colo_thread.c: kcolo --- */

int colo_thread_start(struct colo_proxy *proxy);
/** colo_thread_stop() - When nothing is queued and nothing held any more. */
void colo_thread_stop(struct colo_proxy *proxy);

/**
 * colo_proxy_queue() - Softirq: hand a frame to kcolo.
 *
 * Return: false, and the frame is still the caller's, if there are too many or none is taken.
 */
bool colo_proxy_queue(struct colo_proxy *proxy, struct colo_frame *frame);

typedef int (*colo_run_fn)(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out);

/**
 * colo_proxy_run() - Let kcolo do something, after all that was queued before, and wait for it.
 * @run: called in kcolo's context; what it decided is delivered before colo_proxy_run() returns.
 *
 * With colo_net.mutex held, which keeps the thread alive.
 *
 * Return: what @run returns; -ESHUTDOWN if there is no node.
 */
int colo_proxy_run(struct colo_proxy *proxy, colo_run_fn run, void *arg);

/* --- colo_judge.c: frames into the core, and what it decides out of it. kcolo --- */

void colo_judge(struct colo_proxy *proxy, struct colo_frame *frame);
/** colo_deliver() - Act on what the core decided, and go on with what it left unfinished. */
void colo_deliver(struct colo_proxy *proxy, struct colo_out *out);
/** colo_publish() - Tell softirq what it has to know of the node's state. */
void colo_publish(struct colo_proxy *proxy);
/** colo_let_go() - All that is held leaves if it may, else is dropped; forget all flows. */
int colo_let_go(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out);
/** colo_reset() - Likewise, and begin again at epoch 0. */
int colo_reset(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out);
/** colo_unpin() - Frames that go on through the device @arg are only to be freed. */
int colo_unpin(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out);

/* --- colo_conns.c: the connection table, kcolo's alone --- */

int colo_conns_cache_init(void);
void colo_conns_cache_exit(void);
int colo_conns_init(struct colo_proxy *proxy);
void colo_conns_free(struct colo_proxy *proxy);	 /* nothing is held any more */
void colo_conns_forget(struct colo_proxy *proxy); /* all of them; likewise */
/** colo_conns_find() - NULL if unknown. */
struct colo_entry *colo_conns_find(struct colo_proxy *proxy, const struct colo_key *key);
/** colo_conns_get() - Make it if unknown; NULL without memory, or without space and none idle. */
struct colo_entry *colo_conns_get(struct colo_proxy *proxy, const struct colo_key *key,
				  enum colo_conn_type type, u64 now_ns);
/** colo_conns_collect() - Forget those whose time is over. */
void colo_conns_collect(struct colo_proxy *proxy, u64 now_ns);

/* --- colo_frame.c: sk_buffs as the core sees them --- */

/**
 * colo_frame_take() - Of an skb that a target was called with: it goes on by state->okfn.
 * colo_frame_wrap() - Of any other skb whose MAC header is set and whose data is at the network
 *		       header. It comes from nowhere then: no device, route, or connection.
 *
 * Return: NULL if there is no memory; the skb is still the caller's then. Atomic.
 */
struct colo_frame *colo_frame_take(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum colo_side side);
struct colo_frame *colo_frame_wrap(struct sk_buff *skb, enum colo_side side);
/** colo_frame_free() - With its skb, unless that is NULL, and its references. */
void colo_frame_free(struct colo_frame *frame);
/** colo_frame_unwrap() - Free all but the skb, of which data is at the MAC header then. */
struct sk_buff *colo_frame_unwrap(struct colo_frame *frame);

/**
 * colo_frame_parse() - Pull the headers into the head and parse. kcolo.
 * @key: filled in, VLAN tags that are out of band included.
 *
 * COLO_KIND_FRAGMENT is left only where fragments need not, or cannot, be put together: on the
 * secondary's host all but TCP's, on the primary's what the kernel refused.
 *
 * Return: false if there is no memory for it.
 */
bool colo_frame_parse(struct colo_frame *frame, struct colo_key *key);
/** colo_frame_chunk() - The core's way to read payload: linear part, fragments, fragment lists. */
const u8 *colo_frame_chunk(const struct colo_packet *packet, u32 offset, u32 *len);
/**
 * colo_frame_edit() - Make the skb one that may leave: the core's edits written, and what has left
 *		       before (packet.left) cut off. False, and nothing changed, without memory.
 */
bool colo_frame_edit(struct colo_frame *frame);
/** colo_frame_copy() - A copy with edits written, that can leave on its own; NULL if no memory. */
struct sk_buff *colo_frame_copy(const struct colo_frame *frame);
/**
 * colo_frame_segment() - Some segments of a GSO frame, as one frame, GSO again if need be.
 * @from: payload bytes before them, a multiple of gso_size.
 * @len: theirs.
 *
 * With edits written, flags as segmentation would set them, a partial checksum. Sleeps.
 *
 * Return: it can leave on its own; NULL if there is no memory.
 */
struct sk_buff *colo_frame_segment(const struct colo_frame *frame, u32 from, u32 len);

/** colo_frame_go_on() - To where the hook would have gone. Takes @skb; the frame stays. */
void colo_frame_go_on(const struct colo_frame *frame, struct sk_buff *skb);
/** colo_frame_pins() - Does it go on through a device that vanishes? */
bool colo_frame_pins(const struct colo_frame *frame, const struct net_device *dev);
/** colo_frame_unpin() - Give all device references back; it can only be freed from now on. */
void colo_frame_unpin(struct colo_frame *frame);

/* --- colo_fragment.c: IP as softirq needs to know it --- */

enum colo_traffic {
	COLO_TRAFFIC_OTHER,
	COLO_TRAFFIC_TCP,   /* or a fragment that may be one of TCP */
	COLO_TRAFFIC_ERROR, /* of ICMP */
};

/**
 * colo_traffic() - What is it to the sequence fix? Changes nothing; @skb may be shared.
 * @at: where it goes on behind the ethertype: 0, or ETH_HLEN if data is at the MAC header.
 */
enum colo_traffic colo_traffic(const struct sk_buff *skb, u32 at);

/**
 * colo_gather() - Let the kernel put fragments of IP together.
 * @skb: data behind the ethertype, skb->dev is set; taken.
 * @epoch: fragments of one epoch never meet those of another.
 * @tcp: only fragments that may be of TCP; else all.
 *
 * Softirq or BH disabled, RCU. Return: the whole datagram, or @skb if it is no fragment; NULL if
 * more is to come.
 */
struct sk_buff *colo_gather(const struct colo_proxy *proxy, struct sk_buff *skb,
			    enum colo_side side, u32 epoch, bool tcp);

/**
 * colo_cut() - Fragment a datagram that is too large for a link.
 * @skb: data at the MAC header, checksum complete; taken.
 * @mtu: bytes of each behind addresses and ethertype.
 * @send: gets each, data at the MAC header. RCU, BH disabled.
 *
 * Return: an error if not all was sent.
 */
int colo_cut(struct sk_buff *skb, struct net_device *dev, u32 mtu,
	     void (*send)(struct sk_buff *skb, void *arg), void *arg);

/** colo_needs_split() - Is it GSO of a sort that the core would take for one datagram? */
bool colo_needs_split(const struct sk_buff *skb);
/**
 * colo_segments() - The list of what GSO stands for; NULL without memory, or if it is none.
 * colo_split() - The same of what a target was called with, to be told apart by colo_frame_take().
 *
 * Both take @skb. The data is at the MAC header, or at the network header, as it was.
 */
struct sk_buff *colo_segments(struct sk_buff *skb, netdev_features_t features);
struct sk_buff *colo_split(struct sk_buff *skb);

/* --- colo_port.c: hooks of sec_dev and of the guest's port, from softirq to kcolo --- */

int colo_port_init(void);
void colo_port_exit(void);

/**
 * colo_ports_open() - Use the devices of a node: what ops->start() does.
 * @ingress: on the guest's port; NULL for none. Its priv is the proxy.
 * @egress: likewise.
 *
 * What comes over sec_dev goes to ops->receive(), or on the secondary's host in plain mode to the
 * bridge. On sec_dev there is one hook for all nodes.
 *
 * Return: -EBUSY if a plain node would share sec_dev, -EINVAL if a device is no Ethernet.
 */
int colo_ports_open(struct colo_proxy *proxy, struct net_device *guest, struct net_device *sec,
		    nf_hookfn *ingress, nf_hookfn *egress);
/** colo_ports_close() - No hook runs any more when it returns. Sleeps. Harmless if not open. */
void colo_ports_close(struct colo_proxy *proxy);

/**
 * colo_ports_forget() - Give a device back that is being unregistered: no hook of it runs any more,
 *			 sec.dev or guest.dev is NULL, and nothing in inbound knows it. Under rtnl.
 *
 * Without sec_dev a node goes on: what it holds times out, and the hypervisor is told.
 */
void colo_ports_forget(struct colo_proxy *proxy, const struct net_device *dev);

/** colo_port_is_from() - Did the guest send what a target was called with? */
bool colo_port_is_from(const struct colo_proxy *proxy, const struct sk_buff *skb,
		       const struct nf_hook_state *state);
/**
 * colo_port_take() - Softirq: hand what a target was called with to kcolo.
 *
 * Return: the target's verdict: NF_STOLEN, or NF_DROP with the counter for it.
 */
unsigned int colo_port_take(struct colo_proxy *proxy, struct sk_buff *skb,
			    const struct nf_hook_state *state, enum colo_side side);
/** colo_port_arrive() - Softirq: hand any other skb (see colo_frame_wrap()) to kcolo. Taken. */
void colo_port_arrive(struct colo_proxy *proxy, struct sk_buff *skb, enum colo_side side,
		      bool observed, const struct colo_shim *shim);
/**
 * colo_port_leaving() - Of what was about to leave for the guest, TCP or an error: likewise.
 *
 * Data is at the MAC header, skb->dev the guest's. BH disabled, RCU. Taken.
 */
void colo_port_leaving(struct colo_proxy *proxy, struct sk_buff *skb, bool observed);

/* --- colo_send.c --- */

/**
 * colo_sec_send() - Put a frame behind the shim onto sec_dev.
 * @skb: data at the MAC header; taken. GSO is cut, large datagrams are fragmented, checksums
 *	 completed. In plain mode it goes as it is, but for hints, which do not go.
 */
void colo_sec_send(struct colo_proxy *proxy, enum colo_shim_kind kind, struct sk_buff *skb);
/** colo_guest_send() - Out of the guest's port. @skb: data at the MAC header; taken. */
void colo_guest_send(struct colo_proxy *proxy, struct sk_buff *skb);
/** colo_guest_receive() - As if the guest had sent it into its port. Likewise. */
void colo_guest_receive(struct colo_proxy *proxy, struct sk_buff *skb);

/* --- colo_target.c: rules --- */

struct xt_tgchk_param;
struct xt_tgdtor_param;

/** colo_target_check() - checkentry; @parameter: the module's sec_dev, NUL-terminated. */
int colo_target_check(const struct xt_tgchk_param *par, const char *parameter,
		      const struct colo_proxy_ops *ops);
void colo_target_destroy(const struct xt_tgdtor_param *par);

/* --- colo_netlink.c, colo_note.c --- */

int colo_netlink_init(void);
void colo_netlink_exit(void);
/* Events, from any process context. */

/** colo_note_requested() - A checkpoint begins, for what proxy->cause says or the node. kcolo. */
void colo_note_requested(struct colo_proxy *proxy, u32 epoch);
void colo_note_actions(const struct colo_proxy *proxy, const struct colo_out *out);
void colo_note_committed(const struct colo_proxy *proxy);
void colo_note_gone(const struct colo_proxy *proxy, enum colo_genl_gone cause);

#endif /* COLO_PROXY_H */
