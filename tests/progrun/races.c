// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads on both CPUs run segments of the same flows through sw_xdp,
 * sw_ingress and sw_egress (and sockets through sw_import) at once: whatever
 * the interleaving, tables, gauges and counters must agree afterwards, and no
 * entry may ever show a pair of states that two TCPs cannot be in. Root; nothing
 * is attached. Arguments: seconds for each scenario, seed, part of a name.
 */
#include "kernel.h"
#include "report.h"

#define THREADS 8
#define MAX_FLOWS 256
#define MAX_PACKETS 64 /* of a thread, in a round */
#define BUCKETS 2      /* of each table, where replacement is to race as well */
#define CLIENT 0x0a000001u /* of flow 0; the others follow */
#define SERVER 0x0a090900u /* the first of four addresses, with ports 80 and 81 */
#define LISTENERS 64   /* that are looked at; what CPUs that were slower leave behind included */

static struct kernel kern;
static __u64 seed0 = 20;
static __u64 scenario_ns = SW_NS_PER_SEC;

/*
 * Which states two ends can be in at once, as an observer knows them (RFC 9293
 * section 3.3.2 and figures 6 to 13; the rows of tcp_fsm.h). Each pair once.
 */
static const __u8 pairs[][2] = {
	{ CL, CL }, /* reset, or done */
	{ SS, LI }, /* a SYN */
	{ SS, SR }, /* answered */
	{ SR, SR }, /* SYNs that crossed (figure 7) */
	{ SR, ES }, /* one of these was acknowledged; or the final ACK was lost, the SYN-ACK came again */
	{ ES, ES },
	{ SS, F1 }, /* the server closed before the final ACK (RFC 7413) */
	{ SR, F1 }, /* ... the client had crossed its SYN; or lost its ACK */
	{ ES, F1 },
	{ F2, CW }, /* the FIN was acknowledged */
	{ F1, F1 }, /* FINs that crossed, one of them behind a gap */
	{ CI, CI }, /* FINs that crossed (figure 13) */
	{ CI, F2 }, /* ... one behind a gap, acknowledged first */
	{ CI, TW },
	{ F2, LA }, /* the second FIN behind a gap */
	{ TW, LA }, /* the second FIN (figure 12) */
	{ TW, TW }, /* after crossing */
	{ TW, CL }, /* the second FIN was acknowledged */
};

static bool possible(__u8 a, __u8 b)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if ((pairs[i][0] == a && pairs[i][1] == b) || (pairs[i][0] == b && pairs[i][1] == a))
			return true;
	return false;
}

/*
 * Conversations. Flow number n has sequence numbers whose top byte is n, in all
 * its epochs (an epoch is one use of its ports), so that a number that strays
 * from one flow to another is seen.
 */
