/*
 * Mbed TLS over UDP, driven by lines on stdin; what happens goes to stdout. The peer that has RFC 9146 besides Scandium.
 *
 *   peer server|client HOST:PORT KEY=VALUE...      the server answers what it receives with the same bytes
 *     suite=C0A8  psk-identity=HEX psk=HEX  key=PEM certificate=PEM trust=PEM  cid=LENGTH  mtu=BYTES  etm=0
 *   send TEXT | resume (ends the session and takes it up again with the short handshake) | close
 *
 * One association at a time. A server follows its peer to another address once a record from there is authentic.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_cache.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/timing.h"
#include "psa/crypto.h"

static mbedtls_ssl_context ssl;
static mbedtls_ssl_config conf;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_entropy_context entropy;
static mbedtls_ssl_cookie_ctx cookies;
static mbedtls_ssl_cache_context cache;
static mbedtls_timing_delay_context timer;
static mbedtls_x509_crt chain, trust;
static mbedtls_pk_context key;
static mbedtls_ssl_session saved;

static int sock, server;
static struct sockaddr_in peer, seen; /* where we send; where the last datagram came from */
static int cid_length = -1, mtu;
static unsigned char cid[MBEDTLS_SSL_CID_IN_LEN_MAX];

static void die(const char *what, int code) {
    char text[160];
    mbedtls_strerror(code, text, sizeof text);
    printf("failed %s: -0x%04X %s\n", what, (unsigned)-code, text);
    exit(1);
}

static void check(const char *what, int code) {
    if (code != 0)
        die(what, code);
}

static int send_datagram(void *context, const unsigned char *bytes, size_t length) {
    (void)context;
    ssize_t n = sendto(sock, bytes, length, 0, (struct sockaddr *)&peer, sizeof peer);
    return n < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)n;
}

static int receive_datagram(void *context, unsigned char *bytes, size_t length) {
    (void)context;
    socklen_t size = sizeof seen;
    ssize_t n = recvfrom(sock, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&seen, &size);
    if (n < 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    /* until a handshake is complete its peer is whoever speaks; afterwards only who is authentic, see data() */
    if (server && !mbedtls_ssl_is_handshake_over(&ssl) && peer.sin_port != seen.sin_port) {
        peer = seen;
        check("transport id", mbedtls_ssl_set_client_transport_id(&ssl, (unsigned char *)&peer, sizeof peer));
    }
    return (int)n;
}

/* Waits for a datagram, at most until the retransmission timer is due; 0 when there is a line on stdin instead. */
static int wait_for_datagram(int with_stdin) {
    struct pollfd fds[2] = {{sock, POLLIN, 0}, {0, POLLIN, 0}};
    poll(fds, with_stdin ? 2 : 1, mbedtls_ssl_is_handshake_over(&ssl) ? -1 : 100);
    return !(with_stdin && fds[1].revents != 0 && fds[0].revents == 0);
}

static const char *about(void) {
    static char text[200];
    int enabled = 0, own = 0;
    size_t length = 0, own_length = 0;
    unsigned char bytes[MBEDTLS_SSL_CID_OUT_LEN_MAX], own_bytes[MBEDTLS_SSL_CID_IN_LEN_MAX];
    mbedtls_ssl_get_peer_cid(&ssl, &enabled, bytes, &length);
    mbedtls_ssl_get_own_cid(&ssl, &own, own_bytes, &own_length);
    int n = snprintf(text, sizeof text, "suite=%04X ", (unsigned)mbedtls_ssl_get_ciphersuite_id_from_ssl(&ssl));
    if (enabled)
        snprintf(text + n, sizeof text - n, "in=%zu out=%zu", own_length, length);
    else
        snprintf(text + n, sizeof text - n, "in=- out=-");
    return text;
}

static int read_hex(const char *hex, unsigned char *out) {
    int n = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned byte;
        sscanf(hex, "%2x", &byte);
        out[n++] = (unsigned char)byte;
    }
    return n;
}

static void prepare(void) {
    if (cid_length >= 0)
        check("own CID", mbedtls_ssl_set_cid(&ssl, MBEDTLS_SSL_CID_ENABLED, cid, (size_t)cid_length));
    if (mtu)
        mbedtls_ssl_set_mtu(&ssl, (uint16_t)mtu);
}

