/* What driver and runtime answer, by the numbers that both share, and the words for them. */
#pragma once

enum answer {
    DONE = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INSUFFICIENT_DRIVER = 35, /* the runtime's: no driver, or one older than itself */
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NO_KERNEL_IMAGE = 209,
};

static const struct {
    int number;
    const char *name, *text;
} answers[] = {
    {DONE, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {INSUFFICIENT_DRIVER, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {NO_KERNEL_IMAGE, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static inline int known(int number) {
    int last = sizeof answers / sizeof *answers - 1;
    for (int i = 0; i < last; i++)
        if (answers[i].number == number) return i;
    return last;
}

static inline const char *name_of(int number) { return answers[known(number)].name; }
static inline const char *text_of(int number) { return answers[known(number)].text; }
