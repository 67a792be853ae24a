// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture.h"
#include "fail.h"

#define READ_SIZE (1 << 20)
#define LIVE_SNAP 256	/* headers, and some more */
#define LIVE_WAIT_MS 200
#define NS_PER_SEC 1000000000ull

struct capture {
	pcap_t *pcap;
	const char *path;
	int link; /* DLT_* */
	bool live;
	uint64_t frames;
	off_t size;	 /* of the file, 0 when it is no regular one */
	uint8_t *buf;	 /* a frame with its new header */
	size_t buf_size;
};

/* Bytes of link layer header that go, and the ethertype they stand for. */
struct link {
	size_t len;
	uint16_t type; /* 0: not known */
};

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static struct link link_ip(const uint8_t *data, size_t len, size_t skip)
{
	uint8_t version = len > skip ? data[skip] >> 4 : 0;

	return (struct link){ skip, version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0 };
}

/*
 * The link layers that captures of TCP come with. The family word of a loopback
 * capture is in the byte order of the host that made it, and its numbers are
 * that host's: the IP version says the same.
 */
static struct link link_of(int link, const uint8_t *data, size_t len)
{
	switch (link) {
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return link_ip(data, len, 0);
	case DLT_NULL:
	case DLT_LOOP:
		return link_ip(data, len, 4);
	case DLT_LINUX_SLL:
		return (struct link){ 16, len >= 16 ? get16(data + 14) : 0 };
	case DLT_LINUX_SLL2:
		return (struct link){ 20, len >= 20 ? get16(data) : 0 };
	default:
		return (struct link){ 0 };
	}
}

static bool supported(int link)
{
	static const int links[] = { DLT_EN10MB, DLT_RAW,	 DLT_IPV4,	DLT_IPV6,
				     DLT_NULL,	 DLT_LOOP,	 DLT_LINUX_SLL, DLT_LINUX_SLL2 };

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (links[i] == link)
			return true;
	return false;
}

struct capture *capture_open(const char *path)
{
	struct capture *c = calloc(1, sizeof(*c));
	char why[PCAP_ERRBUF_SIZE] = "";
	struct stat st;
	FILE *file;

	if (!c) {
		sw_err("no memory");
		return NULL;
	}
	c->path = path;
	file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	if (!file) {
		sw_err("cannot open %s: %s", path, strerror(errno));
		goto fail;
	}
	if (!fstat(fileno(file), &st) && S_ISDIR(st.st_mode)) {
		sw_err("%s is a directory; give a pcap or pcapng file", path);
		fclose(file);
		goto fail;
	}
	setvbuf(file, NULL, _IOFBF, READ_SIZE);
	if (S_ISREG(st.st_mode))
		c->size = st.st_size;
	c->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!c->pcap) {
		sw_err("%s is no capture that can be read: %s", path, why);
		if (file != stdin)
			fclose(file);
		goto fail;
	}
	c->link = pcap_datalink(c->pcap);
	if (supported(c->link))
		return c;
	sw_err("%s has link layer %s, which is not supported; Ethernet, raw IP, Linux cooked and "
	       "loopback are",
	       path, pcap_datalink_val_to_name(c->link) ?: "of an unknown number");
fail:
	capture_close(c);
	return NULL;
}

struct capture *capture_live(const char *dev, const char *filter)
{
	struct capture *c = calloc(1, sizeof(*c));
	char why[PCAP_ERRBUF_SIZE] = "";
	struct bpf_program code;
	int status;

