// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of the benchmark's own: the restore step, which makes the next packet
 * and tail-calls the program to be measured, and references to compare it with,
 * each the least that a program with one such map or helper can be.
 */
#include "shared/cookie.h"
#include "shared/parse.h"
#include <bpf/bpf_helpers.h>

#include "scene.h"

char LICENSE[] SEC("license") = "GPL";

#define IP 14
#define TCP (IP + 20)
#define OPTIONS_END 40 /* of a SYN as Linux sends it */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scene);
} scenes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TARGETS);
	__uint(key_size, 4);
	__uint(value_size, 4);
} xdp_targets SEC(".maps"), tc_targets SEC(".maps");

/* What a state table of others holds of an IPv4 flow, at the least. */
struct ref_key {
	__be32 saddr, daddr;
	__be16 sport, dport;
	__u32 proto;
};

struct ref_value {
	__u64 last;
	__u8 state[56];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 0); /* as many as synward has half-open */
	__type(key, struct ref_key);
	__type(value, struct ref_value);
} ref_lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 0); /* as many as synward has flows */
	__type(key, struct ref_key);
	__type(value, struct ref_value);
} ref_hash SEC(".maps");

struct ref_prefix {
	__u32 bits;
	__be32 addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SCENE_PREFIXES);
	__type(key, struct ref_prefix);
	__type(value, __u64);
} ref_lpm SEC(".maps");

static __always_inline __u64 next_random(struct scene *s)
{
	__u64 x = s->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return s->random = x;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

#define AT(type, off) (*(type *)(s->frame + (off)))

/* The next client's packet, in s->frame. */
static __always_inline void scene_frame(struct scene *s)
{
	__u32 addr, port, isn, other, i;
	__be32 *words = (__be32 *)(s->frame + TCP);
	__u64 r;

	if (s->who == SCENE_CLIENTS) {
		i = s->next++ * 0x9e3779b1 & (s->clients - 1);
		addr = SCENE_FIRST + i;
		port = 1024 + (i & 0x7fff);
		isn = scene_mix(i);
	} else {
		r = next_random(s);
		addr = s->who == SCENE_LISTED ?
			       scene_prefix((__u32)(r >> 40) % SCENE_PREFIXES) | (__u8)r :
			       s->base | ((__u32)r & s->spread);
		port = 1024 | (__u16)(r >> 32);
		isn = r * 0x9e3779b1 >> 16;
	}
	other = ~isn;
	AT(__be32, IP + (s->egress ? 16 : 12)) = bpf_htonl(addr);
	AT(__be16, TCP + (s->egress ? 2 : 0)) = bpf_htons(port);
	AT(__u16, IP + 10) = fold((__u64)s->ip_sum + bpf_htonl(addr));
	if (!s->tcp)
		return;
	words[1] = bpf_htonl((s->egress ? other : isn) + s->seq);
	words[2] = s->ack ? bpf_htonl((s->egress ? isn : other) + s->ack) : 0;
	AT(__u16, TCP + 16) = fold((__u64)s->tcp_sum + bpf_htonl(addr) + bpf_htons(port) +
				   words[1] + words[2]);
}

SEC("xdp.frags")
int restore_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0, len;
	struct scene *s = bpf_map_lookup_elem(&scenes, &zero);

	if (!s)
		return XDP_ABORTED;
	scene_frame(s);
	len = s->len;
	if (len < IP || len > SCENE_FRAME)
		return XDP_ABORTED;
	if (bpf_xdp_get_buff_len(ctx) != len &&
	    bpf_xdp_adjust_tail(ctx, (int)(len - bpf_xdp_get_buff_len(ctx))))
		return XDP_ABORTED;
	if (bpf_xdp_store_bytes(ctx, 0, s->frame, len))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &xdp_targets, s->target);
	return XDP_ABORTED;
}

SEC("tc")
int restore_tc(struct __sk_buff *skb)
{
	__u32 zero = 0, len;
	struct scene *s = bpf_map_lookup_elem(&scenes, &zero);

	if (!s)
		return 2;
	scene_frame(s);
	len = s->len;
	if (len < IP || len > SCENE_FRAME)
		return 2;
	if (bpf_skb_store_bytes(skb, 0, s->frame, len, 0))
		return 2;
	bpf_tail_call(skb, &tc_targets, s->target);
	return 2;
}

