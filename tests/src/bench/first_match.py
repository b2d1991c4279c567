"""The same matching on the same tables in plain, in DuckDB: everybody of the base, left-joined with
every line, and what the lines say counted. Arguments: people, lines, rows of a line, rounds.
Prints the seconds of every round."""

import sys
import time

import duckdb

people, lines, rows, rounds = (int(argument) for argument in sys.argv[1:])
db = duckdb.connect()
# It would stand among the numbers.
db.execute("SET enable_progress_bar = false")
token = "md5_number({} || ' person')"
db.execute(f"CREATE TABLE base AS SELECT {token.format('i')} AS t FROM range({people}) r(i)")
for line in range(lines):
    db.execute(
        f"CREATE TABLE line{line} AS SELECT {token.format('i')} AS t,"
        f" (i % 2)::UTINYINT AS yes, (i % 4)::UTINYINT AS band"
        f" FROM range({rows}) r(i) ORDER BY t"
    )
counts = ", ".join(f"sum(line{n}.yes), sum(line{n}.band), count(line{n}.t)" for n in range(lines))
joins = " ".join(f"LEFT JOIN line{n} ON line{n}.t = base.t" for n in range(lines))
for _ in range(rounds):
    began = time.perf_counter()
    found = db.execute(f"SELECT {counts} FROM base {joins}").fetchone()
    print(time.perf_counter() - began, flush=True)
    assert all(count == min(people, rows) for count in found[2::3]), "everybody has a row"
