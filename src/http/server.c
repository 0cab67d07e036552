#include "http/http.h"

#include "base/clock.h"
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PEM_BYTES = 1 << 20, SAFE_KEY = 20 };

/* A door asks a few times a second and a load test a thousand times; a guesser is stopped by the lock-out. */
static fg_code make_limiters(fg_server *s, fg_error *err)
{
    const fg_limiter_options limits = {.per_second = s->settings->rate_limit,
                                       .burst = 2.0 * s->settings->rate_limit,
                                       .lock_after = 10,
                                       .lock_ms = 1000,
                                       .lock_max_ms = 15 * 60000,
                                       .forgive_ms = 6000,
                                       .names = 4096};
    fg_code rc = fg_limiter_new(&s->limiter, &limits, err);
    return rc == FG_OK ? fg_limiter_new(&s->key_limiter, &limits, err) : rc;
}

static void on_library_log(void *context, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_library_log(void *context, const char *fmt, va_list args)
{
    const fg_server *server = context;
    char line[512];
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = 0;
    fg_log_write(server->log, FG_LOG_DEBUG, "libmicrohttpd: %s", line);
}

static fg_code read_tls(fg_server *s, fg_error *err)
{
    const char *cert = s->settings->tls_cert, *key = s->settings->tls_key;
    fg_code rc;
    fg_buf_init(&s->tls_cert, MAX_PEM_BYTES);
    fg_buf_init(&s->tls_key, MAX_PEM_BYTES);
    if (!cert && !key)
        return FG_OK;
    if (!cert || !key)
        return FG_FAIL(err, FG_ERR_USAGE, "--tls-cert and --tls-key: give both, or neither");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "--tls-cert: this libmicrohttpd was built without TLS");
    s->tls = true;
    if ((rc = fg_file_read(cert, &s->tls_cert, err)) != FG_OK)
        return rc;
    return fg_file_read(key, &s->tls_key, err);
}

static fg_code open_socket(fg_server *s, fg_error *err)
{
    fg_listen_address address;
    const char *environment = getenv("PORT");
    int port;
    fg_code rc = fg_listen_parse(&address, s->settings->listen, err);
    if (rc != FG_OK)
        return rc;
    if (address.port < 0 && s->settings->port >= 0)
        address.port = s->settings->port;
    if (address.port < 0 && environment && *environment) {
        char *end;
        long value = strtol(environment, &end, 10);
        if (*end || value < 0 || value > 65535)
            return FG_FAIL(err, FG_ERR_USAGE, "PORT=%.40s: give a port from 0 to 65535", environment);
        address.port = (int)value;
    }
    if (address.port < 0)
        address.port = 8080;
    if ((rc = fg_listen_open(&address, &s->listen_fd, &port, &s->loopback, err)) != FG_OK)
        return rc;
    bool any = strcmp(address.host, "0.0.0.0") == 0 || strcmp(address.host, "::") == 0;
    bool v6 = !any && strchr(address.host, ':');
    snprintf(s->url, sizeof s->url, "%s://%s%s%s:%d", s->tls ? "https" : "http", v6 ? "[" : "",
             any ? "localhost" : address.host, v6 ? "]" : "", port);
    snprintf(s->cookie, sizeof s->cookie, "%sfacegate_%d", s->tls ? "__Host-" : "", port);
    if (!s->loopback && !s->tls && !s->artifact)
        fg_log_write(
            s->log, FG_LOG_WARN,
            "listening on %s without TLS: keys and faces cross the network in the clear; give --tls-cert "
            "and --tls-key, or put a proxy with TLS before it",
            s->settings->listen);
    return FG_OK;
}

/* A first start has nobody who could make a key, so it makes one. An access key signs requests to an
 * endpoint, and nobody in. */
static fg_code make_admin_key(fg_server *s, char admin_key[FG_KEY_TEXT], fg_error *err)
{
    fg_store *store = fg_app_store(s->app);
    const size_t preset = s->settings->admin_key ? strlen(s->settings->admin_key) : 0;
    fg_key *keys = NULL;
    long count = 0;
    bool found = preset > 0;
    int64_t now_ms = fg_clock_unix_ms();
    if (preset && preset < SAFE_KEY)
        fg_log_write(
            s->log, FG_LOG_WARN,
            "FACEGATE_ADMIN_KEY has %zu characters: that can be guessed; give %d random ones at least",
            preset, SAFE_KEY);
    fg_code rc = fg_store_keys(store, &keys, &count, err);
    for (long i = 0; i < count && rc == FG_OK; i++)
        found = found || (strstr(keys[i].scope, "admin") && !keys[i].aws && !keys[i].revoked_ms &&
                          (!keys[i].expires_ms || keys[i].expires_ms > now_ms));
    fg_keys_free(keys, count);
    if (rc == FG_OK && !found)
        rc = fg_access_key_create(store, FG_SCOPE_ADMIN, "made at the first start", 0, admin_key, err);
    return rc;
}

