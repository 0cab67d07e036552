/* Turns files into C source: `embed OUT.c SYMBOL NAME=FILE...` writes the table described in base/embedded.h,
 * in the order given. Runs at build time, so that the program needs none of these files afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, const char *path)
{
    perror(what);
    fprintf(stderr, "embed: %s\n", path);
    return 1;
}

/* A string literal, of which C promises only 64 KB, would be shorter; an array has no limit. */
static int write_bytes(FILE *out, const char *path, int index, long *size)
{
    static unsigned char chunk[1 << 16];
    size_t n;
    FILE *in = fopen(path, "rb");
    if (!in)
        return fail("cannot open", path);
    *size = 0;
    fprintf(out, "static const unsigned char file_%d[] = {", index);
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        for (size_t i = 0; i < n; i++)
            fprintf(out, "%s%u,", (*size + (long)i) % 24 == 0 ? "\n" : "", chunk[i]);
        *size += (long)n;
    }
    fprintf(out, "0};\n"); /* the NUL after the data */
    int bad = ferror(in);
    fclose(in);
    return bad ? fail("cannot read", path) : 0;
}

static void write_quoted(FILE *out, const char *text, size_t size)
{
    fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c > '~' || strchr("\"\\?", c))
            fprintf(out, "\\%03o", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: embed OUT.c SYMBOL NAME=FILE...\n");
        return 2;
    }
    int rc = 1, count = argc - 3;
    long *sizes = calloc((size_t)count, sizeof *sizes);
    FILE *out = fopen(argv[1], "wb");
    if (!out || !sizes) {
        fail("cannot write", argv[1]);
        goto done;
    }
    fprintf(out,
            "/* Made by tools/embed.c; do not edit. */\n#include \"base/embedded.h\"\n\n"
            "extern const fg_embedded %s[];\n",
            argv[2]);
    for (int i = 0; i < count; i++) {
        const char *file = strchr(argv[3 + i], '=');
        if (!file || !file[1] || write_bytes(out, file + 1, i, &sizes[i]) != 0)
            goto done;
    }
    fprintf(out, "const fg_embedded %s[] = {\n", argv[2]);
    for (int i = 0; i < count; i++) {
        fprintf(out, "{");
        write_quoted(out, argv[3 + i], (size_t)(strchr(argv[3 + i], '=') - argv[3 + i]));
        fprintf(out, ", file_%d, %ld},\n", i, sizes[i]);
    }
    fprintf(out, "{0, 0, 0}};\n");
    rc = 0;
done:
    if (out && fclose(out) != 0)
        rc = fail("cannot write", argv[1]);
    if (out && rc != 0)
        remove(argv[1]);
    free(sizes);
    return rc;
}
