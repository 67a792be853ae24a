// SPDX-License-Identifier: GPL-2.0
/*
 * The conversations of EDGE_CASES.md, as refined by DESIGN.md section 3. Rows
 * marked I there: what Linux does.
 */
#include "packets.h"

#define T(...) .steps = (const struct step[]){ __VA_ARGS__, { .from = END } }

/* A handshake; and a connection that C, then S closes. */
#define HS                                                                                         \
	{ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }
#define HS_TS                                                                                      \
	{ C, SYN, 0, 0, 0, SS, LI, .opt = O_TS, .ts = 1000 },                                      \
	{ S, SA, 0, 1, 0, SS, SR, .opt = O_TS, .ts = 5000 },                                       \
	{ C, ACK, 1, 1, 0, ES, ES, .opt = O_TS, .ts = 1001 }
#define C_CLOSES                                                                                   \
	{ C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, FA, 1, 2, 0, TW, LA },       \
	{ C, ACK, 2, 2, 0, TW, CL }
#define S_CLOSES                                                                                   \
	{ S, FA, 1, 1, 0, ES, F1 }, { C, ACK, 1, 2, 0, CW, F2 }, { C, FA, 1, 2, 0, LA, TW },       \
	{ S, ACK, 2, 2, 0, CL, TW }
#define CLOSING                                                                                    \
	{ C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 1, 0, CI, CI }

/* A host's own stack sends a SYN only for a new connection: these rows are about the others'. */
#define SYN_OF_C NOT_IN(V_CLIENT)
#define SYN_OF_S NOT_IN(V_SERVER)

static bool is_c_client(const struct sw_flow *f, __u32 client)
{
	return f && sw_server(f) == (client ^ 1);
}

static bool is_c_server(const struct sw_flow *f, __u32 client)
{
	return f && sw_server(f) == client;
}

static bool is_simultaneous(const struct sw_flow *f, __u32 client)
{
	return is_c_client(f, client) && f->flags & SW_F_SIMULTANEOUS;
}

static bool has_options(const struct sw_flow *f, __u32 client)
{
	const struct sw_dir *c = &f->dir[client], *s = &f->dir[client ^ 1];

	return c->mss == 1460 && c->wscale == 7 && c->opts == 15 && c->ts == 1000 &&
	       s->mss == 1460 && s->wscale == 7 && s->opts == 15 && s->ts == 5000;
}

static bool has_retransmits(const struct sw_flow *f, __u32 client)
{
	(void)client;
	return f->syn_rtx == 1 && f->synack_rtx == 2 && f->fin_rtx == 1;
}

static bool has_latencies(const struct sw_flow *f, __u32 client)
{
	(void)client;
	return f->server_us == 20000 && f->client_us == 30000;
}

static bool closed_by_server(const struct sw_flow *f, __u32 client)
{
	(void)client;
	return f->flags & SW_F_FIRST_SERVER && !(f->flags & SW_F_CROSSED) &&
	       f->flags & SW_F_HALF_CLOSED && f->closed_ms == 500;
}

static bool closed_crossing(const struct sw_flow *f, __u32 client)
{
	(void)client;
	return f->flags & SW_F_CROSSED;
}

static bool reset_by_server(const struct sw_flow *f, __u32 client)
{
	(void)client;
	return f->flags & SW_F_RST && f->flags & SW_F_RST_SERVER;
}

