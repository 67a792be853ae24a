// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clsact.h"
#include "events.h"
#include "fail.h"
#include "guard.h"
#include "kernelfeatures.h"
#include "loader.h"
#include "meta.h"
#include "netns.h"
#include "object.h"
#include "others.h"
#include "pin.h"
#include "procfs.h"
#include "tcx.h"
#include "version.h"

const char *const attach_hook_words[] = { "auto", "xdp", "tc", NULL };
const char *const attach_mode_words[] = { "auto", "native", "generic", NULL };
const char *const attach_backend_words[] = { "auto", "assign", "helper", "none", NULL };

static int map_by_name(const char *name)
{
	char path[PATH_MAX];

	pin_path(path, sizeof(path), name);
	return bpf_obj_get(path);
}

static int fill_meta(struct sw_meta *m, const struct attach_options *o)
{
	uint64_t need, have = proc_field("/proc/meminfo", "MemAvailable: %llu kB") << 10;

	memset(m, 0, sizeof(*m));
	if (backend_pick(o->backend, &m->backend))
		return -1;
	m->magic = SW_MAGIC;
	m->abi = SW_ABI;
	m->netns_cookie = netns_cookie();
	m->flow_size = sizeof(struct sw_flow);
	m->listener_size = sizeof(struct sw_listener);
	m->max_flows = o->max_flows;
	m->max_half_open = o->max_half_open;
	m->config.proven_buckets = sw_buckets_for(o->max_flows);
	m->config.half_buckets = sw_buckets_for(o->max_half_open);
	m->config.syn_timeout_s = o->syn_timeout_s;
	m->config.two_msl_s = 2 * o->msl_s;
	sw_config_lives(&m->config);
	snprintf(m->version, sizeof(m->version), "%s", SW_VERSION);
	if (getrandom(m->config.seed, sizeof(m->config.seed), 0) != sizeof(m->config.seed))
		return sw_err("cannot get random numbers: %s", strerror(errno));
	need = (uint64_t)(m->config.proven_buckets + m->config.half_buckets) *
	       sizeof(struct sw_bucket);
	if (have && need > have / 10 * 9)
		return sw_err("the tables need %" PRIu64 " MiB and %" PRIu64
			      " MiB are free; use a smaller --max-flows or --max-half-open",
			      need >> 20, have >> 20);
	return 0;
}

static int pin_link(int link_fd, int ifindex, const char *hook)
{
	char path[PATH_MAX];
	int ret;

	pin_link_path(path, sizeof(path), ifindex, hook);
	ret = bpf_obj_pin(link_fd, path);
	close(link_fd);
	return ret ? sw_err("cannot pin %s: %s", path, strerror(errno)) : 0;
}

