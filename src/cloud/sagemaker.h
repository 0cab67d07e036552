/* SageMaker's two interfaces: the one that creates and describes (JSON 1.1), and the runtime that asks an
 * endpoint. https://docs.aws.amazon.com/sagemaker/latest/APIReference/ */
#ifndef FG_CLOUD_SAGEMAKER_H
#define FG_CLOUD_SAGEMAKER_H

#include "cloud/aws.h"

#include <jansson.h>

typedef struct fg_sagemaker fg_sagemaker; /* safe to share between threads */

/* url: of a service other than AWS, for both interfaces; NULL: AWS_ENDPOINT_URL_SAGEMAKER and
 * AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME, AWS_ENDPOINT_URL, else AWS's own of the region. aws is borrowed. */
fg_code fg_sagemaker_open(fg_sagemaker **sagemaker, fg_aws *aws, const char *url,
                          fg_error *err) FG_MUST_CHECK;
void fg_sagemaker_close(fg_sagemaker *sagemaker);

/* operation: "DescribeTrainingJob". input is stolen, as jansson has it; NULL is FG_ERR_MEMORY. *output: the
 * caller's to decref; may be NULL where nobody wants it. What is named Create is not sent a second time where
 * the first may have worked. FG_ERR_NOT_FOUND where the thing is not there. */
fg_code fg_sagemaker_call(fg_sagemaker *sagemaker, const char *operation, json_t *input, json_t **output,
                          fg_error *err) FG_MUST_CHECK;
/* Appends the answer of the endpoint. */
fg_code fg_sagemaker_invoke(fg_sagemaker *sagemaker, const char *endpoint, const char *content_type,
                            const void *body, size_t size, fg_buf *answer, fg_error *err) FG_MUST_CHECK;

/* 1 to max letters, digits, and '-' between them: what SageMaker takes as a name. */
bool fg_sagemaker_is_name(const char *text, size_t max);
/* A document from outside, capped; the caller's to decref. FG_ERR_INPUT, with what in the message. */
fg_code fg_sagemaker_json(json_t **document, const void *data, size_t size, const char *what,
                          fg_error *err) FG_MUST_CHECK;

#endif
