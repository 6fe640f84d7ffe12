/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for the operator, one line each, to standard error. Under systemd
 * they carry the journal's level, elsewhere the program's name and a monotonic
 * time, which can be compared with the times of events.
 *
 * Thread safe: each message is one write. Limiting their rate is up to callers.
 */
#ifndef CTIHA_LOG_H
#define CTIHA_LOG_H

/* The levels of syslog, as the journal reads them. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/**
 * log_init() - say who speaks and how much
 * @program: name before each message; not copied
 * @level: highest enum log_level that is written
 *
 * Until it is called the name is "ctiha" and the level LOG_LEVEL_INFO.
 */
void log_init(const char *program, int level);

/**
 * log_write() - write one message
 * @level: enum log_level
 * @format: as for printf(); without a newline at the end
 *
 * Longer messages are cut at about 1000 bytes. errno is kept.
 */
void log_write(int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)		log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)	log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)		log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)		log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* CTIHA_LOG_H */
