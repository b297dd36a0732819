import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.Date;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.resource.SimpleInstanceEnabler;
import org.eclipse.leshan.client.send.ManualDataSender;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.CertificateUsage;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.model.LwM2mModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.SendResponse;
import org.eclipse.leshan.core.response.WriteResponse;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * A device made of Leshan's client library, driven by lines on stdin; what happens to it goes to stdout as JSON lines.
 *
 * <pre>
 * PeerClient SERVER_URI ENDPOINT LIFETIME MODELS_FOLDER [queue] [firmware]; with a coaps URI also cid=LENGTH and one of
 *   psk-identity=HEX psk=HEX | key=PEM public=PEM server-public=PEM | key=PEM certificate=PEM server-certificate=PEM
 * set /3303/0/5700 21.5 | get /3303/0/5700 | update | stop (deregisters) | drop (leaves without a word)
 * send SENML_CBOR /3303/0/5700,/3/0/9 | collect /3303/0/5700 | flush SENML_JSON (sends what was collected)
 * </pre>
 */
public final class PeerClient {

    static synchronized void say(Object... pairs) {
        System.out.println(Json.text(Json.object(pairs)));
        System.out.flush();
    }

    /** An instance whose values are in memory and that tells about each write and execute. */
    public static class Recorded extends SimpleInstanceEnabler {
        public Recorded() {
        }

        Recorded(int id, Map<Integer, Object> values) {
            super(id, values);
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
            WriteResponse response = super.write(server, replace, resource, value);
            if (!server.isSystem())
                say("event", "write", "path", getResourcePath(resource).toString(), "replace", replace, "node",
                        Json.node(value), "code", response.getCode().getCode());
            return response;
        }

        @Override
        public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
            say("event", "execute", "path", getResourcePath(resource).toString(), "arguments",
                    arguments == null || arguments.serialize() == null ? "" : new String(arguments.serialize()));
            return ExecuteResponse.success();
        }

