# SPDX-License-Identifier: GPL-2.0-only
# Reads what a test program prints and shows what matters: FAIL with the output before it, SKIP
# with its reason, and remarks, which begin with `--`; PASS only with -v verbose=1. What the
# program did goes, as "passed failed skipped", to the file named by -v counts; -v prefix is put
# before the names.

/^(PASS|FAIL|SKIP) / {
	sub(/^.... /, "&" prefix)
	count[$1]++
	if ($1 == "FAIL" || verbose)
		printf "%s", held
	if ($1 != "PASS" || verbose)
		print
	held = ""
	fflush()
	next
}

/^-- / {
	print
	fflush()
	next
}

{ held = held $0 "\n" }

END {
	printf "%s", held
	print count["PASS"] + 0, count["FAIL"] + 0, count["SKIP"] + 0 > counts
}
