// SPDX-License-Identifier: GPL-2.0-or-later
/* Values that people write: from text to data. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "common/value.h"

/*
 * Reads "123" or, if @scale is not 1, "1.5": the number times scale, exactly.
 * Returns the rest of the text, or NULL if there is no number or it is huge.
 */
static const char *read_decimal(const char *text, u64 scale, u64 *number)
{
	u64 n = 0, digit;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++) {
		digit = (u64)(*text - '0') * scale;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digit, &n))
			return NULL;
	}
	if (*text == '.' && scale > 1 && isdigit((unsigned char)text[1])) {
		for (text++; isdigit((unsigned char)*text); text++) {
			if (scale % 10 && *text != '0')
				return NULL;
			scale /= 10;
			if (__builtin_add_overflow(n, (*text - '0') * scale,
						   &n))
				return NULL;
		}
	}
	*number = n;
	return text;
}

const char *value_number(const char *text, u64 *number)
{
	const char *rest = read_decimal(text, 1, number);

	return rest && !*rest ? NULL : "is no whole number";
}

struct unit {
	const char *name;
	u64 scale;
};

static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "min", 60000000000 },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "K", 1ULL << 10 },
	{ "M", 1ULL << 20 },
	{ "G", 1ULL << 30 },
	{ "T", 1ULL << 40 },
	{ NULL, 0 },
};

static const struct unit shares[] = {
	{ "ppm", 1 },
	{ "%", 10000 },
	{ NULL, 0 },
};

/* A number and its unit. */
static const char *read_unit(const char *text, const struct unit *units,
			     u64 *number, const char *no_unit,
			     const char *no_number)
{
	size_t digits = strspn(text, "0123456789.");
	const char *rest;

	if (!digits)
		return no_number;
	for (; units->name; units++) {
		if (strcmp(text + digits, units->name))
			continue;
		rest = read_decimal(text, units->scale, number);
		return rest == text + digits ? NULL : no_number;
	}
	return text[digits] ? no_number : no_unit;
}

const char *value_duration(const char *text, u64 *ns)
{
	return read_unit(text, durations, ns,
			 "has no unit (ns, us, ms, s or min)",
			 "is no duration");
}

const char *value_size(const char *text, u64 *bytes)
{
	return read_unit(text, sizes, bytes, "is no size", "is no size");
}

const char *value_share(const char *text, u64 *ppm)
{
	return read_unit(text, shares, ppm, "has no unit (% or ppm)",
			 "is no share");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(const char *text)
{
	int high = hex_digit(text[0]);
	int low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

const char *value_mac(const char *text, u8 mac[6])
{
	int i, byte;

	if (strlen(text) != 17)
		return "is no hardware address";
	for (i = 0; i < 6; i++) {
		byte = hex_byte(text + i * 3);
		if (byte < 0 || (i < 5 && text[i * 3 + 2] != ':'))
			return "is no hardware address";
		mac[i] = byte;
	}
	return mac[0] & 1 ? "is a group's hardware address" : NULL;
}

const char *value_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		in->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		in6->sin6_family = AF_INET6;
	else
		return "is no IPv4 or IPv6 address";
	return NULL;
}

const char *value_network(const char *text, int *family, u8 *address,
			  u8 *prefix)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	u64 bits;

	if (!slash)
		return "has no prefix length";
	if ((size_t)(slash - text) >= sizeof(host))
		return "is no IPv4 or IPv6 address";
	memcpy(host, text, slash - text);
	host[slash - text] = 0;
	memset(address, 0, 16);
	*family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(*family, host, address) != 1)
		return "is no IPv4 or IPv6 address";
	if (value_number(slash + 1, &bits) || !bits ||
	    bits > (*family == AF_INET ? 32 : 128))
		return "has a wrong prefix length";
	*prefix = bits;
	return NULL;
}

const char *value_device(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > 15 || !strcmp(text, ".") || !strcmp(text, ".."))
		return "is no device name";
	for (; *text; text++)
		if (!isgraph((unsigned char)*text) || strchr("/:", *text))
			return "is no device name";
	return NULL;
}

const char *value_name(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > 63)
		return "is not 1 to 63 characters long";
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
			return "has other characters than letters, digits, '.', '_' and '-'";
	return NULL;
}

const char *value_path(const char *text, size_t size)
{
	if (*text != '/')
		return "is no absolute path";
	return strlen(text) < size ? NULL : "is too long";
}

const char *value_key(const char *text, size_t len, u8 key[32])
{
	u8 any = 0;
	int i, byte;

	if (len == 65 && text[64] == '\n')
		len--;
	if (len != 64)
		return "does not hold 64 hexadecimal digits";
	for (i = 0; i < 32; i++) {
		byte = hex_byte(text + i * 2);
		if (byte < 0)
			return "does not hold 64 hexadecimal digits";
		key[i] = byte;
		any |= byte;
	}
	return any ? NULL : "holds nothing but zeros";
}

void value_format_duration(u64 ns, char text[VALUE_TEXT_LEN])
{
	const struct unit *u = &durations[3];
	int len, width = 0;
	u64 scale;

	while (u > durations && ns < u->scale)
		u--;
	for (scale = u->scale; scale > 1; scale /= 10)
		width++;
	len = snprintf(text, VALUE_TEXT_LEN, "%llu.%0*llu",
		       (unsigned long long)(ns / u->scale), width,
		       (unsigned long long)(ns % u->scale));
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	snprintf(text + len, VALUE_TEXT_LEN - len, "%s", u->name);
}
