/* A datagram being put together is a slot: key, age, and a list of pieces in order of their offset. A piece is a chain
 * of 2 KiB blocks of a common pool. Pieces of a datagram never overlap - the first one that would, other than as an
 * exact duplicate, poisons the slot - so a datagram is complete when the bytes of its pieces sum to the end that the
 * last fragment named. A poisoned slot keeps its key until its time is up and swallows what still comes.
 *
 * Slots stand in hash buckets by key and in one list by age; event time does not go back, so the oldest is always the
 * first whose time is up. Linux (net/ipv4/ip_fragment.c has dropped overlapping IPv4 fragments since 2018) and RFC 5722
 * for IPv6 have the same policy.
 *
 * A datagram may carry a tunnel whose inside is a fragment again. The outer one then enters its inner slot with all its
 * frames; each round peels at least an IP header, and the rounds are bounded. */
#include "sensor/fragment.h"

#include "sensor/decode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE               UINT32_MAX
#define BLOCK_DATA_BYTES   2032
#define DATAGRAM_BYTES_MAX 65535

struct block {
	uint32_t next_block; /* of this piece, or of the free list */
	uint32_t next_piece; /* these only in a piece's first block */
	uint16_t offset;
	uint16_t bytes;
	uint16_t captured_bytes;
	uint16_t unused;
	uint8_t data[BLOCK_DATA_BYTES];
};
static_assert(sizeof(struct block) == 2048, "a block is 2 KiB, as the memory formula says");

/* Compared and hashed as bytes: no padding. IPv6 has no protocol in its key (RFC 8200 4.5). */
struct key {
	struct nj_addr src, dst;
	nj_segment segment;
	uint32_t id;
	uint8_t protocol, ip_version;
	uint16_t unused;
};
static_assert(sizeof(struct key) == 44, "a key has no padding");

enum state { STATE_FREE = 0, STATE_OPEN, STATE_POISONED };

struct slot {
	struct key key;
	uint32_t next; /* in the bucket, or in the free list */
	uint64_t first_ns;
	uint32_t older, newer; /* in the list by age */
	uint32_t first_piece, last_piece;
	uint32_t have_bytes;
	uint32_t total_bytes; /* NONE until the last fragment has come */
	uint32_t frames, wire_bytes;
	uint16_t pieces_n;
	uint8_t state;  /* enum state */
	uint8_t poison; /* enum nj_drop, of what still comes */
	uint8_t protocol, ttl, encapsulations;
};
static_assert(sizeof(struct slot) == 96, "a slot has the size the memory formula says");

struct nj_fragment {
	struct nj_frame_counts counts;
	struct nj_fragment_options options;
	struct slot *slots;
	struct block *blocks;
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t free_slot, free_block, free_blocks_n;
	uint32_t oldest, newest;
	struct nj_frame output_frame; /* over output: the datagram that was just completed */
	uint8_t output[40 + DATAGRAM_BYTES_MAX];
};

enum outcome { HELD, DROPPED, WHOLE };

static uint32_t buckets_for(uint32_t datagrams_max)
{
	uint32_t n = 1;
	while (n < datagrams_max)
		n *= 2;
	return n;
}

void nj_fragment_options_init(struct nj_fragment_options *options)
{
	*options = (struct nj_fragment_options){.datagrams_max = 1024, .blocks_max = 4096, .timeout_ms = 30000};
}

uint64_t nj_fragment_memory_bytes(const struct nj_fragment_options *options)
{
	return sizeof(struct nj_fragment) + (uint64_t)options->datagrams_max * sizeof(struct slot) +
	       (uint64_t)options->blocks_max * sizeof(struct block) +
	       (uint64_t)buckets_for(options->datagrams_max) * sizeof(uint32_t);
}

static void fill_free_lists(struct nj_fragment *f)
{
	for (uint32_t i = 0; i <= f->bucket_mask; i++)
		f->buckets[i] = NONE;
	for (uint32_t i = 0; i < f->options.datagrams_max; i++)
		f->slots[i].next = i + 1 < f->options.datagrams_max ? i + 1 : NONE;
	for (uint32_t i = 0; i < f->options.blocks_max; i++)
		f->blocks[i].next_block = i + 1 < f->options.blocks_max ? i + 1 : NONE;
	f->free_slot = f->free_block = 0;
	f->free_blocks_n = f->options.blocks_max;
	f->oldest = f->newest = NONE;
}

