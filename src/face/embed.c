#include "face/engine.h"

#include <math.h>
#include <string.h>

/* The network's input: channels innermost in its own order, (byte - mean) * scale. */
static void fill(float *out, const fg_frame *chip, bool mirrored, const fg_engine *engine)
{
    float table[256]; /* a chip has many more pixels than there are values */
    for (int i = 0; i < 256; i++)
        table[i] = ((float)i - engine->mean) * engine->scale;
    int first = engine->bgr ? 2 : 0, last = 2 - first;
    for (int y = 0; y < chip->height; y++) {
        const uint8_t *row = chip->rgb + (size_t)y * chip->stride;
        for (int x = 0; x < chip->width; x++, out += 3) {
            const uint8_t *p = row + 3 * (size_t)(mirrored ? chip->width - 1 - x : x);
            out[0] = table[p[first]];
            out[1] = table[p[1]];
            out[2] = table[p[last]];
        }
    }
}

/* length: what raw had; NULL where nobody asks. */
static fg_code normalise(float *out, const float *raw, int size, float *length, fg_error *err)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += (double)raw[i] * (double)raw[i];
    /* Only a damaged network gives a vector without direction; NaN fails the first comparison. */
    if (!(sum > 1e-20) || isinf(sum))
        return FG_FAIL(
            err, FG_ERR_MODEL,
            "the embedding network gives no usable numbers: its weights are damaged; get them again");
    double scale = 1 / sqrt(sum);
    if (length)
        *length = (float)sqrt(sum);
    for (int i = 0; i < size; i++)
        out[i] = (float)((double)raw[i] * scale);
    return FG_OK;
}

/* embedding: what the network says of the chip, or of the chip mirrored; of unit length. */
static fg_code look(fg_session *session, const fg_frame *chip, bool mirrored, float *embedding,
                    float *magnitude, fg_error *err)
{
    const fg_engine *engine = session->engine;
    int side = engine->info.chip_size, size = engine->info.embedding_size, numbers = 1;
    fg_tensor_view views[FG_NET_MAX_OUTPUTS];
    fill(session->input, chip, mirrored, engine);
    fg_code rc = fg_net_exec(session->embedder, session->input, 1, side, side, views, err);
    if (rc != FG_OK)
        return rc;
    for (int k = 0; k < views[0].rank; k++)
        numbers *= views[0].dims[k];
    if (numbers != size)
        return FG_FAIL(err, FG_ERR_MODEL, "model '%s': gives %d numbers, the manifest says %d",
                       engine->info.embedder, numbers, size);
    return normalise(embedding, views[0].data, size, magnitude, err);
}

static fg_code check_size(const fg_engine *engine, const fg_frame *chip, fg_error *err)
{
    int side = engine->info.chip_size;
    if (!chip->rgb || chip->width != side || chip->height != side)
        return FG_FAIL(err, FG_ERR_USAGE, "a chip of %d x %d pixels, where this model takes %d x %d",
                       chip->width, chip->height, side, side);
    return FG_OK;
}

fg_code fg_embed(fg_session *session, const fg_frame *chips, int count, float *embeddings, float *magnitudes,
                 fg_error *err)
{
    const fg_engine *engine = session->engine;
    int size = engine->info.embedding_size;
    fg_code checked = FG_OK;
    float other[FG_MAX_EMBEDDING];
    if (count > 0)
        memset(embeddings, 0, (size_t)count * (size_t)size * sizeof *embeddings);
    for (int i = 0; i < count && checked == FG_OK; i++)
        checked = check_size(engine, &chips[i], err);
    if (checked != FG_OK)
        return checked;
    /* One at a time: in a batch the activations leave the cache, which costs more than it gains. */
    for (int i = 0; i < count; i++, embeddings += size) {
        float magnitude = 0, mirrored = 0;
        fg_code rc = look(session, &chips[i], false, embeddings, &magnitude, err);
        if (rc == FG_OK && engine->mirror &&
            (rc = look(session, &chips[i], true, other, &mirrored, err)) == FG_OK) {
            for (int k = 0; k < size; k++)
                embeddings[k] += other[k];
            magnitude = (magnitude + mirrored) / 2;
            rc = normalise(embeddings, embeddings, size, NULL, err);
        }
        if (rc != FG_OK)
            return rc;
        if (magnitudes)
            magnitudes[i] = magnitude;
    }
    return FG_OK;
}

fg_code fg_embed_chip(fg_session *session, const fg_frame *chip, long number, float *embedding,
                      float *magnitude, fg_error *err)
{
    const bool mirrored = session->engine->mirror && number % 2 != 0;
    if (number < 0)
        return fg_embed(session, chip, 1, embedding, magnitude, err);
    fg_code rc = check_size(session->engine, chip, err);
    return rc == FG_OK ? look(session, chip, mirrored, embedding, magnitude, err) : rc;
}
