// SPDX-License-Identifier: GPL-2.0-only
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/sysctl.h"
#include "places.h"

const char *const world_device_names[DEVICES] = {
	[TUNNEL0] = "tp0", [LAN0] = "lan0", [LAN1] = "lan1", [OTHER0] = "other0"
};

static const uint8_t macs[DEVICES][6] = { [LAN0] = { 2, 0, 0, 0, 0, 1 },
					  [LAN1] = { 2, 0, 0, 0, 0, 2 },
					  [OTHER0] = { 2, 0, 0, 0, 0, 3 } };

static uint32_t indexes[DEVICES];

/* The alias marks the tunnel as made by the instance, so that the model takes it for its own. */
static const char devices_script[] =
	"link set lo up\n"
	"link set tp0 mtu 1420 alias towpath:" WORLD_INSTANCE " up\n"
	"addr add 100.64.0.1/32 dev tp0\n"
	"addr add fd7a::1/128 dev tp0 nodad\n"
	"link add lan0 address 02:00:00:00:00:01 type veth peer name lan0-peer\n"
	"link add lan1 address 02:00:00:00:00:02 type veth peer name lan1-peer\n"
	"link add other0 address 02:00:00:00:00:03 type veth peer name other0-peer\n"
	"link set lan0 up\n"
	"link set lan0-peer up\n"
	"link set lan1 up\n"
	"link set lan1-peer up\n"
	"link set other0 up\n"
	"link set other0-peer up\n"
	"addr add 192.0.2.1/24 dev lan0\n"
	"addr add 2001:db8:30::1/64 dev lan0 nodad\n"
	"addr add 198.51.100.1/24 dev lan1\n"
	"addr add 2001:db8:31::1/64 dev lan1 nodad\n"
	"addr add 10.77.0.1/24 dev other0\n"
	"addr add fd77::1/64 dev other0 nodad\n"
	"addr add 198.18.5.1/32 dev lo\n"
	"addr add 2001:db8:fe::1/128 dev lo nodad\n"
	"route add 100.64.0.0/24 dev tp0\n"
	"route add fd7a::/64 dev tp0\n"
	"route add 10.9.0.0/24 dev tp0\n"
	"route add fd0a:9::/64 dev tp0\n"
	"route add 203.0.113.0/24 via 192.0.2.254\n"
	"route add 2001:db8:71::/64 via 2001:db8:30::fe\n"
	"route add blackhole 192.0.2.66\n"
	"route add blackhole 2001:db8:30::66\n"
	"route add unreachable 192.0.2.67\n"
	"route add unreachable 2001:db8:30::67\n"
	"route add prohibit 192.0.2.68\n"
	"route add prohibit 2001:db8:30::68\n";

static void die(const char *what)
{
	fprintf(stderr, "packet tier: %s: %s\n", what, strerror(errno));
	exit(2);
}

void world_sysctl(const char *path, int32_t value)
{
	struct err err;

	if (!sysctl_write(path, value, &err))
		return;
	fprintf(stderr, "packet tier: %s\n", err.text);
	exit(2);
}

/* Feeds `ip -batch -` with the script. */
static void run_ip(const char *script)
{
	char ip[] = "ip", batch[] = "-batch", input[] = "-";
	char *argv[] = { ip, batch, input, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status, r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		die("make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	r = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	errno = r;
	if (r || write(ends[1], script, strlen(script)) != (ssize_t)strlen(script))
		die("run ip");
	close(ends[1]);
	if (waitpid(child, &status, 0) < 0)
		die("wait for ip");
	if (status) {
		fprintf(stderr, "packet tier: ip failed on:\n%s", script);
		exit(2);
	}
}

void world_ip(const char *words)
{
	char line[256];

	snprintf(line, sizeof(line), "%s\n", words);
	run_ip(line);
}

/* The fd stays open: a tun device has a carrier as long as somebody holds it. */
static void make_tunnel(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open /dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", world_device_names[TUNNEL0]);
	if (ioctl(fd, TUNSETIFF, &request))
		die("make the tunnel device");
}

void world_neighbours(void)
{
	const struct place *place;
	char script[4096];
	size_t length = 0;
	int i;

	for (place = places_next(NULL); place; place = places_next(place)) {
		const char *device = strcmp(place->name, "beyond") ? "lan0" : "lan1";

		for (i = 0; i < 2 && place->mac[5]; i++)
			length += (size_t)snprintf(
				script + length, sizeof(script) - length,
				"neigh replace %s lladdr 02:00:00:00:00:%02x dev %s "
				"nud permanent\n",
				i ? place->v6 : place->v4, place->mac[5], device);
	}
	run_ip(script);
}

/* Asking the kernel for each packet would cost more than the packet. */
static void note_indexes(void)
{
	int i;

	for (i = 0; i < DEVICES; i++) {
		indexes[i] = if_nametoindex(world_device_names[i]);
		if (!indexes[i])
			die(world_device_names[i]);
	}
}

void world_make(void)
{
	static bool made;

	if (made)
		return;
	made = true;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		die("make namespaces");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", WORLD_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		die("mount a bpffs");

	/* no address of the kernel's own making: packets are compared to the last byte */
	world_sysctl("net/ipv6/conf/default/addr_gen_mode", 1);
	world_sysctl("net/ipv6/conf/default/accept_dad", 0);
	world_sysctl("net/ipv4/conf/all/forwarding", 1);
	world_sysctl("net/ipv6/conf/all/forwarding", 1);
	make_tunnel();
	run_ip(devices_script);
	note_indexes();
	world_neighbours();
}

uint32_t world_ifindex(enum device device)
{
	return indexes[device];
}

const uint8_t *world_mac(enum device device)
{
	return macs[device];
}
