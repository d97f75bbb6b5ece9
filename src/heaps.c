// Limits the heaps of the C library, so that the memory of a program that works for weeks with many short threads does not
// grow. The limits must be set before the first thread starts. In Rust, this call would be unsafe. Limits in the environment
// take precedence.
#include <malloc.h>
#include <stdlib.h>

// Each thread would get its own heap, up to eight per processor, and free memory of one heap cannot be used by the others.
static const int MOST_HEAPS = 2;
// After the first large buffer, the C library would keep up to twice its size of free memory in each heap. A server would
// hold the memory of its last trace until it ends. A fixed threshold returns free memory to the system.
static const int KEPT_BYTES = 128 * 1024;

__attribute__((constructor)) static void limit_heaps(void) {
    if (!getenv("MALLOC_ARENA_MAX")) mallopt(M_ARENA_MAX, MOST_HEAPS);
    if (!getenv("MALLOC_TRIM_THRESHOLD_")) mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}
