#include "media/codecs.h"

#include <libexif/exif-data.h>
#include <stdlib.h>
#include <string.h>

int fg_exif_orientation(const uint8_t *data, size_t size)
{
    static const uint8_t header[6] = {'E', 'x', 'i', 'f', 0, 0};
    const size_t max = 0xffff; /* what a JPEG segment can hold */
    int orientation = 1;
    if (size < 8)
        return orientation;
    /* libexif takes the TIFF structure only behind its JPEG header. */
    const size_t skip = memcmp(data, header, sizeof header) == 0 ? sizeof header : 0;
    size_t tiff = size - skip;
    if (tiff > max - sizeof header)
        tiff = max - sizeof header;
    uint8_t *copy = malloc(sizeof header + tiff);
    ExifData *exif = exif_data_new();
    if (copy && exif) {
        memcpy(copy, header, sizeof header);
        memcpy(copy + sizeof header, data + skip, tiff);
        /* Only one number is wanted, as it stands: no repair, no maker notes. */
        exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(exif, copy, (unsigned)(sizeof header + tiff));
        const ExifEntry *entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
        if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components == 1 && entry->size >= 2)
            orientation = exif_get_short(entry->data, exif_data_get_byte_order(exif));
    }
    if (exif)
        exif_data_unref(exif);
    free(copy);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}
