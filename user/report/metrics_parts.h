/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the metrics. */
#ifndef TP_REPORT_METRICS_PARTS_H
#define TP_REPORT_METRICS_PARTS_H

#include "report/metrics.h"

/* metrics_rows.c: what there is one of for each peer, route and rule. */
void metrics_print_peers(FILE *out, const struct status *status);
void metrics_print_routes(FILE *out, const struct status *status);
void metrics_print_rules(FILE *out, const struct status *status);

/* metrics_local_vips.c */
void metrics_print_local_vips(FILE *out, const struct status *status);

/* metrics_services.c */
void metrics_print_services(FILE *out, const struct status *status);
/* Samples of towpath_attached, whose family is begun. */
void metrics_print_sockets(FILE *out, const struct socket_lb *lb);

#endif
