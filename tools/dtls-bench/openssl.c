/* OpenSSL as a contestant of `dunlin bench`; see bench.h. */
#include "bench.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static SSL_CTX *server_context, *client_context;
static EVP_PKEY *key;
static X509 *certificate;

static unsigned int server_psk(SSL *ssl, const char *identity, unsigned char *out, unsigned int max) {
    (void)ssl, (void)identity, (void)max;
    memcpy(out, psk_key, 16);
    return 16;
}

static unsigned int client_psk(SSL *ssl, const char *hint, char *identity, unsigned int max_identity,
                               unsigned char *out, unsigned int max) {
    (void)ssl, (void)hint, (void)max;
    snprintf(identity, max_identity, "device-000001");
    memcpy(out, psk_key, 16);
    return 16;
}

static int any(int ok, X509_STORE_CTX *store) {
    (void)ok, (void)store;
    return 1;
}

/* A fixed cookie: there is one address only, and what is measured is the exchange. */
static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned int *length) {
    (void)ssl;
    memset(cookie, 7, *length = 20);
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned int length) {
    (void)ssl, (void)cookie;
    return length == 20;
}

static SSL_CTX *context(const char *suite, int server) {
    SSL_CTX *context = SSL_CTX_new(server ? DTLS_server_method() : DTLS_client_method());
    if (!context || SSL_CTX_set_cipher_list(context, suite) != 1)
        fail("cipher list");
    SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (strncmp(suite, "PSK", 3) == 0) {
        SSL_CTX_set_psk_server_callback(context, server_psk);
        SSL_CTX_set_psk_client_callback(context, client_psk);
    } else {
        SSL_CTX_use_certificate(context, certificate);
        SSL_CTX_use_PrivateKey(context, key);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any);
        SSL_CTX_set1_groups_list(context, "P-256");
    }
    if (server) {
        SSL_CTX_set_options(context, SSL_OP_COOKIE_EXCHANGE);
        SSL_CTX_set_cookie_generate_cb(context, make_cookie);
        SSL_CTX_set_cookie_verify_cb(context, check_cookie);
    }
    return context;
}

static void use(const char *suite) {
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    server_context = context(suite, 1);
    client_context = context(suite, 0);
}

