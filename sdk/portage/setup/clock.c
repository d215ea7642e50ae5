/* A clock that stands still, and a kernel that is always the same.
 *
 * Preloaded into every program of a build container, so that no build sees when or on which kernel it runs.
 * The wall clock reads one moment for ever. It lies ahead of the files that a build writes, so that no tool takes them for
 * files from the future. Monotonic clocks are left alone, because time-outs need them. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* 2030-01-01T00:00:00Z */
static time_t epoch(void) { return (time_t)1893456000; }

time_t time(time_t *out) {
    time_t now = epoch();
    if (out) *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    (void)tz;
    if (tv) { tv->tv_sec = epoch(); tv->tv_usec = 0; }
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI) {
        out->tv_sec = epoch();
        out->tv_nsec = 0;
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, id, out);
}

int timespec_get(struct timespec *out, int base) {
    if (base != TIME_UTC) return 0;
    clock_gettime(CLOCK_REALTIME, out);
    return base;
}

int uname(struct utsname *out) {
    int failed = (int)syscall(SYS_uname, out);
    if (failed) return failed;
    strcpy(out->release, "6.12.0-slipway");
    strcpy(out->version, "#1 SMP");
    return 0;
}
