// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three processes: towpath forks a starter with a session of its own, the starter forks the
 * launcher, which becomes wireguard-go, which makes the device and puts itself into the
 * background. The starter then marks the device, and moves it when it is to live in another
 * network namespace: wireguard-go would not find a device that was made there. It is there so
 * that a towpath which is killed in between does not leave a device without our mark, which the
 * next apply would take for somebody else's.
 */
#include "kernel/wg_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/rt.h"
#include "kernel/wg.h"
#include "kernel/wg_uapi_socket.h"

#define PROGRAM         "wireguard-go"
#define TIMEOUT_SECONDS 10
#define OUTPUT_SIZE     4096
#define EXIT_NOT_FOUND  127 /* as shells say it */
#define EXIT_NOT_RUN    126

/* ---- launcher ---------------------------------------------------------------------------- */

/*
 * LOG_LEVEL would make the process in the background keep our pipe open, and WG_* are the orders
 * it gives itself when it forks.
 */
static void clean_environment(void)
{
	static const char *const names[] = { "LOG_LEVEL", "WG_PROCESS_FOREGROUND", "WG_TUN_FD",
					     "WG_UAPI_FD" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

/* Never returns. What it says is the cause that the error ends with. */
__attribute__((noreturn)) static void leave_launcher(int output)
{
	int cause = errno;

	dprintf(output, "it did not get to run: %s\n", strerror(cause));
	_exit(cause == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

/* Never returns. */
__attribute__((noreturn)) static void become_launcher(const char *ifname, int output)
{
	int null = open("/dev/null", O_RDONLY);

	clean_environment();
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 || null < 0 ||
	    dup2(null, STDIN_FILENO) < 0)
		leave_launcher(output);

	/* it lives on: a lock of ours that it inherited would stay locked */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	execlp(PROGRAM, PROGRAM, ifname, NULL);
	leave_launcher(STDERR_FILENO);
}

/* The end of what comes out of fd, until all who write to it are gone. 0 or a negative errno. */
static int read_output(int fd, char *text)
{
	size_t length = 0;
	ssize_t n;

	do {
		if (length == OUTPUT_SIZE - 1) {
			length /= 2;
			memmove(text, text + OUTPUT_SIZE - 1 - length, length);
		}
		n = read(fd, text + length, OUTPUT_SIZE - 1 - length);
		if (n > 0)
			length += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[length] = '\0';
	return n < 0 ? -errno : 0;
}

/* The last line that is not empty, fit for a terminal. Changes text. */
static const char *last_line(char *text)
{
	size_t length = strlen(text);
	char *line;

	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;

	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return line;
}

static int wait_for(pid_t pid, int *status)
{
	pid_t r;

	do {
		r = waitpid(pid, status, 0);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* unread: 0, or why the output is not all that it said */
static int judge_launcher(int status, char *output, int unread, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		return err_set(err, -EOPNOTSUPP,
			       "this kernel has no WireGuard and " PROGRAM
			       " is not installed: apt install " PROGRAM);
	if (unread)
		return err_sys(err, unread, "it failed, and what it said could not be read");
	return err_set(err, -EIO, "%s", *output ? last_line(output) : "it failed without a word");
}

static int run_launcher(const char *ifname, struct err *err)
{
	char output[OUTPUT_SIZE];
	int ends[2];
	int status = 0, unread = 0;
	pid_t pid;
	int r;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	pid = fork();
	if (pid == 0)
		become_launcher(ifname, ends[1]);

	r = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (!r) {
		unread = read_output(ends[0], output);
		r = wait_for(pid, &status);
	}
	close(ends[0]);

	return r ? err_sys(err, r, "run it") : judge_launcher(status, output, unread, err);
}

/* ---- its end ----------------------------------------------------------------------------- */

int wg_process_watch(const char *ifname)
{
	int fd = wg_uapi_connect(ifname);

	return fd < 0 ? -1 : fd;
}

/* The connection ends when the process does: it never closes one that says nothing. */
static int wait_end(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = recv(fd, &byte, sizeof(byte), 0);
	} while (n > 0 || (n < 0 && errno == EINTR));

	return n < 0 && errno == EAGAIN ? -ETIMEDOUT : 0;
}

int wg_process_wait_gone(const char *ifname, int watch, struct err *err)
{
	AUTO_CLOSE int fd = watch;
	int r = fd < 0 ? 0 : wait_end(fd);

	if (r)
		return err_sys(err, r, "wait until " PROGRAM " %s has ended", ifname);

	r = wg_uapi_remove_stale(ifname, err);
	return r == -EADDRINUSE ? 0 : r; /* somebody has started another one since */
}

/* ---- starter ------------------------------------------------------------------------------ */

/* A daemon that calls us may block or ignore signals; what we start shall not inherit that. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* EINVAL: SIGKILL and the like */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* It listened before it went into the background; this waits until it also answers. */
static int check_answers(const char *ifname, struct err *err)
{
	struct state_tunnel tunnel = { 0 };
	struct wg_device device;
	int r = wg_open(&device, STATE_BACKEND_USERSPACE, ifname, err);

	if (r)
		return r;
	r = wg_get(&device, &tunnel, err);
	wg_close(&device);
	state_tunnel_clear(&tunnel);
	return r;
}

/* Not before it answers: until then it looks for its device where it is itself. */
static int move_device(const char *ifname, const struct netns *netns, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_link link;
	int r;

	if (netns_is_home(netns))
		return 0;
	r = nl_open(NETLINK_ROUTE, &nl, err);
	if (!r)
		r = rt_find_link(nl, ifname, &link, err);
	return r ? r : rt_move_link(nl, &link, netns->there, err);
}

static int mark_device(const char *ifname, const char *instance, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	char alias[RT_ALIAS_SIZE];
	struct rt_link_change change = { .alias = rt_alias_put(alias, instance) };
	struct rt_link link;
	int r;

	r = nl_open(NETLINK_ROUTE, &nl, err);
	if (!r)
		r = rt_find_link(nl, ifname, &link, err);
	if (!r)
		r = rt_change_link(nl, &link, &change, err);
	return r;
}

/* Never returns; says through report how it went. */
__attribute__((noreturn)) static void become_starter(const char *ifname, const char *instance,
						     const struct netns *netns, int report)
{
	struct err err = { 0 };
	int r;

	setsid(); /* a child just forked leads no group, so this cannot fail */
	reset_signals();
	alarm(TIMEOUT_SECONDS);
	netns_leave(netns); /* its UDP socket is to be outside */

	r = run_launcher(ifname, &err);
	if (!r)
		r = mark_device(ifname, instance, &err);
	if (!r)
		r = check_answers(ifname, &err);
	if (!r)
		r = move_device(ifname, netns, &err);
	err.code = r;
	/* a pipe takes all of it at once; the status says why when it took nothing */
	_exit(write(report, &err, sizeof(err)) < 0 ? errno : 0);
}

/* The starter has ended without a report. pid stays a zombie, so that its group is still ours. */
static int judge_starter(pid_t pid, struct err *err)
{
	siginfo_t end = { 0 };

	if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT))
		return err_sys(err, -errno, "wait for it"); /* ECHILD: SIGCHLD is ignored */
	if (end.si_code == CLD_EXITED)
		return err_sys(err, end.si_status ? -end.si_status : -EPIPE, "hear from it");
	if (end.si_status == SIGALRM)
		return err_set(err, -ETIMEDOUT, "it did not come up within %d seconds",
			       TIMEOUT_SECONDS);
	return err_set(err, -EINTR, "it was ended by signal %d", end.si_status);
}

static int read_report(int fd, pid_t pid, struct err *err)
{
	struct err report = { 0 };
	ssize_t n;

	do {
		n = read(fd, &report, sizeof(report));
	} while (n < 0 && errno == EINTR);

	if (n < 0)
		return err_sys(err, -errno, "hear from it");
	if (n != sizeof(report))
		return judge_starter(pid, err);
	report.text[sizeof(report.text) - 1] = '\0';
	return report.code ? err_set(err, report.code, "%s", report.text) : 0;
}

/* With its device: one that is not marked yet is somebody else's to the next apply. */
static void end_started(const char *ifname, pid_t starter)
{
	int watch = wg_process_watch(ifname);

	kill(-starter, SIGKILL); /* ESRCH: nothing is left of it */
	/* what is reported is why it was ended, not that this takes long */
	(void)wg_process_wait_gone(ifname, watch, NULL);
}

/* The starter reports once; a failure takes whatever it started with it. */
static int run_starter(const char *ifname, const char *instance, const struct netns *netns,
		       struct err *err)
{
	int ends[2];
	pid_t pid;
	int r;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	pid = fork();
	if (pid == 0)
		become_starter(ifname, instance, netns, ends[1]);

	r = pid < 0 ? err_sys(err, -errno, "fork") : 0;
	close(ends[1]);
	if (!r)
		r = read_report(ends[0], pid, err);
	close(ends[0]);

	if (r && pid > 0)
		end_started(ifname, pid);
	if (pid > 0)
		wait_for(pid, NULL); /* ECHILD: the caller ignores SIGCHLD, and no zombie stays */
	return r;
}

/* ---- the process ------------------------------------------------------------------------- */

static int check_name_free(const char *ifname, struct err *err)
{
	int r = wg_uapi_remove_stale(ifname, err);

	if (r != -EADDRINUSE)
		return r;
	return err_set(err, r,
		       "a userspace WireGuard named %s already runs, in another network namespace; "
		       "their UAPI sockets share one directory: choose another tunnel.interface",
		       ifname);
}

int wg_process_start(const char *ifname, const char *instance, const struct netns *netns,
		     struct err *err)
{
	int r = check_name_free(ifname, err);

	if (!r)
		r = run_starter(ifname, instance, netns, err);
	return r ? err_wrap(err, r, "start " PROGRAM " %s", ifname) : 0;
}
