/* DNS messages (RFC 1035), from UDP datagrams or from TCP with its length prefix; mDNS, LLMNR and DNS over other ports
 * have the same form and the caller decides by port what they are. Names come in presentation form: what is not
 * printable ASCII as \DDD, a dot or backslash inside a label as \. and \\, no dot at the end, the root as an empty
 * text.
 *
 * Pure. A compression pointer must point backwards, so that a name ends after at most 127 labels; the cost of a message
 * is bounded by its size since only question names are expanded and all others are skipped. */
#ifndef NJ_SENSOR_DNS_H
#define NJ_SENSOR_DNS_H

#include "common/addr.h"
#include "sensor/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_DNS_NAME_TEXT_MAX 1016 /* 253 bytes, each as \DDD, with the NUL */
#define NJ_DNS_QUESTIONS_MAX 4
#define NJ_DNS_ADDRESSES_MAX 8

enum nj_dns_type {
	NJ_DNS_A = 1,
	NJ_DNS_NS = 2,
	NJ_DNS_CNAME = 5,
	NJ_DNS_SOA = 6,
	NJ_DNS_NULL = 10,
	NJ_DNS_PTR = 12,
	NJ_DNS_MX = 15,
	NJ_DNS_TXT = 16,
	NJ_DNS_AAAA = 28,
	NJ_DNS_SRV = 33,
	NJ_DNS_OPT = 41,
	NJ_DNS_SVCB = 64,
	NJ_DNS_HTTPS = 65,
	NJ_DNS_ANY = 255,
	NJ_DNS_PRIVATE = 65280,
};

enum { NJ_DNS_NOERROR = 0, NJ_DNS_NXDOMAIN = 3 }; /* rcode */

struct nj_dns_question {
	uint16_t type;
	uint16_t class;      /* as sent: mDNS sets the top bit to ask for a unicast answer */
	uint16_t name_bytes; /* of the name before escaping, dots included: 11 for example.com, 0 for the root */
	uint16_t text_bytes; /* strlen(name) */
	char name[NJ_DNS_NAME_TEXT_MAX];
};

/* 4 kB: one per thread as scratch. Valid only after NJ_PARSE_DONE. */
struct nj_dns {
	uint16_t id;
	uint16_t flags; /* as sent */
	bool response;
	bool truncated; /* TC bit */
	bool cut;       /* it ends before its header says: cut by the capture, or lying; what was read is here */
	uint8_t opcode;
	uint8_t rcode;
	uint16_t questions_n; /* counts of the header */
	uint16_t answers_n;
	uint16_t authorities_n;
	uint16_t additionals_n;
	uint16_t answers_read;  /* answer records actually there */
	uint32_t answer_bytes;  /* sum of their resource data */
	uint8_t questions_kept; /* of them, read and kept here */
	uint8_t addresses_n;    /* of A and AAAA answers, the first few */
	struct nj_addr addresses[NJ_DNS_ADDRESSES_MAX];
	struct nj_dns_question questions[NJ_DNS_QUESTIONS_MAX];
};

/* One datagram: DONE or NO, never MORE. NO: no DNS header, or a first question that does not parse. */
enum nj_parse nj_dns_datagram(const uint8_t *data, size_t size, struct nj_dns *ret_dns);

/* The next message of a TCP direction. DONE sets *ret_used* to the bytes it took: go on behind them. */
enum nj_parse nj_dns_stream(const uint8_t *data, size_t size, struct nj_dns *ret_dns, size_t *ret_used);

/* A question of this type can carry free data in its answer: TXT, NULL, CNAME, MX, SRV, ANY and the private range. */
bool nj_dns_type_is_free_text(uint16_t type);

#endif
