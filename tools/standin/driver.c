/* libcuda.so.1, the driver: which GPUs there are, and who may use them.
 *
 * All that the stand-in knows lies here; its runtime and its monitor ask it, as the real ones do.
 * It is set by variables, which reach a worker because their names begin with CUDA_:
 *
 *   CUDA_STAND_IN_DEVICES     how many GPUs there are (1)
 *   CUDA_STAND_IN_NAME        what they are called (CUDA stand-in)
 *   CUDA_STAND_IN_CAPABILITY  what they can do, as 10 * major + minor (80)
 *   CUDA_STAND_IN_DRIVER      the driver's version as CUDA counts: 1000 * major + 10 * minor (12040)
 *   CUDA_STAND_IN_FREE        bytes that are free on each (8 GB)
 *   CUDA_STAND_IN_INIT        what cuInit answers instead of 0; `hang` for never (0)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "answers.h"

/* The process that initialised the driver; 0 until one does. A forked child finds its parent here. */
static pid_t owner;

static int setting(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value && *value ? atoi(value) : otherwise;
}

/* How many GPUs are there for this process. CUDA_VISIBLE_DEVICES lists them by number, and ends at
 * the first entry that is none: `-1` and the empty value hide them all. */
static int visible(void) {
    int there = setting("CUDA_STAND_IN_DEVICES", 1), count = 0;
    const char *listed = getenv("CUDA_VISIBLE_DEVICES");
    if (!listed) return there;
    while (*listed) {
        char *end;
        long number = strtol(listed, &end, 10);
        if (end == listed || number < 0 || number >= there) break;
        count++;
        if (*end != ',') break;
        listed = end + 1;
    }
    return count;
}

/* Everything begins with it. As with a real driver, a child that was forked after its parent did
 * this is refused for good; it says so where a person (or the session's check) can read it. */
int cuInit(unsigned flags) {
    const char *instead = getenv("CUDA_STAND_IN_INIT");
    if (instead && !strcmp(instead, "hang")) for (;;) pause();
    if (instead && atoi(instead)) return atoi(instead);
    if (owner && owner != getpid()) {
        fprintf(stderr, "CUDA stand-in: refused process %d, forked from %d, which had initialised CUDA\n",
                getpid(), owner);
        return NOT_INITIALIZED;
    }
    if (!visible()) return NO_DEVICE;
    owner = getpid();
    return DONE;
}

/* Answers NOT_INITIALIZED until cuInit was called: so a process can ask whether it was. */
int cuDeviceGetCount(int *count) {
    if (owner != getpid()) return NOT_INITIALIZED;
    *count = visible();
    return DONE;
}

int cuDriverGetVersion(int *version) {
    *version = setting("CUDA_STAND_IN_DRIVER", 12040);
    return DONE;
}

/* For the stand-in's own runtime and monitor, which may ask before anything is initialised. */
int standin_there(void) { return setting("CUDA_STAND_IN_DEVICES", 1); }
int standin_capability(void) { return setting("CUDA_STAND_IN_CAPABILITY", 80); }
const char *standin_name(void) {
    const char *name = getenv("CUDA_STAND_IN_NAME");
    return name ? name : "CUDA stand-in";
}

/* What the harness asks of each GPU before it measures. */
int cuDeviceGetName(char *name, int size, int device) {
    snprintf(name, size, "%s", standin_name());
    return DONE;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? standin_capability() / 10 : attribute == 76 ? standin_capability() % 10 : 0;
    return DONE;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = &owner;
    return DONE;
}
int cuCtxSetCurrent(void *context) { return DONE; }
int cuMemGetInfo_v2(size_t *unused, size_t *all) {
    const char *value = getenv("CUDA_STAND_IN_FREE");
    *unused = *all = value && *value ? strtoull(value, NULL, 10) : 8ull << 30;
    return DONE;
}

/* torch asks whether a device has a context before it looks at its memory (hasPrimaryContext). */
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    *flags = 0;
    *active = owner == getpid();
    return DONE;
}

/* torch makes one current where none is; any address will do. */
int cuCtxGetCurrent(void **context) {
    *context = &owner;
    return DONE;
}

/* What an error is called, for those who ask the driver and not the runtime. */
int cuGetErrorName(int error, const char **name) {
    *name = name_of(error);
    return DONE;
}

int cuGetErrorString(int error, const char **text) {
    *text = text_of(error);
    return DONE;
}
