/* A hash table of chains over a fixed array of entries; free entries form a chain of their own, and those never used
 * need not even be touched. 272 bytes a name, one look-up of about 20 ns. */
#include "sensor/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint32_t buckets_for(uint32_t texts_max)
{
	uint32_t buckets = 16;
	while (buckets < texts_max)
		buckets *= 2;
	return buckets;
}

uint64_t nj_texts_memory_bytes(uint32_t texts_max)
{
	return ((uint64_t)texts_max + 1) * sizeof(struct nj_text) + (uint64_t)buckets_for(texts_max) * sizeof(uint32_t);
}

int nj_texts_init(struct nj_texts *texts, uint32_t texts_max, const struct nj_hash_key *key)
{
	assert(texts_max > 0);
	assert(texts_max < 1u << 30);
	*texts = (struct nj_texts){.texts_max = texts_max, .buckets = buckets_for(texts_max), .key = key};
	texts->text = malloc(((size_t)texts_max + 1) * sizeof *texts->text);
	texts->bucket = calloc(texts->buckets, sizeof *texts->bucket);
	if (texts->text == NULL || texts->bucket == NULL) {
		nj_texts_fini(texts);
		return NJ_ERR_MEMORY;
	}
	texts->free = NJ_TEXT_NONE;
	texts->fresh = 1;
	return NJ_OK;
}

void nj_texts_fini(struct nj_texts *texts)
{
	free(texts->text);
	free(texts->bucket);
	*texts = (struct nj_texts){0};
}

static uint32_t add(struct nj_texts *texts, const char *text, size_t size, uint32_t hash)
{
	uint32_t id = texts->free != NJ_TEXT_NONE ? texts->free : texts->fresh;
	if (id > texts->texts_max) {
		texts->refused++;
		return NJ_TEXT_NONE;
	}
	struct nj_text *entry = &texts->text[id];
	uint32_t *bucket = &texts->bucket[hash & (texts->buckets - 1)];
	if (texts->free != NJ_TEXT_NONE)
		texts->free = entry->next;
	else
		texts->fresh++;
	memcpy(entry->text, text, size);
	entry->text[size] = '\0';
	entry->hash = hash;
	entry->references = 1;
	entry->next = *bucket;
	*bucket = id;
	return id;
}

uint32_t nj_texts_take(struct nj_texts *texts, const char *text)
{
	size_t size = strnlen(text, NJ_TEXT_BYTES_MAX - 1);
	if (size == 0)
		return NJ_TEXT_NONE;
	uint32_t hash = (uint32_t)nj_hash64(text, size, texts->key);
	for (uint32_t id = texts->bucket[hash & (texts->buckets - 1)]; id != NJ_TEXT_NONE; id = texts->text[id].next) {
		struct nj_text *entry = &texts->text[id];
		if (entry->hash == hash && memcmp(entry->text, text, size) == 0 && entry->text[size] == '\0') {
			entry->references++;
			return id;
		}
	}
	return add(texts, text, size, hash);
}

void nj_texts_release(struct nj_texts *texts, uint32_t id)
{
	if (id == NJ_TEXT_NONE)
		return;
	struct nj_text *entry = &texts->text[id];
	assert(id <= texts->texts_max);
	assert(entry->references > 0);
	if (--entry->references > 0)
		return;
	uint32_t *link = &texts->bucket[entry->hash & (texts->buckets - 1)];
	while (*link != id)
		link = &texts->text[*link].next;
	*link = entry->next;
	entry->next = texts->free;
	texts->free = id;
}

const char *nj_texts_get(const struct nj_texts *texts, uint32_t id)
{
	assert(id <= texts->texts_max);
	return id == NJ_TEXT_NONE ? "" : texts->text[id].text;
}
