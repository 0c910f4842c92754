/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CLEANER_H
#define CORE_CLEANER_H

#include "pool.h"

/* The thread of the cleaner.  `arg` is its struct pool_thread. */
void *rpool__cleaner_run(void *arg);

#endif
