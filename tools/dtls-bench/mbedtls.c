/* Mbed TLS as a contestant of `dunlin bench`; see bench.h. */
#include "bench.h"

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/version.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"

/* One direction of a link: datagrams with their lengths before them. */
struct way {
    unsigned char *bytes;
    size_t length, read, room;
};

struct end {
    mbedtls_ssl_context ssl;
    struct way *in, *out;
};

struct link {
    struct end server, client;
    struct way up, down;
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_cookie_ctx cookies;
static mbedtls_x509_crt certificate;
static mbedtls_pk_context key;
static mbedtls_ssl_config configs[2]; /* client, server */

static void check(const char *what, int code) {
    if (code) {
        fprintf(stderr, "-0x%04X: ", (unsigned)-code);
        fail(what);
    }
}

static int send_datagram(void *context, const unsigned char *bytes, size_t length) {
    struct way *way = ((struct end *)context)->out;
    if (way->length + length + 2 > way->room)
        way->bytes = realloc(way->bytes, way->room = 2 * (way->length + length + 2));
    way->bytes[way->length++] = (unsigned char)(length >> 8);
    way->bytes[way->length++] = (unsigned char)length;
    memcpy(way->bytes + way->length, bytes, length);
    way->length += length;
    return (int)length;
}

static int receive_datagram(void *context, unsigned char *bytes, size_t max) {
    struct way *way = ((struct end *)context)->in;
    if (way->read == way->length) {
        way->read = way->length = 0;
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    size_t length = (size_t)(way->bytes[way->read] << 8 | way->bytes[way->read + 1]);
    if (length > max)
        return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    memcpy(bytes, way->bytes + way->read + 2, length);
    way->read += 2 + length;
    return (int)length;
}

/* Nothing is lost, so no timer runs out. */
static void set_timer(void *context, uint32_t between, uint32_t end) { (void)context, (void)between, (void)end; }
static int get_timer(void *context) {
    (void)context;
    return 0;
}

static int use(int suite) {
    static int suites[2];
    suites[0] = suite;
    for (int server = 0; server < 2; server++) {
        mbedtls_ssl_config *config = &configs[server];
        mbedtls_ssl_config_free(config);
        mbedtls_ssl_config_init(config);
        check("defaults", mbedtls_ssl_config_defaults(config, server, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                                      MBEDTLS_SSL_PRESET_DEFAULT));
        mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &drbg);
        mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
        mbedtls_ssl_conf_ciphersuites(config, suites);
        mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
        check("psk", mbedtls_ssl_conf_psk(config, psk_key, 16, (const unsigned char *)"device-000001", 13));
        check("own certificate", mbedtls_ssl_conf_own_cert(config, &certificate, &key));
        mbedtls_ssl_conf_ca_chain(config, &certificate, NULL);
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
        check("CID", mbedtls_ssl_conf_cid(config, server ? 8 : 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE));
        if (server)
            mbedtls_ssl_conf_dtls_cookies(config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
    }
    return suite;
}

static void prepare(struct end *end, int server) {
    if (server)
        mbedtls_ssl_set_client_transport_id(&end->ssl, (const unsigned char *)"address", 7);
    mbedtls_ssl_set_cid(&end->ssl, MBEDTLS_SSL_CID_ENABLED, (const unsigned char *)"12345678", server ? 8 : 0);
}

static void set_up(struct end *end, int server, struct way *in, struct way *out) {
    end->in = in, end->out = out;
    mbedtls_ssl_init(&end->ssl);
    check("setup", mbedtls_ssl_setup(&end->ssl, &configs[server]));
    mbedtls_ssl_set_bio(&end->ssl, end, send_datagram, receive_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&end->ssl, NULL, set_timer, get_timer);
    if (!server)
        mbedtls_ssl_set_hostname(&end->ssl, NULL);
    prepare(end, server);
}

static void step(struct end *end, int server) {
    int code = mbedtls_ssl_handshake(&end->ssl);
    if (code == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
        check("reset", mbedtls_ssl_session_reset(&end->ssl));
        prepare(end, server);
    } else if (code && code != MBEDTLS_ERR_SSL_WANT_READ) {
        check("handshake", code);
    }
}

static double batch(struct link **links, int size) {
    double time = 0;
    int busy = 1;
    for (int i = 0; i < size; i++) {
        links[i] = calloc(1, sizeof **links);
        set_up(&links[i]->client, 0, &links[i]->down, &links[i]->up);
    }
    double begin = cpu_seconds();
    for (int i = 0; i < size; i++)
        set_up(&links[i]->server, 1, &links[i]->up, &links[i]->down);
    time += cpu_seconds() - begin;
    while (busy) {
        busy = 0;
        for (int i = 0; i < size; i++)
            if (!mbedtls_ssl_is_handshake_over(&links[i]->client.ssl))
                step(&links[i]->client, 0), busy = 1;
        begin = cpu_seconds();
        for (int i = 0; i < size; i++)
            if (!mbedtls_ssl_is_handshake_over(&links[i]->server.ssl))
                step(&links[i]->server, 1), busy = 1;
        time += cpu_seconds() - begin;
    }
    /* As a device does: it speaks first, which shows that the last flight has come. */
    for (int i = 0; i < size; i++) {
        unsigned char in[8];
        mbedtls_ssl_write(&links[i]->client.ssl, (const unsigned char *)"hello", 5);
        if (mbedtls_ssl_read(&links[i]->server.ssl, in, sizeof in) != 5)
            fail("reading");
    }
    return time;
}

static void end_client(struct link *link) {
    mbedtls_ssl_free(&link->client.ssl);
    free(link->up.bytes);
    free(link->down.bytes);
    memset(&link->up, 0, sizeof link->up);
    memset(&link->down, 0, sizeof link->down);
}

static double handshakes(struct link **links, int count) {
    double time = 0;
    for (int done = 0; done < count; done += BATCH) {
        int size = count - done < BATCH ? count - done : BATCH;
        time += batch(links + done, size);
        for (int i = done; i < done + size; i++)
            end_client(links[i]);
    }
    return time;
}

static void release(struct link **links, int count) {
    for (int i = 0; i < count; i++) {
        mbedtls_ssl_free(&links[i]->server.ssl);
        free(links[i]);
    }
    free(links);
}

static void records(int suite, int count, double *sealed, double *opened) {
    struct link *link;
    unsigned char data[RECORD], in[RECORD + 1];
    memset(data, 0x55, sizeof data);
    use(suite);
    batch(&link, 1);
    *sealed = *opened = 0;
    for (int done = 0; done < count; done += RECORDS) {
        double begin = cpu_seconds();
        for (int i = 0; i < RECORDS; i++)
            if (mbedtls_ssl_write(&link->server.ssl, data, RECORD) != RECORD)
                fail("sealing");
        *sealed += cpu_seconds() - begin;
        for (int i = 0; i < RECORDS; i++)
            if (mbedtls_ssl_read(&link->client.ssl, in, sizeof in) != RECORD)
                fail("reading");
        for (int i = 0; i < RECORDS; i++)
            if (mbedtls_ssl_write(&link->client.ssl, data, RECORD) != RECORD)
                fail("writing");
        begin = cpu_seconds();
        for (int i = 0; i < RECORDS; i++)
            if (mbedtls_ssl_read(&link->server.ssl, in, sizeof in) != RECORD)
                fail("opening");
        *opened += cpu_seconds() - begin;
        /* Empties what was read. */
        mbedtls_ssl_read(&link->client.ssl, in, sizeof in);
        mbedtls_ssl_read(&link->server.ssl, in, sizeof in);
    }
    end_client(link);
    mbedtls_ssl_free(&link->server.ssl);
    free(link);
}

static void make_certificate(void) {
    unsigned char der[1024];
    mbedtls_x509write_cert write;
    mbedtls_pk_init(&key);
    check("key", mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    check("key", mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_ctr_drbg_random, &drbg));
    mbedtls_x509write_crt_init(&write);
    mbedtls_x509write_crt_set_version(&write, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&write, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&write, &key);
    mbedtls_x509write_crt_set_issuer_key(&write, &key);
    check("name", mbedtls_x509write_crt_set_subject_name(&write, "CN=device-1"));
    check("name", mbedtls_x509write_crt_set_issuer_name(&write, "CN=device-1"));
    check("serial", mbedtls_x509write_crt_set_serial_raw(&write, (unsigned char *)"\1", 1));
    check("validity", mbedtls_x509write_crt_set_validity(&write, "20200101000000", "20991231235959"));
    int length = mbedtls_x509write_crt_der(&write, der, sizeof der, mbedtls_ctr_drbg_random, &drbg);
    if (length < 0)
        check("certificate", length);
    mbedtls_x509_crt_init(&certificate);
    check("certificate", mbedtls_x509_crt_parse_der(&certificate, der + sizeof der - length, (size_t)length));
    mbedtls_x509write_crt_free(&write);
}

int main(int argc, char **argv) {
    if (argc != 4)
        fail("usage: mbedtls SESSIONS HANDSHAKES RECORDS;");
    int sessions = atoi(argv[1]), count = atoi(argv[2]), number = atoi(argv[3]);
    psa_crypto_init();
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    check("seed", mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0));
    mbedtls_ssl_cookie_init(&cookies);
    check("cookies", mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &drbg));
    make_certificate();

    const int psk = MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, ecdsa = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
    double sealed, opened;
    use(psk);
    struct link **links = calloc((size_t)sessions + BATCH, sizeof *links);
    handshakes(links, BATCH);
    double before = resident();
    handshakes(links + BATCH, sessions);
    tell("session_bytes", (resident() - before) / sessions);
    tell("sessions", sessions);
    release(links, sessions + BATCH);

    links = calloc((size_t)count, sizeof *links);
    tell("psk_handshakes", count / handshakes(links, count));
    release(links, count);
    use(ecdsa);
    count = count / 10 ? count / 10 : 1;
    links = calloc((size_t)count, sizeof *links);
    tell("ecdsa_handshakes", count / handshakes(links, count));
    release(links, count);

    number = (number + RECORDS - 1) / RECORDS * RECORDS;
    records(psk, number, &sealed, &opened);
    tell("ccm_8_sealed", number / sealed);
    tell("ccm_8_opened", number / opened);
    records(MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, number, &sealed, &opened);
    tell("gcm_sealed", number / sealed);
    tell("gcm_opened", number / opened);
    printf("version %s\n", MBEDTLS_VERSION_STRING);
    return 0;
}
