/* Commands on other machines by remote procedure call, as SMB and DCE/RPC show them in the clear (sensor/rpc.h): a
 * service or a task made and started, a method run through WMI or DCOM, secrets replicated from a directory, a machine
 * made to log in elsewhere, a secure channel guessed at.
 *
 * There is no statistic in one such call. What is stated instead, and can be changed in the prior, is how seldom a
 * benign agent makes one to a host where it did not within a day or two: `remote_command` for what runs commands or
 * hands out secrets, ten times that for what prepares it. ln p is that, divided by 1 + ln n for a host whose service n
 * agents use. Who administers others is permitted in the inventory (`permitted: [admin]`), or known after its first
 * day: each (host, interface) is remembered like a contact. Domain controllers replicate to one another: who serves
 * Kerberos or LDAP in the same window is not told for replication. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WEAK_FACTOR    10.0
#define CHALLENGES_MIN 20 /* of a window: a secure channel is set up with one */

enum remote_kind { KIND_NONE, KIND_COMMAND, KIND_PREPARES, KIND_REPLICATES, KIND_COERCES, KIND_GUESSES };

static const struct {
	const char *interface, *operation; /* operation NULL: any */
	uint8_t kind;
	const char *technique, *words;
} acts[] = {
	{"svcctl", "CreateServiceW", KIND_COMMAND, "T1569.002", "made a service"},
	{"svcctl", "CreateServiceA", KIND_COMMAND, "T1569.002", "made a service"},
	{"svcctl", "ChangeServiceConfigW", KIND_COMMAND, "T1569.002", "changed what a service runs"},
	{"svcctl", "ChangeServiceConfigA", KIND_COMMAND, "T1569.002", "changed what a service runs"},
	{"svcctl", "StartServiceW", KIND_PREPARES, "T1569.002", "started a service"},
	{"svcctl", "StartServiceA", KIND_PREPARES, "T1569.002", "started a service"},
	{"atsvc", "NetrJobAdd", KIND_COMMAND, "T1053.005", "scheduled a job"},
	{"tasks", "SchRpcRegisterTask", KIND_COMMAND, "T1053.005", "scheduled a task"},
	{"tasks", "SchRpcRun", KIND_COMMAND, "T1053.005", "ran a task"},
	{"wmi", "ExecMethod", KIND_COMMAND, "T1047", "ran a method through WMI"},
	{"wmi", "ExecMethodAsync", KIND_COMMAND, "T1047", "ran a method through WMI"},
	{"wmi", "PutInstance", KIND_COMMAND, "T1047", "wrote an object through WMI"},
	{"wmi", "PutClass", KIND_COMMAND, "T1047", "wrote a class through WMI"},
	{"dispatch", "Invoke", KIND_COMMAND, "T1021.003", "drove an application through DCOM"},
	{"dcom", "RemoteGetClassObject", KIND_PREPARES, "T1021.003", "asked for an application through DCOM"},
	{"winreg", "BaseRegSetValue", KIND_PREPARES, "T1112", "wrote into the registry"},
	{"winreg", "BaseRegSaveKey", KIND_COMMAND, "T1003.002", "saved a hive of the registry"},
	{"shutdown", NULL, KIND_PREPARES, "T1529", "asked for a shutdown"},
	{"spoolss", "AddPrinterDriverEx", KIND_COMMAND, "T1068", "installed a printer driver"},
	{"spoolss", "RemoteFindFirstPrinterChangeNotificationEx", KIND_COERCES, "T1187",
	 "made the machine log in elsewhere"},
	{"efsrpc", "EfsRpcOpenFileRaw", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"efsrpc", "EfsRpcEncryptFileSrv", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"efsrpc", "EfsRpcDecryptFileSrv", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"dfsnm", "NetrDfsAddStdRoot", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"dfsnm", "NetrDfsRemoveStdRoot", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"fsrvp", "IsPathSupported", KIND_COERCES, "T1187", "made the machine log in elsewhere"},
	{"drsuapi", "GetNCChanges", KIND_REPLICATES, "T1003.006", "had the directory's secrets replicated to it"},
	{"drsuapi", "AddEntry", KIND_REPLICATES, "T1207", "entered itself among the directory's servers"},
	{"drsuapi", "ReplicaAdd", KIND_REPLICATES, "T1207", "entered itself among the directory's servers"},
	{"backupkey", "BackuprKey", KIND_PREPARES, "T1555", "asked for the domain's backup key"},
	{"netlogon", "NetrServerReqChallenge", KIND_GUESSES, "T1210", "guessed at a secure channel"},
};

#define ACTS (sizeof acts / sizeof acts[0])

static size_t act_of(const struct nj_tool *tool)
{
	for (size_t i = 0; tool->kind == NJ_TOOL_RPC && i < ACTS; i++)
		if (strcmp(tool->method, acts[i].interface) == 0 && tool->name[0] != '\0' &&
		    (acts[i].operation == NULL || strncmp(tool->name, acts[i].operation, sizeof tool->name - 1) == 0))
			return i;
	return ACTS;
}

