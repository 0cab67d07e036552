#include "base/progress.h"

#include <stddef.h>

bool fg_progress_tell(const fg_progress *progress, const char *what, long done, long total)
{
    return !progress || !progress->tell || progress->tell(progress->context, what, done, total);
}