static fg_code start_daemon(fg_server *s, fg_error *err)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG | (s->tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert.data},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key.data},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, fg_http_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, s,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_UNESCAPE_CALLBACK, fg_http_unescape, s,
        MHD_OPTION_NOTIFY_COMPLETED, fg_http_completed, s, MHD_OPTION_NOTIFY_CONNECTION, fg_http_connected, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)FG_HTTP_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)FG_HTTP_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)FG_HTTP_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)FG_HTTP_HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)FG_HTTP_STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, s->tls ? tls : none,
        MHD_OPTION_END);
    if (s->daemon)
        return FG_OK;
    return s->tls
               ? FG_FAIL(err, FG_ERR_INPUT,
                         "%s: the certificate and the key are not usable together; give PEM files that match",
                         s->settings->tls_cert)
               : FG_FAIL(err, FG_ERR_IO, "%s: cannot start to serve", s->url);
}

static void sweep(void *context)
{
    fg_server *s = context;
    fg_uploads_sweep(s->uploads);
    fg_jobs_forget(s->jobs);
}

/* Whoever starts a server that trains on SageMaker hears at once what is missing. */
static fg_code check_training(fg_server *s, fg_error *err)
{
    if (fg_tuning_default(s->app, FG_TUNE_SAGEMAKER) == 0)
        return FG_OK;
    fg_code rc = fg_app_can_train_remote(s->app, err);
    return rc == FG_OK ? FG_OK : fg_error_prefix(err, rc, "--train-on sagemaker");
}

/* What only a server with a team of its own has. */
static fg_code open_team(fg_server *s, char admin_key[FG_KEY_TEXT], fg_error *err)
{
    char uploads[FG_MAX_PATH];
    fg_code rc;
    if ((rc = fg_path_join(uploads, sizeof uploads, s->settings->data, "uploads", err)) != FG_OK ||
        (rc = fg_uploads_open(&s->uploads, uploads, (uint64_t)s->settings->max_upload_mb << 20, err)) !=
            FG_OK ||
        (rc = fg_sessions_new(&s->sessions, err)) != FG_OK ||
        (rc = fg_web_open(&s->web, s->settings->web, err)) != FG_OK ||
        (rc = fg_tuning_load(s->app, err)) != FG_OK || (rc = check_training(s, err)) != FG_OK ||
        (rc = fg_jobs_open(&s->jobs, s->app, &s->metrics, s->uploads, err)) != FG_OK ||
        (rc = fg_janitor_open(&s->janitor, s->app, sweep, s, err)) != FG_OK)
        return rc;
    return make_admin_key(s, admin_key, err);
}

