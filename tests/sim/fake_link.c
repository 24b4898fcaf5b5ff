/* See fake_link.h. Frames are copied into bounded rings; a link that is closed takes its queue with it, as a process
 * that dies does. */
#include "tests/sim/fake_link.h"

#include "common/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_MAX    64
#define CLIENTS_MAX 32
#define ENDPOINTS   4

struct frame {
	uint8_t *data;
	size_t size;
	uint32_t peer;   /* who sent it, or to whom it goes */
	uint64_t due_ms; /* not to be had earlier */
};

struct ring {
	struct frame frames[RING_MAX];
	uint32_t n;
};

struct nj_link_context {
	int unused;
};

struct nj_link {
	bool listens;
	uint32_t endpoint; /* index of it */
	uint32_t peer;     /* of a connecting link: its present number */
	struct ring in;
	struct frame handed; /* what the last receive gave out */
};

struct fake_link_fate fake_link_fate;
struct fake_link_counts fake_link_counts;

uint64_t fake_link_now_ms;

static struct endpoint {
	char name[64];
	struct nj_link *listener;
	bool cut;
} endpoints[ENDPOINTS];

static struct nj_link *clients[CLIENTS_MAX];
static uint32_t peers_n;

static uint32_t endpoint_of(const char *name)
{
	uint32_t i = 0;
	for (; i < ENDPOINTS && endpoints[i].name[0] != '\0'; i++)
		if (strcmp(endpoints[i].name, name) == 0)
			return i;
	assert(i < ENDPOINTS);
	snprintf(endpoints[i].name, sizeof endpoints[i].name, "%s", name);
	return i;
}

static bool happens(unsigned percent)
{
	return (unsigned)rand_r(&fake_link_fate.seed) % 100 < percent;
}

static void drop_frame(struct frame *frame)
{
	free(frame->data);
	*frame = (struct frame){0};
}

static void drop_ring(struct ring *ring)
{
	for (uint32_t i = 0; i < ring->n; i++)
		drop_frame(&ring->frames[i]);
	ring->n = 0;
}

static bool put(struct ring *ring, uint32_t peer, const void *data, size_t size)
{
	if (ring->n == RING_MAX)
		return false;
	unsigned span = fake_link_fate.delay_ms + 1;
	struct frame frame = {.data = malloc(size + 1), .size = size, .peer = peer};
	frame.due_ms = fake_link_now_ms + (span > 1 ? (unsigned)rand_r(&fake_link_fate.seed) % span : 0);
	if (ring->n > 0 && frame.due_ms < ring->frames[ring->n - 1].due_ms)
		frame.due_ms = ring->frames[ring->n - 1].due_ms;
	memcpy(frame.data, data, size);
	ring->frames[ring->n++] = frame;
	return true;
}

static void overtake(struct ring *ring)
{
	if (ring->n < 2)
		return;
	struct frame last = ring->frames[ring->n - 1];
	ring->frames[ring->n - 1] = ring->frames[ring->n - 2];
	ring->frames[ring->n - 2] = last;
	fake_link_counts.overtaken++;
}

/* What was on its way from this peer is lost; it comes back as another. */
static void break_connection(struct nj_link *client)
{
	struct nj_link *listener = endpoints[client->endpoint].listener;
	struct ring *in = listener != NULL ? &listener->in : NULL;
	uint32_t kept = 0;
	for (uint32_t i = 0; in != NULL && i < in->n; i++) {
		if (in->frames[i].peer == client->peer)
			drop_frame(&in->frames[i]);
		else
			in->frames[kept++] = in->frames[i];
	}
	if (in != NULL)
		in->n = kept;
	drop_ring(&client->in);
	client->peer = ++peers_n;
	fake_link_counts.broken++;
}

static struct nj_link *client_of(uint32_t peer)
{
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (clients[i] != NULL && clients[i]->peer == peer)
			return clients[i];
	return NULL;
}

