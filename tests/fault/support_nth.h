/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Makes the nth call of the library fail that may lack a resource: memory, a
 * thread, a descriptor or an address.  The linker redirects these calls of the
 * library's objects to this file (see CMakeLists.txt).  Calls inside libpq are
 * not redirected.
 */
#ifndef SUPPORT_NTH_H
#define SUPPORT_NTH_H

#include "harness.h"

/* Runs `body` once for each n, until a run makes fewer than n such calls.  Each
 * run has a process of its own, so that nothing is cached.  With `lasting`, the
 * nth call and all later ones fail until nth_heal().  Fails the test unless
 * each run ends well.  Returns how many calls were made to fail. */
int nth_for_every(void (*body)(void), int lasting);

/* Called by the body: from now on no call fails. */
void nth_heal(void);

/* Called by the body: ends the run as failed unless `ok` is set. */
void nth_check(int ok, const char *what);

#endif
