/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The two macros behind PQP_QUERY(), PQP_QUERY_INIT() and their relatives: a
 * literal of a struct that begins with its size.  They work in C and in C++20,
 * which has the designated initialisers of C, in the order of the fields.
 */
#ifndef PQPOOL_LITERAL_H
#define PQPOOL_LITERAL_H

/* g++ warns about each field that a literal does not name
 * (-Wmissing-field-initializers), although such a field is zero.  It does not
 * warn if the braces of the literal stand in a system header. */
#ifdef __GNUC__
#pragma GCC system_header
#endif

/* PQP_LITERAL makes the initialiser of an object.  In C++ that is a value too.
 *
 * PQP_LITERAL_ADDRESS makes the address of an unnamed object, which lives until
 * the end of the enclosing block in C, and until the end of the full expression
 * in C++: long enough for an argument of a call. */
#ifdef __cplusplus
#define PQP_LITERAL(type, ...) (type{.size = sizeof(type), __VA_ARGS__})
#define PQP_LITERAL_ADDRESS(type, ...)                                         \
    (&static_cast<const type &>(type{.size = sizeof(type), __VA_ARGS__}))
#else
#define PQP_LITERAL(type, ...)                                                 \
    {                                                                          \
        .size = sizeof(type), __VA_ARGS__                                      \
    }
#define PQP_LITERAL_ADDRESS(type, ...)                                         \
    (&(const type){.size = sizeof(type), __VA_ARGS__})
#endif

#endif
