/* libnvidia-ml.so.1, the monitor: by it torch counts the GPUs without waking any. */
#include <dlfcn.h>
#include "answers.h"

int nvmlInit_v2(void) { return DONE; }
int nvmlInit(void) { return DONE; }
int nvmlShutdown(void) { return DONE; }

/* All there are: which of them are visible, torch works out itself. */
int nvmlDeviceGetCount_v2(unsigned *count) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*ask)(void) = driver ? dlsym(driver, "standin_there") : 0;
    *count = ask ? ask() : 0;
    return DONE;
}
