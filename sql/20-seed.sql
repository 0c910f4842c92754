-- SPDX-FileCopyrightText: 2026 the pqpool authors
-- SPDX-License-Identifier: PostgreSQL
--
-- 100 accounts of 1000 each.

INSERT INTO accounts (id, balance)
SELECT n, 1000 FROM generate_series(1, 100) AS n
ON CONFLICT (id) DO NOTHING;
