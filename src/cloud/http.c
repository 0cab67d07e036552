#include "cloud/http.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cloud/sigv4.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { IDLE_MAX = 16, HEADERS_MAX_BYTES = 1 << 16, STALL_SECONDS = 30, ASK_MS = 200 };

struct fg_http_client {
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX]; /* each with its own open connections */
    int idle_count;
};

fg_code fg_http_client_new(fg_http_client **out, fg_error *err)
{
    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return FG_FAIL(err, FG_ERR_INTERNAL, "libcurl does not start");
    fg_http_client *client = calloc(1, sizeof *client);
    if (!client || pthread_mutex_init(&client->lock, NULL) != 0) {
        free(client);
        curl_global_cleanup();
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    *out = client;
    return FG_OK;
}

void fg_http_client_free(fg_http_client *client)
{
    if (!client)
        return;
    for (int i = 0; i < client->idle_count; i++)
        curl_easy_cleanup(client->idle[i]);
    pthread_mutex_destroy(&client->lock);
    free(client);
    curl_global_cleanup();
}

static CURL *borrow(fg_http_client *client)
{
    CURL *easy = NULL;
    pthread_mutex_lock(&client->lock);
    if (client->idle_count)
        easy = client->idle[--client->idle_count];
    pthread_mutex_unlock(&client->lock);
    return easy ? easy : curl_easy_init();
}

static void give_back(fg_http_client *client, CURL *easy)
{
    curl_easy_reset(easy); /* forgets the secrets, keeps the connections */
    pthread_mutex_lock(&client->lock);
    if (client->idle_count < IDLE_MAX) {
        client->idle[client->idle_count++] = easy;
        easy = NULL;
    }
    pthread_mutex_unlock(&client->lock);
    if (easy)
        curl_easy_cleanup(easy);
}

/* -- answers -- */

void fg_http_answer_init(fg_http_answer *answer, size_t max_body_bytes)
{
    *answer = (fg_http_answer){0};
    fg_buf_init(&answer->headers, HEADERS_MAX_BYTES);
    fg_buf_init(&answer->body, max_body_bytes);
}

void fg_http_answer_deinit(fg_http_answer *answer)
{
    fg_buf_deinit(&answer->headers);
    fg_buf_deinit(&answer->body);
}

bool fg_http_answer_header(const fg_http_answer *answer, const char *name, char *out, size_t out_size)
{
    const size_t n = strlen(name);
    *out = 0;
    for (const char *line = (const char *)answer->headers.data; line && *line;) {
        const char *end = strchr(line, '\n');
        if (strncasecmp(line, name, n) == 0 && strncmp(line + n, ": ", 2) == 0) {
            size_t size = (size_t)(end - line) - n - 2;
            if (size >= out_size)
                return false;
            memcpy(out, line + n + 2, size);
            out[size] = 0;
            return true;
        }
        line = end + 1;
    }
    return false;
}

/* -- one transfer -- */

typedef struct transfer {
    const fg_http_request *request;
    fg_http_answer *answer;
    CURL *easy;
    bool signed_here;
    uint64_t sent;   /* of the body */
    double asked_ms; /* whether to go on */
    fg_code rc;      /* what a callback failed with */
    fg_error *err;
} transfer;

static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    transfer *t = context;
    size *= one;
    const size_t whole = size;
    while (size && (data[size - 1] == '\r' || data[size - 1] == '\n'))
        size--;
    t->answer->whole = size == 0;
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* also after a 100 Continue */
        fg_buf_clear(&t->answer->headers);
        return whole;
    }
    const char *colon = memchr(data, ':', size);
    if (!colon)
        return whole;
    const char *value = colon + 1;
    while (value < data + size && (*value == ' ' || *value == '\t'))
        value++;
    for (char *p = data; p < colon; p++)
        *p = (char)tolower((unsigned char)*p);
    t->rc = fg_buf_printf(&t->answer->headers, t->err, "%.*s: %.*s\n", (int)(colon - data), data,
                          (int)(data + size - value), value);
    return t->rc == FG_OK ? whole : 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    transfer *t = context;
    long status = 0;
    size *= one;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->answer->status = (int)status;
    if (t->request->sink && status / 100 == 2) {
        t->rc = t->request->sink(t->request->context, t->answer, data, size, t->err);
        t->answer->sink_ended = t->rc != FG_OK;
    } else {
        t->rc = fg_buf_append(&t->answer->body, data, size, t->err);
    }
    return t->rc == FG_OK ? size : CURL_WRITEFUNC_ERROR;
}

