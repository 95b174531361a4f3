/* fold: what is UTF-8, what case folding makes of it, domains' other forms. */
#include "dictd/lookup/fold.h"

#include <ctype.h>

#include "tests/unit/unit.h"

static bool utf8(const char *bytes, size_t len)
{
    return fold_is_utf8(slice_of(bytes, len));
}

/* ------------------------------------------------------------------ UTF-8 */

static void test_utf8_table(void)
{
    const struct {
        const char *bytes;
        bool valid;
    } cases[] = {
        {"", true},
        {"gregory@example.net", true},
        {"\x7f", true},
        {"\x80", false},             /* a tail alone */
        {"\xbf", false},             /* the same */
        {"\xc2\x80", true},          /* U+0080, the first of two bytes */
        {"\xdf\xbf", true},          /* U+07FF, the last */
        {"\xc0\x80", false},         /* overlong NUL */
        {"\xc0\xaf", false},         /* overlong slash */
        {"\xc1\xbf", false},         /* overlong DEL */
        {"\xc3", false},             /* ends early */
        {"\xc3(", false},            /* no tail */
        {"\xc3\xa9\xa9", false},     /* one tail too many */
        {"\xe0\xa0\x80", true},      /* U+0800, the first of three bytes */
        {"\xe0\x9f\xbf", false},     /* overlong U+07FF */
        {"\xed\x9f\xbf", true},      /* U+D7FF, before the surrogates */
        {"\xed\xa0\x80", false},     /* U+D800 */
        {"\xed\xbf\xbf", false},     /* U+DFFF */
        {"\xee\x80\x80", true},      /* U+E000, behind them */
        {"\xef\xbf\xbf", true},      /* U+FFFF: no character, but well formed */
        {"\xe2\x82", false},         /* ends early */
        {"\xe2\x28\xa1", false},     /* no tail */
        {"\xe2\x82(", false},        /* no second tail */
        {"\xf0\x90\x80\x80", true},  /* U+10000, the first of four bytes */
        {"\xf0\x8f\xbf\xbf", false}, /* overlong U+FFFF */
        {"\xf4\x8f\xbf\xbf", true},  /* U+10FFFF, the last */
        {"\xf4\x90\x80\x80", false}, /* U+110000 */
        {"\xf5\x80\x80\x80", false},
        {"\xf8\x88\x80\x80\x80", false},
        {"\xfe", false},
        {"\xff", false},
        {"\xf0\x9f\x93", false},
        {"a\xf0\x9f\x93\xac"
         "b",
         true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (utf8(cases[i].bytes, strlen(cases[i].bytes)) != cases[i].valid)
            fprintf(stderr, "\nUTF-8 case %zu\n", i);
        CU_ASSERT(utf8(cases[i].bytes, strlen(cases[i].bytes)) == cases[i].valid);
    }
    CU_ASSERT(utf8("a\0b", 3));
    CU_ASSERT(utf8(NULL, 0));
}

/* As many sequences of each length pass as there are characters of that length. */
static void test_utf8_counts(void)
{
    static const unsigned char tails[] = {0x7f, 0x80, 0xbf, 0xc0};
    unsigned two = 0, three = 0, four = 0;
    char s[4];

    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0; b < 0x100; b++) {
            s[0] = (char)a;
            s[1] = (char)b;
            two += utf8(s, 2);
            for (unsigned c = 0; c < 0x100 && a >= 0xdf && a < 0xf1; c++) {
                s[2] = (char)c;
                three += utf8(s, 3) && !utf8(s, 2);
            }
            for (unsigned i = 0; i < 16 && a >= 0xf0; i++) {
                s[2] = (char)tails[i / 4];
                s[3] = (char)tails[i % 4];
                four += utf8(s, 4);
            }
        }
    }
    CU_ASSERT(two == 0x800 - 0x80);
    CU_ASSERT(three == 0x10000 - 0x800 - 0x800); /* less the surrogates */
    CU_ASSERT(four == (0x100000 / 0x1000) * 4);
}

/* ------------------------------------------------------------------- case */

static void test_ascii(void)
{
    struct buf out = {NULL, 0, 0};
    char text[64], want[64];
    const char *data;
    size_t cap;

    for (size_t len = 0; len < 40; len++) {
        for (unsigned c = 0; c < 0x80; c++) {
            for (size_t i = 0; i < len; i++) {
                text[i] = (char)((c + i * 5) % 0x80);
                want[i] = (char)tolower((unsigned char)text[i]);
            }
            CU_ASSERT(fold_case(&out, slice_of(text, len)));
            CU_ASSERT(slice_eq(buf_slice(&out), slice_of(want, len)));
            CU_ASSERT(out.data[out.len] == '\0');
        }
    }
    data = out.data;
    cap = out.cap;
    CU_ASSERT(fold_case(&out, slice_str("Gregory@Example.Net")));
    CU_ASSERT(out.data == data && out.cap == cap); /* nothing was allocated */
    buf_fini(&out);
}

