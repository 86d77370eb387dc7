/* make_picture: a PNG of any kind, for tests of what is read.
 *
 *     make_picture FILE WIDTH HEIGHT [CHANNELS [BITS]]
 *
 * CHANNELS: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha (default: 3). BITS: 8 or 16 a
 * channel (default: 8). A smooth picture, half transparent where there is alpha. Written by zlib
 * alone, so that it does not share a mistake with what reads it. Source: PNG, third edition.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void put_u32(unsigned char *to, unsigned long value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static int write_chunk(FILE *file, const char *type, const unsigned char *data, unsigned long size)
{
    unsigned char number[4];
    unsigned long crc = crc32(0, (const Bytef *)type, 4);
    if (size)
        crc = crc32(crc, data, (uInt)size);
    put_u32(number, size);
    fwrite(number, 1, 4, file);
    fwrite(type, 1, 4, file);
    if (size)
        fwrite(data, 1, size, file);
    put_u32(number, crc);
    fwrite(number, 1, 4, file);
    return !ferror(file);
}

/* Channel C at (X, Y), 0 to 65535. */
static unsigned value(int x, int y, int c, int channels)
{
    const int alpha = channels % 2 == 0 && c == channels - 1;
    const int step = alpha ? 128 : (2 * x + (c + 1) * 3 * y) % 256;
    return (unsigned)step * 257;
}

/* The scan lines, each behind its filter type 0. */
static unsigned char *make_rows(int width, int height, int channels, int bits, size_t *size)
{
    const size_t row = 1 + (size_t)width * (size_t)channels * (size_t)(bits / 8);
    unsigned char *rows = calloc((size_t)height, row), *to = rows;
    for (int y = 0; rows && y < height; y++) {
        to++;
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                const unsigned v = value(x, y, c, channels);
                *to++ = (unsigned char)(v >> 8);
                if (bits == 16)
                    *to++ = (unsigned char)v;
            }
    }
    *size = row * (size_t)height;
    return rows;
}

static int write_png(FILE *file, int width, int height, int channels, int bits)
{
    static const unsigned char types[] = {0, 0, 4, 2, 6};
    unsigned char header[13] = {0};
    size_t size;
    unsigned char *rows = make_rows(width, height, channels, bits, &size);
    uLongf packed_size = compressBound((uLong)size);
    unsigned char *packed = malloc(packed_size);
    int ok = rows && packed && compress(packed, &packed_size, rows, (uLong)size) == Z_OK;
    put_u32(header, (unsigned long)width);
    put_u32(header + 4, (unsigned long)height);
    header[8] = (unsigned char)bits;
    header[9] = types[channels];
    ok = ok && fwrite("\x89PNG\r\n\x1a\n", 1, 8, file) == 8 &&
         write_chunk(file, "IHDR", header, sizeof header) &&
         write_chunk(file, "IDAT", packed, packed_size) && write_chunk(file, "IEND", NULL, 0);
    free(rows);
    free(packed);
    return ok;
}

int main(int argc, char **argv)
{
    const int width = argc > 2 ? atoi(argv[2]) : 0, height = argc > 3 ? atoi(argv[3]) : 0;
    const int channels = argc > 4 ? atoi(argv[4]) : 3, bits = argc > 5 ? atoi(argv[5]) : 8;
    if (width < 1 || height < 1 || channels < 1 || channels > 4 || (bits != 8 && bits != 16)) {
        fprintf(stderr, "make_picture: FILE WIDTH HEIGHT [1..4 [8|16]]\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "wb");
    const int ok = file && write_png(file, width, height, channels, bits);
    if (!file || fclose(file) != 0 || !ok) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
