// SPDX-License-Identifier: GPL-2.0-only
#include "router.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "kernel/bpf_fs.h"
#include "net.h"
#include "secret/key.h"
#include "towpath/reason.h"
#include "uapi.h"

#define BPFFS "/sys/fs/bpf"

static const char policy_format[] =
	"{ \"version\": 1,\n"
	"  \"tunnel\": { \"interface\": \"%s\", \"backend\": \"userspace\", "
	"\"private_key_file\": \"%s\" },\n"
	"  \"nodes\": { \"gw\": { \"public_key\": \"%s\", \"addresses\": [\"" LANE_ROUTER_IN_TUN
	"\"], \"endpoint\": \"203.0.113.1:51820\", \"lan_interfaces\": [%s\"lan0\"],\n"
	"    \"advertise_routes\": [\"" LANE_SERVERS "\"%s]%s } },\n"
	"  \"peers\": { \"phones\": { \"public_key\": \"%s\", \"addresses\": [%s] } },\n"
	"  \"auto_approvers\": { \"routes\": { \"0.0.0.0/1\": [\"gw\"], "
	"\"128.0.0.0/1\": [\"gw\"] } },\n"
	"  \"routes\": { \"" LANE_SERVERS "\": { \"snat\": \"masquerade\" } },\n"
	"  \"grants\": [ { \"src\": [\"%s\"], \"dst\": [\"" LANE_SERVERS "\"], "
	"\"ip\": [\"udp:%d\", \"tcp:%d\"] } ] }\n";

static const char *instance(const struct lane *lane)
{
	return lane->in; /* there is one towpath for each */
}

static char *list_phones(void)
{
	char *list = mem_copy_string("");
	unsigned int i;

	for (i = 0; list && i < BENCH_CLIENTS; i++) {
		char *longer = mem_format("%s%s\"100.64.0.%u\"", list, i ? ", " : "",
					  BENCH_CLIENT_FIRST + i);

		free(list);
		list = longer;
	}
	return list;
}

/* Two keys of a mesh that nobody else is in; the first one's private half goes to a file. */
static int make_keys(const char *path, char node[KEY_TEXT_SIZE], char peer[KEY_TEXT_SIZE],
		     struct err *err)
{
	struct key private_key, public_key;
	char text[KEY_TEXT_SIZE];

	key_generate(&private_key);
	key_derive_public(&private_key, &public_key);
	key_put(peer, &public_key);
	key_generate(&private_key);
	key_derive_public(&private_key, &public_key);
	key_put(node, &public_key);
	key_put(text, &private_key);
	return file_write(path, text, strlen(text), 0600, 0, err);
}

static int write_policy(const struct lane *lane, const char *path, struct err *err)
{
	AUTO_FREE char *key_file = mem_format("%s.key", path);
	AUTO_FREE char *phones = list_phones();
	AUTO_FREE char *in = mem_format("\"%s\", ", lane->in);
	AUTO_FREE char *tunnel = mem_format("%s%s", lane->in, lane->from_tun ? "" : "t");
	AUTO_FREE char *text = NULL;
	char node[KEY_TEXT_SIZE], peer[KEY_TEXT_SIZE];
	bool lan = !lane->from_tun;

	if (!key_file || !phones || !in || !tunnel)
		return err_sys(err, -ENOMEM, "policy");
	if (make_keys(key_file, node, peer, err))
		return err->code;
	text = mem_format(policy_format, tunnel, key_file, node, lan ? in : "",
			  lan ? ", \"" LANE_CLIENTS_LAN "\"" : "",
			  lan ? ", \"lan_to_lan\": \"judge\", \"xdp\": \"native\"" : "", peer,
			  phones, lan ? LANE_CLIENTS_LAN : LANE_CLIENTS_TUN, BENCH_PORT,
			  BENCH_PORT);
	if (!text)
		return err_sys(err, -ENOMEM, "policy");
	return file_write(path, text, strlen(text), 0600, 0, err);
}

static const char *binary(void)
{
	const char *path = getenv("TOWPATH");

	return path ? path : "build/towpath";
}

/* tunnel: a tun that is there, marked as made by towpath. */
static int apply(const struct lane *lane, const char *tunnel, struct err *err)
{
	AUTO_FREE char *policy = mem_format(NET_RUN "/%s.json", instance(lane));
	AUTO_FREE char *mark = mem_format("link set %s alias towpath:%s\n", tunnel, instance(lane));
	const char *const argv[] = { binary(),       "apply",   policy, "--instance",
				     instance(lane), "--bpffs", BPFFS,  "--log-level",
				     "error",        NULL };
	int r;

	if (!policy || !mark)
		return err_sys(err, -ENOMEM, "start towpath");
	r = net_ip(mark, err);
	if (!r)
		r = uapi_start(tunnel, err);
	if (!r)
		r = write_policy(lane, policy, err);
	return r ? r : net_run(argv, NULL, err);
}

int router_start_tun(struct lane *lane, struct err *err)
{
	return apply(lane, lane->in, err);
}

/* Without the program on the device it would be tc's or the stack's work that is measured. */
int router_start_lan(struct lane *lane, struct err *err)
{
	AUTO_FREE char *tunnel = mem_format("%st", lane->in);
	uint32_t program = 0;
	int tun, r;

	if (!tunnel)
		return err_sys(err, -ENOMEM, "start towpath");
	r = net_make_tun(tunnel, &tun, err); /* stays open: it holds the carrier */
	if (!r)
		r = apply(lane, tunnel, err);
	if (!r && (bpf_xdp_query_id((int)lane->in_ifindex, 0, &program) || !program))
		r = err_set(err, -ENOENT, "towpath has put no XDP program on %s", lane->in);
	return r;
}

static const bool is_refusal[TP_REASON_COUNT] = {
#define REFUSAL(name, verdict, text) [TP_R_##name] = TP_##verdict == TP_DROP,
	TP_REASONS(REFUSAL)
#undef REFUSAL
};

int router_refusals(const struct lane *lane, uint64_t *count, struct err *err)
{
	AUTO_FREE uint64_t *values = mem_alloc((size_t)libbpf_num_possible_cpus(), sizeof(*values));
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int map = -1;
	uint32_t reason;
	int cpu;

	bpf_fs_map_path(path, BPFFS, instance(lane), "tp_drops");
	map = bpf_obj_get(path);
	if (map < 0 || !values)
		return err_sys(err, -errno, "open %s", path);
	*count = 0;
	for (reason = 0; reason < TP_REASON_COUNT; reason++) {
		if (!is_refusal[reason])
			continue;
		if (bpf_map_lookup_elem(map, &reason, values))
			return err_sys(err, -errno, "read %s", path);
		for (cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
			*count += values[cpu];
	}
	return 0;
}
