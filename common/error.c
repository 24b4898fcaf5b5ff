/* The words of the error codes, and messages that name the place. */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *nj_error_text(int error)
{
	switch (error) {
	case NJ_OK:
		return "no error";
#define NJ_ERROR_CASE(name, value, words)                                                                              \
	case value:                                                                                                    \
		return words;
		NJ_ERRORS(NJ_ERROR_CASE)
#undef NJ_ERROR_CASE
	default:
		return "unknown error";
	}
}

int nj_fail(struct nj_message *message, int error, const char *format, ...)
{
	if (message != NULL) {
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(message->text, sizeof message->text, format, arguments);
		va_end(arguments);
	}
	return error;
}