static size_t on_read(char *out, size_t one, size_t size, void *context)
{
    transfer *t = context;
    const fg_http_request *r = t->request;
    size *= one;
    if (size > r->body_size - t->sent)
        size = (size_t)(r->body_size - t->sent);
    if (size == 0)
        return 0;
    if (r->body) {
        memcpy(out, (const char *)r->body + t->sent, size);
    } else {
        ssize_t n = pread(r->fd, out, size, (off_t)(r->fd_offset + t->sent));
        if (n <= 0) {
            t->rc = n == 0 ? FG_FAIL(t->err, FG_ERR_INPUT, "%s: the file has become shorter", r->what)
                           : FG_FAIL_ERRNO(t->err, "cannot read for", r->what);
            return CURL_READFUNC_ABORT;
        }
        size = (size_t)n;
    }
    t->sent += size;
    return size;
}

static int on_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    transfer *t = context;
    const double now = fg_clock_monotonic_ms();
    (void)a, (void)b, (void)c, (void)d;
    if (now - t->asked_ms < ASK_MS) /* libcurl asks with every packet */
        return 0;
    t->asked_ms = now;
    return t->request->go_on(t->request->go_on_context) ? 0 : 1;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    transfer *t = context;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l; l = l->next)
        sodium_memzero(l->data, strlen(l->data)); /* one of them may be a session token */
    curl_slist_free_all(list);
}

/* libcurl sorts whole header lines, so that "a-b: 1" comes before "a: 1"; the names alone are to be sorted
 * (fixed in libcurl 8). A request with two such headers is signed here. */
static bool is_sorted_wrongly(const struct curl_slist *list)
{
    for (const struct curl_slist *a = list; a; a = a->next) {
        const size_t n = strcspn(a->data, ":");
        for (const struct curl_slist *b = list; b; b = b->next)
            if (strcspn(b->data, ":") > n && strncasecmp(a->data, b->data, n) == 0 && b->data[n] < ':')
                return true;
    }
    return false;
}

static fg_code sign_here(const fg_http_request *r, struct curl_slist **list, fg_error *err)
{
    const char *lines[64];
    size_t count = 0;
    char time[FG_SIGV4_TIME], date[32];
    char hash[FG_SHA256_HEX];
    fg_buf header;
    const fg_http_signer *s = r->signer;
    fg_sigv4_time(fg_clock_unix_ms(), time);
    snprintf(date, sizeof date, "X-Amz-Date: %s", time);
    if (!add_header(list, date))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (const struct curl_slist *l = *list; l && count < sizeof lines / sizeof lines[0]; l = l->next)
        lines[count++] = l->data;
    if (!r->payload_sha256)
        fg_sha256_hex(r->body ? r->body : "", r->body ? (size_t)r->body_size : 0, hash);
    fg_buf_init(&header, 4096);
    fg_code rc = fg_buf_printf(&header, err, "Authorization: ");
    if (rc == FG_OK)
        rc = fg_sigv4_authorization(&header, r->method, r->url, lines, count,
                                    r->payload_sha256 ? r->payload_sha256 : hash, s->access_key,
                                    s->secret_key, s->region, s->service, time, err);
    if (rc == FG_OK && !add_header(list, (const char *)header.data))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_buf_deinit(&header);
    return rc;
}

static fg_code make_headers(const fg_http_request *r, struct curl_slist **list, bool *own, fg_error *err)
{
    char line[96];
    /* No "Expect:" to keep libcurl from sending that header: it would be signed, and not sent. */
    bool good = true;
    for (const char *const *h = r->headers; h && *h && good; h++)
        good = add_header(list, *h);
    if (r->signer && good) {
        char hex[FG_SHA256_HEX];
        if (!r->payload_sha256)
            fg_sha256_hex(r->body ? r->body : "", r->body ? (size_t)r->body_size : 0, hex);
        snprintf(line, sizeof line, "x-amz-content-sha256: %s", r->payload_sha256 ? r->payload_sha256 : hex);
        good = add_header(list, line);
        if (good && r->signer->token && *r->signer->token) {
            fg_buf token;
            fg_buf_init(&token, HEADERS_MAX_BYTES);
            good = fg_buf_printf(&token, err, "x-amz-security-token: %s", r->signer->token) == FG_OK &&
                   add_header(list, (const char *)token.data);
            fg_buf_wipe(&token);
        }
    }
    if (!good)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    *own = r->signer && is_sorted_wrongly(*list);
    return *own ? sign_here(r, list, err) : FG_OK;
}