int nj_fragment_new(const struct nj_fragment_options *options, struct nj_fragment **ret_fragment)
{
	assert(options->datagrams_max >= 1 && options->datagrams_max <= 1u << 20);
	assert(options->blocks_max >= NJ_FRAGMENT_BLOCKS_MIN && options->blocks_max <= 1u << 22);
	assert(options->hash_key != NULL);
	uint32_t buckets_n = buckets_for(options->datagrams_max);
	struct nj_fragment *f = calloc(1, sizeof *f);
	if (f == NULL)
		return NJ_ERR_MEMORY;
	f->options = *options;
	f->slots = calloc(options->datagrams_max, sizeof *f->slots);
	f->blocks = calloc(options->blocks_max, sizeof *f->blocks);
	f->buckets = calloc(buckets_n, sizeof *f->buckets);
	f->bucket_mask = buckets_n - 1;
	if (f->slots == NULL || f->blocks == NULL || f->buckets == NULL) {
		nj_fragment_free(&f);
		return NJ_ERR_MEMORY;
	}
	fill_free_lists(f);
	*ret_fragment = f;
	return NJ_OK;
}

void nj_fragment_free(struct nj_fragment **fragment)
{
	struct nj_fragment *f = *fragment;
	if (f == NULL)
		return;
	free(f->slots);
	free(f->blocks);
	free(f->buckets);
	free(f);
	*fragment = NULL;
}

const struct nj_frame_counts *nj_fragment_counts(const struct nj_fragment *fragment)
{
	return &fragment->counts;
}

/* ---- slots ---- */

static uint32_t *bucket_of(struct nj_fragment *f, const struct key *key)
{
	return &f->buckets[nj_hash64(key, sizeof *key, f->options.hash_key) & f->bucket_mask];
}

static struct slot *slot_find(struct nj_fragment *f, const struct key *key)
{
	for (uint32_t i = *bucket_of(f, key); i != NONE; i = f->slots[i].next)
		if (memcmp(&f->slots[i].key, key, sizeof *key) == 0)
			return &f->slots[i];
	return NULL;
}

static void slot_release_blocks(struct nj_fragment *f, struct slot *slot)
{
	for (uint32_t piece = slot->first_piece; piece != NONE;) {
		uint32_t next_piece = f->blocks[piece].next_piece;
		for (uint32_t block = piece; block != NONE;) {
			uint32_t next_block = f->blocks[block].next_block;
			f->blocks[block].next_block = f->free_block;
			f->free_block = block;
			f->free_blocks_n++;
			block = next_block;
		}
		piece = next_piece;
	}
	slot->first_piece = slot->last_piece = NONE;
}

/* Takes the slot out of its bucket and the list by age, and gives it back. */
static void slot_remove(struct nj_fragment *f, struct slot *slot)
{
	uint32_t index = (uint32_t)(slot - f->slots), *link = bucket_of(f, &slot->key);
	assert(slot->state != STATE_FREE);
	slot_release_blocks(f, slot);
	while (*link != index)
		link = &f->slots[*link].next;
	*link = slot->next;
	*(slot->older != NONE ? &f->slots[slot->older].newer : &f->oldest) = slot->newer;
	*(slot->newer != NONE ? &f->slots[slot->newer].older : &f->newest) = slot->older;
	slot->state = STATE_FREE;
	slot->next = f->free_slot;
	f->free_slot = index;
}

/* What the slot holds is dropped for *drop*. */
static void slot_count(struct nj_fragment *f, struct slot *slot, enum nj_drop drop)
{
	if (slot->state != STATE_OPEN)
		return;
	assert(f->counts.held >= slot->frames);
	f->counts.held -= slot->frames;
	f->counts.dropped[drop] += slot->frames;
}

static void slot_poison(struct nj_fragment *f, struct slot *slot, enum nj_drop drop)
{
	slot_count(f, slot, drop);
	slot_release_blocks(f, slot);
	slot->state = STATE_POISONED;
	slot->poison = (uint8_t)drop;
}

static void evict_oldest(struct nj_fragment *f, enum nj_drop drop)
{
	struct slot *slot = &f->slots[f->oldest];
	slot_count(f, slot, drop);
	slot_remove(f, slot);
}

