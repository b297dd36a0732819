import { useEffect, useState } from "preact/hooks";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { Device, FirmwareImage, FirmwareJob } from "../api/types.ts";
import { CloseIcon } from "../components/icons.tsx";
import { Ago, Confirm, ProblemNote, Spinner } from "../components/ui.tsx";
import type { Session } from "./session.ts";

const FIRMWARE_UPDATE = 5;
const METHODS: [name: string, label: string][] = [
  ["auto", "as the device likes"], ["push", "push: write it to the device"], ["pull", "pull: let the device fetch it"],
];

/** A new image for this device: choose, start, watch. */
export function FirmwarePanel({ session, device }: { session: Session; device: Device }) {
  const [images, setImages] = useState<FirmwareImage[] | null>(null);
  const [image, setImage] = useState("");
  const [method, setMethod] = useState("auto");
  const [install, setInstall] = useState(true);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const job = session.firmware.value;
  const running = job != null && job.finishedAt == null;
  const has = device.objects.some((object) => object.id === FIRMWARE_UPDATE);

  useEffect(() => {
    void session.loadFirmware().then(setProblem);
    api.images().then((page) => setImages(page.items), (error: unknown) => setProblem(asProblem(error)));
  }, [session]);

  const upload = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setBusy(true);
    try {
      const added = await api.addImage(file);
      setImages([added, ...(images ?? []).filter((known) => known.id !== added.id)]);
      setImage(added.id);
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const chosen = image || (images?.[0]?.id ?? "");
  const start = async (): Promise<void> => {
    setBusy(true);
    setProblem(await session.startFirmware(chosen, method, install));
    setBusy(false);
  };

  return (
    <section class="card firmware" aria-labelledby="firmware-title">
      <div>
        <h2 id="firmware-title">Firmware update</h2>
        <p class="muted">
          {has ? "An image goes to the device by CoAP, is checked by the device, and is installed when it is asked to." : "This device has no Firmware Update object (/5)."}
        </p>
      </div>
      {problem && <ProblemNote problem={problem} label="Firmware" onClose={() => setProblem(null)} />}
      {job && <Job job={job} images={images ?? []} onStop={() => void session.stopFirmware().then(setProblem)} />}
      {has && !running && (
        <form class="row wrap" aria-label="Start an update" onSubmit={(e) => { e.preventDefault(); void start(); }}>
          {images && images.length > 0 && (
            <select aria-label="Image" value={chosen} onChange={(e) => setImage(e.currentTarget.value)}>
              {images.map((one) => <option key={one.id} value={one.id}>{one.name} ({size(one.size)})</option>)}
            </select>
          )}
          <label class="button">
            Add an image…
            <input type="file" class="visually-hidden" aria-label="Image file" onChange={(e) => void upload(e.currentTarget.files?.[0])} />
          </label>
          <select aria-label="Method" value={method} onChange={(e) => setMethod(e.currentTarget.value)}>
            {METHODS.map(([name, label]) => <option key={name} value={name}>{label}</option>)}
          </select>
          <label class="row tight"><input type="checkbox" checked={install} onChange={(e) => setInstall(e.currentTarget.checked)} /> install when it is there</label>
          <span class="grow" />
          {busy && <Spinner label="Working" />}
          <button type="submit" class="primary" disabled={busy || chosen === ""}>Start the update</button>
        </form>
      )}
    </section>
  );
}

function Job({ job, images, onStop }: { job: FirmwareJob; images: FirmwareImage[]; onStop: () => void }) {
  const [asking, setAsking] = useState(false);
  const running = job.finishedAt == null;
  const name = images.find((one) => one.id === job.image)?.name ?? job.image.slice(0, 12);
  const percent = job.size > 0 ? Math.floor((job.sent / job.size) * 100) : 0;
  const failed = !running && job.state !== "done" && job.state !== "succeeded";
  return (
    <div class="answer" role="status" data-job={job.state}>
      <div class="row wrap">
        <span class={`chip ${running ? "calm" : failed ? "bad" : "good"}`}>{job.state}</span>
        <strong>{name}</strong> <span class="muted">{job.method}</span>
        <span class="grow" />
        <span class="muted small"><Ago time={job.finishedAt ?? job.startedAt} /></span>
        {running && <button type="button" class="ghost small" onClick={() => setAsking(true)}><CloseIcon /> Cancel</button>}
      </div>
      <p>{job.stateText}{job.resultText ? ` ${job.resultText}` : ""}</p>
      <div class="row">
        <progress class="grow" max={job.size || 1} value={job.sent} aria-label="Bytes on the device" />
        <span class="muted small">{size(job.sent)} of {size(job.size)}, {percent} %</span>
      </div>
      {asking && (
        <Confirm title="Cancel the update?" text="The device is told to drop what it has of the image." action="Cancel the update"
          onYes={onStop} onClose={() => setAsking(false)} />
      )}
    </div>
  );
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