static int attach_xdp(struct synward_bpf *skel, const struct dev *dev, enum sw_xdp_mode mode)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = mode == SW_XDP_NATIVE ? XDP_FLAGS_DRV_MODE :
							     XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(bpf_program__fd(skel->progs.sw_xdp), dev->ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* XDP in the mode asked for; *mode says which it became. */
static int attach_ingress_xdp(struct synward_bpf *skel, const struct dev *dev,
			      const struct attach_options *o, uint8_t *mode)
{
	int fd;

	*mode = o->xdp_mode == XDP_MODE_NATIVE				   ? SW_XDP_NATIVE :
		o->xdp_mode == XDP_MODE_GENERIC || !dev->has_parent ? SW_XDP_GENERIC :
								      SW_XDP_NATIVE;
	if (*mode == SW_XDP_NATIVE)
		fprintf(stderr,
			"synward: native XDP on %s; some drivers reset the link once for it\n",
			dev->name);
	fd = attach_xdp(skel, dev, *mode);
	if (fd < 0 && *mode == SW_XDP_NATIVE && o->xdp_mode == XDP_MODE_AUTO) {
		*mode = SW_XDP_GENERIC;
		fd = attach_xdp(skel, dev, *mode);
	}
	if (fd < 0)
		return sw_err("%s does not take %s XDP: %s; try --xdp-mode generic or --hook tc",
			      dev->name, *mode == SW_XDP_NATIVE ? "native" : "generic",
			      strerror(-fd));
	return pin_link(fd, dev->ifindex, "xdp");
}

static int attach_tc(struct bpf_program *prog, const struct dev *dev, bool egress,
		     struct sw_device *info)
{
	bool made = false;
	int fd = -1;

	errno = EINVAL;
	if (!getenv("SYNWARD_NO_TCX"))
		fd = bpf_link_create(bpf_program__fd(prog), dev->ifindex,
				     egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, NULL);
	if (fd >= 0)
		return pin_link(fd, dev->ifindex, egress ? "egress" : "ingress");
	if (errno != EINVAL && errno != EOPNOTSUPP)
		return sw_err("cannot attach to tc of %s: %s", dev->name, strerror(errno));
	info->clsact = 1; /* before 6.6: a filter */
	if (clsact_attach(dev->ifindex, egress, bpf_program__fd(prog), true, &made))
		return -1;
	info->clsact_ours |= made;
	return 0;
}

static int save_device(uint32_t ifindex, const struct sw_device *dev)
{
	int fd = map_by_name("devices");
	int ret = fd < 0 ? -1 : bpf_map_update_elem(fd, &ifindex, dev, BPF_ANY);

	if (fd >= 0)
		close(fd);
	return ret ? sw_err("cannot write map devices: %s", strerror(errno)) : 0;
}

int loader_devices(uint32_t ifindex[SW_MAX_DEVICES], struct sw_device dev[SW_MAX_DEVICES])
{
	int fd = map_by_name("devices"), n = 0;
	uint32_t *prev = NULL;

	if (fd < 0)
		return 0;
	while (n < SW_MAX_DEVICES && !bpf_map_get_next_key(fd, prev, &ifindex[n])) {
		prev = &ifindex[n];
		if (!bpf_map_lookup_elem(fd, &ifindex[n], &dev[n]))
			n++;
	}
	close(fd);
	return n;
}

static int free_slot(const struct sw_device *dev, int n)
{
	for (uint32_t slot = 0; slot < SW_MAX_DEVICES; slot++) {
		int i = 0;

		while (i < n && dev[i].slot != slot)
			i++;
		if (i == n)
			return slot;
	}
	return sw_err("%d devices are attached, no more is possible", SW_MAX_DEVICES);
}

/* Is everything there that an attach of this device leaves? */
static bool hooks_complete(const struct dev *dev, const struct sw_device *info)
{
	char egress[PATH_MAX], ingress[PATH_MAX];

	pin_link_path(egress, sizeof(egress), dev->ifindex, "egress");
	pin_link_path(ingress, sizeof(ingress), dev->ifindex,
		      info->hook == SW_HOOK_XDP ? "xdp" : "ingress");
	if (access(egress, F_OK) && !info->clsact)
		return false;
	return info->hook == SW_HOOK_EGRESS_ONLY || !access(ingress, F_OK) ||
	       (info->hook == SW_HOOK_TC && info->clsact);
}

/* What runs at tc ingress: the mirror, or behind XDP what hands connections over. */
static struct bpf_program *ingress_program(struct synward_bpf *skel, const struct sw_device *info)
{
	return info->hook == SW_HOOK_XDP ? skel->progs.sw_admit : skel->progs.sw_ingress;
}

/* Exchange the programs under the links that are there (an upgrade). */
static int replace_links(struct synward_bpf *skel, const struct dev *dev, const struct sw_device *info,
			 bool admit)
{
	const struct {
		const char *hook;
		struct bpf_program *prog;
	} links[] = { { "xdp", skel->progs.sw_xdp },
		      { "ingress", ingress_program(skel, info) },
		      { "egress", skel->progs.sw_egress } };
	char path[PATH_MAX];
	bool made = false;

	for (size_t i = 0; i < 3; i++) {
		int fd, ret;

		pin_link_path(path, sizeof(path), dev->ifindex, links[i].hook);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		ret = bpf_link_update(fd, bpf_program__fd(links[i].prog), NULL);
		close(fd);
		if (ret)
			return sw_err("cannot replace the program at %s: %s", path, strerror(errno));
	}
	if (!info->clsact)
		return 0;
	if (clsact_attach(dev->ifindex, true, bpf_program__fd(skel->progs.sw_egress), true, &made))
		return -1;
	if (info->hook == SW_HOOK_TC || admit)
		return clsact_attach(dev->ifindex, false, bpf_program__fd(ingress_program(skel, info)),
				     true, &made);
	return 0;
}

/* The namespace's meta entry: read, or made when this is the first device. */
static int get_meta(struct sw_meta *meta, const struct attach_options *o, bool *fresh)
{
	int ret = meta_read(meta);

	*fresh = ret == META_NONE;
	if (*fresh)
		return fill_meta(meta, o);
	if (ret < 0)
		return -1;
	if (o->sizes_given && (meta->max_flows != o->max_flows ||
			       meta->max_half_open != o->max_half_open ||
			       meta->config.syn_timeout_s != o->syn_timeout_s ||
			       meta->config.two_msl_s != 2 * o->msl_s))
		return sw_err("the tables of this namespace have other sizes or timeouts already; "
			      "first: synward detach --all");
	return 0;
}

static int write_meta(struct synward_bpf *skel, const struct sw_meta *meta)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(skel->maps.meta), &zero, meta, BPF_ANY) ?
		       sw_err("cannot write map meta: %s", strerror(errno)) :
		       0;
}

