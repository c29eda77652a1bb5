/* Statements, transactions, and SQLite's result codes in the words of this program. */
#include "base/grow.h"
#include "keep/private.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct keep *keep_enter(struct keep *keep, bool ready)
{
    pthread_mutex_lock(&keep->mutex);
    keep->rc = SQLITE_OK;
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

void keep_heed(struct keep *keep, int rc)
{
    if (keep->rc == SQLITE_OK)
        keep->rc = rc;
}

static void bind(struct keep *keep, sqlite3_stmt *statement, const char *types, va_list values)
{
    for (int i = 1; keep->rc == SQLITE_OK && *types; i++, types++)
        switch (*types) {
        case 't':
            keep->rc =
                sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
            break;
        case 'i':
            keep->rc = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
            break;
        case 'd':
            keep->rc = sqlite3_bind_double(statement, i, va_arg(values, double));
            break;
        default:
            keep->rc = SQLITE_MISUSE;
        }
}

static sqlite3_stmt *prepare(struct keep *keep, const char *sql, const char *types, va_list values)
{
    sqlite3_stmt *statement = NULL;
    keep_heed(keep, keep->db ? SQLITE_OK : SQLITE_CANTOPEN);
    if (keep->rc == SQLITE_OK)
        keep->rc = sqlite3_prepare_v2(keep->db, sql, -1, &statement, NULL);
    bind(keep, statement, types, values);
    return statement;
}

sqlite3_stmt *keep_prepare(struct keep *keep, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    sqlite3_stmt *statement = prepare(keep, sql, types, values);
    va_end(values);
    return statement;
}

bool keep_row(struct keep *keep, sqlite3_stmt *statement)
{
    if (keep->rc != SQLITE_OK)
        return false;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        keep->rc = rc;
    return rc == SQLITE_ROW;
}

void keep_run(struct keep *keep, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    KEEP_STATEMENT *statement = prepare(keep, sql, types, values);
    va_end(values);
    while (keep_row(keep, statement)) {
    }
}

void keep_again(struct keep *keep, sqlite3_stmt *statement, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    bind(keep, statement, types, values);
    va_end(values);
    keep_row(keep, statement);
    keep_heed(keep, sqlite3_reset(statement));
}

void keep_script(struct keep *keep, const char *sql)
{
    if (keep->rc == SQLITE_OK)
        keep->rc = sqlite3_exec(keep->db, sql, NULL, NULL, NULL);
}

int64_t keep_number(struct keep *keep, int64_t otherwise, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    KEEP_STATEMENT *statement = prepare(keep, sql, types, values);
    va_end(values);
    return keep_row(keep, statement) ? sqlite3_column_int64(statement, 0) : otherwise;
}

void keep_insert(struct keep *keep, const char *sql, const struct keep_column *columns, size_t n,
                 const void *row)
{
    KEEP_STATEMENT *statement = keep_prepare(keep, sql, "");
    for (size_t i = 0; keep->rc == SQLITE_OK && i < n; i++) {
        const void *member = (const char *)row + columns[i].offset;
        int at = (int)i + 1;
        switch (columns[i].type) {
        case COLUMN_INTEGER:
            keep->rc = sqlite3_bind_int64(statement, at, *(const int64_t *)member);
            break;
        case COLUMN_ENUM:
            keep->rc = sqlite3_bind_int64(statement, at, *(const unsigned *)member);
            break;
        case COLUMN_REAL:
            keep->rc = sqlite3_bind_double(statement, at, *(const double *)member);
            break;
        case COLUMN_BORROWED:
            member = *(const char *const *)member;
            /* fall through */
        case COLUMN_TEXT:
            keep->rc = sqlite3_bind_text(statement, at, member, -1, SQLITE_STATIC);
            break;
        }
    }
    while (keep_row(keep, statement)) {
    }
}

void keep_read(sqlite3_stmt *statement, const struct keep_column *columns, size_t n, void *ret_row)
{
    for (size_t i = 0; i < n; i++) {
        void *member = (char *)ret_row + columns[i].offset;
        int at = (int)i;
        switch (columns[i].type) {
        case COLUMN_INTEGER:
            *(int64_t *)member = sqlite3_column_int64(statement, at);
            break;
        case COLUMN_ENUM:
            *(unsigned *)member = (unsigned)sqlite3_column_int(statement, at);
            break;
        case COLUMN_REAL:
            *(double *)member = sqlite3_column_double(statement, at);
            break;
        case COLUMN_TEXT:
            text_copy(member, columns[i].size, keep_text_of(statement, at));
            break;
        case COLUMN_BORROWED:
            *(const char **)member = keep_text_of(statement, at);
            break;
        }
    }
}

const char *keep_text_of(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}

static void free_rows(void *rows)
{
    free(*(void **)rows);
}

int keep_read_all(struct keep *keep, sqlite3_stmt *statement, const struct keep_rows *of,
                  void *ret_rows, size_t *ret_n, struct error *err)
{
    __attribute__((cleanup(free_rows))) void *rows = NULL;
    size_t n = 0;
    while (keep_row(keep, statement)) {
        void *row = array_more(&rows, &n, SIZE_MAX, of->size);
        if (row)
            keep_read(statement, of->columns, of->n_columns, row);
        else
            keep_heed(keep, SQLITE_NOMEM);
    }
    int r = keep_done(keep, of->doing, err);
    if (r < 0)
        return r;
    memcpy(ret_rows, &rows, sizeof rows);
    *ret_n = n;
    rows = NULL;
    return 0;
}

/* What SQLite's code means to the caller; the system's errno decides where SQLite has one. */
static int code_of(int rc, int system_errno)
{
    static const struct {
        int rc, code;
    } codes[] = {{SQLITE_FULL, -ENOSPC},  {SQLITE_BUSY, -EBUSY},      {SQLITE_LOCKED, -EBUSY},
                 {SQLITE_NOMEM, -ENOMEM}, {SQLITE_CORRUPT, -EUCLEAN}, {SQLITE_NOTADB, -EUCLEAN}};
    bool refused = system_errno == EACCES || system_errno == EPERM;
    for (size_t i = 0; i < KEEP_COUNT(codes); i++)
        if (codes[i].rc == (rc & 0xff))
            return codes[i].code;
    switch (rc & 0xff) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return refused ? -EACCES : -EROFS;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (system_errno == ENOSPC || system_errno == EDQUOT)
            return -ENOSPC;
        if (system_errno == EROFS || system_errno == EACCES || system_errno == EMFILE ||
            system_errno == ENFILE)
            return -system_errno;
        return -EIO;
    default:
        return -EIO;
    }
}

