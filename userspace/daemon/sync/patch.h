/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A patch: what makes a record's new value of its old one. Of a call record that
 * changes, most stays as it is and where it is; only the bytes that are others now
 * need to travel.
 *
 * The new length, then runs: how many bytes stay, how many are new, and these. All
 * numbers are in the way of LEB128, least significant seven bits first. Behind
 * the last run everything stays.
 */
#ifndef CTIHA_PATCH_H
#define CTIHA_PATCH_H

#include <ctiha/base.h>

/**
 * patch_make() - compare two values
 * @to: room for @max bytes
 * @max: longest patch that is worth it
 *
 * Return: length of the patch, at least 1; 0 if it would be longer than @max.
 */
size_t patch_make(u8 *to, size_t max, const void *old, size_t old_len,
		  const void *new, size_t new_len);

/**
 * patch_apply() - make the new value
 * @to: room for @size bytes
 * @patch: @len bytes, hostile
 *
 * Return: length of the new value, or -EBADMSG if the patch is malformed, does not
 * fit the old value, or makes more than @size bytes.
 */
int patch_apply(u8 *to, size_t size, const void *old, size_t old_len,
		const void *patch, size_t len);

#endif /* CTIHA_PATCH_H */
