/* An endpoint file from anybody: refused with words or read, and then any name, path and header may be asked for. */
#include "common/ai_endpoints.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_ai_endpoints endpoints;
	struct nj_message message = {0};
	memset(&endpoints, 0, sizeof endpoints);
	if (nj_ai_endpoints_parse(&endpoints, "fuzz", (const char *)data, size, &message) != NJ_OK)
		assert(message.text[0] != '\0');
	for (uint32_t i = 0; i < endpoints.names_n; i++) /* what was read is found, unless another goes before it */
		if (strchr(endpoints.name[i].pattern, '*') == NULL)
			assert(nj_ai_endpoints_name(&endpoints, endpoints.name[i].pattern) != NULL);
	char *text = malloc(size + 1);
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)nj_ai_endpoints_name(&endpoints, text);
	(void)nj_ai_endpoints_path(&endpoints, text);
	(void)nj_ai_endpoints_header(&endpoints, text, size);
	free(text);
	return 0;
}
