/* The stored form of a classifier. Its checksum is made right first, or nothing behind it would be reached.
 */
#include "classify/classify.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t digest = crypto_hash_sha256_BYTES;
    fg_classifier *c;
    fg_error err;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    for (int fixed = 0; fixed < 2; fixed++) {
        if (fixed && size > digest)
            crypto_hash_sha256(copy + size - digest, copy, size - digest);
        if (size > digest && fg_classifier_read(&c, copy, size, &err) == FG_OK) {
            float probe[FG_MAX_EMBEDDING] = {1};
            fg_ranking ranking;
            fg_code rc = fg_classifier_rank(c, probe, copy[8] | copy[9] << 8, &ranking, &err);
            if (rc == FG_OK && ranking.best.probability > 1.000001)
                abort();
            fg_classifier_free(c);
        }
    }
    free(copy);
    return 0;
}
