/* An agent's memory as tables of members (common/layout.h): what a snapshot keeps of it. Whoever adds a member to
 * aggregator/profile.h adds its row here; a snapshot from before then reads it as zero. */
#ifndef NJ_AGGREGATOR_PROFILE_LAYOUT_H
#define NJ_AGGREGATOR_PROFILE_LAYOUT_H

#include "common/layout.h"

extern const struct nj_fields nj_profile_fields, nj_summary_fields;

/* The blocks of a profile, each a section of its own. */
struct nj_block_layout {
	const char *section;
	const struct nj_fields *fields;
	size_t member; /* offset of the pointer in struct nj_profile */
};
extern const struct nj_block_layout nj_block_layouts[];
extern const uint32_t nj_block_layouts_n;

#endif
