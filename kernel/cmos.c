// SPDX-License-Identifier: GPL-2.0
/*
 * The real-time clock. See cmos.h.
 *
 * A real one must not be read while it updates itself (UIP), which takes up to 2 ms of
 * each second. An emulated one computes its registers when they are read, so nothing
 * here waits: a date is right if its second is still the same after all of it was
 * read. While the time of the day has not changed, neither has the date.
 */
#include <linux/bcd.h>
#include <linux/mc146818rtc.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <asm/cpufeature.h>

#include "cmos.h"

#define TRIES	3	/* its second does not change twice in a few microseconds */

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

#define TIME_OF_DAY	DAY	/* fields before the date */

static const u8 registers[FIELDS] = {
	[SECOND] = RTC_SECONDS,
	[MINUTE] = RTC_MINUTES,
	[HOUR] = RTC_HOURS,
	[DAY] = RTC_DAY_OF_MONTH,
	[MONTH] = RTC_MONTH,
	[YEAR] = RTC_YEAR,
};

/* What was read last, and what it means; rtc_lock. */
static u8 last[FIELDS];
static s64 last_second;

bool ctiha_cmos_is_virtual(void)
{
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

/* Linux has it count in BCD, and 24 hours. */
static void read_fields(u8 *fields, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		fields[i] = bcd2bin(CMOS_READ(registers[i]));
}

static bool is_date(const u8 *fields)
{
	return fields[SECOND] < 60 && fields[MINUTE] < 60 &&
	       fields[HOUR] < 24 && fields[DAY] >= 1 && fields[DAY] <= 31 &&
	       fields[MONTH] >= 1 && fields[MONTH] <= 12;
}

static int read_date(void)
{
	unsigned int tries = TRIES;
	u8 second;

	do {
		if (!tries--)
			return -ENODEV;
		read_fields(last, FIELDS);
		read_fields(&second, 1);
	} while (second != last[SECOND]);
	if (!is_date(last))
		return -ENODEV;
	last_second = mktime64(2000 + last[YEAR], last[MONTH], last[DAY],
			       last[HOUR], last[MINUTE], last[SECOND]);
	return 0;
}

int ctiha_cmos_read(s64 *second)
{
	u8 now[TIME_OF_DAY];
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&rtc_lock, flags);
	read_fields(now, TIME_OF_DAY);
	if (!last_second || memcmp(now, last, sizeof(now)))
		err = read_date();
	if (err)
		last_second = 0;
	*second = last_second;
	spin_unlock_irqrestore(&rtc_lock, flags);
	return err;
}
