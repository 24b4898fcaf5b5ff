/* `nightjar windows`: what every agent did, window by window: as text for people, or whole as JSON. How others check
 * what the detectors were given. */
#include "cli/verbs.h"

#include "aggregator/alert.h"
#include "cli/human.h"
#include "cli/reading.h"
#include "common/json_out.h"
#include "common/label.h"
#include "common/window_json.h"

#include <stdlib.h>
#include <string.h>

#define CONTACTS_TOLD 6
#define DOMAINS_TOLD  3

struct printer {
	const struct nj_arguments *arguments;
	struct nj_console *console;
	struct nj_agent_id agent; /* with --agent */
	struct nj_json_out out;
	struct nj_message message;
	uint64_t printed;
};

static void print_head(struct nj_console *console, const struct nj_window *window)
{
	const struct nj_features *f = &window->features;
	nj_human when, agent, out, in, opened, failed, contacts;
	fprintf(console->out, "%s  %s%-15s%s  ", nj_human_time(window->start_ns, when), nj_ink(console, NJ_INK_BOLD),
		nj_human_agent(&window->agent, agent), nj_ink(console, NJ_INK_PLAIN));
	fprintf(console->out, "out %s, in %s",
		nj_human_bytes((double)(f->bytes_out_external + f->bytes_out_internal), out),
		nj_human_bytes((double)(f->bytes_in_external + f->bytes_in_internal), in));
	fprintf(console->out, "; %s contacts, %s opened",
		nj_human_count(window->contacts_n + f->contacts_rest, contacts),
		nj_human_count(f->flows_opened, opened));
	if (f->flows_refused + f->flows_unanswered > 0)
		fprintf(console->out, ", %s%s failed%s", nj_ink(console, NJ_INK_RED),
			nj_human_count(f->flows_refused + f->flows_unanswered, failed), nj_ink(console, NJ_INK_PLAIN));
	putc('\n', console->out);
}

static void print_contact(struct nj_console *console, const struct nj_contact *contact)
{
	nj_human endpoint, out, in;
	char name[NJ_NAME_TEXT_MAX * 3], app[NJ_APP_TEXT_MAX * 3];
	nj_label(contact->name, strlen(contact->name), name, sizeof name);
	nj_label(contact->app, strlen(contact->app), app, sizeof app);
	nj_human_endpoint(&contact->peer, contact->port, contact->protocol, endpoint);
	fprintf(console->out, "    %s %-26s %-14s out %s, in %s", contact->role == NJ_ROLE_SERVER ? "from" : "to  ",
		endpoint, app, nj_human_bytes((double)contact->bytes_out, out),
		nj_human_bytes((double)contact->bytes_in, in));
	if (contact->opened > 0)
		fprintf(console->out, "; %u opened", contact->opened);
	if (contact->answered > 0)
		fprintf(console->out, ", %u answered", contact->answered);
	if (contact->refused > 0)
		fprintf(console->out, ", %u refused", contact->refused);
	if (contact->unanswered > 0)
		fprintf(console->out, ", %u unanswered", contact->unanswered);
	fprintf(console->out, "%s%s\n", name[0] != '\0' ? "  " : "", name);
}

static int by_bytes(const void *a, const void *b)
{
	const struct nj_contact *left = *(const struct nj_contact *const *)a,
				*right = *(const struct nj_contact *const *)b;
	uint64_t l = left->bytes_out + left->bytes_in, r = right->bytes_out + right->bytes_in;
	if (l != r)
		return l > r ? -1 : 1;
	return nj_contact_compare(left, right);
}

static void print_contacts(struct nj_console *console, const struct nj_window *window)
{
	const struct nj_contact *order[NJ_CONTACTS_MAX];
	uint32_t n = window->contacts_n < NJ_CONTACTS_MAX ? window->contacts_n : NJ_CONTACTS_MAX;
	for (uint32_t i = 0; i < n; i++)
		order[i] = &window->contacts[i];
	qsort(order, n, sizeof order[0], by_bytes);
	for (uint32_t i = 0; i < n && i < CONTACTS_TOLD; i++)
		print_contact(console, order[i]);
	uint64_t more = window->contacts_n + window->features.contacts_rest;
	if (more > CONTACTS_TOLD)
		fprintf(console->out, "    and %ju more\n", (uintmax_t)(more - CONTACTS_TOLD));
}

static void print_domains(struct nj_console *console, const struct nj_window *window)
{
	char name[NJ_DOMAIN_TEXT_MAX * 3];
	for (uint32_t i = 0; i < window->domains_n && i < DOMAINS_TOLD; i++) {
		nj_label(window->domains[i].name, strlen(window->domains[i].name), name, sizeof name);
		fprintf(console->out, "    dns  %s: %u questions, %u without such a name\n", name,
			window->domains[i].queries, window->domains[i].nxdomain);
	}
	if (window->domains_n > DOMAINS_TOLD)
		fprintf(console->out, "    dns  and %u domains more\n", window->domains_n - DOMAINS_TOLD);
}

static void print_json(struct printer *printer, const struct nj_window *window)
{
	nj_json_out_reset(&printer->out);
	nj_window_json(&printer->out, NULL, window);
	nj_json_out_newline(&printer->out);
	if (nj_json_out_ok(&printer->out))
		fwrite(printer->out.text, 1, printer->out.used, printer->console->out);
}

static int on_window(void *context, const struct nj_window *window)
{
	struct printer *printer = context;
	if (printer->arguments->agent != NULL && nj_agent_id_compare(&printer->agent, &window->agent) != 0)
		return NJ_OK;
	if (printer->arguments->json) {
		print_json(printer, window);
	} else {
		print_head(printer->console, window);
		print_contacts(printer->console, window);
		print_domains(printer->console, window);
	}
	printer->printed++;
	/* Ends the run at once when the reader has gone. */
	return ferror(printer->console->out) ? nj_console_flush(printer->console, &printer->message) : NJ_OK;
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	(void)context, (void)start_ns, (void)width_ms, (void)account, (void)finish;
	return NJ_OK;
}

enum nj_exit nj_windows_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct printer printer = {.arguments = arguments, .console = console};
	struct nj_reading reading;
	if (arguments->agent != NULL && !nj_human_agent_parse(arguments->agent, &printer.agent)) {
		nj_fail(&printer.message, NJ_ERR_USAGE,
			"--agent %.80s: not an address like 10.1.2.3 or vlan:7/10.1.2.3", arguments->agent);
		return nj_verb_fail(arguments, console, NJ_ERR_USAGE, &printer.message);
	}
	struct nj_reading_plan plan = {.arguments = arguments,
				       .paths = arguments->operands,
				       .paths_n = arguments->operands_n,
				       .windows = {.context = &printer, .window = on_window, .tick = on_tick}};
	int error = nj_reading_open(&reading, &plan, &printer.message);
	if (error != NJ_OK)
		return nj_verb_fail(arguments, console, error, &printer.message);
	error = nj_reading_run(&reading, arguments, console, &printer.message);
	uint32_t damaged = nj_reading_tell_damage(&reading, console) + reading.interrupted;
	nj_reading_close(&reading);
	nj_json_out_fini(&printer.out);
	if (error == NJ_OK)
		error = nj_console_flush(console, &printer.message);
	if (error != NJ_OK && error != NJ_ERR_AGAIN)
		return nj_verb_fail(arguments, console, error, &printer.message);
	return damaged > 0 ? NJ_EXIT_FAILURE : NJ_EXIT_DONE;
}