static SSL *session(int server) {
    SSL *ssl = SSL_new(server ? server_context : client_context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_mtu(ssl, 1280);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

static int move(SSL *from, SSL *to) {
    char *bytes;
    long length = BIO_get_mem_data(SSL_get_wbio(from), &bytes);
    if (length <= 0)
        return 0;
    BIO_write(SSL_get_rbio(to), bytes, (int)length);
    (void)BIO_reset(SSL_get_wbio(from));
    return 1;
}

/* So many handshakes, step by step together; what the server took. */
static double batch(SSL **servers, SSL **clients, int size) {
    double time = 0;
    int busy = 1;
    for (int i = 0; i < size; i++)
        clients[i] = session(0);
    double begin = cpu_seconds();
    for (int i = 0; i < size; i++)
        servers[i] = session(1);
    time += cpu_seconds() - begin;
    while (busy) {
        busy = 0;
        for (int i = 0; i < size; i++) {
            SSL_do_handshake(clients[i]);
            busy |= move(clients[i], servers[i]);
        }
        begin = cpu_seconds();
        for (int i = 0; i < size; i++)
            SSL_do_handshake(servers[i]);
        time += cpu_seconds() - begin;
        for (int i = 0; i < size; i++)
            busy |= move(servers[i], clients[i]);
    }
    for (int i = 0; i < size; i++)
        if (!SSL_is_init_finished(servers[i]) || !SSL_is_init_finished(clients[i])) {
            ERR_print_errors_fp(stderr);
            fail("handshake");
        }
    /* As a device does: it speaks first, which shows that the last flight has come. */
    for (int i = 0; i < size; i++) {
        char in[8];
        SSL_write(clients[i], "hello", 5);
        move(clients[i], servers[i]);
        if (SSL_read(servers[i], in, sizeof in) != 5)
            fail("reading");
    }
    ERR_clear_error();
    return time;
}

/* At most BATCH together; fewer when they take long: its timers would send flights again after a second. */
static double handshakes(SSL **servers, int count, int together) {
    SSL *clients[BATCH];
    double time = 0;
    for (int done = 0; done < count; done += together) {
        int size = count - done < together ? count - done : together;
        time += batch(servers + done, clients, size);
        for (int i = 0; i < size; i++)
            SSL_free(clients[i]);
    }
    return time;
}

static void release(SSL **servers, int count) {
    for (int i = 0; i < count; i++)
        SSL_free(servers[i]);
    free(servers);
}

static void records(const char *suite, int count, double *sealed, double *opened) {
    SSL *server, *client;
    unsigned char data[RECORD], in[RECORD + 1];
    memset(data, 0x55, sizeof data);
    use(suite);
    batch(&server, &client, 1);
    *sealed = *opened = 0;
    for (int done = 0; done < count; done += RECORDS) {
        double begin = cpu_seconds();
        for (int i = 0; i < RECORDS; i++)
            if (SSL_write(server, data, RECORD) != RECORD)
                fail("sealing");
        *sealed += cpu_seconds() - begin;
        /* One datagram at a time: a memory BIO has no borders. All records are of one length. */
        for (int side = 0; side < 2; side++) {
            SSL *from = side ? client : server, *to = side ? server : client;
            if (side)
                for (int i = 0; i < RECORDS; i++)
                    SSL_write(client, data, RECORD);
            char *bytes;
            long length = BIO_get_mem_data(SSL_get_wbio(from), &bytes);
            int each = (int)(length / RECORDS);
            begin = cpu_seconds();
            for (int i = 0; i < RECORDS; i++) {
                BIO_write(SSL_get_rbio(to), bytes + (long)i * each, each);
                if (SSL_read(to, in, sizeof in) != RECORD)
                    fail("opening");
            }
            if (side)
                *opened += cpu_seconds() - begin;
            (void)BIO_reset(SSL_get_wbio(from));
        }
    }
    SSL_free(server);
    SSL_free(client);
}

int main(int argc, char **argv) {
    if (argc != 4)
        fail("usage: openssl SESSIONS HANDSHAKES RECORDS;");
    int sessions = atoi(argv[1]), count = atoi(argv[2]), number = atoi(argv[3]);
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"device-1", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    if (!X509_sign(certificate, key, EVP_sha256()))
        fail("certificate");

    const char *psk = "PSK-AES128-CCM8:@SECLEVEL=0", *ecdsa = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0";
    double sealed, opened;
    use(psk);
    SSL **servers = calloc((size_t)sessions + BATCH, sizeof *servers);
    handshakes(servers, BATCH, BATCH);
    double before = resident();
    handshakes(servers + BATCH, sessions, BATCH);
    tell("session_bytes", (resident() - before) / sessions);
    tell("sessions", sessions);
    release(servers, sessions + BATCH);

    servers = calloc((size_t)count, sizeof *servers);
    tell("psk_handshakes", count / handshakes(servers, count, BATCH));
    release(servers, count);
    use(ecdsa);
    count = count / 10 ? count / 10 : 1;
    servers = calloc((size_t)count, sizeof *servers);
    tell("ecdsa_handshakes", count / handshakes(servers, count, BATCH / 20));
    release(servers, count);

    number = (number + RECORDS - 1) / RECORDS * RECORDS;
    records(psk, number, &sealed, &opened);
    tell("ccm_8_sealed", number / sealed);
    tell("ccm_8_opened", number / opened);
    records("ECDHE-ECDSA-AES128-GCM-SHA256", number, &sealed, &opened);
    tell("gcm_sealed", number / sealed);
    tell("gcm_opened", number / opened);
    printf("version %s\n", OpenSSL_version(OPENSSL_VERSION) + strlen("OpenSSL "));
    return 0;
}