static struct slot *slot_new(struct nj_fragment *f, const struct key *key, const struct nj_packet *p)
{
	if (f->free_slot == NONE)
		evict_oldest(f, NJ_DROP_fragment_limit);
	uint32_t index = f->free_slot, *bucket = bucket_of(f, key);
	struct slot *slot = &f->slots[index];
	f->free_slot = slot->next;
	*slot = (struct slot){
		.key = *key,
		.next = *bucket,
		.first_ns = p->t_ns,
		.older = f->newest,
		.newer = NONE,
		.first_piece = NONE,
		.last_piece = NONE,
		.total_bytes = NONE,
		.state = STATE_OPEN,
		.protocol = p->protocol,
		.ttl = p->ttl,
		.encapsulations = p->encapsulations,
	};
	*bucket = index;
	*(f->newest != NONE ? &f->slots[f->newest].newer : &f->oldest) = index;
	f->newest = index;
	return slot;
}

/* ---- pieces ---- */

static uint32_t piece_end(const struct nj_fragment *f, uint32_t piece)
{
	return (uint32_t)f->blocks[piece].offset + f->blocks[piece].bytes;
}

/* Are the fragment's captured bytes those of the piece? */
static bool piece_equals(const struct nj_fragment *f, uint32_t piece, const struct nj_packet *p)
{
	const struct block *head = &f->blocks[piece];
	if (head->offset != p->fragment_offset || head->bytes != p->payload_wire_bytes ||
	    head->captured_bytes != p->payload_bytes)
		return false;
	uint32_t done = 0;
	for (uint32_t block = piece; done < p->payload_bytes; block = f->blocks[block].next_block) {
		uint32_t n = p->payload_bytes - done < BLOCK_DATA_BYTES ? p->payload_bytes - done : BLOCK_DATA_BYTES;
		if (memcmp(f->blocks[block].data, p->payload + done, n) != 0)
			return false;
		done += n;
	}
	return true;
}

/* Finds the piece after which the fragment belongs (NONE: it is the first). NJ_DROP_NONE, or the reason why it does not
 * fit. */
static enum nj_drop find_place(const struct nj_fragment *f, const struct slot *slot, const struct nj_packet *p,
			       uint32_t *ret_after)
{
	uint32_t start = p->fragment_offset, end = start + p->payload_wire_bytes, after = NONE,
		 next = slot->first_piece;
	if (slot->last_piece != NONE && piece_end(f, slot->last_piece) <= start) { /* in order: the usual case */
		after = slot->last_piece;
		next = NONE;
	}
	while (next != NONE && f->blocks[next].offset < start) {
		after = next;
		next = f->blocks[next].next_piece;
	}
	if (next != NONE && f->blocks[next].offset < end)
		return piece_equals(f, next, p) ? NJ_DROP_fragment_duplicate : NJ_DROP_fragment_overlap;
	if (after != NONE && piece_end(f, after) > start)
		return NJ_DROP_fragment_overlap;
	*ret_after = after;
	return NJ_DROP_NONE;
}

/* Does the end named by the last fragment agree with what is there? */
static bool end_agrees(const struct nj_fragment *f, const struct slot *slot, const struct nj_packet *p)
{
	uint32_t end = p->fragment_offset + p->payload_wire_bytes;
	if (slot->total_bytes != NONE && (end > slot->total_bytes || (!p->fragment_more && end != slot->total_bytes)))
		return false;
	return p->fragment_more || slot->last_piece == NONE || piece_end(f, slot->last_piece) <= end;
}

/* Makes room for n blocks at the cost of the oldest datagrams. False: the slot itself was the oldest and is gone. */
static bool make_room(struct nj_fragment *f, const struct slot *slot, uint32_t n)
{
	while (f->free_blocks_n < n) {
		bool self = &f->slots[f->oldest] == slot;
		evict_oldest(f, NJ_DROP_fragment_limit);
		if (self)
			return false;
	}
	return true;
}

static uint32_t block_take(struct nj_fragment *f)
{
	uint32_t block = f->free_block;
	assert(block != NONE);
	f->free_block = f->blocks[block].next_block;
	f->free_blocks_n--;
	f->blocks[block].next_block = NONE;
	return block;
}

