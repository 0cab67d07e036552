/* Reading zip archives (libzip) that come from outside. */
#ifndef FG_CLASSIFY_ARCHIVE_H
#define FG_CLASSIFY_ARCHIVE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <zip.h>

/* Takes the source. Close with zip_discard. FG_ERR_INPUT where it is no archive, or a damaged one. */
fg_code fg_archive_open(zip_t **zip, zip_source_t *source, fg_error *err) FG_MUST_CHECK;
/* One file of it, whole and with its checksum compared; *bytes is the caller's to free, NULL where there is
 * no such file. FG_ERR_LIMIT beyond max bytes. */
fg_code fg_archive_read(zip_t *zip, const char *name, uint64_t max, uint8_t **bytes, size_t *size,
                        fg_error *err) FG_MUST_CHECK;

#endif
