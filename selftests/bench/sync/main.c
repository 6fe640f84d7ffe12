// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives a pair of servers that keep call records, as their application:
 *
 *	sync ctiha|redis SOCKET CALLS WINDOW
 *
 * It obeys commands on stdin, one a line, and answers each by a line of JSON:
 *
 *	fill			let all calls begin
 *	closed SECONDS		a window of updates under way
 *	paced RATE SECONDS	so many updates a second; any command ends it
 *	probed RATE SECONDS	the same, with a probe of the lag each millisecond
 *	nothing UPDATES		make them only: what the driver itself costs
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "run.h"

#define LINE_SIZE	128

void die(const char *why)
{
	fprintf(stderr, "sync: %s\n", why);
	exit(1);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool obey(struct run *r, const char *line)
{
	double a = 0, b = 0;
	char word[16];
	int n = sscanf(line, "%15s %lf %lf", word, &a, &b);

	if (n == 1 && !strcmp(word, "fill"))
		run_fill(r);
	else if (n == 2 && !strcmp(word, "closed"))
		run_closed(r, a);
	else if (n == 3 && !strcmp(word, "paced"))
		run_paced(r, a, b, false);
	else if (n == 3 && !strcmp(word, "probed"))
		run_paced(r, a, b, true);
	else if (n == 2 && !strcmp(word, "nothing"))
		run_nothing(r, (u64)a);
	else
		return !strcmp(word, "stop");
	return true;
}

static void tell(struct run *r, u64 issued, u64 safe, u64 ns, double cpu)
{
	printf("{\"updates\": %llu, \"safe\": %llu, \"live\": %u, \"seconds\": %.6f, \"cpu_s\": %.6f, ",
	       (unsigned long long)issued, (unsigned long long)safe,
	       r->calls.live, (double)ns / 1e9, cpu);
	printf("\"lag_p50_ms\": %.4f, \"lag_p99_ms\": %.4f, \"lag_max_ms\": %.4f, \"samples\": %zu, ",
	       samples_rank_ms(&r->lag, 0.5), samples_rank_ms(&r->lag, 0.99),
	       samples_rank_ms(&r->lag, 1), r->lag.count);
	printf("\"late_p99_ms\": %.4f}\n", samples_rank_ms(&r->late, 0.99));
	fflush(stdout);
}

static void loop(struct run *r)
{
	char line[LINE_SIZE];
	u64 issued, safe, ns;
	double cpu;

	for (;;) {
		run_idle(r);
		if (!fgets(line, sizeof(line), stdin))
			return;
		issued = r->issued;
		safe = r->safe;
		ns = clock_now_ns();
		cpu = cpu_s();
		if (!obey(r, line))
			die("this command is not known");
		tell(r, r->issued - issued, r->safe - safe,
		     clock_now_ns() - ns, cpu_s() - cpu);
	}
}

int main(int argc, char **argv)
{
	static const struct target_kind *const kinds[] = {
		&target_ctiha, &target_redis,
	};
	static struct run run;
	unsigned int i;

	if (argc != 5)
		die("usage: sync ctiha|redis SOCKET CALLS WINDOW");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i]->name))
			continue;
		run.target = kinds[i]->open(argv[2]);
		run.target->kind = kinds[i];
	}
	if (!run.target)
		die("neither ctiha nor redis");
	run.window = (u32)strtoul(argv[4], NULL, 10);
	if (!run.window || run.window > RUN_SENT / 2 ||
	    calls_init(&run.calls, (u32)strtoul(argv[3], NULL, 10)))
		die("too many calls, or too large a window");
	/* Commands are read when poll() tells of them: none may hide in a buffer. */
	setvbuf(stdin, NULL, _IONBF, 0);
	loop(&run);
	return 0;
}
