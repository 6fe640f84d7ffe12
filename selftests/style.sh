#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The code is clean under the tools that read it. KTAP, one result per tool.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

count=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

check()
{
	local name=$1

	shift
	count=$((count + 1))
	if "$@" > "$log" 2>&1; then
		echo "ok $count $name"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$log" | head -n 100
		echo "not ok $count $name"
	fi
}

# Ignored, with reasons:
#   FILE_PATH_CHANGES      there is no MAINTAINERS file
#   LONG_LINE_STRING       messages for people are not broken
# and, in programs (base.h, the userspace half of the shared headers, is one):
#   PREFER_DEFINED_ATTRIBUTE_MACRO, PREFER_KERNEL_TYPES, STRCPY, VOLATILE
#                          the kernel's replacements do not exist there; u8 is
#                          made of uint8_t, sig_atomic_t must be volatile
#   EMBEDDED_FUNCTION_NAME messages contain words like "run" and "vote"
#   SPLIT_STRING           sentences of more than a line, in help and errors
#   LINE_SPACING, BRACES   it does not know the macros of sys/queue.h, and takes
#                          an else-if ladder for single statements
#   REPEATED_WORD          columns of a table
# kernel/compat/ compares versions: that is what it is for.
checkpatch_strict()
{
	local ignored=$1

	shift
	"$(scripts/kselftest-headers)/checkpatch.pl" --no-tree --strict --quiet \
		--no-summary --terse --max-line-length=100 \
		--ignore "FILE_PATH_CHANGES,LONG_LINE_STRING$ignored" -f "$@"
}

# It takes the macros of trace.h for function calls, whose lines should neither end
# in "(" nor begin where those of every tracepoint in the kernel do.
checkpatch_kernel()
{
	local files

	mapfile -t files < <(git ls-files 'kernel/*.[ch]' 'include/**/*.h' |
		grep -v -e '^kernel/compat/' -e '^kernel/trace.h' -e '^include/ctiha/base.h')
	checkpatch_strict '' "${files[@]}" &&
		checkpatch_strict ,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT kernel/trace.h
}

checkpatch_userspace()
{
	git ls-files 'userspace/**/*.[ch]' include/ctiha/base.h |
		xargs "$(scripts/kselftest-headers)/checkpatch.pl" --no-tree \
		--quiet --no-summary --terse --max-line-length=100 \
		--ignore FILE_PATH_CHANGES,LONG_LINE_STRING,PREFER_DEFINED_ATTRIBUTE_MACRO,PREFER_KERNEL_TYPES,STRCPY,VOLATILE,EMBEDDED_FUNCTION_NAME,LINE_SPACING,BRACES,REPEATED_WORD,SPLIT_STRING -f
}

# It does not see the loop macros of sys/queue.h and libmnl, so what they set
# looks unset to it; the compilers' own warnings and the sanitizers do see it.
run_cppcheck()
{
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
		--inline-suppr --std=c11 --suppress=missingIncludeSystem --suppress=uninitvar \
		--suppress=unknownMacro \
		-Iinclude -Iinclude/uapi -Iuserspace -j2 userspace
}

run_shellcheck()
{
	git ls-files | while read -r file; do
		case $(head -c 64 "$file" | head -n 1) in
		'#!/bin/bash'* | '#!/bin/sh'*)	echo "$file" ;;
		esac
	done | xargs shellcheck -x
}

manual_pages()
{
	local page warnings

	for page in Documentation/man/*.[1-8]; do
		warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null)
		[ -z "$warnings" ] || { echo "$page: $warnings"; return 1; }
	done
}

python_compiles()
{
	git ls-files '*.py' | xargs /usr/bin/python3 -c 'import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)'
}

echo "KTAP version 1"
check "checkpatch --strict on the module" checkpatch_kernel
check "checkpatch on the programs" checkpatch_userspace
check "sparse and W=1 on the module" selftests/lib/sparse.sh 6.1
check "cppcheck on the programs" run_cppcheck
check "shellcheck on the scripts" run_shellcheck
check "manual pages have no warnings" manual_pages
check "Python parses" python_compiles
echo "1..$count"
[ "$failed" -eq 0 ]
