// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages for the operator. See log.h. */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

#define LINE_SIZE	1024

static const char *speaker = "ctiha";
static int limit = LOG_LEVEL_INFO;
static bool journal;

/* systemd names its stream by device and inode; a redirection breaks the match. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return !fstat(STDERR_FILENO, &st) && st.st_dev == device &&
	       st.st_ino == inode;
}

void log_init(const char *program, int level)
{
	speaker = program;
	limit = level;
	journal = stderr_is_journal();
}

static int write_prefix(char *line, size_t size, int level)
{
	u64 now_ms = clock_now_ns() / CTIHA_NS_PER_MS;

	if (journal)
		return snprintf(line, size, "<%d>", level);
	return snprintf(line, size, "%s: [%llu.%03llu] ", speaker,
			(unsigned long long)now_ms / 1000,
			(unsigned long long)now_ms % 1000);
}

void log_write(int level, const char *format, ...)
{
	int saved = errno;
	char line[LINE_SIZE];
	size_t len;
	va_list args;

	if (level > limit)
		return;
	len = (size_t)write_prefix(line, sizeof(line) / 2, level);
	if (len >= sizeof(line) / 2)
		len = sizeof(line) / 2 - 1;
	errno = saved;	/* for %m */
	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';
	/* If it fails, nobody is left to be told. */
	len = (size_t)write(STDERR_FILENO, line, len);
	errno = saved;
}
