#include "classify/pickle.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_VALUES = 64 << 20, /* a dataset of a million rows needs some 15 for each */
    MAX_MEMO = 16 << 20,
    MAX_STACK = 16 << 20,
};

typedef enum global {
    RECONSTRUCT,
    FROMBUFFER,
    SCALAR,
    NDARRAY,
    DTYPE,
    ENCODE,
    BYTES,
    BYTEARRAY,
} global;

/* All that is understood. numpy 2 writes numpy._core, older ones numpy.core. */
static const struct {
    const char *module, *name;
    global what;
} globals[] = {
    {"numpy.core.multiarray", "_reconstruct", RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", RECONSTRUCT},
    {"numpy.core.numeric", "_frombuffer", FROMBUFFER},
    {"numpy._core.numeric", "_frombuffer", FROMBUFFER},
    {"numpy.core.multiarray", "scalar", SCALAR},
    {"numpy._core.multiarray", "scalar", SCALAR},
    {"numpy", "ndarray", NDARRAY},
    {"numpy", "dtype", DTYPE},
    {"_codecs", "encode", ENCODE},
    {"builtins", "bytes", BYTES},
    {"__builtin__", "bytes", BYTES},
    {"builtins", "bytearray", BYTEARRAY},
    {"__builtin__", "bytearray", BYTEARRAY},
};

static fg_code damaged(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_INPUT, "the pickle is damaged or cut short");
}

static fg_code unknown(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                   "the pickle holds something else than {'data': [arrays of numbers], 'label': [names]}; "
                   "nothing in it was executed");
}

/* -- tables -- */

/* Room for one more in a table. */
static fg_code grow(void **items, long count, long *capacity, size_t size, long max, fg_error *err)
{
    if (count < *capacity)
        return FG_OK;
    if (count >= max)
        return FG_FAIL(err, FG_ERR_LIMIT, "the pickle holds too many values");
    long more = *capacity ? 2 * *capacity : 16;
    void *larger = more > 0 ? realloc(*items, (size_t)more * size) : NULL;
    if (!larger)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a pickle");
    *items = larger;
    *capacity = more;
    return FG_OK;
}

#define GROW(p, table, count, capacity, max, err)                                                            \
    grow((void **)&(p)->table, (p)->count, &(p)->capacity, sizeof *(p)->table, (max), (err))

