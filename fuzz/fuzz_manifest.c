#include "face/models.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_models *models = calloc(1, sizeof *models);
    const fg_model *model;
    fg_error err;
    if (!models)
        return 0;
    /* Twice: the second manifest meets the names of the first. */
    for (int i = 0; i < 2; i++)
        if (fg_models_parse(models, data, size, "manifest.json", &err) == FG_OK && models->count > 0 &&
            fg_models_find(models, models->models[0].kind, NULL, &model, &err) != FG_OK)
            abort();
    fg_models_free(models);
    return 0;
}