/* True when the handshake is complete; false when a server is to wait for another ClientHello. */
static int handshake(void) {
    for (;;) {
        int code = mbedtls_ssl_handshake(&ssl);
        if (code == 0)
            break;
        if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            wait_for_datagram(0);
            continue;
        }
        if (code != MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
            if (!server)
                die("handshake", code);
            printf("failed handshake: -0x%04X\n", (unsigned)-code);
        }
        peer.sin_port = 0;
        check("reset", mbedtls_ssl_session_reset(&ssl));
        prepare();
        return 0;
    }
    printf("connected %s\n", about());
    return 1;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0); /* poll sees what is not read yet */
    if (count < 3)
        return 2;
    server = strcmp(arguments[1], "server") == 0;
    char *colon = strrchr(arguments[2], ':');
    *colon = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    inet_pton(AF_INET, arguments[2], &address.sin_addr);

    psa_crypto_init();
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&conf);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_entropy_init(&entropy);
    mbedtls_ssl_cookie_init(&cookies);
    mbedtls_ssl_cache_init(&cache);
    mbedtls_x509_crt_init(&chain);
    mbedtls_x509_crt_init(&trust);
    mbedtls_pk_init(&key);
    mbedtls_ssl_session_init(&saved);
    check("seed", mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0));
    check("defaults", mbedtls_ssl_config_defaults(&conf, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                                  MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_max_tls_version(&conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_min_tls_version(&conf, MBEDTLS_SSL_VERSION_TLS1_2);

    static int suites[2];
    unsigned char psk[256], identity[1024];
    int psk_length = 0, identity_length = 0;
    for (int i = 3; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (!value)
            return 2;
        *value++ = 0;
        if (!strcmp(arguments[i], "suite"))
            suites[0] = (int)strtol(value, NULL, 16);
        else if (!strcmp(arguments[i], "psk"))
            psk_length = read_hex(value, psk);
        else if (!strcmp(arguments[i], "psk-identity"))
            identity_length = read_hex(value, identity);
        else if (!strcmp(arguments[i], "key"))
            check("key", mbedtls_pk_parse_keyfile(&key, value, NULL, mbedtls_ctr_drbg_random, &drbg));
        else if (!strcmp(arguments[i], "certificate"))
            check("certificate", mbedtls_x509_crt_parse_file(&chain, value));
        else if (!strcmp(arguments[i], "trust"))
            check("trust", mbedtls_x509_crt_parse_file(&trust, value));
        else if (!strcmp(arguments[i], "cid"))
            cid_length = atoi(value);
        else if (!strcmp(arguments[i], "mtu"))
            mtu = atoi(value);
        else if (!strcmp(arguments[i], "etm"))
            mbedtls_ssl_conf_encrypt_then_mac(&conf, atoi(value));
        else
            return 2;
    }
    mbedtls_ssl_conf_ciphersuites(&conf, suites);
    if (psk_length)
        check("psk", mbedtls_ssl_conf_psk(&conf, psk, (size_t)psk_length, identity, (size_t)identity_length));
    if (chain.version) {
        check("own certificate", mbedtls_ssl_conf_own_cert(&conf, &chain, &key));
        mbedtls_ssl_conf_ca_chain(&conf, &trust, NULL);
        mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (cid_length >= 0) {
        check("CID length", mbedtls_ssl_conf_cid(&conf, (size_t)cid_length, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE));
        mbedtls_ctr_drbg_random(&drbg, cid, (size_t)cid_length);
    }
    if (server) {
        check("cookies", mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &drbg));
        mbedtls_ssl_conf_dtls_cookies(&conf, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
        mbedtls_ssl_conf_session_cache(&conf, &cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    }
    /* resumption by session id is what is tested, so no tickets are asked for */
    mbedtls_ssl_conf_session_tickets(&conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    check("setup", mbedtls_ssl_setup(&ssl, &conf));
    mbedtls_ssl_set_bio(&ssl, NULL, send_datagram, receive_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    if (!server)
        check("host name", mbedtls_ssl_set_hostname(&ssl, NULL));
    prepare();

    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (server) {
        if (bind(sock, (struct sockaddr *)&address, sizeof address) != 0)
            return 1;
        socklen_t size = sizeof address;
        getsockname(sock, (struct sockaddr *)&address, &size);
        printf("listening %d\n", ntohs(address.sin_port));
    } else {
        peer = address;
    }

    int open = 0;
    if (!server)
        open = handshake();
    static unsigned char buffer[16384];
    for (;;) {
        if (!open) {
            if (!server)
                return 0;
            wait_for_datagram(0);
            open = handshake();
            continue;
        }
        /* records that came in one datagram wait inside the library, which poll does not know */
        if (!mbedtls_ssl_check_pending(&ssl) && !wait_for_datagram(!server)) {
            char line[8192];
            if (!fgets(line, sizeof line, stdin))
                return 0;
            if (!strncmp(line, "send ", 5)) { /* with its newline: OpenSSL and GnuTLS print what comes as it is */
                int code = mbedtls_ssl_write(&ssl, (unsigned char *)line + 5, strlen(line + 5));
                if (code < 0)
                    die("write", code);
            } else if (!strcmp(line, "resume\n")) {
                check("session", mbedtls_ssl_get_session(&ssl, &saved));
                mbedtls_ssl_close_notify(&ssl);
                check("reset", mbedtls_ssl_session_reset(&ssl));
                check("resume", mbedtls_ssl_set_session(&ssl, &saved));
                unsigned char before[32];
                size_t length = mbedtls_ssl_session_get_id_len(&saved);
                memcpy(before, *mbedtls_ssl_session_get_id(&saved), length);
                prepare();
                open = handshake();
                mbedtls_ssl_session after;
                mbedtls_ssl_session_init(&after);
                check("session", mbedtls_ssl_get_session(&ssl, &after));
                int same = length > 0 && mbedtls_ssl_session_get_id_len(&after) == length &&
                           !memcmp(before, *mbedtls_ssl_session_get_id(&after), length);
                printf("resumed=%s\n", same ? "yes" : "no");
                mbedtls_ssl_session_free(&after);
            } else if (!strcmp(line, "close\n")) {
                mbedtls_ssl_close_notify(&ssl);
                printf("closed by us\n");
                return 0;
            }
            continue;
        }
        int n = mbedtls_ssl_read(&ssl, buffer, sizeof buffer - 1);
        if (n > 0) {
            if (server)
                peer = seen;
            buffer[n] = 0;
            printf("data %s from=%d text=%.*s\n", about(), ntohs(seen.sin_port), (int)strcspn((char *)buffer, "\n"), buffer);
            if (server)
                mbedtls_ssl_write(&ssl, buffer, (size_t)n);
        } else if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
            continue;
        } else {
            /* close_notify, an alert, or a new handshake from the same port */
            printf("closed -0x%04X\n", (unsigned)-n);
            if (!server)
                return 0;
            if (n == MBEDTLS_ERR_SSL_CLIENT_RECONNECT) {
                open = handshake();
                continue;
            }
            mbedtls_ssl_close_notify(&ssl);
            peer.sin_port = 0;
            check("reset", mbedtls_ssl_session_reset(&ssl));
            prepare();
            open = 0;
        }
    }
}
