// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the backends of services live. Each is asked by itself; what is found out goes straight
 * into its row of tp_backends, and stays there when no daemon runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/run.h"
#include "daemon/question.h"
#include "daemon/verdict.h"
#include "kernel/bpf_service.h"
#include "kernel/bpf_switch.h"

#define COMPLAIN_MS      60000
#define FILES_RESERVED   256 /* what is pinned and held, devices, who asks us, a repair's own */
#define FILES_PER_TARGET 3   /* two timers and a socket */

/* One backend; in its own memory, for its question must not move. */
struct health_target {
	struct run *run;
	struct question question;
	struct loop_timer next;
	int64_t asked_ms;
	char service[TP_NAME_SIZE];
	struct tp_addr backend;
	char *path;
	uint32_t interval_ms, fail, rise;
	struct verdict verdict; /* what its row says, as far as is known */
	bool untold;            /* it turned, and could not be written */
	bool stays;             /* run_health_follow has met it */
};

static void target_free(struct health_target *target)
{
	if (!target)
		return;
	question_close(&target->question);
	loop_timer_close(&target->next);
	free(target->path);
	free(target);
}

/* Flows are told at once when it is to be left: datagrams are lost on it. */
static int write_down(const struct health_target *target, bool healthy, struct err *err)
{
	const struct args *args = target->run->args;
	struct bpf bpf;
	int r = bpf_open(&bpf, args->bpffs, args->instance, false, err);

	if (!r)
		r = bpf_set_health(&bpf, target->service, &target->backend, healthy, err);
	if (!r && !healthy)
		r = bpf_look_again(&bpf, err);
	bpf_close(&bpf);
	return r;
}

/* Logged once, however often it is tried. */
static void say(const struct health_target *target, bool healthy)
{
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	memcpy(&addr, &target->backend, sizeof(addr));
	if (!target->untold)
		log_warn("service %s: backend %s %s", target->service, addr_put(text, &addr),
			 healthy ? "answers again" : "does not answer");
}

static uint32_t pace_of(const struct health_target *target)
{
	return verdict_pace_ms(target->interval_ms, target->fail);
}

/* Not at once when the answer is a refusal: a server that starts again is to have some time. */
static void ask_sooner(struct health_target *target)
{
	int64_t left_ms = target->asked_ms + pace_of(target) - loop_now_ms();

	loop_timer_arm(&target->next, left_ms > 0 ? (uint32_t)left_ms : 1);
}

/* What cannot be written is tried again with the next answer. */
static void hear(struct health_target *target, bool lives)
{
	struct err err;
	int r;

	if (!verdict_hear(&target->verdict, lives, target->fail, target->rise)) {
		target->untold = target->untold && target->verdict.contrary;
		return;
	}
	say(target, lives);
	r = write_down(target, lives, &err);
	if (r && !target->untold)
		log_error("run: service %s: %s", target->service, err.text);
	target->untold = r != 0;
	if (!r)
		verdict_set(&target->verdict, lives);
}

static void judge(void *data, bool lives)
{
	struct health_target *target = data;

	hear(target, lives);
	if (verdict_is_waning(&target->verdict))
		ask_sooner(target);
}

/* Where forwarded packets are routed: in tunnel.netns, if there is one. */
static int socket_inside(const struct run *run, int domain, int type)
{
	struct netns netns = NETNS_HOME;
	struct err err;
	int fd, r = run->netns.name ? netns_open(run->netns.name, &netns, &err) : 0;

	if (!r)
		r = netns_enter(&netns, &err);
	if (!r) {
		fd = socket(domain, type, 0);
		r = fd < 0 ? -errno : fd;
		netns_leave(&netns);
	}
	netns_close(&netns);
	return r;
}

/* Nobody's load balancer, ours included, is to answer in place of the backend. */
static int make_socket(void *data, int domain, int type)
{
	const struct health_target *target = data;
	const struct args *args = target->run->args;
	AUTO_CLOSE int fd = socket_inside(target->run, domain, type);
	struct bpf bpf;
	struct err err;
	int r;

	if (fd < 0)
		return fd;
	r = bpf_open(&bpf, args->bpffs, args->instance, false, &err);
	if (!r)
		r = bpf_note_probe(&bpf, fd, &err);
	bpf_close(&bpf);
	return r ? r : mem_take_fd(&fd);
}

/* One line for all of them, and not with each question. */
static void complain(struct run_health *health, int error)
{
	int64_t now_ms = loop_now_ms();

	if (health->complained_ms && now_ms - health->complained_ms < COMPLAIN_MS)
		return;
	health->complained_ms = now_ms;
	log_error("run: a backend cannot be probed, and counts as it did: %s", strerror(-error));
}

