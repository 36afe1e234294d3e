/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a packet was released or dropped, or a checkpoint requested. */
#ifndef COLO_REASON_H
#define COLO_REASON_H

#ifdef __cplusplus
extern "C" {
#endif

enum colo_reason {
	COLO_REASON_NONE,

	COLO_RELEASE_MATCHED,
	COLO_RELEASE_REPEAT,
	COLO_RELEASE_ACK,
	COLO_RELEASE_RST,
	COLO_RELEASE_WINDOW,
	COLO_RELEASE_COMMIT,
	COLO_RELEASE_UNCOMPARED,
	COLO_RELEASE_NEIGHBOUR,
	COLO_RELEASE_MALFORMED,
	COLO_RELEASE_FIXED,
	COLO_RELEASE_UNFIXED,

	COLO_DROP_COMPARED,
	COLO_DROP_REPEAT,
	COLO_DROP_SUPERSEDED,
	COLO_DROP_GENERATION,
	COLO_DROP_CLIENT_ENDED,
	COLO_DROP_DIVERGED,
	COLO_DROP_COMMIT,
	COLO_DROP_SWALLOWED,
	COLO_DROP_MALFORMED,
	COLO_DROP_LIMIT,
	COLO_DROP_EXPIRED,
	COLO_DROP_EPOCH,

	COLO_MISMATCH_BYTES,
	COLO_MISMATCH_FIN,
	COLO_MISMATCH_RST,
	COLO_MISMATCH_SYN_OPTIONS,
	COLO_MISMATCH_TIMEOUT_DATA,
	COLO_MISMATCH_TIMEOUT_ACK,
	COLO_MISMATCH_LIMIT,
	COLO_REQUEST_PERIODIC,
	COLO_REQUEST_OPERATOR,

	COLO_REASON_COUNT
};

/** colo_reason_name() - Short stable name, for logs and keys: "bytes", "timeout-ack". */
const char *colo_reason_name(enum colo_reason reason);

/** colo_reason_text() - The same as a sentence for people. */
const char *colo_reason_text(enum colo_reason reason);

#ifdef __cplusplus
}
#endif

#endif /* COLO_REASON_H */
