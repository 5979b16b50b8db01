// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define LIMIT_MS 20000 /* two servers that do not answer take the resolver this long */

/* What the child writes: one write, below PIPE_BUF. */
struct answer {
	int code; /* EAI_ */
	struct addr addr;
};

/* ---- the resolver ---- */

static struct addr take_sockaddr(const struct sockaddr *from)
{
	struct addr addr = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (from->sa_family == AF_INET6)
		memcpy(addr.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	else
		memcpy(addr.bytes + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	return addr;
}

/* The resolver's first choice, but for link-local ones: a name says the same on every link. */
static int choose(const struct addrinfo *found, struct addr *out)
{
	for (; found; found = found->ai_next) {
		struct addr addr = take_sockaddr(found->ai_addr);

		if (addr_is_link_local(&addr))
			continue;
		*out = addr;
		return 0;
	}
	return EAI_NONAME;
}

int lookup_now(const char *host, struct addr *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found = NULL;
	int code = getaddrinfo(host, NULL, &hints, &found);

	if (code)
		return code;
	code = choose(found, out);
	freeaddrinfo(found);
	return code;
}

/* ---- the child ---- */

/* It holds a copy of all that we hold open, our lock among it. */
static void close_others(int but)
{
	if (but > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned int)but - 1, 0);
	close_range((unsigned int)but + 1, ~0U, 0);
}

/* Never returns. */
__attribute__((noreturn)) static void answer_to(int fd, const char *host)
{
	struct answer answer = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail: the signal exists */
	close_others(fd);
	answer.code = lookup_now(host, &answer.addr);
	_exit(write(fd, &answer, sizeof(answer)) != sizeof(answer));
}

/* ---- this end ---- */

void lookup_stop(struct lookup *lookup)
{
	if (!lookup->pid)
		return;
	loop_timer_close(&lookup->limit);
	loop_remove(lookup->loop, &lookup->answer);
	close(lookup->answer.fd);
	kill(lookup->pid, SIGKILL); /* it is ours until it is waited for */
	while (waitpid(lookup->pid, NULL, 0) < 0 && errno == EINTR)
		;
	lookup->pid = 0;
}

static void finish(struct lookup *lookup, const struct answer *answer)
{
	lookup_stop(lookup);
	lookup->done(lookup->data, answer->code, &answer->addr);
}

static void take_answer(void *data)
{
	struct lookup *lookup = data;
	struct answer answer;
	ssize_t n = read(lookup->answer.fd, &answer, sizeof(answer));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(answer))
		answer = (struct answer){ .code = EAI_FAIL }; /* it died */
	finish(lookup, &answer);
}

static void give_up(void *data)
{
	const struct answer late = { .code = EAI_AGAIN };

	finish(data, &late);
}

/* Both or none. */
static int wait_for_answer(struct lookup *lookup, int fd, struct err *err)
{
	int r = loop_add(lookup->loop, &lookup->answer, fd, take_answer, lookup, err);

	if (r)
		return r;
	r = loop_timer_open(&lookup->limit, lookup->loop, false, give_up, lookup, err);
	if (r)
		loop_remove(lookup->loop, &lookup->answer);
	else
		loop_timer_arm(&lookup->limit, LIMIT_MS);
	return r;
}

int lookup_start(struct lookup *lookup, struct loop *loop, const char *host,
		 void (*done)(void *data, int code, const struct addr *addr), void *data,
		 struct err *err)
{
	AUTO_CLOSE int in = -1;
	AUTO_CLOSE int out = -1;
	int ends[2];
	int r;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, -errno, "look up %s", host);
	in = ends[0];
	out = ends[1];
	if (fcntl(in, F_SETFL, O_NONBLOCK))
		return err_sys(err, -errno, "look up %s", host);
	*lookup = (struct lookup){ .loop = loop, .done = done, .data = data };
	r = wait_for_answer(lookup, in, err);
	if (r)
		return r;

	lookup->pid = fork();
	if (lookup->pid == 0)
		answer_to(out, host);
	if (lookup->pid < 0) {
		r = err_sys(err, -errno, "look up %s", host);
		loop_timer_close(&lookup->limit);
		loop_remove(loop, &lookup->answer);
		lookup->pid = 0;
		return r;
	}
	(void)mem_take_fd(&in); /* it is answer.fd from here on */
	return 0;
}
