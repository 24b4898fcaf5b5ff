/* /proc/self/statm: "size resident shared ..." in pages. */
#include "sensor/health.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void nj_health_open(struct nj_health_meter *meter, uint64_t steady_ns)
{
	*meter = (struct nj_health_meter){.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
					  .started_ns = steady_ns,
					  .cpu_at_ns = steady_ns};
}

void nj_health_close(struct nj_health_meter *meter)
{
	if (meter->statm > 0)
		close(meter->statm);
	meter->statm = -1;
}

static uint64_t resident_bytes(const struct nj_health_meter *meter)
{
	char text[128];
	unsigned long long resident;
	ssize_t n = meter->statm > 0 ? pread(meter->statm, text, sizeof text - 1, 0) : -1;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%*u %llu", &resident) == 1 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void nj_health_measure(struct nj_health_meter *meter, uint64_t steady_ns, uint64_t cpu_ns,
		       struct nj_sensor_health *health)
{
	uint64_t passed_ns = steady_ns - meter->cpu_at_ns;
	health->uptime_ms = (steady_ns - meter->started_ns) / 1000000;
	health->cpu_permille = passed_ns > 0 ? (cpu_ns - meter->cpu_ns) * 1000 / passed_ns : 0;
	health->memory_bytes = resident_bytes(meter);
	snprintf(health->software, sizeof health->software, "nightjar %s", NJ_VERSION);
	meter->cpu_ns = cpu_ns;
	meter->cpu_at_ns = steady_ns;
}

void nj_health_account(const struct nj_sensor_account *total, struct nj_sensor_health *health)
{
	health->frames_seen = total->frames_seen;
	health->kernel_drops = total->kernel_drops;
	health->interface_drops = total->interface_drops;
	health->drops_n = total->drops_n;
	memcpy(health->drops, total->drops, sizeof health->drops);
}
