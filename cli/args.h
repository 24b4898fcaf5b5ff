/* The command line of `nightjar`: one table row per option gives the struct field, the parser, the range check and the
 * help. Pure: reads argv, writes nothing, so that a test can ask it anything. Called once, by main.c. */
#ifndef NJ_CLI_ARGS_H
#define NJ_CLI_ARGS_H

#include "aggregator/alert.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* X(symbol, name, least and most operands, their form, what it does). */
#define NJ_VERBS(X)                                                                                                    \
	X(REPLAY, "replay", 1, NJ_OPERANDS_MAX, "FILE|DIR|-...", "find what agents did in captures, and explain it")   \
	X(FLOWS, "flows", 1, NJ_OPERANDS_MAX, "FILE|DIR|-...", "print the flows of captures as NDJSON")                \
	X(WINDOWS, "windows", 1, NJ_OPERANDS_MAX, "FILE|DIR|-...", "print the agent windows of captures")              \
	X(ALERTS, "alerts", 0, 0, "", "ask a store for its alerts, or verify its chain")                               \
	X(AGENTS, "agents", 0, 0, "", "ask a store for the agents it knows")                                           \
	X(SENSORS, "sensors", 0, 0, "", "ask a store how its sensors fare")                                            \
	X(BASELINE, "baseline", 1, NJ_OPERANDS_MAX, "FILE|DIR|-...", "learn what is usual from captures of good days") \
	X(EVALUATE, "evaluate", 1, 1, "DIR", "replay labelled captures; say what was found, missed and false")         \
	X(KEYGEN, "keygen", 1, NJ_OPERANDS_MAX, "NAME...", "make keys for encrypted links: NAME.key and NAME.pub")     \
	X(CONFIG, "config", 2, NJ_OPERANDS_MAX, "check FILE...", "check inventories and configurations by line")       \
	X(VERSION, "version", 0, 0, "", "print the versions of program and formats")                                   \
	X(HELP, "help", 0, 1, "[VERB]", "explain a verb and its options")

enum nj_verb {
#define NJ_VERB_ENUM(symbol, name, least, most, form, what) NJ_VERB_##symbol,
	NJ_VERBS(NJ_VERB_ENUM)
#undef NJ_VERB_ENUM
		NJ_VERBS_N
};

#define NJ_OPERANDS_MAX   4096
#define NJ_BUDGET_DEFAULT 20

/* Sets of verbs an option belongs to. */
#define NJ_FOR(verb)    (1u << NJ_VERB_##verb)
#define NJ_FOR_ENGINE   (NJ_FOR(REPLAY) | NJ_FOR(EVALUATE) | NJ_FOR(BASELINE))
#define NJ_FOR_READING  (NJ_FOR_ENGINE | NJ_FOR(FLOWS) | NJ_FOR(WINDOWS))
#define NJ_FOR_WINDOWED (NJ_FOR_ENGINE | NJ_FOR(WINDOWS))
#define NJ_FOR_STORE    (NJ_FOR(ALERTS) | NJ_FOR(AGENTS))
#define NJ_FOR_ASKING   (NJ_FOR_STORE | NJ_FOR(SENSORS))
#define NJ_FOR_ALL      ((1u << NJ_VERBS_N) - 1)

/* X(field, short name or 0, kind, argument's form, least, most, default, verbs, help). The long name is the field with
 * '-' for '_'. Kinds: FLAG bool; TEXT const char *; COUNT uint64_t; BYTES uint64_t with K, M, G; MILLISECONDS uint64_t
 * from "10s", "500ms", "2m"; NUMBER double; SEVERITY enum nj_severity; TIME uint64_t ns from RFC 3339 or Unix seconds;
 * CHOICE const char * out of the argument's form "a|b|c". */