/*
 * A flood's packet, for a test run with live frames, which sends them up the
 * stack of the device it is told; as many a second as are due.
 */
SEC("xdp")
int flood(struct xdp_md *ctx)
{
	__u32 zero = 0, len;
	struct scene *s = bpf_map_lookup_elem(&scenes, &zero);
	__u64 now;

	if (!s)
		return XDP_DROP;
	if (s->interval) {
		now = bpf_ktime_get_ns();
		if (now < s->due)
			return XDP_DROP;
		/* late by more than two milliseconds: what was missed is not made up for */
		s->due = (now - s->due > 2000000 ? now : s->due) + s->interval;
	}
	scene_frame(s);
	len = s->len;
	if (len < IP || len > SCENE_FRAME || bpf_xdp_store_bytes(ctx, 0, s->frame, len))
		return XDP_DROP;
	s->sent++;
	return XDP_PASS;
}

/*
 * The ACK of a client that was sent a cookie: each client's once. Its template has
 * a timestamp option with TSecr 0.
 */
SEC("xdp")
int proofs(struct xdp_md *ctx)
{
	struct sw_cookie c = { .mss = 1460, .wscale = 7, .sack = 1, .ts = 1 };
	__u32 zero = 0, len, isn, tsval;
	struct scene *s = bpf_map_lookup_elem(&scenes, &zero);
	struct sw_secret secret;
	struct sw_pkt p = { 0 };
	__be32 *words;

	if (!s)
		return XDP_DROP;
	scene_frame(s);
	words = (__be32 *)(s->frame + TCP);
	secret = (struct sw_secret){ { s->key[0], s->key[1] }, s->clock_ns };
	p.key.family = SW_AF_INET;
	p.key.addr[0][0] = AT(__be32, IP + 12);
	p.key.addr[1][0] = AT(__be32, IP + 16);
	p.key.port[0] = AT(__be16, TCP);
	p.key.port[1] = AT(__be16, TCP + 2);
	p.seq = bpf_ntohl(words[1]) - 1;
	sw_sort_key(&p);
	isn = sw_cookie_make(&secret, &p, &c, sw_mss_index(false, true, c.mss), bpf_ktime_get_ns(),
			     &tsval);
	words[2] = bpf_htonl(isn + 1);
	words[7] = bpf_htonl(tsval);
	AT(__u16, TCP + 16) = fold((__u64)s->tcp_sum + AT(__be32, IP + 12) + AT(__be16, TCP) +
				   words[1] + words[2] + words[7]);
	len = s->len;
	if (len < IP || len > SCENE_FRAME || bpf_xdp_store_bytes(ctx, 0, s->frame, len))
		return XDP_DROP;
	s->sent++;
	return XDP_PASS;
}

SEC("xdp.frags")
int empty_xdp(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb __attribute__((unused)))
{
	return 0;
}

/* A SYN over IPv4 without IP options; NULL otherwise. */
static __always_inline struct tcphdr *ref_parse(struct xdp_md *ctx, struct iphdr **ip, void **end)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct tcphdr *th;

	*end = (void *)(long)ctx->data_end;
	*ip = (void *)(eth + 1);
	th = (void *)(*ip + 1);
	if ((void *)(th + 1) > *end || eth->h_proto != bpf_htons(0x0800) ||
	    *(__u8 *)*ip != 0x45 || (*ip)->protocol != 6)
		return NULL;
	return th;
}

static __always_inline struct ref_key ref_key_of(const struct iphdr *ip, const struct tcphdr *th)
{
	return (struct ref_key){ ip->saddr, ip->daddr, th->source, th->dest, ip->protocol };
}

/* A packet dropped for what its header says. */
SEC("xdp.frags")
int ref_drop(struct xdp_md *ctx)
{
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	return th && th->dest ? XDP_DROP : XDP_PASS;
}

