// SPDX-License-Identifier: GPL-2.0-only
#include "uapi.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

/* A request ends with an empty line; none of them is kept, so its last two bytes are enough. */
static void serve(int client)
{
	static const char answer[] = "errno=0\n\n";
	char last = 0, byte;

	while (read(client, &byte, 1) == 1) {
		if (byte == '\n' && last == '\n' &&
		    write(client, answer, sizeof(answer) - 1) != sizeof(answer) - 1)
			return;
		last = byte;
	}
}

static void *serve_all(void *data)
{
	int listener = (int)(intptr_t)data;

	for (;;) {
		AUTO_CLOSE int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			serve(client);
	}
	return NULL;
}

int uapi_start(const char *device, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	int r;

	snprintf(address.sun_path, sizeof(address.sun_path), "/run/wireguard/%s.sock", device);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 4))
		return err_sys(err, -errno, "listen on %s", address.sun_path);
	r = pthread_create(&thread, NULL, serve_all, (void *)(intptr_t)listener);
	if (r)
		return err_sys(err, -r, "start a thread");
	mem_take_fd(&listener);
	return 0;
}