int nj_link_context_new(struct nj_message *message, struct nj_link_context **ret_context)
{
	(void)message;
	*ret_context = calloc(1, sizeof **ret_context);
	return *ret_context != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

void nj_link_context_free(struct nj_link_context **context)
{
	free(*context);
	*context = NULL;
}

int nj_link_open(struct nj_link_context *context, const struct nj_link_options *options, struct nj_message *message,
		 struct nj_link **ret_link)
{
	(void)context;
	(void)message;
	struct nj_link *link = calloc(1, sizeof *link);
	assert(link != NULL);
	link->listens = options->listen;
	link->endpoint = endpoint_of(options->endpoint);
	link->peer = ++peers_n;
	if (link->listens) {
		assert(endpoints[link->endpoint].listener == NULL);
		endpoints[link->endpoint].listener = link;
	} else {
		int free_place = 0;
		while (clients[free_place] != NULL)
			free_place++;
		assert(free_place < CLIENTS_MAX);
		clients[free_place] = link;
	}
	*ret_link = link;
	return NJ_OK;
}

void nj_link_close(struct nj_link **link)
{
	if (*link == NULL)
		return;
	if (endpoints[(*link)->endpoint].listener == *link)
		endpoints[(*link)->endpoint].listener = NULL;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (clients[i] == *link)
			clients[i] = NULL;
	drop_ring(&(*link)->in);
	drop_frame(&(*link)->handed);
	free(*link);
	*link = NULL;
}

int nj_link_send(struct nj_link *link, const struct nj_link_peer *peer, const void *data, size_t size)
{
	uint32_t number = link->peer;
	if (link->listens)
		memcpy(&number, peer->id, sizeof number);
	struct nj_link *client = client_of(number), *to = link->listens ? client : endpoints[link->endpoint].listener;
	fake_link_counts.sent++;
	if (to == NULL)
		return link->listens ? NJ_ERR_NOT_FOUND : NJ_ERR_AGAIN;
	if (happens(fake_link_fate.lost)) {
		fake_link_counts.lost++;
		return NJ_OK;
	}
	if (!put(&to->in, number, data, size))
		return NJ_ERR_AGAIN;
	if (happens(fake_link_fate.doubled) && put(&to->in, number, data, size))
		fake_link_counts.doubled++;
	if (happens(fake_link_fate.overtaken))
		overtake(&to->in);
	if (happens(fake_link_fate.broken))
		break_connection(client);
	return NJ_OK;
}

int nj_link_receive(struct nj_link *link, int timeout_ms, struct nj_link_frame *ret_frame)
{
	(void)timeout_ms;
	drop_frame(&link->handed);
	if (link->in.n == 0 || link->in.frames[0].due_ms > fake_link_now_ms)
		return NJ_ERR_AGAIN;
	if (endpoints[link->endpoint].cut) {
		fake_link_counts.cut++;
		return NJ_ERR_AGAIN;
	}
	link->handed = link->in.frames[0];
	link->in.n--;
	memmove(link->in.frames, link->in.frames + 1, link->in.n * sizeof *link->in.frames);
	*ret_frame = (struct nj_link_frame){
		.data = link->handed.data, .size = link->handed.size, .peer.size = sizeof link->handed.peer};
	memcpy(ret_frame->peer.id, &link->handed.peer, sizeof link->handed.peer);
	return NJ_OK;
}

bool nj_link_peer_equal(const struct nj_link_peer *a, const struct nj_link_peer *b)
{
	return a->size == b->size && memcmp(a->id, b->id, a->size) == 0;
}

struct nj_link_counts nj_link_counts(const struct nj_link *link)
{
	(void)link;
	return (struct nj_link_counts){.malformed = 0};
}

int nj_link_check(const struct nj_link_options *options, struct nj_message *message)
{
	(void)options;
	(void)message;
	return NJ_OK;
}

const char *nj_link_trouble(const struct nj_link *link)
{
	(void)link;
	return NULL;
}

const char *nj_link_endpoint(const struct nj_link *link)
{
	return link->listens ? "fake" : "";
}

void fake_link_cut(const char *endpoint)
{
	endpoints[endpoint_of(endpoint)].cut = true;
}

void fake_link_join(const char *endpoint, bool broken)
{
	uint32_t index = endpoint_of(endpoint);
	endpoints[index].cut = false;
	for (int i = 0; i < CLIENTS_MAX && broken; i++)
		if (clients[i] != NULL && clients[i]->endpoint == index)
			break_connection(clients[i]);
}
