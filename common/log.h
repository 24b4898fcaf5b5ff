/* One line to standard error. For main programs only: a library returns its errors upwards. Any thread; a line is
 * written whole. Text is made safe for a terminal (common/label.h), whatever it quotes. Under systemd the line carries
 * its priority as a "<3>" prefix. */
#ifndef NJ_COMMON_LOG_H
#define NJ_COMMON_LOG_H

enum nj_log_level { NJ_LOG_ERROR = 3, NJ_LOG_WARNING = 4, NJ_LOG_NOTICE = 5 }; /* syslog priorities */

void nj_log_init(const char *program); /* *keeps* program */
void nj_log(enum nj_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