/* A new flow in an LRU hash: how an observer of SYNs is commonly built. */
SEC("xdp.frags")
int ref_lru_insert(struct xdp_md *ctx)
{
	struct ref_value v = { .last = 1 };
	struct ref_key key;
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	if (!th)
		return XDP_PASS;
	key = ref_key_of(ip, th);
	return bpf_map_update_elem(&ref_lru, &key, &v, BPF_ANY) ? XDP_ABORTED : XDP_DROP;
}

/* An open flow found in a hash. */
SEC("xdp.frags")
int ref_hash_lookup(struct xdp_md *ctx)
{
	struct ref_value *v;
	struct ref_key key;
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	if (!th)
		return XDP_PASS;
	key = ref_key_of(ip, th);
	v = bpf_map_lookup_elem(&ref_hash, &key);
	return v && v->last ? XDP_DROP : XDP_ABORTED;
}

/* Not measured: fills the hash with the clients. */
SEC("xdp.frags")
int fill_hash(struct xdp_md *ctx)
{
	struct ref_value v = { .last = 1 };
	struct ref_key key;
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	if (!th)
		return XDP_PASS;
	key = ref_key_of(ip, th);
	return bpf_map_update_elem(&ref_hash, &key, &v, BPF_ANY) ? XDP_ABORTED : XDP_DROP;
}

/* A source found on a list of prefixes. */
SEC("xdp.frags")
int ref_lpm_lookup(struct xdp_md *ctx)
{
	struct ref_prefix key = { .bits = 32 };
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	if (!th)
		return XDP_PASS;
	key.addr = ip->saddr;
	return bpf_map_lookup_elem(&ref_lpm, &key) ? XDP_DROP : XDP_ABORTED;
}

/* A cookie made by the kernel's helper; nothing is written. */
SEC("xdp.frags")
int ref_raw_gen_syncookie(struct xdp_md *ctx)
{
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);

	if (!th || ((__u8 *)th)[12] >> 4 != OPTIONS_END / 4 || (void *)th + OPTIONS_END > end)
		return XDP_PASS;
	return bpf_tcp_raw_gen_syncookie_ipv4(ip, th, OPTIONS_END) < 0 ? XDP_ABORTED : XDP_DROP;
}

/*
 * Parts of synward's way from a SYN to its cookie, by its own functions: they are
 * in `syn-cookie` and tell where its time goes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_pkt);
} parsed SEC(".maps");

static __always_inline struct sw_pkt *part_parse_into(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_pkt *p = bpf_map_lookup_elem(&parsed, &zero);

	if (!p)
		return NULL;
	__builtin_memset(p, 0, sizeof(*p));
	return sw_parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			      bpf_xdp_get_buff_len(ctx), p) == SW_R_OBSERVED ? p : NULL;
}

SEC("xdp.frags")
int part_parse(struct xdp_md *ctx)
{
	return part_parse_into(ctx) ? XDP_DROP : XDP_ABORTED;
}

/* On what part_parse left: the last packet. */
SEC("xdp.frags")
int part_cookie(struct xdp_md *ctx __attribute__((unused)))
{
	struct sw_cookie c = { .wscale = 7, .sack = 1, .ts = 1 };
	struct sw_secret secret = { .key = { 1, 2 } };
	__u32 zero = 0, tsval;
	struct sw_pkt *p = bpf_map_lookup_elem(&parsed, &zero);

	if (!p)
		return XDP_ABORTED;
	p->seq = sw_cookie_make(&secret, p, &c, sw_mss_index(false, true, p->mss),
				p->seq * 1000ull, &tsval);
	return XDP_DROP;
}

SEC("xdp.frags")
int part_socket(struct xdp_md *ctx)
{
	struct bpf_sock_tuple t = { 0 };
	struct iphdr *ip;
	void *end;
	struct tcphdr *th = ref_parse(ctx, &ip, &end);
	struct bpf_sock *sk;

	if (!th)
		return XDP_ABORTED;
	t.ipv4.saddr = ip->saddr;
	t.ipv4.daddr = ip->daddr;
	t.ipv4.sport = th->source;
	t.ipv4.dport = th->dest;
	sk = bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv4), -1, 0); /* of the current namespace */
	if (!sk)
		return XDP_ABORTED;
	bpf_sk_release(sk);
	return XDP_DROP;
}
