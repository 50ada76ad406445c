/* libcublasLt.so.12: matrix products, which compute nothing. torch asks which way of computing one is
 * best before it asks for the product, and takes no answer for a refusal: there is one way. */
#include <string.h>
#include "answers.h"

int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d,
                                   void *preference, int wanted, void *ways, int *count) {
    *count = 1;
    return DONE;
}
