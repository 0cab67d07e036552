/* Runs a fuzz driver over every file of a folder: the corpus as a normal test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t capacity = 1 << 20, size = 0, n;
    uint8_t *data = malloc(capacity);
    while (data && (n = fread(data + size, 1, capacity - size, f)) > 0) {
        size += n;
        if (size == capacity) {
            uint8_t *more = realloc(data, capacity *= 2);
            if (!more)
                abort();
            data = more;
        }
    }
    fclose(f);
    if (!data)
        abort();
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    char path[4096];
    int done = 0;
    if (argc != 2)
        return 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        perror(argv[1]);
        return 1;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name) < (int)sizeof path)
            done += replay(path);
    closedir(dir);
    printf("%d inputs replayed\n", done);
    return done > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
