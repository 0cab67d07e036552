/* The stored form of a classifier, all little endian:
 *
 *   0  "FGCL"            8  u32 size       20  u32 supports   32  f64 evidence_sd, border, slope, gate, gamma
 *   4  u32 version, 1   12  u32 members    24  u64 bytes of the whole
 *                       16  u32 kernel
 *   72 for each member: i64 id, f64 cosine_mean, cosine_sd, machine_mean, machine_sd, bias
 *      f32 centroids, members x size
 *      linear: f32 weights, members x size
 *      rbf: f32 support, supports x size, and f32 alpha, members x supports
 *      32 bytes: SHA-256 of all before
 */
#include "classify/model.h"

#include <sodium.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { VERSION = 1, HEADER = 72, EXPERT = 48, DIGEST = crypto_hash_sha256_BYTES };
static const uint8_t magic[4] = {'F', 'G', 'C', 'L'};

static size_t bytes_of(int members, int size, fg_kernel kernel, int supports)
{
    size_t n = (size_t)members, d = (size_t)size, s = (size_t)supports;
    size_t floats = n * d + (kernel == FG_KERNEL_LINEAR ? n * d : s * d + n * s);
    return HEADER + EXPERT * n + 4 * floats + DIGEST;
}

/* -- writing
 * ---------------------------------------------------------------------------------------------------- */

static fg_code put(fg_buf *out, uint64_t v, int bytes, fg_error *err)
{
    uint8_t p[8];
    for (int k = 0; k < bytes; k++)
        p[k] = (uint8_t)(v >> 8 * k);
    return fg_buf_append(out, p, (size_t)bytes, err);
}

static fg_code put_f64(fg_buf *out, double d, fg_error *err)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    return put(out, v, 8, err);
}

static fg_code put_floats(fg_buf *out, const float *data, size_t count, fg_error *err)
{
    fg_code rc = FG_OK;
    for (size_t i = 0; !rc && i < count; i++) {
        uint32_t v;
        memcpy(&v, data + i, sizeof v);
        rc = put(out, v, 4, err);
    }
    return rc;
}

fg_code fg_classifier_write(const fg_classifier *c, fg_buf *out, fg_error *err)
{
    const uint64_t head[] = {VERSION, (uint64_t)c->size, (uint64_t)c->members, (uint64_t)c->kernel,
                             (uint64_t)c->supports};
    const double numbers[] = {c->evidence_sd, c->border, c->slope, c->gate, c->gamma};
    size_t n = (size_t)c->members, d = (size_t)c->size, s = (size_t)c->supports, start;
    uint8_t digest[DIGEST];
    fg_code rc;

    fg_buf_clear(out);
    start = out->size;
    rc = fg_buf_append(out, magic, sizeof magic, err);
    for (size_t i = 0; !rc && i < sizeof head / sizeof head[0]; i++)
        rc = put(out, head[i], 4, err);
    if (!rc)
        rc = put(out, bytes_of(c->members, c->size, c->kernel, c->supports), 8, err);
    for (size_t i = 0; !rc && i < sizeof numbers / sizeof numbers[0]; i++)
        rc = put_f64(out, numbers[i], err);
    for (size_t m = 0; !rc && m < n; m++) {
        const fg_expert *e = &c->experts[m];
        const double values[] = {e->cosine_mean, e->cosine_sd, e->machine_mean, e->machine_sd, e->bias};
        rc = put(out, (uint64_t)e->member_id, 8, err);
        for (size_t i = 0; !rc && i < sizeof values / sizeof values[0]; i++)
            rc = put_f64(out, values[i], err);
    }
    if (!rc)
        rc = put_floats(out, c->centroids, n * d, err);
    if (!rc && c->kernel == FG_KERNEL_LINEAR)
        rc = put_floats(out, c->weights, n * d, err);
    if (!rc && c->kernel == FG_KERNEL_RBF)
        rc = put_floats(out, c->support, s * d, err);
    if (!rc && c->kernel == FG_KERNEL_RBF)
        rc = put_floats(out, c->alpha, n * s, err);
    if (!rc) {
        crypto_hash_sha256(digest, out->data + start, out->size - start);
        rc = fg_buf_append(out, digest, sizeof digest, err);
    }
    if (rc)
        fg_buf_clear(out);
    return rc;
}