/* What the first attach of a namespace writes into fresh maps. */
static int write_first(struct synward_bpf *skel, const struct sw_meta *meta,
		       const struct attach_options *o)
{
	return guard_init(o) || write_meta(skel, meta) ? -1 : 0;
}

int loader_link_layer(const struct dev *dev, bool want_xdp, bool *raw)
{
	switch (dev->type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		*raw = false;
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
		*raw = true;
		return want_xdp ?
			       sw_err("%s has no Ethernet header, which XDP needs; use --hook tc",
				      dev->name) :
			       0;
	default:
		return sw_err("%s is neither Ethernet nor plain IP (link type %u); attach another "
			      "device",
			      dev->name, dev->type);
	}
}

static int attach_hooks(struct synward_bpf *skel, const struct dev *dev, bool raw,
			const struct attach_options *o, bool admit, struct sw_device *info)
{
	info->hook = dev->loopback	  ? SW_HOOK_EGRESS_ONLY :
		     o->hook == HOOK_TC || raw ? SW_HOOK_TC :
						 SW_HOOK_XDP;
	/* egress first: what leaves tells which end is local */
	if (attach_tc(skel->progs.sw_egress, dev, true, info))
		return -1;
	if (info->hook == SW_HOOK_XDP) {
		/* before the program that answers: what it admits must find this one */
		if (admit && attach_tc(ingress_program(skel, info), dev, false, info))
			return -1;
		return attach_ingress_xdp(skel, dev, o, &info->xdp_mode);
	}
	if (info->hook == SW_HOOK_TC)
		return attach_tc(ingress_program(skel, info), dev, false, info);
	return 0;
}

