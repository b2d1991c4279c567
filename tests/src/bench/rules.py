"""One rule over the same tables in plain, in DuckDB. Argument: rounds. Prints the seconds of every
round, and then how many people are to be warned."""

import sys
import time

import duckdb

(rounds,) = (int(argument) for argument in sys.argv[1:])
db = duckdb.connect()
# It would stand among the numbers.
db.execute("SET enable_progress_bar = false")
token = "md5_number({} || ' person')"
tables = {
    "high_out_of_pocket": "own_payment",
    "assistance_in_force": '"any"',
    "death_cancellation": "deceased",
    "funeral_cremation": "deceased",
    "real_estate_registration": "homes",
    "tax_declaration": "income",
    "members_vehicle_registration": "over_limit",
}
for table, column in tables.items():
    key = token.format("person") if not table.startswith("members") else "md5_number(person || ' member')"
    db.execute(
        f"CREATE TABLE {table} AS SELECT {key} AS t, {column}::UTINYINT AS value"
        f" FROM read_csv('DIRECTORY/{table}.csv') ORDER BY t"
    )
db.execute(
    f"CREATE TABLE household AS SELECT {token.format('person')} AS t,"
    " md5_number(member || ' member') AS member FROM read_csv('DIRECTORY/household.csv') ORDER BY t"
)
db.execute("CREATE TABLE base AS SELECT DISTINCT t FROM household ORDER BY t")


def without(table, least):
    return f"NOT EXISTS (SELECT 1 FROM {table} x WHERE x.t = base.t AND x.value >= {least})"


query = f"""
SELECT count(*) FROM base JOIN high_out_of_pocket paid ON paid.t = base.t AND paid.value >= 2
WHERE {without("assistance_in_force", 1)} AND {without("death_cancellation", 1)}
AND {without("funeral_cremation", 1)} AND {without("real_estate_registration", 2)}
AND {without("tax_declaration", 3)}
AND NOT EXISTS (SELECT 1 FROM household h JOIN members_vehicle_registration v ON v.t = h.member
                WHERE h.t = base.t AND v.value = 1)
"""
for _ in range(rounds):
    began = time.perf_counter()
    found = db.execute(query).fetchone()[0]
    print(time.perf_counter() - began, flush=True)
print(found)
