#include "media/sniff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* First match wins. Signatures as in each format's specification; "ftyp" brands are handled apart. */
static const struct {
    uint8_t offset, size;
    const char *bytes;
    fg_media_kind kind;
    fg_media_format format;
    const char *label;
} signatures[] = {
    {0, 3, "\xff\xd8\xff", FG_MEDIA_PHOTO, FG_FORMAT_JPEG, "a JPEG photo"},
    {0, 8, "\x89PNG\r\n\x1a\n", FG_MEDIA_PHOTO, FG_FORMAT_PNG, "a PNG picture"},
    {0, 4, "\x1a\x45\xdf\xa3", FG_MEDIA_VIDEO, FG_FORMAT_MATROSKA, "a Matroska or WebM video"},
    {4, 4, "moov", FG_MEDIA_VIDEO, FG_FORMAT_MP4, "a QuickTime video"},
    {4, 4, "mdat", FG_MEDIA_VIDEO, FG_FORMAT_MP4, "a QuickTime video"},
    {4, 4, "wide", FG_MEDIA_VIDEO, FG_FORMAT_MP4, "a QuickTime video"},
    {4, 4, "styp", FG_MEDIA_VIDEO, FG_FORMAT_MP4, "a piece of an MP4 video"},
    {0, 4, "GIF8", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a GIF picture"},
    {0, 4, "II*\0", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a TIFF or raw camera picture"},
    {0, 4, "MM\0*", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a TIFF or raw camera picture"},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a JPEG XL picture"},
    {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a JPEG 2000 picture"},
    {0, 4, "\x30\x26\xb2\x75", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a Windows Media file"},
    {0, 4, "FLV\1", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a Flash video"},
    {0, 4, "OggS", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an Ogg file"},
    {0, 4, "\0\0\1\xba", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an MPEG program stream"},
    {0, 4, "\0\0\1\xb3", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a bare MPEG video stream"},
    {0, 4, "\0\0\0\1", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a bare video stream without a container"},
    {0, 4, "DKIF", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an IVF video"},
    {0, 4, "fLaC", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a FLAC sound file"},
    {0, 3, "ID3", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an MP3 sound file"},
    {0, 5, "%PDF-", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a PDF document"},
    {0, 4, "PK\3\4", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a ZIP archive"},
    {0, 2, "\x1f\x8b", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a gzip archive"},
    {0, 4,
     "\x7f"
     "ELF",
     FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a program"},
    {0, 7, "#EXTM3U", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a playlist"},
    {0, 8, "ffconcat", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a list of files"},
    {0, 4, "v=0\r", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a stream description (SDP)"},
    {0, 4, "v=0\n", FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a stream description (SDP)"},
};

/* Brands of the first box (ISO/IEC 14496-12 4.3, 23008-12 10): a picture's brand may be major or, where the
 * major one is the generic mif1 or msf1, among the compatible ones. Everything else is a video. */
static fg_sniffed sniff_ftyp(const uint8_t *p, size_t size)
{
    static const char heic[][5] = {"heic", "heix", "heim", "heis", "hevc", "hevx"};
    static const char picture[][5] = {"mif1", "msf1", "mif2"};
    static const char sound[][5] = {"M4A ", "M4B ", "M4P "};
    bool generic = false;
    const size_t box = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (size > box && box >= 12)
        size = box;
    for (size_t at = 8; at + 4 <= size; at += at == 8 ? 8 : 4) {
        for (size_t i = 0; i < sizeof heic / sizeof heic[0]; i++)
            if ((at == 8 || generic) && memcmp(p + at, heic[i], 4) == 0)
                return (fg_sniffed){FG_MEDIA_PHOTO, FG_FORMAT_HEIC, "a HEIC photo"};
        for (size_t i = 0; at == 8 && i < sizeof picture / sizeof picture[0]; i++)
            generic |= memcmp(p + at, picture[i], 4) == 0;
        if ((at == 8 || generic) && (memcmp(p + at, "avif", 4) == 0 || memcmp(p + at, "avis", 4) == 0))
            return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an AVIF picture"};
        if (at == 8 && memcmp(p + at, "crx ", 4) == 0)
            return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a raw camera picture"};
        for (size_t i = 0; at == 8 && i < sizeof sound / sizeof sound[0]; i++)
            if (memcmp(p + at, sound[i], 4) == 0)
                return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a sound file (M4A)"};
    }
    if (generic)
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a HEIF picture of an unknown kind"};
    return (fg_sniffed){FG_MEDIA_VIDEO, FG_FORMAT_MP4, "an MP4 or QuickTime video"};
}

static fg_sniffed sniff_riff(const uint8_t *p)
{
    if (memcmp(p + 8, "WEBP", 4) == 0)
        return (fg_sniffed){FG_MEDIA_PHOTO, FG_FORMAT_WEBP, "a WebP picture"};
    if (memcmp(p + 8, "AVI ", 4) == 0)
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an AVI video"};
    if (memcmp(p + 8, "WAVE", 4) == 0)
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a WAV sound file"};
    return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a RIFF file of an unknown kind"};
}

/* Printable UTF-8; its last character may be cut. */
static bool is_text(const uint8_t *p, size_t size)
{
    int more = 0; /* continuation bytes that are due */
    for (size_t i = 0; i < size; i++) {
        const uint8_t c = p[i];
        if (more) {
            if ((c & 0xc0) != 0x80)
                return false;
            more--;
        } else if (c >= 0xc2 && c <= 0xf4) {
            more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        } else if ((c < 32 && c != '\n' && c != '\r' && c != '\t' && c != '\f') || c >= 127) {
            return false;
        }
    }
    return true;
}

fg_sniffed fg_media_sniff(const void *data, size_t size)
{
    const uint8_t *p = data;
    if (size == 0)
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_EMPTY, "an empty file"};
    if (size > FG_SNIFF_BYTES)
        size = FG_SNIFF_BYTES;
    if (size >= 12 && memcmp(p + 4, "ftyp", 4) == 0)
        return sniff_ftyp(p, size);
    if (size >= 12 && memcmp(p, "RIFF", 4) == 0)
        return sniff_riff(p);
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        size_t end = (size_t)signatures[i].offset + signatures[i].size;
        if (size >= end && memcmp(p + signatures[i].offset, signatures[i].bytes, signatures[i].size) == 0)
            return (fg_sniffed){signatures[i].kind, signatures[i].format, signatures[i].label};
    }
    if (size >= 6 && p[0] == 'B' && p[1] == 'M' && !is_text(p, size))
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a BMP picture"};
    if (size > 188 && p[0] == 0x47 && p[188] == 0x47) /* packets of 188 bytes (ISO/IEC 13818-1) */
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "an MPEG transport stream"};
    if (is_text(p, size))
        return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_FOREIGN, "a text file"};
    return (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_UNKNOWN, "a file of an unknown kind"};
}

fg_code fg_media_sniff_file(const char *path, fg_sniffed *sniffed, fg_error *err)
{
    uint8_t head[FG_SNIFF_BYTES];
    size_t size = 0;
    struct stat st;
    fg_code rc = FG_OK;
    *sniffed = (fg_sniffed){FG_MEDIA_OTHER, FG_FORMAT_UNKNOWN, "a file of an unknown kind"};
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    if (fstat(fd, &st) != 0) {
        rc = FG_FAIL_ERRNO(err, "cannot read", path);
        goto done;
    }
    if (S_ISDIR(st.st_mode)) {
        rc = fg_fail_errno(err, EISDIR, __func__, "cannot read", path);
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file; give a photo or a video", path);
        goto done;
    }
    while (size < sizeof head) {
        ssize_t n = read(fd, head + size, sizeof head - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = FG_FAIL_ERRNO(err, "cannot read", path);
            goto done;
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *sniffed = fg_media_sniff(head, size);
done:
    close(fd);
    return rc;
}
