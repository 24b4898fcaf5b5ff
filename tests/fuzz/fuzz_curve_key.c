/* Any bytes as a key file of either kind: at most one key comes out of it, and only one that the file spells; what is
 * refused names the file and leaves the key alone. */
#include "common/curve_key.h"

#include <assert.h>
#include <string.h>

static bool contains(const uint8_t *data, size_t size, const char *text)
{
	return memmem(data, size, text, strlen(text)) != NULL;
}

static void try_kind(const uint8_t *data, size_t size, enum nj_curve_kind kind)
{
	static const struct nj_curve_key before = {{1, 2, 3}};
	struct nj_message message = {""};
	struct nj_curve_key key = before;
	char text[NJ_CURVE_TEXT_BYTES];
	int err = nj_curve_file_parse("fuzz", (const char *)data, size, kind, &message, &key);
	if (err == NJ_OK) {
		nj_curve_key_text(&key, text);
		assert(contains(data, size, text));
		assert(contains(data, size, kind == NJ_CURVE_PUBLIC ? "public " : "secret "));
		return;
	}
	assert(err == NJ_ERR_USAGE || err == NJ_ERR_FORMAT);
	assert(strncmp(message.text, "fuzz: ", 6) == 0);
	assert(nj_curve_key_equal(&key, &before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_kind(data, size, NJ_CURVE_PUBLIC);
	try_kind(data, size, NJ_CURVE_SECRET);
	return 0;
}
