// SPDX-License-Identifier: GPL-2.0-only
/* Requests that read: nodes, and their connections as of one moment. */
#include <linux/mm.h>
#include <linux/sched.h>
#include <net/sock.h>

#include "colo_compat.h"
#include "colo_netlink.h"

/* Nodes are written by their kcolo, which alone may look at them. */
struct page_of_node {
	struct sk_buff *message;
	u32 portid;
	u32 seq;
	int flags;
};

static int write_node(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	const struct page_of_node *page = arg;
	struct sk_buff *message = page->message;
	void *header = genlmsg_put(message, page->portid, page->seq, &colo_family, page->flags,
				   COLO_CMD_NODE_GET);

	if (!header)
		return -EMSGSIZE;
	if (colo_fill_node(message, proxy) || colo_fill_config(message, proxy) ||
	    colo_fill_stats(message, proxy)) {
		genlmsg_cancel(message, header);
		return -EMSGSIZE;
	}
	genlmsg_end(message, header);
	return 0;
}

int colo_request_get(struct sk_buff *request, struct genl_info *info)
{
	struct colo_net *colo_net = colo_net_of(genl_info_net(info));
	struct page_of_node page = { .portid = info->snd_portid, .seq = info->snd_seq };
	struct colo_proxy *proxy;
	u32 index;
	int err;

	if (!colo_attr_index(info->attrs, info->extack, &index))
		return -EINVAL;
	page.message = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!page.message)
		return -ENOMEM;
	mutex_lock(&colo_net->mutex);
	proxy = colo_proxy_find(colo_net, index);
	err = proxy ? colo_proxy_run(proxy, write_node, &page) :
		      colo_refuse(info->extack, -ENOENT, "there is no such node");
	mutex_unlock(&colo_net->mutex);
	if (!err)
		return genlmsg_reply(page.message, info);
	nlmsg_free(page.message);
	return err;
}

/* cb->args[0] is the index to go on with. */
int colo_dump_nodes(struct sk_buff *message, struct netlink_callback *cb)
{
	struct colo_net *colo_net = colo_net_of(sock_net(cb->skb->sk));
	struct page_of_node page = {
		.message = message,
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
	};
	struct colo_proxy *proxy;
	unsigned long index;
	int err = 0;

	mutex_lock(&colo_net->mutex);
	xa_for_each_start(&colo_net->proxies, index, proxy, cb->args[0]) {
		if (!colo_proxy_has_node(proxy))
			continue;
		err = colo_proxy_run(proxy, write_node, &page);
		if (err)
			break;
		cb->args[0] = index + 1;
	}
	mutex_unlock(&colo_net->mutex);
	return message->len ? message->len : err;
}

/* What is told of a connection. */
struct flow_view {
	struct colo_key key;
	bool closed;
	bool diverged;
	bool has_matched;
	bool has_offset;
	u32 held;
	u32 extra;
	u32 position; /* matched, or the offset */
};

struct flow_dump {
	u32 index;
	u32 max;
	u32 count;
	u32 next;
	struct flow_view views[];
};

static void view(struct flow_view *view, const struct colo_entry *entry)
{
	const struct colo_conn *conn = &entry->conn;

	view->key = conn->key;
	view->closed = conn->closed;
	view->held = conn->held;
	view->extra = conn->extra;
	if (conn->type == COLO_CONN_STREAM) {
		const struct colo_stream *stream = &entry->flow.stream;

		view->diverged = stream->flags & COLO_STREAM_DIVERGED;
		view->has_matched = stream->flags & COLO_STREAM_ANCHORED;
		view->position = stream->matched;
	} else if (conn->type == COLO_CONN_SEQFIX) {
		view->has_offset = entry->fix.flags & COLO_SEQFIX_OFFSET;
		view->position = entry->fix.offset;
	}
}

static void view_list(struct flow_dump *dump, const struct list_head *list)
{
	struct colo_conn *conn;

	list_for_each_entry(conn, list, age) {
		if (dump->count == dump->max)
			break;
		view(&dump->views[dump->count++], container_of(conn, struct colo_entry, conn));
		cond_resched();
	}
}

static int view_all(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	view_list(arg, &proxy->node.open);
	view_list(arg, &proxy->node.closed);
	return 0;
}

static struct flow_dump *make_dump(struct colo_proxy *proxy)
{
	u32 now = atomic_read(&proxy->conns.nelems);
	u32 max = now + now / 8 + 64; /* some may come before kcolo looks */
	struct flow_dump *dump;

	dump = kvzalloc(struct_size(dump, views, max), GFP_KERNEL_ACCOUNT);
	if (!dump)
		return NULL;
	dump->index = proxy->index;
	dump->max = max;
	colo_proxy_run(proxy, view_all, dump);
	return dump;
}

/*
 * A copy of all of them, as the table may go while the dump is read, or not be read at all. Not
 * from .start(), where some kernels have no way to say why it is refused.
 */
static int begin_dump(struct netlink_callback *cb)
{
	struct colo_net *colo_net = colo_net_of(sock_net(cb->skb->sk));
	struct flow_dump *dump = NULL;
	struct colo_proxy *proxy;
	u32 index;
	int err;

	if (!colo_attr_index(colo_dump_attrs(cb), cb->extack, &index))
		return -EINVAL;
	mutex_lock(&colo_net->mutex);
	proxy = colo_proxy_find(colo_net, index);
	if (proxy)
		dump = make_dump(proxy);
	mutex_unlock(&colo_net->mutex);
	err = proxy ? -ENOMEM : colo_refuse(cb->extack, -ENOENT, "there is no such node");
	if (!dump)
		return err;
	cb->args[0] = (long)dump;
	return 0;
}

static int write_flow(struct sk_buff *message, const struct flow_view *view)
{
	struct nlattr *nest = nla_nest_start(message, COLO_A_FLOW);
	u16 position = view->has_matched ? COLO_F_MATCHED : COLO_F_OFFSET;

	if (!nest || colo_fill_key(message, &view->key) ||
	    nla_put_u32(message, COLO_F_HELD, view->held) ||
	    nla_put_u32(message, COLO_F_EXTRA, view->extra))
		return -EMSGSIZE;
	if ((view->has_matched || view->has_offset) &&
	    nla_put_u32(message, position, view->position))
		return -EMSGSIZE;
	if ((view->closed && nla_put_flag(message, COLO_F_CLOSED)) ||
	    (view->diverged && nla_put_flag(message, COLO_F_DIVERGED)))
		return -EMSGSIZE;
	nla_nest_end(message, nest);
	return 0;
}

int colo_dump_flows(struct sk_buff *message, struct netlink_callback *cb)
{
	int err = cb->args[0] ? 0 : begin_dump(cb);
	struct flow_dump *dump = (struct flow_dump *)cb->args[0];

	if (err)
		return err;
	for (; dump->next < dump->count; dump->next++) {
		void *header = genlmsg_put(message, NETLINK_CB(cb->skb).portid,
					   cb->nlh->nlmsg_seq, &colo_family, NLM_F_MULTI,
					   COLO_CMD_FLOW_GET);

		if (!header)
			break;
		if (nla_put_u32(message, COLO_A_INDEX, dump->index) ||
		    write_flow(message, &dump->views[dump->next])) {
			genlmsg_cancel(message, header);
			break;
		}
		genlmsg_end(message, header);
	}
	return message->len;
}

int colo_dump_flows_done(struct netlink_callback *cb)
{
	kvfree((void *)cb->args[0]);
	return 0;
}
