/* What the files of this room share: the handle, statements, transactions, the reserve. */
#ifndef SUPERVISOR_KEEP_PRIVATE_H
#define SUPERVISOR_KEEP_PRIVATE_H

#include "keep/keep.h"
#include "keep/throttles.h"
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

enum {
    KEEP_SCHEMA = 3,             /* user_version; a higher one is refused */
    KEEP_BUSY_MS = 2000,         /* how long another process is waited for */
    KEEP_PAGE_BYTES = 4096,      /* SQLite's own default */
    KEEP_SPARE_PAGES = 256,      /* an intent with the longest texts takes a quarter page, with its
                                    index entry a third: room for 700 */
    KEEP_INTENT_PAGES = 4,       /* what one may take where pages split */
    KEEP_SPARE_LOW_PAGES = 128,  /* below this they are filled up again */
    KEEP_WAL_FRAMES = 256,       /* the WAL's length on disk */
    KEEP_CHECKPOINT_FRAMES = 64, /* a commit takes 2 to 8 frames: far below the WAL's length */
    KEEP_ENDED_MAX = 10000,      /* ended intents that are kept */
    KEEP_OPEN_MAX = 4096,        /* as many as containers: each is under one remedy at most */
    KEEP_KEYS_MAX = 4096,        /* keys with a hold, a release or a footprint */
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
    pthread_mutex_t mutex;
    char path[KEEP_PATH_SIZE];      /* of supervisor.db, absolute */
    char set_aside[KEEP_FILE_SIZE]; /* where a corrupt one was put; "" */
    /* Of supervisor.db only (renew.c): */
    char *directory; /* owned, as it was given */
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

/* The functions below give SQLite's result codes; keep_done turns the last one into ours. */

/* Prepares SQL and binds its parameters in order, by TYPES: t const char * (kept by the caller
 * until the statement ends), i int64_t, d double. */
int keep_prepare(struct keep *keep, sqlite3_stmt **ret_statement, const char *sql,
                 const char *types, ...);
/* The same, and runs it to its end; rows are left unread. */
int keep_run(struct keep *keep, const char *sql, const char *types, ...);
/* The first column of the first row; where there is no row *ret_number stays as it is. */
int keep_number(struct keep *keep, int64_t *ret_number, const char *sql, const char *types, ...);

/* Ends what was done under a KEEP_LOCKED with SQLite's code RC: commits the transaction if one is
 * open and all went well, rolls it back otherwise. 0, or a negative errno with *err saying "cannot
 * DOING in FILE: why". */
int keep_done(struct keep *keep, int rc, const char *doing, struct error *err);

/* The absolute path of DIRECTORY/NAME; the directory is made where it is missing. */
int keep_find_place(struct keep *keep, const char *directory, const char *name, struct error *err);
/* Makes the file as nobody else's where it is missing; SQLite gives its -wal and -shm the same
 * mode. */
int keep_make_file(const char *path, struct error *err);
/* SQLITE_OK if SQL's first row is the text WANTED, else OTHERWISE. */
int keep_expect(struct keep *keep, const char *sql, const char *wanted, int otherwise);
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
 * place can be told again. SQLite's code; *ret_missing: the file did not have all of it. */
void keep_know_intent(struct keep *keep, const struct intent *intent);
void keep_know_end(struct keep *keep, int64_t id, enum intent_state state, fact held_after,
                   int64_t ended_wall_ms, const char *outcome);
void keep_know_throttle(struct keep *keep, const struct throttle *throttle);
void keep_forget_throttle(struct keep *keep, const char *container);
int keep_tell_known(struct keep *keep, bool *ret_missing);
/* Each inserts a row, with the intent's id or, where that is 0, one of its own; one that is there
 * stays as it is. SQLite's codes. */
int keep_insert_intent(struct keep *keep, const struct intent *intent);
int keep_insert_throttle(struct keep *keep, const struct throttle *throttle);

/* Writes the schema's number, which is a commit as well. */
int keep_number_schema(struct keep *keep);

/* Fills up the spare pages and the WAL where they have run low. On a file system that is nearly
 * full a reserve that is partly used up is left as it is. */
int keep_reserve(struct keep *keep);
/* Writes as much as an intent may take, and leaves nothing of it. */
int keep_try_write(struct keep *keep);
/* Copies the WAL into the database and begins it anew where half of its length is in use: else a
 * commit could need more than there is, and each start would read and copy all of it again. */
int keep_rewind(struct keep *keep);

/* Copies as much as fits and cuts no UTF-8 character in two. NULL is "". */
void keep_text(char *text, size_t size, const char *from);

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

/* Locks DIRECTORY/NAME; remove: the file goes with the lock. `what` begins the sentence about
 * somebody else who has it. */
int keep_take_lock(const char *directory, const char *name, bool remove, const char *what,
                   struct keep_lock **ret_lock, fact *ret_holder, struct error *err);
/* RUN/supervisor/locks, made where it is missing: 0 if nobody but root, or who we are, can put
 * anything there or in its way, and it is no container's own. */
int keep_life_directory(const char *run, char locks[PATH_MAX], struct error *err);
/* The lock in the state directory alone, and that below RUN (/run) alone: where the latter is not
 * to be had or not believed, another -errno than -EWOULDBLOCK. */
int keep_lock_state(const char *directory, const char *id, struct keep_lock **ret_lock,
                    fact *ret_holder, struct error *err);
int keep_lock_life_below(const char *run, const char *id, struct keep_lock **ret_lock,
                         fact *ret_holder, struct error *err);
/* PATH is missing, or a file which root, or who we are, alone can open. */
bool keep_is_ours_alone(const char *path);
/* Removes the locks of containers that nobody holds: their holders were killed. */
void keep_sweep_locks(const char *directory);

#endif
