// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of contents: names, who writes them, whose records need a restorer. */
#include "kselftest_harness.h"

#include "daemon/sync/content.h"

TEST(known_contents_have_names_and_others_numbers)
{
	char text[CONTENT_NAME_LEN];

	EXPECT_STREQ("call", content_name(1, text));
	EXPECT_STREQ("agent", content_name(2, text));
	EXPECT_STREQ("route", content_name(3, text));
	EXPECT_STREQ("server", content_name(4, text));
	EXPECT_STREQ("application", content_name(5, text));
	EXPECT_STREQ("dictionary", content_name(6, text));
	EXPECT_STREQ("call-state", content_name(7, text));
	EXPECT_STREQ("8", content_name(8, text));
	EXPECT_STREQ("255", content_name(255, text));
	EXPECT_STREQ("65535", content_name(65535, text));
	EXPECT_STREQ("0", content_name(0, text));
}

TEST(applications_write_what_is_known_and_not_the_syncs_own)
{
	unsigned int content;

	for (content = 0; content <= 0xffff; content++)
		EXPECT_EQ(content >= 1 && content <= 7 && content != 6,
			  content_writable((u16)content)) {
			TH_LOG("content %u", content);
		}
}

TEST(only_the_dictionary_has_a_restorer)
{
	unsigned int content;

	for (content = 0; content <= 0xffff; content++)
		EXPECT_EQ(content == SYNC_CONTENT_DICTIONARY ? 1 << 6 : 0,
			  content_bit((u16)content));
}

TEST_HARNESS_MAIN