static fg_code push(fg_pickle *p, fg_pickle_value v, fg_error *err)
{
    if (++p->work > MAX_VALUES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the pickle holds too many values");
    fg_code rc = GROW(p, stack, stack_count, stack_capacity, MAX_STACK, err);
    if (rc == FG_OK)
        p->stack[p->stack_count++] = v;
    return rc;
}

/* What may be taken off the stack: not below the last mark. */
static long floor_of(const fg_pickle *p)
{
    return p->mark_count ? p->marks[p->mark_count - 1] : 0;
}

static fg_code pop(fg_pickle *p, fg_pickle_value *v, fg_error *err)
{
    *v = (fg_pickle_value){0};
    if (p->stack_count <= floor_of(p))
        return damaged(err);
    *v = p->stack[--p->stack_count];
    return FG_OK;
}

/* The values above the last mark, which is taken away; they stay readable until the next push. */
static fg_code pop_mark(fg_pickle *p, const fg_pickle_value **items, long *count, fg_error *err)
{
    *items = NULL;
    *count = 0;
    if (p->mark_count == 0)
        return damaged(err);
    long from = p->marks[--p->mark_count];
    *count = p->stack_count - from;
    *items = *count ? p->stack + from : NULL;
    p->stack_count = from;
    return FG_OK;
}

static fg_code push_new_list(fg_pickle *p, fg_pickle_kind kind, fg_error *err)
{
    fg_code rc = GROW(p, lists, list_count, list_capacity, MAX_VALUES, err);
    if (rc != FG_OK)
        return rc;
    p->lists[p->list_count] = (fg_pickle_list){0};
    return push(p, (fg_pickle_value){.kind = kind, .at = p->list_count++}, err);
}

/* Items onto the list or dictionary that is on top of the stack. */
static fg_code extend(fg_pickle *p, fg_pickle_kind kind, const fg_pickle_value *items, long count,
                      fg_error *err)
{
    if (p->stack_count <= floor_of(p))
        return damaged(err);
    const fg_pickle_value *top = &p->stack[p->stack_count - 1];
    if (top->kind != kind)
        return unknown(err);
    fg_pickle_list *list = &p->lists[top->at];
    p->work += count;
    for (long i = 0; i < count; i++) {
        fg_code rc =
            grow((void **)&list->items, list->count, &list->capacity, sizeof *list->items, MAX_VALUES, err);
        if (rc != FG_OK)
            return rc;
        list->items[list->count++] = items[i];
    }
    return FG_OK;
}

static fg_code push_tuple(fg_pickle *p, const fg_pickle_value *items, long count, fg_error *err)
{
    /* Tuples are arguments, shapes and states: never long. */
    if (count > 64)
        return unknown(err);
    const fg_pickle_value tuple = {.kind = FG_PICKLE_TUPLE, .size = (uint32_t)count, .at = p->run_count};
    for (long i = 0; i < count; i++) {
        fg_pickle_value item = items[i];
        fg_code rc = GROW(p, runs, run_count, run_capacity, MAX_VALUES, err);
        if (rc != FG_OK)
            return rc;
        p->runs[p->run_count++] = item;
    }
    return push(p, tuple, err);
}

static fg_code pop_tuple(fg_pickle *p, long count, fg_error *err)
{
    if (p->stack_count - floor_of(p) < count)
        return damaged(err);
    p->stack_count -= count;
    return push_tuple(p, count ? p->stack + p->stack_count : NULL, count, err);
}

static fg_code memo_put(fg_pickle *p, uint64_t at, fg_error *err)
{
    if (p->stack_count <= floor_of(p))
        return damaged(err);
    /* Picklers number from 0 on without gaps; a gap would be room for nothing. */
    if (at > (uint64_t)p->memo_count)
        return unknown(err);
    if (at == (uint64_t)p->memo_count) {
        fg_code rc = GROW(p, memo, memo_count, memo_capacity, MAX_MEMO, err);
        if (rc != FG_OK)
            return rc;
        p->memo_count++;
    }
    p->memo[at] = p->stack[p->stack_count - 1];
    return FG_OK;
}

static fg_code memo_get(fg_pickle *p, uint64_t at, fg_error *err)
{
    return at < (uint64_t)p->memo_count ? push(p, p->memo[at], err) : damaged(err);
}

/* -- what is called and built, by what it would do -- */

static bool is_text(const fg_pickle *p, const fg_pickle_value *v, const char *text)
{
    size_t n = strlen(text);
    return v->kind == FG_PICKLE_TEXT && v->size == n && memcmp(p->data + v->at, text, n) == 0;
}

static fg_code push_global(fg_pickle *p, const uint8_t *module, size_t module_size, const uint8_t *name,
                           size_t name_size, fg_error *err)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strlen(globals[i].module) == module_size && strlen(globals[i].name) == name_size &&
            memcmp(globals[i].module, module, module_size) == 0 &&
            memcmp(globals[i].name, name, name_size) == 0)
            return push(p, (fg_pickle_value){.kind = FG_PICKLE_GLOBAL, .at = globals[i].what}, err);
    char shown[64];
    size_t n = 0;
    for (size_t i = 0; i < module_size + 1 + name_size && n + 1 < sizeof shown; i++) {
        uint8_t c = i < module_size ? module[i] : i == module_size ? '.' : name[i - module_size - 1];
        shown[n++] = (char)(c > ' ' && c < 0x7f ? c : '?');
    }
    shown[n] = 0;
    return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                   "the pickle asks for %s, which a dataset has no use for: refused, and nothing in it was "
                   "executed; do not open it with Python",
                   shown);
}

static fg_code new_array(fg_pickle *p, fg_pickle_array array, fg_error *err)
{
    fg_code rc = GROW(p, arrays, array_count, array_capacity, MAX_VALUES, err);
    if (rc != FG_OK)
        return rc;
    p->arrays[p->array_count] = array;
    return push(p, (fg_pickle_value){.kind = FG_PICKLE_ARRAY, .at = p->array_count++}, err);
}

static fg_code take_shape(const fg_pickle *p, const fg_pickle_value *shape, fg_pickle_array *array,
                          fg_error *err)
{
    if (shape->kind != FG_PICKLE_TUPLE || shape->size > FG_NPY_DIMS)
        return unknown(err);
    array->dims = shape->size;
    for (uint32_t i = 0; i < shape->size; i++) {
        const fg_pickle_value *n = &p->runs[shape->at + i];
        if (n->kind != FG_PICKLE_INT || n->at < 0)
            return damaged(err);
        array->shape[i] = n->at;
    }
    return FG_OK;
}

