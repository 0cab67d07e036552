#include "flow/enroll_parts.h"

#include "base/clock.h"
#include "media/image.h"
#include "media/sniff.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A template is of somebody else when it is less similar to the most typical one than this share of what the
 * better quarter is: templates of one person lie close together (0.6 to 0.97 with every embedder tried),
 * those of two people far apart (below 0.3). */
static const float odd_share = 0.35f;
/* More odd ones than this share: not a passer-by but a video of two people. */
static const double max_odd_share = 0.34;
/* In a video of a head that turns up to half of the faces are unclear; with something over the eyes, nearly
 * all. */
static const double unclear_share = 0.75;
/* Faces are of two people below this share of the similarity that one in 1,000 pairs of strangers exceeds.
 * Measured with vgg16 on 1,812 photos of 558 people of LFW (`facegate eval openset --out` embeds them): none
 * of 1,292 photos falls below it against the mean of the same person's others (the lowest is at 0.53 of that
 * similarity), nor do 99.6 % of the pairs of photos of one person; 98.4 % of strangers do against such a
 * mean, 98.6 % against one photo. At 0.6 it would be 0.2 % of the photos, 1.7 % of the pairs, and 99.6 % of
 * the strangers. */
static const float stranger_share = 0.45f;
/* Two members whose mean templates are this similar are named to the team lead. */
static const float look_alike = 0.55f;

static void random_part(char *out, size_t out_size)
{
    uint8_t bytes[10];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(out, out_size, bytes, sizeof bytes);
}

fg_code fg_enrolling_begin(fg_enrolling *e, fg_error *err)
{
    const fg_enroll_request *r = e->request;
    char part[24];
    if (r->file_count < 1)
        return FG_FAIL(err, FG_ERR_USAGE, "name at least one video or photo of %s",
                       r->name ? r->name : "the member");
    if (!r->name || !*r->name)
        return FG_FAIL(err, FG_ERR_USAGE, "give the member's name with --name");
    if (r->every < 1)
        return FG_FAIL(err, FG_ERR_USAGE, "--every %d: give a whole number from 1", r->every);
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    fg_code rc = fg_store_member_by_name(e->app->store, r->name, &e->existing, err);
    if (rc == FG_OK && !r->add)
        return FG_FAIL(
            err, FG_ERR_EXISTS,
            "%s is enrolled already; use --add to add to what there is, or remove the member first", r->name);
    if (rc == FG_ERR_NOT_FOUND && r->add)
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "%s is not enrolled yet; leave --add out", r->name);
    if (rc != FG_OK && rc != FG_ERR_NOT_FOUND)
        return rc;
    if (rc == FG_ERR_NOT_FOUND && (!r->role || !*r->role))
        return FG_FAIL(err, FG_ERR_USAGE, "give %s a role with --role", r->name);
    fg_code same = fg_embedder_check(e->app, err);
    if (same != FG_OK)
        return same;
    random_part(part, sizeof part);
    if (rc == FG_OK)
        snprintf(e->member_prefix, sizeof e->member_prefix, "%s", e->existing.blob_prefix);
    else
        snprintf(e->member_prefix, sizeof e->member_prefix, "members/%s/", part);
    random_part(part, sizeof part);
    snprintf(e->prefix, sizeof e->prefix, "%s%s/", e->member_prefix, part);
    e->sources = calloc((size_t)r->file_count, sizeof *e->sources);
    e->report->files = calloc((size_t)r->file_count, sizeof *e->report->files);
    if (!e->sources || !e->report->files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    e->report->file_count = r->file_count;
    return FG_OK;
}

fg_code fg_enrolling_add_source(fg_enrolling *e, int file, fg_error *err)
{
    const fg_enroll_file *f = &e->request->files[file];
    fg_source *source = &e->sources[file];
    const char *slash = strrchr(f->path, '/');
    fg_sniffed sniffed;
    char key[128];
    fg_code rc = fg_media_sniff_file(f->path, &sniffed, err);
    if (rc == FG_OK)
        rc = fg_file_sha256(f->path, source->sha256, NULL, err);
    if (rc == FG_OK && e->request->keep_originals) {
        snprintf(key, sizeof key, "%soriginals/%02d", e->prefix, file);
        rc = fg_blob_put_file(e->app->blob, key, f->path, false, err);
    }
    if (rc != FG_OK)
        return rc;
    source->name = strdup(f->name ? f->name : slash ? slash + 1 : f->path);
    /* What is neither is left to the video reader, which says why not. */
    source->kind = strdup(sniffed.kind == FG_MEDIA_PHOTO ? "photo" : "video");
    source->blob_key = e->request->keep_originals ? strdup(key) : NULL;
    source->every = e->request->every;
    source->created_ms = fg_clock_unix_ms();
    if (!source->name || !source->kind || (e->request->keep_originals && !source->blob_key))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    return FG_OK;
}

