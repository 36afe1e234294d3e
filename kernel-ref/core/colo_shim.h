/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim that every frame on sec_dev carries behind its addresses (rule
 * ckpt-epoch), so that neither nodes nor epochs are ever mixed up:
 *
 *   addresses (12) | 0x88b5 (2) | version (1) | kind (1) | node (2) | epoch (4) |
 *   inner ethertype (2) | the frame's payload
 */
#ifndef COLO_SHIM_H
#define COLO_SHIM_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COLO_SHIM_ETHERTYPE 0x88b5 /* local experimental, IEEE 802 */
#define COLO_SHIM_LEN 10	   /* version to inner ethertype */
#define COLO_SHIM_VERSION 1

enum colo_shim_kind {
	COLO_SHIM_FRAME, /* to the secondary: for its guest; from it: its guest sent this */
	COLO_SHIM_HINT,	 /* the primary guest sent this SYN or SYN-ACK (rule fix-hint) */
};

struct colo_shim {
	u8 kind;
	u16 node;
	u32 epoch;
	u16 ethertype; /* of the frame inside */
};

/** colo_shim_write() - Encode into COLO_SHIM_LEN bytes. */
void colo_shim_write(const struct colo_shim *shim, u8 *bytes);

/**
 * colo_shim_read() - Decode what follows the ethertype.
 * @len: bytes there are.
 *
 * Return: false if they are too few, of another version, or of an unknown kind.
 */
bool colo_shim_read(struct colo_shim *shim, const u8 *bytes, u32 len);

/** colo_shim_is_current() - Is it for this node and of this epoch? Else the frame is dropped. */
bool colo_shim_is_current(const struct colo_shim *shim, const struct colo_node *node);

#ifdef __cplusplus
}
#endif

#endif /* COLO_SHIM_H */
