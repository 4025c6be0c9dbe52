/* SPDX-License-Identifier: MIT */
#include "http/keyed.h"

#include <sodium.h>
#include <string.h>

static void hash_part(crypto_generichash_state *hash, const void *part, size_t length)
{
    uint64_t prefix = length; /* little-endian hosts only, see bytes.h */
    crypto_generichash_update(hash, (const unsigned char *) &prefix, sizeof prefix);
    crypto_generichash_update(hash, part, length);
}

static void hash_text(crypto_generichash_state *hash, const char *text)
{
    hash_part(hash, text, strlen(text));
}

static void hash_key(const struct exchange *x, struct request *request)
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, HASH_LENGTH);
    hash_text(&hash, router_pattern_text(x->pattern));
    hash_part(&hash, request->token, request->token_length);
    hash_part(&hash, &request->chat, sizeof request->chat);
    hash_part(&hash, x->worker->key, x->key_length);
    crypto_generichash_final(&hash, request->key, HASH_LENGTH);
}

static void hash_request(const struct exchange *x, struct request *request)
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, HASH_LENGTH);
    hash_text(&hash, method_name(x->head.method));
    hash_text(&hash, router_pattern_text(x->pattern));
    hash_part(&hash, request->token, request->token_length);
    hash_part(&hash, &request->chat, sizeof request->chat);
    for (size_t i = 0; i < x->param_count; i++)
        hash_part(&hash, x->params[i].text, x->params[i].length);
    crypto_generichash_final(&hash, request->request_hash, HASH_LENGTH);
}

void keyed_apply(const struct exchange *x, struct request *request)
{
    if (!x->key_length)
        return;
    request->keyed = true;
    hash_key(x, request);
    hash_request(x, request);
}

void keyed_draw_token(const struct request *request, unsigned shards, char token[TOKEN_ISSUED])
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char key[2 * HASH_LENGTH + 1];
    sodium_bin2hex(key, sizeof key, request->key, HASH_LENGTH);
    unsigned key_shard = token_shard(key, sizeof key - 1, shards);
    do
        for (int i = 0; i < TOKEN_ISSUED; i++)
            token[i] = characters[randombytes_uniform(sizeof characters - 1)];
    while (request->keyed && token_shard(token, TOKEN_ISSUED, shards) != key_shard);
}
