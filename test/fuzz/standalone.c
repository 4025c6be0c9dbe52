/* SPDX-License-Identifier: MIT */
/* standalone.c - runs a fuzz target without libFuzzer.
 *
 *     fuzz_json CORPUS...     files, or folders of files
 *
 * First every file as it is, then mutations of them for FUZZ_SECONDS (2 unless
 * set). The same FUZZ_SEED (1 unless set) and corpus make the same mutations in
 * the same order. An input that fails is printed as bytes for printf(1).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* More than a page, so that long inputs are among them, and quickly mutated. */
enum { INPUT_MAX = 8192, MUTATIONS_MAX = 8, FILES_MAX = 4096 };

struct input {
    size_t size;
    uint8_t data[INPUT_MAX];
};

static struct input *corpus[FILES_MAX];
static size_t corpus_count;
static struct input current; /* what the target is looking at */
static uint64_t random_state;

/* Set by the sanitizers' own run time, where there is one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* splitmix64 */
static uint64_t random_next(void)
{
    uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static size_t random_below(size_t bound)
{
    return bound ? (size_t) (random_next() % bound) : 0;
}

/* Only write(2): this may run in a signal handler. */
static void current_print(void)
{
    static const char hex[] = "0123456789abcdef", before[] = "the input was: printf '";
    ssize_t ignored = write(STDERR_FILENO, before, sizeof before - 1);

    for (size_t i = 0; i < current.size; i++) {
        char byte[] = {'\\', 'x', hex[current.data[i] >> 4], hex[current.data[i] & 0xF]};
        ignored = write(STDERR_FILENO, byte, sizeof byte);
    }
    ignored = write(STDERR_FILENO, "'\n", 2);
    (void) ignored;
}

static void current_print_and_die(int number)
{
    current_print();
    signal(number, SIG_DFL);
    raise(number);
}

static void corpus_add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input *input = calloc(1, sizeof *input);

    if (!file || !input || corpus_count == FILES_MAX) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    input->size = fread(input->data, 1, INPUT_MAX, file);
    fclose(file);
    corpus[corpus_count++] = input;
}

/* In the order of their names, so that a seed means the same everywhere. */
static void corpus_add(const char *path)
{
    struct stat status;
    struct dirent **entries;

    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        corpus_add_file(path);
        return;
    }
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            corpus_add_file(name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* Replaces `removed` bytes at `at` by others, as far as there is room. */
static void current_splice(size_t at, size_t removed, const void *data, size_t size)
{
    if (current.size - removed + size > INPUT_MAX)
        return;
    memmove(current.data + at + size, current.data + at + removed, current.size - at - removed);
    memcpy(current.data + at, data, size);
    current.size = current.size - removed + size;
}

/* What parsers of text look out for; a random byte seldom is any of it. */
static void current_insert_word(size_t at)
{
    static const char *const words[] = {"\"",
                                        "\\",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ",",
                                        "\\u0000",
                                        "\\ud83d",
                                        "\\ude00",
                                        "%",
                                        "%00",
                                        "%c3",
                                        "%a9",
                                        "%",
                                        "&",
                                        "=",
                                        "+",
                                        "/",
                                        "//",
                                        "?",
                                        "..",
                                        "null",
                                        "true",
                                        "-",
                                        "0",
                                        "1",
                                        ".",
                                        "e",
                                        "\\n",
                                        "\\u00",
                                        "\"a\":",
                                        "a=",
                                        "b=",
                                        " ",
                                        "\t",
                                        "\n",
                                        "{}",
                                        "[]",
                                        "[[[[[[",
                                        "]]]]]]",
                                        "\xC3",
                                        "\x80",
                                        "\xE2\x82\xAC",
                                        "\xF0\x9F\x98\x80",
                                        "\xED\xA0\x80",
                                        "\xEF\xBB\xBF",
                                        "\xFF",
                                        "\"a\":null"};
    const char *word = words[random_below(sizeof words / sizeof *words)];

    current_splice(at, random_below(2) ? 0 : random_below(current.size - at + 1) % 4, word,
                   strlen(word));
}

static void current_mutate(void)
{
    uint8_t piece[64], byte = (uint8_t) random_next();
    size_t at = random_below(current.size + 1), left = current.size - at;
    size_t length = random_below((left < sizeof piece ? left : sizeof piece) + 1);
    const struct input *other = corpus[random_below(corpus_count)];

    switch (random_below(8)) {
    case 0: /* flip a bit */
        if (left)
            current.data[at] ^= (uint8_t) (1 << random_below(8));
        break;
    case 1: /* replace a byte */
        current_splice(at, left ? 1 : 0, &byte, 1);
        break;
    case 2: /* insert a byte, a NUL more often than others */
        byte = random_below(4) ? byte : 0;
        current_splice(at, 0, &byte, 1);
        break;
    case 3: /* take a piece out */
        current_splice(at, length, "", 0);
        break;
    case 4: /* repeat a piece elsewhere */
        memcpy(piece, current.data + at, length);
        current_splice(random_below(current.size + 1), 0, piece, length);
        break;
    case 5: /* go on as another file does */
        length = random_below(other->size + 1);
        current_splice(at, left, other->data + length, other->size - length);
        break;
    default:
        current_insert_word(at);
    }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value && *value ? strtoull(value, NULL, 10) : otherwise;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double end = seconds_now() + (double) setting("FUZZ_SECONDS", 2);
    uint64_t seed = random_state = setting("FUZZ_SEED", 1), runs = 0;

    for (int i = 1; i < argc; i++)
        corpus_add(argv[i]);
    if (corpus_count == 0) {
        fprintf(stderr, "usage: %s CORPUS...   (files, or folders with files)\n", argv[0]);
        return 1;
    }
    signal(SIGABRT, current_print_and_die);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(current_print);

    for (size_t i = 0; i < corpus_count; i++) {
        current = *corpus[i];
        LLVMFuzzerTestOneInput(current.data, current.size);
    }
    for (; runs % 64 || seconds_now() < end; runs++) {
        current = *corpus[random_below(corpus_count)];
        for (size_t count = 1 + random_below(MUTATIONS_MAX); count > 0; count--)
            current_mutate();
        LLVMFuzzerTestOneInput(current.data, current.size);
    }
    printf("%zu files and %llu mutations, seed %llu\n", corpus_count, (unsigned long long) runs,
           (unsigned long long) seed);
    for (size_t i = 0; i < corpus_count; i++)
        free(corpus[i]);
    return 0;
}
