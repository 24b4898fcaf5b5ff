/* The only file that knows libpsl. Debian compiles the list into the library; other builds may have only the file. */
#include "common/psl.h"

#include <libpsl.h>
#include <stdlib.h>

struct nj_psl {
	psl_ctx_t *loaded; /* from a file: freed by us */
	const psl_ctx_t *list;
};

int nj_psl_open(struct nj_psl **ret_psl)
{
	struct nj_psl *psl = calloc(1, sizeof *psl);
	if (psl == NULL)
		return NJ_ERR_MEMORY;
	psl->list = psl_builtin();
	if (psl->list == NULL && psl_dist_filename() != NULL)
		psl->list = psl->loaded = psl_load_file(psl_dist_filename());
	if (psl->list == NULL) {
		free(psl);
		return NJ_ERR_NOT_FOUND;
	}
	*ret_psl = psl;
	return NJ_OK;
}

void nj_psl_close(struct nj_psl **psl)
{
	if (*psl == NULL)
		return;
	psl_free((*psl)->loaded);
	free(*psl);
	*psl = NULL;
}

const char *nj_psl_registered(const struct nj_psl *psl, const char *name)
{
	const char *registered = psl_registrable_domain(psl->list, name);
	return registered != NULL ? registered : name;
}
