// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

enum { FIN_FLAG = 1, SYN_FLAG = 2, PSH_FLAG = 8, ACK_FLAG = 16 };

static const __u8 flags[] = { [SYN] = SYN_FLAG, [SYNACK] = SYN_FLAG | ACK_FLAG, [ACK] = ACK_FLAG,
			      [DATA] = ACK_FLAG | PSH_FLAG, [FIN] = FIN_FLAG | ACK_FLAG };
/* MSS 1460, SACK, timestamps, window scale 7 */
static const __u8 opt_syn[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0x30, 0x39,
				0, 0, 0,    0,	  1, 3, 3, 7 };
static const __u8 opt_ack[] = { 1, 1, 8, 10, 0, 0, 0x30, 0x3a, 0, 0, 0, 0 };

/* Sum of words in memory order. */
static __u32 add(const void *data, __u32 len)
{
	__u32 sum = 0;
	__u16 word;

	for (__u32 i = 0; i < len; i += 2) {
		memcpy(&word, (const __u8 *)data + i, 2);
		sum += word;
	}
	return sum;
}

static void put16(__u8 *at, __u16 n)
{
	at[0] = n >> 8;
	at[1] = n;
}

void frame_make(struct scene *s, enum what what, bool egress, const __u8 mac[6], __be32 address,
		__u16 port)
{
	bool syn = what == SYN || what == SYNACK;
	__u32 options = syn ? sizeof(opt_syn) : sizeof(opt_ack);
	__u32 l4_len = what == UDP ? 8 + 20 : 20 + options + (what == DATA ? FRAME_DATA : 0);
	__u8 *f = s->frame, *ip = f + 14, *l4 = ip + 20;

	memset(f, 0, SCENE_FRAME);
	memcpy(f + (egress ? 6 : 0), mac, 6);
	f[egress ? 0 : 6] = 2;
	put16(f + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, 20 + l4_len);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = what == UDP ? 17 : 6;
	memcpy(ip + (egress ? 12 : 16), &address, 4);
	s->ip_sum = add(ip, 20);
	put16(l4 + (egress ? 0 : 2), port);
	s->len = 14 + 20 + l4_len;
	s->egress = egress;
	s->tcp = what != UDP;
	if (what == UDP) {
		put16(l4 + 4, l4_len);
		return;
	}
	l4[12] = (20 + options) << 2;
	l4[13] = flags[what];
	put16(l4 + 14, syn ? 64240 : 502);
	memcpy(l4 + 20, syn ? opt_syn : opt_ack, options);
	s->tcp_sum = add(l4, l4_len) + add(&address, 4) + htons(6) + htons(l4_len);
}

bool frame_mac(const char *dev, __u8 mac[6])
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = { 0 };
	bool found;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	found = fd >= 0 && !ioctl(fd, SIOCGIFHWADDR, &ifr);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	if (fd >= 0)
		close(fd);
	return found;
}
