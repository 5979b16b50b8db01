/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon of `towpath run`, between its files: cmd_run.c starts and ends it, run_reload.c
 * decides which policy is in force, run_replan.c keeps it so, run_http.c answers over HTTP.
 */
#ifndef TP_CMD_RUN_H
#define TP_CMD_RUN_H

#include "cmd/exempts.h"
#include "cmd/pipeline.h"
#include "cmd/run_endpoints.h"
#include "daemon/control.h"
#include "daemon/dir_watch.h"
#include "daemon/http.h"
#include "daemon/kernel_watch.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/watch.h"
#include "kernel/bpf_hold.h"
#include "kernel/bpf_sink.h"
#include "kernel/lan_watch.h"
#include "kernel/netns.h"
#include "model/local_vips.h"
#include "model/running.h"

/* tunnel.netns of the policy in force, or of one that waits for it. */
struct run_netns {
	struct loop_timer timer;
	char *name;                  /* NULL: none */
	struct netns_id seen, heard; /* at the last look; where kernel listens, 0 = at home */
};

/* The exempt network namespaces of the policy in force. */
struct run_exempt {
	struct loop_timer timer;
	struct dir_watch below; /* a cgroup that is made has nothing yet that hides */
	struct exempts rules;
	struct exempt_rows seen; /* at the last look */
};

struct health_target;

/* Backends that are asked whether they live. */
struct run_health {
	ARRAY_OF(struct health_target *);
	bool short_of;         /* not all are */
	int64_t complained_ms; /* when it was last said that one cannot be asked; 0: never */
};

struct vip_device;

/* Addresses that this machine may answer for, and the LAN devices where they are asked for. */
struct run_local_vips {
	struct loop_timer timer;
	int64_t read_ms; /* when rows are read next */
	struct local_vips vips;
	ARRAY_OF(struct state_local_vips) ranges; /* of the policy in force */
	ARRAY_OF(struct vip_device *) devices;
};

/* What is pinned, and a watch over its directories. */
struct run_pins {
	struct bpf_hold hold;
	struct dir_watch watch;
	struct err failure; /* what was last said; no text: nothing, or all is well again */
};

/* What takes answers that no program has taken. */
struct run_sink {
	struct bpf_sink sink;
	struct err failure; /* as in run_pins */
};

struct run {
	const struct args *args;
	struct loop loop;
	struct loop_source signals;
	struct loop_timer expiry; /* a wall timer: the next key that expires */
	struct loop_timer again;  /* a good file that could not be put in force */
	uint32_t again_s;         /* after which time it is tried next; 0: there is none */
	struct watch watch;
	struct run_endpoints endpoints;
	struct gather_names names; /* what endpoints knows */
	struct seen seen;          /* where peers were, for a device that is lost */
	struct kernel_watch kernel;
	struct run_netns netns;
	struct run_exempt exempt;
	struct run_health health;
	struct run_local_vips local_vips;
	struct run_pins pins;
	struct run_sink sink;
	struct notify notify;
	struct control control;
	struct http *http;         /* NULL: no metrics */
	struct endpoint listening; /* where http is; port 0 = nowhere */
	struct running running;
	struct watch key_watch;   /* of key_file */
	char *key_file;           /* NULL: not watched */
	struct problems expiring; /* what was last said of keys that expire */
	bool lacks_network;       /* why the file's policy is not in force; may yet come */
	bool cleaned;             /* nothing is left, for --cleanup-on-exit */
	bool served;              /* a policy is in force, of the file or an earlier process */
	struct err unsaved;       /* what was last said of the text of the policy in force */
	uint32_t retry_s;         /* until the re-plan after one that failed; 0 = it did not */
	char *good; /* the policy in force, as it was read; NULL: an earlier process applied it */
	size_t good_length;
	uint8_t rejected_hash[HASH_SIZE]; /* of the file that is rejected */
};

/* After something that failed: twice as long each time. */
#define RUN_RETRY_MIN_S 10
#define RUN_RETRY_MAX_S 640
uint32_t run_retry_after(uint32_t last_s); /* 0: it was the first */

/* ---- run_reload.c ---- */

/*
 * Reads the file and puts it in force, or rejects it with all its errors noted and logged.
 * EXIT_DONE, also when it waits for something (run_wait), or the exit status that `apply` would
 * leave with.
 */
int run_load(struct run *run);
/* Whether the kernel holds a policy that it goes by, or nobody can tell. */
bool run_is_live(const struct run *run);
/* The same at the beginning, with a file that was rejected: an earlier process's text is kept in
 * force, where it is known. */
bool run_take_over(struct run *run);

/* ---- run_saved.c ---- */

