// SPDX-License-Identifier: GPL-2.0-only
#include "colo_env.h"
#include "colo_reason.h"

static const struct {
	const char *name;
	const char *text;
} reasons[COLO_REASON_COUNT] = {
	[COLO_REASON_NONE] = { "none", "not judged yet" },

	[COLO_RELEASE_MATCHED] = { "matched", "the secondary sent the same bytes" },
	[COLO_RELEASE_REPEAT] = { "repeat", "repeats bytes that matched before" },
	[COLO_RELEASE_ACK] = { "ack", "the secondary acknowledged as much" },
	[COLO_RELEASE_RST] = { "rst", "the secondary reset at the same position" },
	[COLO_RELEASE_WINDOW] = { "window", "sent again as the secondary can take more" },
	[COLO_RELEASE_COMMIT] = { "commit", "a checkpoint covers it" },
	[COLO_RELEASE_UNCOMPARED] = { "uncompared", "of a protocol that is not compared" },
	[COLO_RELEASE_NEIGHBOUR] = { "neighbour", "the secondary's address request" },
	[COLO_RELEASE_MALFORMED] = { "malformed", "cannot be parsed, so passes uncompared" },
	[COLO_RELEASE_UNPROTECTED] = { "unprotected", "there is no secondary to wait for" },
	[COLO_RELEASE_FIXED] = { "fixed", "rewritten into the other side's numbering" },
	[COLO_RELEASE_UNFIXED] = { "unfixed", "needs no sequence fix" },

	[COLO_DROP_COMPARED] = { "compared", "the secondary's bytes, compared and done with" },
	[COLO_DROP_REPEAT] = { "secondary-repeat", "the secondary repeats matched bytes" },
	[COLO_DROP_SUPERSEDED] = { "superseded", "a later packet says it all" },
	[COLO_DROP_GENERATION] = { "generation", "of an earlier connection of this tuple" },
	[COLO_DROP_CLIENT_ENDED] = { "client-ended", "the client ended the connection" },
	[COLO_DROP_DIVERGED] = { "diverged", "of a flow that waits for a checkpoint" },
	[COLO_DROP_COMMIT] = { "rebased", "the secondary's past before a checkpoint" },
	[COLO_DROP_SWALLOWED] = { "swallowed", "only the primary's copy goes out" },
	[COLO_DROP_MALFORMED] = { "malformed-secondary", "the secondary's, cannot be parsed" },
	[COLO_DROP_LIMIT] = { "limit", "beyond the hard limit of held packets" },
	[COLO_DROP_EXPIRED] = { "expired", "waited too long for its partner or offset" },
	[COLO_DROP_EPOCH] = { "epoch", "of another node or epoch" },
	[COLO_DROP_FRAGMENT] = { "fragment", "part of no whole datagram" },
	[COLO_DROP_LEASE] = { "lease", "the lease to speak is over" },

	[COLO_MISMATCH_BYTES] = { "bytes", "the guests sent different bytes" },
	[COLO_MISMATCH_FIN] = { "fin", "one guest closed where the other went on" },
	[COLO_MISMATCH_RST] = { "rst-position", "one guest reset where the other went on" },
	[COLO_MISMATCH_SYN_OPTIONS] = { "syn-options", "the guests negotiate differently" },
	[COLO_MISMATCH_TIMEOUT_DATA] = { "timeout-data", "the secondary never sent the bytes" },
	[COLO_MISMATCH_TIMEOUT_ACK] = { "timeout-ack", "the secondary never acknowledged it" },
	[COLO_MISMATCH_EXTRA] = { "secondary-extra", "only the secondary sent it" },
	[COLO_MISMATCH_UNSUPPORTED] = { "unsupported", "signed segments cannot be rewritten" },
	[COLO_MISMATCH_LIMIT] = { "held-limit", "the limit of held packets is reached" },
	[COLO_REQUEST_PERIODIC] = { "periodic", "the longest interval is over" },
	[COLO_REQUEST_OPERATOR] = { "operator", "asked for from outside" },
	[COLO_REQUEST_JOIN] = { "join", "a new secondary is to be synchronised" },
};

static enum colo_reason checked(enum colo_reason reason)
{
	return (unsigned int)reason < COLO_REASON_COUNT ? reason : COLO_REASON_NONE;
}

const char *colo_reason_name(enum colo_reason reason)
{
	return reasons[checked(reason)].name;
}

const char *colo_reason_text(enum colo_reason reason)
{
	return reasons[checked(reason)].text;
}
