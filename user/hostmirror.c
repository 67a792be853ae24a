// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "hostmirror.h"

/* Sums longer segments only in part, as the BPF side does: SW_SUM_CHUNKS. */
#define SUM_MAX 1536

void host_clear(struct host *h)
{
	memset(h->proven, 0, h->cfg.proven_buckets * sizeof(*h->proven));
	memset(h->half, 0, h->cfg.half_buckets * sizeof(*h->half));
	memset(h->listeners, 0, sizeof(h->listeners));
	memset(h->reasons, 0, sizeof(h->reasons));
	memset(&h->latency, 0, sizeof(h->latency));
	memset(&h->moves, 0, sizeof(h->moves));
	h->n_listeners = 0;
	h->evicted = 0;
}

int host_init(struct host *h, uint32_t flows, uint32_t half_open, uint32_t syn_timeout_s,
	      uint32_t msl_s)
{
	memset(h, 0, sizeof(*h));
	h->cfg.proven_buckets = sw_buckets_for(flows);
	h->cfg.half_buckets = sw_buckets_for(half_open);
	h->cfg.seed[0] = 0x12345678;
	h->cfg.seed[1] = 0x9abcdef0;
	h->cfg.seed[2] = 0x0f1e2d3c;
	h->cfg.syn_timeout_s = syn_timeout_s;
	h->cfg.two_msl_s = 2 * msl_s;
	sw_config_lives(&h->cfg);
	h->proven = calloc(h->cfg.proven_buckets, sizeof(*h->proven));
	h->half = calloc(h->cfg.half_buckets, sizeof(*h->half));
	if (h->proven && h->half)
		return 0;
	host_free(h);
	return sw_err("no memory for %u flows", flows + half_open);
}

void host_free(struct host *h)
{
	free(h->proven);
	free(h->half);
	h->proven = h->half = NULL;
}

struct sw_tables host_tables(struct host *h, struct sw_hash hash)
{
	return (struct sw_tables){
		.proven = { h->proven + sw_bucket_index(hash.index[0], h->cfg.proven_buckets),
			    h->proven + sw_bucket_index(hash.index[1], h->cfg.proven_buckets) },
		.half = { h->half + sw_bucket_index(hash.index[0], h->cfg.half_buckets),
			  h->half + sw_bucket_index(hash.index[1], h->cfg.half_buckets) },
	};
}

/* sw_listener_find(): the best of the port, the newest first. */
uint32_t host_listener_find(const struct host *h, uint32_t family, const uint32_t addr[4],
			    uint16_t port)
{
	int best = 0, found = 0;

	for (uint32_t i = h->n_listeners; i; i--) {
		int fits = sw_listener_fits(&h->listeners[i], family, addr);

		if (h->listeners[i].port == port && fits > best) {
			best = fits;
			found = i;
		}
	}
	return found;
}

uint32_t host_listener_add(struct host *h, uint32_t family, const uint32_t addr[4], uint16_t port,
			   uint8_t flags)
{
	struct sw_listener *l = &h->listeners[h->n_listeners + 1];

	if (h->n_listeners + 1 >= HOST_LISTENERS)
		return 0;
	memcpy(l->addr, addr, sizeof(l->addr));
	l->port = port;
	l->family = family;
	l->flags = flags | SW_L_USED;
	return ++h->n_listeners;
}

/* sw_resolve(), with no socket for an unknown listener. */
static void resolve(struct host *h, bool egress, uint32_t now_s)
{
	struct sw_pkt *p = &h->pkt;
	bool synack = p->flags & SW_TH_ACK;
	uint32_t side = synack ? p->from & 1 : (p->from & 1) ^ 1, i;

	if (synack && !egress)
		return;
	i = host_listener_find(h, p->key.family, p->key.addr[side], p->key.port[side]);
	if (!i && synack)
		i = host_listener_add(h, p->key.family, p->key.addr[side], p->key.port[side],
				      SW_L_LEARNED);
	p->listener = i;
	p->overflowed = i && h->listeners[i].lost_s &&
			now_s - h->listeners[i].lost_s < h->cfg.syn_timeout_s;
}

