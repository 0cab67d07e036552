/* Health, metrics, and what this server is. */
#include "http/http.h"

#include "base/embedded.h"

#include <stdlib.h>
#include <string.h>

fg_code fg_api_about(fg_request *r, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(r->server->app));
    const fg_settings *s = r->server->settings;
    const char *endpoint = fg_app_endpoint(r->server->app);
    const bool sagemaker = fg_tuning_get(r->server->app, FG_TUNE_SAGEMAKER) != 0;
    int64_t active = 0;
    fg_code rc = fg_store_version_active(fg_app_store(r->server->app), &active, err);
    if (rc != FG_OK)
        return rc;
    return fg_reply_json(
        r, 200,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:i, s:i, s:i, s:o, s:s, s:o}", "version",
                  fg_version(), "embedder", info->embedder, "model_hash", info->model_hash, "detector",
                  info->detector, "precision", fg_precision_name(info->precision), "embedding_size",
                  info->embedding_size, "threshold", s->threshold, "every",
                  (int)fg_tuning_get(r->server->app, FG_TUNE_EVERY), "max_upload_mb", s->max_upload_mb,
                  "workers", fg_pool_workers(r->server->pool), "classifier",
                  active ? json_integer(active) : json_null(), "train_on", sagemaker ? "sagemaker" : "here",
                  "endpoint", *endpoint ? json_string(endpoint) : json_null()),
        err);
}

extern const fg_embedded fg_openapi_file[];

fg_code fg_api_openapi(fg_request *r, fg_error *err)
{
    return fg_reply_tagged_static(r, "application/json", fg_openapi_file->data, fg_openapi_file->size, err);
}

fg_code fg_api_healthz(fg_request *r, fg_error *err)
{
    return fg_reply_static(r, 200, "text/plain; charset=utf-8", "ok\n", 3, err);
}

/* Ready is: the store answers, and the models are loaded, which they are since the start. */
fg_code fg_api_readyz(fg_request *r, fg_error *err)
{
    int64_t active;
    if (atomic_load(&r->server->stopping))
        return FG_FAIL(err, FG_ERR_BUSY, "the server is stopping");
    if (fg_store_version_active(fg_app_store(r->server->app), &active, NULL) != FG_OK)
        return FG_FAIL(err, FG_ERR_BUSY, "the store does not answer");
    return fg_reply_static(r, 200, "text/plain; charset=utf-8", "ready\n", 6, err);
}

fg_code fg_api_metrics(fg_request *r, fg_error *err)
{
    fg_buf text;
    fg_server *s = r->server;
    fg_buf_init(&text, 64 << 10);
    fg_code rc = fg_metrics_write(&s->metrics, fg_pool_queue_length(s->pool), fg_jobs_length(s->jobs),
                                  fg_pool_workers(s->pool), &text, err);
    if (rc == FG_OK) {
        uint8_t *data = text.data; /* the reply frees it */
        text.data = NULL;
        rc = fg_reply_bytes(r, 200, "text/plain; version=0.0.4; charset=utf-8", data, text.size, err);
    }
    fg_buf_deinit(&text);
    return rc;
}
