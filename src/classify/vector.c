#include "classify/vector.h"
#include "classify/classify.h"

#include <math.h>

enum { LANES = 16 };

/* Clones are chosen when the program is loaded, which ThreadSanitizer's start-up does not survive. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define MULTI __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MULTI
#endif

/* Sixteen sums, whatever the width of the machine's registers, added up in a fixed order: the same bits
 * everywhere. (The build forbids contracting a*b+c into one rounding.) */
MULTI static float dot(const float *restrict a, const float *restrict b, int size)
{
    float sums[LANES] = {0};
    int k = 0;
    for (; k + LANES <= size; k += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += a[k + j] * b[k + j];
    for (int j = 0; k < size; k++, j++)
        sums[j] += a[k] * b[k];
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int j = 0; j < step; j++)
            sums[j] += sums[j + step];
    return sums[0];
}

double fg_cosine(const float *a, const float *b, int size)
{
    return (double)dot(a, b, size);
}

void fg_dots(const float *rows, long count, int size, const float *probe, float *out)
{
    for (long i = 0; i < count; i++)
        out[i] = dot(rows + i * size, probe, size);
}

double fg_unit(float *v, int size)
{
    double sum = 0;
    for (int k = 0; k < size; k++)
        sum += (double)v[k] * (double)v[k];
    double length = sqrt(sum);
    if (length > 0)
        for (int k = 0; k < size; k++)
            v[k] = (float)((double)v[k] / length);
    return length;
}
