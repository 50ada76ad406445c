/* What the parts of the runtime share. */
#pragma once
#include <stddef.h>

#define RUNTIME_VERSION 12010
#define MEMORY ((size_t)16 << 30)

int ready(void);          /* initialise the driver; what it answers */
int failed(int error);    /* remember an error for cudaGetLastError; gives it back */
int capability(void);     /* of every device: 10 * major + minor */
int cudaDriverGetVersion(int *version);
