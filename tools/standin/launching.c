/* libcudart.so.12, third part: kernels, streams and events. A launch is accepted and does nothing,
 * so every number that a kernel should have computed is void. */
#include <stdlib.h>
#include <string.h>
#include <driver_types.h>
#include <vector_types.h>
#include "answers.h"
#include "runtime.h"

#define OLDEST 50 /* capability for which torch 2.4's wheels bring kernels */

int cudaLaunchKernel(const void *kernel, struct dim3 grid, struct dim3 block, void **arguments, size_t shared,
                     void *stream) {
    int error = ready();
    return error ? error : failed(capability() < OLDEST ? NO_KERNEL_IMAGE : DONE);
}

/* `kernel<<<grid, block>>>(...)` is compiled into a push, a pop and a launch; what is pushed is not
 * needed, but what is popped must be something. */
int __cudaPushCallConfiguration(struct dim3 grid, struct dim3 block, size_t shared, void *stream) { return DONE; }

int __cudaPopCallConfiguration(struct dim3 *grid, struct dim3 *block, size_t *shared, void **stream) {
    *grid = *block = (struct dim3){1, 1, 1};
    *shared = 0;
    *stream = NULL;
    return DONE;
}

/* Called for every compiled file while the library is loaded; the handle is kept, and must be one. */
void **__cudaRegisterFatBinary(void *kernels) {
    static void *handle;
    return &handle;
}

/* How large a launch may be: asked for reductions and for fused optimizers. */
int cudaFuncGetAttributes(struct cudaFuncAttributes *found, const void *kernel) {
    memset(found, 0, sizeof *found);
    found->ptxVersion = found->binaryVersion = capability();
    found->maxThreadsPerBlock = 1024;
    return ready();
}

int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *kernel, int threads,
                                                           size_t shared, unsigned flags) {
    *blocks = 1;
    return ready();
}

/* Streams and events are handles that nothing is behind: all is done when it is asked for. */
int cudaStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
    *stream = malloc(1);
    return ready();
}

int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    *least = *greatest = 0;
    return ready();
}

int cudaEventCreateWithFlags(void **event, unsigned flags) {
    *event = malloc(1);
    return ready();
}

/* The allocator and the generators ask whether a graph is being captured: never. */
int cudaStreamIsCapturing(void *stream, enum cudaStreamCaptureStatus *status) {
    *status = cudaStreamCaptureStatusNone;
    return ready();
}

int cudaStreamGetCaptureInfo_v2(void *stream, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                                void *graph, void *nodes, size_t *count) {
    *status = cudaStreamCaptureStatusNone;
    return ready();
}
