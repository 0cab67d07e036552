/* yaml_to_json OUT IN: a YAML document as JSON, for docs/openapi.yaml, which the program serves as JSON.
 * Plain scalars become null, booleans and numbers by YAML 1.2's core schema, quoted ones texts. Keys stay in
 * order. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64 };

static json_t *scalar(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    char *end;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_string(text);
    if (!*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (!strchr("+-.0123456789", *text))
        return json_string(text);
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (!*end && !errno)
        return json_integer(whole);
    double real = strtod(text, &end);
    return *end ? json_string(text) : json_real(real);
}

static json_t *convert(yaml_document_t *document, int index, int depth)
{
    yaml_node_t *node = yaml_document_get_node(document, index);
    if (!node || depth > MAX_DEPTH)
        return NULL;
    if (node->type == YAML_SCALAR_NODE)
        return scalar(node);
    if (node->type == YAML_SEQUENCE_NODE) {
        json_t *array = json_array();
        for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
            if (json_array_append_new(array, convert(document, *i, depth + 1)) != 0)
                goto array_failed;
        return array;
array_failed:
        json_decref(array);
        return NULL;
    }
    json_t *object = json_object();
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_document_get_node(document, p->key);
        const char *name = key && key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
        if (!name || json_object_get(object, name) ||
            json_object_set_new(object, name, convert(document, p->value, depth + 1)) != 0) {
            fprintf(stderr, "line %zu: a key that is no text, or is there twice\n",
                    (key ? key : node)->start_mark.line + 1);
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

int main(int argc, char **argv)
{
    yaml_parser_t parser;
    yaml_document_t document;
    int status = 1;
    FILE *in = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!in || !yaml_parser_initialize(&parser)) {
        fprintf(stderr, "usage: yaml_to_json OUT IN\n");
        return 2;
    }
    yaml_parser_set_input_file(&parser, in);
    if (!yaml_parser_load(&parser, &document)) {
        fprintf(stderr, "%s:%zu: %s\n", argv[2], parser.problem_mark.line + 1, parser.problem);
    } else {
        json_t *json = convert(&document, 1, 0);
        if (json && json_dump_file(json, argv[1], JSON_COMPACT | JSON_REAL_PRECISION(15)) == 0)
            status = 0;
        else
            fprintf(stderr, "%s: cannot be converted\n", argv[2]);
        json_decref(json);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    fclose(in);
    return status;
}
