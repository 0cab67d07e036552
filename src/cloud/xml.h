/* Small XML documents from outside, such as S3's answers, over expat: no document type, no entities but XML's
 * own five, depth and text capped. */
#ifndef FG_CLOUD_XML_H
#define FG_CLOUD_XML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Calls each at the end of every element, children first: path is the names from the root on with '/'
 * between, without namespaces ("ListBucketResult/Contents/Key"); text is what stood between its last child
 * and its end. each returns false to stop, which is no error. FG_ERR_INPUT for what is not such a document;
 * what names it in the message. */
fg_code fg_xml_read(const void *data, size_t size, const char *what,
                    bool (*each)(void *context, const char *path, const char *text), void *context,
                    fg_error *err) FG_MUST_CHECK;

#endif
