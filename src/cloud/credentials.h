/* AWS credentials: where they come from, in this order; the first place that has any decides.
 *   1. the file that --aws-file names: JSON with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, REGION_NAME, and
 *      beside them ROLE, ENDPOINT_NAME, BUCKET_NAME
 *   2. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN of the environment
 *   3. the profile AWS_PROFILE ("default") of ~/.aws/credentials and ~/.aws/config
 *      (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE)
 *   4. the container's address: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI
 *   5. the machine's own: IMDSv2, unless AWS_EC2_METADATA_DISABLED is "true"
 * Formats: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 *
 * Nothing here, and no message of an error, ever shows a secret. A file with a secret that others than its
 * owner can read is FG_ERR_FORBIDDEN. */
#ifndef FG_CLOUD_CREDENTIALS_H
#define FG_CLOUD_CREDENTIALS_H

#include "cloud/http.h"

enum { FG_AWS_ID_MAX = 128, FG_AWS_TOKEN_MAX = 16 << 10, FG_AWS_WORD_MAX = 256 };

typedef enum fg_credentials_source {
    FG_CREDENTIALS_NONE,
    FG_CREDENTIALS_FILE,
    FG_CREDENTIALS_ENVIRONMENT,
    FG_CREDENTIALS_PROFILE,
    FG_CREDENTIALS_CONTAINER,
    FG_CREDENTIALS_MACHINE,
} fg_credentials_source;

typedef struct fg_credentials {
    fg_credentials_source source;
    char access_key[FG_AWS_ID_MAX + 1], secret_key[FG_AWS_ID_MAX + 1];
    char *token;        /* owned; NULL: none */
    int64_t expires_ms; /* Unix time; 0: never */
    /* What the file or the profile says besides; "" where it does not. */
    char region[FG_AWS_WORD_MAX + 1], role[FG_AWS_WORD_MAX + 1], endpoint_name[FG_AWS_WORD_MAX + 1],
        bucket_name[FG_AWS_WORD_MAX + 1];
} fg_credentials;

void fg_credentials_deinit(fg_credentials *credentials); /* wiped; also fine on a zeroed one */

/* Goes through the places above; file: --aws-file's, or NULL. FG_ERR_UNAUTHORIZED where no place has any,
 * naming them; FG_ERR_INPUT for a file or an answer that is not as it should be. */
fg_code fg_credentials_find(fg_credentials *credentials, fg_http_client *http, const char *file,
                            fg_error *err) FG_MUST_CHECK;

/* -- the places; each leaves source at NONE where it has nothing -- */

/* The JSON file. */
fg_code fg_credentials_parse_json(fg_credentials *credentials, const void *data, size_t size,
                                  const char *what, fg_error *err) FG_MUST_CHECK;
/* The answer of a container or a machine: AccessKeyId, SecretAccessKey, Token, Expiration. */
fg_code fg_credentials_parse_answer(fg_credentials *credentials, const void *data, size_t size,
                                    const char *what, fg_error *err) FG_MUST_CHECK;
/* A section of ~/.aws/credentials or ~/.aws/config; adds to what is there. *has_secret: the file has one, of
 * any profile. */
fg_code fg_credentials_parse_profile(fg_credentials *credentials, const char *text, size_t size,
                                     const char *section, const char *what, bool *has_secret,
                                     fg_error *err) FG_MUST_CHECK;
fg_code fg_credentials_from_container(fg_credentials *credentials, fg_http_client *http,
                                      fg_error *err) FG_MUST_CHECK;
fg_code fg_credentials_from_machine(fg_credentials *credentials, fg_http_client *http,
                                    fg_error *err) FG_MUST_CHECK;

#endif
