// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node's connections of all types, by key. Only kcolo looks, adds and removes; a resize in the
 * background moves entries under the locks of their buckets. So what was removed is freed at once.
 */
#include <linux/jhash.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "colo_proxy.h"

/* Connections are over after seconds or days. */
#define COLLECT_INTERVAL_NS NSEC_PER_SEC

static const struct rhashtable_params params = {
	.key_offset = offsetof(struct colo_entry, conn.key),
	.key_len = sizeof(struct colo_key),
	.head_offset = offsetof(struct colo_entry, link),
	.automatic_shrinking = true,
};

static struct kmem_cache *cache;

int colo_conns_cache_init(void)
{
	/* A key is hashed as bytes. */
	BUILD_BUG_ON(sizeof(struct colo_key) !=
		     offsetofend(struct colo_key, protocol));
	cache = kmem_cache_create("colo_conn", sizeof(struct colo_entry), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

void colo_conns_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

int colo_conns_init(struct colo_proxy *proxy)
{
	proxy->collect_ns = 0;
	return rhashtable_init(&proxy->conns, &params);
}

static void forget(struct colo_proxy *proxy, struct colo_entry *entry)
{
	rhashtable_remove_fast(&proxy->conns, &entry->link, params);
	kmem_cache_free(cache, entry);
}

static void forget_list(struct colo_proxy *proxy, struct list_head *list)
{
	struct colo_conn *conn, *next;

	list_for_each_entry_safe(conn, next, list, age) {
		list_del_init(&conn->age);
		forget(proxy, container_of(conn, struct colo_entry, conn));
		cond_resched();
	}
}

/* The node's lists of ages have every connection. */
void colo_conns_forget(struct colo_proxy *proxy)
{
	proxy->node.unfinished = NULL;
	proxy->node.resuming = false;
	forget_list(proxy, &proxy->node.open);
	forget_list(proxy, &proxy->node.closed);
}

void colo_conns_free(struct colo_proxy *proxy)
{
	colo_conns_forget(proxy);
	rhashtable_destroy(&proxy->conns);
}

struct colo_entry *colo_conns_find(struct colo_proxy *proxy, const struct colo_key *key)
{
	struct colo_entry *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&proxy->conns, key, params);
	rcu_read_unlock();
	return entry;
}

static bool has_space(struct colo_proxy *proxy)
{
	struct colo_conn *idle;

	if (atomic_read(&proxy->conns.nelems) < proxy->conns_max)
		return true;
	idle = colo_node_evict(&proxy->node);
	if (idle)
		forget(proxy, container_of(idle, struct colo_entry, conn));
	return idle;
}

static void init_entry(struct colo_entry *entry, struct colo_node *node,
		       const struct colo_key *key, enum colo_conn_type type, u64 now_ns)
{
	switch (type) {
	case COLO_CONN_STREAM:
		colo_flow_init(&entry->flow, node, key, now_ns);
		break;
	case COLO_CONN_DATAGRAM:
		colo_datagrams_init(&entry->datagrams, node, key, now_ns);
		break;
	case COLO_CONN_SEQFIX:
		colo_seqfix_init(&entry->fix, node, key, now_ns);
		break;
	}
}

static struct colo_entry *make(struct colo_proxy *proxy, const struct colo_key *key,
			       enum colo_conn_type type, u64 now_ns)
{
	struct colo_entry *entry;

	if (!has_space(proxy))
		return NULL;
	entry = kmem_cache_alloc(cache, GFP_KERNEL);
	if (!entry)
		return NULL;
	/* It is inserted with its key, and known to the node only if that works. */
	entry->conn.key = *key;
	if (rhashtable_insert_fast(&proxy->conns, &entry->link, params)) {
		kmem_cache_free(cache, entry);
		return NULL;
	}
	init_entry(entry, &proxy->node, key, type, now_ns);
	return entry;
}

struct colo_entry *colo_conns_get(struct colo_proxy *proxy, const struct colo_key *key,
				  enum colo_conn_type type, u64 now_ns)
{
	struct colo_entry *entry = colo_conns_find(proxy, key);

	return entry ? entry : make(proxy, key, type, now_ns);
}

void colo_conns_collect(struct colo_proxy *proxy, u64 now_ns)
{
	struct colo_conn *conn;

	if (now_ns < proxy->collect_ns)
		return;
	proxy->collect_ns = now_ns + COLLECT_INTERVAL_NS;
	while ((conn = colo_node_collect(&proxy->node, now_ns))) {
		forget(proxy, container_of(conn, struct colo_entry, conn));
		cond_resched();
	}
}