#define NJ_ARGUMENTS(X)                                                                                                \
	X(json, 'j', FLAG, NULL, 0, 0, 0, NJ_FOR(REPLAY) | NJ_FOR(FLOWS) | NJ_FOR(WINDOWS) | NJ_FOR_ASKING,            \
	  "one JSON object a line instead of text")                                                                    \
	X(report, 'r', TEXT, "FILE", 0, 0, NULL, NJ_FOR(REPLAY),                                                       \
	  "write one self-contained HTML page; opens without a network")                                               \
	X(extract, 'x', TEXT, "DIR", 0, 0, NULL, NJ_FOR(REPLAY),                                                       \
	  "write a pcapng per alert with just the packets of its evidence (reads the files twice)")                    \
	X(counters, 0, TEXT, "FILE", 0, 0, NULL, NJ_FOR(REPLAY),                                                       \
	  "write every counter of the run as JSON: what was seen, dropped, shipped, judged")                           \
	X(store, 's', TEXT, "FILE", 0, 0, NULL, NJ_FOR(REPLAY) | NJ_FOR_ASKING,                                        \
	  "SQLite store to write to (replay) or to ask")                                                               \
	X(output, 'o', TEXT, "FILE", 0, 0, NULL, NJ_FOR(BASELINE), "where the baseline goes")                          \
	X(labels, 'l', TEXT, "FILE", 0, 0, NULL, NJ_FOR(EVALUATE),                                                     \
	  "labels of the captures (CSV); default: DIR/labels.csv")                                                     \
	X(markdown, 'm', TEXT, "FILE", 0, 0, NULL, NJ_FOR(EVALUATE), "also write the tables as Markdown")              \
	X(only, 0, TEXT, "WORD", 0, 0, NULL, NJ_FOR(EVALUATE), "only captures whose path or label contains WORD")      \
	X(baseline, 'b', TEXT, "FILE", 0, 0, NULL, NJ_FOR(REPLAY) | NJ_FOR(EVALUATE),                                  \
	  "judge by this baseline instead of the shipped prior")                                                       \
	X(inventory, 'i', TEXT, "FILE", 0, 0, NULL, NJ_FOR_WINDOWED,                                                   \
	  "who is who: home networks, names, permitted scanners, decoys (YAML)")                                       \
	X(ai_endpoints, 0, TEXT, "FILE", 0, 0, NULL, NJ_FOR_WINDOWED,                                                  \
	  "servers of language models beyond the shipped list (YAML)")                                                 \
	X(budget, 0, NUMBER, "N", 0.001, 1e6, NJ_BUDGET_DEFAULT, NJ_FOR(REPLAY) | NJ_FOR(EVALUATE),                    \
	  "false alerts a day you can live with")                                                                      \
	X(fail_on, 'f', SEVERITY, "SEVERITY", 0, 0, 0, NJ_FOR(REPLAY),                                                 \
	  "exit 1 when an alert is this severe or more: low, medium, high, critical")                                  \
	X(top, 't', COUNT, "N", 0, 100000, 20, NJ_FOR(REPLAY), "detections told in full; the rest get a line each")    \
	X(bpf, 0, TEXT, "FILTER", 0, 0, NULL, NJ_FOR_READING,                                                          \
	  "only packets that match this filter (pcap-filter syntax)")                                                  \
	X(window, 0, MILLISECONDS, "TIME", 1000, 600000, 10000, NJ_FOR_WINDOWED,                                       \
	  "width of an agent window, in event time")                                                                   \
	X(workers, 'w', COUNT, "N", 1, 64, 1, NJ_FOR_READING, "capture workers; the result does not depend on it")     \
	X(shards, 0, COUNT, "N", 1, 64, 1, NJ_FOR_ENGINE, "engine shards; the result does not depend on it")           \
	X(flows_max, 0, COUNT, "N", 1024, 67108864, 262144, NJ_FOR_READING,                                            \
	  "flows in memory at once, per worker; the oldest go first")                                                  \
	X(agents_max, 0, COUNT, "N", 64, 16777216, 20000, NJ_FOR_ENGINE,                                               \
	  "agents in full detail; the least recent are folded")                                                        \
	X(max_memory, 0, BYTES, "SIZE", 1048576, 1099511627776, 4294967296, NJ_FOR_READING,                            \
	  "refuse to start when the tables would need more")                                                           \
	X(since, 0, TIME, "TIME", 0, 0, 0, NJ_FOR_STORE, "from this time on (2026-11-24T20:00:00Z or Unix seconds)")   \
	X(until, 0, TIME, "TIME", 0, 0, UINT64_MAX, NJ_FOR_STORE, "up to this time")                                   \
	X(agent, 'a', TEXT, "ADDRESS", 0, 0, NULL, NJ_FOR_STORE | NJ_FOR(WINDOWS),                                     \
	  "only this agent: 10.1.2.3 or vlan:7/10.1.2.3")                                                              \
	X(severity, 0, SEVERITY, "SEVERITY", 0, 0, 0, NJ_FOR(ALERTS), "this severe or more")                           \
	X(detector, 'd', TEXT, "NAME", 0, 0, NULL, NJ_FOR(ALERTS), "only this detector")                               \
	X(limit, 'n', COUNT, "N", 1, 1000000, 1000, NJ_FOR_ASKING, "at most so many, the newest")                      \
	X(verify, 0, FLAG, NULL, 0, 0, 0, NJ_FOR(ALERTS), "check the hash chain: was an alert removed or changed?")    \
	X(full, 0, FLAG, NULL, 0, 0, 0, NJ_FOR(ALERTS), "tell each alert in full, with its features and peers")        \
	X(ai, 0, FLAG, NULL, 0, 0, 0, NJ_FOR(AGENTS), "AI agents: who runs one, with whom it thinks, how it loops")    \
	X(color, 0, CHOICE, "auto|always|never", 0, 0, "auto",                                                         \
	  NJ_FOR(REPLAY) | NJ_FOR(WINDOWS) | NJ_FOR(EVALUATE) | NJ_FOR_ASKING,                                         \
	  "colour on the terminal; NO_COLOR counts too")                                                               \
	X(quiet, 'q', FLAG, NULL, 0, 0, 0, NJ_FOR_READING, "no progress, no notes; findings and failures only")        \
	X(directory, 0, TEXT, "DIR", 0, 0, ".", NJ_FOR(KEYGEN), "folder in which the files are made")                  \
	X(help, 'h', FLAG, NULL, 0, 0, 0, NJ_FOR_ALL, "explain this verb")

