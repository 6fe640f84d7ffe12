// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small files that survive a power cut. See durable.h.
 *
 * Write to a temporary file, fsync, rename over the old one, fsync the
 * directory. The checksum covers the file's name, so that a file copied to
 * another name is noticed as well.
 */
#include "common/durable.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static const u8 magic[8] = "ctihaDF1";

struct file_head {
	u8 magic[8];
	__be32 len;
	u8 zero[4];
	u8 digest[SHA256_DIGEST_SIZE];
} __packed;

struct file_image {
	struct file_head head;
	u8 data[DURABLE_MAX];
} __packed;

static bool name_is_good(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') &&
	       strlen(name) < 200;
}

static int directory_open(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void digest(const char *name, const void *data, size_t len,
		   u8 out[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(name) + 1, (const u8 *)name);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
}

static int write_all(int fd, const void *data, size_t len)
{
	const u8 *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(int dir_fd, const char *name, const void *data,
		      size_t len)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC |
			O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, data, len);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int replace(int dir_fd, const char *name, const void *data, size_t len)
{
	char temporary[256];
	int err;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	err = write_file(dir_fd, temporary, data, len);
	if (!err && renameat(dir_fd, temporary, dir_fd, name))
		err = -errno;
	if (err) {
		unlinkat(dir_fd, temporary, 0);
		return err;
	}
	return fsync(dir_fd) ? -errno : 0;
}

int durable_write(const char *dir, const char *name, const void *data,
		  size_t len)
{
	struct file_image image = { 0 };
	int dir_fd, err;

	if (!name_is_good(name) || len > DURABLE_MAX)
		return -EINVAL;
	memcpy(image.head.magic, magic, sizeof(magic));
	image.head.len = cpu_to_be32((u32)len);
	digest(name, data, len, image.head.digest);
	memcpy(image.data, data, len);
	dir_fd = directory_open(dir);
	if (dir_fd < 0)
		return dir_fd;
	err = replace(dir_fd, name, &image, sizeof(image.head) + len);
	close(dir_fd);
	return err;
}

/* Reads one byte more than allowed, to notice a file that is too long. */
static ssize_t read_file(int fd, u8 *buf, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, buf + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static ssize_t read_image(const char *dir, const char *name,
			  u8 *buf, size_t size)
{
	int dir_fd = directory_open(dir);
	ssize_t n;
	int fd;

	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = fd < 0 ? -errno : read_file(fd, buf, size);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return n;
}

static bool image_is_good(const struct file_image *image, size_t size,
			  const char *name)
{
	static const u8 zero[sizeof(image->head.zero)];
	u8 expected[SHA256_DIGEST_SIZE];
	size_t len;

	if (size < sizeof(image->head) || size > sizeof(*image))
		return false;
	len = be32_to_cpu(image->head.len);
	if (memcmp(image->head.magic, magic, sizeof(magic)) ||
	    memcmp(image->head.zero, zero, sizeof(zero)) ||
	    len != size - sizeof(image->head))
		return false;
	digest(name, image->data, len, expected);
	return !memcmp(expected, image->head.digest, sizeof(expected));
}

ssize_t durable_read(const char *dir, const char *name, void *buf, size_t size)
{
	struct {
		struct file_image image;
		u8 beyond;
	} read;
	ssize_t n;
	size_t len;

	if (!name_is_good(name))
		return -EINVAL;
	n = read_image(dir, name, (u8 *)&read, sizeof(read));
	if (n < 0)
		return n;
	if (!image_is_good(&read.image, (size_t)n, name))
		return -EBADMSG;
	len = (size_t)n - sizeof(read.image.head);
	if (len > size)
		return -ENOSPC;
	memcpy(buf, read.image.data, len);
	return (ssize_t)len;
}

int durable_lock(const char *dir)
{
	int dir_fd = directory_open(dir);
	int err = 0;

	if (dir_fd < 0)
		return dir_fd;
	if (flock(dir_fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!err)
		return dir_fd;
	close(dir_fd);
	return err;
}
