/* Loaded before a program's libraries: its clock runs a number of seconds beside the machine's own.

   The number stands in a file of eight bytes that WRONG_CLOCK names, and may change at any time. Clocks that
   nobody can set stay as they are. What waits until a moment waits until this clock shows it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static const volatile int64_t *ahead = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WRONG_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *seen = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) ahead = seen;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = syscall(SYS_clock_gettime, clock, now);
    if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return status;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

/* A moment of the machine's clock; one of a clock that began with the machine is far smaller. */
static struct timespec there(const struct timespec *moment) {
    struct timespec real = *moment;
    if (real.tv_sec > 1000000000) real.tv_sec -= *ahead;
    return real;
}

#define WAITING(name, kind)                                                                                  \
    int name(kind *what, const struct timespec *until) {                                                     \
        static int (*real)(kind *, const struct timespec *);                                                 \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                                           \
        struct timespec moment = there(until);                                                               \
        return real(what, &moment);                                                                          \
    }

WAITING(sem_timedwait, sem_t)
WAITING(pthread_mutex_timedlock, pthread_mutex_t)

int pthread_cond_timedwait(pthread_cond_t *what, pthread_mutex_t *held, const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec moment = there(until);
    return real(what, held, &moment);
}
