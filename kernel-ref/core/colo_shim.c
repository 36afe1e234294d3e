// SPDX-License-Identifier: GPL-2.0-only
#include "colo_shim.h"

void colo_shim_write(const struct colo_shim *shim, u8 *bytes)
{
	bytes[0] = COLO_SHIM_VERSION;
	bytes[1] = shim->kind;
	colo_put16(bytes + 2, shim->node);
	colo_put32(bytes + 4, shim->epoch);
	colo_put16(bytes + 8, shim->ethertype);
}

bool colo_shim_read(struct colo_shim *shim, const u8 *bytes, u32 len)
{
	if (len < COLO_SHIM_LEN || bytes[0] != COLO_SHIM_VERSION || bytes[1] > COLO_SHIM_HINT)
		return false;
	shim->kind = bytes[1];
	shim->node = colo_get16(bytes + 2);
	shim->epoch = colo_get32(bytes + 4);
	shim->ethertype = colo_get16(bytes + 8);
	return true;
}

bool colo_shim_is_current(const struct colo_shim *shim, const struct colo_node *node)
{
	/* A host that speaks for itself has no other, though one may not know yet (fail-fence). */
	bool paired = node->mode == COLO_MODE_PROTECTED || node->mode == COLO_MODE_ISOLATED;

	return paired && shim->node == node->id && shim->epoch == node->epoch;
}
