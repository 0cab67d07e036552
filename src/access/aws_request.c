#include "access/aws_request.h"

#include "base/clock.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_CANONICAL = 256 << 10 };

static const char algorithm[] = FG_SIGV4_ALGORITHM;

static const struct {
    const char *name;
    unsigned status;
} faults[] = {
    [FG_AWS_GOOD] = {"", 200},
    [FG_AWS_MISSING] = {"MissingAuthenticationTokenException", 403},
    [FG_AWS_INCOMPLETE] = {"IncompleteSignatureException", 403},
    [FG_AWS_UNRECOGNIZED] = {"UnrecognizedClientException", 403},
    [FG_AWS_WRONG] = {"InvalidSignatureException", 403},
    [FG_AWS_DENIED] = {"AccessDeniedException", 403},
    [FG_AWS_INVALID] = {"ValidationError", 400},
    [FG_AWS_MODEL] = {"ModelError", 424},
    [FG_AWS_THROTTLED] = {"ThrottlingException", 400},
    [FG_AWS_UNAVAILABLE] = {"ServiceUnavailable", 503},
    [FG_AWS_INTERNAL] = {"InternalFailure", 500},
};

const char *fg_aws_fault_name(fg_aws_fault fault)
{
    return faults[fault].name;
}

unsigned fg_aws_fault_status(fg_aws_fault fault)
{
    return faults[fault].status;
}

/* -- the Authorization header -- */

bool fg_aws_is_signed(const char *authorization)
{
    const size_t n = sizeof algorithm - 1;
    return authorization && strncasecmp(authorization, algorithm, n) == 0 &&
           (!authorization[n] || authorization[n] == ' ');
}

/* What stands between name= and the next comma or the end. */
static bool take_part(const char *header, const char *name, const char **value, size_t *size)
{
    const size_t n = strlen(name);
    for (const char *p = header; *p;) {
        p += strspn(p, " ,");
        size_t length = strcspn(p, ",");
        if (length > n && p[n] == '=' && strncmp(p, name, n) == 0) {
            *value = p + n + 1;
            *size = length - n - 1;
            while (*size && (*value)[*size - 1] == ' ')
                --*size;
            return true;
        }
        p += length;
    }
    return false;
}

/* One part of the credential, up to '/'; false where it is empty, too long, or of other characters. */
static bool take_credential(const char **at, const char *end, char *out, size_t out_size)
{
    const char *slash = memchr(*at, '/', (size_t)(end - *at));
    size_t size = (size_t)((slash ? slash : end) - *at);
    if (size == 0 || size >= out_size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)(*at)[i]) && !strchr("-_", (*at)[i]))
            return false;
    memcpy(out, *at, size);
    out[size] = 0;
    *at = slash ? slash + 1 : end;
    return true;
}

/* Lower case, ascending, each once. */
static bool is_header_list(const char *list)
{
    const char *last = "";
    size_t last_size = 0;
    for (const char *p = list;; p++) {
        size_t size = strcspn(p, ";");
        size_t common = size < last_size ? size : last_size;
        int order = strncmp(last, p, common);
        if (size == 0 || order > 0 || (order == 0 && last_size >= size))
            return false;
        for (size_t i = 0; i < size; i++)
            if (!islower((unsigned char)p[i]) && !isdigit((unsigned char)p[i]) && !strchr("-_", p[i]))
                return false;
        last = p;
        last_size = size;
        p += size;
        if (!*p)
            return true;
    }
}

static fg_code incomplete(fg_aws_fault *fault, const char *what, fg_error *err)
{
    *fault = FG_AWS_INCOMPLETE;
    return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "Authorization header requires %s", what);
}

fg_code fg_aws_authorization_parse(fg_aws_authorization *out, const char *header, fg_aws_fault *fault,
                                   fg_error *err)
{
    char end_text[16];
    const char *part = NULL;
    size_t size = 0;
    *out = (fg_aws_authorization){0};
    *fault = FG_AWS_GOOD;
    if (!header || !*header) {
        *fault = FG_AWS_MISSING;
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "Missing Authentication Token");
    }
    if (!fg_aws_is_signed(header))
        return incomplete(fault, "the algorithm " FG_SIGV4_ALGORITHM, err);
    header += sizeof algorithm - 1;
    if (!take_part(header, "Credential", &part, &size))
        return incomplete(fault, "'Credential' parameter", err);
    const char *end = part + size;
    if (!take_credential(&part, end, out->access_key, sizeof out->access_key) ||
        !take_credential(&part, end, out->day, sizeof out->day) || strlen(out->day) != 8 ||
        strspn(out->day, "0123456789") != 8 ||
        !take_credential(&part, end, out->region, sizeof out->region) ||
        !take_credential(&part, end, out->service, sizeof out->service) ||
        !take_credential(&part, end, end_text, sizeof end_text) || part != end || end[-1] == '/' ||
        strcmp(end_text, FG_SIGV4_END) != 0)
        return incomplete(fault, "a 'Credential' of the form KEY/YYYYMMDD/REGION/SERVICE/" FG_SIGV4_END, err);
    if (!take_part(header, "SignedHeaders", &part, &size) || size >= sizeof out->signed_headers)
        return incomplete(fault, "'SignedHeaders' parameter", err);
    memcpy(out->signed_headers, part, size);
    out->signed_headers[size] = 0;
    if (!is_header_list(out->signed_headers))
        return incomplete(fault, "'SignedHeaders' in lower case and in order", err);
    if (!take_part(header, "Signature", &part, &size) || size != FG_SHA256_HEX - 1)
        return incomplete(fault, "'Signature' parameter", err);
    memcpy(out->signature, part, size);
    if (strspn(out->signature, "0123456789abcdef") != FG_SHA256_HEX - 1)
        return incomplete(fault, "a 'Signature' of 64 hex digits", err);
    return FG_OK;
}