/* -- reading
 * ---------------------------------------------------------------------------------------------------- */

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int k = 0; k < bytes; k++)
        v |= (uint64_t)p[k] << 8 * k;
    return v;
}

static double get_f64(const uint8_t *p)
{
    uint64_t v = get(p, 8);
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

/* Returns the byte after them; *sound becomes false where one is not finite. */
static const uint8_t *get_floats(const uint8_t *p, float *out, size_t count, bool *sound)
{
    for (size_t i = 0; i < count; i++, p += 4) {
        uint32_t v = (uint32_t)get(p, 4);
        memcpy(out + i, &v, sizeof v);
        *sound = *sound && isfinite(out[i]);
    }
    return p;
}

static bool positive(double v)
{
    return isfinite(v) && v > 0;
}

fg_code fg_classifier_read(fg_classifier **classifier, const void *data, size_t size, fg_error *err)
{
    const uint8_t *p = data;
    fg_classifier *c = NULL;
    fg_code rc = FG_OK;
    uint8_t digest[DIGEST];
    uint64_t d, n, kernel, supports;
    bool sound = true;

    *classifier = NULL;
    if (size < HEADER + DIGEST || memcmp(p, magic, sizeof magic) != 0)
        return FG_FAIL(err, FG_ERR_INPUT, "not a classifier of Facegate's: train again");
    if (get(p + 4, 4) != VERSION)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "the classifier is of form %u, this program reads form %d: train again",
                       (unsigned)get(p + 4, 4), VERSION);
    d = get(p + 8, 4);
    n = get(p + 12, 4);
    kernel = get(p + 16, 4);
    supports = get(p + 20, 4);
    if (d < 2 || d > FG_MAX_EMBEDDING || n < 1 || n > FG_MAX_MEMBERS || kernel > FG_KERNEL_RBF ||
        (kernel == FG_KERNEL_LINEAR ? supports != 0 : supports < 1 || supports > FG_MAX_TEMPLATES) ||
        size != get(p + 24, 8) || size != bytes_of((int)n, (int)d, (fg_kernel)kernel, (int)supports))
        return FG_FAIL(err, FG_ERR_INPUT, "the classifier is damaged: train again");
    crypto_hash_sha256(digest, p, size - DIGEST);
    if (memcmp(digest, p + size - DIGEST, DIGEST) != 0)
        return FG_FAIL(err, FG_ERR_INPUT, "the classifier is damaged, its checksum is wrong: train again");
    c = fg_classifier_new((int)n, (int)d, (fg_kernel)kernel, (int)supports);
    if (!c)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a classifier of %u members", (unsigned)n);
    c->evidence_sd = get_f64(p + 32);
    c->border = get_f64(p + 40);
    c->slope = get_f64(p + 48);
    c->gate = get_f64(p + 56);
    c->gamma = get_f64(p + 64);
    sound = positive(c->evidence_sd) && isfinite(c->border) && positive(c->slope) && isfinite(c->gate) &&
            positive(c->gamma);
    p += HEADER;
    for (uint64_t m = 0; m < n; m++, p += EXPERT) {
        fg_expert *e = &c->experts[m];
        uint64_t id = get(p, 8);
        memcpy(&e->member_id, &id, sizeof id);
        e->cosine_mean = get_f64(p + 8);
        e->cosine_sd = get_f64(p + 16);
        e->machine_mean = get_f64(p + 24);
        e->machine_sd = get_f64(p + 32);
        e->bias = get_f64(p + 40);
        sound = sound && e->member_id != 0 && isfinite(e->cosine_mean) && positive(e->cosine_sd) &&
                isfinite(e->machine_mean) && positive(e->machine_sd) && isfinite(e->bias);
    }
    p = get_floats(p, c->centroids, n * d, &sound);
    if (kernel == FG_KERNEL_LINEAR) {
        (void)get_floats(p, c->weights, n * d, &sound);
    } else {
        p = get_floats(p, c->support, supports * d, &sound);
        (void)get_floats(p, c->alpha, n * supports, &sound);
    }
    if (!sound) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "the classifier holds a number that makes no sense: train again");
        goto done;
    }
    *classifier = c;
    c = NULL;
done:
    fg_classifier_free(c);
    return rc;
}