static bool serves_directory(const struct nj_view *view)
{
	for (uint32_t i = 0; i < view->window->contacts_n; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		if (contact->role == NJ_ROLE_SERVER && (contact->port == 88 || contact->port == 389))
			return true;
	}
	return false;
}

static bool counts(const struct nj_view *view, const struct nj_tool *tool, size_t act)
{
	if (act == ACTS || tool->external)
		return false;
	if (acts[act].kind == KIND_GUESSES)
		return tool->calls >= CHALLENGES_MIN;
	return acts[act].kind != KIND_REPLICATES || !serves_directory(view);
}

static double ln_p_of(const struct nj_judgement *judgement, const struct nj_tool *tool, size_t act)
{
	uint64_t key = nj_fleet_service_key(&tool->peer, tool->port, 6, judgement->key);
	double users = nj_fleet_use(judgement->fleet, key, judgement->start_ns).agents;
	double share = judgement->prior->remote_command * (acts[act].kind == KIND_PREPARES ? WEAK_FACTOR : 1);
	bool shared = acts[act].kind == KIND_COMMAND || acts[act].kind == KIND_PREPARES;
	return nj_ln_clamp(log(fmin(share, 1)) / (shared && users > 2 ? 1 + log(users / 2) : 1));
}

/* Not done to that host by that interface within a day or two; it is known from now on. */
static bool is_new(const struct nj_judgement *judgement, struct nj_view *view, const struct nj_tool *tool, size_t act)
{
	struct nj_block_edges *edges = nj_profile_edges(view->profile);
	bool today;
	uint64_t key = nj_fleet_host_key(&tool->peer, judgement->key) ^
		       nj_hash64(tool->method, strlen(tool->method), judgement->key) ^ acts[act].kind;
	return edges != NULL && !nj_edges_meet(edges, judgement->start_ns, key, &today);
}

static uint32_t judge_remote(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	struct nj_score best = {.ln_p = 1};
	const struct nj_addr *last = NULL;
	uint32_t hosts = 0;
	for (uint32_t i = 0; i < window->tools_n; i++) {
		const struct nj_tool *tool = &window->tools[i];
		size_t act = act_of(tool);
		if (!counts(view, tool, act) || !is_new(judgement, view, tool, act))
			continue;
		double ln_p = ln_p_of(judgement, tool, act);
		hosts += last == NULL || !nj_addr_equal(&tool->peer, last); /* ascending by peer */
		last = &tool->peer;
		if (ln_p < best.ln_p)
			best = (struct nj_score){.kind = (uint8_t)i,
						 .slot = (uint8_t)act,
						 .class_key = 1,
						 .start_ns = tool->first_ns,
						 .value = -ln_p,
						 .ln_p = ln_p};
	}
	if (best.ln_p > 0)
		return 0;
	best.tests = 1;
	best.harm = hosts;
	ret_scores[0] = best;
	return 1;
}

static void explain_remote(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_window *window = view->window;
	const struct nj_tool *tool = &window->tools[score->kind];
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], more[48] = "";
	if (score->harm > 1)
		snprintf(more, sizeof more, " and did the like on %.0f more hosts", score->harm - 1);
	snprintf(alert->summary, sizeof alert->summary,
		 "%s %s on %s by remote procedure call (%s %s, %u %s)%s; it had not done so there before, and a benign "
		 "agent "
		 "does so once in %.0f days",
		 nj_addr_text(&view->profile->agent.addr, agent), acts[score->slot].words,
		 nj_addr_text(&tool->peer, peer), tool->method, tool->name, tool->calls,
		 tool->calls == 1 ? "call" : "calls", more, 1 / judgement->prior->remote_command);
	nj_alert_add_feature(alert, "remote_calls", "calls", tool->calls, 0, NAN, 1);
	nj_alert_add_feature(alert, "hosts", "hosts", score->harm, NAN, NAN, 0);
	nj_alert_add_technique(alert, acts[score->slot].technique);
	if (acts[score->slot].kind == KIND_COMMAND || acts[score->slot].kind == KIND_PREPARES)
		nj_alert_add_technique(alert, "T1021");
	nj_alert_add_technique(alert, "AML.T0091");
	for (uint32_t i = 0; i < window->contacts_n; i++)
		if (window->contacts[i].port == tool->port && window->contacts[i].role == NJ_ROLE_CLIENT &&
		    nj_addr_equal(&window->contacts[i].peer, &tool->peer))
			nj_alert_add_contact(alert, &view->profile->agent, &window->contacts[i]);
	if (alert->peers_n == 0)
		nj_alert_add_peer(alert, &view->profile->agent,
				  &(struct nj_alert_peer){.addr = tool->peer, .port = tool->port, .protocol = 6}, 0);
}

const struct nj_detector nj_detector_remote = {
	.name = "remote-command",
	.meaning = "commands run, or secrets taken, on another machine by remote procedure call",
	.family = "lateral",
	.permission = NJ_PERMIT_ADMIN,
	.permission_word = "admin",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 3,
	.harm_most = 30,
	.judge = judge_remote,
	.explain = explain_remote,
};
