import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.eclipse.californium.elements.AddressEndpointContext;
import org.eclipse.californium.elements.DtlsEndpointContext;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.MessageCallback;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.CertificateAuthenticationMode;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.Bytes;
import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.ExtendedMasterSecretMode;
import org.eclipse.californium.scandium.dtls.Handshaker;
import org.eclipse.californium.scandium.dtls.PskPublicInformation;
import org.eclipse.californium.scandium.dtls.SessionAdapter;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.pskstore.SinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticCertificateVerifier;

/**
 * Scandium, Californium's DTLS, without CoAP over it. One process holds many connectors, since starting Java is what
 * takes the time. Driven by lines on stdin; each line on stdout begins with the id of the connector.
 *
 * <pre>
 * open ID server|client HOST:PORT KEY=VALUE...   server answers what it receives with the same bytes
 *   suite=C0A8  psk-identity=HEX psk=HEX  key=PEM [certificate=PEM]  peer=PEM | trust=PEM  cid=LENGTH  mtu=BYTES
 * send ID TEXT   (a client connects with its first message)
 * resume ID      (the next message begins with the short handshake)
 * close ID
 * </pre>
 */
public final class ScandiumPeer {

    static synchronized void say(String id, String text) {
        System.out.println(id + " " + text);
        System.out.flush();
    }

    static String length(Bytes cid) {
        return cid == null ? "-" : String.valueOf(cid.length());
    }

    /** What an association is like, in words that all peers share. */
    static String about(EndpointContext context) {
        String cipher = context.get(DtlsEndpointContext.KEY_CIPHER);
        CipherSuite suite = CipherSuite.getTypeByName(cipher);
        Bytes session = context.get(DtlsEndpointContext.KEY_SESSION_ID);
        return String.format("suite=%04X in=%s out=%s session=%s ems=%s from=%d", suite.getCode(),
                length(context.get(DtlsEndpointContext.KEY_READ_CONNECTION_ID)),
                length(context.get(DtlsEndpointContext.KEY_WRITE_CONNECTION_ID)),
                session == null ? "-" : session.getAsString(),
                context.get(DtlsEndpointContext.KEY_EXTENDED_MASTER_SECRET),
                context.getPeerAddress().getPort());
    }

    static final class Peer {
        final String id;
        final boolean server;
        final InetSocketAddress remote;
        final DTLSConnector connector;

