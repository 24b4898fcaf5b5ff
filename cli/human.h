/* Numbers, times and spans as people read them. Pure; each writes into the caller's text and returns it. */
#ifndef NJ_CLI_HUMAN_H
#define NJ_CLI_HUMAN_H

#include "common/addr.h"

#include <stdint.h>

#define NJ_HUMAN_MAX 64

typedef char nj_human[NJ_HUMAN_MAX];

char *nj_human_count(uint64_t n, nj_human text); /* "1,234,567" */
char *nj_human_number(double value,
		      nj_human text); /* three or four digits: "0.031", "7.4", "1,203", "1.2 M"; "-" for NAN */
char *nj_human_bytes(double bytes, nj_human text);     /* decimal units: "1.2 MB"; "-" for NAN */
char *nj_human_share(double share, nj_human text);     /* "61 %", "0.04 %"; "-" for NAN */
char *nj_human_span(uint64_t span_ns, nj_human text);  /* "4 min 5 s", "3.2 s", "12 d 4 h" */
char *nj_human_seconds(double seconds, nj_human text); /* the same from seconds; "-" for NAN */
char *nj_human_time(uint64_t t_ns, nj_human text);     /* UTC "2026-11-24 20:01:06" */
char *nj_human_clock(uint64_t t_ns, nj_human text);    /* UTC "20:01:06" */
char *nj_human_rfc3339(uint64_t t_ns, nj_human text);  /* UTC with nine digits: "2026-11-24T20:01:06.000000000Z" */
char *nj_human_p(double p, nj_human text);             /* "3e-09", "0.02"; "<1e-12" at the floor */
char *nj_human_value(double value, const char *unit,
		     nj_human text); /* by the unit of the feature table: bytes, shares and seconds get their own form,
					the rest a number */
char *nj_human_feature(const char *name, nj_human text); /* "bytes_out_external" -> "bytes out external", made safe */

/* "10.1.2.3", "vlan:7/10.1.2.3". */
char *nj_human_agent(const struct nj_agent_id *agent, nj_human text);
/* The reverse; false and *ret_agent* untouched when it is none. A text without a segment means segment 0. */
bool nj_human_agent_parse(const char *text, struct nj_agent_id *ret_agent);
/* "10.1.2.3:443/tcp", "[fd00::1]:53/udp", "10.1.2.3 icmp". */
char *nj_human_endpoint(const struct nj_addr *addr, uint16_t port, uint8_t protocol, nj_human text);

#endif