/* Copies the fragment into blocks and links it in after *after*. */
static void insert_piece(struct nj_fragment *f, struct slot *slot, const struct nj_packet *p, uint32_t after)
{
	uint32_t piece = block_take(f), block = piece, done = 0;
	struct block *head = &f->blocks[piece];
	head->offset = p->fragment_offset;
	head->bytes = (uint16_t)p->payload_wire_bytes;
	head->captured_bytes = (uint16_t)p->payload_bytes;
	while (done < p->payload_bytes) {
		uint32_t n = p->payload_bytes - done < BLOCK_DATA_BYTES ? p->payload_bytes - done : BLOCK_DATA_BYTES;
		memcpy(f->blocks[block].data, p->payload + done, n);
		done += n;
		if (done < p->payload_bytes) {
			uint32_t next = block_take(f);
			f->blocks[block].next_block = next;
			block = next;
		}
	}
	uint32_t *link = after != NONE ? &f->blocks[after].next_piece : &slot->first_piece;
	head->next_piece = *link;
	*link = piece;
	if (head->next_piece == NONE)
		slot->last_piece = piece;
	slot->pieces_n++;
	slot->have_bytes += p->payload_wire_bytes;
}

/* ---- the whole datagram ---- */

/* An IP header without options or extension headers; the checksum stays 0, nobody behind us looks at it. */
static uint32_t write_header(const struct slot *slot, uint8_t *out)
{
	if (slot->key.ip_version == 4) {
		uint32_t bytes = 20 + slot->total_bytes;
		memset(out, 0, 20);
		out[0] = 0x45;
		out[2] = (uint8_t)(bytes >> 8);
		out[3] = (uint8_t)bytes;
		out[8] = slot->ttl;
		out[9] = slot->protocol;
		memcpy(out + 12, slot->key.src.byte + 12, 4);
		memcpy(out + 16, slot->key.dst.byte + 12, 4);
		return 20;
	}
	memset(out, 0, 8);
	out[0] = 0x60;
	out[4] = (uint8_t)(slot->total_bytes >> 8);
	out[5] = (uint8_t)slot->total_bytes;
	out[6] = slot->protocol;
	out[7] = slot->ttl;
	memcpy(out + 8, slot->key.src.byte, 16);
	memcpy(out + 24, slot->key.dst.byte, 16);
	return 40;
}

static uint32_t copy_piece(const struct nj_fragment *f, uint32_t piece, uint8_t *out)
{
	uint32_t bytes = f->blocks[piece].captured_bytes, done = 0;
	for (uint32_t block = piece; done < bytes; block = f->blocks[block].next_block) {
		uint32_t n = bytes - done < BLOCK_DATA_BYTES ? bytes - done : BLOCK_DATA_BYTES;
		memcpy(out + done, f->blocks[block].data, n);
		done += n;
	}
	return bytes;
}

/* Writes the datagram to output, up to the first byte that was not captured. */
static void assemble(struct nj_fragment *f, const struct slot *slot, uint64_t t_ns)
{
	uint32_t header_bytes = write_header(slot, f->output), at = header_bytes;
	assert(header_bytes + slot->total_bytes <= sizeof f->output);
	for (uint32_t piece = slot->first_piece; piece != NONE; piece = f->blocks[piece].next_piece) {
		at += copy_piece(f, piece, f->output + at);
		if (f->blocks[piece].captured_bytes < f->blocks[piece].bytes)
			break;
	}
	f->output_frame = (struct nj_frame){
		.t_ns = t_ns, .data = f->output, .captured_bytes = at, .wire_bytes = header_bytes + slot->total_bytes};
}

static enum outcome dropped(struct nj_fragment *f, const struct nj_packet *p, enum nj_drop drop)
{
	f->counts.dropped[drop] += p->frames;
	return DROPPED;
}

/* Enters a fragment that fits into its slot. */
static void slot_enter(struct nj_fragment *f, struct slot *slot, const struct nj_packet *p, uint32_t after)
{
	insert_piece(f, slot, p, after);
	if (!p->fragment_more)
		slot->total_bytes = p->fragment_offset + p->payload_wire_bytes;
	if (p->fragment_offset == 0) { /* the first fragment's word counts (RFC 8200 4.5) */
		slot->protocol = p->protocol;
		slot->ttl = p->ttl;
	}
	slot->frames += p->frames;
	slot->wire_bytes =
		slot->wire_bytes + p->wire_bytes >= slot->wire_bytes ? slot->wire_bytes + p->wire_bytes : UINT32_MAX;
	f->counts.held += p->frames;
}