	if (!c) {
		sw_err("no memory");
		return NULL;
	}
	c->path = dev ? dev : "any";
	c->live = true;
	c->pcap = pcap_create(c->path, why);
	if (!c->pcap) {
		sw_err("cannot capture on %s: %s", c->path, why);
		goto fail;
	}
	pcap_set_snaplen(c->pcap, LIVE_SNAP);
	pcap_set_immediate_mode(c->pcap, 1);
	pcap_set_tstamp_precision(c->pcap, PCAP_TSTAMP_PRECISION_NANO);
	status = pcap_activate(c->pcap);
	if (status < 0) {
		sw_err("cannot capture on %s: %s; %s", c->path, pcap_statustostr(status),
		       status == PCAP_ERROR_PERM_DENIED ? "run as root" : "see `ip link`");
		goto fail;
	}
	if (!dev)
		pcap_set_datalink(c->pcap, DLT_LINUX_SLL2); /* tells the device of each frame */
	c->link = pcap_datalink(c->pcap);
	if (!supported(c->link)) {
		sw_err("%s has link layer %s, which is not supported", c->path,
		       pcap_datalink_val_to_name(c->link) ?: "of an unknown number");
		goto fail;
	}
	if (!pcap_compile(c->pcap, &code, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		status = pcap_setfilter(c->pcap, &code) || pcap_setnonblock(c->pcap, 1, why);
		pcap_freecode(&code);
		if (!status)
			return c;
	}
	sw_err("cannot filter by '%s': %s", filter, pcap_geterr(c->pcap));
fail:
	capture_close(c);
	return NULL;
}

/* The frame with an Ethernet header in place of its own. -1 with sw_err(). */
static int with_ethernet(struct capture *c, struct capture_frame *f)
{
	struct link l = link_of(c->link, f->data, f->len);
	size_t skip = l.len < f->len ? l.len : f->len, need = ETH_HLEN + f->len - skip;

	if (need > c->buf_size) {
		uint8_t *more = realloc(c->buf, need);

		if (!more)
			return sw_err("no memory for a frame of %zu bytes", need);
		memset(more, 0, ETH_HLEN);
		c->buf = more;
		c->buf_size = need;
	}
	c->buf[12] = l.type >> 8;
	c->buf[13] = l.type;
	memcpy(c->buf + ETH_HLEN, f->data + skip, f->len - skip);
	f->data = c->buf;
	f->len = need;
	f->wire_len = f->wire_len > skip ? f->wire_len - skip + ETH_HLEN : need;
	return 0;
}

/* pcap_next_ex(); live it waits, but not for ever (libpcap's own timeout is none in immediate mode). */
static int next(struct capture *c, struct pcap_pkthdr **h, const uint8_t **data)
{
	struct pollfd fd = { .events = POLLIN };
	int got = pcap_next_ex(c->pcap, h, data);

	if (got || !c->live)
		return got;
	fd.fd = pcap_get_selectable_fd(c->pcap);
	return poll(&fd, 1, LIVE_WAIT_MS) > 0 ? pcap_next_ex(c->pcap, h, data) : 0;
}

int capture_next(struct capture *c, struct capture_frame *f)
{
	struct pcap_pkthdr *h;

	switch (next(c, &h, &f->data)) {
	case 1:
		break;
	case 0:
		return 0;
	case PCAP_ERROR_BREAK: /* the end of the file */
		return c->frames ? 0 : sw_err("%s holds no packets", c->path);
	default:
		if (c->live)
			return sw_err("the capture on %s ended: %s", c->path, pcap_geterr(c->pcap));
		return sw_err("%s is damaged after packet %llu: %s", c->path,
			      (unsigned long long)c->frames, pcap_geterr(c->pcap));
	}
	f->number = ++c->frames;
	f->time_ns = h->ts.tv_sec * NS_PER_SEC + h->ts.tv_usec; /* precision: nanoseconds */
	if (!f->time_ns)
		f->time_ns = 1;
	f->len = h->caplen;
	f->wire_len = h->len < h->caplen ? h->caplen : h->len;
	f->ifindex = c->link == DLT_LINUX_SLL2 && f->len >= 8 ?
			     (uint32_t)get16(f->data + 4) << 16 | get16(f->data + 6) :
			     0;
	return c->link == DLT_EN10MB || !with_ethernet(c, f) ? 1 : -1;
}

double capture_progress(const struct capture *c)
{
	return c->size ? (double)ftello(pcap_file(c->pcap)) / c->size : -1;
}

void capture_close(struct capture *c)
{
	if (c->pcap)
		pcap_close(c->pcap);
	free(c->buf);
	free(c);
}
