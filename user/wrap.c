// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <string.h>

#include "wrap.h"

/* Bytes of the character at s, at least 1; its columns into *width. */
static size_t character(const char *s, size_t *width)
{
	unsigned char c = *s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, i = 1;

	while (i < n && ((unsigned char)s[i] & 0xc0) == 0x80)
		i++;
	/* from U+2E80 on: CJK and its punctuation, full width forms; beyond the first plane as well */
	*width = c >= 0xf0 || (c >= 0xe3 && c <= 0xed) || c == 0xef ||
		 (c == 0xe2 && (unsigned char)s[1] >= 0xba) ? 2 : 1;
	return i;
}

size_t text_width(const char *text)
{
	size_t sum = 0, width;

	while (*text) {
		text += character(text, &width);
		sum += width;
	}
	return sum;
}

/* No line begins with a punctuation mark (of those that the sentences use), nor ends with a bracket. */
static bool hangs(const char *s)
{
	static const char *const marks[] = { "。", "，", "；", "：", "、", "）", NULL };

	for (int i = 0; marks[i]; i++)
		if (!strncmp(s, marks[i], strlen(marks[i])))
			return true;
	return false;
}

static bool after_bracket(const char *start, const char *s)
{
	static const char bracket[] = "（";
	size_t n = sizeof(bracket) - 1;

	return (size_t)(s - start) >= n && !memcmp(s - n, bracket, n);
}

size_t text_line(const char **text, size_t width)
{
	const char *start = *text, *at = start, *cut = NULL;
	size_t used = 0, wide;

	while (*at) {
		size_t n = character(at, &wide);

		/* a break before this character is possible; one after the first always makes progress */
		if (at != start && !hangs(at) && !after_bracket(start, at) &&
		    (*at == ' ' || wide == 2 || (unsigned char)at[-1] >= 0x80))
			cut = at;
		if (used + wide > width && !hangs(at)) {
			if (!cut)
				cut = at == start ? at + n : at;
			*text = cut + strspn(cut, " ");
			return cut - start;
		}
		used += wide;
		at += n;
	}
	*text = at;
	return at - start;
}
