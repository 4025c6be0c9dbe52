/* SPDX-License-Identifier: MIT */
/* fuzz_text.c - our view of UTF-8 against ICU's, and search against a search
 * over code points. The input is a needle, a NUL, and the text. */
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "common/text.h"
#include "fuzz.h"

enum { SPANS_MAX = 16 };

/* A text as code points, folded one by one. */
struct characters {
    UChar32 *folded;
    size_t count;
    bool blank;
};

static struct characters characters_read(const char *text, size_t length)
{
    struct characters self = {malloc((length + 1) * sizeof *self.folded), 0, true};
    size_t at = 0;

    if (!self.folded)
        abort();
    while (at < length) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        FUZZ_CHECK(c >= 0);
        self.blank = self.blank && u_isUWhiteSpace(c);
        self.folded[self.count++] = u_foldCase(c, U_FOLD_CASE_DEFAULT);
    }
    return self;
}

static bool characters_match(const struct characters *text, size_t at,
                             const struct characters *needle)
{
    return at + needle->count <= text->count &&
           memcmp(text->folded + at, needle->folded, needle->count * sizeof *needle->folded) == 0;
}

static void check_find(const struct characters *text, const struct characters *needle,
                       const struct text_span spans[], size_t count)
{
    size_t found = 0;

    for (size_t at = 0; needle->count > 0 && at < text->count && found < SPANS_MAX; at++) {
        if (characters_match(text, at, needle)) {
            FUZZ_CHECK(found < count);
            FUZZ_CHECK(spans[found].start == at && spans[found].end == at + needle->count);
            found++;
            at += needle->count - 1;
        }
    }
    FUZZ_CHECK(found == count);
}

/* Folds to exact size; whatever the bytes are, this must stay in bounds. */
static char *fold(const char *text, size_t length, size_t *ret_length)
{
    char *folded = malloc(TEXT_FOLDED_MAX(length) + 1);

    if (!folded)
        abort();
    *ret_length = text_fold(text, length, folded, TEXT_FOLDED_MAX(length));
    FUZZ_CHECK(*ret_length <= TEXT_FOLDED_MAX(length));
    return folded;
}

static void check_text(const char *text, size_t length, const char *folded, size_t folded_length,
                       const char *needle, size_t needle_length)
{
    struct characters text_characters = characters_read(text, length);
    struct characters needle_characters = characters_read(needle, needle_length);
    struct text_span spans[SPANS_MAX];
    size_t folded_needle_length;
    char *folded_needle = fold(needle, needle_length, &folded_needle_length);

    FUZZ_CHECK(text_code_points(text, length) == text_characters.count);
    FUZZ_CHECK(text_code_points(folded, folded_length) == text_characters.count);
    FUZZ_CHECK(text_blank(text, length) == text_characters.blank);
    FUZZ_CHECK(text_valid(folded, folded_length));
    size_t count = text_find_all(folded, folded_length, folded_needle, folded_needle_length, spans,
                                 SPANS_MAX);
    check_find(&text_characters, &needle_characters, spans, count);

    free(folded_needle);
    free(needle_characters.folded);
    free(text_characters.folded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size);
    size_t needle_length = nul ? (size_t) (nul - data) : 0, begin = nul ? needle_length + 1 : 0;
    char *needle = fuzz_copy(data, needle_length), *text = fuzz_copy(data + begin, size - begin);
    size_t length = size - begin, folded_length;
    char *folded = fold(text, length, &folded_length);
    bool valid = text_valid(text, length), needle_valid = text_valid(needle, needle_length);

    FUZZ_CHECK(valid == fuzz_is_utf8(text, length));
    FUZZ_CHECK(needle_valid == fuzz_is_utf8(needle, needle_length));
    if (valid && needle_valid)
        check_text(text, length, folded, folded_length, needle, needle_length);
    free(folded);
    free(text);
    free(needle);
    return 0;
}