static fg_code open_server(fg_server **server, fg_app *app, const fg_artifact *artifact,
                           char admin_key[FG_KEY_TEXT], fg_error *err)
{
    char tmp[FG_MAX_PATH];
    fg_code rc;
    *server = NULL;
    *admin_key = 0;
    fg_server *s = calloc(1, sizeof *s);
    if (!s)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    s->app = app;
    s->artifact = artifact;
    s->settings = fg_app_settings(app);
    s->log = fg_app_log(app);
    s->listen_fd = s->stop_pipe[0] = s->stop_pipe[1] = -1;
    snprintf(s->instance, sizeof s->instance, "%08x", randombytes_random());
    if (pipe(s->stop_pipe) != 0 || fcntl(s->stop_pipe[1], F_SETFL, O_NONBLOCK) != 0) {
        rc = FG_FAIL_ERRNO(err, "cannot make a pipe", "serve");
        goto done;
    }
    (void)fcntl(s->stop_pipe[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(s->stop_pipe[1], F_SETFD, FD_CLOEXEC);
    if ((rc = fg_cors_check(s->settings, err)) != FG_OK || (rc = read_tls(s, err)) != FG_OK ||
        (rc = open_socket(s, err)) != FG_OK ||
        (rc = fg_path_join(tmp, sizeof tmp, s->settings->data, "tmp", err)) != FG_OK ||
        (rc = fg_spool_open(&s->spool, tmp, err)) != FG_OK || (rc = make_limiters(s, err)) != FG_OK ||
        (rc = fg_idempotency_new(&s->idempotency, err)) != FG_OK ||
        (rc = fg_guard_open(&s->guard, err)) != FG_OK ||
        (rc = fg_pool_open(&s->pool, app, fg_app_workers(app), err)) != FG_OK ||
        (!artifact && (rc = open_team(s, admin_key, err)) != FG_OK) || (rc = start_daemon(s, err)) != FG_OK)
        goto done;
    *server = s;
    s = NULL;
done:
    if (rc != FG_OK)
        sodium_memzero(admin_key, FG_KEY_TEXT);
    fg_server_close(s);
    return rc;
}

fg_code fg_server_open(fg_server **server, fg_app *app, char admin_key[FG_KEY_TEXT], fg_error *err)
{
    return open_server(server, app, NULL, admin_key, err);
}

fg_code fg_server_open_artifact(fg_server **server, fg_app *app, const fg_artifact *artifact, fg_error *err)
{
    char no_key[FG_KEY_TEXT];
    const fg_engine_info *model = fg_engine_info_view(fg_app_engine(app));
    *server = NULL;
    if (strcmp(artifact->model_hash, model->model_hash) != 0)
        return FG_FAIL(
            err, FG_ERR_STATE,
            "the model was trained on templates of %s (%.12s), and this program embeds with %s (%.12s): set "
            "FACEGATE_EMBEDDER, or train again",
            artifact->embedder, artifact->model_hash, model->embedder, model->model_hash);
    return open_server(server, app, artifact, no_key, err);
}

const char *fg_server_url(const fg_server *server)
{
    return server->url;
}

fg_code fg_server_sign_in_link(fg_server *server, char link[FG_SERVER_LINK], fg_error *err)
{
    char token[FG_TOKEN_TEXT];
    fg_sessions_link_make(server->sessions, fg_clock_unix_ms(), token);
    int n = snprintf(link, FG_SERVER_LINK, "%s/signin#token=%s", server->url, token);
    sodium_memzero(token, sizeof token);
    return n < FG_SERVER_LINK ? FG_OK : FG_FAIL(err, FG_ERR_LIMIT, "the address is too long for a link");
}

void fg_server_stop(fg_server *server)
{
    int saved = errno;
    /* A full pipe has been told already. */
    ssize_t n = write(server->stop_pipe[1], "", 1);
    (void)n;
    errno = saved;
}

static void sleep_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

fg_code fg_server_run(fg_server *server, fg_error *err)
{
    struct pollfd stop = {.fd = server->stop_pipe[0], .events = POLLIN};
    while (poll(&stop, 1, -1) < 0)
        if (errno != EINTR)
            return FG_FAIL_ERRNO(err, "cannot wait", "serve");
    atomic_store(&server->stopping, true);
    /* No new connections, no more waiting for events; then whoever is being served is served. */
    int fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0) {
        close(fd);
        server->listen_fd = -1;
    }
    if (server->jobs)
        fg_jobs_stop(server->jobs);
    for (int ms = 0; ms < FG_HTTP_DRAIN_MS && atomic_load(&server->metrics.in_flight) > 0; ms += 20)
        sleep_ms(20);
    return FG_OK;
}

void fg_server_close(fg_server *server)
{
    if (!server)
        return;
    atomic_store(&server->stopping, true);
    if (server->jobs)
        fg_jobs_stop(server->jobs);
    if (server->daemon) {
        MHD_stop_daemon(server->daemon); /* closes the listening socket too */
        server->listen_fd = -1;
    }
    fg_janitor_close(server->janitor);
    fg_jobs_close(server->jobs);
    fg_pool_close(server->pool);
    fg_web_close(server->web);
    fg_guard_close(server->guard);
    fg_sessions_free(server->sessions);
    fg_limiter_free(server->limiter);
    fg_limiter_free(server->key_limiter);
    fg_idempotency_free(server->idempotency);
    fg_uploads_close(server->uploads);
    fg_spool_close(server->spool);
    if (server->tls_key.data)
        sodium_memzero(server->tls_key.data, server->tls_key.size);
    fg_buf_deinit(&server->tls_cert);
    fg_buf_deinit(&server->tls_key);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    for (int i = 0; i < 2; i++)
        if (server->stop_pipe[i] >= 0)
            close(server->stop_pipe[i]);
    free(server);
}
