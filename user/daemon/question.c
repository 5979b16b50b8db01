// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON_MS 1 /* what failed at once is told later, too: done may ask again */

static void forget(struct question *question)
{
	int fd = question->source.fd;

	if (!question->source.ready)
		return;
	loop_remove(question->loop, &question->source);
	close(fd);
}

static void finish(struct question *question, bool lives)
{
	forget(question);
	loop_timer_disarm(&question->timeout);
	question->owner->done(question->data, lives);
}

static void give_up(void *data)
{
	finish(data, false);
}

int question_open(struct question *question, struct loop *loop, const struct question_owner *owner,
		  void *data, struct err *err)
{
	*question = (struct question){ .loop = loop, .owner = owner, .data = data };
	return loop_timer_open(&question->timeout, loop, false, give_up, question, err);
}

void question_close(struct question *question)
{
	if (!question->loop)
		return;
	forget(question);
	loop_timer_close(&question->timeout);
	question->loop = NULL;
}

/* RFC 1035 4.1: one question, the name servers of the root, recursion desired. */
static size_t put_query(const struct question *question, uint8_t *out)
{
	static const uint8_t query[] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1 };

	memcpy(out, query, sizeof(query));
	memcpy(out, &question->id, sizeof(question->id));
	return sizeof(query);
}

/* RFC 9112; 1.0, so that the server closes. */
static size_t put_request(const struct question *question, char *out, size_t size)
{
	char host[ENDPOINT_TEXT_SIZE];
	int length =
		snprintf(out, size, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: towpath\r\n\r\n",
			 question->path, endpoint_put(host, &question->to));

	return length < 0 || (size_t)length >= size ? 0 : (size_t)length;
}

/* Small enough for any socket's buffer: all of it is sent, or nothing can be. */
static bool ask(struct question *question)
{
	char text[2048];
	size_t length = question->kind == QUESTION_DNS ? put_query(question, (uint8_t *)text)
						       : put_request(question, text, sizeof(text));

	question->asked = true;
	return length && send(question->source.fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int socket_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? errno : error;
}

/* "HTTP/1.1 204" */
static bool is_good_status(const char *answer)
{
	return !strncmp(answer, "HTTP/1.", 7) && answer[8] == ' ' &&
	       (answer[9] == '2' || answer[9] == '3');
}

static void hear(struct question *question)
{
	size_t wanted = question->kind == QUESTION_DNS ? sizeof(question->id) : 12;
	ssize_t n = recv(question->source.fd, question->answer + question->length,
			 sizeof(question->answer) - 1 - question->length, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(question, false);
		return;
	}
	question->length += (size_t)n;
	if (question->length < wanted)
		return;
	if (question->kind == QUESTION_HTTP)
		finish(question, is_good_status(question->answer));
	else if (!memcmp(question->answer, &question->id, sizeof(question->id)))
		finish(question, true);
	else
		question->length = 0; /* the answer to an older question, or somebody's guess */
}

static void ready(void *data);

/* Connected: what comes next is read. */
static bool listen_on(struct question *question)
{
	int fd = question->source.fd;
	struct err err;

	loop_remove(question->loop, &question->source);
	if (!loop_add(question->loop, &question->source, fd, ready, question, &err))
		return true;
	close(fd);
	return false;
}

static void ready(void *data)
{
	struct question *question = data;

	if (question->asked) {
		hear(question);
		return;
	}
	if (question->kind == QUESTION_TCP)
		finish(question, !socket_error(question->source.fd));
	else if (socket_error(question->source.fd) || !ask(question) || !listen_on(question))
		finish(question, false);
}

/* Not what the other side or the way to it is like. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Whether it is on its way. What else fails at once is an answer: no route, for one. */
static int connect_to(const struct endpoint *to, int fd)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	bool v4 = addr_is_v4(&to->addr);

	memcpy(&to6.sin6_addr, &to->addr, sizeof(to6.sin6_addr));
	memcpy(&to4.sin_addr, to6.sin6_addr.s6_addr + 12, sizeof(to4.sin_addr));
	if (connect(fd, v4 ? (struct sockaddr *)&to4 : (struct sockaddr *)&to6,
		    v4 ? sizeof(to4) : sizeof(to6)) &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

static int make_socket(const struct question *question)
{
	int type = question->kind == QUESTION_DNS ? SOCK_DGRAM : SOCK_STREAM;

	return question->owner->socket(question->data,
				       addr_is_v4(&question->to.addr) ? AF_INET : AF_INET6,
				       type | SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* *refused: it could be asked, and the answer is no. */
static int begin(struct question *question, bool *refused)
{
	struct err err;
	int fd, r;

	*refused = false;
	if (getrandom(&question->id, sizeof(question->id), 0) != sizeof(question->id))
		return -errno;
	fd = make_socket(question);
	if (fd < 0)
		return fd;
	r = connect_to(&question->to, fd);
	*refused = r && !is_shortage(-r);
	if (!r)
		r = loop_add_connecting(question->loop, &question->source, fd, ready, question,
					&err);
	if (r)
		close(fd);
	return *refused ? 0 : r;
}

int question_ask(struct question *question, uint32_t timeout_ms)
{
	bool refused;
	int r;

	forget(question);
	loop_timer_disarm(&question->timeout);
	question->asked = false;
	question->length = 0;
	memset(question->answer, 0, sizeof(question->answer));
	r = begin(question, &refused);
	if (!r)
		loop_timer_arm(&question->timeout, refused ? SOON_MS : timeout_ms);
	return r;
}