/* Not ASCII, at every place of texts of every length: none is taken for ASCII. */
static void test_one_not_ascii(void)
{
    enum { MAX = 40 };
    struct buf out = {NULL, 0, 0};
    char text[MAX + 2], want[MAX + 2];

    for (size_t len = 2; len <= MAX; len++) {
        for (size_t at = 0; at + 2 <= len; at++) {
            memset(text, 'A', len);
            memset(want, 'a', len);
            memcpy(text + at, "\xc3\x96", 2);
            memcpy(want + at, "\xc3\xb6", 2);
            CU_ASSERT(fold_case(&out, slice_of(text, len)));
            CU_ASSERT(slice_eq(buf_slice(&out), slice_of(want, len)));
            CU_ASSERT(out.data[out.len] == '\0');
            text[at] = 'A'; /* a tail alone */
            CU_ASSERT(!fold_case(&out, slice_of(text, len)));
            CU_ASSERT(out.len == 0);
        }
    }
    buf_fini(&out);
}

static void test_unicode(void)
{
    const struct {
        const char *text, *want;
    } cases[] = {
        {"J\xc3\x96RG", "j\xc3\xb6rg"},
        {"12345678\xc3\x96", "12345678\xc3\xb6"}, /* behind whole words of ASCII */
        {"STRA\xc3\x9f"
         "E",
         "strasse"},               /* U+00DF: full folding */
        {"\xe1\xba\x9e", "ss"},    /* U+1E9E */
        {"\xef\xac\x83", "ffi"},   /* a ligature */
        {"\xc4\xb0", "i\xcc\x87"}, /* U+0130: not the Turkish way */
        {"\xc4\xb1", "\xc4\xb1"},  /* U+0131 stays */
        {"\xce\xa3\xcf\x82\xcf\x83", "\xcf\x83\xcf\x83\xcf\x83"}, /* all three sigmas */
        {"\xe2\x84\xaa", "k"},                                    /* Kelvin sign */
        {"\xc5\xbf", "s"},                                        /* long s */
        {"\xce\x90", "\xce\xb9\xcc\x88\xcc\x81"},                 /* grows threefold */
        {"\xd0\x98\xd0\x92\xd0\x90\xd0\x9d", "\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd"},
        {"e\xcc\x81", "e\xcc\x81"},               /* no normalization */
        {"\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"}, /* U+10400 */
        {"\xef\xbc\xa1", "\xef\xbd\x81"},         /* full width stays so */
    };
    struct buf out = {NULL, 0, 0}, twice = {NULL, 0, 0}, big = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_FATAL(fold_case(&out, slice_str(cases[i].text)));
        UNIT_STR(out.data, cases[i].want);
        CU_ASSERT(out.len == strlen(cases[i].want));
        CU_ASSERT_FATAL(fold_case(&twice, buf_slice(&out)));
        UNIT_STR(twice.data, cases[i].want);
    }
    for (size_t i = 0; i < 5000; i++)
        buf_add_str(&big, "\xce\x90");
    CU_ASSERT_FATAL(fold_case(&out, buf_slice(&big)));
    CU_ASSERT(out.len == 3 * big.len);
    CU_ASSERT(out.data[out.len] == '\0');
    CU_ASSERT(memcmp(out.data + out.len - 6, "\xce\xb9\xcc\x88\xcc\x81", 6) == 0);

    CU_ASSERT(!fold_case(&out, slice_str("ABC\xff")));
    CU_ASSERT(out.len == 0);
    CU_ASSERT(!fold_case(&out, slice_str("ABCDEFGHIJ\xc3")));
    CU_ASSERT(fold_case(&out, slice_of("A\0\xc3\x96", 4)));
    CU_ASSERT(slice_eq(buf_slice(&out), slice_of("a\0\xc3\xb6", 4)));
    buf_fini(&out);
    buf_fini(&twice);
    buf_fini(&big);
}

/* ---------------------------------------------------------------- domains */

