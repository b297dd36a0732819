import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mChildNode;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.Hex;
import org.eclipse.leshan.core.util.datatype.ULong;

import com.fasterxml.jackson.databind.ObjectMapper;

/** Leshan's nodes as JSON values and back, in the shapes of the Leshan demo server's REST. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper();

    private Json() {
    }

    static String text(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static Map<String, Object> object(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    static Object value(Type type, Object value) {
        switch (type) {
        case OPAQUE:
            return Hex.encodeHexString((byte[]) value);
        case TIME:
            return ((Date) value).getTime() / 1000;
        case UNSIGNED_INTEGER:
            return ((ULong) value).toBigInteger();
        case OBJLNK:
            return ((ObjectLink) value).getObjectId() + ":" + ((ObjectLink) value).getObjectInstanceId();
        case CORELINK:
            List<String> links = new ArrayList<>();
            for (Link link : (Link[]) value)
                links.add(link.toCoreLinkFormat());
            return String.join(",", links);
        default:
            return value;
        }
    }

    static Object node(LwM2mNode any) {
        LwM2mChildNode node = (LwM2mChildNode) any;
        if (node instanceof LwM2mObject) {
            List<Object> all = new ArrayList<>();
            ((LwM2mObject) node).getInstances().values().forEach(i -> all.add(node(i)));
            return object("id", node.getId(), "kind", "obj", "instances", all);
        } else if (node instanceof LwM2mObjectInstance) {
            List<Object> all = new ArrayList<>();
            ((LwM2mObjectInstance) node).getResources().values().forEach(r -> all.add(node(r)));
            return object("id", node.getId(), "kind", "instance", "resources", all);
        } else if (node instanceof LwM2mResource && ((LwM2mResource) node).isMultiInstances()) {
            Map<String, Object> values = new LinkedHashMap<>();
            LwM2mResource resource = (LwM2mResource) node;
            resource.getInstances().forEach((i, v) -> values.put("" + i, value(v.getType(), v.getValue())));
            return object("id", node.getId(), "kind", "multiResource", "type", resource.getType().name(), "values", values);
        } else if (node instanceof LwM2mSingleResource) {
            LwM2mResource resource = (LwM2mResource) node;
            return object("id", node.getId(), "kind", "singleResource", "type", resource.getType().name(), "value",
                    value(resource.getType(), resource.getValue()));
        } else if (node instanceof LwM2mResourceInstance) {
            LwM2mResourceInstance instance = (LwM2mResourceInstance) node;
            return object("id", node.getId(), "kind", "resourceInstance", "type", instance.getType().name(), "value",
                    value(instance.getType(), instance.getValue()));
        }
        return null;
    }

    static Object typed(Type type, Object value) {
        String text = String.valueOf(value);
        switch (type) {
        case STRING:
            return text;
        case INTEGER:
            return Long.parseLong(text);
        case UNSIGNED_INTEGER:
            return ULong.valueOf(text);
        case FLOAT:
            return Double.parseDouble(text);
        case BOOLEAN:
            return Boolean.parseBoolean(text);
        case OPAQUE:
            return Hex.decodeHex(text.toCharArray());
        case TIME:
            return new Date(Long.parseLong(text) * 1000);
        case OBJLNK:
            return ObjectLink.fromPath("/" + text.replace(':', '/'));
        default:
            throw new IllegalArgumentException("cannot write a " + type);
        }
    }

    @SuppressWarnings("unchecked")
    static LwM2mNode parse(Map<String, Object> json, boolean resourceInstance) {
        int id = json.containsKey("id") ? ((Number) json.get("id")).intValue() : LwM2mObjectInstance.UNDEFINED;
        if (json.containsKey("resources")) {
            Collection<LwM2mResource> resources = new ArrayList<>();
            for (Object r : (List<Object>) json.get("resources"))
                resources.add((LwM2mResource) parse((Map<String, Object>) r, false));
            return new LwM2mObjectInstance(id, resources);
        }
        Type type = Type.valueOf((String) json.get("type"));
        if (json.containsKey("values")) {
            Map<Integer, Object> values = new LinkedHashMap<>();
            ((Map<String, Object>) json.get("values")).forEach((k, v) -> values.put(Integer.valueOf(k), typed(type, v)));
            return LwM2mMultipleResource.newResource(id, values, type);
        }
        Object value = typed(type, json.get("value"));
        if (resourceInstance)
            return LwM2mResourceInstance.newInstance(id, value, type);
        return LwM2mSingleResource.newResource(id, value, type);
    }
}