static fg_code take_bytes(const fg_pickle_value *bytes, fg_pickle_array *array, fg_error *err)
{
    if (bytes->kind != FG_PICKLE_BYTES && bytes->kind != FG_PICKLE_TEXT)
        return unknown(err);
    array->at = bytes->at;
    array->size = bytes->size;
    /* A text among bytes is what _codecs.encode made of it: see call_encode. */
    array->latin1 = bytes->kind == FG_PICKLE_TEXT;
    array->built = 1;
    return FG_OK;
}

static fg_code call_type(fg_pickle *p, const fg_pickle_value *a, long n, fg_error *err)
{
    fg_npy type = {0};
    if (n < 1 || a[0].kind != FG_PICKLE_TEXT)
        return unknown(err);
    fg_code rc = fg_npy_type(&type, (const char *)p->data + a[0].at, a[0].size, err);
    if (rc == FG_OK)
        rc = GROW(p, types, type_count, type_capacity, MAX_VALUES, err);
    if (rc != FG_OK)
        return rc;
    p->types[p->type_count] = type;
    return push(p, (fg_pickle_value){.kind = FG_PICKLE_TYPE, .at = p->type_count++}, err);
}

static fg_code call_frombuffer(fg_pickle *p, const fg_pickle_value *a, long n, fg_error *err)
{
    fg_pickle_array array = {0};
    if (n != 4 || a[1].kind != FG_PICKLE_TYPE || !(is_text(p, &a[3], "C") || is_text(p, &a[3], "F")))
        return unknown(err);
    array.type = (uint32_t)a[1].at;
    array.fortran = is_text(p, &a[3], "F");
    fg_code rc = take_shape(p, &a[2], &array, err);
    if (rc == FG_OK)
        rc = take_bytes(&a[0], &array, err);
    return rc == FG_OK ? new_array(p, array, err) : rc;
}

/* numpy.str_ and the like: an array without dimensions. */
static fg_code call_scalar(fg_pickle *p, const fg_pickle_value *a, long n, fg_error *err)
{
    fg_pickle_array array = {0};
    if (n != 2 || a[0].kind != FG_PICKLE_TYPE)
        return unknown(err);
    array.type = (uint32_t)a[0].at;
    fg_code rc = take_bytes(&a[1], &array, err);
    return rc == FG_OK ? new_array(p, array, err) : rc;
}

static fg_code reduce(fg_pickle *p, fg_error *err)
{
    fg_pickle_value args, function;
    fg_code rc = pop(p, &args, err);
    if (rc == FG_OK)
        rc = pop(p, &function, err);
    if (rc != FG_OK)
        return rc;
    if (function.kind != FG_PICKLE_GLOBAL || args.kind != FG_PICKLE_TUPLE)
        return unknown(err);
    const fg_pickle_value *a = p->runs + args.at;
    const long n = args.size;
    switch ((global)function.at) {
    case RECONSTRUCT: /* of (ndarray, (0,), b'b'): an array that BUILD fills */
        return n == 3 && a[0].kind == FG_PICKLE_GLOBAL && a[0].at == NDARRAY
                   ? new_array(p, (fg_pickle_array){0}, err)
                   : unknown(err);
    case FROMBUFFER:
        return call_frombuffer(p, a, n, err);
    case SCALAR:
        return call_scalar(p, a, n, err);
    case DTYPE:
        return call_type(p, a, n, err);
    case ENCODE: /* of (text, 'latin1'): how protocol 2 writes bytes; the text stands for them */
        return n == 2 && a[0].kind == FG_PICKLE_TEXT && is_text(p, &a[1], "latin1") ? push(p, a[0], err)
                                                                                    : unknown(err);
    case BYTES:
    case BYTEARRAY: /* of nothing, or of bytes */
        if (n == 0)
            return push(p, (fg_pickle_value){.kind = FG_PICKLE_BYTES}, err);
        return n == 1 && (a[0].kind == FG_PICKLE_BYTES || a[0].kind == FG_PICKLE_TEXT) ? push(p, a[0], err)
                                                                                       : unknown(err);
    case NDARRAY:
        break;
    }
    return unknown(err);
}