int loader_attach(const struct dev_list *all, const struct dev *dev, const struct attach_options *o,
		  struct attach_result *result)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device devices[SW_MAX_DEVICES], *info = &result->dev;
	int n = loader_devices(ifindex, devices), slot;
	struct timespec now;
	struct synward_bpf *skel;
	struct sw_meta meta;
	bool fresh, raw, admit;
	char name[64];

	memset(result, 0, sizeof(*result));
	for (int i = 0; i < n; i++) {
		const char *why;
		const struct dev *other = dev_by_index(all, ifindex[i]);

		if (!other) { /* its device is gone, and with it its links */
			loader_detach(ifindex[i], &devices[i]);
			n = loader_devices(ifindex, devices);
			i = -1;
			continue;
		}
		if ((int)ifindex[i] == dev->ifindex && !hooks_complete(dev, &devices[i])) {
			loader_detach(ifindex[i], &devices[i]); /* an attach was killed */
			n = loader_devices(ifindex, devices);
			i = -1;
			continue;
		}
		if ((int)ifindex[i] == dev->ifindex) {
			if (!o->replace)
				return sw_err("%s is attached already; see: synward status, or "
					      "first: synward detach %s",
					      dev->name, dev->name);
			result->replaced = true;
			*info = devices[i];
		} else if (dev_overlap(all, dev, other, &why)) {
			return sw_err("%s and %s would count every packet twice: %s; attach one of them",
				      dev->name, other->name, why);
		}
	}
	if (loader_link_layer(dev, o->hook == HOOK_XDP, &raw) || get_meta(&meta, o, &fresh))
		return -1;
	if (!result->replaced && dev->xdp_prog_id && o->hook != HOOK_TC && !raw && !dev->loopback)
		return sw_err("%s has an XDP program already: %s; remove it, or use --hook tc",
			      dev->name, program_name(dev->xdp_prog_id, name, sizeof(name)));
	slot = result->replaced ? (int)info->slot : free_slot(devices, n);
	if (slot < 0)
		return -1;
	admit = meta.backend != SW_BACKEND_NONE;
	skel = object_load(&(struct object_options){
		.config = &meta.config, .slot = slot, .raw = raw, .mac = dev->mac,
		.backend = meta.backend, .pinned = true });
	if (!skel || events_make_places() || (fresh && write_first(skel, &meta, o)))
		goto fail;
	info->conntrack = features_get()->conntrack;
	if (result->replaced) {
		if (replace_links(skel, dev, info, admit) || save_device(dev->ifindex, info))
			goto fail;
		synward_bpf__destroy(skel);
		return 0;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	info->since_ns = now.tv_sec * SW_NS_PER_SEC + now.tv_nsec;
	info->slot = slot;
	snprintf(info->name, sizeof(info->name), "%s", dev->name);
	/* known before anything is attached: detach finds what a killed attach left */
	if (save_device(dev->ifindex, info) || attach_hooks(skel, dev, raw, o, admit, info) ||
	    save_device(dev->ifindex, info))
		goto fail;
	/* any program of a device's object can import: this one is kept for it */
	pin_path(name, sizeof(name), "import");
	if (access(name, F_OK) && bpf_program__pin(skel->progs.sw_import, name)) {
		sw_err("cannot pin %s: %s", name, strerror(errno));
		goto fail;
	}
	synward_bpf__destroy(skel);
	return 0;
fail:
	if (skel)
		synward_bpf__destroy(skel);
	if (!result->replaced)
		loader_detach(dev->ifindex, info);
	if (fresh)
		pin_remove("");
	return -1;
}

static void detach_link(const char *path, void *arg)
{
	int fd = bpf_obj_get(path);

	(void)arg;
	if (fd >= 0) {
		bpf_link_detach(fd); /* now, not when the last reference goes */
		close(fd);
	}
	unlink(path);
}

void loader_detach(uint32_t ifindex, const struct sw_device *dev)
{
	static const char *const hooks[] = { "xdp", "ingress", "egress" };
	int fd = map_by_name("devices");
	char path[PATH_MAX];

	for (size_t i = 0; i < 3; i++) {
		pin_link_path(path, sizeof(path), ifindex, hooks[i]);
		if (!access(path, F_OK))
			detach_link(path, NULL);
	}
	if (dev->clsact || clsact_present(ifindex))
		clsact_detach(ifindex, dev->clsact_ours);
	if (fd >= 0) {
		bpf_map_delete_elem(fd, &ifindex);
		close(fd);
	}
}

void loader_detach_all(const struct dev_list *all)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];
	int n = loader_devices(ifindex, dev);

	for (int i = 0; i < n; i++)
		loader_detach(ifindex[i], &dev[i]);
	for (int i = 0; i < all->n; i++)
		if (clsact_present(all->dev[i].ifindex))
			clsact_detach(all->dev[i].ifindex, false);
	pin_each_link(detach_link, NULL);
	pin_remove("");
}
