import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.link.lwm2m.attributes.DefaultLwM2mAttributeParser;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.TimestampedLwM2mNodes;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.CancelCompositeObservationRequest;
import org.eclipse.leshan.core.request.CancelObservationRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.CreateRequest;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkDeviceManagementRequest;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveCompositeRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadCompositeRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.SendRequest;
import org.eclipse.leshan.core.request.WriteAttributesRequest;
import org.eclipse.leshan.core.request.WriteCompositeRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.request.WriteRequest.Mode;
import org.eclipse.leshan.core.response.CreateResponse;
import org.eclipse.leshan.core.response.DiscoverResponse;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.ReadCompositeResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.model.StaticModelProvider;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.send.SendListener;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.SecurityInfo;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coaps.CoapsServerProtocolProvider;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

/**
 * A management server made of Leshan's server library, with the part of the Leshan demo's REST that the tests use.
 *
 * <pre>
 * PeerServer COAP_PORT HTTP_PORT MODELS_FOLDER [COAPS_PORT cid=LENGTH key=PEM certificate=PEM trust=PEM]
 * </pre>
 *
 * Its own is POST /api/security?endpoint=NAME with identity=HEX and psk=HEX, or public=PEM, or neither (certificates).
 */
public final class PeerServer {
    private final LeshanServer lwm2m;
    private final List<LinkedBlockingQueue<String>> listeners = new CopyOnWriteArrayList<>();

    private final InMemorySecurityStore security = new InMemorySecurityStore();