static CURLcode set_method(transfer *t)
{
    const fg_http_request *r = t->request;
    CURL *easy = t->easy;
    if (strcmp(r->method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (strcmp(r->method, "POST") == 0) {
        CURLcode c = curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (c == CURLE_OK && r->body)
            c = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
        if (c == CURLE_OK && !r->body && r->body_size == 0)
            c = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
        return c == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size)
                             : c;
    }
    if (strcmp(r->method, "PUT") == 0) {
        CURLcode c = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        return c == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_size) : c;
    }
    return strcmp(r->method, "GET") == 0 ? CURLE_OK
                                         : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static CURLcode set_signer(CURL *easy, const fg_http_signer *s)
{
    char scope[160];
    if (!s)
        return CURLE_OK;
    snprintf(scope, sizeof scope, "aws:amz:%.64s:%.64s", s->region, s->service);
    CURLcode c = curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, scope);
    if (c == CURLE_OK)
        c = curl_easy_setopt(easy, CURLOPT_USERNAME, s->access_key);
    return c == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_PASSWORD, s->secret_key) : c;
}

static CURLcode set_up(transfer *t, char message[CURL_ERROR_SIZE], struct curl_slist *headers)
{
    const fg_http_request *r = t->request;
    CURL *easy = t->easy;
    const char *ca = r->ca_file ? r->ca_file : getenv("AWS_CA_BUNDLE");
    CURLcode c = CURLE_OK;
#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (c == CURLE_OK)                                                                                   \
            c = curl_easy_setopt(easy, option, value);                                                       \
    } while (0)
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_ERRORBUFFER, message);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* credentials go to the host they are meant for, or nowhere */
    SET(CURLOPT_PATH_AS_IS, 1L);     /* the signature covers the path as it is given */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "facegate/" FG_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT_MS, r->connect_timeout_ms ? r->connect_timeout_ms : 10000L);
    SET(CURLOPT_TIMEOUT_MS, r->timeout_ms);
    if (r->timeout_ms == 0) {
        SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    }
    SET(CURLOPT_BUFFERSIZE, 1L << 16);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 1L << 16);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, t);
    if (ca && *ca)
        SET(CURLOPT_CAINFO, ca);
    if (r->direct)
        SET(CURLOPT_NOPROXY, "*");
    if (r->go_on) {
        SET(CURLOPT_XFERINFOFUNCTION, on_tick);
        SET(CURLOPT_XFERINFODATA, t);
        SET(CURLOPT_NOPROGRESS, 0L);
    }
#undef SET
    if (c == CURLE_OK)
        c = set_method(t);
    return c == CURLE_OK ? set_signer(easy, t->signed_here ? NULL : r->signer) : c;
}

static fg_code failed(const transfer *t, CURLcode c, const char *message)
{
    char why[200];
    const char *what = t->request->what;
    if (c == CURLE_OUT_OF_MEMORY)
        return FG_FAIL(t->err, FG_ERR_MEMORY, "out of memory");
    fg_text_clean(why, sizeof why, *message ? message : curl_easy_strerror(c));
    switch (c) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return FG_FAIL(t->err, FG_ERR_IO, "%s: %s; check the address and the network", what, why);
    case CURLE_COULDNT_CONNECT:
        return FG_FAIL(t->err, FG_ERR_IO, "%s: cannot connect: %s; check the network", what, why);
    case CURLE_ABORTED_BY_CALLBACK:
        return FG_FAIL(t->err, FG_ERR_CANCELLED, "%s: cancelled", what);
    case CURLE_OPERATION_TIMEDOUT:
        return FG_FAIL(t->err, FG_ERR_IO, "%s: no answer in time: %s", what, why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return FG_FAIL(t->err, FG_ERR_IO,
                       "%s: the server is not trusted: %s; name its authority's certificate in %s", what, why,
                       t->request->signer ? "AWS_CA_BUNDLE" : "FACEGATE_CA_FILE");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FG_FAIL(t->err, FG_ERR_USAGE, "%s: not an address: %s", what, why);
    default:
        return FG_FAIL(t->err, FG_ERR_IO, "%s: the connection failed: %s", what, why);
    }
}

