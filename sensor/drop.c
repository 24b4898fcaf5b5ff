/* Names and meanings of the drop reasons, straight from the table. */
#include "sensor/drop.h"

#include "common/batch.h"

#include <assert.h>

static const struct {
	const char *name, *meaning;
} rows[NJ_DROPS_N] = {[NJ_DROP_NONE] = {"", ""},
#define NJ_DROP_ROW(name, meaning) [NJ_DROP_##name] = {#name, meaning},
		      NJ_DROPS(NJ_DROP_ROW)
#undef NJ_DROP_ROW
};

static_assert(NJ_DROPS_N <= NJ_DROP_REASONS_MAX, "an account has room for every reason");

const char *nj_drop_name(enum nj_drop drop)
{
	return drop < NJ_DROPS_N ? rows[drop].name : "";
}

const char *nj_drop_meaning(enum nj_drop drop)
{
	return drop < NJ_DROPS_N ? rows[drop].meaning : "";
}