static const char *reason_of(int code, sqlite3 *db)
{
    static const struct {
        int code;
        const char *reason;
    } reasons[] = {
        {-ENOSPC, "no space is left; free some on that file system"},
        {-EBUSY, "another process has held it for more than 2 s; try again"},
        {-EROFS, "it is read-only; make it writable or choose another state directory"},
        {-EUCLEAN, "it is corrupt; the daemon sets it aside, or move it away by hand"},
    };
    for (size_t i = 0; i < KEEP_COUNT(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    if (code != -EIO)
        return strerror(-code);
    /* No error and yet none of the above: journal_mode did not become what was asked. */
    return sqlite3_errcode(db) != SQLITE_OK
               ? sqlite3_errmsg(db)
               : "its file system has no shared memory maps, which SQLite's WAL needs";
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

int keep_done(struct keep *keep, const char *doing, struct error *err)
{
    struct error mine;
    err = err ? err : &mine;
    if (!keep->db) {
        keep->rc = SQLITE_OK;
        *err = keep->why;
        return err->code;
    }
    if (!sqlite3_get_autocommit(keep->db))
        keep_run(keep, "COMMIT", "");
    if (keep->rc == SQLITE_OK)
        return 0;
    int code = code_of(keep->rc, sqlite3_system_errno(keep->db));
    error_set(err, FAILURE_UNREACHABLE, code, "cannot %s in %s: %s", doing, keep->path,
              reason_of(code, keep->db));
    keep->rc = SQLITE_OK;
    if (!sqlite3_get_autocommit(keep->db))
        keep_run(keep, "ROLLBACK", "");
    keep->rc = SQLITE_OK;
    note_failure(keep, err);
    return code;
}
