/* score = ln(1 + bytes/512) + 2 mismatch share + H/4, with
 *   bytes     echo payload beyond 64 bytes a small packet: an ordinary ping (32 or 56 bytes) counts nothing however
 * long it runs, a large one counts whole mismatch  replies whose payload is not the request's, or that nobody asked
 * for, of all echo packets H         mean entropy of large payloads, bits a byte, 0..8 An hour of `ping` scores 0; ten
 * MTU probes of 1400 bytes up to 5.4, for ping's ramp of bytes is high in entropy; an idle tunnel (one 100-byte
 * exchange a second for five minutes, all mismatched) 7.7; 100 kB through a tunnel 8 to 9. */
#include "models/icmp.h"

#include <math.h>

#define SMALL_BYTES 64.0
#define ENTROPY_MAX 8.0

struct nj_icmp_score nj_icmp_judge(const struct nj_icmp_echo *echo)
{
	double packets = (double)echo->packets, large = fmin((double)echo->large, packets);
	if (packets <= 0)
		return (struct nj_icmp_score){0};
	double bytes = fmax(0, (double)echo->payload_bytes - SMALL_BYTES * (packets - large));
	double odd = fmin((double)echo->mismatched + (double)echo->unsolicited, packets);
	double entropy = large > 0 ? fmin((double)echo->entropy_mbit / 1000 / large, ENTROPY_MAX) : 0;
	struct nj_icmp_score ret = {
		.volume = log1p(bytes / 512),
		.mismatch = 2 * odd / packets,
		.entropy = entropy / 4,
	};
	ret.score = ret.volume + ret.mismatch + ret.entropy;
	return ret;
}
