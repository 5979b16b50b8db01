// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/run.h"
#include "cmd/snapshot.h"
#include "report/metrics.h"

#define STATUS_OK          200
#define STATUS_NOT_FOUND   404
#define STATUS_UNAVAILABLE 503

/* ---- pages ---- */

/*
 * What keeps the data path from working. A rejected file does not, nor do grants that only log, nor
 * a name that does not resolve (its peer may call us), nor a route that somebody else has to put
 * right.
 */
static int find_unready(const struct run *run, const struct snapshot *snapshot,
			struct status_problems *out)
{
	struct status status = snapshot->status;
	struct state have = *status.have;
	struct running running = run->running; /* shares what it owns */
	struct status_routes routes = snapshot->routes;

	have.only_logs = false;
	running.rejected_at = 0;
	running.unresolved.count = 0;
	status.have = &have;
	status.running = &running;
	routes.problems.count = 0;
	status.routes = &routes;
	return status_find_problems(&status, out);
}

/* True when there is something to tell of problems. */
static bool take(struct snapshot *snapshot, const struct run *run)
{
	int status = snapshot_take(snapshot, run->args, &run->running, true);

	return status == EXIT_DONE ||
	       (status == EXIT_NOT_RUNNING && running_is_tried(&run->running));
}

static int print_metrics(FILE *out, const struct run *run)
{
	struct status_problems problems = {};
	struct snapshot snapshot;
	bool taken = snapshot_take(&snapshot, run->args, &run->running, true) == EXIT_DONE;
	struct metrics metrics = {
		.version = snapshot.status.version,
		.running = &run->running,
		.status = taken ? &snapshot.status : NULL,
	};
	int r = taken ? find_unready(run, &snapshot, &problems) : 0;

	metrics.ready = taken && !r && !problems.count;
	if (!r)
		r = metrics_print(out, &metrics);
	array_clear(&problems);
	snapshot_free(&snapshot);
	return r;
}

static int print_ready(FILE *out, const struct run *run, unsigned int *code)
{
	struct status_problems problems = {};
	const struct status_problem *problem;
	struct snapshot snapshot;
	bool taken = take(&snapshot, run);
	int r = taken ? find_unready(run, &snapshot, &problems) : 0;

	*code = taken && !problems.count ? STATUS_OK : STATUS_UNAVAILABLE;
	if (*code == STATUS_OK && snapshot.status.have->only_logs)
		fprintf(out, "ready, but the policy is NOT ENFORCED (\"enforce\": \"log\")\n");
	else if (*code == STATUS_OK)
		fprintf(out, "ready\n");
	if (!taken)
		fprintf(out, "not ready: %s\n", snapshot.p.failure.text);
	array_for_each(problem, &problems)
		fprintf(out, "not ready: %s; mend: %s\n", problem->what, problem->mend);
	array_clear(&problems);
	snapshot_free(&snapshot);
	return r;
}

static int print_status(FILE *out, const struct run *run, unsigned int *code)
{
	struct snapshot snapshot;
	bool taken = take(&snapshot, run);
	int r = 0;

	*code = taken ? STATUS_OK : STATUS_UNAVAILABLE;
	if (taken)
		r = status_print_json(out, &snapshot.status);
	else
		fprintf(out, "{ \"error\": \"the kernel's state cannot be read\" }\n");
	snapshot_free(&snapshot);
	return r;
}

static int print_page(FILE *out, const struct run *run, const char *path, struct http_page *page)
{
	page->status = STATUS_OK;
	if (!strcmp(path, "/metrics")) {
		page->type = METRICS_TYPE;
		return print_metrics(out, run);
	}
	if (!strcmp(path, "/readyz"))
		return print_ready(out, run, &page->status);
	if (!strcmp(path, "/status")) {
		page->type = "application/json";
		return print_status(out, run, &page->status);
	}
	if (!strcmp(path, "/healthz")) {
		fprintf(out, "ok\n");
		return 0;
	}
	page->status = STATUS_NOT_FOUND;
	fprintf(out, "not found; there are /metrics, /healthz, /readyz and /status\n");
	return 0;
}

static void respond(void *data, const char *path, struct http_page *page)
{
	const struct http_page empty = *page;
	FILE *out = open_memstream(&page->body, &page->length);
	int r = out ? print_page(out, data, path, page) : -1;

	if (out && fclose(out))
		r = -1;
	if (!r)
		return;
	if (out)
		free(page->body);
	*page = empty;
}

/* ---- where ---- */

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return (!a->port && !b->port) || endpoint_is_equal(a, b);
}

static struct endpoint wanted(const struct run *run, const struct pipeline *p)
{
	const char *text = p->policy ? p->policy->config->metrics_listen : NULL;
	struct endpoint at = run->args->metrics_listen;

	/* the reader of the policy has seen to it that it is one */
	if (!at.port && text && endpoint_read(text, &at))
		at.port = 0;
	return at;
}

static void reopen(struct run *run)
{
	struct err err;

	if (run->http || !run->listening.port)
		return;
	if (http_open(&run->http, &run->loop, &run->listening, respond, run, &err))
		log_error("run: metrics: %s", err.text);
}

int run_listen_begin(struct run *run, const struct pipeline *p, struct run_listen *out,
		     struct err *err)
{
	int r;

	*out = (struct run_listen){ .at = wanted(run, p) };
	out->moved = !is_same(&out->at, &run->listening) || (out->at.port && !run->http);
	if (!out->moved || !out->at.port)
		return 0;
	/* two of our own on one port, 127.0.0.1 and 0.0.0.0, would be in each other's way */
	if (out->at.port == run->listening.port) {
		http_close(run->http);
		run->http = NULL;
	}
	r = http_open(&out->http, &run->loop, &out->at, respond, run, err);
	if (r)
		reopen(run);
	return r;
}

void run_listen_done(struct run *run, struct run_listen *listen, bool keep)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!listen->moved)
		return;
	http_close(keep ? run->http : listen->http);
	if (!keep) {
		reopen(run);
		return;
	}
	run->http = listen->http;
	run->listening = listen->at;
	if (run->http)
		log_info("serving metrics at %s", endpoint_put(text, &run->listening));
	else
		log_info("no longer serving metrics");
}

void run_listen_take_over(struct run *run)
{
	struct run_listen listen;
	struct pipeline p;
	struct err err;
	int r;

	run_pipeline_start(run, &p);
	if (run->good) {
		p.text = run->good; /* lent */
		p.length = run->good_length;
		/* one that is valid no more, as when a key has expired, has a place all the same */
		(void)pipeline_read_policy(&p);
		p.text = NULL;
	}
	r = run_listen_begin(run, &p, &listen, &err);
	if (r)
		log_error("run: metrics: %s", err.text);
	else
		run_listen_done(run, &listen, true);
	run_pipeline_end(run, &p);
}
