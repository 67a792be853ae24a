// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "clsact.h"
#include "doctor.h"
#include "ethtool.h"
#include "fail.h"
#include "kernelfeatures.h"
#include "loader.h"
#include "others.h"
#include "sysctl.h"

#define XDP_PIECE 3500 /* bytes of a frame that XDP takes in one piece, roughly */

/* Some default route leaves by the device; *any: there is one at all. */
static bool default_route(const char *dev, bool *any)
{
	FILE *f = fopen("/proc/self/net/route", "re");
	char line[256], name[IFNAMSIZ];
	uint32_t to, mask;
	bool found = false;

	*any = false;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s %" SCNx32 " %*x %*x %*d %*d %*d %" SCNx32, name, &to,
			   &mask) != 3 ||
		    to || mask)
			continue;
		*any = true;
		found |= !strcmp(name, dev);
	}
	if (f)
		fclose(f);
	return found;
}

/* net.ipv4.conf: the greater one of the device's and of all holds (IN_DEV_MAXCONF). */
static void reverse_path(struct doctor *d, const struct dev *dev)
{
	char path[64 + IFNAMSIZ], todo[96 + IFNAMSIZ];
	uint32_t all = sysctl_read("net/ipv4/conf/all/rp_filter"), own;
	bool any, by_it = default_route(dev->name, &any);

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", dev->name);
	own = sysctl_read(path);
	own = own > all ? own : all;
	snprintf(todo, sizeof(todo), "sysctl -w net/ipv4/conf/%s/rp_filter=2", dev->name);
	if (own == 1 && any && !by_it)
		doctor_say(d, WARN, "rp_filter", dev->name, todo,
			   "strict, and the default route leaves by another device: the kernel "
			   "drops what comes in here from elsewhere, SYNs that synward has counted "
			   "and ACKs of cookies");
	else
		doctor_say(d, OK, "rp_filter", dev->name, NULL, "%s",
			   own == 0 ? "off" :
			   own == 1 ? "strict" :
				      "loose");
}

/* Another's program where synward attaches its own. */
static bool foreign_xdp(struct doctor *d, const struct dev *dev, const struct sw_device *ours)
{
	char name[64], todo[160];

	if (!dev->xdp_prog_id || (ours && ours->hook == SW_HOOK_XDP))
		return false;
	program_name(dev->xdp_prog_id, name, sizeof(name));
	snprintf(todo, sizeof(todo),
		 "attach with --hook tc (first-syn instead of cookies), or: "
		 "ip link set dev %s xdp off",
		 dev->name);
	if (ours)
		doctor_say(d, OK, "other-xdp", dev->name, NULL, "%s runs before synward", name);
	else
		doctor_say(d, WARN, "other-xdp", dev->name, todo, "%s is there already", name);
	return true;
}

static void other_tc(struct doctor *d, const struct dev *dev)
{
	int filters = clsact_filters(dev->ifindex);
	char names[256];

	if (others_tcx(dev->ifindex, names, sizeof(names)))
		doctor_say(d, OK, "other-tc", dev->name, NULL,
			   "%s: beside synward, unless one that runs before ends a packet's way",
			   names);
	if (filters)
		doctor_say(d, OK, "other-tc", dev->name, NULL,
			   "%d filters of others: beside synward, unless one that runs before "
			   "ends a packet's way",
			   filters);
}

/* Native or generic, and what follows from it; VLAN tags that the driver takes off. */
static void xdp_mode(struct doctor *d, const struct dev *dev, const struct sw_device *ours)
{
	struct driver driver = driver_get(dev->name, dev->ifindex);
	bool native = ours ? ours->xdp_mode == SW_XDP_NATIVE :
			     dev->has_parent && (!driver.xdp_known || driver.xdp);
	int vlans = 0;
	char todo[64];

	if (ours && ours->hook != SW_HOOK_XDP) {
		doctor_say(d, WARN, "xdp", dev->name,
			   "for cookies: synward detach it, and attach without --hook",
			   "attached to tc, which answers no SYN");
		return;
	}
	snprintf(todo, sizeof(todo), "ip link set dev %s mtu %d", dev->name, XDP_PIECE);
	if (!ours && native && driver.xdp_known && !driver.xdp_frags && dev->mtu > XDP_PIECE)
		doctor_say(d, WARN, "xdp", dev->name, todo,
			   "%s takes frames of one piece only, and the MTU is %d: attach falls "
			   "back to generic XDP",
			   driver.name, dev->mtu);
	else
		doctor_say(d, OK, "xdp", dev->name, NULL, "%s%s%s%s", native ? "native" : "generic",
			   *driver.name ? ", driver " : "", driver.name,
			   !driver.xdp_known ? "" :
			   driver.xdp	     ? ", which can do native XDP" :
					       ", which has no native XDP");
	for (int i = 0; i < d->devs.n; i++)
		vlans += d->devs.dev[i].link == dev->ifindex &&
			 !strcmp(d->devs.dev[i].kind, "vlan");
	snprintf(todo, sizeof(todo), "ethtool -K %s rxvlan off", dev->name);
	if (native && driver.strips_vlan && vlans)
		doctor_say(d, WARN, "vlan", dev->name, todo,
			   "the driver takes tags off before native XDP, which would answer the "
			   "SYNs of %d VLANs without one",
			   vlans);
	else
		doctor_say(d, OK, "vlan", dev->name, NULL, "%d VLANs on it, tags are %s", vlans,
			   !driver.strips_vlan ? "in the frames" : "taken off by the driver");
}

void doctor_device(struct doctor *d, const struct dev *dev)
{
	const struct sw_device *ours = NULL;
	const char *why;
	bool raw;

	for (int i = 0; d->attached && i < d->store.n_devices; i++) {
		const struct dev *other = dev_by_index(&d->devs, d->store.device[i].ifindex);

		if (other == dev)
			ours = &d->store.device[i].dev;
		else if (other && dev_overlap(&d->devs, dev, other, &why))
			doctor_say(d, FAIL, "overlap", dev->name, "attach one of them",
				   "%s is attached, and every packet would count twice: %s",
				   other->name, why);
	}
	if (loader_link_layer(dev, false, &raw)) {
		doctor_say(d, FAIL, "device", dev->name, NULL, "%s", sw_err_text());
		return;
	}
	if (dev->flags & IFF_UP)
		doctor_say(d, OK, "device", dev->name, NULL, "up, %s%s",
			   dev->loopback ? "loopback: seen on egress" :
			   raw		 ? "no Ethernet header: tc, and no cookies" :
					   "Ethernet",
			   ours ? ", attached" : "");
	else
		doctor_say(d, WARN, "device", dev->name, "ip link set it up", "it is down");
	if (dev->loopback)
		return;
	if (ours && !ours->conntrack && features_get()->conntrack)
		doctor_say(d, WARN, "ct-functions", dev->name,
			   "synward attach --replace it, as root",
			   "attached without CAP_SYS_ADMIN, or before nf_conntrack was loaded: a "
			   "stateful ruleset is not told of a cookie's connection");
	reverse_path(d, dev);
	if (!raw && !foreign_xdp(d, dev, ours))
		xdp_mode(d, dev, ours);
	other_tc(d, dev);
}
