// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

#define BUSY_S     6U /* more than the 5 that a client may be silent */
#define PATIENCE_S 30U

#define REQUEST "GET /page HTTP/1.0\r\n\r\n"

struct client {
	struct loop *loop;
	struct loop_source source, busy;
	bool spoke; /* before the loop is busy */
	char text[1024];
	size_t length;
};

static void answer(void *data, const char *path, struct http_page *page)
{
	(void)data;
	CHECK_TEXT(path, "/page");
	page->status = 200;
	page->body = mem_copy_string("a page\n");
	page->length = page->body ? strlen(page->body) : 0;
}

static void take(void *data)
{
	struct client *client = data;
	ssize_t length = read(client->source.fd, client->text + client->length,
			      sizeof(client->text) - 1 - client->length);

	if (length > 0) {
		client->length += (size_t)length;
		return;
	}
	loop_leave(client->loop);
}

static void give_up(void *data)
{
	loop_leave(data);
}

static void speak(struct client *client)
{
	CHECK(write(client->source.fd, REQUEST, strlen(REQUEST)) > 0);
	client->spoke = true;
}

/* The loop is at something else for longer than a client may be silent. */
static void be_busy(void *data)
{
	struct client *client = data;

	loop_remove(client->loop, &client->busy);
	if (!client->spoke)
		speak(client);
	sleep(BUSY_S);
}

static int connect_to(const struct endpoint *at)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(at->port) };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&in.sin_addr, at->addr.bytes + 12, sizeof(in.sin_addr));
	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)))
		return -1;
	return mem_take_fd(&fd);
}

/* Busy right after the client was let in: what is ready has its turns. */
static void run_with(struct client *client, int fd)
{
	AUTO_CLOSE int busy = eventfd(1, EFD_CLOEXEC);
	struct loop_timer patience = {};
	struct err err;

	if (CHECK(!loop_add(client->loop, &client->source, fd, take, client, &err)) &&
	    CHECK(!loop_add(client->loop, &client->busy, busy, be_busy, client, &err)) &&
	    CHECK(!loop_timer_open(&patience, client->loop, false, give_up, client->loop, &err))) {
		loop_timer_arm(&patience, PATIENCE_S * 1000);
		CHECK(!loop_run(client->loop, &err));
	}
	loop_remove(client->loop, &client->source);
	loop_remove(client->loop, &client->busy);
	loop_timer_close(&patience);
}

static void hears_client(bool spoke)
{
	struct endpoint at = { .addr.bytes = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	struct client client = {};
	struct http *http = NULL;
	struct loop loop = {};
	struct err err;

	at.port = (uint16_t)(20000 + getpid() % 10000);
	REQUIRE(!loop_open(&loop, &err));
	client.loop = &loop;
	if (CHECK(!http_open(&http, &loop, &at, answer, NULL, &err))) {
		AUTO_CLOSE int fd = connect_to(&at);

		client.source.fd = fd;
		if (spoke)
			speak(&client);
		run_with(&client, fd);
	}
	CHECK(strstr(client.text, " 200 OK\r\n"));
	CHECK(strstr(client.text, "\r\n\r\na page\n"));
	http_close(http);
	loop_close(&loop);
}

TEST(hears_a_client_that_spoke_while_it_was_busy)
{
	hears_client(false);
}

/* In the call that lets it in it is not read. */
TEST(hears_a_client_that_spoke_before_it_was_busy)
{
	hears_client(true);
}
