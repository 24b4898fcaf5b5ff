/* Operational failures, as every fallible function of Nightjar returns them: 0 or one of these negative values, to be
 * passed up and logged once by a main program. Hostile input is no error but a counted drop reason; a programmer's
 * mistake is an assert. */
#ifndef NJ_COMMON_ERROR_H
#define NJ_COMMON_ERROR_H

#define NJ_ERRORS(X)                                                                                                   \
	X(NJ_ERR_MEMORY, -1, "out of memory")                                                                          \
	X(NJ_ERR_IO, -2, "input or output failed")                                                                     \
	X(NJ_ERR_NOT_FOUND, -3, "not found")                                                                           \
	X(NJ_ERR_PERMISSION, -4, "permission denied")                                                                  \
	X(NJ_ERR_FORMAT, -5, "malformed data")                                                                         \
	X(NJ_ERR_TRUNCATED, -6, "data ends too early")                                                                 \
	X(NJ_ERR_VERSION, -7, "version not supported")                                                                 \
	X(NJ_ERR_LIMIT, -8, "a stated limit is exceeded")                                                              \
	X(NJ_ERR_USAGE, -9, "wrong usage or configuration")                                                            \
	X(NJ_ERR_DB, -10, "database failed")                                                                           \
	X(NJ_ERR_LINK, -11, "link failed")                                                                             \
	X(NJ_ERR_AGAIN, -12, "nothing now, try later")

enum nj_error {
	NJ_OK = 0,
#define NJ_ERROR_ENUM(name, value, words) name = value,
	NJ_ERRORS(NJ_ERROR_ENUM)
#undef NJ_ERROR_ENUM
};

#define NJ_MUST_CHECK __attribute__((warn_unused_result))

/* Exit codes of every program. */
enum nj_exit {
	NJ_EXIT_DONE = 0,
	NJ_EXIT_FINDINGS = 1, /* only where asked for with --fail-on */
	NJ_EXIT_USAGE = 2,    /* wrong option or configuration */
	NJ_EXIT_FAILURE = 3,  /* anything else that went wrong */
};

/* The words for an error; *returns borrowed* static text, "unknown error" for a value that is none. */
const char *nj_error_text(int error);

/* A message that names the place: what was read, where, what is wrong. Filled by functions that take one; callers print
 * it. */
struct nj_message {
	char text[512];
};

/* Formats into *message* (NULL allowed: nothing is kept) and returns *error*, so that a failing function can end with
 * it. */
int nj_fail(struct nj_message *message, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
