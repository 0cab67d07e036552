/* Blobs in an S3 bucket: what a put has acknowledged is as durable as the bucket. Deleting is for good also
 * where the bucket keeps versions. Objects below the prefix that have no key's name are not Facegate's: they
 * are not listed. */
#ifndef FG_BLOB_S3_H
#define FG_BLOB_S3_H

#include "base/log.h"
#include "base/settings.h"
#include "blob/backend.h"
#include "cloud/s3.h"

/* Opens connections on demand; credentials are looked for at once. settings: s3-endpoint, s3-style, s3-sse,
 * s3-kms-key, aws-file, region; NULL: none of them. FG_ERR_USAGE, FG_ERR_UNAUTHORIZED. */
fg_code fg_blob_s3_open(fg_blob **blob, const char *url, const fg_settings *settings, const fg_log *log,
                        fg_error *err) FG_MUST_CHECK;

#endif
