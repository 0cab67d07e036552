#include "classify/archive.h"

#include <stdlib.h>

fg_code fg_archive_open(zip_t **zip, zip_source_t *source, fg_error *err)
{
    zip_error_t why;
    fg_code rc = FG_OK;
    zip_error_init(&why);
    *zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why);
    if (!*zip) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "the archive is damaged: %s", zip_error_strerror(&why));
        zip_source_free(source);
    }
    zip_error_fini(&why);
    return rc;
}

fg_code fg_archive_read(zip_t *zip, const char *name, uint64_t max, uint8_t **bytes, size_t *size,
                        fg_error *err)
{
    zip_stat_t info;
    zip_file_t *file = NULL;
    fg_code rc = FG_OK;
    *bytes = NULL;
    *size = 0;
    zip_int64_t at = zip_name_locate(zip, name, 0);
    if (at < 0)
        return FG_OK;
    if (zip_stat_index(zip, (zip_uint64_t)at, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE) ||
        (info.valid & ZIP_STAT_ENCRYPTION_METHOD && info.encryption_method != ZIP_EM_NONE))
        return FG_FAIL(err, FG_ERR_INPUT, "the archive is damaged or encrypted (%s)", name);
    if (info.size > max)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s has %llu MB, at most %llu are taken", name,
                       (unsigned long long)(info.size >> 20), (unsigned long long)(max >> 20));
    /* What is declared is only believed where as much can come: deflate shrinks to a thousandth at most. */
    if (!(info.valid & ZIP_STAT_COMP_SIZE) || info.size / 1100 > info.comp_size + 64)
        return FG_FAIL(err, FG_ERR_INPUT, "the archive is damaged (%s)", name);
    *bytes = malloc(info.size ? (size_t)info.size : 1);
    file = *bytes ? zip_fopen_index(zip, (zip_uint64_t)at, 0) : NULL;
    if (!*bytes)
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %llu MB", (unsigned long long)(info.size >> 20));
    else if (!file)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s cannot be read: %s", name, zip_strerror(zip));
    while (rc == FG_OK && *size < info.size) {
        zip_int64_t n = zip_fread(file, *bytes + *size, info.size - *size);
        if (n <= 0)
            rc = FG_FAIL(err, FG_ERR_INPUT, "%s is damaged or cut short", name);
        else
            *size += (size_t)n;
    }
    /* The checksum is compared when the end is met. */
    uint8_t more;
    if (rc == FG_OK && zip_fread(file, &more, 1) != 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s is damaged: its checksum is wrong", name);
    if (file)
        zip_fclose(file);
    if (rc != FG_OK) {
        free(*bytes);
        *bytes = NULL;
        *size = 0;
    }
    return rc;
}
