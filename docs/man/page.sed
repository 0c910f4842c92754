# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
# What scdoc wrote, for every renderer: no name is broken with a hyphen, and
# code shows the characters that a compiler reads.
/^\.TH/a\
.nh
/^\.nf/,/^\.fi/{
    s/-/\\-/g
    s/'/\\(aq/g
    s/`/\\(ga/g
    s/\^/\\(ha/g
    s/~/\\(ti/g
    s/\\\\/\\e/g
}
