#include "base/tar.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_SIZE = 512, COPY_BYTES = 64 * 1024 };

/* POSIX.1-1988, ustar: numbers are octal text, each with its NUL. */
struct block {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct block) == BLOCK_SIZE, "a header is one block");

/* "prefix/name", or all in name; the archive's reader puts the slash back. */
static int split_path(const char *path, struct block *block)
{
    size_t length = strlen(path);
    if (length == 0)
        return -EINVAL;
    if (length <= sizeof block->name) {
        memcpy(block->name, path, length);
        return 0;
    }
    size_t least = length - sizeof block->name - 1; /* the slash's place at the earliest */
    const char *slash = strchr(path + least, '/');
    if (!slash || (size_t)(slash - path) > sizeof block->prefix || !slash[1])
        return -ENAMETOOLONG;
    memcpy(block->prefix, path, (size_t)(slash - path));
    memcpy(block->name, slash + 1, strlen(slash + 1));
    return 0;
}

static int add_header(struct buffer *archive, const char *path, char type, unsigned mode,
                      uint64_t size)
{
    struct block block;
    unsigned sum = 0;
    memset(&block, 0, sizeof block);
    path += strspn(path, "/");
    int result = split_path(path, &block);
    if (result < 0)
        return result;
    if (size > 077777777777)
        return -EFBIG;
    snprintf(block.mode, sizeof block.mode, "%07o", mode & 07777);
    snprintf(block.uid, sizeof block.uid, "%07o", 0U);
    snprintf(block.gid, sizeof block.gid, "%07o", 0U);
    snprintf(block.size, sizeof block.size, "%011llo", (unsigned long long)size);
    snprintf(block.mtime, sizeof block.mtime, "%011o", 0U);
    block.type = type;
    memcpy(block.magic, "ustar", 6);
    memcpy(block.version, "00", 2);
    memset(block.checksum, ' ', sizeof block.checksum); /* is summed up as blanks */
    const unsigned char *bytes = (const unsigned char *)&block;
    for (size_t i = 0; i < sizeof block; i++)
        sum += bytes[i];
    snprintf(block.checksum, sizeof block.checksum, "%06o", sum); /* six digits, NUL, blank */
    return buffer_append(archive, (const char *)&block, sizeof block);
}

static int add_padding(struct buffer *archive, uint64_t size)
{
    static const char zeros[BLOCK_SIZE];
    size_t over = (size_t)(size % BLOCK_SIZE);
    return over ? buffer_append(archive, zeros, BLOCK_SIZE - over) : 0;
}

int tar_directory(struct buffer *archive, const char *path, unsigned mode)
{
    char name[260];
    int length = snprintf(name, sizeof name, "%s", path);
    if (length < 0 || (size_t)length >= sizeof name - 1)
        return -ENAMETOOLONG;
    if (length > 0 && name[length - 1] != '/')
        memcpy(name + length, "/", 2);
    return add_header(archive, name, '5', mode, 0);
}

int tar_bytes(struct buffer *archive, const char *path, unsigned mode, const void *bytes,
              size_t length)
{
    int result = add_header(archive, path, '0', mode, length);
    if (result == 0 && length > 0)
        result = buffer_append(archive, bytes, length);
    return result == 0 ? add_padding(archive, length) : result;
}

static int copy_all(struct buffer *archive, int fd, uint64_t size)
{
    char piece[COPY_BYTES];
    uint64_t copied = 0;
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return copied == size ? 0 : -EIO;
        copied += (uint64_t)got;
        if (copied > size)
            return -EIO;
        int result = buffer_append(archive, piece, (size_t)got);
        if (result < 0)
            return result;
    }
}

int tar_file(struct buffer *archive, const char *path, unsigned mode, const char *from)
{
    struct stat info;
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold it up */
    if (fd < 0)
        return -errno;
    int result = fstat(fd, &info) < 0 ? -errno : S_ISREG(info.st_mode) ? 0 : -EINVAL;
    uint64_t size = result == 0 ? (uint64_t)info.st_size : 0;
    if (result == 0)
        result = add_header(archive, path, '0', mode, size);
    if (result == 0)
        result = copy_all(archive, fd, size);
    close(fd);
    return result == 0 ? add_padding(archive, size) : result;
}

int tar_end(struct buffer *archive)
{
    static const char zeros[2 * BLOCK_SIZE];
    return buffer_append(archive, zeros, sizeof zeros);
}
