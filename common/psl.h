/* Registered domains: the part of a host name that somebody bought ("www.example.co.uk" -> "example.co.uk"), by the
 * Public Suffix List. The list is that compiled into libpsl, or the system's file where libpsl has none. Immutable once
 * open: any thread may ask. A look-up costs about a microsecond. */
#ifndef NJ_COMMON_PSL_H
#define NJ_COMMON_PSL_H

#include "common/error.h"

struct nj_psl;

/* NJ_ERR_NOT_FOUND: no list on this system. *returns owned*. */
NJ_MUST_CHECK int nj_psl_open(struct nj_psl **ret_psl);
void nj_psl_close(struct nj_psl **psl);

/* The registered domain inside *name* (lower case, no trailing dot): a pointer into *name*. A name that is itself a
 * public suffix, or has one label, is its own. */
const char *nj_psl_registered(const struct nj_psl *psl, const char *name);

#endif
