# SPDX-License-Identifier: GPL-2.0-only
# The checks of check-style, one complaint a line.

BEGIN {
	LINE_MAX = 100		# columns, a tab being 8
	FILE_MAX = 400		# lines of a .c file
	TEST_FILE_MAX = 600	# the same below selftests/
	FUNCTION_MAX = 60	# lines from brace to brace
	todo = "TO" "DO"	# in two halves, or this line would complain about itself
}

function complain(line, text)
{
	printf "%s:%d: %s\n", path, line, text
	bad++
}

function columns(text,    n, i, c)
{
	gsub(/[\200-\277]/, "", text)	# the tails of UTF-8 characters
	n = 0
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		n = c == "\t" ? n + 8 - n % 8 : n + 1
	}
	return n
}

function end_of_file(    limit)
{
	if (path == "")
		return
	if (!spdx)
		complain(1, "no SPDX-License-Identifier in the first 3 lines")
	limit = path ~ /^selftests\// ? TEST_FILE_MAX : FILE_MAX
	if (path ~ /\.c$/ && lines > limit)
		complain(lines, "file of " lines " lines; " limit " is the most")
}

FNR == 1 {
	end_of_file()
	path = FILENAME
	sub(/^\.\//, "", path)
	spdx = 0
	opened = 0
	is_c = path ~ /\.[ch]$/
	seen++
}

{ lines = FNR }

FNR <= 3 && /SPDX-License-Identifier: GPL-2\.0-only/ { spdx = 1 }

/[ \t]$/ { complain(FNR, "blank at the end of the line") }

length($0) > LINE_MAX / 8 && columns($0) > LINE_MAX {
	complain(FNR, "line of " columns($0) " columns; " LINE_MAX " is the most")
}

index($0, todo) && $0 !~ todo "\\(#[0-9]+\\)" {
	complain(FNR, todo " without an issue: write " todo "(#12)")
}

is_c && /(^|[^A-Za-z0-9_])typedef[ \t]+(struct|union|enum)/ {
	complain(FNR, "typedef hides a struct")
}

# Kernel style: only a function's braces stand in the first column alone.
is_c && /^\{/ { opened = FNR }
is_c && /^\}/ && opened {
	inside = FNR - opened - 1
	if (inside > FUNCTION_MAX)
		complain(opened, "function of " inside " lines; " FUNCTION_MAX " is the most")
	opened = 0
}

END {
	end_of_file()
	if (!seen) {
		print "check-style: no file seen; wrong directory?"
		exit 2
	}
	exit bad > 0
}
