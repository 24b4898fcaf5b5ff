/* An agent window as one JSON object, for `nightjar windows`, tests and other tools: everything the window holds,
 * exactly. Scalars that are zero and vectors that are all zero are left out; vectors stand sparse as [index, value]
 * pairs; times are nanoseconds since the epoch. Any thread. */
#ifndef NJ_COMMON_WINDOW_JSON_H
#define NJ_COMMON_WINDOW_JSON_H

#include "common/json_out.h"
#include "common/window.h"

void nj_window_json(struct nj_json_out *out, const char *key, const struct nj_window *window);

#endif
