# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
# How our own code is compiled; nothing of it reaches those who link to us.
option(PQPOOL_HARDEN "Hardening flags" ON)
set(PQPOOL_SANITIZE "" CACHE STRING "Value of -fsanitize=")

add_library(pqpool_flags INTERFACE)
target_compile_options(pqpool_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef -Wformat=2
    -Wimplicit-fallthrough -Wcast-qual)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
    target_compile_options(pqpool_flags INTERFACE -Wthread-safety)
endif()
# The functions that src/base/quick.h marks do without the stack protector, which
# was a tenth of the uncontended acquire and release.  An attribute of each
# function, so that everything else in their files keeps it; the other flags
# cost those functions nothing, or one instruction at their entry.
if(PQPOOL_HARDEN AND NOT PQPOOL_SANITIZE)
    target_compile_options(pqpool_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection
        $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
        target_compile_options(pqpool_flags INTERFACE -fcf-protection)
    endif()
    add_link_options(-Wl,-z,relro,-z,now)
endif()
if(PQPOOL_SANITIZE)
    add_compile_options(-fsanitize=${PQPOOL_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${PQPOOL_SANITIZE})
endif()