const struct script scripts[] = {
	/* opening */
	{ "1", "SYN", T({ C, SYN, 0, 0, 0, SS, LI, .table = 'h' }) },
	{ "2", "SYN-ACK", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR, .table = 'h' }) },
	{ "3", "handshake", T(HS), .check = is_c_client },
	{ "3", "it proves the flow", T(HS, { C, ACK, 1, 1, 9, ES, ES, .table = 'p' }), .in = NOT_IN(V_TAP) },
	{ "3", "but not when both directions came by one way", T(HS, { C, ACK, 1, 1, 9, ES, ES, .table = 'h' }), .in = IN(V_TAP) },
	{ "3", "options of both ends", T(HS_TS), .check = has_options },
	{ "3", "latencies", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR, .ms = 20 },
			      { C, ACK, 1, 1, 0, ES, ES, .ms = 30 }), .check = has_latencies },
	{ "4", "SYN again", T({ C, SYN, 0, 0, 0, SS, LI }, { C, SYN, 0, 0, 0, SS, LI, .ms = 1000 },
			      { S, SA, 0, 1, 0, SS, SR }) },
	{ "4", "does not prolong it", T({ C, SYN, 0, 0, 0, SS, LI }, { C, SYN, 0, 0, 0, SS, LI, .ms = 40000 },
					{ WAIT, .c = NO, .s = NO, .ms = 24000 }), .in = NOT_IN(V_CLIENT) },
	{ "4", "an own SYN lives 128 s", T({ C, SYN, 0, 0, 0, SS, LI }, { C, SYN, 0, 0, 0, SS, LI, .ms = 63000 },
					   { WAIT, .c = SS, .s = LI, .ms = 63000 },
					   { WAIT, .c = NO, .s = NO, .ms = 3000 }), .in = IN(V_CLIENT) },
	{ "5", "SYN with another ISN", T({ C, SYN, 0, 0, 0, SS, LI }, { C, SYN, 5000, 0, 0, SS, LI },
					 { S, SA, 0, 1, 0, SS, LI, .why = SW_R_SYNACK_IGNORED },
					 { S, SA, 9000, 5001, 0, SS, SR }, { C, ACK, 5001, 9001, 0, ES, ES }) },
	{ "5", "after the SYN-ACK it does not count", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
			{ C, SYN, 5000, 0, 0, SS, SR, .why = SW_R_SYN_IGNORED }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "6", "SYN-ACK with a wrong ACK", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 77, 0, SS, LI, .why = SW_R_SYNACK_IGNORED },
					     { S, SA, 0, 0, 0, SS, LI, .why = SW_R_SYNACK_IGNORED },
					     { S, SA, 0, 2, 0, SS, LI, .why = SW_R_SYNACK_IGNORED }) },
	{ "7", "then RST, and again", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 7000, 77, 0, SS, LI },
					{ C, RST, 77, 0, 0, SS, LI, .why = SW_R_RST_IGNORED }, { C, SYN, 0, 0, 0, SS, LI },
					{ S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "8", "SYN-ACK repeated after the ACK", T(HS, { S, SA, 0, 1, 0, ES, SR }, { C, ACK, 1, 1, 0, ES, ES },
						   { S, SA, 0, 1, 0, ES, SR }, { C, ACK | PSH, 1, 1, 10, ES, ES },
						   { S, ACK, 1, 11, 0, ES, ES }) },
	{ "8", "and after data that the server did not take", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { S, SA, 0, 1, 0, ES, SR },
								{ C, ACK, 1, 1, 100, ES, ES }) },
	{ "9", "two server ISNs, the first is taken", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
			{ S, SA, 5000, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES },
			{ S, ACK, 1, 1, 10, ES, ES }, { C, FA, 1, 11, 0, F1, ES }) },
	{ "9", "two server ISNs, the second is taken", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
			{ S, SA, 5000, 1, 0, SS, SR }, { C, ACK, 1, 5001, 0, ES, ES },
			{ S, ACK, 5001, 1, 10, ES, ES }, { C, FA, 1, 5011, 0, F1, ES }) },
	{ "9", "two server ISNs, the second is lower", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
			{ S, SA, -5000, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }, { S, FA, 1, 1, 0, ES, F1 }) },
	{ "9", "either repeated", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
			{ S, SA, 5000, 1, 0, SS, SR }, { S, SA, 5000, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "10", "final ACK is wrong", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
					{ C, ACK, 1, 999, 0, SS, SR, .why = SW_R_ACK_IGNORED },
					{ S, RST, 999, 0, 0, SS, SR, .why = SW_R_RST_IGNORED },
					{ C, ACK, 1, 0, 0, SS, SR, .why = SW_R_ACK_IGNORED }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "10", "final ACK outside the window", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
					{ C, ACK, 100001, 1, 0, SS, SR }, { C, ACK, -5, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "11", "data completes it", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
				       { C, ACK | PSH, 1, 1, 300, ES, ES }, { S, ACK, 1, 301, 0, ES, ES }) },
	{ "12", "FIN completes it", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, FA, 1, 1, 0, F1, ES },
				      { S, ACK, 1, 2, 0, F2, CW }, { S, FA, 1, 2, 0, TW, LA }, { C, ACK, 2, 2, 0, TW, CL }) },
	{ "12", "data and FIN complete it", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, FA, 1, 1, 20, F1, ES },
					      { S, FA, 1, 22, 0, TW, LA }, { C, ACK, 22, 2, 0, TW, CL }) },
	{ "13", "RST in SYN_RCVD", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, RST, 1, 0, 0, CL, CL }) },
	{ "13", "RST-ACK in SYN_RCVD", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, RA, 1, 1, 0, CL, CL }) },
	{ "13", "RST in SYN_RCVD, opened simultaneously", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR }, { S, RST, 1, 0, 0, CL, CL }) },
	{ "13", "RST of the server itself", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { S, RST, 1, 0, 0, CL, CL }) },
	{ "14", "inexact RST in SYN_RCVD", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
					     { C, RST, 100, 0, 0, SS, SR, .amb = 1, .why = SW_R_RST_IGNORED }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "14", "RST out of the window in SYN_RCVD", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },
					     { C, RST, 100000000, 0, 0, SS, SR }, { C, RST, 0, 0, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "15", "refused", T({ C, SYN, 0, 0, 0, SS, LI }, { S, RA, 0, 1, 0, CL, CL, .opt = O_SEQ0 }) },
	{ "15", "refused, SYN with data", T({ C, SYN, 0, 0, 10, SS, LI }, { S, RA, 0, 11, 0, CL, CL, .opt = O_SEQ0 }) },
	{ "16", "RST-ACK of something else", T({ C, SYN, 0, 0, 0, SS, LI }, { S, RA, 0, 0, 0, SS, LI, .opt = O_SEQ0 },
					       { S, RA, 0, 2, 0, SS, LI, .opt = O_SEQ0 }, { S, RA, 0, 77, 0, SS, LI } ) },
	{ "17", "RST without ACK", T({ C, SYN, 0, 0, 0, SS, LI }, { S, RST, 0, 0, 0, SS, LI, .opt = O_SEQ0 }, { S, RST, 1, 0, 0, SS, LI }) },
	{ "18", "challenge ACK", T({ C, SYN, 0, 0, 0, SS, LI }, { S, ACK, 7000, 500, 0, SS, LI, .why = SW_R_ACK_IGNORED },
				   { C, RST, 500, 0, 0, SS, LI, .why = SW_R_RST_IGNORED }, { C, SYN, 0, 0, 0, SS, LI, .ms = 1000 },
				   { S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "19", "SYN, then RST", T({ C, SYN, 0, 0, 0, SS, LI }, { C, RST, 1, 0, 0, CL, CL }) },
	{ "19", "SYN, then RST with the SYN's number", T({ C, SYN, 0, 0, 0, SS, LI }, { C, RST, 0, 0, 0, CL, CL }) },
	{ "20", "simultaneous open", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR }), .check = is_simultaneous },
	{ "20", "SYN-ACKs cross (figure 7)", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR }, { C, SA, 0, 1, 0, SR, ES },
					       { S, SA, 0, 1, 0, ES, ES }, { C, ACK, 1, 1, 9, ES, ES }, { S, ACK, 1, 10, 0, ES, ES }),
	  .check = is_simultaneous },
	{ "21", "split handshake, 4 packets", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR }, { C, SA, 0, 1, 0, SR, ES },
						{ S, ACK, 1, 1, 0, ES, ES }, { C, ACK, 1, 1, 9, ES, ES }), .check = is_simultaneous },
	{ "22", "split handshake, 5 packets", T({ C, SYN, 0, 0, 0, SS, LI }, { S, ACK, 0, 1, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR },
						{ C, SA, 0, 1, 0, SR, ES }, { S, ACK, 1, 1, 0, ES, ES }), .check = is_simultaneous },
	{ "24", "data on the SYN, not taken", T({ C, SYN, 0, 0, 10, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 10, ES, ES },
						{ S, ACK, 1, 11, 0, ES, ES }, { C, FA, 11, 1, 0, F1, ES }, { S, ACK, 1, 12, 0, F2, CW }) },
	{ "24", "data on the SYN, not taken nor sent again", T({ C, SYN, 0, 0, 10, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES },
						{ C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }) },
	{ "25", "Fast Open", T({ C, SYN, 0, 0, 10, SS, LI, .opt = O_FO }, { S, SA, 0, 11, 0, SS, SR }, { S, ACK, 1, 11, 100, SS, SR },
			       { C, ACK, 11, 101, 0, ES, ES }, { C, FA, 11, 101, 0, F1, ES }, { S, ACK, 101, 12, 0, F2, CW }) },
	{ "25", "Fast Open, the server closes before the ACK", T({ C, SYN, 0, 0, 10, SS, LI, .opt = O_FO }, { S, SA, 0, 11, 0, SS, SR },
			{ S, ACK, 1, 11, 100, SS, SR }, { S, FA, 101, 11, 0, SS, F1 }, { C, ACK, 11, 102, 0, CW, F2 },
			{ C, FA, 11, 102, 0, LA, TW }, { S, ACK, 102, 12, 0, CL, TW }) },
	{ "26", "server data before the ACK", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { S, ACK, 1, 1, 100, SS, SR },
						{ C, ACK, 1, 101, 0, ES, ES }) },
	{ "27", "SYN-ACK with data", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 50, SS, SR }, { C, ACK, 1, 51, 0, ES, ES },
				       { S, FA, 51, 1, 0, ES, F1 }, { C, ACK, 1, 52, 0, CW, F2 }) },
	{ "28", "SYN-FIN", T({ C, SYN | FIN, 0, 0, 0, NO, NO, .why = SW_R_BAD_FLAGS }, { C, SYN, 0, 0, 0, SS, LI },
			     { C, SYN | FIN, 0, 0, 0, SS, LI }, { S, SA | FIN, 0, 1, 0, SS, LI }) },
	{ "29", "SYN-RST", T({ C, SYN | RST, 0, 0, 0, NO, NO, .why = SW_R_BAD_FLAGS }) },
	{ "30", "NULL, XMAS, FIN, no flow", T({ C, 0, 0, 0, 0, NO, NO, .why = SW_R_BAD_FLAGS }, { C, FIN | PSH | URG, 0, 0, 0, NO, NO, .why = SW_R_BAD_FLAGS },
					      { C, FIN, 0, 0, 0, NO, NO, .why = SW_R_BAD_FLAGS }, { C, RST, 5, 0, 0, NO, NO, .why = SW_R_NO_FLOW },
					      { C, RA, 5, 5, 0, NO, NO, .why = SW_R_NO_FLOW }) },
	{ "31", "ECN", T({ C, SYN | ECN, 0, 0, 0, SS, LI }, { S, SA | SW_TH_ECE, 0, 1, 0, SS, SR }, { C, ACK | ECN, 1, 1, 0, ES, ES }) },
	{ "31", "AccECN", T({ C, SYN | AECN, 0, 0, 0, SS, LI }, { S, SA | SW_TH_AE, 0, 1, 0, SS, SR }, { C, ACK | AECN, 1, 1, 0, ES, ES }) },
	{ "32", "SYN-ACK first", T({ S, SA, 0, 1, 0, SS, SR, .table = 'h' }), .check = is_c_client },
	{ "32", "SYN-ACK first, no answer", T({ S, SA, 0, 1, 0, SS, SR }, { S, SA, 0, 1, 0, SS, SR, .ms = 1000 },
					      { WAIT, .c = NO, .s = NO, .ms = 70000 }) },
	{ "32", "SYN-ACK first, then ACK", T({ S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }, { S, ACK, 1, 1, 9, ES, ES },
					     { C, FA, 1, 10, 0, F1, ES }, { S, ACK, 10, 2, 0, F2, CW }), .check = is_c_client },
	{ "32", "SYN-ACK first, then RST (backscatter)", T({ S, SA, 0, 1, 0, SS, SR }, { C, RST, 1, 0, 0, CL, CL }) },
	{ "33", "SYN-ACK before its SYN", T({ S, SA, 0, 1, 0, SS, SR }, { C, SYN, 0, 0, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }),
	  .check = is_c_client },
	{ "34", "midstream", T({ C, ACK, 1000, 2000, 100, ES, ES, .table = 'h' }, { S, ACK, 2000, 1100, 50, ES, ES },
			       { C, ACK, 1100, 2050, 0, ES, ES }), .check = is_c_client },
	{ "34", "midstream, the server's segment first", T({ S, ACK, 2000, 1000, 100, ES, ES }, { C, ACK, 1000, 2100, 50, ES, ES },
			       { S, ACK, 2100, 1050, 0, ES, ES }, { C, FA, 1050, 2100, 0, F1, ES }, { S, FA, 2100, 1051, 0, TW, LA },
			       { C, ACK, 1051, 2101, 0, TW, CL }), .check = is_c_client },
	{ "34", "midstream, one segment", T({ C, ACK, 1000, 2000, 100, ES, ES }, { WAIT, .c = NO, .s = NO, .ms = 31000 }) },
	{ "34", "midstream, FIN first", T({ C, FA, 1000, 2000, 0, F1, ES }, { S, FA, 2000, 1001, 0, TW, LA }, { C, ACK, 1001, 2001, 0, TW, CL }) },
	{ "35", "the client's direction only", T({ C, SYN, 0, 0, 0, SS, LI }, { C, ACK, 1, 1, 0, ES, ES, .amb = 1 }, { C, ACK, 1, 1, 50, ES, ES },
						 { C, ACK, 51, 3000, 0, ES, ES }, { C, FA, 51, 3000, 0, F1, ES }), .in = IN(V_REPLAY) | IN(V_CLIENT) },
	{ "35", "the client's direction only, unproven", T({ C, SYN, 0, 0, 0, SS, LI }, { C, ACK, 1, 1, 50, ES, ES, .table = 'h' },
						 { C, ACK, 51, 1, 50, ES, ES, .table = 'h' }), .in = NOT_IN(V_REPLAY) },
	{ "37", "SYN on a connection", T(HS, { C, SYN, 0, 0, 0, ES, ES, .why = SW_R_SYN_IGNORED }, { C, SYN, 5000, 0, 0, ES, ES, .why = SW_R_SYN_IGNORED },
					 { C, SYN, 1, 0, 0, ES, ES }, { S, ACK, 1, 1, 10, ES, ES }), .in = SYN_OF_C },
	{ "37", "SYN of the server on a connection", T(HS, { S, SYN, 0, 0, 0, ES, ES, .why = SW_R_SYN_IGNORED }, { S, SYN, 5000, 0, 0, ES, ES },
						       { C, ACK, 1, 1, 10, ES, ES }), .in = SYN_OF_S },
	{ "38", "the connection was stale", T(HS, { C, SYN, 5000, 0, 0, ES, ES }, { S, ACK, 1, 1, 0, ES, ES }, { C, RST, 1, 0, 0, CL, CL },
					      { C, SYN, 5000, 0, 0, SS, LI, .ms = 1000 }, { S, SA, 9000, 5001, 0, SS, SR },
					      { C, ACK, 5001, 9001, 0, ES, ES }), .in = SYN_OF_C },
	{ "38", "seen at the client", T(HS, { C, SYN, 5000, 0, 0, SS, LI }, { S, ACK, 1, 1, 0, SS, LI }, { C, RST, 1, 0, 0, SS, LI },
					{ C, SYN, 5000, 0, 0, SS, LI, .ms = 1000 }, { S, SA, 9000, 5001, 0, SS, SR },
					{ C, ACK, 5001, 9001, 0, ES, ES }), .in = IN(V_CLIENT) },
	{ "39", "SYN-ACK to the server", T(HS, { C, SA, 0, 1, 0, ES, ES, .why = SW_R_SYNACK_IGNORED }, { C, SA, 5000, 1, 0, ES, ES },
					   { S, ACK, 1, 1, 10, ES, ES }), .in = SYN_OF_C },

	/* resets */
	{ "40", "exact RST", T(HS, { C, RST, 1, 0, 0, CL, CL }, { WAIT, .c = NO, .s = NO, .ms = 70000 }) },
	{ "40", "exact RST of the server", T(HS, { S, RST, 1, 0, 0, CL, CL }), .in = NOT_IN(V_TAP), .check = reset_by_server },
	{ "40", "exact RST after data", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { S, ACK, 1, 101, 200, ES, ES }, { C, ACK, 101, 201, 0, ES, ES },
					  { S, RA, 201, 101, 0, CL, CL }) },
	{ "41", "RST in the window", T(HS, { C, RST, 100, 0, 0, ES, ES, .amb = 1, .why = SW_R_RST_IGNORED }, { S, RST, 50000, 0, 0, ES, ES },
				       { C, ACK, 1, 1, 10, ES, ES }, { S, ACK, 1, 11, 0, ES, ES }) },
	{ "42", "RST out of the window", T(HS, { C, RST, 10000000, 0, 0, ES, ES, .why = SW_R_RST_IGNORED }, { S, RST, -5, 0, 0, ES, ES },
					   { S, RST, 0, 0, 0, ES, ES, .opt = O_SEQ0, .why = SW_R_RST_IGNORED }) },
	{ "43", "data, then RST at its end", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { C, RST, 101, 0, 0, CL, CL }) },
	{ "43", "data, then RST at its begin", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { C, RA, 1, 1, 0, CL, CL }) },
	{ "44", "RST-ACK with ACK 0", T(HS, { C, RA, 77, 0, 0, ES, ES, .opt = O_ACK0 }, { C, RA, 1, 0, 0, CL, CL, .opt = O_ACK0 }) },
	{ "45", "RST with payload", T(HS, { S, RST, 50, 0, 20, ES, ES }, { S, RST, 1, 0, 20, CL, CL }) },
	{ "46", "RST with TCP-MD5", T(HS, { C, RST, 1, 0, 0, ES, ES, .opt = O_MD5, .amb = 1 }),
	  .xfail = "options of an RST are not looked at" },
	{ "47", "RST that its receiver ignores", T(HS, { S, RST, 1, 0, 0, CL, CL }, { C, ACK, 1, 1, 10, ES, ES, .ms = 300, .amb = 1 },
						   { S, ACK, 1, 11, 0, ES, ES }), .in = NOT_IN(V_SERVER) & NOT_IN(V_TAP) },
	{ "47", "segments that were in flight", T(HS, { S, RST, 1, 0, 0, CL, CL }, { C, ACK, 1, 1, 10, CL, CL, .ms = 2, .why = SW_R_AFTER_RST }), .in = NOT_IN(V_TAP) },
	{ "47", "the resetter's own segments do not count", T(HS, { S, RST, 1, 0, 0, CL, CL }, { S, ACK, 1, 1, 10, CL, CL, .ms = 300, .why = SW_R_AFTER_RST }),
	  .in = NOT_IN(V_TAP) },
	{ "47", "nor what is sent to the own stack that reset", T(HS, { S, RST, 1, 0, 0, CL, CL }, { C, ACK, 1, 1, 10, CL, CL, .ms = 300, .why = SW_R_AFTER_RST }),
	  .in = IN(V_SERVER) },

	/* open */
	{ "48", "ACK of what was never sent, with FIN", T(HS, { C, FA, 1, 5000, 0, ES, ES, .why = SW_R_ACK_IGNORED }, { C, ACK, 1, 1, 5, ES, ES }),
	  .in = NOT_IN(V_CLIENT) },
	{ "49", "ACK too old, with FIN", T(HS, { C, FA, 1, -200000000, 0, ES, ES, .why = SW_R_ACK_IGNORED }), .in = NOT_IN(V_CLIENT) },
	{ "50", "old duplicate with a new ACK", T(HS, { S, ACK, 1, 1, 100, ES, ES }, { C, FA, 1, 101, 0, F1, ES },
						  { S, ACK, 1, 2, 50, F2, CW }) },
	{ "50", "FIN again, acknowledging the other's", T(HS, CLOSING, { S, FA, 1, 2, 0, TW, CI }, { C, ACK, 2, 2, 0, TW, TW }) },
	{ "51", "more data than the window", T(HS, { C, ACK, 1, 1, 60000, ES, ES }, { C, ACK, 60001, 1, 30000, ES, ES },
					       { S, ACK, 1, 90001, 0, ES, ES, .why = 0 }, { C, FA, 90001, 1, 0, F1, ES }, { S, ACK, 1, 90002, 0, F2, CW }) },
	{ "52", "timestamp too old, with FIN", T(HS_TS, { C, FA, 1, 1, 0, ES, ES, .opt = O_TS, .ts = 500 }, { S, ACK, 1, 1, 0, ES, ES, .opt = O_TS, .ts = 5001 }),
	  .xfail = "no PAWS check" },
	{ "53", "keep-alive", T(HS, { C, ACK, 0, 1, 0, ES, ES }, { S, ACK, 1, 1, 0, ES, ES }, { C, ACK, 0, 1, 1, ES, ES }, { C, ACK, 1, 1, 5, ES, ES },
				{ S, ACK, 1, 6, 0, ES, ES }, { C, ACK, 5, 1, 0, ES, ES }, { C, FA, 6, 1, 0, F1, ES }, { S, ACK, 1, 7, 0, F2, CW }) },
	{ "54", "no flags", T(HS, { C, 0, 1, 0, 10, ES, ES, .why = SW_R_BAD_FLAGS }, { C, FA, 1, 1, 0, F1, ES }) },
	{ "56", "window scale on one SYN only", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR, .opt = O_NOSCALE }, { C, ACK, 1, 1, 0, ES, ES, .win = 64000 },
						  { S, FA, 100001, 1, 0, ES, ES, .why = SW_R_SEQ_IGNORED }), .in = NOT_IN(V_SERVER),
	  .xfail = "the scale counts although the other end did not offer it" },
	{ "56", "the window of a SYN is not scaled", T({ C, SYN, 0, 0, 0, SS, LI, .win = 1000 }, { S, SA, 0, 1, 0, SS, SR, .win = 1000 },
						       { C, ACK, 1100, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }) },
	{ "57", "GSO", T(HS, { C, ACK, 1, 1, 60000, ES, ES }, { S, ACK, 1, 60001, 0, ES, ES }, { C, FA, 60001, 1, 0, F1, ES }, { S, ACK, 1, 60002, 0, F2, CW }) },
	{ "57", "BIG TCP", T(HS, { C, ACK, 1, 1, 180000, ES, ES }, { S, ACK, 1, 180001, 0, ES, ES }, { C, FA, 180001, 1, 0, F1, ES },
			     { S, ACK, 1, 180002, 0, F2, CW }) },
	{ "58", "Ethernet padding", T(HS, { C, ACK, 1, 1, 0, ES, ES, .opt = O_PAD }, { C, ACK, 1, 1, 1, ES, ES, .opt = O_PAD },
				      { C, FA, 2, 1, 0, F1, ES, .opt = O_PAD }, { S, ACK, 1, 3, 0, F2, CW }) },

	/* closing */
	{ "59", "FIN", T(HS, { C, FA, 1, 1, 0, F1, ES }) },
	{ "60", "ACK of the FIN", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }) },
	{ "61", "ACK that does not cover it", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { C, FA, 101, 1, 0, F1, ES }, { S, ACK, 1, 1, 0, F1, ES },
						{ S, ACK, 1, 101, 0, F1, ES }, { S, ACK, 1, 102, 0, F2, CW }) },
	{ "62", "half-closed for hours, data moves", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, ACK, 1, 2, 100, F2, CW, .ms = 3600000 },
						       { C, ACK, 2, 101, 0, F2, CW, .ms = 1 }, { S, FA, 101, 2, 0, TW, LA, .ms = 3600000 },
						       { C, ACK, 2, 102, 0, TW, CL }), .in = NOT_IN(V_TAP) },
	{ "62", "half-closed for hours, silent", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { WAIT, .c = F2, .s = CW, .ms = 7200000 }),
	  .in = NOT_IN(V_TAP) },
	{ "63", "FIN of the server", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, FA, 1, 2, 0, TW, LA }) },
	{ "64", "FIN-ACK that covers the FIN", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 2, 0, TW, LA }, { C, ACK, 2, 2, 0, TW, CL }) },
	{ "65", "closed by the client", T(HS, C_CLOSES) },
	{ "65", "closed by the server", T(HS, { S, FA, 1, 1, 0, ES, F1 }, { C, ACK, 1, 2, 0, CW, F2 }, { C, FA, 1, 2, 0, LA, TW, .ms = 500 },
					  { S, ACK, 2, 2, 0, CL, TW }), .check = closed_by_server },
	{ "66", "FINs cross", T(HS, CLOSING), .check = closed_crossing },
	{ "67", "and are acknowledged", T(HS, CLOSING, { C, ACK, 2, 2, 0, CI, TW }, { S, ACK, 2, 2, 0, TW, TW }) },
	{ "67", "by the server first", T(HS, CLOSING, { S, ACK, 2, 2, 0, TW, CI }, { C, ACK, 2, 2, 0, TW, TW }, { WAIT, .c = CL, .s = CL, .ms = 61000 }) },
	{ "68", "FIN again", T(HS, { C, FA, 1, 1, 0, F1, ES }, { C, FA, 1, 1, 0, F1, ES, .ms = 200 }, { S, ACK, 1, 2, 0, F2, CW }, { C, FA, 1, 1, 0, F2, CW }) },
	{ "68", "FIN again, without its data", T(HS, { C, FA, 1, 1, 100, F1, ES }, { C, FA, 101, 1, 0, F1, ES }, { S, ACK, 1, 102, 0, F2, CW }) },
	{ "68", "retransmissions are counted", T({ C, SYN, 0, 0, 0, SS, LI }, { C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { S, SA, 0, 1, 0, SS, SR },
						 { S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }, { C, FA, 1, 1, 0, F1, ES }, { C, FA, 1, 1, 0, F1, ES }),
	  .check = has_retransmits },
	{ "69", "FIN after a gap", T(HS, { C, FA, 101, 1, 0, F1, ES }, { S, ACK, 1, 1, 0, F1, ES }, { C, ACK, 1, 1, 100, F1, ES }, { S, ACK, 1, 102, 0, F2, CW }),
	  .in = NOT_IN(V_SERVER) },
	{ "69", "FIN after a gap, to this host", T(HS, { C, FA, 101, 1, 0, ES, ES }, { S, ACK, 1, 1, 0, ES, ES }, { C, ACK, 1, 1, 100, ES, ES },
						   { S, ACK, 1, 102, 0, F2, CW }, { S, FA, 1, 102, 0, TW, LA }), .in = IN(V_SERVER) },
	{ "69", "a second FIN after a gap: the acknowledged one counts", T(HS, { C, FA, 101, 1, 0, ES, ES }, { C, FA, 201, 1, 0, ES, ES },
						   { C, ACK, 1, 1, 100, ES, ES }, { C, FA, 101, 1, 0, F1, ES }, { S, ACK, 1, 102, 0, F2, CW }), .in = IN(V_SERVER) },
	{ "70", "FIN out of the window", T(HS, { C, FA, 100000000, 1, 0, ES, ES, .why = SW_R_SEQ_IGNORED }, { C, FA, -100000000, 1, 0, ES, ES, .why = SW_R_SEQ_IGNORED },
					   { C, ACK, 1, 1, 5, ES, ES }), .in = NOT_IN(V_CLIENT) },
	{ "70", "FIN before what was sent", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { C, FA, 50, 1, 0, ES, ES }, { S, ACK, 1, 101, 0, ES, ES }) },
	{ "70", "another FIN", T(HS, { C, FA, 1, 1, 0, F1, ES }, { C, FA, 1, 1, 20, F1, ES, .why = SW_R_FIN_IGNORED }, { S, ACK, 1, 2, 0, F2, CW }) },
	{ "71", "FIN without ACK", T(HS, { C, FIN, 1, 0, 0, ES, ES, .why = SW_R_BAD_FLAGS }, { S, FIN, 1, 0, 0, ES, ES }) },
	{ "72", "FIN to SYN_SENT", T({ C, SYN, 0, 0, 0, SS, LI }, { S, FA, 0, 1, 0, SS, LI }, { S, FA, 1, 1, 0, SS, LI }) },
	{ "73", "last ACK lost", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, FA, 1, 2, 0, TW, LA }, { S, FA, 1, 2, 0, TW, LA, .ms = 40000 },
				   { WAIT, .c = TW, .s = LA, .ms = 40000 }, { C, ACK, 2, 2, 0, TW, CL }), .in = NOT_IN(V_TAP) },
	{ "73", "last ACK lost behind the observer", T(HS, C_CLOSES, { S, FA, 1, 2, 0, TW, LA }, { C, ACK, 2, 2, 0, TW, CL }),
	  .xfail = "a FIN again from a CLOSED end does not bring LAST_ACK back" },
	{ "74", "SYN in LAST_ACK, challenge ACK", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 2, 0, TW, LA }, { C, SYN, 5000, 0, 0, TW, LA, .why = SW_R_SYN_IGNORED },
						    { S, ACK, 2, 2, 0, TW, LA }, { C, ACK, 2, 2, 0, TW, CL }), .in = SYN_OF_C },
	{ "74", "and RST in answer", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 2, 0, TW, LA }, { C, SYN, 5000, 0, 0, TW, LA }, { S, ACK, 2, 2, 0, TW, LA },
				       { C, RST, 2, 0, 0, CL, CL }), .in = SYN_OF_C },
	{ "75", "RST in FIN_WAIT_1", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, RST, 1, 0, 0, CL, CL }) },
	{ "75", "RST in FIN_WAIT_2", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, RST, 1, 0, 0, CL, CL }) },
	{ "75", "RST in CLOSE_WAIT", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { C, RST, 2, 0, 0, CL, CL }) },
	{ "75", "RST in CLOSING", T(HS, CLOSING, { C, RST, 2, 0, 0, CL, CL }) },
	{ "75", "RST in LAST_ACK", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 2, 0, TW, LA }, { C, RST, 2, 0, 0, CL, CL }) },
	{ "76", "inexact RST in FIN_WAIT_1", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, RST, 10, 0, 0, F1, ES, .amb = 1, .why = SW_R_RST_IGNORED },
					       { S, ACK, 1, 2, 0, F2, CW }) },
	{ "76", "inexact RST in FIN_WAIT_2", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, RST, 10, 0, 0, F2, CW, .amb = 1 }) },
	{ "76", "inexact RST in CLOSE_WAIT", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { C, RST, 10, 0, 0, F2, CW, .amb = 1 }) },
	{ "76", "inexact RST in CLOSING", T(HS, CLOSING, { C, RST, 10, 0, 0, CI, CI, .amb = 1 }) },
	{ "76", "inexact RST in LAST_ACK", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 2, 0, TW, LA }, { C, RST, 10, 0, 0, TW, LA, .amb = 1 }) },
	{ "77", "RST in TIME_WAIT", T(HS, C_CLOSES, { S, RST, 2, 0, 0, CL, CL, .amb = 1 }) },
	{ "77", "inexact RST in TIME_WAIT", T(HS, C_CLOSES, { S, RST, 10, 0, 0, TW, CL, .why = SW_R_RST_IGNORED }) },

	/* opening again */
	{ "78", "SYN in TIME_WAIT, higher ISN", T(HS, S_CLOSES, { C, SYN, 100000, 0, 0, SS, LI, .table = 'h' }, { S, SA, 90000, 100001, 0, SS, SR, .table = 'h' },
						  { C, ACK, 100001, 90001, 0, ES, ES }), .check = is_c_client },
	{ "78", "SYN in TIME_WAIT, lower ISN, newer timestamp", T({ C, SYN, 0, 0, 0, SS, LI, .opt = O_TS, .ts = 100 }, { S, SA, 0, 1, 0, SS, SR, .opt = O_TS, .ts = 7 },
			{ C, ACK, 1, 1, 0, ES, ES, .opt = O_TS, .ts = 101 }, { S, FA, 1, 1, 0, ES, F1, .opt = O_TS, .ts = 8 },
			{ C, FA, 1, 2, 0, LA, TW, .opt = O_TS, .ts = 102 }, { S, ACK, 2, 2, 0, CL, TW, .opt = O_TS, .ts = 9 },
			{ C, SYN, -70000, 0, 0, SS, LI, .opt = O_TS, .ts = 500 }, { S, SA, 90000, -69999, 0, SS, SR, .opt = O_TS, .ts = 20 }) },
	{ "78", "the new one never answered: the old one is still there", T(HS, S_CLOSES, { C, SYN, 100000, 0, 0, SS, LI }, { C, RST, 100001, 0, 0, CL, TW }) },
	{ "78", "segments of the old one while the new one opens", T(HS, S_CLOSES, { C, SYN, 100000, 0, 0, SS, LI }, { S, ACK, 2, 2, 0, SS, LI },
								      { S, SA, 90000, 100001, 0, SS, SR }) },
	{ "78", "the new one is refused", T(HS, S_CLOSES, { C, SYN, 100000, 0, 0, SS, LI, .ms = 61000 }, { S, RA, 0, 100001, 0, CL, CL, .opt = O_SEQ0 }) },
	{ "78", "after TIME_WAIT any ISN", T(HS, S_CLOSES, { C, SYN, -70000, 0, 0, SS, LI, .ms = 61000 }, { S, SA, -90000, -69999, 0, SS, SR },
					     { C, ACK, -69999, -89999, 0, ES, ES }) },
	{ "79", "SYN in TIME_WAIT, old ISN", T(HS, S_CLOSES, { C, SYN, -70000, 0, 0, CL, TW, .why = SW_R_SYN_IGNORED }, { C, SYN, 0, 0, 0, CL, TW }), .in = SYN_OF_C },
	{ "79", "SYN in TIME_WAIT, older timestamp", T({ C, SYN, 0, 0, 0, SS, LI, .opt = O_TS, .ts = 100 }, { S, SA, 0, 1, 0, SS, SR, .opt = O_TS, .ts = 7 },
			{ C, ACK, 1, 1, 0, ES, ES, .opt = O_TS, .ts = 101 }, { S, FA, 1, 1, 0, ES, F1, .opt = O_TS, .ts = 8 },
			{ C, FA, 1, 2, 0, LA, TW, .opt = O_TS, .ts = 102 }, { S, ACK, 2, 2, 0, CL, TW, .opt = O_TS, .ts = 9 },
			{ C, SYN, 70000, 0, 0, CL, TW, .opt = O_TS, .ts = 50 }), .in = SYN_OF_C },
	{ "80", "SYN of the former server", T(HS, C_CLOSES, { S, SYN, 100000, 0, 0, LI, SS }, { C, SA, 90000, 100001, 0, SR, SS }, { S, ACK, 100001, 90001, 0, ES, ES }),
	  .check = is_c_server },
	{ "81", "SYN in FIN_WAIT_1, CLOSE_WAIT", T(HS, { S, FA, 1, 1, 0, ES, F1 }, { C, SYN, 5000, 0, 0, ES, F1, .why = SW_R_SYN_IGNORED }, { C, ACK, 1, 2, 0, CW, F2 },
						   { C, SYN, 5000, 0, 0, CW, F2, .why = SW_R_SYN_IGNORED }), .in = SYN_OF_C },
	{ "81", "SYN to CLOSE_WAIT", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { C, SYN, 5000, 0, 0, F2, CW, .why = SW_R_SYN_IGNORED }), .in = SYN_OF_C },
	{ "81", "SYN in CLOSING", T(HS, CLOSING, { C, SYN, 5000, 0, 0, CI, CI, .why = SW_R_SYN_IGNORED }, { C, ACK, 2, 2, 0, CI, TW }), .in = SYN_OF_C },
	{ "82", "close() with unread data", T(HS, { C, ACK, 1, 1, 100, ES, ES }, { S, RA, 1, 101, 0, CL, CL }) },
	{ "83", "close() in SYN_SENT", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR, .ms = 300 }, { C, RST, 1, 0, 0, CL, CL }) },
	{ "84", "data to a closed end", T(HS, { C, FA, 1, 1, 0, F1, ES }, { S, ACK, 1, 2, 0, F2, CW }, { S, ACK, 1, 2, 100, F2, CW }, { C, RST, 2, 0, 0, CL, CL }) },
	{ "85", "SYN_RCVD ends after 63 s", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR }, { S, SA, 0, 1, 0, SS, SR, .ms = 31000 },
					      { WAIT, .c = SS, .s = SR, .ms = 30000 }, { WAIT, .c = NO, .s = NO, .ms = 3000 }) },
	{ "85", "TIME_WAIT ends after 60 s", T(HS, C_CLOSES, { WAIT, .c = TW, .s = CL, .ms = 59000 }, { WAIT, .c = CL, .s = CL, .ms = 2000 }), .in = NOT_IN(V_TAP) },
	{ "85", "silence of an open connection ends nothing", T(HS, { C, ACK, 1, 1, 1, ES, ES }, { WAIT, .c = ES, .s = ES, .ms = 86400000 }), .in = NOT_IN(V_TAP) },
	{ "87", "the ports again after a reset", T(HS, { S, RST, 1, 0, 0, CL, CL }, { C, SYN, -5000, 0, 0, SS, LI }, { S, SA, -7000, -4999, 0, SS, SR },
						   { C, ACK, -4999, -6999, 0, ES, ES }), .check = is_c_client },
	{ "87", "the ports again after the client closed", T(HS, C_CLOSES, { C, SYN, 60000, 0, 0, SS, LI }, { S, SA, -7000, 60001, 0, SS, SR },
						   { C, ACK, 60001, -6999, 0, ES, ES }) },

	/* imported sockets: DESIGN.md section 3 */
	{ "import", "nothing is believed before the own end spoke", T({ C, RST, 1, 0, 0, ES, ES, .why = SW_R_RST_IGNORED }, { C, FA, 1, 1, 0, ES, ES, .why = SW_R_UNVERIFIED },
			{ C, SYN, 1, 0, 0, ES, ES, .why = SW_R_SYN_IGNORED }), .in = IN(V_SERVER), .import = { S, ES } },
	{ "import", "then it is", T({ C, FA, 1, 1, 0, ES, ES, .why = SW_R_UNVERIFIED }, { S, ACK, 1, 2, 0, F2, CW, .ms = 0 }, { S, FA, 1, 2, 0, TW, LA },
				    { C, ACK, 2, 2, 0, TW, CL }), .in = IN(V_SERVER), .import = { S, ES } },
	{ "import", "a forged FIN is not", T({ C, FA, 7777, 1, 0, ES, ES }, { S, ACK, 1, 2, 100, ES, ES }, { C, ACK, 2, 101, 0, ES, ES }, { C, RST, 2, 0, 0, CL, CL }),
	  .in = IN(V_SERVER), .import = { S, ES } },
	{ "import", "the own FIN", T({ S, FA, 1, 1, 0, ES, F1 }, { C, ACK, 1, 2, 0, CW, F2 }, { C, FA, 1, 2, 0, LA, TW }, { S, ACK, 2, 2, 0, CL, TW }),
	  .in = IN(V_SERVER), .import = { S, ES } },
	{ "import", "in CLOSE_WAIT", T({ S, FA, 1, 1, 0, TW, LA }, { C, ACK, 1, 2, 0, TW, CL }), .in = IN(V_SERVER), .import = { S, CW } },
	{ "import", "in LAST_ACK", T({ S, FA, 1, 1, 0, TW, LA }, { C, ACK, 1, 2, 0, TW, CL }), .in = IN(V_SERVER), .import = { S, LA } },
	{ "import", "in FIN_WAIT_2", T({ C, FA, 1, 2, 0, CW, F2 }, { S, ACK, 2, 2, 0, LA, TW }), .in = IN(V_SERVER), .import = { S, F2 } },
	{ "import", "in SYN_RCVD", T({ S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }), .in = IN(V_SERVER), .import = { S, SR } },
	{ "import", "in SYN_SENT", T({ S, SA, 0, 1, 0, SS, SR }, { C, ACK, 1, 1, 0, ES, ES }), .in = IN(V_CLIENT), .import = { C, SS } },
	{ 0 }
};
