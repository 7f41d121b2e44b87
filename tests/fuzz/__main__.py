"""Nights: python -m tests.fuzz MINUTES [READER...]; prints a table and keeps what it finds in the corpus."""

import sys
import time

from tests.fuzz.hunt import hunt, keep
from tests.fuzz.reader import reader_names


def main(minutes: str, *names: str) -> int:
    names = names or tuple(reader_names())
    seed, found = int(time.time()), 0
    print(f"seed {seed}\n| reader | inputs | seconds | findings |\n|---|---|---|---|")
    for name in names:
        start = time.monotonic()
        result = hunt([name], 60 * float(minutes) / len(names), seed)
        print(
            f"| {name} | {result.inputs[name]} | {time.monotonic() - start:.0f} | {len(result.findings)} |", flush=True
        )
        for finding in result.findings:
            print(f"    {finding.what} ({keep(finding, seed)})", flush=True)
        found += len(result.findings)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
