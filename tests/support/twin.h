/* A built-in model with its flag set or not: "mirror" of an embedder, "refine" of a detector. */
#ifndef FG_TESTS_TWIN_H
#define FG_TESTS_TWIN_H

#include "face/face.h"

#include "support/folder.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* folder: of the test's own; a manifest is written to it. The caller closes both. */
static void open_twin(const char *folder, const char *name, bool value, fg_engine **twin, fg_session **own)
{
    const char *source = getenv("FACEGATE_SOURCE");
    char path[8600], file[FOLDER_PATH + 32];
    snprintf(path, sizeof path, "%s/models/manifest.json", source);
    json_t *doc = json_load_file(path, 0, NULL), *entry, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(doc, "models"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            found = entry;
    }
    bool detector = strcmp(json_string_value(json_object_get(found, "kind")), "detector") == 0;
    const char *flag = detector ? "refine" : "mirror";
    assert_true(json_is_true(json_object_get(found, flag)));
    json_object_set_new(found, flag, json_boolean(value));
    json_t *alone = json_pack("{s:i, s:[O]}", "version", 1, "models", found);
    snprintf(file, sizeof file, "%s/manifest.json", folder);
    assert_int_equal(json_dump_file(alone, file, 0), 0);
    json_decref(alone);
    json_decref(doc);
    snprintf(path, sizeof path, "%s:%s/models", folder, source); /* the first manifest of a name counts */
    fg_engine_options options = {.model_path = path};
    *(detector ? &options.detector : &options.embedder) = name;
    assert_int_equal(fg_engine_open(twin, &options, NULL), FG_OK);
    assert_int_equal(fg_session_new(own, *twin, NULL), FG_OK);
}

#endif
