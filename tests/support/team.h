/* Enrolments with made-up embeddings, for tests of what is stored. Needs cmocka.h. */
#ifndef FG_TESTS_TEAM_H
#define FG_TESTS_TEAM_H

#include "store/store.h"

#include <stdio.h>
#include <string.h>

enum { TEAM_SIZE = 8, TEAM_MAX_TEMPLATES = 64 };
#define TEAM_MODEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Unit vectors that can be told apart. */
static inline void team_embedding(float *out, int k)
{
    memset(out, 0, TEAM_SIZE * sizeof *out);
    out[k % TEAM_SIZE] = 0.6f;
    out[(k + 1 + k / TEAM_SIZE % (TEAM_SIZE - 1)) % TEAM_SIZE] = 0.8f;
}

typedef struct team_order {
    const char *name, *role;
    const char *const *rights;
    int right_count;
    const char *prefix;   /* of the member */
    const char *pending;  /* NULL: prefix */
    const char *model;    /* NULL: TEAM_MODEL */
    const char *embedder; /* its name */
    int templates;        /* over two sources, a video and a photo */
    int add;
    const char *job;
} team_order;

static inline fg_code team_enroll(fg_store *store, const team_order *o, int64_t *id, fg_error *err)
{
    static float embeddings[TEAM_MAX_TEMPLATES][TEAM_SIZE];
    char keys[TEAM_MAX_TEMPLATES][FG_MAX_NAME_BYTES], original[FG_MAX_NAME_BYTES];
    const char *below = o->pending ? o->pending : o->prefix;
    fg_template templates[TEAM_MAX_TEMPLATES] = {0};
    snprintf(original, sizeof original, "%soriginals/00", below);
    const fg_source sources[] = {
        {.name = (char *)"clip.mp4",
         .kind = (char *)"video",
         .blob_key = original,
         .every = 5,
         .rotation = 90,
         .frames_sampled = 20,
         .faces_used = o->templates,
         .created_ms = 1234,
         .sha256 = TEAM_MODEL},
        {.name = (char *)"photo.jpg", .kind = (char *)"photo", .frames_sampled = 1, .faces_used = 1},
    };
    for (int i = 0; i < o->templates; i++) {
        snprintf(keys[i], sizeof keys[i], "%schips/%06d.png", below, i);
        team_embedding(embeddings[i], i);
        templates[i] = (fg_template){.source_id = i % 2,
                                     .frame_index = 1000 - i, /* against the order in which they are given */
                                     .time_ms = 40LL * i,
                                     .embedding_size = TEAM_SIZE,
                                     .embedding = embeddings[i],
                                     .chip_key = keys[i],
                                     .score = 0.99f,
                                     .sharpness = 50};
        snprintf(templates[i].model_hash, sizeof templates[i].model_hash, "%s",
                 o->model ? o->model : TEAM_MODEL);
    }
    const fg_enrolment enrolment = {.name = o->name,
                                    .role = o->role,
                                    .rights = o->rights,
                                    .right_count = o->right_count,
                                    .blob_prefix = o->prefix,
                                    .pending_prefix = o->pending,
                                    .add = o->add,
                                    .sources = sources,
                                    .source_count = 2,
                                    .templates = templates,
                                    .template_count = o->templates,
                                    .embedder = o->embedder,
                                    .job = o->job};
    return fg_store_enroll(store, &enrolment, id, err);
}

#endif
