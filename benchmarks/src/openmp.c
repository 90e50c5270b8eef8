/* The three schedules that OpenMP's users choose from. */
#include <stddef.h>

typedef void body(const void *context, size_t index);

void openmp_parallel_for(size_t count, int schedule, int threads, body *run, const void *context) {
    switch (schedule) {
    case 0:
#pragma omp parallel for num_threads(threads) schedule(static)
        for (size_t i = 0; i < count; i++) run(context, i);
        break;
    case 1:
#pragma omp parallel for num_threads(threads) schedule(dynamic)
        for (size_t i = 0; i < count; i++) run(context, i);
        break;
    default:
#pragma omp parallel for num_threads(threads) schedule(guided)
        for (size_t i = 0; i < count; i++) run(context, i);
        break;
    }
}
