/* All of it goes through one hash. Options that cannot change a byte (where to deliver, how many workers) stay out. */
#include "sensor/reading.h"

#include "common/hash.h"
#include "sensor/capture.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

struct digest {
	struct nj_hash_key key;
	uint64_t value;
};

static void add(struct digest *d, const void *data, size_t size)
{
	struct nj_hash128 hash = nj_hash128(data, size, &d->key);
	const uint64_t both[] = {d->value, hash.low, hash.high};
	d->value = nj_hash64(both, sizeof both, &d->key);
}

static void add_text(struct digest *d, const char *text)
{
	add(d, text, strlen(text) + 1);
}

static void add_number(struct digest *d, uint64_t number)
{
	add(d, &number, sizeof number);
}

/* False for what is not a file with a size. */
static bool add_file(struct digest *d, const char *path)
{
	struct stat facts;
	if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
		return false;
	add_number(d, facts.st_dev);
	add_number(d, facts.st_ino);
	add_number(d, (uint64_t)facts.st_size);
	add_number(d, (uint64_t)facts.st_mtim.tv_sec);
	add_number(d, (uint64_t)facts.st_mtim.tv_nsec);
	return true;
}

static bool add_inputs(struct digest *d, const struct nj_capture *capture)
{
	struct nj_capture_stats stats;
	struct nj_capture_report file;
	bool known = true;
	nj_capture_stats(capture, &stats);
	for (uint32_t i = 0; i < stats.inputs_n && known; i++) {
		nj_capture_report(capture, i, &file);
		known = add_file(d, file.path);
	}
	return known && stats.inputs_n > 0;
}

static void add_options(struct digest *d, const struct nj_sensor_config *config)
{
	add_text(d, NJ_VERSION);
	add_text(d, config->sensor);
	add_text(d, config->tap_group);
	add_text(d, config->hash_key);
	add_text(d, config->inventory);
	add_text(d, config->bpf);
	add_number(d, config->window);
	add_number(d, config->flows_max);
	add_number(d, config->idle_tcp);
	add_number(d, config->idle_udp);
	add_number(d, config->idle_icmp);
	add_number(d, config->answer);
	add_number(d, config->ndpi_tcp_packets);
	add_number(d, config->ndpi_udp_packets);
}

uint64_t nj_reading_of(const struct nj_capture *capture, const struct nj_sensor_config *config)
{
	struct digest d = {.value = 1};
	nj_hash_key_derive("", &d.key);
	add_options(&d, config);
	if (config->reading[0] != '\0')
		add_text(&d, config->reading);
	else if (!add_inputs(&d, capture))
		return 0;
	d.value &= INT64_MAX;
	return d.value != 0 ? d.value : 1;
}
