// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/http.h"

#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define BACKLOG            16
#define CLIENTS_MAX        16U
#define CLIENT_TIMEOUT_S   5U
#define CLIENT_MEMORY_SIZE 8192U /* request line, headers, and a piece of the answer */

struct client {
	struct MHD_Connection *connection; /* NULL: there is none */
	uint64_t heard;                    /* bytes that it has sent, when last was asked */
};

struct http {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct loop_source source; /* the daemon's own epoll descriptor */
	struct loop_timer timer;
	struct client clients[CLIENTS_MAX];
	http_respond respond;
	void *data;
	char said[200]; /* by the library, before there is a daemon */
};

/* ---- a request ---- */

static const char not_allowed[] = "method not allowed\n";

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned int status,
				     const char *type, struct MHD_Response *response)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO; /* it hangs up */
	r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (r == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		r = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (r == MHD_YES)
		r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response); /* our share of it */
	return r;
}

static enum MHD_Result refuse_method(struct MHD_Connection *connection)
{
	return send_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
			     MHD_create_response_from_buffer(sizeof(not_allowed) - 1,
							     (void *)not_allowed,
							     MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result send_page(const struct http *http, struct MHD_Connection *connection,
				 const char *path)
{
	struct http_page page = { .status = MHD_HTTP_INTERNAL_SERVER_ERROR,
				  .type = "text/plain; charset=utf-8" };
	struct MHD_Response *response;

	http->respond(http->data, path, &page);
	response = MHD_create_response_from_buffer(page.length, page.body, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(page.body);
	return send_response(connection, page.status, page.type, response);
}

/* Called when the headers are there, again for each piece of a body, and at the end. */
static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **seen)
{
	(void)version; /* 1.0 and 1.1 are the library's business */
	(void)upload;  /* a GET has no body that meant anything */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse_method(connection);
	if (!*seen || *upload_size) {
		*seen = data;
		*upload_size = 0;
		return MHD_YES;
	}
	return send_page(data, connection, path);
}

/* ---- clients ---- */

static void keep_client(void *data, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode code)
{
	bool comes = code == MHD_CONNECTION_NOTIFY_STARTED;
	struct http *http = data;
	unsigned int i = 0;

	(void)context;
	while (i < CLIENTS_MAX && http->clients[i].connection != (comes ? NULL : connection))
		i++;
	if (i < CLIENTS_MAX)
		http->clients[i] = (struct client){ comes ? connection : NULL, 0 };
}

/* Bytes that have come from it in order, read or not (tcp_info, Linux 4.1). */
static uint64_t count_received(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct tcp_info tcp = { 0 };
	socklen_t size = sizeof(tcp);

	if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &size))
		return 0;
	return tcp.tcpi_bytes_received;
}

/*
 * The library hangs up on who was silent for too long before it reads what has come. A client that
 * spoke while this loop was busy was not silent; a timeout that was off begins anew. What lies
 * there unread, as of one who takes no answer, is no news.
 */
static void hear_clients(struct http *http)
{
	struct client *client;

	for (client = http->clients; client < http->clients + CLIENTS_MAX; client++) {
		uint64_t received = client->connection ? count_received(client->connection) : 0;

		if (received <= client->heard)
			continue;
		client->heard = received;
		MHD_set_connection_option(client->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
		MHD_set_connection_option(client->connection, MHD_CONNECTION_OPTION_TIMEOUT,
					  CLIENT_TIMEOUT_S);
	}
}

/* ---- the loop ---- */

static unsigned int count_clients(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

/*
 * It waits on its own descriptor edge-triggered, so what it left half done is asked for here. At
 * CLIENTS_MAX it stops to listen, and begins again in the first run after one has gone: when the
 * last ones went at once, nothing else would call for that run.
 */
static void run(void *data)
{
	struct http *http = data;
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	unsigned int before;

	do {
		hear_clients(http);
		before = count_clients(http);
		MHD_run(http->daemon);
	} while (count_clients(http) < before);
	if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES)
		loop_timer_disarm(&http->timer);
	else
		loop_timer_arm(&http->timer, timeout_ms > 60000 ? 60000
					     : timeout_ms       ? (uint32_t)timeout_ms
								: 1);
}

/* Why it does not start; later, what a client did wrong is not worth a line. */
__attribute__((format(printf, 2, 0))) static void listen_to_library(void *data, const char *format,
								    va_list args)
{
	struct http *http = data;

	if (http->daemon)
		return;
	vsnprintf(http->said, sizeof(http->said), format, args);
	http->said[strcspn(http->said, "\n")] = '\0';
}

/* Takes fd over, also when it fails. */
static int start(struct http *http, int fd, struct err *err)
{
	const union MHD_DaemonInfo *info;
	int r;

	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, listen_to_library, http, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_CONNECTION, keep_client, http, MHD_OPTION_CONNECTION_LIMIT,
		CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CLIENT_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY_SIZE, MHD_OPTION_END);
	if (!http->daemon) {
		close(fd);
		return err_set(err, -EIO, "start the HTTP server: %s",
			       *http->said ? http->said : "out of memory");
	}
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return err_set(err, -ENOTSUP, "start the HTTP server: libmicrohttpd has no epoll");
	r = loop_timer_open(&http->timer, http->loop, false, run, http, err);
	return r ? r : loop_add(http->loop, &http->source, info->epoll_fd, run, http, err);
}

/* ---- the listening socket ---- */

static socklen_t put_sockaddr(const struct endpoint *from, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is_v4(&from->addr)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(from->port);
		memcpy(&in->sin_addr, from->addr.bytes + 12, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(from->port);
	memcpy(&in6->sin6_addr, from->addr.bytes, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

static int set_options(int fd, int family)
{
	const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)))
		return -errno;
	if (family == AF_INET6 && (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) ||
				   setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one))))
		return -errno;
	return 0;
}

static int listen_at(const struct endpoint *endpoint, int *out)
{
	struct sockaddr_storage at;
	socklen_t length = put_sockaddr(endpoint, &at);
	AUTO_CLOSE int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd, at.ss_family);
	if (r)
		return r;
	if (bind(fd, (struct sockaddr *)&at, length) || listen(fd, BACKLOG))
		return -errno;
	*out = mem_take_fd(&fd);
	return 0;
}

int http_open(struct http **out, struct loop *loop, const struct endpoint *listen,
	      http_respond respond, void *data, struct err *err)
{
	struct http *http = mem_alloc(1, sizeof(*http));
	char text[ENDPOINT_TEXT_SIZE];
	int fd = -1, r;

	if (!http)
		return err_sys(err, -ENOMEM, "start the HTTP server");
	http->loop = loop;
	http->respond = respond;
	http->data = data;
	r = listen_at(listen, &fd);
	if (r)
		err_sys(err, r, "listen at %s", endpoint_put(text, listen));
	else
		r = start(http, fd, err);
	if (r)
		http_close(http);
	else
		*out = http;
	return r;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	loop_remove(http->loop, &http->source);
	loop_timer_close(&http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon); /* closes the listening socket, too */
	free(http);
}