static void test_domains(void)
{
    const struct {
        const char *domain, *want; /* "" for none */
    } cases[] = {
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"xn--bcher-kva.example", "b\xc3\xbc"
                                  "cher.example"},
        {"mail.b\xc3\xbc"
         "cher.example",
         "mail.xn--bcher-kva.example"},
        {"\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84", "xn--80a1acny.xn--p1ai"},
        {"xn--80a1acny.xn--p1ai", "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84"},
        /* both kinds of labels: all to ASCII */
        {"xn--bcher-kva.\xd1\x80\xd1\x84", "xn--bcher-kva.xn--p1ai"},
        /* spelt decomposed, in full width, with an ideographic full stop */
        {"bu\xcc\x88"
         "cher.example",
         "xn--bcher-kva.example"},
        {"\xef\xbd\x85xample.net", "example.net"},
        {"b\xc3\xbc"
         "cher\xe3\x80\x82"
         "example",
         "xn--bcher-kva.example"},
        /* one trailing dot stays */
        {"b\xc3\xbc"
         "cher.example.",
         "xn--bcher-kva.example."},
        {"xn--bcher-kva.example.", "b\xc3\xbc"
                                   "cher.example."},
        /* none */
        {"", ""},
        {"example.net", ""},
        {"axn--bcher-kva.example", ""},
        {"xn-.example", ""},
        {"xn--.example", ""},
        {"xn--", ""},
        {"[192.0.2.1]", ""},
        {"[\xc3\xbc]", ""},
        {"\xc3\xbc x.example", ""},
        {"\xc3\xbc\"x.example", ""},
        {"\xc3\xbc..example", ""},
        {".\xc3\xbc.example", ""},
        {"\xc3\xbc..", ""},
        {"-\xc3\xbc.example", ""},
        {"\xc3\xbc-.example", ""},
        {"\xc3\xbc.-a.example", ""},
        {"xn--zzzzzzzzzzzzzz99999.example", ""},
        {"xn--a.example", ""},    /* not what any name encodes to */
        {"xn--example-.net", ""}, /* ASCII only, dressed up */
        {"\xe2\x80\xae"
         "a.example",
         ""}, /* a bidi control */
        /* deviations: folded, these would be other names */
        {"xn--strae-oqa.example", ""},
        {"xn--fa-hia.de", ""},
        {"xn--3xa.example", ""}, /* a final sigma, which folds to a sigma */
        {"xn--4xa.example", "\xcf\x83.example"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool want = cases[i].want[0] != '\0';

        buf_clear(&out);
        buf_add_str(&out, "left over");
        if (fold_domain_other_form(&out, slice_str(cases[i].domain)) != want)
            fprintf(stderr, "\ndomain <%s>\n", cases[i].domain);
        CU_ASSERT((out.len > 0) == want);
        UNIT_STR(buf_str(&out), cases[i].want);
    }
    buf_fini(&out);
}

/* A domain that is too long has no other form, and is refused at once. */
static void test_long_domains(void)
{
    struct buf out = {NULL, 0, 0}, name = {NULL, 0, 0};

    for (size_t i = 0; i < 40; i++)
        buf_add_str(&name, "\xc3\xbc");
    CU_ASSERT(fold_domain_other_form(&out, buf_slice(&name)));
    CU_ASSERT(out.len <= 63);
    for (size_t i = 0; i < 60; i++)
        buf_add_str(&name, "\xd0\xb1\xc3\xbc");
    CU_ASSERT(!fold_domain_other_form(&out, buf_slice(&name))); /* a label over 63 */
    buf_clear(&name);
    for (size_t i = 0; i < 60; i++)
        buf_add_str(&name, "\xc3\xbc.");
    buf_add_str(&name, "example");
    CU_ASSERT(!fold_domain_other_form(&out, buf_slice(&name))); /* over 253 in A-labels */
    while (name.len < 10000)
        buf_add_str(&name, "\xc3\xbc");
    CU_ASSERT(!fold_domain_other_form(&out, buf_slice(&name)));
    buf_clear(&name);
    buf_add_str(&name, "xn--");
    while (name.len < 10000)
        buf_add_str(&name, "a9");
    CU_ASSERT(!fold_domain_other_form(&out, buf_slice(&name)));
    CU_ASSERT(out.len == 0);
    buf_fini(&out);
    buf_fini(&name);
}

int main(void)
{
    return unit_run("fold",
                    (struct unit_test[]){{"UTF-8, case by case", test_utf8_table},
                                         {"UTF-8, counted", test_utf8_counts},
                                         {"ASCII case", test_ascii},
                                         {"one character not ASCII", test_one_not_ascii},
                                         {"Unicode case", test_unicode},
                                         {"domains' other form", test_domains},
                                         {"long domains", test_long_domains},
                                         {NULL, NULL}});
}
