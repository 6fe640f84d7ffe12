// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Durable files: the old content or the new one, whole, and nothing that is
 * damaged is ever believed.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/durable.h"

FIXTURE(durable)
{
	char dir[64];
	char path[128];
	char temporary[128];
};

FIXTURE_SETUP(durable)
{
	strcpy(self->dir, "/tmp/durable_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/thing", self->dir);
	snprintf(self->temporary, sizeof(self->temporary), "%s/.thing.new",
		 self->dir);
}

FIXTURE_TEARDOWN(durable)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/other", self->dir);
	unlink(other);
	unlink(self->path);
	unlink(self->temporary);
	rmdir(self->dir);
}

/* The file as it is on the disk. */
static size_t raw_read(const char *path, u8 *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, size);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void raw_write(const char *path, const u8 *buf, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (write(fd, buf, len) != (ssize_t)len)
		abort();
	close(fd);
}

TEST_F(durable, content_comes_back)
{
	char buf[16];

	ASSERT_EQ(0, durable_write(self->dir, "thing", "hello", 5));
	ASSERT_EQ(5, durable_read(self->dir, "thing", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	ASSERT_EQ(0, durable_write(self->dir, "thing", "bye", 3));
	ASSERT_EQ(3, durable_read(self->dir, "thing", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "bye", 3));
	EXPECT_NE(0, access(self->temporary, F_OK));
}

TEST_F(durable, empty_and_largest_content)
{
	static u8 large[DURABLE_MAX + 1], buf[DURABLE_MAX];

	memset(large, 0xA5, sizeof(large));
	ASSERT_EQ(0, durable_write(self->dir, "thing", "", 0));
	EXPECT_EQ(0, durable_read(self->dir, "thing", buf, sizeof(buf)));
	ASSERT_EQ(0, durable_write(self->dir, "thing", large, DURABLE_MAX));
	ASSERT_EQ(DURABLE_MAX, durable_read(self->dir, "thing", buf,
					    sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, large, DURABLE_MAX));
	EXPECT_EQ(-EINVAL, durable_write(self->dir, "thing", large,
					 DURABLE_MAX + 1));
}

TEST_F(durable, others_may_not_read_it)
{
	struct stat st;

	ASSERT_EQ(0, durable_write(self->dir, "thing", "x", 1));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
}

TEST_F(durable, missing_is_not_damaged)
{
	char buf[16];

	EXPECT_EQ(-ENOENT, durable_read(self->dir, "thing", buf, sizeof(buf)));
	EXPECT_EQ(-ENOENT, durable_write("/nonexistent", "thing", "x", 1));
}

TEST_F(durable, bad_names_are_refused)
{
	static const char *const names[] = { "", ".", "..", ".thing", "a/b" };
	char buf[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(-EINVAL, durable_write(self->dir, names[i], "x", 1));
		EXPECT_EQ(-EINVAL, durable_read(self->dir, names[i], buf,
						sizeof(buf)));
	}
}

TEST_F(durable, too_small_a_buffer_is_told)
{
	char buf[4];

	ASSERT_EQ(0, durable_write(self->dir, "thing", "hello", 5));
	EXPECT_EQ(-ENOSPC, durable_read(self->dir, "thing", buf, sizeof(buf)));
}

TEST_F(durable, every_flipped_bit_is_noticed)
{
	u8 good[256], bad[256];
	char buf[64];
	size_t len, bit;

	ASSERT_EQ(0, durable_write(self->dir, "thing", "0123456789", 10));
	len = raw_read(self->path, good, sizeof(good));
	ASSERT_LT(10, len);
	for (bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, good, len);
		bad[bit / 8] ^= (u8)(1 << bit % 8);
		raw_write(self->path, bad, len);
		EXPECT_EQ(-EBADMSG, durable_read(self->dir, "thing", buf,
						 sizeof(buf)))
			TH_LOG("bit %zu", bit);
	}
}

TEST_F(durable, every_cut_and_every_surplus_is_noticed)
{
	static u8 image[2 * DURABLE_MAX];
	char buf[64];
	size_t len, cut;

	ASSERT_EQ(0, durable_write(self->dir, "thing", "0123456789", 10));
	len = raw_read(self->path, image, sizeof(image));
	for (cut = 0; cut < len; cut++) {
		raw_write(self->path, image, cut);
		EXPECT_EQ(-EBADMSG, durable_read(self->dir, "thing", buf,
						 sizeof(buf)));
	}
	raw_write(self->path, image, len + 1);
	EXPECT_EQ(-EBADMSG, durable_read(self->dir, "thing", buf, sizeof(buf)));
	raw_write(self->path, image, sizeof(image));
	EXPECT_EQ(-EBADMSG, durable_read(self->dir, "thing", buf, sizeof(buf)));
}

TEST_F(durable, file_under_another_name_is_foreign)
{
	u8 image[256];
	char buf[64], other[128];
	size_t len;

	ASSERT_EQ(0, durable_write(self->dir, "thing", "x", 1));
	len = raw_read(self->path, image, sizeof(image));
	snprintf(other, sizeof(other), "%s/other", self->dir);
	raw_write(other, image, len);
	EXPECT_EQ(-EBADMSG, durable_read(self->dir, "other", buf, sizeof(buf)));
}

TEST_F(durable, left_over_temporary_file_does_no_harm)
{
	char buf[64];

	raw_write(self->temporary, (const u8 *)"half of some", 12);
	ASSERT_EQ(0, durable_write(self->dir, "thing", "x", 1));
	EXPECT_EQ(1, durable_read(self->dir, "thing", buf, sizeof(buf)));
}

TEST_F(durable, links_are_not_followed)
{
	char buf[64], other[128];

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, durable_write(self->dir, "other", "x", 1));
	ASSERT_EQ(0, symlink("other", self->temporary));
	EXPECT_EQ(-ELOOP, durable_write(self->dir, "thing", "y", 1));
	EXPECT_EQ(1, durable_read(self->dir, "other", buf, sizeof(buf)));
	ASSERT_EQ(0, symlink("other", self->path));
	EXPECT_EQ(-ELOOP, durable_read(self->dir, "thing", buf, sizeof(buf)));
}

