/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Fails the nth call of ours that may fail for want of something: memory, a
 * thread, a descriptor, an address.  The linker leads such calls of the
 * library's objects here (CMakeLists.txt says which); libpq's own are its own.
 */
#ifndef SUPPORT_NTH_H
#define SUPPORT_NTH_H

#include "harness.h"

/* Runs body once for each n, in a process of its own so that nothing is warm,
 * until a run makes fewer than n such calls.  lasting: the nth and all that
 * come after fail, until nth_heal().  Fails the test unless each run ends well;
 * returns how many calls were made to fail first. */
int nth_for_every(void (*body)(void), int lasting);

/* Body: from now on nothing fails. */
void nth_heal(void);

/* Body: ends the run, badly, unless ok. */
void nth_check(int ok, const char *what);

#endif