/* Puts a fragment to its datagram and counts it. WHOLE: the datagram stands in output and *ret_whole* is what its slot
 * was. */
static enum outcome put(struct nj_fragment *f, const struct nj_packet *p, struct slot *ret_whole)
{
	struct key key = {
		.src = p->src, .dst = p->dst, .segment = p->segment, .id = p->fragment_id, .ip_version = p->ip_version};
	if (p->ip_version == 4)
		key.protocol = p->protocol;
	struct slot *slot = slot_find(f, &key);
	if (slot == NULL)
		slot = slot_new(f, &key, p);
	if (slot->state == STATE_POISONED)
		return dropped(f, p, (enum nj_drop)slot->poison);
	uint32_t after = NONE;
	enum nj_drop drop = find_place(f, slot, p, &after);
	if (drop == NJ_DROP_fragment_duplicate)
		return dropped(f, p, drop);
	if (drop == NJ_DROP_NONE && !end_agrees(f, slot, p))
		drop = NJ_DROP_fragment_overlap;
	if (drop == NJ_DROP_NONE && slot->pieces_n == NJ_FRAGMENT_PIECES_MAX)
		drop = NJ_DROP_fragment_limit;
	if (drop != NJ_DROP_NONE) {
		slot_poison(f, slot, drop);
		return dropped(f, p, drop);
	}
	if (!make_room(f, slot,
		       p->payload_bytes == 0 ? 1 : (p->payload_bytes + BLOCK_DATA_BYTES - 1) / BLOCK_DATA_BYTES))
		return dropped(f, p, NJ_DROP_fragment_limit);
	slot_enter(f, slot, p, after);
	if (slot->have_bytes != slot->total_bytes)
		return HELD;
	assemble(f, slot, p->t_ns);
	f->counts.held -= slot->frames;
	*ret_whole = *slot;
	slot_remove(f, slot);
	return WHOLE;
}

/* *ret* is a fragment on the way in and a packet on the way out, when true. */
static bool reassemble(struct nj_fragment *f, struct nj_packet *ret)
{
	nj_fragment_expire(f, ret->t_ns);
	for (unsigned round = 0; round < NJ_DECODE_DEPTH_MAX; round++) {
		struct slot whole;
		if (put(f, ret, &whole) != WHOLE)
			return false;
		enum nj_drop drop = nj_decode_ip(&f->output_frame, whole.key.segment, whole.encapsulations, ret);
		if (drop != NJ_DROP_NONE && drop != NJ_DROP_FRAGMENT) {
			f->counts.dropped[drop] += whole.frames;
			return false;
		}
		ret->frames = whole.frames;
		ret->wire_bytes = whole.wire_bytes;
		if (drop == NJ_DROP_NONE) {
			f->counts.decoded += whole.frames;
			return true;
		}
	}
	dropped(f, ret, NJ_DROP_depth);
	return false;
}

bool nj_fragment_decode(struct nj_fragment *fragment, const struct nj_frame *frame, struct nj_packet *ret_packet)
{
	enum nj_drop drop = nj_decode(frame, ret_packet);
	fragment->counts.seen++;
	if (drop == NJ_DROP_NONE) {
		fragment->counts.decoded++;
		return true;
	}
	if (drop == NJ_DROP_FRAGMENT)
		return reassemble(fragment, ret_packet);
	fragment->counts.dropped[drop]++;
	return false;
}

void nj_fragment_expire(struct nj_fragment *fragment, uint64_t t_ns)
{
	uint64_t timeout_ns = fragment->options.timeout_ms * 1000000ull;
	while (fragment->oldest != NONE) {
		uint64_t first_ns = fragment->slots[fragment->oldest].first_ns;
		if (t_ns < first_ns || t_ns - first_ns < timeout_ns)
			break;
		evict_oldest(fragment, NJ_DROP_fragment_incomplete);
	}
}

void nj_fragment_finish(struct nj_fragment *fragment)
{
	while (fragment->oldest != NONE)
		evict_oldest(fragment, NJ_DROP_fragment_incomplete);
	assert(fragment->counts.held == 0);
}