static fg_code grow(fg_enrolling *e, fg_error *err)
{
    if (e->template_count == FG_MAX_TEMPLATES_PER_MEMBER)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "more than %d usable faces; sample fewer frames with a larger --every",
                       FG_MAX_TEMPLATES_PER_MEMBER);
    if (e->template_count < e->template_capacity)
        return FG_OK;
    long capacity = e->template_capacity ? 2 * e->template_capacity : 64;
    fg_template *more = realloc(e->templates, (size_t)capacity * sizeof *more);
    if (!more)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    e->templates = more;
    e->template_capacity = capacity;
    return FG_OK;
}

fg_code fg_enrolling_add(fg_enrolling *e, int file, const fg_frame *frame, const fg_look *look, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(e->app->engine);
    fg_frame kept = {0};
    uint8_t *png = NULL;
    size_t png_size = 0;
    char key[128];
    fg_code rc = grow(e, err);
    if (rc != FG_OK)
        return rc;
    snprintf(key, sizeof key, "%schips/%02d-%06d.png", e->prefix, file, frame->index);
    if ((rc = fg_kept_cut(frame, look->face.points, &kept, err)) != FG_OK)
        return rc;
    rc = fg_image_encode_png(&kept, &png, &png_size, err);
    fg_frame_deinit(&kept);
    if (rc != FG_OK)
        return rc;
    rc = fg_blob_put(e->app->blob, key, png, png_size, err);
    free(png);
    if (rc != FG_OK)
        return rc;
    fg_template *t = &e->templates[e->template_count++];
    *t = (fg_template){
        .source_id = file,
        .frame_index = frame->index,
        .time_ms = frame->time_ms,
        .embedding_size = info->embedding_size,
        .embedding = calloc((size_t)info->embedding_size, sizeof(float)),
        .chip_key = strdup(key),
        .score = look->face.score,
        .sharpness = look->quality.sharpness,
    };
    memcpy(t->model_hash, info->model_hash, sizeof t->model_hash);
    if (!t->embedding || !t->chip_key)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    return FG_OK;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The template that is most similar to all others on average. */
static long most_typical(const fg_template *templates, long n)
{
    long best = 0;
    double most = -INFINITY;
    for (long i = 0; i < n; i++) {
        double sum = 0;
        for (long j = 0; j < n; j++)
            sum += fg_cosine(templates[i].embedding, templates[j].embedding, templates[i].embedding_size);
        if (sum > most) {
            most = sum;
            best = i;
        }
    }
    return best;
}

/* Where the manifest does not say how alike strangers are, no cosine is below it. */
static double stranger_below(const fg_enrolling *e)
{
    const float same_person = fg_engine_info_view(e->app->engine)->same_person;
    return same_person > 0 ? (double)(stranger_share * same_person) : -1;
}

/* The subject of a message about all the files. */
static const char *others_too(const fg_enrolling *e)
{
    return e->request->file_count > 1 ? ", with the other files," : "";
}

fg_code fg_enrolling_drop_odd(fg_enrolling *e, fg_error *err)
{
    const long n = e->template_count;
    fg_code rc = FG_OK;
    if (n < 2)
        return FG_OK;
    float *similarity = malloc(2 * (size_t)n * sizeof *similarity);
    if (!similarity)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    float *sorted = similarity + n;
    const fg_template *typical = &e->templates[most_typical(e->templates, n)];
    for (long i = 0; i < n; i++)
        sorted[i] = similarity[i] =
            (float)fg_cosine(typical->embedding, e->templates[i].embedding, typical->embedding_size);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    /* The last one is the typical one itself. */
    const float limit = fmaxf(odd_share * sorted[(n - 1) * 3 / 4], (float)stranger_below(e));
    /* A head that turns moves away from the typical view step by step: what resembles one that belongs,
     * belongs. */
    for (bool grown = true; grown;) {
        grown = false;
        for (long i = 0; i < n; i++)
            for (long j = 0; j < n && similarity[i] < limit; j++)
                if (similarity[j] >= limit && fg_cosine(e->templates[i].embedding, e->templates[j].embedding,
                                                        typical->embedding_size) >= (double)limit) {
                    similarity[i] = limit;
                    grown = true;
                }
    }
    long kept = 0;
    for (long i = 0; i < n; i++) {
        fg_template t = e->templates[i];
        if (similarity[i] >= limit) {
            e->templates[kept++] = t;
            continue;
        }
        e->report->odd++;
        e->sources[t.source_id].faces_used--;
        e->report->files[t.source_id].faces_used--;
        if (rc == FG_OK)
            rc = fg_blob_delete(e->app->blob, t.chip_key, err);
        fg_template_deinit(&t);
    }
    e->template_count = kept;
    if (rc == FG_OK && (double)e->report->odd > max_odd_share * (double)n)
        rc =
            FG_FAIL(err, FG_ERR_INPUT,
                    "%s%s shows more than one person (%ld of %ld faces %s of somebody else than the rest); "
                    "give videos and photos of one person",
                    e->sources[0].name, others_too(e), e->report->odd, n, e->report->odd == 1 ? "is" : "are");
    free(similarity);
    return rc;
}

fg_code fg_enrolling_check(fg_enrolling *e, fg_error *err)
{
    fg_enroll_report *r = e->report;
    int worst = FG_REASON_NO_FACE;
    for (int i = 0; i < r->file_count; i++) {
        r->frames_sampled += r->files[i].frames_sampled;
        r->faces_used += r->files[i].faces_used;
        for (int k = 0; k < FG_REASON_COUNT; k++)
            r->refused[k] += r->files[i].refused[k];
    }
    r->mostly_unclear = (double)r->unclear > unclear_share * (double)(r->faces_used + r->odd);
    if (e->template_count > 0)
        return FG_OK;
    for (int k = 0; k < FG_REASON_COUNT; k++)
        if (r->refused[k] > r->refused[worst])
            worst = k;
    return FG_FAIL(err, FG_ERR_INPUT, "%s: no usable face in %ld frame%s, mostly %s: %s", e->sources[0].name,
                   r->frames_sampled, r->frames_sampled == 1 ? "" : "s", fg_reason_name((fg_reason)worst),
                   fg_reason_text((fg_reason)worst));
}

static void add_to_mean(float *mean, const float *embedding, int size)
{
    for (int k = 0; k < size; k++)
        mean[k] += embedding[k];
}

static double cosine_of_sums(const float *a, const float *b, int size)
{
    double aa = fg_cosine(a, a, size), bb = fg_cosine(b, b, size);
    return aa > 0 && bb > 0 ? fg_cosine(a, b, size) / sqrt(aa * bb) : 0;
}

fg_code fg_enrolling_compare(fg_enrolling *e, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(e->app->engine);
    const int size = info->embedding_size;
    float mine[FG_MAX_EMBEDDING] = {0}, theirs[FG_MAX_EMBEDDING] = {0};
    fg_template_set set = {0};
    int64_t best_id = 0;
    double best = look_alike, own = INFINITY;
    fg_code rc = fg_store_templates(e->app->store, info->model_hash, &set, NULL, err);
    for (long i = 0; i < e->template_count; i++)
        add_to_mean(mine, e->templates[i].embedding, size);
    for (long i = 0; rc == FG_OK && i < set.count; i++) { /* ordered by member */
        add_to_mean(theirs, set.embeddings + (size_t)i * (size_t)size, size);
        if (i + 1 < set.count && set.member_ids[i + 1] == set.member_ids[i])
            continue;
        double similarity = cosine_of_sums(mine, theirs, size);
        if (set.member_ids[i] == e->existing.id) {
            own = similarity;
        } else if (similarity > best) {
            best = similarity;
            best_id = set.member_ids[i];
        }
        memset(theirs, 0, sizeof theirs);
    }
    if (rc == FG_OK && own < stranger_below(e))
        rc = FG_FAIL(
            err, FG_ERR_INPUT,
            "%s%s shows another person than the files that %s was enrolled from; nothing was changed; "
            "add it to the member whom it shows, or, if those files were wrong, remove the member and "
            "enrol again",
            e->sources[0].name, others_too(e), e->existing.name);
    if (rc == FG_OK && best_id) {
        fg_member member = {0};
        rc = fg_store_member_by_id(e->app->store, best_id, &member, err);
        if (rc == FG_OK) {
            snprintf(e->report->look_alike, sizeof e->report->look_alike, "%s", member.name);
            e->report->look_alike_similarity = best;
        }
        fg_member_deinit(&member);
    }
    fg_template_set_deinit(&set);
    return rc;
}

fg_code fg_enrolling_commit(fg_enrolling *e, fg_error *err)
{
    const fg_enrolment enrolment = {
        .name = e->request->name,
        .role = e->request->role,
        .rights = e->request->rights,
        .right_count = e->request->right_count,
        .blob_prefix = e->member_prefix,
        .pending_prefix = e->prefix,
        .add = e->request->add,
        .sources = e->sources,
        .source_count = e->request->file_count,
        .templates = e->templates,
        .template_count = e->template_count,
        .embedder = fg_engine_info_view(e->app->engine)->embedder,
        .job = e->request->job,
    };
    return fg_store_enroll(e->app->store, &enrolment, &e->report->member_id, err);
}

void fg_enrolling_deinit(fg_enrolling *e)
{
    for (int i = 0; e->sources && i < e->request->file_count; i++)
        fg_source_deinit(&e->sources[i]);
    free(e->sources);
    for (long i = 0; i < e->template_count; i++)
        fg_template_deinit(&e->templates[i]);
    free(e->templates);
    fg_member_deinit(&e->existing);
}
