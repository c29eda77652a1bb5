/* What the files of this room share: the handle, statements, transactions, the reserve. */
#ifndef SUPERVISOR_KEEP_PRIVATE_H
#define SUPERVISOR_KEEP_PRIVATE_H

#include "base/text_clean.h"
#include "keep/keep.h"
#include "keep/throttles.h"
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

enum {
    KEEP_SCHEMA = 5,             /* user_version; a higher one is refused */
    KEEP_BUSY_MS = 2000,         /* how long another process is waited for */
    KEEP_PAGE_BYTES = 4096,      /* SQLite's own default */
    KEEP_SPARE_PAGES = 320,      /* an intent with the longest texts takes a quarter page, with its
                                    two index entries 0.42: room for 700 */
    KEEP_INTENT_PAGES = 4,       /* what one may take where pages split */
    KEEP_SPARE_LOW_PAGES = 128,  /* below this they are filled up again */
    KEEP_WAL_FRAMES = 256,       /* the WAL's length on disk */
    KEEP_CHECKPOINT_FRAMES = 64, /* a commit takes 2 to 8 frames: far below the WAL's length */
    KEEP_ENDED_MAX = 10000,      /* ended intents that are kept */
    KEEP_OPEN_MAX = 4096,        /* as many as containers: each is under one remedy at most */
    KEEP_KEYS_MAX = 4096,        /* keys with a hold, a release or a footprint */
    KEEP_LOADS_MAX = 256,        /* our own loads that are remembered */
    KEEP_THROTTLES_MAX = 4096,   /* as many as containers */
    KEEP_CORRUPT_MAX = 3,        /* corrupt databases that stay set aside */
    KEEP_KNOWN_MAX = 64,  /* ended intents that are known beside the file: a restart budget is
                             used up by a tenth */
    KEEP_PATH_SIZE = 480, /* SQLite takes 512 with "-journal" behind */
    KEEP_FILE_SIZE = 544, /* the path with a suffix behind */
};

struct keep_file { /* what a name meant when the database was opened; inode 0: nothing */
    dev_t device;
    ino_t inode;
};

struct keep {
    sqlite3 *db; /* NULL: supervisor.db went bad, and is opened anew by keep_ready */
    int rc;      /* SQLite's first refusal of this call, after which nothing more is done */
    pthread_mutex_t mutex;
    char path[KEEP_PATH_SIZE];      /* of supervisor.db, absolute */
    char set_aside[KEEP_FILE_SIZE]; /* where a corrupt one was put; "" */
    /* Of supervisor.db only (renew.c): */
    char *directory;        /* owned, as it was given */
    struct keep_lock *lock; /* borrowed: the daemon's; NULL: none is needed */
    bool renews, repair;
    bool closing;               /* it went bad in this call */
    bool bad, told;             /* since it went bad no check has found it good; one has said so */
    bool lost;                  /* the file became another one, which keep_check has not told yet */
    struct error why;           /* while it is bad */
    struct keep_file files[3];  /* supervisor.db, its -wal and its -shm */
    double delay_s, retry_s;    /* of opening it anew; retry_s: boottime */
    double good_s, proved_s;    /* boottime: opened; last proved by a write */
    double busy_s;              /* boottime: since when no check could write; 0: it could */
    struct intent *intents;     /* known.c: begun by this process: open ones and the newest ended */
    struct throttle *throttles; /* that stand */
    size_t n_intents, n_throttles;
    bool owed; /* something of these may not be in the file */
};

/* One call at a time: KEEP_ALONE locks the handle until the end of the scope. KEEP_LOCKED also
 * makes it ready; where that fails every statement fails, and keep_done says why. */
void keep_leave(struct keep **keep);
struct keep *keep_enter(struct keep *keep, bool ready);
#define KEEP_ALONE(handle)                                                                         \
    struct keep *locked __attribute__((cleanup(keep_leave), unused)) = keep_enter(handle, false)
#define KEEP_LOCKED(handle)                                                                        \
    struct keep *locked __attribute__((cleanup(keep_leave), unused)) = keep_enter(handle, true)

void keep_finalize(sqlite3_stmt **statement);
#define KEEP_STATEMENT __attribute__((cleanup(keep_finalize))) sqlite3_stmt

void keep_close_fd(int *fd);
#define KEEP_FD __attribute__((cleanup(keep_close_fd))) int

