// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "out.h"

static const char *const reasons[] = {
#define SW_X(name, text, meaning) text,
	SW_REASONS(SW_X)
#undef SW_X
};

const char *explain_flags(uint16_t flags, const char *between, char *text, size_t size)
{
	static const struct {
		uint16_t flag;
		const char *name;
	} names[] = {
		{ SW_TH_SYN, "SYN" }, { SW_TH_FIN, "FIN" }, { SW_TH_RST, "RST" },
		{ SW_TH_PSH, "PSH" }, { SW_TH_ACK, "ACK" }, { SW_TH_URG, "URG" },
		{ SW_TH_ECE, "ECE" }, { SW_TH_CWR, "CWR" }, { SW_TH_AE, "AE" },
	};
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && n < size; i++)
		if (flags & names[i].flag)
			n += snprintf(text + n, size - n, "%s%s", n ? between : "", names[i].name);
	return text;
}

const char *explain_label(const struct explain_row *r, char *text, size_t size)
{
	char flags[64];
	size_t n = snprintf(text, size, "%s seq=%" PRIu32,
			    r->pkt.flags ? explain_flags(r->pkt.flags, " ", flags, sizeof(flags)) : "-",
			    r->seq);

	if (r->pkt.flags & SW_TH_ACK && n < size)
		n += snprintf(text + n, size - n, " ack=%" PRIu32, r->ack);
	if (r->pkt.len && n < size)
		snprintf(text + n, size - n, " len=%" PRIu32, r->pkt.len);
	return text;
}

const char *explain_syn_options(const struct sw_pkt *p, char *text, size_t size)
{
	size_t n = 0;

	text[0] = 0;
	if (!(p->flags & SW_TH_SYN))
		return text;
	if (p->opts & SW_OPT_MSS)
		n += snprintf(text + n, size - n, "mss %u", p->mss);
	if (p->opts & SW_OPT_WSCALE)
		n += snprintf(text + n, size - n, "%swscale %u", n ? ", " : "", p->wscale);
	if (p->opts & SW_OPT_SACK)
		n += snprintf(text + n, size - n, "%sSACK", n ? ", " : "");
	if (p->opts & SW_OPT_TS)
		snprintf(text + n, size - n, "%stimestamps", n ? ", " : "");
	return text;
}

const char *explain_run_text(const struct explain_row *r, enum explain_lang lang, char *text,
			     size_t size)
{
	char all[32], n[2][32];

	out_thousands(all, sizeof(all), r->segments[0] + r->segments[1]);
	for (int i = 0; i < 2; i++)
		out_thousands(n[i], sizeof(n[i]), r->bytes[i]);
	snprintf(text, size,
		 lang == LANG_ZH ? "%s 个报文段：发往服务器 %s 字节，发往客户端 %s 字节" :
				   "%s segments: %s bytes to the server, %s bytes to the client",
		 all, n[0], n[1]);
	return text;
}

const char *explain_mark(const struct explain_row *r, enum explain_lang lang, char *text,
			 size_t size)
{
	static const char *const again[] = { "retransmitted", "重传" };
	static const char *const ignored[] = { "ignored", "被忽略" };

	const char *where = note_where(r->note);

	text[0] = 0;
	/* where a segment is not believed, the RFC is the answer to "why" */
	if (r->reason != SW_R_OBSERVED)
		snprintf(text, size, "%s%s%s: %s%s%s", r->retransmit ? again[lang] : "",
			 r->retransmit ? ", " : "", ignored[lang], reasons[r->reason],
			 *where ? ", " : "", where);
	else if (r->retransmit)
		snprintf(text, size, "%s", again[lang]);
	return text;
}

const char *explain_since(const struct explain_row *r, bool coarse, char *text, size_t size)
{
	double s = r->since_ns / 1e9;

	text[0] = 0;
	if (!r->since_ns || (coarse && s < 0.15))
		return text;
	if (coarse && s < 60)
		snprintf(text, size, "+%.1f s", s);
	else if (s < 0.001)
		snprintf(text, size, "+%.0f us", s * 1e6);
	else if (s < 1)
		snprintf(text, size, "+%.*f ms", s < 0.01 ? 2 : s < 0.1 ? 1 : 0, s * 1e3);
	else if (s < 60)
		snprintf(text, size, "+%.*f s", s < 10 ? 2 : 1, s);
	else
		out_duration(text, size, r->since_ns / SW_NS_PER_MS);
	return text;
}