#define NJ_ARGUMENT_TYPE_FLAG         bool
#define NJ_ARGUMENT_TYPE_TEXT         const char *
#define NJ_ARGUMENT_TYPE_CHOICE       const char *
#define NJ_ARGUMENT_TYPE_COUNT        uint64_t
#define NJ_ARGUMENT_TYPE_BYTES        uint64_t
#define NJ_ARGUMENT_TYPE_MILLISECONDS uint64_t
#define NJ_ARGUMENT_TYPE_TIME         uint64_t
#define NJ_ARGUMENT_TYPE_NUMBER       double
#define NJ_ARGUMENT_TYPE_SEVERITY     enum nj_severity

/* Text fields borrow argv. */
struct nj_arguments {
	enum nj_verb verb;
#define NJ_ARGUMENT_FIELD(field, short_name, kind, form, least, most, fallback, verbs, help)                           \
	NJ_ARGUMENT_TYPE_##kind field;
	NJ_ARGUMENTS(NJ_ARGUMENT_FIELD)
#undef NJ_ARGUMENT_FIELD
	const char *operands[NJ_OPERANDS_MAX];
	uint32_t operands_n;
};

/* Reads argv[1..]. NJ_ERR_USAGE with one line that says what and where and suggests the nearest; then verb is set as
 * far as it was understood. */
NJ_MUST_CHECK int nj_arguments_parse(int argc, char *const argv[], struct nj_message *message,
				     struct nj_arguments *ret_arguments);

const char *nj_verb_name(enum nj_verb verb);
bool nj_verb_parse(const char *text, enum nj_verb *ret_verb);

/* Help as text of *width* columns. *returns owned* (free()); NULL: out of memory. NJ_VERBS_N: the overview of all
 * verbs. */
char *nj_verb_help(enum nj_verb verb, unsigned width);

/* 2026-11-24T20:00:00[.fraction](Z|+hh:mm), 2026-11-24 or Unix seconds, to ns since the epoch. */
bool nj_time_parse(const char *text, uint64_t *ret_t_ns);

#endif