#define CHAT 14
static const struct step chats[][CHAT] = {
	{ { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { C, ACK, 1, 1, 0 }, { C, ACK | PSH, 1, 1, 100 },
	  { S, ACK, 1, 101, 0 }, { S, ACK | PSH, 1, 101, 200 }, { C, ACK, 101, 201, 0 },
	  { C, FA, 101, 201, 0 }, { S, ACK, 201, 102, 0 }, { S, FA, 201, 102, 0 },
	  { C, ACK, 102, 202, 0 } },
	/* closed by the server, with data in the way; a FIN again */
	{ { C, SYN, 0, 0, 0 }, { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { S, SA, 0, 1, 0 },
	  { C, ACK | PSH, 1, 1, 50 }, { S, FA, 1, 51, 30 }, { C, ACK, 51, 32, 0 },
	  { C, ACK, 51, 32, 70 }, { S, ACK, 32, 121, 0 }, { C, FA, 121, 32, 0 },
	  { C, FA, 121, 32, 0 }, { S, ACK, 32, 122, 0 } },
	/* FINs that cross */
	{ { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { C, ACK, 1, 1, 0 }, { C, FA, 1, 1, 0 },
	  { S, FA, 1, 1, 0 }, { C, ACK, 2, 2, 0 }, { S, ACK, 2, 2, 0 } },
	/* resets: in the middle, while half-open, in answer to the SYN */
	{ { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { C, ACK, 1, 1, 10 }, { S, ACK, 1, 11, 0 },
	  { C, ACK, 11, 1, 10 }, { S, RA, 1, 21, 0 }, { C, ACK, 21, 1, 5 } },
	{ { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { C, RST, 1, 0, 0 }, { S, SA, 0, 1, 0 } },
	{ { C, SYN, 0, 0, 0 }, { S, RA, 0, 1, 0 }, { C, SYN, 0, 0, 0 } },
	/* the server opens as well, and the SYN comes back */
	{ { C, SYN, 0, 0, 0 }, { S, SYN, 0, 0, 0 }, { C, SA, 0, 1, 0 }, { S, SA, 0, 1, 0 },
	  { C, ACK, 1, 1, 8 }, { S, ACK, 1, 9, 9 }, { S, FA, 10, 9, 0 }, { C, FA, 9, 11, 0 },
	  { S, ACK, 11, 10, 0 } },
	/* a FIN behind a gap */
	{ { C, SYN, 0, 0, 0 }, { S, SA, 0, 1, 0 }, { C, ACK, 1, 1, 0 }, { C, FA, 100, 1, 0 },
	  { S, FA, 1, 1, 0 }, { C, ACK, 1, 1, 99 }, { S, ACK, 2, 101, 0 }, { C, ACK, 101, 2, 0 } },
};
#define CHATS (sizeof(chats) / sizeof(*chats))

static __u32 position[MAX_FLOWS]; /* how far a flow's conversations have come */

static struct segment segment_of(__u32 flow, __u32 epoch, const struct step *st)
{
	__u32 client = flow << 24 | 0x400000 | (epoch & 7) << 16, server = client + 0x400000;
	struct segment s = { CLIENT + flow, SERVER + (flow >> 1 & 3), 20000 + flow, 80 + (flow & 1),
			     st->flags, client + st->seq, server + st->ack, st->len };

	if (st->from == S)
		s = (struct segment){ s.dst, s.src, s.dport, s.sport, st->flags, server + st->seq,
				      client + st->ack, st->len };
	if (!(st->flags & ACK))
		s.ack = 0;
	return s;
}

static bool is_server(__u32 addr)
{
	return addr >> 2 == SERVER >> 2;
}

/* The flow of a key, and which endpoint its server is. */
static __u32 flow_of(const struct sw_key *key, __u32 *server)
{
	*server = is_server(ntohl(key->addr[1][0]));
	return ntohl(key->addr[*server ^ 1][0]) - CLIENT;
}

/* Flags that some stack or attacker sends, from either end, with numbers near the flow's. */
static struct segment hostile(__u32 flow, __u64 *seed)
{
	static const __u16 flags[] = { SYN, SA, ACK, ACK | PSH, FA, RST, RA };
	struct step st = { .from = rnd(seed) % 2 ? C : S, .flags = flags[rnd(seed) % 7],
			   .len = rnd(seed) % 3 ? 0 : rnd(seed) % 200 };
	__u32 near = rnd(seed) % 3;

	st.seq = near ? rnd(seed) % 220 : rnd(seed) % 0x300000;
	st.ack = near ? rnd(seed) % 220 : rnd(seed) % 0x300000;
	return segment_of(flow, rnd(seed), &st);
}

struct thread {
	pthread_t id;
	int number;
	__u64 seed, sent, refused;
};

struct scenario {
	const char *name;
	__u32 threads, flows, buckets;
	void (*prepare)(void);
	void (*play)(struct thread *t);
	void (*check)(void); /* beside what holds in all of them */
	bool keeps;	     /* tables large enough that nothing may be displaced */
};

static const struct scenario *scene;
static struct thread threads[THREADS];
static pthread_barrier_t barrier;
static volatile bool over;
static __u64 reasons[SW_R_COUNT]; /* counted so far */
static __u64 sent, contended, rounds;

static void run_segment(struct thread *t, const struct segment *s, enum hook in)
{
	__u8 frame[SEGMENT_MAX];
	size_t len = segment_frame(frame, s);
	enum hook hook = is_server(s->src) ? EGRESS : in;

	if (kernel_run(hook_fd(kern.skel, hook), frame, len) == (hook == XDP ? XDP_PASS : TC_NEXT))
		t->sent++;
	else
		t->refused++;
}

/* The next segments of whichever flows, by turns with the other threads; one in ten is hostile. */
static void play_mix(struct thread *t)
{
	for (__u32 n = rnd(&t->seed) % MAX_PACKETS; n; n--) {
		__u32 flow = rnd(&t->seed) % scene->flows, at, chat;
		enum hook in = rnd(&t->seed) & 1 ? XDP : INGRESS;
		struct segment s;

		if (rnd(&t->seed) % 10) {
			at = __sync_fetch_and_add(&position[flow], 1);
			chat = (at / CHAT * 2654435761u >> 16) % CHATS;
			if (!chats[chat][at % CHAT].from)
				continue;
			s = segment_of(flow, at / CHAT, &chats[chat][at % CHAT]);
		} else {
			s = hostile(flow, &t->seed);
		}
		run_segment(t, &s, in);
	}
}

/* The same while attach imports sockets: every second call of two threads is an import. */
static void play_import(struct thread *t)
{
	static const __u8 states[] = { SW_SYN_SENT,   SW_SYN_RCVD,   SW_ESTABLISHED, SW_FIN_WAIT_1,
				       SW_FIN_WAIT_2, SW_CLOSE_WAIT, SW_LAST_ACK,    SW_TIME_WAIT };

	if (t->number > 1)
		return play_mix(t);
	for (__u32 n = rnd(&t->seed) % MAX_PACKETS; n; n--) {
		__u32 flow = rnd(&t->seed) % scene->flows;
		struct segment syn = segment_of(flow, 0, &chats[0][0]);
		struct sw_request req = { .kind = SW_REQ_FLOW };

		req.flow.key = segment_key(&syn);
		flow_of(&req.flow.key, &req.flow.server);
		req.flow.side = req.flow.server;
		req.flow.state = states[rnd(&t->seed) % sizeof(states)];
		req.flow.ago_ms = rnd(&t->seed) % 3000;
		if (kernel_import(&kern, &req) < 0)
			t->refused++;
		syn = hostile(flow, &t->seed);
		if (rnd(&t->seed) & 1)
			run_segment(t, &syn, XDP);
	}
}

static void clear(void)
{
	memset(kern.proven, 0, kern.cfg.proven_buckets * sizeof(*kern.proven));
	memset(kern.half, 0, kern.cfg.half_buckets * sizeof(*kern.half));
	for (int i = 1; i < LISTENERS; i++)
		memset(&kern.listeners[i].lost_s, 0,
		       sizeof(struct sw_listener) - offsetof(struct sw_listener, lost_s));
}

/* SYN-ACKs of listeners that nobody told us of: each CPU may be the first to see one. */
static void prepare_learn(void)
{
	struct sw_shared none = { 0 };
	__u32 zero = 0;

	memset(kern.half, 0, kern.cfg.half_buckets * sizeof(*kern.half));
	memset(kern.proven, 0, kern.cfg.proven_buckets * sizeof(*kern.proven));
	memset(kern.listeners, 0, LISTENERS * sizeof(*kern.listeners));
	bpf_map__update_elem(kern.skel->maps.shared, &zero, sizeof(zero), &none, sizeof(none), 0);
	for (__u32 port = 80; port < 82; port++)
		bpf_map__update_elem(kern.skel->maps.ports, &port, sizeof(port), &zero,
				     sizeof(zero), 0);
}

static void play_learn(struct thread *t)
{
	static const struct step synack = { S, SA, 0, 1, 0 };

	for (__u32 n = 1 + rnd(&t->seed) % 3; n; n--) {
		struct segment s = segment_of(rnd(&t->seed) % scene->flows, 0, &synack);

		run_segment(t, &s, XDP);
	}
}

/* Each listener is in its port's chain, once, and what is not in a chain is not used. */
static void check_learn(void)
{
	struct sw_shared own = kernel_shared(&kern);
	__u32 chained = 0, used = 0;

	for (__u32 port = 80; port < 82; port++) {
		__u32 i = 0, steps = 0, seen = 0;

		bpf_map__lookup_elem(kern.skel->maps.ports, &port, sizeof(port), &i, sizeof(i), 0);
		for (; i && steps < LISTENERS; i = kern.listeners[i].next, steps++) {
			const struct sw_listener *l = &kern.listeners[i];
			__u32 bit = 1u << (ntohl(l->addr[0]) & 3);

			if (!(l->flags & SW_L_USED) || !(l->flags & SW_L_LEARNED) ||
			    l->port != htons(port) || !is_server(ntohl(l->addr[0])))
				fails("port %u: listener %u is none of these", port, i);
			if (seen & bit)
				fails("port %u: two listeners with one address", port);
			seen |= bit;
		}
		if (i)
			fails("port %u: the chain has a cycle", port);
		chained += steps;
	}
	for (__u32 i = 1; i < LISTENERS; i++)
		used += kern.listeners[i].flags & SW_L_USED;
	for (__u32 i = 0; i < kern.cfg.half_buckets * SW_WAYS; i++) {
		const struct sw_flow *f = &kern.half[i / SW_WAYS].slot[i % SW_WAYS];
		const struct sw_listener *l = &kern.listeners[f->listener % LISTENERS];
		__u32 server, flow = flow_of(&f->key, &server);

		if (f->ctl.lock & SW_LIVE && (l->port != f->key.port[server] ||
					      !sw_listener_fits(l, SW_AF_INET, f->key.addr[server])))
			fails("flow %u: listener %u is not its own", flow, f->listener);
	}
	if (used != chained || own.learned != used)
		fails("%u listeners are used, %u counted, %u in a chain", used, own.learned,
		      chained);
	if (own.listeners > used + THREADS)
		fails("%u listeners took %u entries", used, own.listeners);
}

/*
 * One open connection, data from the client on one CPU and from the server on
 * the other: both take the short way, without a lock. In most rounds the server
 * then closes or resets it, which is the long way.
 */
static __u32 open_sent[2], open_acked[2]; /* bytes, by C, S */
static bool open_ends;
static __u32 met;

static void meet(void)
{
	__sync_fetch_and_add(&met, 1);
	for (int tries = 0; *(volatile __u32 *)&met < 2 && tries < 1000000; tries++)
		;
}

static void handshake(struct thread *t, __u32 flow, int steps)
{
	for (int i = 0; i < steps; i++) {
		struct segment s = segment_of(flow, 0, &chats[0][i]);

		run_segment(t, &s, XDP);
	}
}

static void prepare_open(void)
{
	static struct thread self = { .seed = 99 };
	__u32 epoch = rnd(&self.seed);

	if (!kern.listeners[1].flags)
		kernel_listen(&kern, 0, 80);
	clear();
	handshake(&self, 0, 3);
	threads[0].sent += self.sent;
	self.sent = 0;
	/* long silent: the next data segment renews the stamp */
	for (__u32 i = 0; i < kern.cfg.proven_buckets * SW_WAYS; i++)
		if (kern.proven[i / SW_WAYS].tag[i % SW_WAYS])
			kern.proven[i / SW_WAYS].stamp[i % SW_WAYS] -= SW_RESTAMP_S + epoch % 4;
	memset(open_sent, 0, sizeof(open_sent));
	memset(open_acked, 0, sizeof(open_acked));
	open_ends = epoch % 8 != 0;
	met = 0;
}

static void play_open(struct thread *t)
{
	__u32 me = t->number, at = rnd(&t->seed) % 16;

	meet();
	for (__u32 n = 0; n < 16; n++) {
		struct step st = { .from = me ? S : C, .flags = ACK, .seq = 1 + open_sent[me],
				   .ack = 1 + *(volatile __u32 *)&open_sent[!me],
				   .len = rnd(&t->seed) % 3 ? 0 : rnd(&t->seed) % 100 };
		struct segment s;

		if (me && open_ends && n == at)
			st.flags = rnd(&t->seed) % 4 ? RA : FA;
		open_acked[me] = st.ack - 1;
		s = segment_of(0, 0, &st);
		run_segment(t, &s, XDP);
		__atomic_store_n(&open_sent[me], open_sent[me] + st.len, __ATOMIC_RELEASE);
		if (st.flags != ACK)
			return;
	}
}

/* Where nobody closed: the numbers are exactly what each end has sent. */
static void check_open(void)
{
	struct segment syn = segment_of(0, 0, &chats[0][0]);
	struct sw_key key = segment_key(&syn);
	struct sw_hash h = sw_hash_key(&key, &kern.cfg);
	struct sw_bucket *b[2];
	struct sw_place at;
	__u32 server;

	for (int i = 0; i < 2; i++)
		b[i] = &kern.proven[sw_bucket_index(h.index[i], kern.cfg.proven_buckets)];
	at = sw_find(b, h.tag, &key);
	if (!at.bucket)
		return fails("the open connection is gone");
	flow_of(&key, &server);
	for (__u32 i = 0; i < 2 && !open_ends; i++) {
		const struct sw_dir *d = &sw_flow_of(at)->dir[i ^ server ^ 1], *o = d;

		o = &sw_flow_of(at)->dir[i ^ server];
		if (d->max - d->iss - 1 != open_sent[i] || d->nxt != d->max ||
		    d->ack - o->iss - 1 != open_acked[i])
			fails("end %u sent %u and acknowledged %u; max %u, nxt %u, ack %u", i,
			      open_sent[i], open_acked[i], d->max - d->iss - 1,
			      d->nxt - d->iss - 1, d->ack - o->iss - 1);
	}
}

/*
 * A full proven table: data of flow 0, the longest silent one, on one CPU, while
 * the other puts a new flow into its slot.
 */
#define FULL SW_WAYS

static __u64 evicted; /* before the round */

static void prepare_replaced(void)
{
	static struct sw_bucket full[2];
	static struct thread self;

	if (!kern.listeners[1].flags) {
		kernel_listen(&kern, 0, 80);
		kernel_listen(&kern, 0, 81);
		for (__u32 flow = 0; flow < FULL; flow++)
			handshake(&self, flow, 3);
		handshake(&self, FULL, 2);
		for (int i = 0; i < FULL; i++) {
			__u32 server;

			if (!flow_of(&kern.proven->slot[i].key, &server))
				kern.proven->stamp[i] -= SW_RESTAMP_S / 2;
		}
		full[0] = *kern.proven;
		full[1] = *kern.half;
	}
	clear();
	*kern.proven = full[0];
	*kern.half = full[1];
	for (int i = 0; i < SW_WAYS; i++) /* the half-open one's +1, in a gauge that was cleared */
		if (full[1].tag[i])
			sw_gauge_move(&kern.listeners[full[1].slot[i].listener].half,
				      full[1].slot[i].birth_s, 1);
	evicted = kernel_shared(&kern).evicted;
	threads[0].sent += self.sent;
	self.sent = 0;
	met = 0;
}

static void play_replaced(struct thread *t)
{
	struct step st = { C, ACK, 1, 1, 0 };
	__u32 at = rnd(&t->seed) % 10000;
	struct segment s;

	meet();
	if (t->number) {
		while (at)
			__atomic_sub_fetch(&at, 1, __ATOMIC_RELAXED);
		handshake(t, FULL, 3); /* the SYN and its answer again, then the ACK */
		return;
	}
	for (int i = 0; i < 24; i++, st.seq += st.len) {
		st.len = 1 + i;
		s = segment_of(0, 0, &st);
		run_segment(t, &s, XDP);
	}
}

static void check_replaced(void)
{
	if (kernel_shared(&kern).evicted != evicted + 1)
		fails("%llu flows were replaced, not one",
		      (unsigned long long)(kernel_shared(&kern).evicted - evicted));
}

/* What all scenarios check */

/* A gauge's slots, against how many entries have their +1 there. */
static void check_gauge(const char *name, __u32 index, const struct sw_gauge *g,
			const __u32 held[SW_RING])
{
	for (__u32 i = 0; i < SW_RING; i++)
		if ((__u32)sw_slot_count(g->slot[i]) != held[i])
			fails("listener %u, %s: second %u says %d, %u entries hold a +1 of it", index,
			      name, sw_slot_second(g->slot[i]), sw_slot_count(g->slot[i]), held[i]);
}

static void check_numbers(const char *name, __u32 number, const struct sw_flow *f)
{
	for (int i = 0; i < 2; i++) {
		const __u32 *n = (const __u32 *)&f->dir[i];
		static const int at[] = { 0, 1, 2, 3, 5 }; /* iss, nxt, max, ack, fin */

		for (int k = 0; k < 5; k++)
			if (n[at[k]] && n[at[k]] >> 24 != number)
				fails("%s, flow %u: its number %d:%d is %#x, another flow's", name,
				      number, i, at[k], n[at[k]]);
	}
}

static void check_entry(const char *name, const struct sw_bucket *table, __u32 buckets, __u32 b,
			int i, bool seen[MAX_FLOWS])
{
	const struct sw_bucket *bucket = &table[b];
	const struct sw_flow *f = &bucket->slot[i];
	struct sw_hash h = sw_hash_key(&f->key, &kern.cfg);
	__u32 server, number = flow_of(&f->key, &server);
	__u32 class = table == kern.half ? sw_half_class(f) : sw_proven_class(f);

	if (number >= MAX_FLOWS)
		return fails("%s: a key that nobody sent", name);
	if (bucket->tag[i] != h.tag)
		fails("%s, flow %u: tag %#x, its key says %#x", name, number, bucket->tag[i], h.tag);
	if (b != sw_bucket_index(h.index[0], buckets) && b != sw_bucket_index(h.index[1], buckets))
		fails("%s, flow %u: in bucket %u, where it does not belong", name, number, b);
	if (seen[number])
		fails("%s, flow %u: twice in the table", name, number);
	seen[number] = true;
	if (!possible(f->ctl.state[0], f->ctl.state[1]))
		fails("%s, flow %u: %s and %s", name, number, state_text(f->ctl.state[0]),
		      state_text(f->ctl.state[1]));
	if (bucket->stamp[i] >> 30 != class)
		fails("%s, flow %u, %s and %s: its class is %u, not %u", name, number,
		      state_text(f->ctl.state[0]), state_text(f->ctl.state[1]),
		      bucket->stamp[i] >> 30, class);
	if (table == kern.proven && !(f->flags & SW_F_PROVEN))
		fails("%s, flow %u: not proven", name, number);
	if (table == kern.proven && f->flags & (SW_F_HALF | SW_F_PENDING))
		fails("%s, flow %u: holds a +1", name, number);
	check_numbers(name, number, f);
}

static void check_tables(void)
{
	static __u32 half[LISTENERS][SW_RING], pending[LISTENERS][SW_RING];
	const struct {
		const char *name;
		const struct sw_bucket *b;
		__u32 n;
	} tables[] = { { "half", kern.half, kern.cfg.half_buckets },
		       { "proven", kern.proven, kern.cfg.proven_buckets } };

	memset(half, 0, sizeof(half));
	memset(pending, 0, sizeof(pending));
	for (int t = 0; t < 2; t++) {
		bool seen[MAX_FLOWS] = { 0 };

		for (__u32 b = 0; b < tables[t].n; b++)
			for (int i = 0; i < SW_WAYS; i++) {
				const struct sw_flow *f = &tables[t].b[b].slot[i];
				__u32 l = f->listener < LISTENERS ? f->listener : 0;

				if (f->ctl.lock & SW_BUSY)
					fails("%s: bucket %u slot %d was left busy", tables[t].name,
					      b, i);
				if (!(f->ctl.lock & SW_LIVE) != !tables[t].b[b].tag[i])
					fails("%s: bucket %u slot %d: lock %u, tag %#x",
					      tables[t].name, b, i, f->ctl.lock,
					      tables[t].b[b].tag[i]);
				if (!(f->ctl.lock & SW_LIVE))
					continue;
				check_entry(tables[t].name, tables[t].b, tables[t].n, b, i, seen);
				half[l][f->birth_s % SW_RING] += !!(f->flags & SW_F_HALF);
				pending[l][f->birth_s % SW_RING] += !!(f->flags & SW_F_PENDING);
			}
	}
	for (__u32 i = 1; i < LISTENERS; i++) {
		const struct sw_listener *l = &kern.listeners[i];
		__u32 now_s = clock_ns() / SW_NS_PER_SEC;
		__u64 untracked = sw_gauge_read(&l->untracked, now_s, 63);

		check_gauge("half-open", i, &l->half, half[i]);
		check_gauge("pending", i, &l->pending, pending[i]);
		if (untracked + sw_gauge_read(&l->half, now_s, 63) > l->answered + 2 * scene->flows ||
		    (scene->keeps && untracked))
			fails("listener %u: %llu untracked, %llu answered", i,
			      (unsigned long long)untracked, (unsigned long long)l->answered);
	}
}

static void check_reasons(void)
{
	__u64 now[SW_R_COUNT], counted = 0, ran = 0;

	kernel_reasons(kern.skel, now);
	for (int r = 0; r < SW_R_COUNT; r++)
		counted += now[r] - reasons[r];
	for (__u32 i = 0; i < scene->threads; i++) {
		ran += threads[i].sent;
		if (threads[i].refused)
			fails("%llu runs went wrong", (unsigned long long)threads[i].refused);
		threads[i].sent = threads[i].refused = 0;
	}
	if (counted != ran)
		fails("%llu packets, %llu counted", (unsigned long long)ran,
		      (unsigned long long)counted);
	if (now[SW_R_INTERNAL] != reasons[SW_R_INTERNAL])
		fails("an internal error");
	if (scene->keeps && now[SW_R_TABLE_FULL] != reasons[SW_R_TABLE_FULL])
		fails("the table was full");
	sent += ran;
	contended += now[SW_R_CONTENDED] - reasons[SW_R_CONTENDED];
	memcpy(reasons, now, sizeof(reasons));
}

/*
 * Two readers of events, one of which misses most of them: both are told of, or
 * have lost, as many, and no event shows what cannot be.
 */
static struct sw_readers *readers;
static struct ring_buffer *rings[2];
static __u64 told[2];

static int on_record(void *arg, void *data, size_t size)
{
	const struct sw_record *r = data;

	++*(__u64 *)arg;
	if (size != sizeof(*r) || !possible(r->state[0], r->state[1]))
		fails("an event of %zu bytes: %s and %s", size, state_text(r->state[0]),
		      state_text(r->state[1]));
	return 0;
}

static bool open_readers(void)
{
	readers = map_whole(kern.skel->maps.readers, sizeof(*readers));
	if (!readers)
		return false;
	memset(told, 0, sizeof(told));
	rings[0] = kernel_reader(kern.skel, readers, 0, SW_READER_RING, ~0u, on_record, &told[0]);
	rings[1] = kernel_reader(kern.skel, readers, 3, 4096, 2000, on_record, &told[1]);
	return rings[0] && rings[1];
}

static void close_readers(void)
{
	for (int i = 0; i < 2; i++)
		ring_buffer__free(rings[i]);
	munmap(readers, sizeof(*readers));
}

static void check_events(void)
{
	__u64 all[2];

	for (int i = 0; i < 2; i++) {
		ring_buffer__consume(rings[i]);
		all[i] = told[i] + readers->reader[i * 3].lost;
	}
	if (all[0] != all[1] || readers->reader[0].lost)
		fails("events: %llu told of %llu, %llu of %llu", (unsigned long long)told[0],
		      (unsigned long long)all[0], (unsigned long long)told[1],
		      (unsigned long long)all[1]);
}

/* What can be said while they run: the word with the states is read at once. */
static void watch(void)
{
	for (int t = 0; t < 2; t++) {
		const struct sw_bucket *table = t ? kern.proven : kern.half;
		__u32 n = t ? kern.cfg.proven_buckets : kern.cfg.half_buckets;

		for (__u32 i = 0; i < n * SW_WAYS; i++) {
			union sw_ctl ctl = { .word = __atomic_load_n(
						     &table[i / SW_WAYS].slot[i % SW_WAYS].ctl.word,
						     __ATOMIC_RELAXED) };

			if (ctl.lock == SW_LIVE && !possible(ctl.state[0], ctl.state[1]))
				fails("while running: %s and %s", state_text(ctl.state[0]),
				      state_text(ctl.state[1]));
		}
	}
	for (int i = 1; i < 3; i++) {
		__u64 n = sw_gauge_read(&kern.listeners[i].half, clock_ns() / SW_NS_PER_SEC, 63);

		if (n > MAX_FLOWS)
			fails("while running: %llu half-open", (unsigned long long)n);
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	pin_to_cpu(t->number % sysconf(_SC_NPROCESSORS_ONLN));
	for (;;) {
		pthread_barrier_wait(&barrier);
		if (over)
			return NULL;
		scene->play(t);
		pthread_barrier_wait(&barrier);
	}
}

static int run_scenario(const struct scenario *s)
{
	unsigned int before = failures;
	__u64 seed = seed0, end;
	int ret;

	scene = s;
	ret = kernel_open(&kern, s->buckets, s->buckets, seed0);
	if (ret)
		return ret;
	if (!open_readers())
		fails("%s: no readers", s->name);
	if (!s->prepare && (kernel_listen(&kern, 0, 80) != 1 || kernel_listen(&kern, 0, 81) != 2))
		fails("%s: no listeners", s->name);
	memset(reasons, 0, sizeof(reasons));
	sent = contended = rounds = 0;
	over = false;
	pthread_barrier_init(&barrier, NULL, s->threads + 1);
	for (__u32 i = 0; i < s->threads; i++) {
		threads[i] = (struct thread){ .number = i, .seed = seed0 * 1000 + i + 1 };
		if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]))
			abort();
	}
	end = clock_ns() + scenario_ns;
	while (clock_ns() < end && failures < before + 20) {
		if (s->prepare)
			s->prepare();
		else if (rnd(&seed) % 4 == 0)
			clear();
		pthread_barrier_wait(&barrier);
		if (rnd(&seed) % 8 == 0)
			watch();
		pthread_barrier_wait(&barrier);
		if (s->check)
			s->check();
		check_tables();
		check_reasons();
		check_events();
		rounds++;
	}
	over = true;
	pthread_barrier_wait(&barrier);
	for (__u32 i = 0; i < s->threads; i++)
		pthread_join(threads[i].id, NULL);
	pthread_barrier_destroy(&barrier);
	close_readers();
	kernel_close(&kern);
	printf("%s %s: %llu rounds, %llu packets, %llu contended, %llu events, %u wrong\n",
	       failures == before ? "ok" : "FAIL", s->name, (unsigned long long)rounds,
	       (unsigned long long)sent, (unsigned long long)contended, (unsigned long long)told[0],
	       failures - before);
	return 0;
}

static const struct scenario scenarios[] = {
	{ "one thread alone", 1, 60, BUCKETS, .play = play_mix },
	{ "one flow", THREADS, 1, 16, .play = play_mix, .keeps = true },
	{ "flows that replace each other", THREADS, 60, BUCKETS, .play = play_mix },
	{ "imports beside packets", THREADS, 40, BUCKETS, .play = play_import },
	{ "listeners seen first by several", THREADS, 60, 16, prepare_learn, play_learn, check_learn,
	  .keeps = true },
	{ "data without a lock", 2, 1, BUCKETS, prepare_open, play_open, check_open, .keeps = true },
	{ "data of a flow that is replaced", 2, FULL + 1, 1, prepare_replaced, play_replaced,
	  check_replaced },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!kernel_allowed())
		return printf("SKIP races: needs root\n"), SKIPPED;
	scenario_ns = argc > 1 ? strtoul(argv[1], NULL, 10) * SW_NS_PER_SEC : scenario_ns;
	seed0 = argc > 2 ? strtoull(argv[2], NULL, 10) : seed0;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		int ret = argc > 3 && !strstr(scenarios[i].name, argv[3]) ?
				  0 :
				  run_scenario(&scenarios[i]);

		if (ret)
			return ret;
	}
	if (failures)
		printf("FAIL %u failures; seed %llu\n", failures, (unsigned long long)seed0);
	return failures != 0;
}
