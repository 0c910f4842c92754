/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * C++20: a shop that sells from its stock.  A sale is a lambda that runs inside
 * a transaction.  If it throws, the transaction is rolled back, and the caller
 * of transact() gets the exception.
 *
 * No exception may leave a callback of the library, so transact() catches each
 * one inside the callback and throws it again outside.
 */
#include <pqpool/pqpool.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#define TABLE "pqpool_example_stock"

namespace
{

/* An error of the library as an exception. */
struct Error : std::runtime_error {
    explicit Error(const pqp_error &err) : std::runtime_error(err.message)
    {
    }
};

/* Runs `work` in a serialisable transaction, again if it collides with another
 * one.  `work` takes a pqp_conn * and a pqp_error *, and returns PQP_OK to
 * commit. */
template <class Work> void transact(pqp_pool *pool, Work work)
{
    struct Call {
        Work &work;
        std::exception_ptr thrown;
    } call{work, nullptr};
    pqp_error err;

    const pqp_status status = pqp_transact(
        pool, 5000, PQP_TX(.isolation = PQP_ISO_SERIALIZABLE),
        [](void *arg, pqp_conn *conn, pqp_error *error) -> pqp_status {
            Call &attempt = *static_cast<Call *>(arg);
            try {
                attempt.thrown = nullptr;
                return attempt.work(conn, error);
            } catch (...) {
                attempt.thrown = std::current_exception();
                return PQP_INVALID; /* any failure rolls back */
            }
        },
        &call, &err);
    if (call.thrown)
        std::rethrow_exception(call.thrown);
    if (status != PQP_OK)
        throw Error(err);
}

void run(pqp_pool *pool, const char *sql)
{
    pqp_error err;

    if (pqp_pool_exec_params(pool, 5000, PQP_QUERY(.sql = sql), nullptr,
                             &err) != PQP_OK)
        throw Error(err);
}

/* Takes `count` pieces out of the stock.  Throws if fewer are left. */
int sell(pqp_pool *pool, int count)
{
    int left = 0;

    transact(pool, [&](pqp_conn *conn, pqp_error *err) {
        const std::string number = std::to_string(count);
        const char *const values[] = {number.c_str()};
        PQP_AUTO_RESULT res = nullptr;

        const pqp_status status = pqp_exec_params(
            conn,
            PQP_QUERY(.sql = "UPDATE " TABLE " SET pieces = pieces - $1::int"
                             " RETURNING pieces",
                      .nparams = 1, .values = values),
            &res, err);
        if (status != PQP_OK)
            return status;
        left = std::stoi(PQgetvalue(res, 0, 0));
        if (left < 0)
            throw std::runtime_error("only " + std::to_string(left + count) +
                                     " left");
        return PQP_OK;
    });
    return left;
}

void try_to_sell(pqp_pool *pool, int count)
{
    try {
        const int left = sell(pool, count);
        std::printf("%d sold, %d left\n", count, left);
    } catch (const Error &) {
        throw; /* the database failed, and not the sale */
    } catch (const std::exception &failure) {
        std::printf("%d not sold: %s\n", count, failure.what());
    }
}

} // namespace

int main()
{
    const pqp_options options =
        PQP_OPTIONS_INIT(.conninfo = std::getenv("PQPOOL_DSN"), .name = "stock",
                         .max_size = 4);
    pqp_pool *pool = nullptr;
    pqp_error err;
    int code = EXIT_SUCCESS;

    if (pqp_pool_open(&pool, &options, &err) != PQP_OK) {
        std::fprintf(stderr, "stock: %s\n", err.message);
        return EXIT_FAILURE;
    }
    try {
        run(pool, "CREATE TABLE " TABLE " AS SELECT 3 AS pieces");
        try_to_sell(pool, 2);
        try_to_sell(pool, 2);
        try_to_sell(pool, 1);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "stock: %s\n", failure.what());
        code = EXIT_FAILURE;
    }
    /* Nothing more can be done here if this fails. */
    PQP_IGNORE(pqp_pool_exec_params(
        pool, 5000, PQP_QUERY(.sql = "DROP TABLE " TABLE), nullptr, nullptr));
    pqp_pool_close(&pool, 1000);
    return code;
}
