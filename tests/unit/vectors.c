// SPDX-License-Identifier: GPL-2.0
/*
 * Captures with known states (shared/vectors, its README): each through the
 * core, once as a replay sees it, once as the host 192.168.0.1 would. Exit
 * status 77 when the folder is not there.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostmirror.h"

#define ENDPOINT "\xc0\xa8\x00\x01"
#define FLOWS 64

static struct host host;
static int reason; /* of the last packet */

/* The newest flow that the endpoint has: half-open ones first, then by birth. */
static const struct sw_flow *newest(__u64 now, __u32 *side)
{
	struct {
		const struct sw_bucket *b;
		__u32 buckets;
		bool half;
	} tables[] = { { host.half, host.cfg.half_buckets, 1 },
		       { host.proven, host.cfg.proven_buckets, 0 } };
	const struct sw_flow *best = NULL;

	for (int t = 0; t < 2; t++)
		for (__u32 i = 0; i < tables[t].buckets * SW_WAYS; i++) {
			const struct sw_bucket *b = &tables[t].b[i / SW_WAYS];
			const struct sw_flow *f = &b->slot[i % SW_WAYS];

			if (!b->tag[i % SW_WAYS] ||
			    (tables[t].half ? sw_expired(SW_HALF, b->stamp[i % SW_WAYS],
							 now / SW_NS_PER_SEC, &host.cfg) :
					      sw_ended(f, now, &host.cfg)))
				continue;
			if (!best || f->born > best->born)
				best = f;
		}
	if (best)
		*side = memcmp(best->key.addr[0], ENDPOINT, 4) != 0;
	return best;
}

/* Feed the first n packets; the time of the last one, 0 when the file cannot be read. */
static __u64 feed(const char *path, int n, bool local)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *h;
	const __u8 *data;
	__u64 now = 1;
	int link;

	if (!p) {
		printf("%s\n", err);
		return 0;
	}
	link = pcap_datalink(p);
	host_clear(&host);
	for (int i = 0; i < n && pcap_next_ex(p, &h, &data) == 1; i++) {
		struct vantage at = { 0 };
		__u8 frame[2048] = { 0 };
		size_t len = h->caplen;

		if (link == DLT_RAW) { /* put a header before it */
			frame[12] = data[0] >> 4 == 6 ? 0x86 : 0x08;
			frame[13] = data[0] >> 4 == 6 ? 0xdd : 0;
			memcpy(frame + 14, data, len);
			len += 14;
		} else if (link == DLT_EN10MB && len < sizeof(frame)) {
			memcpy(frame, data, len);
		} else {
			printf("%s: link type %d is not handled\n", path, link);
			now = 0;
			break;
		}
		now = h->ts.tv_sec * SW_NS_PER_SEC + h->ts.tv_usec * SW_NS_PER_US;
		if (local)
			at = vantage_of(V_CLIENT, memcmp(frame + 26, ENDPOINT, 4) ? S : C, 2);
		reason = host_frame(&host, frame, len, at, now);
	}
	pcap_close(p);
	return now;
}

static bool holds(const char *dir, char *line, bool local)
{
	char path[4096], *save, *file = strtok_r(line, "\t", &save),
				*after = strtok_r(NULL, "\t", &save);
	char *kind = strtok_r(NULL, "\t", &save), *want = strtok_r(NULL, "\t\n", &save);
	const struct sw_flow *f;
	__u32 side = 0;
	__u64 now;
	__u8 state;

	if (!want) {
		printf("truth.tsv: a line with too few fields\n");
		return false;
	}
	snprintf(path, sizeof(path), "%s/pcaps/%s", dir, file);
	now = feed(path, atoi(after), local);
	if (!now)
		return false;
	f = newest(now, &side);
	state = host_state(&host, f, side, now);
	if (!strcmp(state_text(state), want) == !strcmp(kind, "STATE"))
		return true;
	printf("  %s, after packet %s%s: expected %s%s, is %s (%s)\n", file, after,
	       local ? ", as the endpoint's host sees it" : "", kind[0] == 'N' ? "not " : "", want,
	       state_text(state), reason_text(reason));
	return false;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1	       ? argv[1] :
			  getenv("SW_VECTORS") ? getenv("SW_VECTORS") :
						 "../shared/vectors";
	static const char *const modes[] = { "as a replay", "as the endpoint's host" };
	char path[4096], line[1024];
	int wrong = 0, n[2] = { 0 }, good[2] = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/truth.tsv", dir);
	f = fopen(path, "r");
	if (!f) {
		printf("SKIP vectors: no %s\n", path);
		return 77;
	}
	host_init(&host, FLOWS, FLOWS, 63, 30);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "pcap\t", 5))
			continue;
		for (int local = 0; local < 2; local++) {
			char copy[sizeof(line)];

			memcpy(copy, line, sizeof(copy));
			n[local]++;
			good[local] += holds(dir, copy, local);
		}
	}
	fclose(f);
	host_free(&host);
	for (int local = 0; local < 2; local++) {
		printf("%s vectors %s: %d of %d assertions hold\n",
		       good[local] == n[local] && n[local] ? "ok" : "FAIL", modes[local],
		       good[local], n[local]);
		wrong |= good[local] != n[local] || !n[local];
	}
	return wrong;
}
