/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs a fuzz target without a fuzzer: each line of a seed file, then many
 * mutants of it, the same in every run. Usage: fuzz_x_seeds FILE [MUTANTS OF
 * EACH LINE]
 */
#include <string.h>

#include "fuzz.h"

enum { MAX_LINES = 200, MAX_LENGTH = 1000 };

static char lines[MAX_LINES][MAX_LENGTH];
static size_t line_count;
static uint64_t seed = 20261123;

static size_t random_of(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed >> 11) % n;
}

/* Replaces a piece of `text` by a piece of a random line, a few times. */
static size_t mutate(char *text, size_t size)
{
    for (size_t n = 1 + random_of(4); n > 0; n--) {
        const char *line = lines[random_of(line_count)];
        size_t from = random_of(strlen(line) + 1);
        size_t piece = random_of(strlen(line) - from + 1);
        size_t at = random_of(size + 1);
        size_t gone = random_of(size - at + 1);
        if (random_of(2) || size - gone + piece > MAX_LENGTH)
            piece = gone = size > at; /* a single byte */
        char byte = (char)random_of(256);
        memmove(text + at + piece, text + at + gone, size - at - gone);
        memcpy(text + at, piece == 1 ? &byte : line + from, piece);
        size = size - gone + piece;
    }
    return size;
}

static void run(const char *text, size_t size)
{
    LLVMFuzzerTestOneInput((const uint8_t *)text, size);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    long mutants = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
    if (!file) {
        (void)fprintf(stderr, "usage: %s FILE [MUTANTS]\n", argv[0]);
        return 2;
    }
    while (line_count < MAX_LINES && fgets(lines[line_count], MAX_LENGTH, file))
        lines[line_count][strcspn(lines[line_count], "\n")] = '\0',
                                                     line_count++;
    (void)fclose(file);
    CHECK(line_count > 0);
    for (size_t i = 0; i < line_count; i++) {
        run(lines[i], strlen(lines[i]));
        for (long n = 0; n < mutants; n++) {
            char text[MAX_LENGTH + 1];
            memcpy(text, lines[i], MAX_LENGTH);
            run(text, mutate(text, strlen(lines[i])));
        }
    }
    printf("%zu seeds, %ld mutants of each: ok\n", line_count, mutants);
    return 0;
}