fg_code fg_http_send(fg_http_client *client, const fg_http_request *request, fg_http_answer *answer,
                     fg_error *err)
{
    char message[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    long status = 0, sent = 0;
    answer->status = 0;
    answer->connected = answer->sink_ended = answer->whole = false;
    fg_buf_clear(&answer->headers);
    fg_buf_clear(&answer->body);
    transfer t = {.request = request,
                  .answer = answer,
                  .easy = borrow(client),
                  .asked_ms = fg_clock_monotonic_ms(),
                  .err = err};
    if (!t.easy)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = make_headers(request, &headers, &t.signed_here, err);
    if (rc != FG_OK)
        goto done;
    CURLcode c = set_up(&t, message, headers);
    if (c == CURLE_OK)
        c = curl_easy_perform(t.easy);
    curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t.easy, CURLINFO_REQUEST_SIZE, &sent);
    answer->status = (int)status;
    answer->connected = sent > 0;
    if (c != CURLE_OK) {
        rc = t.rc != FG_OK ? t.rc : failed(&t, c, message);
        if (t.rc == FG_ERR_LIMIT)
            fg_error_prefix(err, rc, request->what);
    }
    if (rc == FG_OK && !answer->whole) /* which libcurl takes for an answer without a body */
        rc = FG_FAIL(err, FG_ERR_IO, "%s: the connection was cut off", request->what);
done:
    wipe_headers(headers);
    give_back(client, t.easy);
    return rc;
}

int64_t fg_http_date_ms(const char *text)
{
    time_t seconds = curl_getdate(text, NULL);
    return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}

/* -- addresses -- */

/* Host and port, in lower case. */
static bool authority(CURLU *url, char out[320])
{
    char *host = NULL, *port = NULL;
    bool good = curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                snprintf(out, 320, "%s:%s", host, port) < 320;
    for (char *p = out; good && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    curl_free(host);
    curl_free(port);
    return good;
}

bool fg_url_follow(const char *base, const char *location, char *out, size_t out_size, bool *same_host)
{
    char from[320], to[320], *whole = NULL;
    CURLU *url = curl_url();
    *out = 0;
    *same_host = false;
    bool good = url && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK && authority(url, from) &&
                curl_url_set(url, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK && strlen(whole) < out_size;
    if (good) {
        memcpy(out, whole, strlen(whole) + 1);
        *same_host = authority(url, to) && strcmp(from, to) == 0;
    }
    curl_free(whole);
    curl_url_cleanup(url);
    return good;
}

/* libcurl gives IPv6 in brackets. */
static bool is_this_machine(const char *host)
{
    char bare[64];
    const size_t n = strlen(host);
    if (n < 2 || host[0] != '[' || host[n - 1] != ']')
        return fg_text_is_loopback(host);
    return snprintf(bare, sizeof bare, "%.*s", (int)n - 2, host + 1) < (int)sizeof bare &&
           fg_text_is_loopback(bare);
}

fg_code fg_url_check_endpoint(const char *url, const char *what, fg_error *err)
{
    char *scheme = NULL, *host = NULL, *path = NULL, *query = NULL, *user = NULL;
    fg_code rc = FG_OK;
    CURLU *u = curl_url();
    if (!u)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK || strcmp(path, "/") != 0 ||
        curl_url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_OK ||
        curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
        (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        rc = FG_FAIL(err, FG_ERR_USAGE, "%s: not an address; give https://HOST[:PORT]", what);
    else if (strcmp(scheme, "http") == 0 && !is_this_machine(host))
        rc = FG_FAIL(err, FG_ERR_USAGE,
                     "%s: faces must not travel in the clear; give https:// (http:// is taken for this "
                     "machine's own addresses alone)",
                     what);
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    curl_free(query);
    curl_free(user);
    curl_url_cleanup(u);
    return rc;
}
