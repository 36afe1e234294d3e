/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two ways in which a flow keeps packets, both intrusive: a queue for what
 * is in order, a heap by position for what waits behind a gap.
 */
#ifndef COLO_QUEUE_H
#define COLO_QUEUE_H

#include "colo_packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* First in, first out. Circular, so that one pointer reaches both ends. */
struct colo_queue {
	struct colo_packet *tail;
};

static inline struct colo_packet *colo_queue_head(const struct colo_queue *queue)
{
	return queue->tail ? queue->tail->next : NULL;
}

static inline void colo_queue_push(struct colo_queue *queue, struct colo_packet *packet)
{
	if (queue->tail) {
		packet->next = queue->tail->next;
		queue->tail->next = packet;
	} else {
		packet->next = packet;
	}
	queue->tail = packet;
}

static inline struct colo_packet *colo_queue_pop(struct colo_queue *queue)
{
	struct colo_packet *head = colo_queue_head(queue);

	if (!head)
		return NULL;
	if (head == queue->tail)
		queue->tail = NULL;
	else
		queue->tail->next = head->next;
	head->next = NULL;
	return head;
}

/** colo_queue_after() - The one behind @packet, NULL at the end. */
static inline struct colo_packet *colo_queue_after(const struct colo_queue *queue,
						   const struct colo_packet *packet)
{
	return packet == queue->tail ? NULL : packet->next;
}

/*
 * Pairing heap, lowest position first; equal positions leave in no given order.
 * Insertion is constant, taking the first logarithmic (amortised), and a block
 * that arrives in reverse or in order costs a constant a packet.
 */
struct colo_heap {
	struct colo_packet *root;
};

void colo_heap_insert(struct colo_heap *heap, struct colo_packet *packet);
struct colo_packet *colo_heap_pop(struct colo_heap *heap);

#ifdef __cplusplus
}
#endif

#endif /* COLO_QUEUE_H */
