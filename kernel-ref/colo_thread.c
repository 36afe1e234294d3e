// SPDX-License-Identifier: GPL-2.0-only
/* kcolo/N: judges what softirq queued, does what it is told, and sees to deadlines. */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "colo_proxy.h"

/* Frames between two looks at the deadlines: a heartbeat must not wait for a full queue. */
#define BURST_MAX 64
#define SLEEP_MAX_NS (3600 * (u64)NSEC_PER_SEC)

struct command {
	struct llist_node posted; /* in proxy->commands */
	struct completion done;
	colo_run_fn run;
	void *arg;
	int result;
};

bool colo_proxy_queue(struct colo_proxy *proxy, struct colo_frame *frame)
{
	if (!READ_ONCE(proxy->armed))
		return false;
	if (atomic_inc_return(&proxy->queued) > COLO_QUEUE_MAX) {
		atomic_dec(&proxy->queued);
		return false;
	}
	if (llist_add(&frame->arrived, &proxy->arrived))
		wake_up(&proxy->wait);
	return true;
}
EXPORT_SYMBOL_NS_GPL(colo_proxy_queue, COLO_SYMBOLS);

int colo_proxy_run(struct colo_proxy *proxy, colo_run_fn run, void *arg)
{
	struct command command = {
		.done = COMPLETION_INITIALIZER_ONSTACK(command.done),
		.run = run,
		.arg = arg,
	};

	if (!proxy->thread)
		return -ESHUTDOWN;
	if (llist_add(&command.posted, &proxy->commands))
		wake_up(&proxy->wait);
	wait_for_completion(&command.done);
	return command.result;
}
EXPORT_SYMBOL_NS_GPL(colo_proxy_run, COLO_SYMBOLS);

static void poll(struct colo_proxy *proxy)
{
	struct colo_node *node = &proxy->node;
	struct colo_out out;
	u64 now_ns = ktime_get_ns();

	while (colo_node_deadline(node) <= now_ns) {
		colo_out_init(&out);
		colo_node_poll(node, now_ns, &out);
		colo_deliver(proxy, &out);
		cond_resched();
	}
}

static void judge_arrived(struct colo_proxy *proxy)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&proxy->arrived));
	struct colo_frame *frame, *next;
	u32 count = 0;

	llist_for_each_entry_safe(frame, next, list, arrived) {
		atomic_dec(&proxy->queued);
		colo_judge(proxy, frame);
		if (++count % BURST_MAX == 0)
			poll(proxy);
		cond_resched();
	}
}

static void run_commands(struct colo_proxy *proxy, struct llist_node *list)
{
	struct command *command, *next;
	struct colo_out out;

	llist_for_each_entry_safe(command, next, llist_reverse_order(list), posted) {
		u64 checkpoints = proxy->node.stats.checkpoints;

		colo_out_init(&out);
		command->result = command->run(proxy, command->arg, ktime_get_ns(), &out);
		colo_deliver(proxy, &out);
		if (proxy->node.stats.checkpoints != checkpoints)
			colo_note_committed(proxy);
		complete(&command->done);
	}
}

/* Late by a jiffy is early enough for all deadlines, and never before one. */
static long sleep_jiffies(struct colo_proxy *proxy)
{
	u64 now_ns = ktime_get_ns();
	u64 until_ns = colo_node_deadline(&proxy->node);

	if (atomic_read(&proxy->conns.nelems))
		until_ns = min(until_ns, proxy->collect_ns);
	if (until_ns <= now_ns)
		return 0;
	return nsecs_to_jiffies(min(until_ns - now_ns, SLEEP_MAX_NS)) + 1;
}

static bool has_work(const struct colo_proxy *proxy)
{
	return !llist_empty(&proxy->arrived) || !llist_empty(&proxy->commands) ||
	       kthread_should_stop();
}

static void work(struct colo_proxy *proxy)
{
	/* Taken before the frames: so what was queued before a command comes before it. */
	struct llist_node *commands = llist_del_all(&proxy->commands);

	judge_arrived(proxy);
	run_commands(proxy, commands);
	poll(proxy);
	colo_conns_collect(proxy, ktime_get_ns());
}

static int kcolo(void *arg)
{
	struct colo_proxy *proxy = arg;

	while (!kthread_should_stop()) {
		work(proxy);
		wait_event_idle_timeout(proxy->wait, has_work(proxy), sleep_jiffies(proxy));
	}
	return 0;
}

int colo_thread_start(struct colo_proxy *proxy)
{
	struct task_struct *thread = kthread_run(kcolo, proxy, "kcolo/%u", proxy->index);

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	proxy->thread = thread;
	return 0;
}

void colo_thread_stop(struct colo_proxy *proxy)
{
	kthread_stop(proxy->thread);
	proxy->thread = NULL;
}