/* A question that is not answered in time is answered with no. */
static void ask(void *data)
{
	struct health_target *target = data;
	int r;

	target->asked_ms = loop_now_ms();
	loop_timer_arm(&target->next, target->interval_ms);
	r = question_ask(&target->question, pace_of(target));
	if (r)
		complain(&target->run->health, r);
}

static enum question_kind kind_of(const char *protocol)
{
	if (!strcmp(protocol, "udp"))
		return QUESTION_DNS;
	return strcmp(protocol, "http") ? QUESTION_TCP : QUESTION_HTTP;
}

static bool is_same_question(const struct health_target *target, const struct config_probe *probe)
{
	const char *path = probe->http_path ? probe->http_path : "";

	return target->question.kind == kind_of(probe->protocol) &&
	       target->question.to.port == probe->target.port &&
	       !strcmp(target->path ? target->path : "", path);
}

static struct health_target *find(const struct run_health *health, const char *service,
				  const struct tp_addr *backend)
{
	struct health_target **target;

	array_for_each(target, health)
		if (!strcmp((*target)->service, service) &&
		    !memcmp(&(*target)->backend, backend, sizeof(*backend)))
			return *target;
	return NULL;
}

static int open_target(struct run *run, struct health_target *target, struct err *err)
{
	static const struct question_owner owner = { .socket = make_socket, .done = judge };
	int r = question_open(&target->question, &run->loop, &owner, target, err);

	return r ? r : loop_timer_open(&target->next, &run->loop, false, ask, target, err);
}

/* Whether another one leaves enough descriptors for all else that the daemon does. */
static bool has_room(const struct run_health *health)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return false;
	return files.rlim_cur >= FILES_RESERVED + (health->count + 1) * FILES_PER_TARGET;
}

static struct health_target *add(struct run *run, const struct backends_row *row, uint32_t index)
{
	struct health_target *target =
		has_room(&run->health) ? mem_alloc(1, sizeof(*target)) : NULL;
	struct health_target **place = target ? array_add(&run->health) : NULL;
	struct err err;

	if (!place || open_target(run, target, &err)) {
		run->health.count -= place != NULL;
		target_free(target);
		return NULL;
	}
	*place = target;
	target->run = run;
	memcpy(target->service, row->backends.name, sizeof(target->service));
	target->backend = row->backends.addrs[index];
	loop_timer_arm(&target->next, 1);
	return target;
}

/* False: out of memory, or of descriptors. */
static bool follow_one(struct run *run, const struct config_service *service,
		       const struct backends_row *row, uint32_t index)
{
	const struct config_probe *probe = &service->health;
	struct health_target *target =
		find(&run->health, service->name, &row->backends.addrs[index]);

	if (!target)
		target = add(run, row, index);
	if (!target)
		return false;
	target->stays = true;
	verdict_set(&target->verdict, row->backends.healthy >> index & 1);
	target->interval_ms = probe->interval_ms;
	target->fail = probe->fail;
	target->rise = probe->rise;
	if (is_same_question(target, probe))
		return true;
	free(target->path);
	target->path = probe->http_path ? mem_copy_string(probe->http_path) : NULL;
	target->question.path = target->path;
	target->question.kind = kind_of(probe->protocol);
	memcpy(&target->question.to.addr, &target->backend, sizeof(target->question.to.addr));
	target->question.to.port = probe->target.port;
	return target->path || !probe->http_path;
}

static const struct backends_row *find_row(const struct state *want, const char *service)
{
	const struct backends_row *row;

	array_for_each(row, &want->socket_lb.backends)
		if (!strcmp(row->backends.name, service))
			return row;
	return NULL;
}

static void drop(struct run_health *health, bool all)
{
	size_t i, kept = 0;

	for (i = 0; i < health->count; i++) {
		if (all || !health->items[i]->stays)
			target_free(health->items[i]);
		else
			health->items[kept++] = health->items[i];
	}
	health->count = kept;
}

void run_health_follow(struct run *run, const struct pipeline *p)
{
	const struct config_service *service;
	struct health_target **target;
	bool all = true;

	array_for_each(target, &run->health)
		(*target)->stays = false;
	array_for_each(service, &p->config->services) {
		const struct backends_row *row = find_row(&p->want, service->name);
		uint32_t i;

		for (i = 0; row && service->health.set && i < row->backends.count; i++)
			all &= follow_one(run, service, row, i);
	}
	drop(&run->health, false);
	if (!all && !run->health.short_of)
		log_error(
			"run: out of memory or of descriptors (LimitNOFILE): not all backends are "
			"probed, and the others count as they did");
	run->health.short_of = !all;
}

void run_health_close(struct run *run)
{
	drop(&run->health, true);
	array_clear(&run->health);
}
