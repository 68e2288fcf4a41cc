#!/usr/bin/env bash
# Every test, in two halves at once: what waits for real archives and for endurance, and the rest. What the
# first half has to say comes behind the second's.
set -um  # a job of its own hears Ctrl-C as it should, and so do the programs its tests start
python=${1:?the python to run the tests with}
real=(tests/archives tests/soak tests/demo tests/support)
account=$(mktemp)
"$python" -m pytest -p no:cacheprovider "${real[@]}" >"$account" 2>&1 &
half=$!
trap 'kill "$half" 2>/dev/null; rm -f "$account"' EXIT
echo "tests of real archives run beside these, and tell at the end"
"$python" -m pytest tests "${real[@]/#/--ignore=}"
rest=$?
wait "$half"
first=$?
echo "tests of real archives, and of endurance:"
cat "$account"
exit $((rest || first))