/* Says why the text of the policy in force is not kept, once. */
void run_mind_saved(struct run *run, const struct pipeline *p);

/* ---- cmd_run.c ---- */

/* run_load, and the service manager is told. */
void run_reload(struct run *run);
/* To the service manager; until there is something to be ready for, what is waited for. */
void run_say_ready(struct run *run);
/* The same outside of a reload: what was ready is not said to be so again, and news are told. */
void run_say_news(struct run *run);
/* Not resolved: where its links lead may change. The caller's; NULL with errno set. */
char *run_absolute(const char *path);

/* ---- run_wait.c ---- */

/*
 * Before the first policy is in force: makes the node's private key when it has none, and logs the
 * public one. p has read its policy. EXIT_DONE, or EXIT_FAILED with p->failure set.
 */
int run_make_key(struct run *run, struct pipeline *p);
/*
 * p could not be put in force. True when nothing is set up and that is because the policy knows
 * nothing of this node, or the network is not there yet: the daemon waits, and `running` says for
 * what.
 */
bool run_wait(struct run *run, const struct pipeline *p);
void run_wait_over(struct run *run);
/* run->lacks_network, and the network may have changed. */
enum look run_look_again(struct run *run);

/* ---- run_keys.c ---- */

/*
 * p was put in force: says what the calendar says of its keys, if it is news (said: it has been
 * logged), wakes run_replan when that changes, and reloads when the node's key file does.
 */
void run_mind_keys(struct run *run, const struct pipeline *p, bool said);
/* Reloads when that file changes. */
void run_watch_key(struct run *run, const char *path);
void run_forget_keys(struct run *run);

/* ---- run_netns.c ---- */

int run_netns_open(struct run *run, struct err *err);
void run_netns_close(struct run *run); /* one that was never opened is fine */
/* The policy of p is in force, or will be when its namespace is there. */
void run_netns_follow(struct run *run, const struct pipeline *p);

/* ---- run_exempt.c ---- */

int run_exempt_open(struct run *run, struct err *err);
void run_exempt_close(struct run *run); /* one that was never opened is fine */
/* The policy of p is in force. */
void run_exempt_follow(struct run *run, const struct pipeline *p);

/* ---- run_health.c ---- */

/* The policy of p is in force: its backends are probed, where it says so. */
void run_health_follow(struct run *run, const struct pipeline *p);
void run_health_close(struct run *run);

/* ---- run_local_vips.c ---- */

int run_local_vips_open(struct run *run, struct err *err);
void run_local_vips_close(struct run *run); /* one that was never opened is fine */
/* The policy of p is in force. */
void run_local_vips_follow(struct run *run, const struct pipeline *p);
void run_local_vips_stop(struct run *run);

/* ---- run_pins.c ---- */

int run_pins_open(struct run *run, struct err *err);
void run_pins_close(struct run *run); /* one that was never opened is fine */
/* Holds what is pinned by now, and what was deleted meanwhile. */
void run_pins_take(struct run *run);
/* Holds nothing any more. */
void run_pins_drop(struct run *run);
/* Puts back pins that somebody has deleted; true when there were any. */
bool run_pins_mend(struct run *run);

/* ---- run_sink.c ---- */

/*
 * Makes it, or makes it anew when somebody has detached it or the maps are others. netns: where the
 * devices are.
 */
void run_sink_keep(struct run *run, const struct netns *netns);
void run_sink_drop(struct run *run); /* one that was never made is fine */

/* ---- run_replan.c ---- */

/* The policy in force again, because the time has come for a part of it, or a newer one failed. */
void run_replan(struct run *run);
/* The same because the kernel's state may have changed. */
enum look run_repair(struct run *run);
/* What p has put in force is what there is to be. said: its warnings have been logged. */
void run_in_force(struct run *run, const struct pipeline *p, bool said);

/* A pipeline of the daemon's: what it has to say, run says. */
void run_pipeline_start(struct run *run, struct pipeline *p);
/* However it ended: what it has pinned is held from then on, and what it has removed is not. */
void run_pipeline_end(struct run *run, struct pipeline *p);

/* ---- run_http.c ---- */

/*
 * Listens where the policy, or the command line, wants it. The old listener is closed by
 * run_listen_done, or comes back.
 */
struct run_listen {
	struct http *http; /* the new one, or NULL */
	struct endpoint at;
	bool moved;
};

int run_listen_begin(struct run *run, const struct pipeline *p, struct run_listen *out,
		     struct err *err);
void run_listen_done(struct run *run, struct run_listen *listen, bool keep);
/* Listens where the policy in force, as far as its text is known, or the command line, wants it. */
void run_listen_take_over(struct run *run);

#endif
