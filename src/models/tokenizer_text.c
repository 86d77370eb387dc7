/* Cleaning a prompt and cutting it into words, as the Hugging Face CLIP tokenizer does. */
#include "models/tokenizer-private.h"

#include <string.h>

/* Unicode's White_Space property, which GLib does not offer as such. */
static gboolean is_space(gunichar c)
{
    if ((c >= '\t' && c <= '\r') || c == 0x85)
        return TRUE;
    GUnicodeType type = g_unichar_type(c);
    return type == G_UNICODE_SPACE_SEPARATOR || type == G_UNICODE_LINE_SEPARATOR ||
           type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

static gboolean is_number(gunichar c)
{
    GUnicodeType type = g_unichar_type(c);
    return type == G_UNICODE_DECIMAL_NUMBER || type == G_UNICODE_LETTER_NUMBER ||
           type == G_UNICODE_OTHER_NUMBER;
}

/* Lower case of one character, without regard to its neighbours or the locale, so that a Greek
 * final sigma is not told apart. That is what Rust's char::to_lowercase does, upstream's function;
 * g_utf8_strdown would look at both. */
static void append_lower(GString *out, gunichar c)
{
    if (c == 0x130) { /* I with dot: the only character whose lower case is two */
        g_string_append(out, "i\xcc\x87");
        return;
    }
    if (c >= 0x2160 && c <= 0x216f) /* Roman numerals and circled letters have cases without */
        c += 0x10;                  /* being letters; GLib leaves them alone */
    else if (c >= 0x24b6 && c <= 0x24cf)
        c += 0x1a;
    else
        c = g_unichar_tolower(c);
    g_string_append_unichar(out, c);
}

char *cg_tokenizer_clean(const char *text, size_t size)
{
    g_autofree char *composed = g_utf8_normalize(text, (gssize)size, G_NORMALIZE_NFC);
    GString *out = g_string_sized_new(size);
    gboolean space = FALSE;

    for (const char *p = composed; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (is_space(c)) {
            space = TRUE;
            continue;
        }
        if (space)
            g_string_append_c(out, ' ');
        space = FALSE;
        append_lower(out, c);
    }
    return g_string_free(out, FALSE);
}

static void append_word(GArray *words, const char *start, const char *end)
{
    CgSpan span = {start, (size_t)(end - start)};
    g_array_append_val(words, span);
}

/* The length of 's 't 're 've 'm 'll 'd at P, or 0. */
static size_t contraction(const char *p, const char *end)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        size_t length = strlen(endings[i]);
        if ((size_t)(end - p) >= length && memcmp(p, endings[i], length) == 0)
            return length;
    }
    return 0;
}

/* The special tokens' usual names stand in upstream's pattern too. Text that reached this point is
 * no special token any more (it may have been upper case), but the pattern keeps what follows
 * apart, and a second pattern behind it cuts the name in three. Returns the length or 0. */
static size_t special_name(const char *p, const char *end, GArray *words)
{
    static const char *const names[] = {"<|startoftext|>", "<|endoftext|>"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t length = strlen(names[i]);
        if ((size_t)(end - p) < length || memcmp(p, names[i], length) != 0)
            continue;
        append_word(words, p, p + 2);
        append_word(words, p + 2, p + length - 2);
        append_word(words, p + length - 2, p + length);
        return length;
    }
    return 0;
}

/* The pattern, whose first matching alternative wins at each place:
 *     <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+
 */
void cg_tokenizer_split(const char *text, size_t size, GArray *words)
{
    const char *p = text, *end = text + size;

    while (p < end) {
        const char *start = p;
        size_t fixed = *p == '<' ? special_name(p, end, words) : 0;
        if (fixed) {
            p += fixed;
            continue;
        }
        fixed = *p == '\'' ? contraction(p, end) : 0;
        gunichar c = g_utf8_get_char(p);
        p = g_utf8_next_char(p);
        if (fixed) {
            p = start + fixed;
        } else if (is_space(c)) {
            continue;
        } else if (g_unichar_isalpha(c)) {
            while (p < end && g_unichar_isalpha(g_utf8_get_char(p)))
                p = g_utf8_next_char(p);
        } else if (!is_number(c)) {
            while (p < end && (c = g_utf8_get_char(p), !is_space(c)) && !g_unichar_isalpha(c) &&
                   !is_number(c))
                p = g_utf8_next_char(p);
        }
        append_word(words, start, p);
    }
}