static fg_code build(fg_pickle *p, fg_error *err)
{
    fg_pickle_value state;
    fg_code rc = pop(p, &state, err);
    if (rc != FG_OK)
        return rc;
    if (p->stack_count <= floor_of(p))
        return damaged(err);
    const fg_pickle_value *top = &p->stack[p->stack_count - 1];
    if (state.kind != FG_PICKLE_TUPLE)
        return unknown(err);
    const fg_pickle_value *s = p->runs + state.at;
    if (top->kind == FG_PICKLE_TYPE) { /* (version, byte order, None, None, None, size, alignment, flags) */
        if (state.size < 8 || s[1].kind != FG_PICKLE_TEXT || s[1].size != 1 || s[2].kind != FG_PICKLE_NONE ||
            s[3].kind != FG_PICKLE_NONE || s[4].kind != FG_PICKLE_NONE)
            return unknown(err);
        p->types[top->at].big_endian = p->data[s[1].at] == '>';
        return FG_OK;
    }
    /* (version, shape, type, whether in Fortran's order, bytes) */
    if (top->kind != FG_PICKLE_ARRAY || state.size != 5 || s[2].kind != FG_PICKLE_TYPE ||
        s[3].kind != FG_PICKLE_BOOL)
        return unknown(err);
    fg_pickle_array *array = &p->arrays[top->at];
    if (array->built)
        return unknown(err);
    array->type = (uint32_t)s[2].at;
    array->fortran = s[3].at != 0;
    rc = take_shape(p, &s[1], array, err);
    return rc == FG_OK ? take_bytes(&s[4], array, err) : rc;
}

/* -- the machine -- */

typedef struct cursor {
    const uint8_t *data;
    size_t at, size;
} cursor;

static fg_code number(cursor *c, int bytes, uint64_t *v, fg_error *err)
{
    *v = 0;
    if (c->size - c->at < (size_t)bytes)
        return damaged(err);
    for (int k = 0; k < bytes; k++)
        *v |= (uint64_t)c->data[c->at++] << 8 * k;
    return FG_OK;
}

/* A text or bytes with their length before them. */
static fg_code push_slice(fg_pickle *p, cursor *c, fg_pickle_kind kind, int length_bytes, fg_error *err)
{
    uint64_t n;
    fg_code rc = number(c, length_bytes, &n, err);
    if (rc != FG_OK)
        return rc;
    if (n > c->size - c->at || n > UINT32_MAX)
        return damaged(err);
    rc = push(p, (fg_pickle_value){.kind = kind, .size = (uint32_t)n, .at = (int64_t)c->at}, err);
    c->at += n;
    return rc;
}

static fg_code push_int(fg_pickle *p, int64_t v, fg_error *err)
{
    return push(p, (fg_pickle_value){.kind = FG_PICKLE_INT, .at = v}, err);
}

static fg_code push_long(fg_pickle *p, cursor *c, fg_error *err)
{
    uint64_t n, v;
    fg_code rc = number(c, 1, &n, err);
    if (rc != FG_OK)
        return rc;
    if (n > 8)
        return unknown(err);
    if ((rc = number(c, (int)n, &v, err)) != FG_OK)
        return rc;
    if (n > 0 && n < 8 && v >> (8 * n - 1))
        return unknown(err); /* negative: nothing here is */
    return v > INT64_MAX ? unknown(err) : push_int(p, (int64_t)v, err);
}

static fg_code line(cursor *c, const uint8_t **text, size_t *size, fg_error *err)
{
    const uint8_t *from = c->data + c->at, *end = memchr(from, '\n', c->size - c->at);
    if (!end)
        return damaged(err);
    *text = from;
    *size = (size_t)(end - from);
    c->at += *size + 1;
    return FG_OK;
}

