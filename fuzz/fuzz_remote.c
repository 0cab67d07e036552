/* What a SageMaker endpoint answers about a face. Whatever it is, nobody gets in by half an answer. */
#include "flow/remote.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_remote_ranking r;
    if (size > 1 << 16)
        return 0;
    if (fg_remote_ranking_read(&r, data, size, "endpoint", NULL) != FG_OK) {
        require(r.refused && !*r.best.name && !(r.best.probability > 0));
        return 0;
    }
    require(r.refused || *r.best.name);
    require(r.best.probability >= 0 && r.best.probability <= 1 && r.second.probability >= 0 &&
            r.best.probability >= r.second.probability);
    require(strlen(r.best.name) <= FG_MAX_NAME_BYTES);
    return 0;
}
