/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CLEANER_H
#define CORE_CLEANER_H

#include "pool.h"

/* cleaner.c */
void *rpool__cleaner_run(void *arg);

#endif
