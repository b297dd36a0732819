/*
 * What the contestants share: clock, memory, options, and the lines that `dunlin bench` reads.
 *
 *   PROGRAM SESSIONS HANDSHAKES RECORDS
 *
 * Clients and servers are in one thread and nothing crosses a socket; only the CPU time of the server's calls is
 * counted. The memory is the growth of the resident set, with the clients gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 500
#define RECORD 100
#define RECORDS 1000

static const unsigned char psk_key[17] = "0123456789abcdef";

static double cpu_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double resident(void) {
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return (double)kib * 1024;
}

static void fail(const char *what) {
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static void tell(const char *name, double value) { printf("%s %.6f\n", name, value); }
