/* Photos without a team: the embedding of one, and 1:1 of two. */
#include "flow/app.h"

#include "classify/npy.h"
#include "media/image.h"

fg_code fg_embed_photo(fg_worker *worker, const char *path, float *embedding, float *magnitude, fg_error *err)
{
    fg_frame frame = {0};
    fg_look look = {0};
    fg_code rc = fg_image_load(&frame, path, fg_app_max_side(worker->app), NULL, err);
    if (rc == FG_OK)
        rc = fg_look_at(worker, &frame, &look, err);
    if (rc == FG_OK && look.reason != FG_REASON_NONE)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: %s: %s", path, fg_reason_name(look.reason),
                     fg_reason_text(look.reason));
    if (rc == FG_OK)
        rc = fg_embed(worker->session, &look.chip, 1, embedding, magnitude, err);
    fg_look_deinit(&look);
    fg_frame_deinit(&frame);
    return rc;
}

fg_code fg_compare(fg_worker *worker, const char *path_a, const char *path_b, fg_comparison *comparison,
                   fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(worker->app->engine);
    float a[FG_MAX_EMBEDDING], b[FG_MAX_EMBEDDING];
    *comparison = (fg_comparison){.threshold = info->same_person};
    if (!(info->same_person > 0))
        return FG_FAIL(
            err, FG_ERR_MODEL,
            "the manifest does not say from which similarity on %s sees one person; measure it with "
            "training/same_person.py",
            info->embedder);
    fg_code rc = fg_embed_photo(worker, path_a, a, NULL, err);
    if (rc == FG_OK)
        rc = fg_embed_photo(worker, path_b, b, NULL, err);
    if (rc == FG_OK) {
        comparison->similarity = fg_cosine(a, b, info->embedding_size);
        comparison->same = comparison->similarity >= comparison->threshold;
    }
    return rc;
}

fg_code fg_floats_save(const char *path, const float *data, long rows, int columns, fg_error *err)
{
    const long shape[2] = {rows, columns};
    fg_buf bytes;
    fg_buf_init(&bytes, SIZE_MAX / 2);
    fg_code rc = fg_npy_write_floats(&bytes, data, 2, shape, err);
    if (rc == FG_OK)
        rc = fg_file_write_atomic(path, bytes.data, bytes.size, err);
    fg_buf_deinit(&bytes);
    return rc;
}
