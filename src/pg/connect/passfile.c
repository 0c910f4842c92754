/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The password file, looked at before libpq does: libpq ignores one that others
 * may read, and says so on stderr, which is not ours to write to.  No state, no
 * lock.
 */
#include "pg/connect/passfile.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/config/settings.h"

/* As libpq finds it, from version 15 on.  "" if there is no home. */
static void home_folder(char *home, size_t size)
{
    const char *given = getenv("HOME");
    char buffer[1024];
    struct passwd entry, *found = NULL;
    if (given && *given)
        snprintf(home, size, "%s", given);
    else if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) ||
             !found)
        *home = '\0';
    else
        snprintf(home, size, "%s", found->pw_dir);
}

const char *pqp__passfile_fault(const PQconninfoOption *settings)
{
    char home[1024], path[sizeof home + sizeof "/.pgpass"];
    const char *given = pqp__setting(settings, "passfile");
    struct stat st;
    home_folder(home, sizeof home);
    snprintf(path, sizeof path, "%s/.pgpass", home);
    if (stat(*given ? given : path, &st))
        return NULL;
    if (!S_ISREG(st.st_mode))
        return "the password file is ignored: it is not a plain file";
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return "the password file is ignored: others have access to it "
               "(chmod 600)";
    return NULL;
}
