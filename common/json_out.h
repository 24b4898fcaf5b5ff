/* Writes JSON text, one token after the other, into a buffer that grows: alert lines, flow and window lines, the data
 * of a report. Commas, quoting and UTF-8 are the writer's business: any bytes given as text come out as valid, escaped
 * JSON. An error is sticky: write everything, then ask once. A member costs about 50 ns with its key; the same line
 * built as a jansson tree and dumped takes five times as long. One thread at a time.
 *
 *   struct nj_json_out out = {0};
 *   nj_json_out_object(&out, NULL);
 *   nj_json_out_u64(&out, "bytes", 17);
 *   nj_json_out_array(&out, "peers");
 *   nj_json_out_text(&out, NULL, "10.0.0.1");    // in an array and at the top the key is NULL
 *   nj_json_out_end(&out);
 *   nj_json_out_end(&out);
 *   if (!nj_json_out_ok(&out)) ...               // out of memory, nothing else can fail
 *   fwrite(out.text, 1, out.used, file);
 *   nj_json_out_fini(&out);
 */
#ifndef NJ_COMMON_JSON_OUT_H
#define NJ_COMMON_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_JSON_OUT_DEPTH_MAX 32

struct nj_json_out {
	char *text; /* NUL-terminated once something was written; NULL before */
	size_t used, size;
	bool failed;
	uint8_t depth;
	bool filled[NJ_JSON_OUT_DEPTH_MAX]; /* something stands already at this depth: a comma is due */
	char closing[NJ_JSON_OUT_DEPTH_MAX];
};

void nj_json_out_fini(struct nj_json_out *out);
void nj_json_out_reset(struct nj_json_out *out);    /* empty again, memory kept */
bool nj_json_out_ok(const struct nj_json_out *out); /* nothing failed and everything opened was ended */
char *nj_json_out_take(struct nj_json_out *out); /* *returns owned* text (free()), NULL when not ok; *out* is as new */

void nj_json_out_object(struct nj_json_out *out, const char *key);
void nj_json_out_array(struct nj_json_out *out, const char *key);
void nj_json_out_end(struct nj_json_out *out); /* of the innermost object or array */

void nj_json_out_u64(struct nj_json_out *out, const char *key, uint64_t value);
void nj_json_out_i64(struct nj_json_out *out, const char *key, int64_t value);
void nj_json_out_double(struct nj_json_out *out, const char *key,
			double value); /* shortest that reads back equal; NAN and infinities: null */
void nj_json_out_bool(struct nj_json_out *out, const char *key, bool value);
void nj_json_out_null(struct nj_json_out *out, const char *key);
void nj_json_out_text(struct nj_json_out *out, const char *key, const char *text);                /* NULL: null */
void nj_json_out_bytes(struct nj_json_out *out, const char *key, const void *bytes, size_t size); /* as text */
void nj_json_out_time(struct nj_json_out *out, const char *key,
		      uint64_t t_ns); /* RFC 3339 text, UTC, microseconds: "2026-01-31T23:59:59.000001Z" */
void nj_json_out_raw(struct nj_json_out *out, const char *key, const char *json); /* text that is JSON already */

void nj_json_out_newline(struct nj_json_out *out); /* between NDJSON lines, at the top only */

#endif
