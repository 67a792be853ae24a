// SPDX-License-Identifier: GPL-2.0
/* The scripts of tests/unit/scripts.c as inputs of fuzz_mirror: seeds DIRECTORY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/packets.h"
#include "record.h"

static __u8 time_of(__u32 ms)
{
	__u8 best = 0;

	for (__u8 i = 0; i < 32; i++)
		if (abs((int)(fuzz_ms[i] - ms)) < abs((int)(fuzz_ms[best] - ms)))
			best = i;
	return best;
}

static struct fuzz_record record_of(const struct step *st, enum view view, __u8 conn)
{
	return (struct fuzz_record){
		.how = FUZZ_SEGMENT | (st->from == S) << 2 | view << 3,
		.conn = conn,
		.flags = st->flags,
		.base = st->flags >> 8 | (st->opt & O_SEQ0 ? BASE_ZERO : BASE_ISN) << 1 |
			(st->opt & O_ACK0 ? BASE_ZERO : BASE_ISN) << 4,
		.seq = st->seq,
		.ack = st->ack,
		.len = st->len < 200  ? st->len :
		       st->len < 1500 ? 200 + st->len / 30 :
					255,
		.time = time_of(st->ms ? st->ms : 1),
		.opt = st->opt & (O_BARE | O_TS | O_FO | O_MD5 | O_PAD | O_NOSCALE),
		.value = st->ts ? st->ts / 20 : st->win / 256,
	};
}

/* One script as an input; burst: of many connections at once, with the smallest tables. */
static void write_seed(FILE *f, const struct script *sc, unsigned int n, bool burst)
{
	unsigned int in = sc->in ? sc->in : IN_ALL;
	enum view view = n % V_COUNT;
	struct fuzz_head head = { .tables = burst ? 1 : n, .listeners = n & 1 };
	struct fuzz_record r;
	__u32 wait = 0;

	while (!(in & IN(view)))
		view = (view + 1) % V_COUNT;
	fwrite(&head, sizeof(head), 1, f);
	if (sc->import.side) {
		r = (struct fuzz_record){ .how = FUZZ_IMPORT | (sc->import.side == S) << 2,
					  .conn = n,
					  .flags = sc->import.state };
		fwrite(&r, sizeof(r), 1, f);
	}
	for (const struct step *st = sc->steps; st->from; st++) {
		struct step later = *st;

		later.ms += wait;
		wait = st->from == WAIT ? later.ms : 0;
		if (st->from == WAIT)
			continue;
		r = record_of(&later, view, n);
		r.base |= burst << 7;
		fwrite(&r, sizeof(r), 1, f);
	}
}

int main(int argc, char **argv)
{
	unsigned int n = 0;

	if (argc != 2)
		return fprintf(stderr, "usage: seeds DIRECTORY\n"), 1;
	for (const struct script *sc = scripts; sc->row; sc++, n++)
		for (int burst = 0; burst < 2; burst++) {
			char path[4096];
			FILE *f;

			snprintf(path, sizeof(path), "%s/%s-%03u", argv[1],
				 burst ? "burst" : "script", n);
			f = fopen(path, "w");
			if (!f)
				return perror(path), 1;
			write_seed(f, sc, n, burst);
			if (fclose(f))
				return perror(path), 1;
		}
	printf("%u seeds\n", 2 * n);
	return 0;
}
