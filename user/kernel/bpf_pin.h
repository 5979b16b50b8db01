/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our links, each pinned under the names of its device and its hook: as long as the pin is there,
 * the program runs. A link whose device has gone is dead and its pin a leftover.
 */
#ifndef TP_KERNEL_BPF_PIN_H
#define TP_KERNEL_BPF_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/* The link of this hook, if it is alive on that device: its fd, which the caller closes, or -1. */
int bpf_pin_open(const struct bpf *bpf, const char *device, enum state_hook hook, uint32_t ifindex);

/* Whether the link still hangs on a device. */
bool bpf_pin_is_alive(int fd);

/* The link's id; 0 when the kernel does not tell. */
uint32_t bpf_pin_link_id(int fd);

/* Of the program that it runs; 0 when the kernel does not tell. */
uint32_t bpf_pin_program_id(int fd);

/* Puts the loaded program in place of the link's, between two packets. */
int bpf_pin_update(const struct bpf *bpf, int fd, const struct state_attachment *attachment,
		   struct err *err);

/* Pins a new link, in place of a leftover or of one that is the caller's to detach. */
int bpf_pin_add(const struct bpf *bpf, int fd, const struct state_attachment *attachment,
		struct err *err);

/* Detaches the link and takes its pin away; nothing there is success. */
int bpf_pin_remove(const struct bpf *bpf, const struct state_attachment *attachment,
		   struct err *err);

enum bpf_pins { BPF_PINS_NONE, BPF_PINS_DEAD, BPF_PINS_ALIVE };

/* Whether there is any pin, and any whose device is still there, in whichever namespace. */
enum bpf_pins bpf_pins_state(const struct bpf *bpf);

/* Calls visit for the program of every pinned link. Whether there was any. */
bool bpf_pins_each_program(const struct bpf *bpf, void (*visit)(uint32_t program_id, void *data),
			   void *data);

#endif
