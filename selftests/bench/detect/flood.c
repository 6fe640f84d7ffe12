// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends RATE UDP datagrams per second to ADDRESS until killed: every millisecond
 * as many as are due. What is late is not made up for, so a busy CPU floods less.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PORT	9
#define SIZE	200

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	const struct timespec tick = { .tv_nsec = 1000000 };
	static char bytes[SIZE];
	int fd, i, burst;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fputs("usage: flood ADDRESS RATE\n", stderr);
		return 2;
	}
	burst = atoi(argv[2]) / 1000;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0) {
		perror("flood");
		return 1;
	}
	for (;;) {
		for (i = 0; i < burst; i++)
			sendto(fd, bytes, sizeof(bytes), 0,
			       (struct sockaddr *)&to, sizeof(to));
		nanosleep(&tick, NULL);
	}
}
