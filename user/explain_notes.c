// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "explain_notes.h"

static const struct {
	const char *where, *text[LANG_COUNT];
} notes[] = {
#define SW_X(name, where, en, zh) { where, { en, zh } },
	EXPLAIN_NOTES(SW_X)
#undef SW_X
};

const char *note_text(enum explain_note note, enum explain_lang lang)
{
	return notes[note].text[lang];
}

const char *note_where(enum explain_note note)
{
	return notes[note].where;
}

/* The sequence number that the sender's next new byte has; false when that is not known. */
static bool next_of(const struct note_case *c, uint32_t *nxt)
{
	uint32_t s = c->pkt->from & 1;

	if (!c->before || !(c->before->flags & SW_F_SEQ << s))
		return false;
	*nxt = c->before->dir[s].nxt;
	return true;
}

static bool behind_gap(const struct note_case *c)
{
	uint32_t nxt;

	return next_of(c, &nxt) && sw_after(c->pkt->seq, nxt);
}

static enum explain_note of_ignored_rst(const struct note_case *c, uint8_t receiver)
{
	const struct sw_pkt *p = c->pkt;
	uint32_t s = p->from & 1;

	if (p->opts & SW_OPT_AUTH)
		return NOTE_NO_RST_AUTH;
	if (receiver == SW_SYN_SENT)
		return NOTE_NO_RST_SYN_SENT;
	if (c->before && c->before->flags & SW_F_SEQ << s &&
	    p->seq - c->before->dir[s ^ 1].ack < c->before->dir[s ^ 1].win)
		return NOTE_NO_RST_WINDOW;
	return NOTE_NO_RST;
}

static enum explain_note of_ignored_seq(const struct note_case *c)
{
	const struct sw_pkt *p = c->pkt;
	uint32_t s = p->from & 1, end = p->seq + p->len + !!(p->flags & SW_TH_FIN);

	if (c->before && p->flags & SW_TH_FIN && sw_older(c->before, s, p))
		return NOTE_NO_PAWS;
	if (c->before && !sw_after(end, c->before->dir[s ^ 1].ack) &&
	    !sw_before(end, c->before->dir[s ^ 1].ack - c->before->dir[s ^ 1].win - 1))
		return NOTE_NO_SEQ_OLD;
	return NOTE_NO_SEQ;
}

static enum explain_note of_ignored(const struct note_case *c)
{
	uint8_t sender = c->was[c->from], receiver = c->was[c->from ^ 1];

	switch (c->reason) {
	case SW_R_SYN_IGNORED:
		if (receiver == SW_TIME_WAIT)
			return NOTE_NO_SYN_TW;
		return receiver == SW_SYN_RCVD || receiver == SW_SYN_SENT ? NOTE_NO_SYN_OPENING :
									    NOTE_NO_SYN;
	case SW_R_SYNACK_IGNORED:
		return receiver == SW_SYN_SENT ? NOTE_NO_SYNACK : NOTE_NO_SYNACK_OPEN;
	case SW_R_ACK_IGNORED:
		if (sender == SW_LISTEN)
			return NOTE_NO_ACK_SYN_SENT;
		return receiver == SW_SYN_RCVD ? NOTE_NO_ACK_SYN_RCVD : NOTE_NO_ACK;
	case SW_R_SEQ_IGNORED:
		return of_ignored_seq(c);
	case SW_R_FIN_IGNORED:
		return NOTE_NO_FIN;
	case SW_R_RST_IGNORED:
		return of_ignored_rst(c, receiver);
	case SW_R_AFTER_RST:
		return NOTE_NO_AFTER_RST;
	case SW_R_NO_FLOW:
		return NOTE_NO_FLOW;
	case SW_R_BAD_CHECKSUM:
		return NOTE_NO_CHECKSUM;
	case SW_R_BAD_FLAGS:
		return NOTE_NO_FLAGS;
	default:
		return NOTE_NO_OTHER;
	}
}

static enum explain_note of_rst(const struct note_case *c)
{
	uint8_t sender = c->was[c->from], receiver = c->was[c->from ^ 1];

	if (receiver == SW_TIME_WAIT)
		return NOTE_RST_TIME_WAIT;
	if (receiver == SW_SYN_SENT && sender != SW_SYN_RCVD)
		return NOTE_RST_REFUSED;
	if (c->what & (SW_CH_ABORTED | SW_CH_REFUSED))
		return NOTE_RST_OPENING;
	return NOTE_RST;
}

static enum explain_note of_syn(const struct note_case *c)
{
	bool simultaneous = c->after && c->after->flags & SW_F_SIMULTANEOUS;