        Peer(String id, boolean server, String address, Map<String, String> options) throws Exception {
            this.id = id;
            this.server = server;
            int colon = address.lastIndexOf(':');
            InetSocketAddress given = new InetSocketAddress(address.substring(0, colon),
                    Integer.parseInt(address.substring(colon + 1)));
            this.remote = given;

            DtlsConnectorConfig.Builder config = new DtlsConnectorConfig.Builder(
                    Configuration.createStandardWithoutFile());
            config.setAddress(server ? given : new InetSocketAddress("127.0.0.1", 0));
            config.setLoggingTag(id);
            config.set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1);
            config.set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, 1);
            config.set(DtlsConfig.DTLS_MAX_CONNECTIONS, 20);
            config.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
            config.set(DtlsConfig.DTLS_VERIFY_SERVER_CERTIFICATES_SUBJECT, false);
            config.set(DtlsConfig.DTLS_EXTENDED_MASTER_SECRET_MODE, ExtendedMasterSecretMode.REQUIRED);
            CipherSuite suite = CipherSuite.getTypeByCode(Integer.parseInt(options.get("suite"), 16));
            config.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, suite);
            config.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, // less than 0: the extension is not even known
                    Integer.valueOf(options.getOrDefault("cid", "-1")));
            if (options.containsKey("mtu"))
                config.set(DtlsConfig.DTLS_MAX_TRANSMISSION_UNIT, Integer.valueOf(options.get("mtu")));
            if (options.containsKey("psk")) {
                byte[] identity = StringUtil.hex2ByteArray(options.get("psk-identity"));
                config.setPskStore(new SinglePskStore(PskPublicInformation.fromByteArray(identity),
                        StringUtil.hex2ByteArray(options.get("psk"))));
            }
            StaticCertificateVerifier.Builder verifier = StaticCertificateVerifier.builder();
            List<CertificateType> types = new ArrayList<>();
            if (options.containsKey("peer")) {
                verifier.setTrustedRPKs(new RawPublicKeyIdentity(
                        SslContextUtil.loadPublicKey(options.get("peer"), null, null)));
                types.add(CertificateType.RAW_PUBLIC_KEY);
            }
            if (options.containsKey("trust")) {
                verifier.setTrustedCertificates(SslContextUtil.loadTrustedCertificates(options.get("trust")));
                types.add(CertificateType.X_509);
            }
            if (options.containsKey("key")) {
                if (options.containsKey("certificate"))
                    config.setCertificateIdentityProvider(new SingleCertificateProvider(
                            SslContextUtil.loadPrivateKey(options.get("key"), null, null, null),
                            SslContextUtil.loadCertificateChain(options.get("certificate"), null, null), types));
                else {
                    SslContextUtil.Credentials pair = SslContextUtil.loadCredentials(options.get("key"));
                    config.setCertificateIdentityProvider(new SingleCertificateProvider(pair.getPrivateKey(),
                            SslContextUtil.loadPublicKey(options.get("public"), null, null)));
                }
                config.setCertificateVerifier(verifier.setSupportedCertificateTypes(types).build());
                if (server)
                    config.set(DtlsConfig.DTLS_CLIENT_AUTHENTICATION_MODE, CertificateAuthenticationMode.NEEDED);
            }
            config.set(DtlsConfig.DTLS_ROLE, server ? DtlsConfig.DtlsRole.SERVER_ONLY
                    : DtlsConfig.DtlsRole.CLIENT_ONLY);
            config.setSessionListener(new SessionAdapter() {
                @Override
                public void handshakeCompleted(Handshaker handshaker) {
                    say(id, "handshake " + handshaker.getClass().getSimpleName());
                }

                @Override
                public void handshakeFailed(Handshaker handshaker, Throwable error) {
                    say(id, "failed " + error);
                }
            });
            connector = new DTLSConnector(config.build());
            connector.setAlertHandler((peer, alert) -> say(id, "alert " + alert.toString().replace('\n', ' ')));
            connector.setRawDataReceiver(data -> {
                say(id, "data " + about(data.getEndpointContext()) + " peer="
                        + (data.getSenderIdentity() == null ? "-"
                                : StringUtil.byteArray2Hex(
                                        data.getSenderIdentity().getName().getBytes(StandardCharsets.UTF_8)))
                        + " text=" + new String(data.getBytes(), StandardCharsets.UTF_8).trim());
                if (server)
                    connector.send(RawData.outbound(data.getBytes(), data.getEndpointContext(), null, false));
            });
            connector.start();
            if (server)
                say(id, "listening " + connector.getAddress().getPort());
        }

        void send(String text) {
            MessageCallback callback = new MessageCallback() {
                @Override
                public void onConnecting() {
                }

                @Override
                public void onDtlsRetransmission(int flight) {
                    say(id, "retransmission " + flight);
                }

                @Override
                public void onContextEstablished(EndpointContext context) {
                }

                @Override
                public void onSent() {
                }

                @Override
                public void onError(Throwable error) {
                    say(id, "not-sent " + error);
                }
            };
            connector.send(RawData.outbound((text + "\n").getBytes(StandardCharsets.UTF_8),
                    new AddressEndpointContext(remote), callback, false));
        }
    }

    public static void main(String[] args) throws Exception {
        DtlsConfig.register();
        Map<String, Peer> peers = new HashMap<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.trim().split(" ", 3);
            try {
                switch (words[0]) {
                case "open":
                    String[] more = words[2].split(" ");
                    Map<String, String> options = new HashMap<>();
                    for (int i = 2; i < more.length; i++)
                        options.put(more[i].substring(0, more[i].indexOf('=')),
                                more[i].substring(more[i].indexOf('=') + 1));
                    peers.put(words[1], new Peer(words[1], more[0].equals("server"), more[1], options));
                    say(words[1], "open");
                    break;
                case "send":
                    peers.get(words[1]).send(words[2]);
                    break;
                case "resume":
                    peers.get(words[1]).connector.forceResumeAllSessions();
                    say(words[1], "resuming");
                    break;
                case "close":
                    peers.remove(words[1]).connector.destroy();
                    say(words[1], "closed");
                    break;
                default:
                    say("-", "error unknown command " + line);
                }
            } catch (Exception error) {
                say(words.length > 1 ? words[1] : "-", "error " + error);
                error.printStackTrace();
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
