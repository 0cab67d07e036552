/* A model artifact. */
#include "flow/artifact.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_artifact artifact;
    fg_error err;
    if (fg_artifact_read(&artifact, data, size, &err) == FG_OK) {
        if (artifact.members != fg_classifier_members(artifact.classifier) || !artifact.names[0])
            abort();
        fg_artifact_deinit(&artifact);
    } else if (artifact.classifier || artifact.names) {
        abort();
    }
    return 0;
}
