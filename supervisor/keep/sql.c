/* Statements, transactions, and SQLite's result codes in the words of this program. */
#include "keep/private.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct keep *keep_enter(struct keep *keep, bool ready)
{
    pthread_mutex_lock(&keep->mutex);
    if (ready && keep->renews)
        keep_ready(keep, NULL);
    return keep;
}

void keep_leave(struct keep **keep)
{
    if ((*keep)->closing)
        keep_close_database(*keep); /* here no statement is left */
    else if ((*keep)->db)
        sqlite3_db_release_memory((*keep)->db); /* calls are rare: nothing is cached in between */
    (*keep)->closing = false;
    pthread_mutex_unlock(&(*keep)->mutex);
}

void keep_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

static int prepare(struct keep *keep, sqlite3_stmt **ret_statement, const char *sql,
                   const char *types, va_list values)
{
    KEEP_STATEMENT *statement = NULL;
    int rc = keep->db ? sqlite3_prepare_v2(keep->db, sql, -1, &statement, NULL) : SQLITE_CANTOPEN;
    for (int i = 1; rc == SQLITE_OK && *types; i++, types++)
        switch (*types) {
        case 't':
            rc = sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
            break;
        case 'i':
            rc = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
            break;
        case 'd':
            rc = sqlite3_bind_double(statement, i, va_arg(values, double));
            break;
        default:
            rc = SQLITE_MISUSE;
        }
    if (rc != SQLITE_OK)
        return rc;
    *ret_statement = statement;
    statement = NULL;
    return SQLITE_OK;
}

int keep_prepare(struct keep *keep, sqlite3_stmt **ret_statement, const char *sql,
                 const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int rc = prepare(keep, ret_statement, sql, types, values);
    va_end(values);
    return rc;
}

int keep_run(struct keep *keep, const char *sql, const char *types, ...)
{
    KEEP_STATEMENT *statement = NULL;
    va_list values;
    va_start(values, types);
    int rc = prepare(keep, &statement, sql, types, values);
    va_end(values);
    if (rc != SQLITE_OK)
        return rc;
    do
        rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int keep_number(struct keep *keep, int64_t *ret_number, const char *sql, const char *types, ...)
{
    KEEP_STATEMENT *statement = NULL;
    va_list values;
    va_start(values, types);
    int rc = prepare(keep, &statement, sql, types, values);
    va_end(values);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* What SQLite's code means to the caller; the system's errno decides where SQLite has one. */
static int code_of(int rc, int system_errno)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return system_errno == EACCES || system_errno == EPERM ? -EACCES : -EROFS;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        switch (system_errno) {
        case ENOSPC:
        case EDQUOT:
            return -ENOSPC;
        case EROFS:
        case EACCES:
        case EMFILE:
        case ENFILE:
            return -system_errno;
        default:
            return -EIO;
        }
    default:
        return -EIO;
    }
}

static const char *reason_of(int code, sqlite3 *db)
{
    switch (code) {
    case -ENOSPC:
        return "no space is left; free some on that file system";
    case -EBUSY:
        return "another process has held it for more than 2 s; try again";
    case -EROFS:
        return "it is read-only; make it writable or choose another state directory";
    case -EUCLEAN:
        return "it is corrupt; the daemon sets it aside, or move it away by hand";
    case -EACCES:
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return strerror(-code);
    default: /* no error and yet none of the above: journal_mode did not become what was asked */
        return sqlite3_errcode(db) != SQLITE_OK
                   ? sqlite3_errmsg(db)
                   : "its file system has no shared memory maps, which SQLite's WAL needs";
    }
}

/* Codes after which the file, or the way to it, is to be opened anew; a full disk is bad as well,
 * but what is open stays good for the day when it has room again. */
static void note_failure(struct keep *keep, const struct error *err)
{
    bool unusable =
        err->code == -EUCLEAN || err->code == -EIO || err->code == -EROFS || err->code == -EACCES;
    if (keep->renews && (unusable || err->code == -ENOSPC))
        keep_spoil(keep, unusable, err);
}

int keep_done(struct keep *keep, int rc, const char *doing, struct error *err)
{
    struct error mine;
    err = err ? err : &mine;
    if (!keep->db) {
        *err = keep->why;
        return err->code;
    }
    if (rc == SQLITE_OK && !sqlite3_get_autocommit(keep->db))
        rc = keep_run(keep, "COMMIT", "");
    if (rc == SQLITE_OK)
        return 0;
    int code = code_of(rc, sqlite3_system_errno(keep->db));
    error_set(err, FAILURE_UNREACHABLE, code, "cannot %s in %s: %s", doing, keep->path,
              reason_of(code, keep->db));
    if (!sqlite3_get_autocommit(keep->db))
        keep_run(keep, "ROLLBACK", "");
    note_failure(keep, err);
    return code;
}

void keep_text(char *text, size_t size, const char *from)
{
    size_t n = 0;
    while (from && n < size - 1 && from[n])
        n++;
    while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        memcpy(text, from, n);
    text[n] = '\0';
}
