#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Does the runner count right? Each case is a little program and the last line
# the runner has to print for it.

set -euo pipefail
run=$(dirname "$(readlink -f "$0")")/../run
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
number=0 bad=0

# check NAME LAST_LINE EXIT_CODE, the program on stdin
check()
{
	local name=$1 want=$2 want_status=$3 status=0 got

	number=$((number + 1))
	{ printf '#!/bin/bash\n'; cat; } > "$dir/$name"
	chmod +x "$dir/$name"
	"$run" -t 3 "g:$dir/$name" > "$dir/out" 2>&1 || status=$?
	got=$(tail -n 1 "$dir/out")
	if [ "$got" = "$want" ] && [ "$status" = "$want_status" ]; then
		printf 'ok %d %s\n' "$number" "$name"
		return
	fi
	printf '# wanted "%s" exit %d, got "%s" exit %d\n' \
		"$want" "$want_status" "$got" "$status"
	printf 'not ok %d %s\n' "$number" "$name"
	bad=1
}

cases()
{
	check all-good '2 passed, 0 failed, 0 skipped' 0 <<'X'
printf '1..2\nok 1 a\nok 2 b\n'
X
	check one-bad '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf 'TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n'; exit 1
X
	check one-skipped '1 passed, 0 failed, 1 skipped' 0 <<'X'
printf '1..2\nok 1 a\nok 2 b # SKIP no root\n'
X
	check only-skipped '0 passed, 0 failed, 1 skipped' 1 <<'X'
printf '1..0 # SKIP no kvm\n'
X
	check skip-by-exit-code '0 passed, 0 failed, 1 skipped' 1 <<'X'
exit 4
X
	check nested-lines-do-not-count '1 passed, 0 failed, 0 skipped' 0 <<'X'
printf '1..1\n    1..2\n    ok 1 x\n    not ok 2 y\n# ok 9\nok 1 a\n'
X
	check plan-at-the-end '1 passed, 0 failed, 0 skipped' 0 <<'X'
printf 'ok 1 a\r\n1..1\r\n'
X
	check no-plan '1 passed, 1 failed, 0 skipped' 1 <<'X'
echo ok 1 a
X
	check silence '0 passed, 1 failed, 0 skipped' 1 <<'X'
:
X
	check too-few '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf '1..2\nok 1 a\n'
X
	check crash '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf '1..2\nok 1 a\n'; kill -SEGV $$
X
	check exit-code-only '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf '1..1\nok 1 a\n'; exit 1
X
	check sanitizer-report '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf '1..1\nok 1 a\nx.c:3:4: runtime error: shift too far\n'
X
	check bail-out '1 passed, 2 failed, 0 skipped' 1 <<'X'
printf '1..2\nok 1 a\nBail out! no more\n'; exit 1
X
	check time-limit '1 passed, 1 failed, 0 skipped' 1 <<'X'
printf '1..1\nok 1 a\n'; sleep 60
X
	check nested-run '1 passed, 1 failed, 1 skipped' 1 <<X
printf '#!/bin/bash\nprintf "1..3\\\\nok 1 a\\\\nnot ok 2 b\\\\nok 3 c # SKIP\\\\n"; exit 1\n' > $dir/inner
chmod +x $dir/inner
$run --ktap inner:$dir/inner
X
}

missing_program()
{
	number=$((number + 1))
	if [ "$("$run" g:/no/such/program 2>/dev/null | tail -n 1)" = \
		'0 passed, 1 failed, 0 skipped' ]; then
		printf 'ok %d missing-program\n' "$number"
	else
		printf 'not ok %d missing-program\n' "$number"
		bad=1
	fi
}

printf 'TAP version 13\n1..17\n'
cases
missing_program
exit "$bad"
