// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_judge.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "base/mem.h"
#include "kernel/frame.h"
#include "towpath/abi.h"

/*
 * It came with the programs that are attached, and is found in the kernel: a policy is switched
 * without loading any.
 */
int bpf_judge_open(const struct bpf *bpf)
{
	AUTO_CLOSE int stages = bpf_map_open(bpf, "tp_stages");
	const uint32_t key = TP_STAGE_JUDGE;
	uint32_t id;
	int fd;

	if (stages < 0)
		return stages;
	if (bpf_map_lookup_elem(stages, &key, &id))
		return -errno;
	fd = bpf_prog_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

/* What the kernel says of a packet. */
struct judged {
	bool accept;
	uint32_t rule;
};

static int judge(int program, uint64_t generation, const struct decide_packet *packet,
		 struct judged *out)
{
	const struct frame frame = {
		.packet = *packet, .sport = FRAME_SPORT, .ttl = FRAME_TTL, .tcp_flags = TH_SYN
	};
	uint8_t bytes[FRAME_SIZE_MAX];
	struct __sk_buff context = { .cb = { (uint32_t)generation, (uint32_t)(generation >> 32) } };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	opts.data_size_in = (uint32_t)frame_put(bytes, &frame);
	if (bpf_prog_test_run_opts(program, &opts))
		return -errno;
	out->accept = opts.retval == 0;
	out->rule = context.cb[2];
	return 0;
}

static const char *verdict(char *buf, size_t size, const struct tables *tables, bool accept,
			   uint32_t rule)
{
	if (rule < tables->rules.count)
		snprintf(buf, size, "%s by $.grants[%u]", accept ? "allowed" : "refused",
			 tables->rules.items[rule].grant);
	else
		snprintf(buf, size, "%s by no grant", accept ? "allowed" : "refused");
	return buf;
}

static int disagree(const struct tables *tables, const struct probe *probe,
		    const struct judged *judged, struct err *err)
{
	char packet[DECIDE_PACKET_TEXT_SIZE], model[48], kernel[48];

	return err_set(
		err, -EBADMSG,
		"the kernel does not judge as the policy says: %s is %s, the programs say %s. "
		"The policy does not go live. This is a fault of towpath or of this kernel, "
		"please report it",
		decide_packet_put(packet, &probe->packet),
		verdict(model, sizeof(model), tables, probe->accept, probe->rule),
		verdict(kernel, sizeof(kernel), tables, judged->accept, judged->rule));
}

int bpf_judge_probes(const struct bpf *bpf, uint64_t generation, const struct tables *tables,
		     struct err *err)
{
	AUTO_CLOSE int program = -1;
	const struct probe *probe;

	if (!tables->probes.count)
		return 0;
	program = bpf_judge_open(bpf);
	if (program < 0)
		return err_sys(err, program, "find the program that judges test packets");
	array_for_each(probe, &tables->probes) {
		struct judged judged = {};
		int r = judge(program, generation, &probe->packet, &judged);

		if (r)
			return err_sys(err, r, "put a test packet through the programs");
		if (judged.accept != probe->accept || judged.rule != probe->rule)
			return disagree(tables, probe, &judged, err);
	}
	return 0;
}
