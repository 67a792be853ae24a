// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine takes to fetch a line of memory that nobody has just used:
 * loads that wait for each other, at random in areas of several sizes, in pages
 * of 4 KiB as a BPF map has them. Prints one JSON array.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define LINE 64
#define LOADS 1000000

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* One cycle through all lines, in random order (Sattolo): the next one is known when this one is there. */
static void link_lines(char *at, size_t lines)
{
	uint32_t *order = malloc(lines * sizeof(*order));

	if (!order)
		exit(1);
	for (size_t i = 0; i < lines; i++)
		order[i] = i;
	for (size_t i = lines - 1; i > 0; i--) {
		size_t k = random() % i;
		uint32_t t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (size_t i = 0; i < lines; i++)
		*(char **)(at + (size_t)order[i] * LINE) = at + (size_t)order[(i + 1) % lines] * LINE;
	free(order);
}

static double fetch_ns(size_t mib)
{
	size_t size = mib << 20;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *volatile end;
	char *next = at;
	double begin;

	if (at == MAP_FAILED)
		exit(1);
	madvise(at, size, MADV_NOHUGEPAGE);
	link_lines(at, size / LINE);
	for (int n = 0; n < LOADS / 10; n++)
		next = *(char **)next;
	begin = now_ns();
	for (int n = 0; n < LOADS; n++)
		next = *(char **)next;
	begin = (now_ns() - begin) / LOADS;
	end = next; /* or the compiler leaves it all out */
	(void)end;
	munmap(at, size);
	return begin;
}

int main(int argc, char **argv)
{
	static const size_t mib[] = { 1, 4, 16, 64, 256 };
	cpu_set_t cpu;

	if (argc != 2) {
		fputs("usage: memory CPU\n", stderr);
		return 2;
	}
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[1]), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	for (size_t i = 0; i < sizeof(mib) / sizeof(*mib); i++)
		printf("%s{\"mib\": %zu, \"ns\": %.1f}", i ? ", " : "[", mib[i], fetch_ns(mib[i]));
	puts("]");
	return 0;
}
