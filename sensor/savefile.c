/* One record is made contiguous in the input's buffer, checked, and handed out where it lies. Every length is checked
 * against the largest frame believed before anything is asked of the input, so a wild length costs nothing. After
 * damage nothing more is read: there is no way to tell where the next record starts.
 *
 * References: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. */
#include "sensor/savefile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ull

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 2, BLOCK_SIMPLE = 3, BLOCK_ENHANCED = 6 };
enum { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

struct interface {
	int link_type;
	uint32_t snap_bytes; /* 0: unlimited */
	uint64_t ticks_per_s;
	uint64_t ns_per_tick; /* 0: not whole */
	int64_t offset_s;
};

struct nj_savefile {
	struct nj_input *input;
	int (*next)(struct nj_savefile *s, struct nj_frame *ret_frame, struct nj_message *message);
	bool swapped; /* the file's byte order is not ours */
	int error;    /* of the first damage */
	uint64_t frames;
	/* pcap */
	int link_type;
	uint32_t fraction_ns;  /* 1000 or 1 */
	uint32_t header_bytes; /* of a record */
	bool lengths_swapped;  /* versions before 2.4 may have the two lengths the other way round */
	/* pcapng */
	struct interface *interfaces;
	uint32_t interfaces_n, interfaces_room;
};

static inline uint16_t load16(const struct nj_savefile *s, const uint8_t *b)
{
	uint16_t v;
	memcpy(&v, b, sizeof v);
	return s->swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t load32(const struct nj_savefile *s, const uint8_t *b)
{
	uint32_t v;
	memcpy(&v, b, sizeof v);
	return s->swapped ? __builtin_bswap32(v) : v;
}

static inline uint64_t load64(const struct nj_savefile *s, const uint8_t *b)
{
	uint64_t v;
	memcpy(&v, b, sizeof v);
	return s->swapped ? __builtin_bswap64(v) : v;
}

/* Where we are, for messages: the frame that would come next and its byte. */
static int damaged(struct nj_savefile *s, struct nj_message *message, const char *what, uint64_t number)
{
	s->error = nj_fail(message, NJ_ERR_FORMAT, "damaged at byte %llu, frame %llu: %s %llu",
			   (unsigned long long)nj_input_offset(s->input), (unsigned long long)s->frames + 1, what,
			   (unsigned long long)number);
	return s->error;
}

/* The input has fewer bytes than the *wanted* ones of a record: end, cut short, or unreadable. */
static int ended(struct nj_savefile *s, struct nj_message *message, uint64_t wanted)
{
	size_t left = nj_input_left(s->input);
	if (s->input->failed)
		s->error = nj_fail(message, NJ_ERR_IO, "%s (in or before frame %llu)", s->input->problem.text,
				   (unsigned long long)s->frames + 1);
	else if (left > 0)
		s->error =
			nj_fail(message, NJ_ERR_TRUNCATED, "cut short at byte %llu: frame %llu has %zu of %llu bytes",
				(unsigned long long)(nj_input_offset(s->input) + left),
				(unsigned long long)s->frames + 1, left, (unsigned long long)wanted);
	return s->error;
}

/* Links and their high bits: length of a frame check sequence, which the IP length makes us ignore. */
static inline int link_of(uint32_t field)
{
	return (int)(field & 0xffff);
}

/* ---- pcap ---- */

static int pcap_next(struct nj_savefile *s, struct nj_frame *ret, struct nj_message *message)
{
	const uint8_t *h = nj_input_need(s->input, s->header_bytes);
	if (h == NULL)
		return ended(s, message, s->header_bytes);
	uint32_t captured = load32(s, h + 8), wire = load32(s, h + 12), fraction = load32(s, h + 4);
	if (s->lengths_swapped && captured > wire) {
		uint32_t other = captured;
		captured = wire;
		wire = other;
	}
	if (captured > NJ_SAVEFILE_FRAME_BYTES_MAX)
		return damaged(s, message, "captured length", captured);
	h = nj_input_need(s->input, s->header_bytes + captured);
	if (h == NULL)
		return ended(s, message, (uint64_t)s->header_bytes + captured);
	nj_input_consume(s->input, s->header_bytes + captured);
	s->frames++;
	*ret = (struct nj_frame){
		.t_ns = load32(s, h) * NS_PER_S + (uint64_t)fraction * s->fraction_ns,
		.data = h + s->header_bytes,
		.captured_bytes = captured,
		.wire_bytes = wire > captured ? wire : captured,
		.link_type = s->link_type,
	};
	return 1;
}

static int pcap_open(struct nj_savefile *s, uint32_t magic, struct nj_message *message)
{
	const uint8_t *h = nj_input_need(s->input, 24);
	if (h == NULL)
		return ended(s, message, 24);
	uint16_t major = load16(s, h + 4), minor = load16(s, h + 6);
	if (major != 2 || minor > 4)
		return nj_fail(message, NJ_ERR_VERSION, "pcap version %u.%u, known are 2.0 to 2.4", major, minor);
	s->link_type = link_of(load32(s, h + 20));
	s->fraction_ns = magic == 0xa1b23c4d ? 1 : 1000;
	s->header_bytes = magic == 0xa1b2cd34
				  ? 24
				  : 16; /* Kuznetzov's has interface, protocol and packet type behind the lengths */
	s->lengths_swapped = minor < 4;
	s->next = pcap_next;
	nj_input_consume(s->input, 24);
	return NJ_OK;
}

/* ---- pcapng ---- */

static bool interface_set_resolution(struct interface *i, uint8_t resolution)
{
	uint8_t exponent = resolution & 0x7f;
	if ((resolution & 0x80) != 0) {
		if (exponent > 63)
			return false;
		i->ticks_per_s = 1ull << exponent;
	} else {
		if (exponent > 19)
			return false;
		i->ticks_per_s = 1;
		while (exponent-- > 0)
			i->ticks_per_s *= 10;
	}
	i->ns_per_tick = NS_PER_S % i->ticks_per_s == 0 ? NS_PER_S / i->ticks_per_s : 0;
	return true;
}

static uint64_t interface_time(const struct interface *i, uint64_t ticks)
{
	__int128 ns;
	if (i->ns_per_tick != 0)
		ns = (__int128)ticks * i->ns_per_tick;
	else
		ns = (__int128)(ticks / i->ticks_per_s) * NS_PER_S +
		     (__int128)(ticks % i->ticks_per_s) * NS_PER_S / i->ticks_per_s;
	ns += (__int128)i->offset_s * NS_PER_S;
	return ns >= 0 && ns < INT64_MAX ? (uint64_t)ns : NJ_SAVEFILE_NO_TIME;
}

/* The options of an interface block that matter: resolution and offset of its time stamps. */
static bool interface_read_options(const struct nj_savefile *s, struct interface *i, const uint8_t *at,
				   const uint8_t *end)
{
	while (end - at >= 4) {
		uint16_t code = load16(s, at), bytes = load16(s, at + 2);
		uint32_t padded = (bytes + 3u) & ~3u;
		at += 4;
		if (code == OPTION_END)
			return true;
		if (padded > (size_t)(end - at))
			return false;
		if (code == OPTION_TSRESOL && (bytes != 1 || !interface_set_resolution(i, at[0])))
			return false;
		if (code == OPTION_TSOFFSET) {
			if (bytes != 8)
				return false;
			i->offset_s = (int64_t)load64(s, at);
		}
		at += padded;
	}
	return true;
}

static int interface_add(struct nj_savefile *s, const uint8_t *block, uint32_t bytes, struct nj_message *message)
{
	struct interface i = {.ticks_per_s = 1000000, .ns_per_tick = 1000};
	if (bytes < 20)
		return damaged(s, message, "interface block of length", bytes);
	i.link_type = load16(s, block + 8);
	i.snap_bytes = load32(s, block + 12);
	if (!interface_read_options(s, &i, block + 16, block + bytes - 4))
		return damaged(s, message, "a wrong option in the block of interface", s->interfaces_n);
	if (s->interfaces_n == NJ_SAVEFILE_INTERFACES_MAX)
		return damaged(s, message, "more interfaces than", NJ_SAVEFILE_INTERFACES_MAX);
	if (s->interfaces_n == s->interfaces_room) {
		uint32_t room = s->interfaces_room == 0 ? 4 : s->interfaces_room * 2;
		struct interface *larger = realloc(s->interfaces, room * sizeof *larger);
		if (larger == NULL)
			return s->error = nj_fail(message, NJ_ERR_MEMORY, "no memory for %u interfaces", room);
		s->interfaces = larger;
		s->interfaces_room = room;
	}
	s->interfaces[s->interfaces_n++] = i;
	return NJ_OK;
}

/* A section header decides the byte order of all that follows, its own length included, and forgets the interfaces. */
static int section_begin(struct nj_savefile *s, struct nj_message *message, uint32_t *ret_bytes)
{
	const uint8_t *h = nj_input_need(s->input, 16);
	if (h == NULL)
		return ended(s, message, 16);
	uint32_t order;
	memcpy(&order, h + 8, sizeof order);
	if (order != 0x1a2b3c4d && order != 0x4d3c2b1a)
		return damaged(s, message, "section with byte-order mark", order);
	s->swapped = order != 0x1a2b3c4d;
	uint16_t major = load16(s, h + 12), minor = load16(s, h + 14);
	if (major != 1 || (minor != 0 && minor != 2)) /* 1.2 was written by mistake and is the same */
		return s->error = nj_fail(message, NJ_ERR_VERSION,
					  "pcapng version %u.%u at byte %llu, known are 1.0 and 1.2", major, minor,
					  (unsigned long long)nj_input_offset(s->input));
	s->interfaces_n = 0;
	*ret_bytes = load32(s, h + 4);
	return NJ_OK;
}

/* The fixed part of a packet block: where its fields stand depends on the kind. */
static int packet_read(struct nj_savefile *s, uint32_t type, const uint8_t *block, uint32_t bytes, struct nj_frame *ret,
		       struct nj_message *message)
{
	uint32_t fixed = type == BLOCK_SIMPLE ? 12 : 28;
	if (bytes < fixed + 4)
		return damaged(s, message, "packet block of length", bytes);
	uint32_t number = type == BLOCK_ENHANCED ? load32(s, block + 8)
			  : type == BLOCK_PACKET ? load16(s, block + 8)
						 : 0;
	if (number >= s->interfaces_n)
		return damaged(s, message, "no such interface:", number);
	const struct interface *i = &s->interfaces[number];
	uint32_t room = bytes - fixed - 4;
	uint32_t wire = load32(s, block + (type == BLOCK_SIMPLE ? 8 : 24));
	uint32_t captured = type == BLOCK_SIMPLE ? wire : load32(s, block + 20);
	if (type == BLOCK_SIMPLE) { /* it has no captured length: what the snapshot length lets through */
		if (i->snap_bytes != 0 && captured > i->snap_bytes)
			captured = i->snap_bytes;
		if (captured > room)
			captured = room;
	}
	if (captured > room || captured > NJ_SAVEFILE_FRAME_BYTES_MAX)
		return damaged(s, message, "captured length", captured);
	uint64_t ticks = type == BLOCK_SIMPLE ? 0 : (uint64_t)load32(s, block + 12) << 32 | load32(s, block + 16);
	*ret = (struct nj_frame){
		.t_ns = type == BLOCK_SIMPLE ? NJ_SAVEFILE_NO_TIME : interface_time(i, ticks),
		.data = block + fixed,
		.captured_bytes = captured,
		.wire_bytes = wire > captured ? wire : captured,
		.link_type = i->link_type,
	};
	s->frames++;
	return 1;
}

/* Passes over a block that carries nothing for us, of any length. */
static int block_skip(struct nj_savefile *s, uint32_t bytes, struct nj_message *message)
{
	if (nj_input_skip(s->input, bytes))
		return NJ_OK;
	if (s->input->failed)
		return ended(s, message, bytes);
	return s->error = nj_fail(message, NJ_ERR_TRUNCATED, "cut short at byte %llu: a block of %u bytes is not whole",
				  (unsigned long long)nj_input_offset(s->input), bytes);
}

/* A block that is read whole: its two lengths must agree. */
static int block_read(struct nj_savefile *s, uint32_t type, uint32_t bytes, struct nj_frame *ret,
		      struct nj_message *message)
{
	if (bytes > NJ_INPUT_NEED_MAX)
		return damaged(s, message, "block of length", bytes);
	const uint8_t *block = nj_input_need(s->input, bytes);
	if (block == NULL)
		return ended(s, message, bytes);
	uint32_t again = load32(s, block + bytes - 4);
	if (again != bytes)
		return damaged(s, message, "block whose lengths disagree, the second is", again);
	int result = type == BLOCK_INTERFACE ? interface_add(s, block, bytes, message)
					     : packet_read(s, type, block, bytes, ret, message);
	if (result >= 0)
		nj_input_consume(s->input, bytes);
	return result;
}

static int pcapng_next(struct nj_savefile *s, struct nj_frame *ret, struct nj_message *message)
{
	for (;;) {
		const uint8_t *h = nj_input_need(s->input, 8);
		if (h == NULL)
			return ended(s, message, 8);
		uint32_t type = load32(s, h), bytes = load32(s, h + 4);
		int result = type == BLOCK_SECTION ? section_begin(s, message, &bytes) : NJ_OK;
		if (result != NJ_OK || s->error != NJ_OK)
			return s->error;
		if (bytes < 12 || bytes % 4 != 0)
			return damaged(s, message, "block of length", bytes);
		if (type == BLOCK_ENHANCED || type == BLOCK_INTERFACE || type == BLOCK_PACKET || type == BLOCK_SIMPLE)
			result = block_read(s, type, bytes, ret, message);
		else
			result = block_skip(s, bytes, message);
		if (result != NJ_OK)
			return result;
	}
}

/* ---- either ---- */

static int open_by_magic(struct nj_savefile *s, struct nj_message *message)
{
	const uint8_t *h = nj_input_need(s->input, 4);
	if (h == NULL) {
		if (s->input->failed)
			return nj_fail(message, NJ_ERR_IO, "%s", s->input->problem.text);
		return nj_fail(message, NJ_ERR_FORMAT,
			       nj_input_left(s->input) == 0 ? "empty" : "no capture file: less than 4 bytes");
	}
	uint32_t magic = load32(s, h);
	if (magic == BLOCK_SECTION) {
		s->next = pcapng_next;
		uint32_t bytes;
		return section_begin(s, message, &bytes);
	}
	const uint32_t known[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		s->swapped = magic == __builtin_bswap32(known[i]);
		if (s->swapped || magic == known[i])
			return pcap_open(s, known[i], message);
	}
	return nj_fail(message, NJ_ERR_FORMAT,
		       "no capture file: it begins with %02x %02x %02x %02x, neither pcap nor pcapng", h[0], h[1], h[2],
		       h[3]);
}

int nj_savefile_open(struct nj_input *input, struct nj_message *message, struct nj_savefile **ret_savefile)
{
	struct nj_savefile *s = calloc(1, sizeof *s);
	if (s == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory to read it");
	s->input = input;
	int error = open_by_magic(s, message);
	if (error != NJ_OK) {
		free(s);
		return error;
	}
	*ret_savefile = s;
	return NJ_OK;
}

void nj_savefile_close(struct nj_savefile **savefile)
{
	if (*savefile == NULL)
		return;
	free((*savefile)->interfaces);
	free(*savefile);
	*savefile = NULL;
}

int nj_savefile_next(struct nj_savefile *savefile, struct nj_frame *ret_frame, struct nj_message *message)
{
	if (savefile->error != NJ_OK)
		return savefile->error;
	return savefile->next(savefile, ret_frame, message);
}
