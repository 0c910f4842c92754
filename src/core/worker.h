/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "pool.h"

/* The thread of a worker.  `arg` is its struct pool_thread. */
void *rpool__worker_run(void *arg);

#endif