/* sw_account() */
void host_account(struct host *h, uint32_t now_s)
{
	const struct sw_change *ch = &h->change;
	const struct sw_gauge_ref *refs[] = { &ch->victim, &ch->sub, &ch->add };
	struct sw_listener *l = &h->listeners[ch->listener];

	h->evicted += !!(ch->what & SW_CH_EVICTED);
	for (int i = 0; i < 3; i++)
		if (refs[i]->flags && refs[i]->listener)
			sw_gauge_apply(&h->listeners[refs[i]->listener], refs[i], now_s);
	if (ch->what & SW_CH_COMPLETED)
		sw_latency_count(&h->latency, ch->server_us, ch->client_us);
	if (ch->what & SW_CH_STATE)
		sw_moves_count(&h->moves, ch);
	if (!ch->listener)
		return;
	l->syn += !!(ch->what & SW_CH_SYN);
	l->syn_rtx += !!(ch->what & SW_CH_SYN_RTX);
	l->answered += !!(ch->what & SW_CH_SYNACK);
	l->synack_rtx += !!(ch->what & SW_CH_SYNACK_RTX);
	l->completed += !!(ch->what & SW_CH_COMPLETED);
	l->refused += !!(ch->what & SW_CH_REFUSED);
	l->aborted += !!(ch->what & SW_CH_ABORTED);
}

/* RFC 1071. Network byte order words are summed as they lie. */
static uint32_t add_up(uint32_t sum, const uint8_t *at, size_t n)
{
	for (; n > 1; n -= 2, at += 2)
		sum += at[0] << 8 | at[1];
	return n ? sum + (at[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/*
 * sw_verify(): would a host believe the sums? Only that of the pseudo header is
 * what a local peer sends, and what a capture on the sending host shows. What
 * was not captured whole is believed.
 */
static bool sums_right(const uint8_t *data, size_t len, const struct sw_pkt *p)
{
	const uint8_t *ip = data + p->l3_off, *tcp = data + p->l4_off;
	bool v4 = p->key.family == SW_AF_INET;
	uint32_t pseudo;

	if (v4 && fold(add_up(0, ip, p->l4_off - p->l3_off)) != 0xffff)
		return false;
	if (!p->l4_len || p->l4_len > SUM_MAX || p->fragment || p->l4_off + p->l4_len > len)
		return true;
	pseudo = add_up(SW_IPPROTO_TCP + p->l4_len, ip + (v4 ? 12 : 8), v4 ? 8 : 32);
	return fold(add_up(pseudo, tcp, p->l4_len)) == 0xffff ||
	       fold(pseudo) == (tcp[16] << 8 | tcp[17]);
}

int host_segment(struct host *h, const void *data, size_t len, bool egress, uint64_t now)
{
	struct sw_pkt *p = &h->pkt;
	struct sw_hash hash = sw_hash_key(&p->key, &h->cfg);
	struct sw_tables t = host_tables(h, hash);

	memset(&h->change, 0, sizeof(h->change));
	if (!(p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST)) && sw_mirror_data(&t, p, hash, now))
		return SW_R_OBSERVED;
	if (data && !egress && !sums_right(data, len, p))
		return SW_R_BAD_CHECKSUM;
	if (p->flags & SW_TH_SYN)
		resolve(h, egress, now / SW_NS_PER_SEC);
	sw_mirror(&t, p, hash, now, &h->cfg, &h->change);
	host_account(h, now / SW_NS_PER_SEC);
	return h->change.reason;
}

int host_parse(struct host *h, const void *data, size_t len, size_t wire_len, struct vantage at)
{
	memset(&h->pkt, 0, sizeof(h->pkt));
	h->pkt.path = at.path;
	h->pkt.sender_local = at.local;
	return h->raw ? sw_parse_raw(data, data + len, wire_len, &h->pkt) :
			sw_parse_frame(data, data + len, wire_len, &h->pkt);
}

int host_packet(struct host *h, const void *data, size_t len, size_t wire_len, struct vantage at,
		uint64_t now)
{
	int reason = host_parse(h, data, len, wire_len, at);

	if (reason == SW_R_OBSERVED)
		reason = host_segment(h, data, len, at.egress, now);
	h->reasons[reason]++;
	return reason;
}
