/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#endif

#if defined(FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_SIZE = 256 * 1024, STACK_GUARD = 4096 };

static struct fiber *fiber_before, *fiber_now;

/* Called first on the new stack after every switch. */
static void arrive(struct fiber *self)
{
#if defined(FIBER_ASAN)
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(self->asan, &bottom, &size);
    if (fiber_before->stack == NULL) {
        /* The real stack becomes known when it is left for the first time. */
        fiber_before->context.uc_stack.ss_sp = (void *)(uintptr_t)bottom;
        fiber_before->context.uc_stack.ss_size = size;
    }
#else
    (void)self;
#endif
}

static void start(void)
{
    arrive(fiber_now);
    fiber_now->run();
}

void fiber_adopt(struct fiber *fiber)
{
    fiber->stack = NULL;
#if defined(FIBER_TSAN)
    fiber->tsan = __tsan_get_current_fiber();
#endif
    fiber_now = fiber;
}

static void *stack_new(void)
{
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, STACK_GUARD, PROT_NONE) != 0) {
        perror("sim: stack");
        abort();
    }
    return stack;
}

void fiber_make(struct fiber *fiber, void (*run)(void))
{
    if (fiber->stack == NULL)
        fiber->stack = stack_new();
    fiber->run = run;
    fiber->asan = NULL;
    (void)getcontext(&fiber->context);
    fiber->context.uc_link = NULL;
    fiber->context.uc_stack.ss_sp = (char *)fiber->stack + STACK_GUARD;
    fiber->context.uc_stack.ss_size = STACK_SIZE - STACK_GUARD;
    makecontext(&fiber->context, start, 0);
#if defined(FIBER_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(fiber->context.uc_stack.ss_sp,
                                fiber->context.uc_stack.ss_size);
#elif defined(FIBER_TSAN)
    if (fiber->tsan != NULL)
        __tsan_destroy_fiber(fiber->tsan);
    fiber->tsan = __tsan_create_fiber(0);
#endif
}

void fiber_switch(struct fiber *from, struct fiber *to, int ended)
{
    fiber_before = from;
    fiber_now = to;
#if defined(FIBER_ASAN)
    __sanitizer_start_switch_fiber(ended ? NULL : &from->asan,
                                   to->context.uc_stack.ss_sp,
                                   to->context.uc_stack.ss_size);
#elif defined(FIBER_TSAN)
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    (void)ended;
    (void)swapcontext(&from->context, &to->context);
    arrive(from);
}
