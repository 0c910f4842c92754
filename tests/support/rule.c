/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Finds the place of a rule in a stream of pieces; see rule.h. */
#include "rule.h"

void place_set(struct place *place, const struct fault_rule *rule)
{
    *place = (struct place){.rule = *rule};
    place->reached =
        rule->action != FAULT_PASS && rule->message == 0 && rule->offset == 0;
}

/* Returns how many bytes of a piece at `position` come before `offset`. */
static size_t before(uint64_t offset, uint64_t position, size_t size)
{
    uint64_t room = offset > position ? offset - position : 0;
    return room < size ? (size_t)room : size;
}

static int is_named(const struct fault_rule *rule, const struct piece *piece)
{
    return piece->type != 0 &&
           (rule->message == MESSAGE_ANY || rule->message == piece->type);
}

/* For a piece of the message that the rule names. */
static size_t pass_inside(struct place *place, const struct piece *piece)
{
    const struct fault_rule *rule = &place->rule;
    size_t size = piece->size;
    if (rule->offset != FAULT_END)
        size = before((uint64_t)rule->offset, piece->position, size);
    place->reached = size < piece->size || piece->ends ||
                     (rule->offset != FAULT_END &&
                      piece->position + size == (uint64_t)rule->offset);
    return size;
}

size_t place_pass(struct place *place, const struct piece *piece)
{
    const struct fault_rule *rule = &place->rule;
    size_t size = piece->size;
    if (rule->action == FAULT_PASS) {
        place->passed += size;
        return size;
    }

    if (rule->message == 0) {
        size = before((uint64_t)rule->offset, place->passed, size);
        place->reached = place->passed + size == (uint64_t)rule->offset;
    } else if (is_named(rule, piece)) {
        place->seen += piece->begins;
        int nth = rule->nth > 1 ? rule->nth : 1;
        if (place->seen == nth)
            size = pass_inside(place, piece);
    }
    place->passed += size;
    return size;
}
