// SPDX-License-Identifier: GPL-2.0-only
#include "colo_queue.h"

/* The one with the higher position becomes the first child of the other. */
static struct colo_packet *meld(struct colo_packet *a, struct colo_packet *b)
{
	struct colo_packet *low = a, *high = b;

	if (colo_before(b->seq, a->seq)) {
		low = b;
		high = a;
	}
	high->next = low->child;
	low->child = high;
	return low;
}

void colo_heap_insert(struct colo_heap *heap, struct colo_packet *packet)
{
	packet->next = NULL;
	packet->child = NULL;
	heap->root = heap->root ? meld(heap->root, packet) : packet;
}

/*
 * Melds siblings in pairs from the left, then the pairs from the right, which is
 * what gives the logarithm. Two loops, as a kernel stack bears no recursion.
 */
static struct colo_packet *meld_siblings(struct colo_packet *first)
{
	struct colo_packet *pairs = NULL, *root = NULL;

	while (first) {
		struct colo_packet *second = first->next;
		struct colo_packet *rest = second ? second->next : NULL;
		struct colo_packet *pair = first;

		first->next = NULL;
		if (second) {
			second->next = NULL;
			pair = meld(first, second);
		}
		pair->next = pairs;
		pairs = pair;
		first = rest;
	}
	while (pairs) {
		struct colo_packet *rest = pairs->next;

		pairs->next = NULL;
		root = root ? meld(root, pairs) : pairs;
		pairs = rest;
	}
	return root;
}

struct colo_packet *colo_heap_pop(struct colo_heap *heap)
{
	struct colo_packet *first = heap->root;

	if (first) {
		heap->root = meld_siblings(first->child);
		if (heap->root && heap->root->child)
			colo_packet_prefetch(heap->root->child);
		first->child = NULL;
		first->next = NULL;
	}
	return first;
}