/* The functions below do nothing where one of them was refused before in the same call (keep->rc):
 * only keep_done, at its end, asks whether all went well. */

/* SQLite's code of what was done beside these functions. */
void keep_heed(struct keep *keep, int rc);

/* Prepares SQL and binds its parameters in order, by TYPES: t const char * (kept by the caller
 * until the statement ends), i int64_t, d double. NULL where that was refused. */
sqlite3_stmt *keep_prepare(struct keep *keep, const char *sql, const char *types, ...);
/* The next row; false at the end. */
bool keep_row(struct keep *keep, sqlite3_stmt *statement);
/* Prepares, binds and runs to the end; rows are left unread. */
void keep_run(struct keep *keep, const char *sql, const char *types, ...);
/* Binds and runs what is prepared once more. */
void keep_again(struct keep *keep, sqlite3_stmt *statement, const char *types, ...);
/* Statements without parameters, one after the other. */
void keep_script(struct keep *keep, const char *sql);
/* The first column of the first row; `otherwise` where there is none. */
int64_t keep_number(struct keep *keep, int64_t otherwise, const char *sql, const char *types, ...);
/* The text of a column, "" for NULL. */
const char *keep_text_of(sqlite3_stmt *statement, int column);

/* A struct's members that are columns of a row, in its order. */
struct keep_column {
    enum {
        COLUMN_INTEGER, /* int64_t */
        COLUMN_ENUM,
        COLUMN_REAL,    /* double */
        COLUMN_TEXT,    /* char[] */
        COLUMN_BORROWED /* const char *, valid until the statement goes on */
    } type;
    size_t offset, size;
};
#define KEEP_COLUMN(type, of, member)                                                              \
    {COLUMN_##type, offsetof(struct of, member), sizeof(((struct of *)NULL)->member)}
#define KEEP_COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The age in the columns boot_id, begun_boottime_s, begun_wall_ms from `column` on, seconds. */
double keep_age_of(sqlite3_stmt *statement, int column, const struct keep_now *now);

/* Runs SQL with these members of row as its parameters. */
void keep_insert(struct keep *keep, const char *sql, const struct keep_column *columns, size_t n,
                 const void *row);
void keep_read(sqlite3_stmt *statement, const struct keep_column *columns, size_t n, void *ret_row);
struct keep_rows {
    const struct keep_column *columns;
    size_t n_columns, size;
    const char *doing;
};
/* All rows of a statement into an array, which is the caller's (free); its pointer is put where
 * ret_rows says. Ends the call as keep_done. */
int keep_read_all(struct keep *keep, sqlite3_stmt *statement, const struct keep_rows *of,
                  void *ret_rows, size_t *ret_n, struct error *err);

/* Ends what was done under a KEEP_LOCKED: commits the transaction if one is open and all went well,
 * rolls it back otherwise. 0, or a negative errno with *err saying "cannot DOING in FILE: why". */
int keep_done(struct keep *keep, const char *doing, struct error *err);

/* The absolute path of DIRECTORY/NAME; the directory is made where it is missing. */
int keep_find_place(struct keep *keep, const char *directory, const char *name, struct error *err);
/* Makes the file as nobody else's where it is missing; SQLite gives its -wal and -shm the same
 * mode. */
int keep_make_file(const char *path, struct error *err);
/* Heeds OTHERWISE unless SQL's first row is the text WANTED. */
void keep_expect(struct keep *keep, const char *sql, const char *wanted, int otherwise);
/* Reads all of it: is it whole? */
void keep_check_whole(struct keep *keep);
/* Opens keep->path, or the URI instead. As keep_done. */
int keep_open_file(struct keep *keep, int flags, const char *uri, const char *doing,
                   struct error *err);
/* What holds for this connection, and for the file if it is made: the pragmas, a WAL that is
 * checkpointed after so many frames. */
void keep_configure(struct keep *keep, const char *pragmas, int checkpoint_frames);
/* A WAL that went at the last close would want room at the next start; and what is there can be
 * read also where nothing can be made. */
void keep_persist_log(struct keep *keep);
struct keep_schema {
    int number;         /* user_version; a higher one is refused */
    const char *doing;  /* as keep_done's */
    const char *remedy; /* where it is a higher one, or some other program's (-ENOTSUP) */
};
/* The number that the file has, 0 for an empty one. */
int keep_read_version(struct keep *keep, const struct keep_schema *schema, int64_t *ret_version,
                      struct error *err);
void keep_close_database(struct keep *keep);
/* Opens it under the lock of those who open: a corrupt one is set aside where keep->repair is set;
 * room: see keep_open. */
int keep_open_database(struct keep *keep, bool room, struct error *err);
/* Renames a closed database to FILE.corrupt-<time>, which set_aside has then, and drops the oldest
 * of those beyond KEEP_CORRUPT_MAX. */
int keep_put_aside(struct keep *keep, struct error *err);

/* Is supervisor.db still the file that was opened? One that went bad is opened anew, not more often
 * than the back-off says. 0, or the negative errno that stands. */
int keep_ready(struct keep *keep, struct error *err);
/* Remembers which files are open. */
void keep_note_files(struct keep *keep);
/* It went bad by this error. close: it is opened anew at the next use, else it only counts as bad.
 */
void keep_spoil(struct keep *keep, bool close, const struct error *why);

/* known.c: what this process has begun itself is known beside the file, so that another file in its
 * place can be told again. *ret_missing: the file did not have all of it. */
void keep_know_intent(struct keep *keep, const struct intent *intent);
void keep_know_end(struct keep *keep, const struct intent *ended);
void keep_know_life(struct keep *keep, int64_t id, const char *started_at);
void keep_know_throttle(struct keep *keep, const struct throttle *throttle);
void keep_forget_throttle(struct keep *keep, const char *container);
/* Writes all of it, in a transaction, as keep_done ends it: what could not be committed is owed.
 */
int keep_tell_known(struct keep *keep, const char *doing, bool *ret_missing, struct error *err);
/* Each inserts a row, with the intent's id or, where that is 0, one of its own; one that is there
 * stays as it is. */
void keep_insert_intent(struct keep *keep, const struct intent *intent);
void keep_end_intent(struct keep *keep, const struct intent *ended);
void keep_insert_throttle(struct keep *keep, const struct throttle *throttle);

/* Writes the schema's number, which is a commit as well. */
void keep_number_schema(struct keep *keep);

/* Fills up the spare pages and the WAL where they have run low. On a file system that is nearly
 * full a reserve that is partly used up is left as it is. As keep_done. */
int keep_reserve(struct keep *keep, struct error *err);
/* Writes as much as an intent may take, and leaves nothing of it. */
void keep_try_write(struct keep *keep);
/* Copies the WAL into the database and begins it anew where half of its length is in use: else a
 * commit could need more than there is, and each start would read and copy all of it again. */
void keep_rewind(struct keep *keep);

/* Makes the state directory and its locks/ (0700) where missing, and says where the latter is; the
 * state directory's parent must be there. */
int keep_make_directories(const char *directory, char locks[PATH_MAX], struct error *err);
/* -EPERM: others than root (or we) could replace locks/ or put something there. */
int keep_believe_state(const char *directory, const char *locks, struct error *err);
/* PATH is still the name of the file that FD has open. */
bool keep_still_named(int fd, const char *path);
/* Locks the file PATH, waiting up to wait_ms; 0 and a descriptor, -EWOULDBLOCK and the holder's pid
 * or unknown, or another negative errno. */
int keep_lock_file(const char *path, int wait_ms, int *ret_fd, fact *ret_holder);

/* Locks DIRECTORY/NAME, waiting up to wait_ms; remove: the file goes with the lock. `what` begins
 * the sentence about somebody else who has it. */
int keep_take_lock(const char *directory, const char *name, bool remove, int wait_ms,
                   const char *what, struct keep_lock **ret_lock, fact *ret_holder,
                   struct error *err);
/* RUN/supervisor/locks, made where it is missing: 0 if nobody but root, or who we are, can put
 * anything there or in its way, and it is no container's own. */
int keep_life_directory(const char *run, char locks[PATH_MAX], struct error *err);
/* A container's lock in the state directory alone; shared: the host's alone, below DIRECTORY
 * (/run): where that is not to be had or not believed, another -errno than -EWOULDBLOCK. */
int keep_lock_one(const char *directory, bool shared, const char *id, struct keep_lock **ret_lock,
                  fact *ret_holder, struct error *err);
/* PATH is missing, or a file which root, or who we are, alone can open. */
bool keep_is_ours_alone(const char *path);
/* Removes the locks of containers that nobody holds: their holders were killed. */
void keep_sweep_locks(const char *directory);

#endif
