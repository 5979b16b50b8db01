// SPDX-License-Identifier: GPL-2.0-only
/* Sending, counting what arrived, and reading how long the router was at it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "configs.h"
#include "frame.h"
#include "lane.h"
#include "net.h"

#include "bench.skel.h" /* wants the types of frame.h */

#define BATCH          64
#define SEND_AT_ONCE   8192 /* packets between two looks at the clock */
#define OPEN_AT_ONCE   128  /* few enough for every queue on the way, both ways */
#define OPEN_PASSES    50
#define WARM_UP_PART   8 /* of the time that is measured */
#define LOST_PER_MILLE 10

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- from ethernet ------------------------------------------------------------------------ */

static int send_frames(struct lane *lane, unsigned int count, struct err *err)
{
	struct bench_frame frame = { 0 };
	struct xdp_md context = { .data_end = sizeof(frame) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	int r;

	r = bpf_prog_test_run_opts(bpf_program__fd(lane->bpf->progs.bench_generate), &opts);
	return r ? err_sys(err, r, "send") : 0;
}

/* Exact while the thread sleeps, as it does between two sendings. */
static int read_thread_ns(pid_t thread, uint64_t *ns, struct err *err)
{
	char path[64], text[128];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return err_sys(err, -errno, "read %s", path);
	text[n] = '\0';
	*ns = strtoull(text, NULL, 10);
	return 0;
}

/* ---- from the tun ------------------------------------------------------------------------- */

#define PACKET_SIZE ((ssize_t)(sizeof(struct bench_frame) - ETH_HLEN))

/* A tun's packets have no link header. */
static void *packet_in(struct bench_frame *frame)
{
	return (uint8_t *)frame + ETH_HLEN;
}

/* Answers that came home. */
static void read_answers(struct lane *lane)
{
	struct bench_frame frame;
	uint32_t flow;

	while (read(lane->tun, packet_in(&frame), PACKET_SIZE) > 0) {
		flow = bench_flow_of_answer(&frame);
		if (frame.ip.protocol == IPPROTO_UDP && flow < BENCH_FLOWS_MAX)
			lane->bpf->bss->bench_answered[flow] = 1;
	}
}

static int write_packets(struct lane *lane, unsigned int count, struct err *err)
{
	const struct bench_template *template = &lane->bpf->bss->bench_template;
	__typeof__(lane->bpf->bss) bss = lane->bpf->bss;
	struct bench_frame frame;
	uint32_t flow;

	while (count--) {
		flow = bench_next_flow(&bss->bench_next, bss->bench_flow_mask, bss->bench_in_order);
		bench_put_frame(&frame, template, flow);
		if (write(lane->tun, packet_in(&frame), PACKET_SIZE) != PACKET_SIZE)
			return err_sys(err, -errno, "write to the tun");
	}
	return 0;
}

/* ---- both --------------------------------------------------------------------------------- */

static int send_some(struct lane *lane, unsigned int count, struct err *err)
{
	return lane->from_tun ? write_packets(lane, count, err) : send_frames(lane, count, err);
}

/* The tun's receive path runs within the writer's system call. */
static int read_spent(const struct lane *lane, uint64_t *ns, struct err *err)
{
	if (!lane->from_tun)
		return read_thread_ns(lane->thread, ns, err);
	*ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return 0;
}

static int send_for(struct lane *lane, unsigned int ms, uint64_t *sent, struct err *err)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * 1000000;
	int r;

	do {
		r = send_some(lane, SEND_AT_ONCE, err);
		*sent += SEND_AT_ONCE;
	} while (!r && clock_ns(CLOCK_MONOTONIC) < end);
	return r;
}

static void set_mode(struct lane *lane, uint32_t flows, bool opening)
{
	lane->bpf->bss->bench_flow_mask = flows - 1;
	lane->bpf->bss->bench_in_order = opening;
	lane->bpf->bss->bench_echo = opening;
	lane->bpf->bss->bench_drop = !opening;
	net_enter(lane->netns[lane->from_tun ? LANE_ROUTER : LANE_SOURCE]);
}

/* Of frames some are lost before they reach the router, which costs it nothing. */
static int check_arrived(const struct lane *lane, uint64_t sent, uint64_t arrived, uint64_t wrong,
			 struct err *err)
{
	uint64_t least = lane->from_tun ? sent - sent * LOST_PER_MILLE / 1000 : 1;

	if (arrived >= least && !wrong)
		return 0;
	return err_set(err, -EIO, "of %llu packets %llu arrived as they should, %llu not",
		       (unsigned long long)sent, (unsigned long long)arrived,
		       (unsigned long long)wrong);
}

int lane_measure(struct lane *lane, uint32_t flows, unsigned int ms, struct cost *cost,
		 struct err *err)
{
	const volatile __typeof__(*lane->bpf->bss) *bss = lane->bpf->bss;
	uint64_t ns[2], delivered, wrong, sent = 0, ignored = 0;
	int r;

	set_mode(lane, flows, false);
	r = send_for(lane, ms / WARM_UP_PART, &ignored, err);
	delivered = bss->bench_delivered;
	wrong = bss->bench_wrong;
	if (!r)
		r = read_spent(lane, &ns[0], err);
	if (!r)
		r = send_for(lane, ms, &sent, err);
	if (!r)
		r = read_spent(lane, &ns[1], err);
	if (r)
		return r;

	cost->packets = bss->bench_delivered - delivered;
	cost->ns = ns[1] - ns[0];
	return check_arrived(lane, sent, cost->packets, bss->bench_wrong - wrong, err);
}

static uint32_t count_answered(const struct lane *lane, uint32_t flows)
{
	uint32_t flow, count = 0;

	for (flow = 0; flow < flows; flow++)
		count += lane->bpf->bss->bench_answered[flow];
	return count;
}

int lane_open_flows(struct lane *lane, uint32_t flows, struct err *err)
{
	uint32_t sent, chunk = flows < OPEN_AT_ONCE ? flows : OPEN_AT_ONCE, answered = 0;
	int pass, r = 0;

	set_mode(lane, flows, true);
	for (pass = 0; pass < OPEN_PASSES && answered < flows; pass++) {
		for (sent = 0; !r && sent < flows; sent += chunk) {
			r = send_some(lane, chunk, err);
			if (lane->from_tun)
				read_answers(lane);
		}
		if (r)
			return r;
		answered = count_answered(lane, flows);
	}
	if (answered == flows)
		return 0;
	return err_set(
		err, -EIO,
		"of %u flows %u were answered (%llu packets arrived as they should, %llu not)",
		flows, answered, lane->bpf->bss->bench_delivered, lane->bpf->bss->bench_wrong);
}
