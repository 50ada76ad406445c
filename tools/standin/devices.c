/* libcudart.so.12, first part: devices, and the way to the driver. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <driver_types.h>
#include "answers.h"
#include "runtime.h"

static int current;      /* the device that this process chose */
static int latest;       /* the last error, until somebody asks for it */

static void *of_driver(const char *name) {
    static void *driver;
    if (!driver) driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    return driver ? dlsym(driver, name) : NULL;
}

int failed(int error) {
    if (error) latest = error;
    return error;
}

int capability(void) {
    int (*ask)(void) = of_driver("standin_capability");
    return ask ? ask() : 0;
}

/* Nearly every call of the runtime initialises the driver if nobody has: that is why a mere look at
 * a device spoils a process for forking. */
int ready(void) {
    int (*init)(unsigned) = of_driver("cuInit");
    int version;
    cudaDriverGetVersion(&version);
    return failed(!init || version < RUNTIME_VERSION / 1000 * 1000 ? INSUFFICIENT_DRIVER : init(0));
}

/* 0 where there is no driver. */
int cudaDriverGetVersion(int *version) {
    int (*ask)(int *) = of_driver("cuDriverGetVersion");
    *version = 0;
    return ask ? ask(version) : DONE;
}

int cudaRuntimeGetVersion(int *version) {
    *version = RUNTIME_VERSION;
    return DONE;
}

int cudaGetDeviceCount(int *count) {
    int (*ask)(int *) = of_driver("cuDeviceGetCount");
    int error = ready();
    *count = 0;
    return error ? error : ask(count);
}

int cudaGetDevice(int *device) {
    *device = current;
    return ready();
}

int cudaSetDevice(int device) {
    int count, error = cudaGetDeviceCount(&count);
    if (error) return error;
    if (device < 0 || device >= count) return failed(INVALID_DEVICE);
    current = device;
    return DONE;
}

/* The name is how everybody who looks at a report learns that nothing was computed. */
int cudaGetDeviceProperties_v2(struct cudaDeviceProp *found, int device) {
    const char *(*name)(void) = of_driver("standin_name");
    memset(found, 0, sizeof *found);
    if (name) strncpy(found->name, name(), sizeof found->name - 1);
    found->major = capability() / 10;
    found->minor = capability() % 10;
    found->totalGlobalMem = MEMORY;
    found->pciBusID = device + 1;
    found->warpSize = 32;
    found->multiProcessorCount = 8;
    found->maxThreadsPerBlock = 1024;
    found->maxThreadsPerMultiProcessor = 2048;
    found->sharedMemPerBlock = found->sharedMemPerMultiprocessor = 48 << 10;
    found->regsPerBlock = found->regsPerMultiprocessor = 64 << 10;
    for (int axis = 0; axis < 3; axis++) {
        found->maxThreadsDim[axis] = 1024;
        found->maxGridSize[axis] = 65535;
    }
    return ready();
}

/* torch asks for the capability, and for limits that its launches must keep to. */
int cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    *value = attribute == cudaDevAttrComputeCapabilityMajor   ? capability() / 10
             : attribute == cudaDevAttrComputeCapabilityMinor ? capability() % 10
                                                              : 64;
    return ready();
}

/* Two GPUs of the stand-in share the host's memory, but torch would map it: rather it copies. */
int cudaDeviceCanAccessPeer(int *can, int device, int peer) {
    *can = 0;
    return DONE;
}

/* torch looks here after every launch. */
int cudaGetLastError(void) {
    int error = latest;
    latest = DONE;
    return error;
}
int cudaPeekAtLastError(void) { return latest; }
const char *cudaGetErrorString(int error) { return text_of(error); }
const char *cudaGetErrorName(int error) { return name_of(error); }
