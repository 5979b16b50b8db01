/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts as text, one a line; '#' begins a comment. What is not said is zero.
 *
 *	link NAME index N [mtu N] [mac M] [kind K] [up] [loopback] [ours] [no-ethernet]
 *		[hardware] [xdp ID NAME]
 *	addr DEVICE ADDRESS/LEN [temporary] [link]
 *	route PREFIX [via ADDRESS] [dev DEVICE] [metric N] [src ADDRESS] [ra]
 *	sysctl PATH VALUE
 *	host NAME ADDRESS		(ADDRESS "-": does not resolve)
 *	secret PATH KEY
 *	private-key KEY
 *	peer-id KEY ID
 *	route-id PREFIX NODE ID
 *	service-id NAME ID
 *	cgroup ID PATH [goes-first | below [holds-us]]
 *	closes-sockets
 *	exempt COOKIE NETNS		(by that name)
 *	clock NOW JIFFIES HZ
 *	kernel-wireguard
 *	force-forwarding
 */
#ifndef SELFTESTS_FACTS_TEXT_H
#define SELFTESTS_FACTS_TEXT_H

#include "model/facts.h"

/* 0, or the number of the first line that is wrong. *out is facts_free'd either way. */
int facts_text_read(const char *text, struct facts *out);

#endif
