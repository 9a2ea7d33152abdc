#!/bin/sh
# All tests: first those that need nothing but this machine, then the suites of the lab, also when the first have
# failed. With arguments, what they name: `npm test -- test/unit`; a suite of the lab by `npm run lab -- test NAME`.
set -eu
cd "$(dirname "$0")/.."

[ $# -eq 0 ] || exec vitest run "$@"
vitest run && rooms=0 || rooms=$?
tsx test/lab/main.ts test && lab=0 || lab=$?
[ "$rooms" -eq 0 ] && [ "$lab" -eq 0 ]
