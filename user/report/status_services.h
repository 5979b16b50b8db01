/* SPDX-License-Identifier: GPL-2.0-only */
/* Services and exempt network namespaces, for status. */
#ifndef TP_REPORT_STATUS_SERVICES_H
#define TP_REPORT_STATUS_SERVICES_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "model/services.h"

void status_add_exempt(cJSON *root, const struct socket_lb *lb);
void status_add_services(cJSON *root, const struct socket_lb *lb);
/* One for each program of sockets. */
void status_add_socket_links(cJSON *attachments, const struct socket_lb *lb);

/* Tables; nothing when there are none. */
void status_print_services(FILE *out, const struct socket_lb *lb);

#endif
