/* msgpack-c's packer, whose functions are inline, over a buffer of ours: doubling, so a byte is copied twice at most.
 */
#include "common/pack.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static int write_bytes(void *context, const char *bytes, size_t n)
{
	struct nj_pack *b = context;
	if (!b->failed && b->size - b->used < n) {
		size_t size = (b->size + n) * 2;
		uint8_t *grown = b->fixed ? NULL : realloc(b->bytes, size);
		b->failed = grown == NULL;
		if (grown != NULL) {
			b->bytes = grown;
			b->size = size;
		}
	}
	if (b->failed)
		return -1;
	if (n > 0)
		memcpy(b->bytes + b->used, bytes, n);
	b->used += n;
	return 0;
}

static inline msgpack_packer onto(struct nj_pack *pack)
{
	return (msgpack_packer){.data = pack, .callback = write_bytes};
}

void nj_pack_fini(struct nj_pack *pack)
{
	if (!pack->fixed)
		free(pack->bytes);
	*pack = (struct nj_pack){0};
}

void nj_pack_empty(struct nj_pack *pack)
{
	pack->used = 0;
	pack->failed = false;
}

void nj_pack_u64(struct nj_pack *pack, uint64_t value)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_uint64(&to, value);
}

void nj_pack_i64(struct nj_pack *pack, int64_t value)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_int64(&to, value);
}

void nj_pack_nil(struct nj_pack *pack)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_nil(&to);
}

void nj_pack_array(struct nj_pack *pack, size_t n)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_array(&to, n);
}

void nj_pack_text(struct nj_pack *pack, const char *text, size_t length)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_str(&to, length);
	msgpack_pack_str_body(&to, text, length);
}

void nj_pack_bin(struct nj_pack *pack, const void *data, size_t size)
{
	msgpack_packer to = onto(pack);
	msgpack_pack_bin(&to, size);
	msgpack_pack_bin_body(&to, data, size);
}

void nj_pack_raw(struct nj_pack *pack, const void *data, size_t size)
{
	write_bytes(pack, data, size);
}