static fg_code step(fg_pickle *p, cursor *c, uint8_t op, fg_error *err)
{
    const fg_pickle_value none = {0};
    const fg_pickle_value *items;
    const uint8_t *module = NULL, *name = NULL;
    fg_pickle_value a, b;
    size_t module_size = 0, name_size = 0;
    long count;
    uint64_t v;
    fg_code rc;
    switch (op) {
    case 0x80: /* PROTO */
        if ((rc = number(c, 1, &v, err)) != FG_OK)
            return rc;
        return v >= 2 && v <= 5
                   ? FG_OK
                   : FG_FAIL(
                         err, FG_ERR_UNSUPPORTED,
                         "a pickle of protocol %d; 2 to 5 are taken: pickle.dump(dataset, file, protocol=4)",
                         (int)v);
    case 0x95: /* FRAME */
        return number(c, 8, &v, err);
    case '(': /* MARK */
        if ((rc = GROW(p, marks, mark_count, mark_capacity, 1024, err)) == FG_OK)
            p->marks[p->mark_count++] = p->stack_count;
        return rc;
    case '0': /* POP */
        return pop(p, &a, err);
    case '1': /* POP_MARK */
        return pop_mark(p, &items, &count, err);
    case '}': /* EMPTY_DICT */
        return push_new_list(p, FG_PICKLE_DICT, err);
    case ']': /* EMPTY_LIST */
        return push_new_list(p, FG_PICKLE_LIST, err);
    case ')': /* EMPTY_TUPLE */
        return pop_tuple(p, 0, err);
    case 0x85: /* TUPLE1, 2, 3 */
    case 0x86:
    case 0x87:
        return pop_tuple(p, op - 0x84, err);
    case 't': /* TUPLE */
        rc = pop_mark(p, &items, &count, err);
        return rc == FG_OK ? push_tuple(p, items, count, err) : rc;
    case 'a': /* APPEND */
        rc = pop(p, &a, err);
        return rc == FG_OK ? extend(p, FG_PICKLE_LIST, &a, 1, err) : rc;
    case 'e': /* APPENDS */
        rc = pop_mark(p, &items, &count, err);
        return rc == FG_OK ? extend(p, FG_PICKLE_LIST, items, count, err) : rc;
    case 's': /* SETITEM */
        if ((rc = pop(p, &b, err)) == FG_OK && (rc = pop(p, &a, err)) == FG_OK)
            rc = extend(p, FG_PICKLE_DICT, (fg_pickle_value[]){a, b}, 2, err);
        return rc;
    case 'u': /* SETITEMS */
        if ((rc = pop_mark(p, &items, &count, err)) != FG_OK)
            return rc;
        return count % 2 == 0 ? extend(p, FG_PICKLE_DICT, items, count, err) : damaged(err);
    case 'N': /* NONE */
        return push(p, none, err);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push(p, (fg_pickle_value){.kind = FG_PICKLE_BOOL, .at = op == 0x88}, err);
    case 'J': /* BININT: signed */
        rc = number(c, 4, &v, err);
        return rc == FG_OK ? push_int(p, v < 0x80000000u ? (int64_t)v : (int64_t)v - 0x100000000, err) : rc;
    case 'K': /* BININT1 */
        rc = number(c, 1, &v, err);
        return rc == FG_OK ? push_int(p, (int64_t)v, err) : rc;
    case 'M': /* BININT2 */
        rc = number(c, 2, &v, err);
        return rc == FG_OK ? push_int(p, (int64_t)v, err) : rc;
    case 0x8a: /* LONG1 */
        return push_long(p, c, err);
    case 'G': /* BINFLOAT */
        rc = number(c, 8, &v, err);
        return rc == FG_OK ? push(p, none, err) : rc;
    case 'X': /* BINUNICODE, SHORT_BINUNICODE, BINUNICODE8 */
        return push_slice(p, c, FG_PICKLE_TEXT, 4, err);
    case 0x8c:
        return push_slice(p, c, FG_PICKLE_TEXT, 1, err);
    case 0x8d:
        return push_slice(p, c, FG_PICKLE_TEXT, 8, err);
    case 'C': /* SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8 */
        return push_slice(p, c, FG_PICKLE_BYTES, 1, err);
    case 'B':
        return push_slice(p, c, FG_PICKLE_BYTES, 4, err);
    case 0x8e:
    case 0x96:
        return push_slice(p, c, FG_PICKLE_BYTES, 8, err);
    case 0x98: /* READONLY_BUFFER */
        return FG_OK;
    case 'c': /* GLOBAL */
        if ((rc = line(c, &module, &module_size, err)) == FG_OK &&
            (rc = line(c, &name, &name_size, err)) == FG_OK && module && name)
            rc = push_global(p, module, module_size, name, name_size, err);
        return rc;
    case 0x93: /* STACK_GLOBAL */
        if ((rc = pop(p, &b, err)) != FG_OK || (rc = pop(p, &a, err)) != FG_OK)
            return rc;
        if (a.kind != FG_PICKLE_TEXT || b.kind != FG_PICKLE_TEXT)
            return unknown(err);
        return push_global(p, p->data + a.at, a.size, p->data + b.at, b.size, err);
    case 'R': /* REDUCE */
        return reduce(p, err);
    case 'b': /* BUILD */
        return build(p, err);
    case 'h': /* BINGET, LONG_BINGET */
    case 'j':
        rc = number(c, op == 'h' ? 1 : 4, &v, err);
        return rc == FG_OK ? memo_get(p, v, err) : rc;
    case 'q': /* BINPUT, LONG_BINPUT */
    case 'r':
        rc = number(c, op == 'q' ? 1 : 4, &v, err);
        return rc == FG_OK ? memo_put(p, v, err) : rc;
    case 0x94: /* MEMOIZE */
        return memo_put(p, (uint64_t)p->memo_count, err);
    default:
        return unknown(err);
    }
}

