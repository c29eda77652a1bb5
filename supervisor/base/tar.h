/* A tar archive (ustar) written into memory: enough for the few files of an image. Owners are root,
 * times are 0, so that the same files give the same bytes. */
#ifndef SUPERVISOR_BASE_TAR_H
#define SUPERVISOR_BASE_TAR_H

#include "base/buffer.h"
#include <stdint.h>

/* Each appends whole entries to the archive (whose cap is the caller's): 0; -ENAMETOOLONG for a
 * path that ustar cannot hold (255 bytes, cut at a slash into 155 and 100); -EMSGSIZE beyond the
 * cap; -ENOMEM. The archive may end in half an entry then. A path's leading slashes are left out.
 */

/* mode: as of chmod, 0755. */
int tar_directory(struct buffer *archive, const char *path, unsigned mode);
/* The regular file `from`, under the name path; links are followed. -errno where it cannot be read;
 * -EIO if its length changed meanwhile; -EINVAL if it is no regular file. */
int tar_file(struct buffer *archive, const char *path, unsigned mode, const char *from);
int tar_bytes(struct buffer *archive, const char *path, unsigned mode, const void *bytes,
              size_t length);
/* The two empty blocks that end it. */
int tar_end(struct buffer *archive);

#endif
