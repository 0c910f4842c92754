/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The audit compares the reported outcome of each transfer with the ledger, and
 * the balances with the ledger.  It runs after all tellers have ended, on a
 * connection that none of them used.
 */
#include "bank.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int number_at(const PGresult *res, int row, int column)
{
    return (int)strtol(PQgetvalue(res, row, column), NULL, 10);
}

/* Returns the transfer of a row of the ledger, or NULL if there is none. */
static struct transfer *find_transfer(struct teller tellers[TELLERS],
                                      const char *id)
{
    unsigned teller, number;

    if (sscanf(id, TRANSFER_ID, &teller, &number) != 2 || teller >= TELLERS ||
        number >= tellers[teller].count)
        return NULL;
    return &tellers[teller].transfers[number];
}

/* Marks the transfers that are in the ledger.  Counts the rows that belong to
 * no transfer, or differ from it. */
static pqp_status read_ledger(pqp_pool *pool, struct teller tellers[TELLERS],
                              int *wrong, pqp_error *err)
{
    PQP_AUTO_RESULT res = NULL;

    pqp_status status = pqp_pool_exec_params(
        pool, DEADLINE_MS,
        PQP_QUERY(.sql = "SELECT id, src, dst, amount FROM ledger"), &res, err);
    if (status != PQP_OK)
        return status;
    for (int row = 0; row < PQntuples(res); row++) {
        struct transfer *transfer =
            find_transfer(tellers, PQgetvalue(res, row, 0));
        if (!transfer || transfer->src != number_at(res, row, 1) ||
            transfer->dst != number_at(res, row, 2) ||
            transfer->amount != number_at(res, row, 3)) {
            printf("audit: %s belongs to no transfer\n",
                   PQgetvalue(res, row, 0));
            ++*wrong;
        } else {
            transfer->found++;
        }
    }
    return PQP_OK;
}

static int check_transfers(struct teller tellers[TELLERS])
{
    static const int least[OUTCOMES] = {[COMMITTED] = 1};
    static const int most[OUTCOMES] = {[COMMITTED] = 1, [IN_DOUBT] = 1};
    static const char *const told[OUTCOMES] = {"committed", "failed",
                                               "in doubt"};
    int64_t transfers[OUTCOMES] = {0}, found[OUTCOMES] = {0};
    int wrong = 0;

    for (int i = 0; i < TELLERS; i++) {
        const struct transfer *end = tellers[i].transfers + tellers[i].count;
        for (const struct transfer *t = tellers[i].transfers; t < end; t++) {
            transfers[t->outcome]++;
            found[t->outcome] += t->found;
            if (t->found >= least[t->outcome] && t->found <= most[t->outcome])
                continue;
            printf("audit: " TRANSFER_ID " was reported %s, found %d times\n",
                   t->teller, t->number, told[t->outcome], t->found);
            wrong++;
        }
    }
    for (int i = 0; i < OUTCOMES; i++)
        printf("audit: %" PRId64 " reported %s, %" PRId64 " in the ledger\n",
               transfers[i], told[i], found[i]);
    return wrong;
}

/* Checks that every balance follows from the ledger, and that their sum is
 * unchanged. */
static pqp_status check_balances(pqp_pool *pool, int *wrong, pqp_error *err)
{
    static const char sql[] =
        "WITH moved AS (SELECT account, sum(amount) AS amount FROM"
        " (SELECT src, -amount FROM ledger UNION ALL"
        "  SELECT dst, amount FROM ledger) AS move(account, amount)"
        " GROUP BY account)"
        " SELECT count(*) FILTER"
        "  (WHERE balance <> $1::bigint + coalesce(amount, 0)),"
        " sum(balance) - $1::bigint * $2::bigint"
        " FROM accounts LEFT JOIN moved ON account = id";
    char balance[12], accounts[12];
    const char *const values[] = {balance, accounts};
    PQP_AUTO_RESULT res = NULL;

    snprintf(balance, sizeof balance, "%d", OPENING_BALANCE);
    snprintf(accounts, sizeof accounts, "%d", ACCOUNTS);
    pqp_status status = pqp_pool_exec_params(
        pool, DEADLINE_MS,
        PQP_QUERY(.sql = sql, .nparams = 2, .values = values), &res, err);
    if (status != PQP_OK)
        return status;
    printf("audit: %s balances off, their sum off by %s\n",
           PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
    *wrong += number_at(res, 0, 0) + (number_at(res, 0, 1) != 0);
    return PQP_OK;
}

pqp_status audit(pqp_pool *pool, struct teller tellers[TELLERS], int *wrong,
                 pqp_error *err)
{
    *wrong = 0;
    pqp_status status = read_ledger(pool, tellers, wrong, err);
    if (status != PQP_OK)
        return status;
    *wrong += check_transfers(tellers);
    return check_balances(pool, wrong, err);
}
