/* Requests that AWS clients have signed: Signature Version 4, seen from the server.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 *
 * What is signed, and how, is in cloud/sigv4.h, the same for both directions; here is what a request has to
 * prove. Everything is pure: no store, no clock. Messages are AWS's own where clients or people know them. */
#ifndef FG_ACCESS_AWS_REQUEST_H
#define FG_ACCESS_AWS_REQUEST_H

#include "cloud/sigv4.h"

enum {
    FG_AWS_SKEW_MS = 5 * 60 * 1000, /* of the client's clock, either way */
    FG_AWS_HEADERS = 64,            /* of one request */
    FG_AWS_SIGNED = 1024,           /* bytes of the list of signed headers */
};

/* What can be wrong with a signature; each has a name and a status of AWS's. */
typedef enum fg_aws_fault {
    FG_AWS_GOOD,
    FG_AWS_MISSING,      /* MissingAuthenticationTokenException */
    FG_AWS_INCOMPLETE,   /* IncompleteSignatureException: malformed */
    FG_AWS_UNRECOGNIZED, /* UnrecognizedClientException: no such key */
    FG_AWS_WRONG,        /* InvalidSignatureException: also a clock that is off */
    FG_AWS_DENIED,       /* AccessDeniedException */
    FG_AWS_INVALID,      /* ValidationError */
    FG_AWS_MODEL,        /* ModelError */
    FG_AWS_THROTTLED,    /* ThrottlingException */
    FG_AWS_UNAVAILABLE,  /* ServiceUnavailable */
    FG_AWS_INTERNAL,     /* InternalFailure */
} fg_aws_fault;
const char *fg_aws_fault_name(fg_aws_fault fault);
unsigned fg_aws_fault_status(fg_aws_fault fault);

/* An Authorization header: AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request,
 * SignedHeaders=a;b, Signature=HEX. */
typedef struct fg_aws_authorization {
    char access_key[65], day[9], region[65], service[65];
    char signed_headers[FG_AWS_SIGNED]; /* lower case, ascending, separated by ';' */
    char signature[FG_SHA256_HEX];
} fg_aws_authorization;

bool fg_aws_is_signed(const char *authorization); /* whether the header is meant to be one of these */
fg_code fg_aws_authorization_parse(fg_aws_authorization *out, const char *header, fg_aws_fault *fault,
                                   fg_error *err) FG_MUST_CHECK;

/* x-amz-date: of the right form, of the credential's day, within five minutes of now. */
fg_code fg_aws_check_time(const fg_aws_authorization *authorization, const char *amz_date, int64_t now_ms,
                          fg_aws_fault *fault, fg_error *err) FG_MUST_CHECK;
/* That host, content-type and every x-amz- header that came are signed, and that the signature is what the
 * secret makes of the request. Takes the same time whatever is wrong with the signature. */
fg_code fg_aws_check_signature(const fg_aws_authorization *authorization, const fg_sigv4_request *request,
                               const char *secret, fg_aws_fault *fault, fg_error *err) FG_MUST_CHECK;

#endif
