// SPDX-License-Identifier: GPL-2.0-or-later
/* Key files. See keyfile.h. */
#include "arbiter/keyfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_LEN	((size_t)2 * CTIHA_KEY_LEN)

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool decode(const char *text, size_t len, u8 key[CTIHA_KEY_LEN])
{
	size_t i;

	if (len == TEXT_LEN + 1 && text[TEXT_LEN] == '\n')
		len--;
	if (len != TEXT_LEN)
		return false;
	for (i = 0; i < CTIHA_KEY_LEN; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (u8)(high << 4 | low);
	}
	return true;
}

static const char *read_open(int fd, u8 key[CTIHA_KEY_LEN])
{
	char text[TEXT_LEN + 2];
	const char *wrong = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return "is not a regular file; name the file with the pair's key";
	if (st.st_mode & 0027)
		return "can be read by others; chmod 600 it, and make a new key if they may have done so";
	n = read(fd, text, sizeof(text));
	if (n < 0 || !decode(text, (size_t)n, key))
		wrong = "is not a key; write one by: openssl rand -hex 32";
	explicit_bzero(text, sizeof(text));
	return wrong;
}

const char *keyfile_read(const char *path, u8 key[CTIHA_KEY_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *wrong;

	if (fd < 0 && errno == ENOENT)
		return "does not exist; copy the pair's key file to it";
	if (fd < 0)
		return "cannot be opened; check its owner and permissions";
	wrong = read_open(fd, key);
	close(fd);
	return wrong;
}
