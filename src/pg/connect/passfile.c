/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looks at the password file before libpq does.  libpq ignores a file that
 * others may read, and writes a warning to stderr, which belongs to the
 * application. No state, no lock.
 */
#include "pg/connect/passfile.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/config/settings.h"

/* Finds the home directory as libpq 15 and later do; "" if there is none. */
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
