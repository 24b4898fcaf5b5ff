/* See human.h. Everything in UTC and in the C locale: the same capture reads the same everywhere. */
#include "cli/human.h"

#include "aggregator/alert.h"
#include "common/label.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000u

char *nj_human_count(uint64_t n, nj_human text)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%ju", (uintmax_t)n), out = 0;
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[out++] = ',';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	return text;
}

/* *value* scaled to below 1000 by *step*, and which unit that is. */
static const char *scale(double *value, const char *const *units, size_t n)
{
	size_t i = 0;
	while (i + 1 < n && fabs(*value) >= 999.5) {
		*value /= 1000;
		i++;
	}
	return units[i];
}

/* Two digits behind the point at most, three significant, no trailing zeros. */
static int print_short(double value, nj_human text)
{
	double size = fabs(value);
	int digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
	int length = snprintf(text, NJ_HUMAN_MAX, "%.*f", digits, value);
	if (digits > 0) {
		while (text[length - 1] == '0')
			length--;
		if (text[length - 1] == '.')
			length--;
		text[length] = '\0';
	}
	return length;
}

char *nj_human_number(double value, nj_human text)
{
	static const char *const units[] = {"", " M", " G", " T"};
	if (isnan(value))
		return strcpy(text, "-");
	if (fabs(value) >= 9999999) {
		double scaled = value / 1e6;
		const char *unit = scale(&scaled, units + 1, 3);
		int length = print_short(scaled, text);
		snprintf(text + length, NJ_HUMAN_MAX - (size_t)length, "%s", unit);
	} else if (value >= 999.5) {
		nj_human_count((uint64_t)llround(value), text);
	} else if (fabs(value) < 0.01 && value != 0) {
		snprintf(text, NJ_HUMAN_MAX, "%.2g", value);
	} else {
		print_short(value, text);
	}
	return text;
}

char *nj_human_bytes(double bytes, nj_human text)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	if (isnan(bytes))
		return strcpy(text, "-");
	const char *unit = scale(&bytes, units, 6);
	int length = print_short(bytes, text);
	snprintf(text + length, NJ_HUMAN_MAX - (size_t)length, " %s", unit);
	return text;
}

char *nj_human_share(double share, nj_human text)
{
	if (isnan(share))
		return strcpy(text, "-");
	double percent = share * 100;
	if (percent > 0 && percent < 0.01)
		return strcpy(text, "<0.01 %");
	snprintf(text, NJ_HUMAN_MAX, "%.*f %%", percent >= 1 || percent == 0 ? 0 : 2, percent);
	return text;
}

char *nj_human_seconds(double seconds, nj_human text)
{
	if (isnan(seconds))
		return strcpy(text, "-");
	if (seconds < 1)
		snprintf(text, NJ_HUMAN_MAX, "%.0f ms", seconds * 1e3);
	else if (seconds < 59.95)
		snprintf(text, NJ_HUMAN_MAX, "%.*f s", seconds < 9.95 ? 1 : 0, seconds);
	else if (seconds < 3599.5)
		snprintf(text, NJ_HUMAN_MAX, "%d min %d s", (int)(llround(seconds) / 60), (int)(llround(seconds) % 60));
	else if (seconds < 172800)
		snprintf(text, NJ_HUMAN_MAX, "%d h %d min", (int)(seconds / 3600), (int)fmod(seconds / 60, 60));
	else
		snprintf(text, NJ_HUMAN_MAX, "%.0f d %d h", floor(seconds / 86400), (int)fmod(seconds / 3600, 24));
	return text;
}

char *nj_human_span(uint64_t span_ns, nj_human text)
{
	return nj_human_seconds((double)span_ns / 1e9, text);
}

static char *print_time(uint64_t t_ns, const char *format, nj_human text)
{
	time_t seconds = (time_t)(t_ns / SECOND_NS);
	struct tm parts;
	if (gmtime_r(&seconds, &parts) == NULL || strftime(text, NJ_HUMAN_MAX, format, &parts) == 0)
		snprintf(text, NJ_HUMAN_MAX, "%ju", (uintmax_t)t_ns);
	return text;
}

