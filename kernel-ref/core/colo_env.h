/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core's whole seam to the world it is compiled in, and the only place that
 * asks which one that is: types, byte access, and the intrusive list.
 */
#ifndef COLO_ENV_H
#define COLO_ENV_H

#ifdef __KERNEL__

#include <linux/list.h>
#include <linux/prefetch.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/build_bug.h>

#define COLO_STATIC_ASSERT(cond, text) static_assert(cond, text)

static inline void colo_prefetch(const void *address)
{
	prefetch(address);
}

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#ifdef __cplusplus
#define COLO_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define COLO_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

static inline void colo_prefetch(const void *address)
{
	__builtin_prefetch(address);
}

/* As in the kernel's <linux/list.h>: circular, doubly linked, embedded. */
struct list_head {
	struct list_head *next, *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_for_each_safe(pos, n, head) \
	for (pos = (head)->next, n = pos->next; pos != (head); pos = n, n = pos->next)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}

static inline void list_del_init(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	INIT_LIST_HEAD(entry);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	list_del_init(entry);
	list_add_tail(entry, head);
}

#endif /* __KERNEL__ */

#define COLO_NEVER_NS (~(u64)0)

/* Network byte order at any alignment. */
static inline u16 colo_get16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static inline u32 colo_get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline void colo_put16(u8 *p, u16 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)(v & 0xff);
}

static inline void colo_put32(u8 *p, u32 v)
{
	colo_put16(p, (u16)(v >> 16));
	colo_put16(p + 2, (u16)v);
}

/*
 * Stream positions and timestamps live on a circle of 2^32 (RFC 9293, 3.4; rule
 * tcp-serial), so none is the smallest, and zero is one like any other.
 */
static inline bool colo_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

static inline bool colo_after(u32 a, u32 b)
{
	return colo_before(b, a);
}

static inline u32 colo_max_pos(u32 a, u32 b)
{
	return colo_before(a, b) ? b : a;
}

static inline u32 colo_min_pos(u32 a, u32 b)
{
	return colo_before(a, b) ? a : b;
}

#endif /* COLO_ENV_H */