	if (c->pkt->flags & SW_TH_ACK) {
		if (simultaneous)
			return c->sent_only ? NOTE_SYNACK_LEAVES :
			       c->arrives   ? NOTE_SYNACK_ARRIVES :
					      NOTE_SYNACK_CROSSES;
		if (c->retransmit)
			return NOTE_SYNACK_AGAIN;
		return c->after && c->after->flags & SW_F_MIDSTREAM ? NOTE_SYNACK_ALONE : NOTE_SYNACK;
	}
	if (c->retransmit)
		return NOTE_SYN_AGAIN;
	if (simultaneous)
		return NOTE_SYN_CROSSES;
	if (c->reuses)
		return NOTE_SYN_REUSES;
	if (c->before && c->was[c->from] == SW_SYN_SENT)
		return NOTE_SYN_NEW;
	return c->from ? NOTE_SYN_SERVER : NOTE_SYN;
}

static enum explain_note of_fin(const struct note_case *c)
{
	uint8_t receiver = c->was[c->from ^ 1];

	if (receiver == SW_CLOSING && c->is[c->from ^ 1] == SW_TIME_WAIT)
		return NOTE_ACK_CROSSED;
	if (c->retransmit)
		return receiver == SW_TIME_WAIT ? NOTE_FIN_AGAIN_TW : NOTE_FIN_AGAIN;
	if (c->sent_only)
		return NOTE_FIN;
	if (c->after && c->after->flags & SW_F_CROSSED)
		return NOTE_FIN_CROSSES;
	if (behind_gap(c))
		return NOTE_FIN_GAP;
	if (receiver == SW_FIN_WAIT_1 && c->is[c->from ^ 1] == SW_TIME_WAIT)
		return NOTE_FIN_WITH_ACK;
	return receiver == SW_FIN_WAIT_2 ? NOTE_FIN_SECOND : NOTE_FIN;
}

static enum explain_note of_ack(const struct note_case *c)
{
	uint8_t receiver = c->was[c->from ^ 1], becomes = c->is[c->from ^ 1];
	const struct sw_pkt *p = c->pkt;
	uint32_t nxt;

	if (c->before && c->before->flags & SW_F_RST)
		return NOTE_RST_UNBELIEVED;
	if (receiver == SW_FIN_WAIT_1 && becomes == SW_FIN_WAIT_2)
		return c->from ? NOTE_ACK_FIN : NOTE_ACK_FIN_CLIENT;
	if (receiver == SW_CLOSING && becomes == SW_TIME_WAIT)
		return NOTE_ACK_CROSSED;
	if (receiver == SW_LAST_ACK && becomes == SW_CLOSED)
		return NOTE_ACK_LAST;
	if (!c->before)
		return NOTE_MIDSTREAM;
	if (c->challenged && !p->len)
		return NOTE_CHALLENGE;
	if (p->len <= 1 && next_of(c, &nxt) && p->seq == nxt - 1)
		return NOTE_KEEPALIVE;
	if (c->retransmit)
		return NOTE_DATA_AGAIN;
	if (p->len && behind_gap(c))
		return NOTE_DATA_GAP;
	if (p->len && next_of(c, &nxt) && p->seq == nxt && sw_after(c->before->dir[p->from & 1].max, nxt))
		return NOTE_DATA_FILLS;
	if (!p->win)
		return NOTE_ZERO_WINDOW;
	if (p->len)
		return receiver == SW_FIN_WAIT_2 ? NOTE_DATA_HALF_CLOSED : NOTE_DATA;
	return NOTE_ACK;
}

enum explain_note note_for(const struct note_case *c)
{
	uint16_t flags = c->pkt->flags;

	if (c->lost)
		return NOTE_LOST;
	if (c->reason == SW_R_SEQ_IGNORED && memcmp(c->was, c->is, sizeof(c->was)))
		return NOTE_NO_SEQ_ACK;
	if (c->reason != SW_R_OBSERVED)
		return of_ignored(c);
	if (flags & SW_TH_RST)
		return of_rst(c);
	if (flags & SW_TH_SYN)
		return of_syn(c);
	if (flags & SW_TH_FIN)
		return of_fin(c);
	if (c->what & SW_CH_COMPLETED)
		return c->pkt->len ? NOTE_ACK_OPENS_DATA : NOTE_ACK_OPENS;
	return of_ack(c);
}

bool note_challenges(enum explain_note note)
{
	return note == NOTE_NO_SYN || note == NOTE_NO_RST_WINDOW;
}
