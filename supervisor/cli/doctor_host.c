/* supervisor doctor: the daemon, its state directory, the clock. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/doctor.h"
#include "keep/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static void judge_daemon(struct doctor *doctor)
{
    const struct settings *s = doctor->settings;
    struct heartbeat_seen seen;
    heartbeat_see(s->state, s->procfs, clock_boottime_s(), &seen);
    if (seen.fresh)
        doctor_find(doctor, DOCTOR_OK, "daemon", "", NULL, NULL, "a supervisor looked %s ago",
                    SHOWN_S(seen.age_s));
    else if (seen.forgets)
        doctor_find(doctor, DOCTOR_CRITICAL, "daemon", "",
                    "nothing is done that must be remembered: no restart, no unload",
                    "give the state directory room, or make it writable; the supervisor goes on by "
                    "itself",
                    "%s", seen.why);
    else
        doctor_find(doctor, DOCTOR_WARNING, "daemon", "", "nothing is healed by itself",
                    "scripts/up; as a Debian package: sudo systemctl enable --now "
                    "ollama-supervisor",
                    "%s", seen.why);
}

/* The history of a month takes some 20 MiB; what must be remembered, less than one. */
static const fact room_wanted = 64 << 20;

static void judge_state(struct doctor *doctor)
{
    const char *state = doctor->settings->state;
    struct stat info;
    struct statvfs disk;
    if (stat(state, &info) < 0) {
        if (errno != ENOENT)
            doctor_find(doctor, DOCTOR_WARNING, "state", "",
                        "what a supervisor remembers cannot be seen from here",
                        "sudo supervisor doctor", "%s: %s", state, error_of_file(errno));
        return; /* the first run makes it */
    }
    if ((info.st_uid != 0 && info.st_uid != geteuid()) || (info.st_mode & (S_IWGRP | S_IWOTH))) {
        doctor_find(doctor, DOCTOR_CRITICAL, "state", "",
                    "it is not used, since whoever can write there decides what is healed",
                    "sudo chown root:root and sudo chmod 755 of that directory",
                    "others than root can write into %s", state);
        return;
    }
    if (statvfs(state, &disk) < 0)
        return;
    fact room = fact_times((fact)disk.f_bavail, (fact)disk.f_frsize);
    if (disk.f_flag & ST_RDONLY)
        doctor_find(doctor, DOCTOR_CRITICAL, "state", "",
                    "nothing is done that must be remembered: no restart, no unload",
                    "mount it to be written, or choose another one: supervisor.state",
                    "%s lies on a disk that is mounted read-only", state);
    else if (fact_known(room) && room < room_wanted)
        doctor_find(doctor, DOCTOR_WARNING, "state", "",
                    "on a full disk nothing is done that must be remembered",
                    "docker system df tells what the engine keeps", "%s has %s left", state,
                    SHOWN(room));
    else
        doctor_find(doctor, DOCTOR_OK, "state", "", NULL, NULL, "%s has %s left", state,
                    SHOWN(room));
}

/* When this was written: no clock is right that is before it. */
static const time_t written = 1796083200; /* 2026-12-01 */

static void judge_clock(struct doctor *doctor)
{
    time_t now = time(NULL);
    char text[32] = "";
    struct tm parts;
    if (now >= written)
        return;
    if (gmtime_r(&now, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    doctor_find(doctor, DOCTOR_WARNING, "clock", "",
                "the times of the history are wrong, and TLS to the registry fails",
                "sudo timedatectl set-ntp true", "the clock says %s UTC", text);
}

void doctor_host(struct doctor *doctor)
{
    judge_daemon(doctor);
    judge_state(doctor);
    judge_clock(doctor);
}
