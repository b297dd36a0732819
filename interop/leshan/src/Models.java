import java.io.File;
import java.util.ArrayList;
import java.util.List;

import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;

final class Models {
    private Models() {
    }

    /** Leshan's own definitions of the core objects, and the ones in the folder (the last version of an id wins). */
    static List<ObjectModel> load(String folder) {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
        if (folder != null)
            models.addAll(ObjectLoader.loadObjectsFromDir(new File(folder), false));
        return models;
    }
}
