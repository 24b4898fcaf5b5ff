/* A plain table searched from the series that spoke last: batches come in runs. */
#include "aggregator/gaps.h"

#include "aggregator/snapshot.h"

#include <stdlib.h>
#include <string.h>

struct series {
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t boot, next, passed;
	uint64_t used; /* number of the note in which it last spoke */
};

struct nj_gaps {
	struct series series[NJ_GAPS_SERIES_MAX];
	uint64_t notes;
	uint32_t n, last;
};

int nj_gaps_new(struct nj_gaps **ret_gaps)
{
	*ret_gaps = calloc(1, sizeof **ret_gaps);
	return *ret_gaps != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

void nj_gaps_free(struct nj_gaps **gaps)
{
	free(*gaps);
	*gaps = NULL;
}

uint64_t nj_gaps_memory_bytes(void)
{
	return sizeof(struct nj_gaps);
}

static struct series *find(struct nj_gaps *gaps, const struct nj_batch *batch)
{
	for (uint32_t i = 0; i < gaps->n; i++) {
		uint32_t at = (gaps->last + i) % gaps->n;
		struct series *series = &gaps->series[at];
		if (series->boot != batch->boot || strcmp(series->sensor, batch->sensor) != 0)
			continue;
		gaps->last = at;
		return series;
	}
	return NULL;
}

static struct series *begin(struct nj_gaps *gaps, const struct nj_batch *batch)
{
	uint32_t at = gaps->n;
	if (gaps->n < NJ_GAPS_SERIES_MAX)
		gaps->n++;
	else
		for (uint32_t i = at = 0; i < gaps->n; i++)
			at = gaps->series[i].used < gaps->series[at].used ? i : at;
	gaps->last = at;
	gaps->series[at] = (struct series){.boot = batch->boot};
	memcpy(gaps->series[at].sensor, batch->sensor, NJ_SENSOR_ID_MAX);
	return &gaps->series[at];
}

uint64_t nj_gaps_note(struct nj_gaps *gaps, const struct nj_batch *batch)
{
	struct series *series = find(gaps, batch);
	if (series == NULL)
		series = begin(gaps, batch);
	series->used = ++gaps->notes;
	if (batch->sequence < series->next)
		return 0;
	uint64_t passed = batch->sequence - series->next;
	series->next = batch->sequence + 1;
	series->passed += passed;
	return (batch->flags & NJ_BATCH_SEVERAL) != 0 ? 0 : passed;
}

int nj_gaps_each(const struct nj_gaps *gaps,
		 int (*row)(void *context, const char *sensor, uint64_t boot, uint64_t next, uint64_t passed),
		 void *context)
{
	int error = NJ_OK;
	for (uint32_t i = 0; i < gaps->n && error >= 0; i++) {
		const struct series *series = &gaps->series[i];
		error = row(context, series->sensor, series->boot, series->next, series->passed);
	}
	return error;
}

/* ---- snapshots */

static const struct nj_field series_rows[] = {
	NJ_FIELD(struct series, sensor), NJ_FIELD(struct series, boot), NJ_FIELD(struct series, next),
	NJ_FIELD(struct series, passed), NJ_FIELD(struct series, used),
};
static const struct nj_fields series_fields = NJ_FIELDS(struct series, series_rows, NULL);

void nj_gaps_save(const struct nj_gaps *gaps, struct nj_snapshot_writer *writer)
{
	nj_snapshot_section(writer, "series", &series_fields);
	for (uint32_t i = 0; i < gaps->n; i++)
		nj_snapshot_record(writer, i, &gaps->series[i]);
}

static int take_series(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_gaps *gaps = context;
	const struct series *series = item->record;
	if (gaps->n == NJ_GAPS_SERIES_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "more than %d series", NJ_GAPS_SERIES_MAX);
	gaps->series[gaps->n++] = *series;
	gaps->notes = series->used > gaps->notes ? series->used : gaps->notes;
	return NJ_OK;
}

void nj_gaps_takers(struct nj_gaps *gaps, struct nj_snapshot_taker *taker)
{
	*taker = (struct nj_snapshot_taker){"series", &series_fields, true, take_series, gaps};
}
