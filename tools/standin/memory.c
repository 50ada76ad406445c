/* libcudart.so.12, second part: memory, which is the host's. Copies are real, so what is moved to a
 * device and back is what it was: that is how a checkpoint's bytes can be looked at. */
#include <stdlib.h>
#include <string.h>
#include <driver_types.h>
#include "answers.h"
#include "runtime.h"

/* As aligned as the real one's, which torch's allocator counts on; zero, so that what no kernel
 * computes is at least the same in each process. */
static int allocated(void **place, size_t size) {
    size_t whole = (size + 511) / 512 * 512;
    *place = aligned_alloc(512, whole ? whole : 512);
    if (!*place) return failed(OUT_OF_MEMORY);
    memset(*place, 0, whole ? whole : 512);
    return DONE;
}

int cudaMalloc(void **place, size_t size) {
    int error = ready();
    return error ? error : allocated(place, size);
}

int cudaFree(void *place) {
    free(place);
    return ready(); /* of NULL: how torch makes a context */
}

/* Pinned memory. */
int cudaHostAlloc(void **place, size_t size, unsigned flags) { return cudaMalloc(place, size); }
int cudaFreeHost(void *place) { return cudaFree(place); }

int cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, void *stream) {
    int error = ready();
    if (!error) memmove(to, from, size);
    return error;
}

int cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    return cudaMemcpyAsync(to, from, size, kind, NULL);
}

int cudaMemcpyPeerAsync(void *to, int there, const void *from, int here, size_t size, void *stream) {
    return cudaMemcpyAsync(to, from, size, cudaMemcpyDefault, stream);
}

int cudaMemsetAsync(void *place, int value, size_t size, void *stream) {
    int error = ready();
    if (!error) memset(place, value, size);
    return error;
}

int cudaMemset(void *place, int value, size_t size) { return cudaMemsetAsync(place, value, size, NULL); }

int cudaMemGetInfo(size_t *unused, size_t *all) {
    *unused = *all = MEMORY;
    return ready();
}

/* torch asks it whether a tensor is pinned: no address is known here, so none is. */
int cudaPointerGetAttributes(struct cudaPointerAttributes *found, const void *place) {
    memset(found, 0, sizeof *found);
    return ready();
}
