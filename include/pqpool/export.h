/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What the compiler must know about every public declaration. */
#ifndef PQPOOL_EXPORT_H
#define PQPOOL_EXPORT_H

#define PQP_EXPORT    __attribute__((visibility("default")))
#define PQP_NODISCARD __attribute__((warn_unused_result))

#endif
