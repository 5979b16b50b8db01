// SPDX-License-Identifier: GPL-2.0-only
#include "net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define SYS       NET_RUN "/sys"
#define LINE_SIZE 512

int net_start(struct err *err)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") ||
	    mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return err_sys(err, -errno, "mount a /run and a bpffs of our own (root?)");
	if (file_make_dirs("/run/wireguard", 0755, err))
		return err->code;
	return file_make_dirs(SYS, 0755, err);
}

int net_new(int *netns, struct err *err)
{
	AUTO_CLOSE int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (home < 0 || unshare(CLONE_NEWNET))
		return err_sys(err, -errno, "make a network namespace");
	/* inherited by `ip`, which puts devices into it */
	*netns = open("/proc/thread-self/ns/net", O_RDONLY);
	if (*netns < 0)
		r = err_sys(err, -errno, "open a network namespace");
	net_enter(home);
	return r;
}

void net_enter(int netns)
{
	if (!setns(netns, CLONE_NEWNET))
		return;
	/* an fd of our own making: nothing here can go on in the wrong namespace */
	perror("bench: enter a network namespace");
	abort();
}

/* ---- commands ----------------------------------------------------------------------------- */

__attribute__((noreturn)) static void become(const char *const *argv, int input, int output)
{
	if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* An unlinked file with that text. */
static int make_input(const char *text)
{
	size_t length = text ? strlen(text) : 0;
	AUTO_CLOSE int fd = open(NET_RUN, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || (length && write(fd, text, length) != (ssize_t)length) ||
	    lseek(fd, 0, SEEK_SET))
		return -1;
	return mem_take_fd(&fd);
}

/* The first line that a program has said: the cause, where others follow. */
static void read_line(int fd, char line[LINE_SIZE])
{
	ssize_t n = pread(fd, line, LINE_SIZE - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

int net_run(const char *const *argv, const char *input, struct err *err)
{
	AUTO_CLOSE int in = make_input(input);
	AUTO_CLOSE int out = make_input(NULL);
	char line[LINE_SIZE];
	int status = 0;
	pid_t child;

	if (in < 0 || out < 0)
		return err_sys(err, -errno, "prepare %s", argv[0]);
	child = fork();
	if (child == 0)
		become(argv, in, out);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return err_sys(err, -errno, "run %s", argv[0]);
	if (!status)
		return 0;
	read_line(out, line);
	return err_set(err, -EIO, "%s: %s", argv[0], line);
}

int net_ip(const char *script, struct err *err)
{
	const char *const argv[] = { "ip", "-batch", "-", NULL };

	return net_run(argv, script, err);
}

int net_offload(const char *device, const char *what, bool on, struct err *err)
{
	const char *const argv[] = { "ethtool", "-K", device, what, on ? "on" : "off", NULL };

	return net_run(argv, NULL, err);
}

/* ---- devices ------------------------------------------------------------------------------ */

/* The kernel names it napi/DEVICE-NUMBER; device names are unique among the namespaces. */
static int find_thread(const char *device, pid_t *thread, struct err *err)
{
	char path[64], name[64], wanted[64];
	struct dirent *entry;
	int n = snprintf(wanted, sizeof(wanted), "napi/%s-", device);
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, wanted, (size_t)n))
			*thread = atoi(entry->d_name);
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return *thread ? 0 : err_set(err, -ESRCH, "%s has no thread", device);
}

int net_make_thread(const char *device, int cpu, pid_t *thread, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	char path[128];
	cpu_set_t cpus;
	int r;

	/* sysfs shows the devices of the namespace that it was mounted in */
	if (mount("sysfs", SYS, "sysfs", 0, NULL))
		return err_sys(err, -errno, "mount sysfs");
	snprintf(path, sizeof(path), SYS "/class/net/%s/threaded", device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	r = fd < 0 || write(fd, "1", 1) != 1 ? err_sys(err, -errno, "write %s", path) : 0;
	mem_close_fd(&fd);
	fd = -1;
	if (umount2(SYS, MNT_DETACH))
		return err_sys(err, -errno, "unmount sysfs");
	if (!r)
		r = find_thread(device, thread, err);
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (!r && sched_setaffinity(*thread, sizeof(cpus), &cpus))
		r = err_sys(err, -errno, "pin the thread of %s", device);
	return r;
}

int net_make_tun(const char *name, int *fd, struct err *err)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	AUTO_CLOSE int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request))
		return err_sys(err, -errno, "make tun device %s", name);
	*fd = mem_take_fd(&tun);
	return 0;
}
