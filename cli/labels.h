/* Ground truth for `nightjar evaluate`: what was done in which capture, by whom, when. Two forms are read, told by
 * their header: capture,label,technique,attacker,victim,...      one row a capture; addresses are fished out of free
 * words start,end,agent,technique,label,peer,words       one row an action (seconds since the epoch), beside one
 * capture.* and perhaps an inventory.yaml A folder without labels.csv is searched for subfolders that have one, and for
 * X.labels.csv that label the X.pcap (or .pcapng, .zst, .gz) beside them. */
#ifndef NJ_CLI_LABELS_H
#define NJ_CLI_LABELS_H

#include "common/addr.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_LABEL_ADDRESSES_MAX 16

enum nj_label_kind {
	NJ_LABEL_ATTACK,  /* should be found */
	NJ_LABEL_BENIGN,  /* should stay silent */
	NJ_LABEL_NEITHER, /* passes an attack on, or is not judged: alerts about it are neither found nor false */
};

struct nj_label_row {
	enum nj_label_kind kind;
	char label[32], technique[96], words[160];
	struct nj_network address[NJ_LABEL_ADDRESSES_MAX]; /* who took part, either end; none: not known */
	uint32_t addresses_n;
	uint32_t agents_n;         /* of them, the first so many did it; the rest suffered it */
	uint64_t start_ns, end_ns; /* 0, UINT64_MAX: the whole capture */
};

struct nj_labelled_capture {
	char *path, *name; /* file; as it stands in tables */
	char *inventory;   /* or NULL */
	struct nj_label_row *rows;
	uint32_t rows_n;
};

struct nj_labels {
	struct nj_labelled_capture *captures;
	uint32_t captures_n, captures_capacity;
};

/* *labels_path* NULL: DIR/labels.csv, or those of its subfolders and every DIR/X.labels.csv. NJ_ERR_FORMAT with
 * "FILE:LINE: what". */
NJ_MUST_CHECK int nj_labels_load(const char *dir, const char *labels_path, struct nj_message *message,
				 struct nj_labels *ret_labels);
void nj_labels_free(struct nj_labels *labels);

/* Addresses and networks (a.b.c.d, a.b.c.d/n, IPv6 words) that occur in free words. Gives how many. */
uint32_t nj_label_addresses(const char *words, struct nj_network *ret_addresses, uint32_t most);

#endif
