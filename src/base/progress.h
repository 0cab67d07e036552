/* Progress of long work, told to whoever asked for it: a bar on a terminal, an event of a job. */
#ifndef FG_BASE_PROGRESS_H
#define FG_BASE_PROGRESS_H

#include <stdbool.h>

typedef struct fg_progress {
    /* what: a word or two for people ("frames"); done of total, total 0 when unknown. Returns false to
     * cancel: the work then ends with FG_ERR_CANCELLED and leaves nothing half done. May be called from the
     * thread that works, and not after the call that took this structure has returned. */
    bool (*tell)(void *context, const char *what, long done, long total);
    void *context;
} fg_progress;

/* True to go on; also true where progress or its function is NULL. */
bool fg_progress_tell(const fg_progress *progress, const char *what, long done, long total);

#endif