        void set(int resource, Object value) {
            Map<Integer, Object> one = new HashMap<>();
            one.put(resource, value);
            fireResourcesChange(applyValues(one));
        }
    }

    /** Object 5 as far as a push needs it: a package is good at once, and the update ends at once. */
    public static class Firmware extends Recorded {
        public Firmware() {
            super(0, values(3, 0L, 5, 0L, 9, 1L));
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
            if (resource != 0)
                return super.write(server, replace, resource, value);
            int length = ((byte[]) value.getValue()).length;
            say("event", "package", "length", length, "good", Arrays.equals((byte[]) value.getValue(), pattern(length)));
            set(3, length <= 1 ? 0L : 2L);
            set(5, 0L);
            return WriteResponse.success();
        }

        @Override
        public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
            set(3, 0L);
            set(5, 1L);
            return super.execute(server, resource, arguments);
        }
    }

    static Map<Integer, Object> values(Object... pairs) {
        Map<Integer, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            map.put((Integer) pairs[i], pairs[i + 1]);
        return map;
    }

    static <T> Map<Integer, T> list(T... all) {
        Map<Integer, T> map = new LinkedHashMap<>();
        for (int i = 0; i < all.length; i++)
            map.put(i, all[i]);
        return map;
    }

    static final int SHORT_SERVER_ID = 123;

    /** The Security object's instance for the server: what `coaps` needs comes as KEY=VALUE. */
    static Security security(String uri, Map<String, String> options) throws Exception {
        if (!uri.startsWith("coaps:"))
            return Security.noSec(uri, SHORT_SERVER_ID);
        if (options.containsKey("psk"))
            return Security.psk(uri, SHORT_SERVER_ID, StringUtil.hex2ByteArray(options.get("psk-identity")),
                    StringUtil.hex2ByteArray(options.get("psk")));
        byte[] key = SslContextUtil.loadPrivateKey(options.get("key"), null, null, null).getEncoded();
        if (options.containsKey("server-public"))
            return Security.rpk(uri, SHORT_SERVER_ID,
                    SslContextUtil.loadPublicKey(options.get("public"), null, null).getEncoded(), key,
                    SslContextUtil.loadPublicKey(options.get("server-public"), null, null).getEncoded());
        return Security.x509(uri, SHORT_SERVER_ID,
                SslContextUtil.loadCertificateChain(options.get("certificate"), null, null)[0].getEncoded(), key,
                SslContextUtil.loadCertificateChain(options.get("server-certificate"), null, null)[0].getEncoded(),
                CertificateUsage.DOMAIN_ISSUER_CERTIFICATE.code);
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (String word : args)
            if (word.indexOf('=') > 0)
                options.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
        String uri = args[0];
        String endpoint = args[1];
        long lifetime = Long.parseLong(args[2]);
        LwM2mModel model = new StaticModel(Models.load(args[3]));

        ObjectsInitializer objects = new ObjectsInitializer(model);
        objects.setInstancesForObject(0, security(uri, options));
        objects.setInstancesForObject(1, new Server(SHORT_SERVER_ID, lifetime, EnumSet.of(BindingMode.U), false, BindingMode.U));
        objects.setInstancesForObject(3, new Recorded(0, values( //
                0, "Interop", 1, "Leshan", 2, "345000123", 3, "1.0", //
                6, list(1L, 5L), 7, list(3800L, 5000L), 8, list(125L, 900L), //
                9, 100L, 10, 15L, 11, list(0L), 13, new Date(1367491215000L), //
                14, "+02:00", 15, "Europe/Berlin", 16, "U", 18, "rev-b")));
        objects.setInstancesForObject(3303, new Recorded(0, values( //
                5700, 20.5, 5601, 18.25, 5602, 24.75, 5603, -40.0, 5604, 125.0, 5701, "Cel", 5750, "lab")));
        objects.setInstancesForObject(19, new Recorded(0, values( //
                0, list(pattern(8)), 1, 1L, 2, new Date(1700000000000L), 3, "start", 4, "bin", 5, 7L)));
        if (Arrays.asList(args).contains("firmware"))
            objects.setInstancesForObject(5, new Firmware());
        java.util.List<org.eclipse.leshan.client.resource.LwM2mObjectEnabler> enablers = objects.createAll();

        CaliforniumClientEndpointsProvider.Builder coap = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider());
        coap.setClientAddress(InetAddress.getByName("127.0.0.1"));
        Configuration config = coap.createDefaultConfiguration();
        config.set(CoapConfig.MAX_ACTIVE_PEERS, 10);
        config.set(CoapConfig.PROTOCOL_STAGE_THREAD_COUNT, 1);
        if (options.containsKey("cid"))
            config.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, Integer.valueOf(options.get("cid")));
        coap.setConfiguration(config);

        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(Arrays.asList(args).contains("queue"));
        engine.setRequestTimeoutInMs(20_000);
        engine.setDeregistrationTimeoutInMs(5_000);

        LeshanClientBuilder builder = new LeshanClientBuilder(endpoint);
        builder.setObjects(enablers);
        builder.setEndpointsProviders(coap.build());
        builder.setRegistrationEngineFactory(engine);
        ManualDataSender collector = new ManualDataSender();
        builder.setDataSenders(collector);
        LeshanClient client = builder.build();
        client.addObserver(new LwM2mClientObserverAdapter() {
            @Override
            public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String id) {
                say("event", "registered", "location", id);
            }

            @Override
            public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code,
                    String message, Exception cause) {
                say("event", "register-failed", "code", code == null ? 0 : code.getCode(), "message", message, "cause",
                        String.valueOf(cause));
            }

            @Override
            public void onRegistrationTimeout(LwM2mServer server, RegisterRequest request) {
                say("event", "register-timeout");
            }

            @Override
            public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
                say("event", "updated");
            }

            @Override
            public void onUpdateFailure(LwM2mServer server, UpdateRequest request, ResponseCode code, String message,
                    Exception cause) {
                say("event", "update-failed", "code", code == null ? 0 : code.getCode(), "message", message);
            }

            @Override
            public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
                say("event", "deregistered");
            }

            @Override
            public void onDeregistrationFailure(LwM2mServer server, DeregisterRequest request, ResponseCode code,
                    String message, Exception cause) {
                say("event", "deregister-failed", "code", code == null ? 0 : code.getCode());
            }

            @Override
            public void onUnexpectedError(Throwable error) {
                say("event", "error", "message", String.valueOf(error));
            }
        });
        client.start();

        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.trim().split(" ", 3);
            try {
                switch (words[0]) {
                case "set":
                    LwM2mPath path = new LwM2mPath(words[1]);
                    ObjectEnabler object = (ObjectEnabler) client.getObjectTree().getObjectEnabler(path.getObjectId());
                    LwM2mInstanceEnabler instance = object.getInstance(path.getObjectInstanceId());
                    ResourceModel resource = model.getResourceModel(path.getObjectId(), path.getResourceId());
                    Object value = words[2].startsWith("size:") ? pattern(Integer.parseInt(words[2].substring(5)))
                            : Json.typed(resource.type, words[2]);
                    ((Recorded) instance).set(path.getResourceId(), resource.multiple ? list(value) : value);
                    say("event", "set", "path", words[1]);
                    break;
                case "get":
                    LwM2mPath asked = new LwM2mPath(words[1]);
                    ReadResponse read = client.getObjectTree().getObjectEnabler(asked.getObjectId())
                            .read(LwM2mServer.SYSTEM, new ReadRequest(words[1]));
                    say("event", "value", "path", words[1], "code", read.getCode().getCode(), "node",
                            read.getContent() == null ? null : Json.node(read.getContent()));
                    break;
                case "update":
                    client.triggerRegistrationUpdate();
                    break;
                case "send":
                    LwM2mServer to = client.getRegisteredServers().values().iterator().next();
                    SendResponse sent = client.getSendService().sendData(to, ContentFormat.fromName(words[1]),
                            Arrays.asList(words[2].split(",")), 5_000);
                    say("event", "sent", "code", sent == null ? 0 : sent.getCode().getCode());
                    break;
                case "collect":
                    collector.collectData(Arrays.asList(new LwM2mPath(words[1])));
                    say("event", "collected");
                    break;
                case "flush":
                    collector.sendCollectedData(client.getRegisteredServers().values().iterator().next(),
                            ContentFormat.fromName(words[1]), 5_000, false);
                    say("event", "flushed");
                    break;
                case "stop":
                    client.stop(true);
                    say("event", "stopped");
                    break;
                case "drop":
                    Runtime.getRuntime().halt(0);
                    break;
                default:
                    say("event", "error", "message", "unknown command " + line);
                }
            } catch (Exception e) {
                say("event", "error", "message", line + ": " + e);
            }
        }
        client.destroy(false);
        TimeUnit.MILLISECONDS.sleep(1);
        System.exit(0);
    }

    /** Bytes that show where they are: 0, 1, .. 250, 0, 1, .. (251 is prime, so no block boundary repeats). */
    static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++)
            bytes[i] = (byte) (i % 251);
        return bytes;
    }
}
