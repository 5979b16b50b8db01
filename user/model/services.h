/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of the maps that services have, and the socket load balancer. */
#ifndef TP_MODEL_SERVICES_H
#define TP_MODEL_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "towpath/service.h"

struct service_row {
	struct tp_service_key key;
	struct tp_service service;
};

struct backends_row {
	uint32_t id;
	struct tp_backends backends;
};

struct exempt_row {
	uint64_t cookie;
	struct tp_exempt exempt;
};

struct foreign_row {
	struct tp_prefix prefix;
	struct tp_foreign foreign;
};

struct exempt_rows {
	ARRAY_OF(struct exempt_row);
};

/*
 * Programs of sockets, in the order in which they are attached: what shows a socket its service
 * comes before what sends it to a backend, and what puts a destination back before what hides it.
 */
enum socket_program {
	SOCKET_GETPEERNAME4,
	SOCKET_GETPEERNAME6,
	SOCKET_RECVMSG4,
	SOCKET_RECVMSG6,
	SOCKET_SENDMSG4,
	SOCKET_SENDMSG6,
	SOCKET_CONNECT4,
	SOCKET_CONNECT6,
	SOCKET_RESTORE_CONNECT4, /* from here on: keeping other tools away */
	SOCKET_RESTORE_CONNECT6,
	SOCKET_RESTORE_SENDMSG4,
	SOCKET_RESTORE_SENDMSG6,
	SOCKET_HIDE_CONNECT4,
	SOCKET_HIDE_CONNECT6,
	SOCKET_HIDE_SENDMSG4,
	SOCKET_HIDE_SENDMSG6,
};
#define SOCKET_PROGRAMS 16
#define SOCKET_HIDES    4 /* SOCKET_HIDE_CONNECT4 and on */

/* Programs that are attached together: the load balancer's, or those that hide from others'. */
enum socket_set { SOCKET_SET_LB, SOCKET_SET_HIDE };
#define SOCKET_SETS     2
#define SOCKET_SET_SIZE 8

/* A cgroup right below the one of the programs, which has those that hide. */
struct socket_below {
	uint64_t cgroup_id;
	char name[256];                  /* below settings.cgroup */
	uint32_t link_ids[SOCKET_HIDES]; /* of SOCKET_HIDE_CONNECT4 and on; 0: not attached */
	bool overtaken; /* another tool's programs are there, and come before them */
};

struct socket_belows {
	ARRAY_OF(struct socket_below);
};

/* A process where nothing can be hidden: in the cgroup itself. */
struct socket_stray {
	uint32_t pid;  /* 0: there is none */
	char name[16]; /* TASK_COMM_LEN */
};

struct socket_lb {
	/* want: connected UDP sockets of backends that go are to be closed, and can be */
	bool closes;
	/* want: the cgroup or who is exempt is not known, and what have has of that stays */
	bool stays;
	/* 0: nowhere; have: where all of a set's programs are, and in force */
	uint64_t cgroup_id[SOCKET_SETS];
	struct tp_socket_lb settings;
	ARRAY_OF(struct service_row) services;  /* sorted by service_compare */
	ARRAY_OF(struct backends_row) backends; /* sorted by id */
	struct exempt_rows exempt;              /* sorted by cookie */
	ARRAY_OF(struct foreign_row) foreign;   /* sorted by foreign_compare, none twice */
	uint32_t link_ids[SOCKET_PROGRAMS];     /* have: 0 = that program is not attached */
	/* have, with TP_HIDE_BELOW: all cgroups that there are, by name; who is not served */
	struct socket_belows below;
	bool grows; /* a new one has nothing yet, and else it is all in force */
	struct socket_stray stray;
};

/* For qsort: by address, port, protocol; by id; by cookie; by prefix. */
int service_compare(const void *a, const void *b);
int backends_compare(const void *a, const void *b);
int exempt_compare(const void *a, const void *b);
int foreign_compare(const void *a, const void *b);

void socket_lb_sort(struct socket_lb *lb);
/* The same services with the same backends, whatever is known of their health. */
bool socket_lb_serves_alike(const struct socket_lb *a, const struct socket_lb *b);

void socket_lb_clear(struct socket_lb *lb);
/* How many programs of a set are attached; those of below each count for one. */
unsigned int socket_lb_links(const struct socket_lb *lb, enum socket_set set);

/*
 * Whether the service of that address and port leads there. rev need not be of our making; of it
 * count vip, backend and their ports.
 */
bool socket_lb_leads(const struct socket_lb *lb, uint8_t protocol, const struct tp_sock_rev *rev);

/* out, with its path in it. */
#define SOCKET_BELOW_PATH_SIZE (TP_CGROUP_SIZE + 256)
const char *socket_below_path(char out[SOCKET_BELOW_PATH_SIZE], const struct socket_lb *lb,
			      const struct socket_below *below);

/* Calls each for every link that there is, with the cgroup that it hangs on. */
void socket_lb_each_link(const struct socket_lb *lb,
			 void (*each)(void *data, const char *cgroup, enum socket_program program,
				      uint32_t link_id),
			 void *data);

/* "tp_connect4" and so on. */
const char *socket_program_name(enum socket_program program);
const char *socket_set_name(enum socket_set set); /* "socket-lb", "socket-hide" */

#endif
