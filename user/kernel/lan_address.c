// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lan_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <poll.h>

#include "base/mem.h"
#include "kernel/lan_neighbour.h"
#include "kernel/nl.h"
#include "kernel/rt.h"

#define DETECTION_MS 3000 /* RFC 4862: a random second, then one for the answer */
#define LOOK_MS      50

/* -ENOENT when the device does not have it. */
static int find_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct rt_addr *out,
		     struct err *err)
{
	struct rt_addrs addrs = { 0 };
	struct rt_addr *found;
	int r = rt_dump_addrs(nl, &addrs, err);

	if (!r)
		r = -ENOENT;
	array_for_each(found, &addrs) {
		if (r != -ENOENT || found->facts.ifindex != ifindex ||
		    addr_compare(&found->facts.addr, addr) != 0)
			continue;
		*out = *found;
		r = 0;
	}
	array_clear(&addrs);
	return r;
}

static int add_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT_SIZE];
	struct rt_addr there;
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_lan_addr_add(&buf, sizeof(buf), ifindex, addr);
	int r = msg ? nl_request(nl, msg, err) : err_sys(err, -EMSGSIZE, "netlink");

	if (!r)
		return 0;
	/* adding twice is how we converge, but only on what is ours */
	if (r == -EEXIST && !find_addr(nl, ifindex, addr, &there, NULL) &&
	    there.protocol == TP_RTPROT)
		return 0;
	return err_wrap(err, r, "add address %s", addr_put(text, addr));
}

static int refuse(struct nl *nl, const struct rt_link *link, const struct addr *addr,
		  struct err *err)
{
	char text[ADDR_TEXT_SIZE];
	int r = rt_remove_addr(nl, link->facts.ifindex, addr, err);

	if (r)
		return r;
	return err_set(err, -EADDRINUSE, "%s is in use on %s already", addr_put(text, addr),
		       link->facts.name);
}

/* The kernel's own duplicate address detection. Without a carrier it goes on: nobody to disturb. */
static int await_detection(struct nl *nl, const struct rt_link *link, const struct addr *addr,
			   struct err *err)
{
	struct rt_addr found;
	int r, waited;

	for (waited = 0; waited < DETECTION_MS; waited += LOOK_MS) {
		r = find_addr(nl, link->facts.ifindex, addr, &found, err);
		if (r == -ENOENT || (!r && (found.flags & IFA_F_DADFAILED)))
			return refuse(nl, link, addr, err);
		if (r || !(found.flags & IFA_F_TENTATIVE))
			return r;
		poll(NULL, 0, LOOK_MS); /* between two looks; nothing to be told of an early end */
	}
	return 0;
}

/* IPv4 is probed before, as the kernel would answer at once; in IPv6 the kernel itself does it. */
int lan_address_put(struct nl *nl, const char *device, const struct addr *addr, struct err *err)
{
	struct rt_link link;
	bool v4 = addr_is_v4(addr);
	int r = rt_find_link(nl, device, &link, err);

	if (!r && v4)
		r = lan_probe(&link.facts, addr, err);
	if (!r)
		r = add_addr(nl, link.facts.ifindex, addr, err);
	if (!r && !v4)
		r = await_detection(nl, &link, addr, err);
	if (!r)
		r = lan_announce(&link.facts, addr, err);
	return r;
}
