/* `nightjar keygen NAME...`: for each name a pair of keys for encrypted links, NAME.key (secret, mode 0600) and
 * NAME.pub. A sensor's NAME is its sensor id: its NAME.pub, put into an aggregator's folder of authorised sensors,
 * makes it one that may deliver. Nothing is ever overwritten; of a pair that cannot be written whole nothing stays. */
#include "cli/verbs.h"

#include "common/batch.h"
#include "common/link.h"

#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE_MAX 4096

/* Where a pair goes, and what its files say of themselves. */
struct target {
	const char *name;
	char secret_path[PATH_SIZE_MAX], public_path[PATH_SIZE_MAX];
};

static int make_target(const char *folder, const char *name, struct nj_message *message, struct target *ret_target)
{
	struct target *t = ret_target;
	if (!nj_is_sensor_name(name))
		return nj_fail(message, NJ_ERR_USAGE, "'%.80s' is no name of 1 to %d letters, digits, '-', '_' and '.'",
			       name, NJ_SENSOR_ID_MAX - 1);
	t->name = name;
	int secret = snprintf(t->secret_path, sizeof t->secret_path, "%s/%s.key", folder, name);
	int public = snprintf(t->public_path, sizeof t->public_path, "%s/%s.pub", folder, name);
	if (secret >= PATH_SIZE_MAX || public >= PATH_SIZE_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "%.80s...: too long a path", folder);
	return NJ_OK;
}

static int write_pair(const struct target *t, const struct nj_curve_key *public_key,
		      const struct nj_curve_key *secret_key, struct nj_message *message)
{
	char comment[256];
	snprintf(comment, sizeof comment, "Nightjar: secret key of %s. Whoever has it can speak as %s.", t->name,
		 t->name);
	int error = nj_curve_file_write(t->secret_path, NJ_CURVE_SECRET, secret_key, comment, message);
	if (error != NJ_OK)
		return error;
	snprintf(comment, sizeof comment, "Nightjar: public key of %s.", t->name);
	error = nj_curve_file_write(t->public_path, NJ_CURVE_PUBLIC, public_key, comment, message);
	if (error != NJ_OK)
		unlink(t->secret_path);
	return error;
}

static int make_pair(const struct target *t, struct nj_message *message)
{
	struct nj_curve_key public_key, secret_key;
	int error = nj_link_new_keys(&public_key, &secret_key);
	if (error != NJ_OK)
		return nj_fail(message, error, "no keys: the ZeroMQ library was built without CURVE");
	error = write_pair(t, &public_key, &secret_key, message);
	nj_curve_key_wipe(&secret_key);
	return error;
}

enum nj_exit nj_keygen_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct nj_message message = {""};
	struct target target;
	int error = NJ_OK;
	for (uint32_t i = 0; i < arguments->operands_n && error == NJ_OK; i++) {
		error = make_target(arguments->directory, arguments->operands[i], &message, &target);
		if (error == NJ_OK)
			error = make_pair(&target, &message);
		if (error == NJ_OK)
			fprintf(console->out,
				"%s: secret, stays on the machine of %s\n%s: public, goes to the other side\n",
				target.secret_path, target.name, target.public_path);
	}
	if (error == NJ_OK)
		error = nj_console_flush(console, &message);
	return error == NJ_OK || error == NJ_ERR_AGAIN ? NJ_EXIT_DONE
						       : nj_verb_fail(arguments, console, error, &message);
}
