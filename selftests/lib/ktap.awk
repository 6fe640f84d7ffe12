# SPDX-License-Identifier: GPL-2.0-or-later
#
# Read what one KTAP program printed; print one line "pass|fail|skip NAME" for
# each result of the outermost level, and one more "fail" for whatever was not
# in order. Variables: status, the exit code; reason, what is wrong with it in
# words (empty for 0).

function result(verdict, name)
{
	print verdict, (name == "" ? "(no name)" : name)
	seen++
	if (verdict == "fail")
		bad++
}

function name_of(line)
{
	sub(/^(not )?ok *[0-9]* *(- )?/, "", line)
	return line
}

/^(not )?ok( |$)/ {
	if ($0 ~ /^ok.*# *(SKIP|skip)/) {
		line = $0
		sub(/ *# *(SKIP|skip)/, "", line)
		result("skip", name_of(line))
	} else if ($0 ~ /^not ok.*# *TODO/) {
		result("skip", name_of($0))
	} else {
		result($1 == "ok" ? "pass" : "fail", name_of($0))
	}
	next
}

/^1\.\.[0-9]+/ {
	plans++
	plan = substr($1, 4) + 0
	if (plan == 0 && /# *(SKIP|skip)/) {
		line = $0
		sub(/^1\.\.0 *# *(SKIP|skip) */, "", line)
		whole = 1
		print "skip", "(all) " line
	}
	next
}

/^Bail out!/ { print "fail", $0; bad++ }

# Comments are the output of a run inside of this one, which has judged it.
!/^#/ && /(ERROR|WARNING|SUMMARY): (Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|: runtime error: / {
	if (!sanitizer)
		sanitizer = $0
}

END {
	if (sanitizer != "") {
		print "fail", "(sanitizer) " sanitizer
		bad++
	}
	# 4 is kselftest's code for "nothing to test here".
	if (status == 4 && !plans && !seen) {
		print "skip", "(all) exit code 4"
		exit
	}
	if (!plans && (!bad || reason == ""))
		fault = "no plan (1..N)"
	else if (plans > 1)
		fault = plans " plans"
	else if (plans && plan != seen)
		fault = "planned " plan ", reported " seen + 0
	if (reason != "" && (!bad || status != 1))
		fault = reason (fault == "" ? "" : ", " fault)
	if (fault != "")
		print "fail", "(program) " fault
}