char *nj_human_time(uint64_t t_ns, nj_human text)
{
	return print_time(t_ns, "%Y-%m-%d %H:%M:%S", text);
}

char *nj_human_clock(uint64_t t_ns, nj_human text)
{
	return print_time(t_ns, "%H:%M:%S", text);
}

char *nj_human_rfc3339(uint64_t t_ns, nj_human text)
{
	print_time(t_ns, "%Y-%m-%dT%H:%M:%S", text);
	size_t length = strlen(text);
	snprintf(text + length, NJ_HUMAN_MAX - length, ".%09uZ", (unsigned)(t_ns % SECOND_NS));
	return text;
}

char *nj_human_p(double p, nj_human text)
{
	if (isnan(p))
		return strcpy(text, "-");
	if (p <= 1e-12)
		return strcpy(text, "<1e-12");
	snprintf(text, NJ_HUMAN_MAX, p < 0.001 ? "%.0e" : "%.2g", p);
	return text;
}

char *nj_human_value(double value, const char *unit, nj_human text)
{
	if (isnan(value))
		return strcpy(text, "-");
	if (strcmp(unit, "B") == 0)
		return nj_human_bytes(value, text);
	if (strcmp(unit, "0..1") == 0)
		return nj_human_share(value, text);
	if (strcmp(unit, "s") == 0)
		return nj_human_seconds(value, text);
	if (strcmp(unit, "ms") == 0)
		return nj_human_seconds(value / 1e3, text);
	if (strncmp(unit, "B/", 2) == 0) {
		nj_human_bytes(value, text);
		size_t length = strlen(text);
		snprintf(text + length, NJ_HUMAN_MAX - length, "/%.10s", unit + 2);
		return text;
	}
	return nj_human_number(value, text); /* counted things: the name says of what */
}

char *nj_human_feature(const char *name, nj_human text)
{
	nj_label(name, strlen(name), text, NJ_HUMAN_MAX);
	for (char *c = text; *c != '\0'; c++)
		*c = (char)(*c == '_' ? ' ' : *c);
	return text;
}

char *nj_human_agent(const struct nj_agent_id *agent, nj_human text)
{
	char addr[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX];
	nj_addr_text(&agent->addr, addr);
	nj_segment_text(agent->segment, segment);
	snprintf(text, NJ_HUMAN_MAX, "%s%s%s", segment, segment[0] != '\0' ? "/" : "", addr);
	return text;
}

bool nj_human_agent_parse(const char *text, struct nj_agent_id *ret_agent)
{
	struct nj_agent_id agent = {.segment = 0};
	const char *slash = strchr(text, '/');
	if (slash != NULL) {
		char segment[NJ_SEGMENT_TEXT_MAX];
		if ((size_t)(slash - text) >= sizeof segment)
			return false;
		memcpy(segment, text, (size_t)(slash - text));
		segment[slash - text] = '\0';
		if (!nj_segment_parse(segment, &agent.segment))
			return false;
		text = slash + 1;
	}
	if (!nj_addr_parse(text, &agent.addr))
		return false;
	*ret_agent = agent;
	return true;
}

char *nj_human_endpoint(const struct nj_addr *addr, uint16_t port, uint8_t protocol, nj_human text)
{
	char host[NJ_ADDR_TEXT_MAX];
	char other[NJ_PROTOCOL_TEXT_MAX];
	const char *words = nj_protocol_text(protocol, other);
	nj_addr_text(addr, host);
	bool has_ports = protocol == 6 || protocol == 17 || protocol == 132;
	if (!has_ports)
		snprintf(text, NJ_HUMAN_MAX, "%s %.15s", host, words);
	else
		snprintf(text, NJ_HUMAN_MAX, nj_addr_is_v4(addr) ? "%s:%u/%.5s" : "[%s]:%u/%.5s", host, port, words);
	return text;
}
