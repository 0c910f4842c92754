/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The intrusive list. */
#include "base/list.h"

#include "harness.h"

struct member {
    int value;
    struct list node;
};

static int value_of(struct list *node)
{
    return container_of(node, struct member, node)->value;
}

static void check_order(const struct list *l, const int *values, int count)
{
    const struct list *at = l;
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(at->next->prev, at);
        at = at->next;
        assert_int_equal(value_of((struct list *)(uintptr_t)at), values[i]);
    }
    assert_ptr_equal(at->next, l);
    assert_ptr_equal(l->prev, at);
}

static void list_keeps_order_when_members_are_added_and_removed(void **state)
{
    (void)state;
    struct list l;
    struct member m[4] = {
        {.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    list_init(&l);
    assert_true(list_empty(&l));
    list_push_back(&l, &m[1].node);
    list_push_back(&l, &m[3].node);
    list_push_front(&l, &m[0].node);
    list_insert_after(&m[1].node, &m[2].node);
    assert_false(list_empty(&l));
    check_order(&l, (const int[]){0, 1, 2, 3}, 4);
    list_remove(&m[2].node);
    check_order(&l, (const int[]){0, 1, 3}, 3);
    assert_true(list_empty(&m[2].node)); /* it points to itself */
    /* a member of no list may be removed */
    list_remove(&m[2].node);
    check_order(&l, (const int[]){0, 1, 3}, 3);
    assert_int_equal(value_of(list_pop_front(&l)), 0);
    assert_int_equal(value_of(list_pop_front(&l)), 1);
    assert_int_equal(value_of(list_pop_front(&l)), 3);
    assert_true(list_empty(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_keeps_order_when_members_are_added_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