fg_code fg_pickle_run(fg_pickle *p, const void *data, size_t size, fg_pickle_value *result, fg_error *err)
{
    cursor c = {data, 0, size};
    *p = (fg_pickle){.data = data, .size = size};
    *result = (fg_pickle_value){0};
    while (c.at < c.size) {
        uint8_t op = c.data[c.at++];
        if (op == '.') /* STOP */
            return p->mark_count == 0 && p->stack_count == 1 ? pop(p, result, err) : damaged(err);
        fg_code rc = step(p, &c, op, err);
        if (rc != FG_OK)
            return rc;
    }
    return damaged(err);
}

void fg_pickle_deinit(fg_pickle *p)
{
    for (long i = 0; i < p->list_count; i++)
        free(p->lists[i].items);
    free(p->lists);
    free(p->stack);
    free(p->memo);
    free(p->runs);
    free(p->marks);
    free(p->types);
    free(p->arrays);
    *p = (fg_pickle){0};
}

/* -- results -- */

const fg_pickle_value *fg_pickle_find(const fg_pickle *p, const fg_pickle_value *dict, const char *key)
{
    const fg_pickle_value *found = NULL;
    if (dict->kind != FG_PICKLE_DICT)
        return NULL;
    const fg_pickle_list *list = &p->lists[dict->at];
    for (long i = 0; i + 1 < list->count; i += 2)
        if (is_text(p, &list->items[i], key))
            found = &list->items[i + 1]; /* the last one counts, as in Python */
    return found;
}

/* Bytes from UTF-8 of characters below 256. */
static fg_code from_latin1(const uint8_t *text, size_t size, fg_buf *out, fg_error *err)
{
    fg_code rc = FG_OK;
    fg_buf_clear(out);
    for (size_t i = 0; i < size && rc == FG_OK;) {
        size_t plain = i;
        while (plain < size && text[plain] < 0x80)
            plain++;
        if (plain > i) {
            rc = fg_buf_append(out, text + i, plain - i, err);
            i = plain;
            continue;
        }
        if (size - i < 2 || (text[i] != 0xc2 && text[i] != 0xc3) || (text[i + 1] & 0xc0) != 0x80)
            return damaged(err);
        uint8_t byte = (uint8_t)((text[i] & 3) << 6 | (text[i + 1] & 0x3f));
        rc = fg_buf_append(out, &byte, 1, err);
        i += 2;
    }
    return rc;
}

fg_code fg_pickle_view(const fg_pickle *p, const fg_pickle_value *value, fg_npy *npy, fg_buf *scratch,
                       fg_error *err)
{
    *npy = (fg_npy){0};
    if (value->kind != FG_PICKLE_ARRAY || !p->arrays[value->at].built)
        return unknown(err);
    const fg_pickle_array *a = &p->arrays[value->at];
    const uint8_t *items = p->data + a->at;
    size_t size = a->size, count = 1;
    *npy = p->types[a->type];
    npy->fortran = a->fortran;
    npy->dims = (int)a->dims;
    for (uint32_t i = 0; i < a->dims; i++) {
        npy->shape[i] = (long)a->shape[i];
        if (a->shape[i] > 0 && count > FG_NPY_MAX_ITEMS / (size_t)a->shape[i])
            return damaged(err);
        count *= (size_t)a->shape[i];
    }
    if (a->latin1) {
        fg_code rc = from_latin1(items, size, scratch, err);
        if (rc != FG_OK)
            return rc;
        items = scratch->data;
        size = scratch->size;
    }
    /* An empty text of no letters has items of no bytes, of which there could be any number. */
    if (npy->item_bytes == 0 ? count > FG_NPY_MAX_ITEMS / 1024
                             : size / npy->item_bytes != count || size % npy->item_bytes != 0)
        return damaged(err);
    npy->count = (long)count;
    npy->items = items;
    return FG_OK;
}
