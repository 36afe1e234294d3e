/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's last word, said again to a secondary that has not heard it (rule tcp-remirror).
 */
#ifndef COLO_REMIRROR_H
#define COLO_REMIRROR_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ethernet, two VLAN tags, IPv6, TCP, timestamps; the template's IP options are left out. */
#define COLO_REMIRROR_MAX (14 + 8 + 40 + 20 + 12)

/**
 * colo_remirror_build() - The frame from the client to the guest, in the primary's numbering.
 * @remirror: as it came out, its packet's headers still in memory.
 * @frame: receives at most COLO_REMIRROR_MAX bytes, checksums included.
 *
 * Made of what the secondary sent: its ack is where the client's next byte belongs, and the
 * stamp that it echoes is the latest that it has accepted.
 *
 * Return: the frame's length.
 */
u32 colo_remirror_build(const struct colo_remirror *remirror, u8 *frame);

#ifdef __cplusplus
}
#endif

#endif /* COLO_REMIRROR_H */
