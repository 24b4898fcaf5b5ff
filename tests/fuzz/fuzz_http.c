/* A request, an answer, or header lines. */
#include "sensor/http.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_http_request request;
	uint16_t status;
	if (nj_http_request(data, size, &request) == NJ_PARSE_DONE) {
		assert(request.method[0] != '\0');
		assert(request.head_bytes <= size);
		assert(strlen(request.path) <= request.path_bytes);
	}
	if (nj_http_status(data, size, &status) == NJ_PARSE_DONE) {
		assert(status >= 100);
		assert(status <= 999);
		struct nj_http_answer answer;
		assert(nj_http_answer(data, size, &answer) == NJ_PARSE_DONE);
		assert(answer.status == status);
	}
	struct nj_cursor head = nj_cursor_make(data, size);
	struct nj_http_text name, value;
	while (nj_http_header_next(&head, &name, &value))
		assert(name.at >= data && name.size + value.size <= size && value.at + value.size <= data + size);
	return 0;
}