TEST_F(durable, failed_write_keeps_the_old_content)
{
	struct rlimit none = { 0, RLIM_INFINITY }, before;
	char buf[64];

	ASSERT_EQ(0, durable_write(self->dir, "thing", "old", 3));
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	EXPECT_EQ(-EFBIG, durable_write(self->dir, "thing", "newer", 5));
	setrlimit(RLIMIT_FSIZE, &before);
	EXPECT_NE(0, access(self->temporary, F_OK));
	ASSERT_EQ(3, durable_read(self->dir, "thing", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "old", 3));
}

/* Content n is n times the byte n, so that a mixture would be seen. */
static void write_for_ever(const char *dir)
{
	u8 data[256];
	unsigned int n;

	for (n = 1;; n = n % 250 + 1) {
		memset(data, (int)n, n);
		if (durable_write(dir, "thing", data, n))
			_exit(1);
	}
}

TEST_F(durable, killed_writer_leaves_whole_content)
{
	unsigned int i, k;
	u8 buf[256];

	ASSERT_EQ(0, durable_write(self->dir, "thing", "\1", 1));
	for (i = 0; i < 40; i++) {
		pid_t child = fork();
		ssize_t n;
		int status;

		ASSERT_LE(0, child);
		if (!child)
			write_for_ever(self->dir);
		usleep(500 + i * 97);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		ASSERT_TRUE(WIFSIGNALED(status));
		n = durable_read(self->dir, "thing", buf, sizeof(buf));
		ASSERT_LT(0, n);
		for (k = 0; k < n; k++)
			ASSERT_EQ(n, buf[k]);
	}
}

TEST_F(durable, directory_has_one_owner)
{
	int lock = durable_lock(self->dir);

	ASSERT_LE(0, lock);
	EXPECT_EQ(-EBUSY, durable_lock(self->dir));
	close(lock);
	lock = durable_lock(self->dir);
	EXPECT_LE(0, lock);
	close(lock);
	EXPECT_EQ(-ENOENT, durable_lock("/nonexistent"));
}

TEST_HARNESS_MAIN