    private PeerServer(String[] args) throws Exception {
        CaliforniumServerEndpointsProvider.Builder coap = new CaliforniumServerEndpointsProvider.Builder(
                new CoapServerProtocolProvider(), new CoapsServerProtocolProvider());
        coap.addEndpoint("coap://127.0.0.1:" + args[0]);
        String models = args[2];
        LeshanServerBuilder builder = new LeshanServerBuilder();
        if (args.length > 3) {
            Map<String, String> options = query(String.join("&", Arrays.asList(args).subList(4, args.length)));
            coap.addEndpoint("coaps://127.0.0.1:" + args[3]);
            coap.setConfiguration(config -> {
                config.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, Integer.valueOf(options.get("cid")));
            });
            builder.setPrivateKey(SslContextUtil.loadPrivateKey(options.get("key"), null, null, null));
            builder.setCertificateChain(SslContextUtil.loadCertificateChain(options.get("certificate"), null, null));
            builder.setTrustedCertificates(SslContextUtil.loadTrustedCertificates(options.get("trust")));
            builder.setSecurityStore(security);
        }
        builder.setObjectModelProvider(new StaticModelProvider(Models.load(models)));
        builder.setEndpointsProviders(coap.build());
        lwm2m = builder.build();
        lwm2m.getRegistrationService().addListener(new RegistrationListener() {
            @Override
            public void registered(Registration reg, Registration previous, Collection<Observation> observations) {
                tell("REGISTRATION", registration(reg));
            }

            @Override
            public void updated(RegistrationUpdate update, Registration reg, Registration previous) {
                tell("UPDATED", Json.object("registration", registration(reg)));
            }

            @Override
            public void unregistered(Registration reg, Collection<Observation> observations, boolean expired,
                    Registration next) {
                tell("DEREGISTRATION", registration(reg));
            }
        });
        lwm2m.getObservationService().addListener(new ObservationListener() {
            @Override
            public void newObservation(Observation observation, Registration reg) {
            }

            @Override
            public void cancelled(Observation observation) {
            }

            @Override
            public void onResponse(SingleObservation observation, Registration reg, ObserveResponse response) {
                tell("NOTIFICATION", Json.object("ep", reg.getEndpoint(), "res", observation.getPath().toString(), "code",
                        response.getCode().getCode(), "val", Json.node(response.getContent())));
            }

            @Override
            public void onResponse(CompositeObservation observation, Registration reg,
                    ObserveCompositeResponse response) {
                tell("COMPOSITE_NOTIFICATION", Json.object("ep", reg.getEndpoint(), "code",
                        response.getCode().getCode(), "val", composite(response.getContent())));
            }

            @Override
            public void onError(Observation observation, Registration reg, Exception error) {
                tell("NOTIFICATION_ERROR", Json.object("ep", reg.getEndpoint(), "error", String.valueOf(error)));
            }
        });
        lwm2m.getSendService().addListener(new SendListener() {
            @Override
            public void dataReceived(Registration reg, TimestampedLwM2mNodes data, SendRequest request) {
                List<Object> times = new ArrayList<>();
                data.getTimestamps().forEach(t -> times.add(Json.object("time",
                        t == null ? null : t.toEpochMilli() / 1000.0, "val", composite(data.getNodesAt(t)))));
                tell("SEND", Json.object("ep", reg.getEndpoint(), "times", times));
            }

            @Override
            public void onError(Registration reg, String message, Exception error) {
                tell("SEND_ERROR", Json.object("ep", reg.getEndpoint(), "error", message));
            }
        });
    }

    private void tell(String event, Object data) {
        String message = "event: " + event + "\r\ndata: " + Json.text(data) + "\r\n\r\n";
        listeners.forEach(l -> l.add(message));
    }

    /** What is told of a registration, and whether the server takes the device for awake. */
    private Object present(Registration reg) {
        Map<String, Object> json = registration(reg);
        json.put("awake", lwm2m.getPresenceService().isClientAwake(reg));
        return json;
    }

    private static Map<String, Object> registration(Registration reg) {
        return Json.object("endpoint", reg.getEndpoint(), "registrationId", reg.getId(), "address",
                reg.getAddress().getHostAddress() + ":" + reg.getPort(), "lwM2mVersion", reg.getLwM2mVersion().toString(),
                "lifetime", reg.getLifeTimeInSec(), "bindingMode", reg.getBindingMode().toString(), "rootPath",
                reg.getRootPath(), "objectLinks", links(reg.getSortedObjectLinks()), "queuemode", reg.usesQueueMode(),
                "additionalRegistrationAttributes", reg.getAdditionalRegistrationAttributes(), "contentFormats",
                codes(reg.getSupportedContentFormats()));
    }

    private static List<Integer> codes(Collection<ContentFormat> formats) {
        List<Integer> codes = new ArrayList<>();
        formats.forEach(f -> codes.add(f.getCode()));
        return codes;
    }

    private static Object links(Link[] links) {
        List<Object> all = new ArrayList<>();
        for (Link link : links) {
            Map<String, Object> attributes = new LinkedHashMap<>();
            link.getAttributes().forEach(a -> attributes.put(a.getName(), a.hasValue() ? "" + a.getValue() : null));
            all.add(Json.object("url", link.getUriReference(), "attributes", attributes));
        }
        return all;
    }

    private static Map<String, Object> composite(Map<LwM2mPath, LwM2mNode> nodes) {
        Map<String, Object> all = new LinkedHashMap<>();
        nodes.forEach((path, node) -> all.put(path.toString(), node == null ? null : Json.node(node)));
        return all;
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> all = new LinkedHashMap<>();
        if (raw != null)
            for (String part : raw.split("&")) {
                int eq = part.indexOf('=');
                all.put(eq < 0 ? part : part.substring(0, eq), eq < 0 ? null : part.substring(eq + 1));
            }
        return all;
    }

    private void security(HttpExchange http) throws IOException {
        Map<String, String> query = query(http.getRequestURI().getQuery());
        int status = 204;
        try {
            String endpoint = query.get("endpoint");
            if (query.containsKey("psk"))
                security.add(SecurityInfo.newPreSharedKeyInfo(endpoint,
                        new String(StringUtil.hex2ByteArray(query.get("identity")), StandardCharsets.UTF_8),
                        StringUtil.hex2ByteArray(query.get("psk"))));
            else if (query.containsKey("public"))
                security.add(SecurityInfo.newRawPublicKeyInfo(endpoint,
                        SslContextUtil.loadPublicKey(query.get("public"), null, null)));
            else
                security.add(SecurityInfo.newX509CertInfo(endpoint));
        } catch (Exception error) {
            error.printStackTrace();
            status = 400;
        }
        http.sendResponseHeaders(status, -1);
        http.close();
    }

    private static ContentFormat format(Map<String, String> query) {
        return query.containsKey("format") ? ContentFormat.fromName(query.get("format")) : null;
    }

    @SuppressWarnings("unchecked")
    private DownlinkDeviceManagementRequest<? extends LwM2mResponse> request(HttpExchange http, Registration reg,
            List<String> path) throws IOException {
        String method = http.getRequestMethod();
        String raw = http.getRequestURI().getRawQuery();
        Map<String, String> query = query(http.getRequestURI().getQuery());
        ContentFormat format = format(query);
        String last = path.get(path.size() - 1);
        String body = new String(http.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        Map<String, Object> json = body.startsWith("{") ? Json.MAPPER.readValue(body, Map.class) : null;
        String target = "/" + String.join("/", path);
        String parent = "/" + String.join("/", path.subList(0, path.size() - 1));
        switch (method + " " + last) {
        case "GET discover":
            return new DiscoverRequest(parent);
        case "GET composite":
            return new ReadCompositeRequest(format, format, query.get("paths").split(","));
        case "PUT composite":
            Map<LwM2mPath, LwM2mNode> nodes = new LinkedHashMap<>();
            json.forEach((p, n) -> nodes.put(new LwM2mPath(p), Json.parse((Map<String, Object>) n, false)));
            return new WriteCompositeRequest(format, nodes, null);
        case "POST composite":
            return new ObserveCompositeRequest(format, format, query.get("paths").split(","));
        case "DELETE composite":
            for (Observation o : lwm2m.getObservationService().getObservations(reg))
                if (o instanceof CompositeObservation) {
                    if (Boolean.parseBoolean(query.get("active")))
                        return new CancelCompositeObservationRequest((CompositeObservation) o);
                    lwm2m.getObservationService().cancelObservation(o);
                }
            return null;
        case "PUT attributes":
            try {
                return new WriteAttributesRequest(parent,
                        new LwM2mAttributeSet(new DefaultLwM2mAttributeParser().parseUriQuery(raw)));
            } catch (Exception e) {
                throw new IllegalArgumentException(e);
            }
        case "POST observe":
            return new ObserveRequest(format, parent);
        case "DELETE observe":
            for (Observation o : lwm2m.getObservationService().getObservations(reg))
                if (o instanceof SingleObservation && ((SingleObservation) o).getPath().equals(new LwM2mPath(parent))) {
                    if (Boolean.parseBoolean(query.get("active")))
                        return new CancelObservationRequest((SingleObservation) o);
                    lwm2m.getObservationService().cancelObservation(o);
                }
            return null;
        default:
        }
        switch (method) {
        case "GET":
            return new ReadRequest(format, target);
        case "PUT":
            return new WriteRequest("false".equals(query.get("replace")) ? Mode.UPDATE : Mode.REPLACE, format, target,
                    Json.parse(json, path.size() == 4));
        case "DELETE":
            return new DeleteRequest(target);
        case "POST":
            if (path.size() == 3)
                return body.isEmpty() ? new ExecuteRequest(target) : new ExecuteRequest(target, body);
            LwM2mObjectInstance instance = (LwM2mObjectInstance) Json.parse(json, false);
            return instance.getId() == LwM2mObjectInstance.UNDEFINED
                    ? new CreateRequest(format, target, instance.getResources().values())
                    : new CreateRequest(format, target, instance);
        default:
            throw new IllegalArgumentException(method);
        }
    }

    private static Object answer(LwM2mResponse response) {
        Map<String, Object> json = Json.object("status",
                response.getCode().getName() + "(" + response.getCode().getCode() + ")", "valid", response.isValid(),
                "success", response.isSuccess(), "failure", response.isFailure());
        if (response instanceof ReadResponse && ((ReadResponse) response).getContent() != null)
            json.put("content", Json.node(((ReadResponse) response).getContent()));
        if (response instanceof ReadCompositeResponse && ((ReadCompositeResponse) response).getContent() != null)
            json.put("content", composite(((ReadCompositeResponse) response).getContent()));
        if (response instanceof DiscoverResponse && ((DiscoverResponse) response).getObjectLinks() != null)
            json.put("objectLinks", links(((DiscoverResponse) response).getObjectLinks()));
        if (response instanceof CreateResponse)
            json.put("location", ((CreateResponse) response).getLocation());
        if (response.isFailure())
            json.put("errormessage", response.getErrorMessage());
        Object coap = response.getCoapResponse();
        if (coap instanceof org.eclipse.californium.core.coap.Response)
            json.put("contentFormat", ((org.eclipse.californium.core.coap.Response) coap).getOptions().getContentFormat());
        return json;
    }

    private void clients(HttpExchange http) {
        int status = 200;
        Object answer;
        try {
            String[] parts = http.getRequestURI().getPath().split("/");
            List<String> path = new ArrayList<>(Arrays.asList(parts).subList(3, parts.length));
            if (path.isEmpty()) {
                List<Object> all = new ArrayList<>();
                Iterator<Registration> regs = lwm2m.getRegistrationService().getAllRegistrations();
                regs.forEachRemaining(r -> all.add(registration(r)));
                answer = all;
            } else {
                Registration reg = lwm2m.getRegistrationService().getByEndpoint(path.remove(0));
                if (reg == null) {
                    status = 400;
                    answer = "no registered client";
                } else if (path.isEmpty()) {
                    answer = present(reg);
                } else {
                    DownlinkDeviceManagementRequest<? extends LwM2mResponse> request = request(http, reg, path);
                    Map<String, String> query = query(http.getRequestURI().getQuery());
                    long timeout = Long.parseLong(query.getOrDefault("timeout", "5")) * 1000;
                    LwM2mResponse response = request == null ? null : lwm2m.send(reg, request, timeout);
                    if (request != null && response == null) {
                        status = 504;
                        answer = "Request timeout";
                    } else {
                        answer = response == null ? Json.object() : answer(response);
                    }
                }
            }
        } catch (Throwable e) {
            e.printStackTrace();
            status = 500;
            answer = String.valueOf(e);
        }
        try {
            byte[] bytes = (answer instanceof String ? (String) answer : Json.text(answer)).getBytes(StandardCharsets.UTF_8);
            http.getResponseHeaders().set("Content-Type", "application/json");
            http.sendResponseHeaders(status, bytes.length);
            http.getResponseBody().write(bytes);
        } catch (IOException e) {
            e.printStackTrace();
        } finally {
            http.close();
        }
    }

    private void events(HttpExchange http) {
        String endpoint = query(http.getRequestURI().getQuery()).get("ep");
        LinkedBlockingQueue<String> mine = new LinkedBlockingQueue<>();
        listeners.add(mine);
        try {
            http.getResponseHeaders().set("Content-Type", "text/event-stream");
            http.sendResponseHeaders(200, 0);
            OutputStream out = http.getResponseBody();
            out.write("\r\n".getBytes());
            out.flush();
            while (true) {
                String message = mine.poll(1, TimeUnit.SECONDS);
                if (message == null)
                    message = "\r\n";
                else if (endpoint != null && !message.contains('"' + endpoint + '"'))
                    continue;
                out.write(message.getBytes(StandardCharsets.UTF_8));
                out.flush();
            }
        } catch (IOException | InterruptedException e) {
            // the reader is gone
        } finally {
            listeners.remove(mine);
            http.close();
        }
    }

    public static void main(String[] args) throws Exception {
        PeerServer peer = new PeerServer(args);
        peer.lwm2m.start();
        HttpServer http = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[1])), 0);
        http.setExecutor(Executors.newCachedThreadPool());
        http.createContext("/api/clients", peer::clients);
        http.createContext("/api/event", peer::events);
        http.createContext("/api/security", peer::security);
        http.start();
        System.out.println("ready");
        System.out.flush();
    }
}