/* -- checks -- */

static fg_code wrong(fg_aws_fault *fault, fg_error *err)
{
    *fault = FG_AWS_WRONG;
    return FG_FAIL(
        err, FG_ERR_UNAUTHORIZED,
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details.");
}

/* "20150830T123600Z" in milliseconds since 1970; -1 where it is none. */
static int64_t parse_time(const char *t)
{
    char text[FG_TIME_TEXT];
    int64_t ms;
    if (!t || strlen(t) != FG_SIGV4_TIME - 1)
        return -1;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2s%c%.2s:%.2s:%.2s%c", t, t + 4, t + 6, t[8], t + 9, t + 11,
             t + 13, t[15]);
    return t[8] == 'T' && t[15] == 'Z' && fg_clock_parse(text, &ms) ? ms : -1;
}

fg_code fg_aws_check_time(const fg_aws_authorization *a, const char *amz_date, int64_t now_ms,
                          fg_aws_fault *fault, fg_error *err)
{
    char now[FG_SIGV4_TIME], limit[FG_SIGV4_TIME];
    int64_t then_ms = parse_time(amz_date);
    *fault = FG_AWS_GOOD;
    if (then_ms < 0)
        return incomplete(fault, "existence of a 'X-Amz-Date' header of the form YYYYMMDDTHHMMSSZ", err);
    if (strncmp(amz_date, a->day, 8) != 0) {
        *fault = FG_AWS_WRONG;
        return FG_FAIL(
            err, FG_ERR_UNAUTHORIZED,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' "
            "!= '%.8s', from '%s'.",
            a->day, amz_date, amz_date);
    }
    if (then_ms >= now_ms - FG_AWS_SKEW_MS && then_ms <= now_ms + FG_AWS_SKEW_MS)
        return FG_OK;
    *fault = FG_AWS_WRONG;
    fg_sigv4_time(now_ms, now);
    bool old = then_ms < now_ms;
    fg_sigv4_time(old ? now_ms - FG_AWS_SKEW_MS : now_ms + FG_AWS_SKEW_MS, limit);
    return FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                   old ? "Signature expired: %s is now earlier than %s (%s - 5 min.)"
                       : "Signature not yet current: %s is still later than %s (%s + 5 min.)",
                   amz_date, limit, now);
}

static bool is_in_list(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = list; *p;) {
        size_t size = strcspn(p, ";");
        if (size == n && strncasecmp(p, name, n) == 0)
            return true;
        p += size;
        p += *p == ';';
    }
    return false;
}

/* What decides what the request means must not be changed on the way. */
static bool signs_enough(const fg_aws_authorization *a, const fg_sigv4_request *r)
{
    bool host = false;
    for (int i = 0; i < r->header_count; i++) {
        const char *name = r->headers[i].name;
        bool must = strcasecmp(name, "host") == 0 || strcasecmp(name, "content-type") == 0 ||
                    strncasecmp(name, "x-amz-", 6) == 0;
        host = host || strcasecmp(name, "host") == 0;
        if (must && !is_in_list(a->signed_headers, name))
            return false;
    }
    return host;
}

/* Every name in the list is of a header that came. */
static bool signs_what_came(const fg_aws_authorization *a, const fg_sigv4_request *r)
{
    for (const char *p = a->signed_headers; *p;) {
        size_t size = strcspn(p, ";");
        bool came = false;
        for (int i = 0; i < r->header_count && !came; i++)
            came = strlen(r->headers[i].name) == size && strncasecmp(r->headers[i].name, p, size) == 0;
        if (!came)
            return false;
        p += size;
        p += *p == ';';
    }
    return true;
}

fg_code fg_aws_check_signature(const fg_aws_authorization *a, const fg_sigv4_request *r, const char *secret,
                               fg_aws_fault *fault, fg_error *err)
{
    char signature[FG_SHA256_HEX], time[FG_SIGV4_TIME] = "";
    fg_buf canonical;
    *fault = FG_AWS_GOOD;
    if (!signs_enough(a, r)) {
        *fault = FG_AWS_WRONG;
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                       "'Host', 'Content-Type' and every 'X-Amz-' header must be a 'SignedHeader' in the AWS "
                       "Authorization.");
    }
    if (!signs_what_came(a, r))
        return wrong(fault, err);
    for (int i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, "x-amz-date") == 0)
            snprintf(time, sizeof time, "%s", r->headers[i].value);
    fg_buf_init(&canonical, MAX_CANONICAL);
    fg_code rc = fg_sigv4_canonical(r, a->signed_headers, &canonical, err);
    if (rc == FG_OK) {
        fg_sigv4_sign(secret, time, a->region, a->service, canonical.data, canonical.size, signature);
        if (sodium_memcmp(signature, a->signature, sizeof signature - 1) != 0)
            rc = wrong(fault, err);
        sodium_memzero(signature, sizeof signature);
    } else {
        *fault = FG_AWS_INVALID;
    }
    fg_buf_deinit(&canonical);
    return rc;
}
